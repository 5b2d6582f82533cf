"""prime-rl: ``token_exports/step_*/rank_*.jsonl``, a line for each sequence."""

from kltheory.runs.files import renamed_lines, streamed
from kltheory.runs.reader import Reader

NAMES = {
    "token": "token_ids",
    "logp": "trainer_logprobs",
    "logp_sampler": "inference_logprobs",
    "logp_old": "inference_logprobs",
    "advantage": "advantages",
    "mask": "loss_mask",
}


READER = Reader(
    "prime-rl",
    "prime-rl's token_exports: token_ids, loss_mask, advantages, inference_logprobs, trainer_logprobs",
    lambda files: all(f.suffix == ".jsonl" and f.stem.startswith("rank_") for f in files),
    lambda files, lost: streamed(files, renamed_lines(NAMES), lost),
    "its importance weight is over the inference engine's policy, so logp_old is logp_sampler; there is no reference",
)
