"""Claims, kind by kind: a true one beside its wrong-on-purpose twin, which differs from it in one place."""

from dataclasses import dataclass, fields, replace
from types import ModuleType
from typing import Any

from sympy import Abs, LambertW, Max, Min, Piecewise, Rational, S, exp, log, nan, oo
from sympy.codegen.cfunctions import expm1

from kltheory.calculus.divergence import (
    Objective,
    forward_kl,
    jeffreys,
    neyman_chi2,
    pearson_chi2,
    reverse_kl,
    total_variation,
)
from kltheory.calculus.estimators import as_loss, in_reward, k1, k2, k3, k_abs, power, w
from kltheory.calculus.expectation import expectation
from kltheory.calculus.logits import lemmas
from kltheory.calculus.moments import At, E, trace_variance, variance
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import inside, logp, sg
from kltheory.calculus.symbols import log_ratio as l
from kltheory.proving import claims, floats, moments, scalars, thresholds
from kltheory.proving.claims import (
    NO_GRADIENT,
    OLD,
    POLICY,
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
from kltheory.proving.floats import Computes, NegativeShare, OverflowsIff, minus
from kltheory.proving.moments import AlwaysSign, GradientBound, OnTwoActions, SameMoment, SignAt, TraceVariance
from kltheory.proving.scalars import Expansion, HasSign, Identity, Limit, Range
from kltheory.proving.thresholds import Zero, Zeros
from kltheory.proving.vocabulary import POLICY_PROBABILITY, REFERENCE_PROBABILITY, beta, h, h_prime, lam

P, REF = POLICY_PROBABILITY, REFERENCE_PROBABILITY
J, CHI2 = E(l) - E(l * exp(-l)), E(exp(-2 * l)) - 1
SIGMOID = Surrogate(sg(1 / (1 + exp(-l))) * logp)
BEYOND = Surrogate(Piecewise((Piecewise((logp**2, l < -2), (l**2 / 2, True)), logp > -1), (l**2 / 2, True)))
"""No action has log π > -1 and l < -2."""
RKL, FKL, TV = reverse_kl.objective, forward_kl.objective, total_variation.objective


@dataclass(frozen=True)
class Row:
    """A true claim and its twin."""

    name: str
    true: Claim
    false: Claim

    @property
    def kind(self) -> type:
        return type(self.true)

    def __str__(self) -> str:
        return f"{self.kind.__name__}-{self.name}"


def row(name: str, true: Claim, **wrong: Any) -> Row:
    return Row(name, true, replace(true, **wrong))


ROWS = (
    # --- gradients
    row("direction", SameGradient(as_loss(k3), FKL, POLICY), right=RKL),
    row("sampler", SameGradient(as_loss(k1), NO_GRADIENT, POLICY), sampler=OLD),
    row("forgotten weight", SameGradient(as_loss(k1, w), RKL, OLD), left=as_loss(k1)),
    row("detached weight", SameGradient(as_loss(k3, w), RKL, OLD), left=as_loss(k3, sg(w))),
    row("live weight", SameGradient(as_loss(k2, sg(w)), RKL, OLD), left=as_loss(k2, w)),
    row("dropped sg", SameGradient(in_reward(k1), RKL, POLICY), left=Surrogate(l * logp)),
    row(
        "out of reach",
        SameGradient(BEYOND, RKL, POLICY),
        left=Surrogate(Piecewise((logp**2, logp > -1), (l**2 / 2, True))),
    ),
    row("a set", SameGradient(Surrogate(Abs(inside - 2)), Surrogate(2 - inside), POLICY), left=as_loss(k1, inside)),
    row("parameter", SameGradient(beta * as_loss(k2), beta * RKL, POLICY), right=RKL),
    row("decimals", SameGradient(0.1 * as_loss(k2) + 0.2 * as_loss(k2), 0.3 * RKL, POLICY), right=0.31 * RKL),
    row("one in 10^9", SameGradient(as_loss(k2), RKL, POLICY), left=(1 + Rational(1, 10**9)) * as_loss(k2)),
    row("cells", SameGradient(as_loss(k_abs), 2 * TV, POLICY), right=TV),
    row("constants of cells", SameGradient(as_loss(k1), NO_GRADIENT, POLICY), left=as_loss(k_abs)),
    row("any h", SameGradient(in_reward(h) + as_loss(h), expectation(h.expr), POLICY), left=as_loss(h)),
    row("per sample", SameScore(as_loss(k2), in_reward(k1), OLD), left=as_loss(k3)),
    row("in expectation only", SameScore(as_loss(k1), Surrogate(logp), POLICY), right=NO_GRADIENT),
    row("any h", SameScore(as_loss(h, sg(w)), in_reward(h_prime, w), OLD), left=as_loss(h, w)),
    row("a mean", SamplerFree(Surrogate(sg(w * l * E(l)) * logp)), left=Surrogate(sg(w * l * E(w)) * logp)),
    row("weight", SamplerFree(as_loss(k2, sg(w))), left=as_loss(k2)),
    row("covariance", NaturalInner(in_reward(k1), as_loss(k3), jeffreys.objective), value=RKL),
    row("variance", NaturalInner(as_loss(k3), as_loss(k3), neyman_chi2.objective), value=pearson_chi2.objective),
    row(
        "scaled",
        NaturalInner(beta * as_loss(k3), as_loss(k3), Objective(beta * neyman_chi2.objective.summand)),
        value=neyman_chi2.objective,
    ),
    # --- sums
    row("biased", SameValue(expectation(k3.expr), RKL), left=expectation(k2.expr)),
    row("direction", SameValue(expectation(exp(-l)), expectation(1)), left=expectation(exp(l))),
    row("sampler", SameValue(expectation(w, OLD), expectation(1)), left=expectation(w)),
    row("cells", SameValue(expectation(Abs(l)), expectation(Abs(-l))), right=expectation(l)),
    row("falls", IsDivergence(as_loss(k2), POLICY), left=in_reward(k2)),
    row("from the reference", IsDivergence(as_loss(k2), POLICY), left=Surrogate(logp**2 / 2)),
    row("from no old policy", IsDivergence(as_loss(k2, sg(w)), OLD), left=Surrogate(Min(w, 2) * -1)),
    row("a pole", IsDivergence(in_reward(k1), POLICY), left=Surrogate(sg(log(1 + exp(l)) - 1 / l) * logp)),
    row("a pole far out", IsDivergence(in_reward(k1), POLICY), left=Surrogate(sg(l + 1 / (1000 - l)) * logp)),
    row("sum", IsDivergence(neyman_chi2.objective, POLICY), left=as_loss(k1, w) - as_loss(k3)),
    row("constant", IsDivergence(as_loss(k1, w), POLICY), left=as_loss(k1)),
    row("steps", IsDivergence(as_loss(k_abs), POLICY), left=in_reward(k_abs)),
    # --- near the reference and far from it
    row("order", AgreesToOrder(as_loss(k3), in_reward(k1), POLICY, 1), order=2),
    row("coefficient", AgreesToOrder(in_reward(k3), NO_GRADIENT, POLICY, 1), left=in_reward(k1)),
    row("order", Expansion(exp(l), 1 + l, 1), order=2),
    row("coefficient", Expansion(exp(l), 1 + l + l**2 / 2, 2), right=1 + l + l**2 / 3),
    row("value", Expansion(exp(l), 1 + l, 1), right=l),
    row(
        "the left side",
        Expansion(Piecewise((exp(l), l > 0), (1 + l, True)), 1 + l, 1),
        left=Piecewise((exp(l), l > 0), (1, True)),
    ),
    row("the right side", Expansion(l**3 + Max(l, 0) ** 4, S.Zero, 2), left=l**3 + Piecewise((5, l < 0), (0, True))),
    row("a kink", Expansion(Abs(l) * l, S.Zero, 1), left=Abs(l)),
    row("order 0", AgreesToOrder(as_loss(k3), in_reward(k1), OLD, 1), left=as_loss(k3) + Surrogate(logp**2)),
    row("both sides", AgreesToOrder(Surrogate(Abs(l) * l**2), NO_GRADIENT, POLICY, 1), left=as_loss(k_abs)),
    row("number", Limit(1 - exp(-l), oo, S.One), right=S(2)),
    row("side", Limit(1 - exp(-l), -oo, -oo), at=oo),
    row("infinite", Limit(l**2, -oo, oo), right=-oo),
    # --- functions
    row("constant", Identity(k3.expr, exp(-l) + l - 1), right=exp(-l) + l),
    row("cells", Identity(Abs(l), Abs(-l)), right=l),
    row("parameter", Identity(lam**2 * power(lam).expr, exp(lam * l) - 1 - lam * l), left=power(lam).expr),
    row("line", HasSign(k3.expr, 1), sign=-1),
    row("interval", HasSign(l**3, -1, below=S.Zero), below=S.One),
    row("cells", HasSign(Abs(l) - l, 1), left=Abs(l) + 2 * l),
    row("too wide", Range(P - REF, S(-1), S.One), lower=S(-2)),
    row("too narrow", Range(P - 2 * REF + 1, S(-1), S(2)), upper=Rational(3, 2)),
    # --- means
    row("chi-square", SameMoment(variance(k3.expr), variance(l) - 2 * J + CHI2), right=variance(l) - J + CHI2),
    row("any h", SameMoment(variance(lam + h.expr), variance(h.expr)), right=variance(2 * h.expr)),
    row("reference", SameMoment(E(exp(-l)), S.One), left=E(exp(l))),
    row("old policy", SameMoment(E(1 / w), S.One), left=E(w)),
    row("set", SameMoment(variance(inside), E(inside) - E(inside) ** 2), right=E(inside)),
    row("noise", TraceVariance(as_loss(k1), 1 - E(P), POLICY), right=1 + E(P)),
    row("sampler", TraceVariance(as_loss(k2), trace_variance(l), POLICY), sampler=OLD),
    row("weight", TraceVariance(as_loss(k2, sg(w)), trace_variance(w * l, w), OLD), right=trace_variance(l)),
    row("modulo a number", GradientBound(as_loss(k1), S.Half, POLICY), left=as_loss(k2)),
    row("bounded", GradientBound(SIGMOID, S.One, POLICY), bound=Rational(1, 100)),
    row("probabilities", OnTwoActions(E(P), 1 - 2 * At(P, 0) * At(P, 1)), right=1 - At(P, 0) * At(P, 1)),
    row("side", SignAt(E(l), 1, ".6 .3 .1", ".2 .5 .3"), sign=-1),
    row("place", SignAt(E(l) - E(k2.expr), 1, ".9 .05 .05", ".5 .25 .25"), policy=".1 .1 .8"),
    row("direction", AlwaysSign(E(k3.expr), 1), left=E(exp(l) + l - 2)),
    row("side", AlwaysSign(-E(k3.expr), -1), sign=1),
    # --- zeros, floats
    row("W", Zero(k3.expr - 10, 11 + LambertW(-exp(-11))), left=k3.expr - 9),
    row("W", Zeros(k3.expr - 10, tuple(11 + LambertW(-exp(-11), k) for k in (-1, 0))), left=k3.expr - 9),
    row("missing", Zeros(l**2 - 2 * l, (S.Zero, S(2))), right=(S(2),)),
    row("sign", NegativeShare(minus(expm1(-l), -l), -14, 1, S.Zero, S.Zero), left=minus(minus(exp(-l), 1), -l)),
    row("overflow", OverflowsIff(exp(-l), -128 * log(2), "float32"), left=2 * exp(-l)),
    row("0 ∞", Computes(Surrogate(Min(Max(k3.expr, -10), 10)), S(-100), "float32", S(10), nan), gradient=S.Zero),
    # --- lemmas
    *(row(name, Lemma(name, a, b), left=2 * a + 1) for name, (a, b) in lemmas().items()),
)

WITHOUT_WITNESS = {
    "IsDivergence-constant",  # it falls nowhere, and no two points show that it is no divergence
    # no exact point lies beside l = 0 on one side only
    *(f"Expansion-{name}" for name in ("the left side", "the right side", "a kink")),
    "AgreesToOrder-both sides",
    "Range-too wide",  # no value lies beyond a bound that is too wide
}


WITH_CONCRETE_FORM = {SameGradient, SameValue, Lemma}
"""The kinds that can be spelled out at V = 2, 3, 4."""


def kinds(*modules: ModuleType) -> set[type]:
    """Every kind of claim that the modules define, found by what a claim is."""
    found = (value for module in modules for value in vars(module).values() if isinstance(value, type))
    return {k for k in found if k is not Claim and hasattr(k, "decide") and "left" in {f.name for f in fields(k)}}


KINDS = kinds(claims, floats, moments, scalars, thresholds)
