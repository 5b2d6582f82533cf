"""The losses people train with: each a surrogate of one sample, as a function of its parameters.

A policy loss takes the advantage A first, any detached number attached to the action; an entropy or distillation loss
takes none. All are minimised, and written for one token sampled from the old policy; w = π/π_old. A distillation loss
has the teacher as its reference: P = π_ref, Q = π. Parameters have the values of the source, or of the libraries that
run it. A new loss is one line here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sympy import Abs, And, Expr, Max, Min, Or, Piecewise, Rational, S, exp, log

from kltheory.calculus.estimators import w
from kltheory.calculus.moments import E
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import log_ratio, log_weight, logp, sg

Formula = Callable[..., Expr]


@dataclass(frozen=True)
class Loss:
    """A named surrogate of one sample; ``loss(advantage, ...)`` gives it with its parameters put in."""

    name: str
    title: str
    formula: Formula
    source: str

    def __call__(self, *parameters: Expr) -> Surrogate:
        """The surrogate; parameters that are left out have their usual values."""
        return Surrogate(self.formula(*map(S, parameters)))


FIFTH: Final = Rational(1, 5)
TWO: Final = S(2)
THREE: Final = S(3)
TENTH: Final = Rational(1, 10)
STEEPER: Final = Rational("1.05")
POLGRAD: Final = "github.com/SaifPunjwani/polgrad"
GKD: Final = "arXiv 2306.13649"
DISTILLM: Final = "arXiv 2402.03898"
VERL: Final = "github.com/verl-project/verl/pull/2953"


# --- formulas that take more than a line ------------------------------------------------------------------------------
def clip(x: Expr, low: Expr, high: Expr) -> Expr:
    """x held to the interval from 1 - low to 1 + high."""
    return Min(Max(x, 1 - low), 1 + high)


def _ppo(a: Expr, low: Expr = FIFTH, high: Expr = FIFTH) -> Expr:
    return -Min(w * a, clip(w, low, high) * a)


def _dual_clip(a: Expr, bound: Expr = THREE, low: Expr = FIFTH, high: Expr = FIFTH) -> Expr:
    return Piecewise((Min(_ppo(a, low, high), -bound * a), a < 0), (_ppo(a, low, high), True))


def _sapo(a: Expr, positive: Expr = S.One, negative: Expr = STEEPER) -> Expr:
    """A sigmoid of w, steeper for A < 0."""
    up, down = (4 / tau / (1 + exp(-tau * (w - 1))) for tau in (positive, negative))
    return -a * (up if positive == negative else Piecewise((up, a > 0), (down, True)))


def _topr(a: Expr) -> Expr:
    return -Piecewise((a, a > 0), (a * sg(Min(w, 1)), True)) * logp


def _aspo(a: Expr) -> Expr:
    """For A > 0 the weight is 1/w, as a value: w/sg(w)²."""
    return -Piecewise((a * w / sg(w) ** 2, a > 0), (a * w, True))


def _vespo(a: Expr, k: Expr = TWO, lam: Expr = THREE) -> Expr:
    return -sg(w**k * exp(lam * (1 - w))) * a * logp


def _dppo_tv(a: Expr, delta: Expr = FIFTH) -> Expr:
    gap = exp(logp) - exp(logp - log_weight)
    return -Piecewise((w * a, Or(And(a > 0, gap < delta), And(a < 0, gap > -delta))), (0, True))


def _mask(a: Expr, low: Expr = S.Half, high: Expr = TWO) -> Expr:
    return -Piecewise((w, And(w > low, w < high)), (0, True)) * a


def _mixture(teacher: Expr) -> Expr:
    """M/Q for the mixture M of the teacher P, with this share, and Q."""
    return teacher * exp(-log_ratio) + 1 - teacher


def _gjsd(beta: Expr = S.Half) -> Expr:
    """β KL(P‖M) + (1 - β) KL(Q‖M), M = βP + (1 - β)Q, over the whole vocabulary."""
    r, m = exp(-log_ratio), _mixture(beta)
    return E(beta * r * log(r / m) - (1 - beta) * log(m))


def _skew_kl(alpha: Expr = TENTH) -> Expr:
    r = exp(-log_ratio)
    return E(r * log(r / _mixture(alpha)))


# --- the list ---------------------------------------------------------------------------------------------------------
reinforce: Final = Loss("reinforce", "REINFORCE", lambda a: -a * logp, POLGRAD)
importance: Final = Loss("importance", "importance-weighted policy gradient", lambda a: -w * a, POLGRAD)
ppo: Final = Loss("ppo", "PPO's clip", _ppo, "arXiv 1707.06347")
dual_clip: Final = Loss("dual_clip", "PPO's clip with a second one for A < 0", _dual_clip, "arXiv 1912.09729")
cispo: Final = Loss(
    "cispo", "CISPO", lambda a, low=FIFTH, high=FIFTH: -sg(clip(w, low, high)) * a * logp, "arXiv 2506.13585"
)
tis: Final = Loss("tis", "truncated importance sampling", lambda a, cap=TWO: -sg(Min(w, cap)) * a * logp, VERL)
mis: Final = Loss("mis", "masked importance sampling, IcePop", _mask, VERL)
sapo: Final = Loss("sapo", "SAPO", _sapo, "arXiv 2511.20347")
topr: Final = Loss("topr", "TOPR", _topr, "arXiv 2503.14286")
aspo: Final = Loss("aspo", "ASPO, unclipped", _aspo, "arXiv 2510.06062")
spo: Final = Loss("spo", "SPO", lambda a, eps=FIFTH: -(w * a - Abs(a) * (w - 1) ** 2 / (2 * eps)), "arXiv 2401.16025")
vespo: Final = Loss("vespo", "VESPO", _vespo, "arXiv 2602.10693")
dppo_tv: Final = Loss("dppo_tv", "DPPO, total variation", _dppo_tv, "arXiv 2602.04879")
kl_cov: Final = Loss("kl_cov", "kl_cov's penalty, beside a policy loss", lambda: Abs(log_weight), "arXiv 2505.22617")
dro: Final = Loss("dro", "DRO", lambda a, beta=S.One: -a * logp + beta * log_weight**2 / 2, "arXiv 2405.19107")
awr: Final = Loss("awr", "advantage-weighted regression", lambda a, beta=S.One: -exp(a / beta) * logp, "catalogue 194")
gjsd: Final = Loss("gjsd", "generalised Jensen-Shannon", _gjsd, GKD)
skew_kl: Final = Loss("skew_kl", "skewed KL(P‖αP + (1 - α)Q)", _skew_kl, DISTILLM)
skew_reverse_kl: Final = Loss(
    "skew_reverse_kl", "skewed KL(Q‖αP + (1 - α)Q)", lambda alpha=TENTH: -E(log(_mixture(alpha))), DISTILLM
)
entropy_bonus: Final = Loss(
    "entropy_bonus", "minus the entropy, over the whole vocabulary", lambda: E(logp), "catalogue 191"
)
sampled_entropy: Final = Loss(
    "sampled_entropy", "minus the entropy of the sampled token", lambda: logp, "catalogue 191"
)

LOSSES: Final = (
    reinforce,
    importance,
    ppo,
    dual_clip,
    cispo,
    tis,
    mis,
    sapo,
    topr,
    aspo,
    spo,
    vespo,
    dppo_tv,
    kl_cov,
    dro,
    awr,
    gjsd,
    skew_kl,
    skew_reverse_kl,
    entropy_bonus,
    sampled_entropy,
)
"""All of them; a new one is a new line."""
