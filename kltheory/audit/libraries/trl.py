"""TRL: ``GRPOTrainer._compute_loss``, called with advantages of 0 and β = 1, so that its KL term is all there is."""

import warnings
from collections import defaultdict
from importlib import import_module
from types import SimpleNamespace as Some
from typing import Any

from kltheory.audit.library import Function, Library


def load() -> Function:
    """The loss as a function of log-probabilities, (T,) or (B, T), and of what ``GRPOConfig`` takes."""
    torch, trl = import_module("torch"), import_module("trl.trainer.grpo_trainer")
    alone = Some(gather=lambda x: x, reduce=lambda x, reduction: x, num_processes=1)  # one process
    state = {"accelerator": alone, "model": Some(training=True), "current_gradient_accumulation_steps": 1}
    state |= {"aux_loss_enabled": False, "_entropy_bonus_enabled": False}

    def grpo_loss(logps: Any, ref_logps: Any, old_logps: Any = None, mask: Any = None, **options: Any) -> Any:
        new, ref = torch.atleast_2d(logps, ref_logps)
        old, mask = (x if x is None else torch.atleast_2d(x) for x in (old_logps, mask))
        ids, zeros = torch.ones(new.shape, dtype=torch.long), torch.zeros(new.shape, dtype=new.dtype)
        mask = ids if mask is None else mask
        given = {"prompt_ids": ids[:, :0], "prompt_mask": ids[:, :0], "completion_ids": ids, "completion_mask": mask}
        given |= {"ref_per_token_logps": ref, "old_per_token_logps": old, "advantages": zeros[:, 0]}
        with warnings.catch_warnings(action="ignore"):
            args = trl.GRPOConfig(output_dir="unused", beta=1.0, use_cpu=True, bf16=False, report_to="none", **options)
        trainer = object.__new__(trl.GRPOTrainer)
        vars(trainer).update(vars(args), **state, args=args, epsilon_low=args.epsilon, epsilon_high=args.epsilon)
        trainer._metrics = defaultdict(lambda: defaultdict(list))
        trainer._get_per_token_logps_and_entropies = lambda *_, **__: (new, zeros, None)
        return trl.GRPOTrainer._compute_loss(trainer, None, given | {"num_items_in_batch": mask.sum()})

    return grpo_loss


ROLES = {"logp": "logps", "logp_ref": "ref_logps", "logp_old": "old_logps", "mask": "mask"}
VARIANTS = ({"use_bias_correction_kl": False}, {"use_bias_correction_kl": True})
METHOD = "trl.trainer.grpo_trainer:GRPOTrainer._compute_loss"
LIBRARY = Library("trl", "trl", "torch", ("torch==2.13.0", "trl==1.16.0"), load, VARIANTS, ROLES, METHOD)
