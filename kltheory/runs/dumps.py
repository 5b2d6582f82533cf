"""Dumps without log-probabilities: what they are told by, and the lines that dump what is needed beside them."""

from collections.abc import Iterable
from typing import Final, NamedTuple


class TextDump(NamedTuple):
    """What a trainer writes of its own accord: whose, the columns it is told by, and lines to add to the trainer."""

    source: str
    told_by: frozenset[str]
    lines: str


TRL: Final = """\
class Dumping(trl.GRPOTrainer):
    def _compute_loss(self, model, inputs):
        ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
        seen = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
        with torch.no_grad():
            logps, _ = self._get_per_token_logps_and_entropies(model, ids, seen, inputs["completion_ids"].size(1))
        held = {"logp": logps, "mask": inputs["completion_mask"], "advantage": inputs["advantages"]}
        held |= {f"logp_{who}": inputs.get(f"{who}_per_token_logps") for who in ("ref", "old")}
        arrays = {name: x.float().cpu().numpy() for name, x in held.items() if x is not None}
        numpy.savez(f"dump/step_{self.state.global_step}_{self._step}.npz", **arrays)
        return super()._compute_loss(model, inputs)"""

VERL: Final = """\
# in RayPPOTrainer.fit, after compute_advantage:
names = {"logp": "old_log_probs", "logp_ref": "ref_log_prob", "logp_sampler": "rollout_log_probs",
         "mask": "response_mask", "advantage": "advantages", "token": "responses"}
held = {name: batch.batch[key] for name, key in names.items() if key in batch.batch.keys()}
arrays = {name: x.float().cpu().numpy() for name, x in held.items()}
arrays["logp_old"] = arrays["logp"]
arrays["reward"] = batch.batch["token_level_scores"].sum(-1).float().cpu().numpy()
arrays["group"] = numpy.unique(batch.non_tensor_batch["uid"], return_inverse=True)[1]
numpy.savez(f"dump/step_{self.global_steps}.npz", **arrays)"""

TEXT_DUMPS: Final = (
    TextDump("a table of TRL's completions", frozenset({"prompt", "completion"}), TRL),
    TextDump("what verl dumps of rollouts", frozenset({"input", "output"}), VERL),
)


def without_logps(names: Iterable[str]) -> str:
    """What to say of a dump of texts; empty where these columns are no such dump."""
    found = set(names)
    for dump in TEXT_DUMPS:
        if dump.told_by <= found:
            said = f"{dump.source} holds texts, and no log-probabilities"
            return f"{said}: add these lines to the trainer, and measure what they dump\n\n{dump.lines}"
    return ""
