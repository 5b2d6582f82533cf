"""Names: what a name in code holds, told by its words as they stand in the trackers of RL libraries."""

import re
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a name holds, entry by entry."""

    LOGP = "logp"
    LOGP_REF = "logp_ref"
    LOGP_OLD = "logp_old"
    LOGP_SAMPLER = "logp_sampler"
    LOG_RATIO = "log_ratio"
    LOG_WEIGHT = "log_weight"
    WEIGHT = "weight"
    WEIGHT_SAMPLER = "weight_sampler"
    LOGITS = "logits"
    LOGITS_REF = "logits_ref"
    LOGITS_OLD = "logits_old"
    ACTIONS = "actions"
    MASK = "mask"
    ADVANTAGE = "advantage"
    GROUP = "group"
    IDS = "ids"
    VALUE = "value"

    @property
    def is_over_vocabulary(self) -> bool:
        """Whether it has a last axis for the vocabulary."""
        return self in (Role.LOGITS, Role.LOGITS_REF, Role.LOGITS_OLD)


REFERENCE: Final = {
    "ref", "refs", "reference", "base", "teacher", "sft", "init", "initial", "anchor", "prior", "frozen", "q",
}  # fmt: skip
SAMPLER: Final = {"behavior", "behaviour", "behave", "mu", "rollout", "sampling", "sampler", "inference", "infer"} | {
    "generation", "gen", "vllm", "sglang",
}  # fmt: skip
"""Words of what generated the data: the old policy, unless another argument is that."""
PROXIMAL: Final = {"prox", "proximal"}
"""Words of the policy that a ratio is taken to, beside which even an old one is what generated the data."""
OLD: Final = {"old", "prev", "previous", "stale"} | SAMPLER | PROXIMAL
POLICY: Final = {"policy", "pi", "new", "cur", "curr", "current", "actor", "student", "model", "theta", "p", "trainer"}
BARE: Final = {
    "ref", "reference", "teacher", "old", "behavior", "behaviour", "policy", "pi", "new", "student", "current",
}  # fmt: skip
OPTION: Final = {"clip", "eps", "epsilon", "coef", "coeff", "max", "min", "cap", "threshold", "level"} | {
    "type", "mode", "temperature", "estimator", "fn", "func", "kind", "num", "size", "id",
    "metric", "metrics", "high", "low", "upper", "lower", "inf", "neginf", "nan",
    "use", "has", "enable", "enabled", "disable", "should",
}  # fmt: skip
"""Words of settings about an array, which are no arrays: ``clip_ratio``, ``importance_sampling_level``."""
NO_ACTION: Final = {"excluded", "banned", "stop", "num", "n", "pad", "eos", "position", "image", "video", "pixel"}
"""Words of numbers of tokens, and of what else has ids."""
ADVANTAGE: Final = {"adv", "advs", "advantage", "advantages"}
PLAIN: Final = {"per", "token", "tokens", "action", "actions", "completion", "response", "taken"}
"""Words that say nothing of whose it is, nor of how it was made."""
LOG_PROBABILITY: Final = re.compile(
    r"log_?(p|pi|q|mu|prob|probs|ps|probabilit(y|ies)|likelihoods?)(?![a-z])|(?<![a-z])lp(s)?(?![a-z])"
)
LOG_RATIO: Final = re.compile(r"log_?(prob|p)?s?_?(ratio|diff)s?(?![a-z])|log_?r(?![a-z])")
UNMISTAKABLE: Final = {
    Role.WEIGHT: re.compile(r"(importance_(sampling_)?|is_)(weight|ratio)s?|iw"),
    Role.LOG_WEIGHT: re.compile(
        r"log_?w|log_((importance|is)_(sampling_)?)?weights?|(importance|is)_log_(weight|ratio)s?"
    ),
    Role.ADVANTAGE: re.compile("|".join(sorted(ADVANTAGE))),
}
"""Whole names, without the plain words, that have one reading."""


def guess(name: str) -> Role | None:
    """The role of one name: ``ref_per_token_logps`` is the reference's log-probability."""
    snake = _snake(name)
    words = set(snake.split("_"))
    if words & OPTION:
        return None
    if words & {"mask", "masks"}:
        return Role.MASK
    if words & ADVANTAGE:
        return Role.ADVANTAGE
    if LOG_RATIO.search(snake):
        return Role.LOG_WEIGHT if words & {"importance", "is", *OLD} else Role.LOG_RATIO
    if words & {"logits", "logit"}:
        return whose(words, Role.LOGITS, Role.LOGITS_REF, Role.LOGITS_OLD)
    if LOG_PROBABILITY.search(snake):
        return whose(_owner(snake), Role.LOGP, Role.LOGP_REF, Role.LOGP_OLD)
    if snake == "logw" or (words & {"log"} and words & {"importance", "weight", "weights", "w"}):
        return Role.LOG_WEIGHT
    if words & {"importance", "ratio", "ratios", "iw", "rho"} or snake in ("w", "is_weights", "is_weight", "weights"):
        return Role.WEIGHT
    if words & {"actions", "action", "labels", "tokens", "ids"} and not words & NO_ACTION:
        return Role.ACTIONS
    if words <= BARE:
        return whose(words, Role.LOGP, Role.LOGP_REF, Role.LOGP_OLD)
    return None


def sure(name: str) -> Role | None:
    """The role of a name that has one reading, every word of it known; ``None`` for the others.

    A ratio may be π/π_old or π/π_ref, and its logarithm have either sign; in ``log_q`` the q is the reference for some
    and the policy for others; ``chosen_logps`` is one of a pair.
    """
    role, snake = guess(name), _snake(name)
    if role in UNMISTAKABLE:
        rest = "_".join(word for word in snake.split("_") if word not in PLAIN)
        return role if UNMISTAKABLE[role].fullmatch(rest) else None
    if role not in (Role.LOGP, Role.LOGP_REF, Role.LOGP_OLD) or not LOG_PROBABILITY.search(snake):
        return None
    whose = _owner(snake) - PLAIN
    known = whose <= (POLICY | REFERENCE | OLD) - {"q"} and not (whose & REFERENCE and whose & OLD)
    return role if known else None


def words_of(name: str) -> list[str]:
    """The words of a name, in order: ``refLogProbs`` has three."""
    return [word for word in _snake(name).split("_") if word]


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _owner(snake: str) -> set[str]:
    """The words beside the log-probability, glued to it or not: ``reflogp``, ``logp_ref`` and ``log_q`` have one."""
    letters = {"q": r"log_?q(?![a-z])", "mu": r"log_?mu(?![a-z])"}
    marks = {word for word, pattern in letters.items() if re.search(pattern, snake)}
    return marks | {word for word in LOG_PROBABILITY.sub("_", snake).split("_") if word}


def whose(words: set[str], policy: Role, reference: Role, old: Role) -> Role:
    """Which of three roles these words tell: the policy's where they tell none."""
    return reference if words & REFERENCE else old if words & OLD else policy
