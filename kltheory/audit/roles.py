"""Roles: what each argument of a function is, told by its name."""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What an array argument holds, entry by entry."""

    LOGP = "logp"
    LOGP_REF = "logp_ref"
    LOGP_OLD = "logp_old"
    LOG_RATIO = "log_ratio"
    LOG_WEIGHT = "log_weight"
    WEIGHT = "weight"
    LOGITS = "logits"
    LOGITS_REF = "logits_ref"
    LOGITS_OLD = "logits_old"
    ACTIONS = "actions"
    MASK = "mask"
    ADVANTAGE = "advantage"

    @property
    def is_over_vocabulary(self) -> bool:
        """Whether it has a last axis for the vocabulary."""
        return self in (Role.LOGITS, Role.LOGITS_REF, Role.LOGITS_OLD)


REFERENCE: Final = {
    "ref",
    "refs",
    "reference",
    "base",
    "teacher",
    "sft",
    "init",
    "initial",
    "anchor",
    "prior",
    "frozen",
    "q",
}
OLD: Final = {"old", "behavior", "behaviour", "mu", "rollout", "sampling", "sampler", "inference", "infer", "prev"} | {
    "previous", "generation", "gen", "vllm", "stale",
}  # fmt: skip
POLICY: Final = {"policy", "pi", "new", "cur", "curr", "current", "actor", "student", "model", "theta", "p", "trainer"}
BARE: Final = {
    "ref",
    "reference",
    "teacher",
    "old",
    "behavior",
    "behaviour",
    "policy",
    "pi",
    "new",
    "student",
    "current",
}
OPTION: Final = {"clip", "eps", "epsilon", "coef", "coeff", "max", "min", "cap", "threshold", "level"} | {
    "type", "mode", "temperature", "estimator", "fn", "func", "kind", "num", "size", "id",
}  # fmt: skip
"""Words of settings about an array, which are no arrays: ``clip_ratio``, ``importance_sampling_level``."""
LOG_PROBABILITY: Final = re.compile(
    r"log_?(p|pi|q|mu|prob|probs|ps|probabilit(y|ies)|likelihoods?)(?![a-z])|(?<![a-z])lp(s)?(?![a-z])"
)
LOG_RATIO: Final = re.compile(r"log_?(prob|p)?s?_?(ratio|diff)s?(?![a-z])|log_?r(?![a-z])")
"""Words in names, as they stand in the trackers of RL libraries."""


def guess(name: str) -> Role | None:
    """The role of one name: ``ref_per_token_logps`` is the reference's log-probability."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    words = set(snake.split("_"))
    if words & OPTION:
        return None
    if words & {"mask", "masks"}:
        return Role.MASK
    if words & {"adv", "advs", "advantage", "advantages"}:
        return Role.ADVANTAGE
    if LOG_RATIO.search(snake):
        return Role.LOG_WEIGHT if words & {"importance", "is", *OLD} else Role.LOG_RATIO
    if words & {"logits", "logit"}:
        return _whose(words, Role.LOGITS, Role.LOGITS_REF, Role.LOGITS_OLD)
    if LOG_PROBABILITY.search(snake):
        marked = words | ({"ref"} if re.search(r"log_?q(?![a-z])", snake) else set())
        marked |= {"old"} if re.search(r"log_?mu(?![a-z])", snake) else set()
        return _whose(marked, Role.LOGP, Role.LOGP_REF, Role.LOGP_OLD)
    if words & {"log"} and words & {"importance", "weight", "weights"}:
        return Role.LOG_WEIGHT
    if words & {"importance", "ratio", "ratios", "iw", "rho"} or snake in ("w", "is_weights", "is_weight", "weights"):
        return Role.WEIGHT
    if words & {"actions", "action", "labels", "tokens", "ids"} and not words & {"num", "n", "pad", "eos"}:
        return Role.ACTIONS
    if words <= BARE:
        return _whose(words, Role.LOGP, Role.LOGP_REF, Role.LOGP_OLD)
    return None


def _whose(words: set[str], policy: Role, reference: Role, old: Role) -> Role:
    return reference if words & REFERENCE else old if words & OLD else policy


def guess_all(names: Iterable[str]) -> dict[str, Role]:
    """The roles of the parameters of one function, each role once: the first name that claims it keeps it.

    Of two names that both seem to be the policy's, one marked as such (``new_logps``, ``logps``) is the policy.
    """
    found: dict[str, Role] = {}
    for name in names:
        role = guess(name)
        if role is not None and role not in found.values():
            found[name] = role
    return found
