"""Moments: E_π[f] as a symbol of its own, and the linear relations between such symbols.

:func:`E` writes an expectation as it stands; :func:`mean` and :func:`normal` write it as a linear combination of atoms
E_π[π^k u^a w^b l^m ...]. The only relations are E_π[1] = E_π[1/u] = E_π[1/w] = 1 (each under its support hypothesis),
so polynomials in atoms are equal for every policy, reference, old policy and V **iff** they are the same polynomial
(:mod:`.relations`).
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from sympy import Abs, Add, Expr, Heaviside, Max, Min, Mul, Piecewise, Rational, S, Symbol, exp, sign

from kltheory.calculus.exact import Undecidable, normal_form
from kltheory.calculus.notation import text, with_probability
from kltheory.calculus.symbols import VARIABLES, erase_sg, inside, log_ratio, log_weight, logp, sg, to_quotients


@lru_cache(maxsize=4096)
def _shown(integrand: Expr) -> str:
    """The integrand as the name says it: the same few means are written again and again."""
    return text(with_probability(integrand))


class Mean(Symbol):
    """E_π[f] over the whole vocabulary: a number of the setting, the same for every action."""

    __slots__ = ("integrand",)
    integrand: Expr

    def __new__(cls, integrand: Expr) -> "Mean":
        """The symbol with this integrand, taken as it stands."""
        atom: Mean = Symbol.__xnew__(cls, f"E[{_shown(integrand)}]", real=True)
        atom.integrand = integrand
        return atom

    def __getnewargs_ex__(self) -> Any:
        return (self.integrand,), {}

    def _latex(self, printer: Any) -> str:
        return rf"\mathbb{{E}}_\pi\left[{printer.doprint(with_probability(self.integrand))}\right]"


class At(Symbol):
    """f at one action, counted from 0: a number of the setting. A logit's gradient is ``At(π (C - E[C]), j)``."""

    __slots__ = ("action", "integrand")
    integrand: Expr
    action: int

    def __new__(cls, value: Expr, action: int) -> "At":
        """f(action)."""
        integrand = to_quotients(S(value))
        atom: At = Symbol.__xnew__(cls, f"({_shown(integrand)})[{action + 1}]", real=True)
        atom.integrand, atom.action = integrand, action
        return atom

    def __getnewargs_ex__(self) -> Any:
        return (self.integrand, self.action), {}

    def _latex(self, printer: Any) -> str:
        return rf"\left({printer.doprint(with_probability(self.integrand))}\right)_{{{self.action + 1}}}"


def E(value: Expr | int) -> Expr:
    """E_π[value] as it stands; what is free of the sample is its own mean."""
    expr = to_quotients(S(value))
    return Mean(expr) if expr.free_symbols & set(VARIABLES) else expr


CORNERED: Final = (Abs, Heaviside, Max, Min, Piecewise, sign)
"""Heads whose functions are smooth in pieces only: a mean of one is taken as it stands."""

NORMALISED: Final = (S.One, exp(-log_ratio), exp(-log_weight))
"""Integrands of mean 1: the policy, the reference and the old policy sum to one (π_ref, π_old inside π's support)."""


Parts = dict[Expr, Expr]
"""Integrand to the number in front of it, which is free of the sample."""


@lru_cache(maxsize=4096)
def mean(value: Expr | int) -> Expr:
    """E_π[value], a linear combination of :class:`Mean` atoms with coefficients free of the sample."""
    expr = to_quotients(S(value))
    if not expr.free_symbols & set(VARIABLES):
        return expr
    parts = monomials(expr, _of_the_sample)
    return Add(*(c * (S.One if integrand in NORMALISED else Mean(integrand)) for integrand, c in parts.items()))


def _of_the_sample(expr: Expr) -> bool:
    return bool(expr.free_symbols & set(VARIABLES))


def monomials(expr: Expr, sampled: Callable[[Expr], bool]) -> Parts:
    """The expression as a sum of products of generators, those that are not of the sample apart.

    Its terms as they stand where it has corners or ``sg``, or no normal form.
    """
    if not expr.has(sg, *CORNERED):
        try:
            parts = _by_generators(boolean(expr), sampled)
        except Undecidable:
            parts = None
        if parts is not None:
            return parts
    found: Parts = {}
    for term in Add.make_args(expr.expand()):
        of_sample = [f for f in Mul.make_args(term) if sampled(f)]
        integrand = Mul(*of_sample)
        found[integrand] = found.get(integrand, S.Zero) + Mul(*(f for f in Mul.make_args(term) if not sampled(f)))
    return found


def _by_generators(expr: Expr, of_sample: Callable[[Expr], bool]) -> Parts | None:
    """Its normal form taken apart; ``None`` where the sample is in a denominator that is more than one product."""
    element = normal_form(expr)
    numer, denom, lift = element.value.numer, element.value.denom, element.field.value
    gens = [g.as_expr() for g in numer.ring.gens]
    sampled = [of_sample(lift(g)) for g in gens]

    def apart(poly: Any) -> dict[tuple[int, ...], Expr]:
        """Powers of the generators that depend on the sample, to what stands in front."""
        out: dict[tuple[int, ...], Expr] = {}
        for powers, c in poly.terms():
            key = tuple(k if s else 0 for k, s in zip(powers, sampled, strict=True))
            rest = Mul(*(g**k for g, k, s in zip(gens, powers, sampled, strict=True) if not s))
            out[key] = out.get(key, S.Zero) + Rational(c.numerator, c.denominator) * rest
        return out

    below = apart(denom)
    if len(below) != 1:
        return None
    ((bottom, divisor),) = below.items()
    out: Parts = {}
    for powers, c in apart(numer).items():
        product = Mul(*(g ** (i - j) for g, i, j in zip(gens, powers, bottom, strict=True)))
        number, integrand = lift(product).as_coeff_Mul()
        out[integrand] = number * lift(c / divisor)
    return out


def is_product(expr: Expr, sampled: Callable[[Expr], bool] = _of_the_sample) -> bool:
    """Whether it is one product of generators: different ones are independent."""
    if expr.has(sg, *CORNERED):
        return False
    try:
        parts = _by_generators(boolean(expr), sampled)
    except Undecidable:
        return False
    return parts is not None and len(parts) == 1


def boolean(expr: Expr) -> Expr:
    """Linear in the indicator of a set of actions: e = e(0) + 1_S (e(1) - e(0))."""
    if inside not in expr.free_symbols:
        return expr
    outside, within = (expr.xreplace({inside: S(b)}) for b in (0, 1))
    return outside + inside * (within - outside)


def map_means(expr: Expr, function: Any) -> Expr:
    """The expression with ``function`` applied to the integrand of every mean and value in it, as it stands."""
    changed = {m: E(function(map_means(m.integrand, function))) for m in expr.atoms(Mean)}
    changed |= {v: At(function(map_means(v.integrand, function)), v.action) for v in expr.atoms(At)}
    return expr.xreplace(changed)


def formulas(expr: Expr) -> list[Expr]:
    """The expression, and the integrands in it, and in those."""
    return [expr, *(f for m in sorted(expr.atoms(Mean, At), key=str) for f in formulas(m.integrand))]


def normal(expr: Expr) -> Expr:
    """The expression with every mean in it taken apart into atoms."""
    return expr.xreplace({m: mean(normal(m.integrand)) for m in expr.atoms(Mean)})


def erase(expr: Expr) -> Expr:
    """The value: stop-gradients erased, inside means as well, and means taken apart."""
    return normal(map_means(erase_sg(expr), erase_sg))


# --- what is built from means, each by its definition -----------------------------------------------------------------
def variance(value: Expr) -> Expr:
    """Var_π[value]."""
    return covariance(value, value)


def covariance(a: Expr, b: Expr) -> Expr:
    """Cov_π[a, b]."""
    return E((a - E(a)) * (b - E(b)))


SCORE_SQUARE: Final = 1 - 2 * exp(logp) + E(exp(logp))
"""‖∇_logits log π(a)‖² = 1 - 2π_a + Σ_i π_i²: the score is the unit vector of a minus π."""


def gradient_inner(c: Expr, d: Expr) -> Expr:
    """⟨E_π[c ∇log π], E_π[d ∇log π]⟩ in logits: Σ_j π_j² (c_j - E c)(d_j - E d)."""
    return E(exp(logp) * (c - E(c)) * (d - E(d)))


def trace_variance(score: Expr, weight: Expr | int = 1) -> Expr:
    """The trace of the covariance, in logits, of one sample's gradient ``score``·∇log π, sampled with π/weight.

    E_old[score² ‖∇log π‖²] - ‖E_old[score ∇log π]‖², with E_old[.] = E_π[./w].
    """
    return E(score**2 * SCORE_SQUARE / weight) - gradient_inner(score / weight, score / weight)


def optimal_baseline(score: Expr, weight: Expr | int = 1) -> Expr:
    """The b that makes the trace of the variance of (score - b·weight)·∇log π least, sampled with π/weight.

    E[score ‖s‖²]/E[weight ‖s‖²]; the expected gradient does not feel b, since E_old[w ∇log π] = E_π[∇log π] = 0.
    """
    return E(score * SCORE_SQUARE) / E(weight * SCORE_SQUARE)
