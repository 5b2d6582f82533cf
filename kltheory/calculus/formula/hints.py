"""What to write instead of the words and characters that people try: a new one is a new row."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from kltheory.calculus.names import Role, guess

_PROBABILITIES: Final = "exp(logp) for the policy, exp(logp_ref) for the reference, exp(logp_old) for who sampled"
_RATIOS: Final = "w for π/π_old (PPO's), u for π/π_ref, r for π_ref/π"
_NUMBER: Final = "A for a number attached to the action"
_ONE: Final = "the loss of one sample: leave it out"

INSTEAD: Final[Mapping[str, str]] = {
    # names
    **dict.fromkeys(("pi", "p", "q", "prob", "probs", "pi_theta", "pi_ref", "pi_old", "π"), _PROBABILITIES),
    **dict.fromkeys(("r_t", "r_theta"), _RATIOS), **dict.fromkeys(("a_t", "a_i", "a_hat"), "A"), "weight": "w",
    **dict.fromkeys(("kl", "kl_div", "kl_loss"), "k1, k2 or k3: which estimate of the KL"), "mse": "k2",
    **dict.fromkeys(("reward", "rewards", "return", "returns", "R"), _NUMBER), "low_var_kl": "k3", "entropy": "-logp",
    **dict.fromkeys(("lambda", "lambda_", "lamda", "lmbda"), "lam"), "inf": "one bound only: clamp(x, min=0)",
    "e": "exp(1)", "E": "exp(1) for the number; the expectation of a formula is taken for you",
    # functions
    **dict.fromkeys(("mean", "sum", "std", "var", "prod", "cumsum", "masked_mean", "logsumexp", "gather"), _ONE),
    "huber": "where(abs(l) < 1, l**2/2, abs(l) - 1/2)", "mse_loss": "(a - b)**2", "rsqrt": "1/sqrt(x)",
    "softmax": "exp(logp)", "log_softmax": "logp", "exp2": "2**x", "log2": "log(x)/log(2)", "log10": "log(x)/log(10)",
    "atanh": "log((1 + x)/(1 - x))/2",
    # characters
    "^": "** for a power", "|": "abs(...)", "||": "or", "&&": "and", "!": "not", "[": "(", "]": ")", "√": "sqrt(...)",
    "\n": "the formula on one line", "\r": "the formula on one line", "∞": "one bound only: clamp(x, min=0)",
    "²": "**2", "³": "**3", "½": "1/2", "¼": "1/4", "¾": "3/4", "≤": "<=", "≥": ">=", "∧": "and", "∨": "or", "¬": "not",
    "α": "alpha", "β": "beta", "γ": "gamma", "ε": "eps", "ϵ": "eps", "η": "eta", "κ": "kappa", "λ": "lam", "τ": "tau",
    "δ": "delta for a constant, r for exp(-l)",
    **dict.fromkeys("−–—‐‑", "-"), **dict.fromkeys("×·∙⋅∗•", "*"), **dict.fromkeys("÷⁄∕", "/"),
}  # fmt: skip

_WHOSE: Final = (
    "whose log-probability? write logp for the policy, logp_ref for the reference, logp_old for the policy that sampled"
)
_LOG_RATIO: Final = "which log-ratio? write l for log π/π_ref, -l for log π_ref/π, log(w) for log π/π_old"

ASK: Final[Mapping[Role, str]] = {
    **dict.fromkeys((Role.LOGP, Role.LOGP_REF, Role.LOGP_OLD, Role.LOGITS, Role.LOGITS_REF, Role.LOGITS_OLD), _WHOSE),
    **dict.fromkeys((Role.LOG_RATIO, Role.LOG_WEIGHT), _LOG_RATIO),
    **dict.fromkeys((Role.MASK, Role.ACTIONS), f"write {_ONE}"),
    Role.WEIGHT: f"which ratio? write {_RATIOS}",
    Role.ADVANTAGE: f"write {_NUMBER}",
}
"""The question where a name has more than one reading."""


CLOSE: Final = 0.8
"""How alike two words are that may be one: less, and ``atan`` would be ``tanh``."""


def instead(word: str, otherwise: str) -> str:
    """What to write for a word people try, else the other hint."""
    known = word if word in INSTEAD else word.lower()
    return f"write {INSTEAD[known]}" if known in INSTEAD else otherwise


def question(name: str) -> str:
    """What to write for a name that has several readings, or belongs to something else; empty for any other."""
    role = guess(name)
    return instead(name, "" if role is None else ASK[role])


def near(name: str, known: Iterable[str]) -> Iterator[str]:
    """What an unknown name may have been meant for: never whose log-probability it is, which changes the formula."""
    folded = {word.lower(): word for word in known}
    for match in get_close_matches(name.lower(), folded, 1, CLOSE if len(name) > 3 else 1):
        word = folded[match]
        yield _WHOSE if word.startswith("logp") else f"did you mean {word!r}?"
