"""Hypotheses that claims state themselves: who sampled, support, sizes, lengths, parameters, floats.

One table from kind of claim to what it is about; what cannot be seen in a claim (ε, G → ∞, what a letter stands for) a
theorem's author adds.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from sympy import Derivative, Expr, Heaviside, Piecewise, Subs, Symbol, exp, sign
from sympy.core.function import AppliedUndef

from kltheory.calculus.gaussian import Gaussian, conditions, x
from kltheory.calculus.moments import CORNERED, At
from kltheory.calculus.notation import text
from kltheory.calculus.sequence.loss import PastValue
from kltheory.calculus.symbols import advantage, inside, log_ratio, ratio
from kltheory.numerics.settings import membership
from kltheory.proving.claims import (
    OLD,
    POLICY,
    SAMPLED,
    AgreesToOrder,
    Claim,
    IsDivergence,
    Lemma,
    NaturalInner,
    SameGradient,
    SameScore,
    SameValue,
    SamplerFree,
)
from kltheory.proving.continuous import FiniteIff, GaussianMean, GeometricFiniteIff, GeometricSum
from kltheory.proving.equations import Forces
from kltheory.proving.floats import Computes, NegativeShare, OverflowsIff
from kltheory.proving.instances import expressions, parameters
from kltheory.proving.moments import AlwaysSign, GradientBound, OnTwoActions, SameMoment, SignAt, TraceVariance
from kltheory.proving.one_tree import LessVarianceAt, ShorterGradientAt
from kltheory.proving.precision import POINTS, AccurateIn
from kltheory.proving.response_variance import VarianceGrowth
from kltheory.proving.scalars import Expansion, HasSign, Identity, Limit, Range
from kltheory.proving.sequences import IsConservative, SameSequenceGradient, SameSequenceValue
from kltheory.proving.thresholds import Zero, Zeros

FULL: Final = "full support"
ANY_SIZE: Final = "any vocabulary size"
LOGITS: Final = "gradients by the logits"
ALMOST: Final = "almost every policy: no action on the edge of a cell"
ALMOST_EVERY_L: Final = "almost every log-ratio l: none on the edge of a cell"
ANY_SET: Final = "any fixed set S"
JUMPING: Final = (Heaviside, Piecewise, sign)
"""Heads that may step: on an edge values differ, and not only slopes."""

Words = Iterator[str]


def _one_step(claim: Any) -> Words:
    if sampler := getattr(claim, "sampler", None):
        yield SAMPLED[sampler]
    yield FULL
    yield _size(claim)
    edges = CORNERED if sampler or isinstance(claim, SamplerFree | NaturalInner | IsConservative) else JUMPING
    if any(e.has(*edges) for e in expressions(claim)):
        yield ALMOST


def _size(claim: Claim) -> str:
    """Values at single actions need that many."""
    actions = [node.action + 1 for e in expressions(claim) for node in e.atoms(At)]
    return f"V ≥ {max(actions)}" if actions and max(actions) > 1 else ANY_SIZE


def _in_logits(claim: Any) -> Words:
    yield from _one_step(claim)
    yield LOGITS


def _natural(claim: NaturalInner) -> Words:
    yield SAMPLED[POLICY]
    yield from _one_step(claim)


def _whoever(claim: SamplerFree) -> Words:
    yield SAMPLED[OLD]
    yield from _one_step(claim)


def _range(claim: Range) -> Words:
    yield from (FULL, "V ≥ 3")


def _two_actions(claim: OnTwoActions) -> Words:
    yield from (FULL, "V = 2", LOGITS)


def _setting(claim: SignAt) -> Words:
    size = len(claim.policy.split())
    yield f"V = {size}"
    yield f"π = ({', '.join(claim.policy.split())}), π_ref = ({', '.join(claim.reference.split())})"
    yield from _members(claim, size)


def _members(claim: Claim, size: int) -> Words:
    """The one set that is looked at on one setting, or on one tree."""
    if any(inside in e.free_symbols for e in expressions(claim)):
        tokens = [str(a + 1) for a in range(size) if membership(a)]
        yield "S is the first token" if len(tokens) == 1 else f"S is tokens {' and '.join(tokens)}"


def _responses(claim: SameSequenceGradient | SameSequenceValue | IsConservative) -> Words:
    yield from _one_step(claim)
    yield "responses of one length N" if claim.fixed_length else "responses of any length"


def _tree(claim: LessVarianceAt | ShorterGradientAt) -> Words:
    policy = dict(claim.policy)
    size = len(policy[""].split())
    yield SAMPLED[POLICY]
    yield f"V = {size}"
    yield f"{max(map(len, policy)) + 1} tokens, on the tree shown"
    yield from _members(claim, size)


def _growth(claim: VarianceGrowth) -> Words:
    yield from (SAMPLED[POLICY], FULL, ANY_SIZE, "N steps i.i.d. with shared logits")


def _lemma(claim: Lemma) -> Words:
    yield ANY_SIZE


def _binade(claim: NegativeShare) -> Words:
    yield "float32"
    sign = "" if claim.side > 0 else "-"
    yield f"2^{claim.exponent} ≤ {sign}l < 2^{claim.exponent + 1}, all 2^23 floats"


def _points(claim: AccurateIn) -> Words:
    yield claim.dtype
    yield f"2^{claim.exponent} ≤ |l| < 2^{claim.exponent + 1}, {2 * POINTS} points evenly spaced"


def _format(claim: OverflowsIff | Computes) -> Words:
    yield claim.format


def _of_one_variable(claim: Claim) -> Words:
    """What a formula is claimed of, an interval of l or all of it, stands in the claim."""
    if any(e.has(*JUMPING) for e in expressions(claim)):
        yield ALMOST_EVERY_L


def _gaussian_mean(claim: GaussianMean) -> Words:
    """Where there is a mean at all."""
    found = conditions(claim.left, Gaussian(claim.mean, claim.variance))
    yield from (f"{_in_greek(c)} > 0" for c in found if not c.is_positive)


def _geometric_sum(claim: GeometricSum) -> Words:
    """Where it converges."""
    yield from (f"{_in_greek(abs(q))} < 1" for q in claim.ratios() if not (1 - abs(q)).is_positive)


DERIVED: Final[dict[type, Callable[[Any], Words]]] = {
    **dict.fromkeys((SameGradient, SameScore, IsDivergence, AgreesToOrder, SameValue), _one_step),
    **dict.fromkeys((SameMoment, AlwaysSign), _one_step),
    **dict.fromkeys((TraceVariance, GradientBound), _in_logits),
    NaturalInner: _natural,
    SamplerFree: _whoever,
    Range: _range,
    OnTwoActions: _two_actions,
    SignAt: _setting,
    **dict.fromkeys((SameSequenceGradient, SameSequenceValue, IsConservative), _responses),
    **dict.fromkeys((LessVarianceAt, ShorterGradientAt), _tree),
    VarianceGrowth: _growth,
    Lemma: _lemma,
    NegativeShare: _binade,
    AccurateIn: _points,
    **dict.fromkeys((OverflowsIff, Computes), _format),
    **dict.fromkeys((Identity, HasSign, Expansion, Limit, Zero, Zeros, Forces), _of_one_variable),
    **dict.fromkeys((FiniteIff, GeometricFiniteIff), _of_one_variable),
    GaussianMean: _gaussian_mean,
    GeometricSum: _geometric_sum,
}
"""Kind of claim to what it is about; a new kind is a new row."""

GREEK: Final = {"beta": "β", "gamma": "γ", "epsilon": "ε", "lam": "λ", "tau": "τ", "rho": "ρ", "sigma": "σ"}
TIMES: Final = {1: "", 2: "twice "}
ARGUMENTS: Final = {log_ratio: "l", ratio: "u", exp(-log_ratio): "r"}
DOMAINS: Final = (("is_integer", "any whole {}"), ("is_positive", "any {} > 0"), ("is_real", "any real {}"))


def _in_greek(expr: Expr) -> str:
    return text(expr.xreplace({s: Symbol(GREEK[s.name]) for s in expr.free_symbols if s.name in GREEK}))


def _functions(every: list[Expr]) -> Words:
    """The undefined functions, and how often they have to be differentiable; those as of u are kept at a point."""
    orders: dict[str, int] = {}
    for node in sorted({n for e in every for n in e.atoms(AppliedUndef, Derivative, Subs)}, key=str):
        point = dict(zip(node.variables, node.point, strict=True)) if isinstance(node, Subs) else {}
        for f in node.atoms(AppliedUndef):
            times = max((d.derivative_count for d in node.atoms(Derivative) if d.expr == f), default=1)
            if argument := ARGUMENTS.get(f.args[0].xreplace(point)):
                name = f"{f.func.__name__}({argument})"
                orders[name] = max(orders.get(name, 1), int(times))
    yield from (f"any {TIMES.get(n, f'{n} times ')}differentiable {name}" for name, n in sorted(orders.items()))


def _parameters(claim: Claim) -> Words:
    """What the claim is made for all of: functions, advantages, sets, numbers."""
    every = [] if isinstance(claim, Forces | Lemma) else expressions(claim)
    bound = {x, getattr(claim, "length", x)}
    yield from _functions(every)
    yield from (f"any {s}(y_<t)" for s in sorted({s for e in every for s in e.atoms(PastValue)}, key=str))
    free = {s for e in every for s in e.free_symbols}
    yield from ["any A of each action"] if advantage in free else []
    yield from [ANY_SET] if inside in free and not isinstance(claim, SignAt | LessVarianceAt) else []
    for s in sorted(set(parameters(claim)) & free - bound, key=str):
        words = next((words for assumption, words in DOMAINS if getattr(s, assumption)), "any {}")
        yield words.format(GREEK.get(str(s), s))


def derived(*claims: Claim) -> tuple[str, ...]:
    """The hypotheses of claims, each once: the sampler first, numbers last."""
    every = [h for c in claims for h in DERIVED.get(type(c), _of_one_variable)(c)]
    every += [h for c in claims for h in _parameters(c)]
    samplers = [h for h in dict.fromkeys(every) if h in SAMPLED.values()]
    both = ["on-policy and off-policy"] if len(samplers) > 1 else samplers
    narrower = {ANY_SIZE: "V ", ANY_SET: "S is "}
    narrow = {h for h, start in narrower.items() if any(x.startswith(start) for x in every)}
    return tuple(dict.fromkeys([*both, *(h for h in every if h not in SAMPLED.values() and h not in narrow)]))


def together(found: tuple[str, ...], own: tuple[str, ...]) -> tuple[str, ...]:
    """Derived hypotheses with those of the author, whose V is the narrower one."""
    narrower = any(h.startswith("V =") for h in own)
    kept = [h for h in found if not (narrower and (h == ANY_SIZE or h.startswith("V ≥")))]
    return tuple(dict.fromkeys([*kept, *own])) or ("every log-ratio l",)
