"""Real input: what OpenRLHF 0.11.2's ``compute_approx_kl`` (openrlhf/models/utils.py) is the gradient of.

Autograd measures the function, unchanged, at chosen (l, w). Sample by sample the derivative is the score that the
calculus derives: of the plain placement inside the clamps, of the clamped surrogate everywhere. The coefficient,
derivative / w, is named twice: by ``identify``, from the formula; and from the measured numbers alone, as the one known
divergence that they equal modulo a constant.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import exp, inf
from typing import Any

import pytest
from libraries import function_of
from sympy import Add, Expr, Max, Min, lambdify

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import DIVERGENCES
from kltheory.calculus.estimators import Estimator, as_loss, k1, k2, k3
from kltheory.calculus.identify import identify
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import erase_sg, log_ratio, log_weight, logp, sg, weight

pytestmark = pytest.mark.torch

CAP = 10  # of the value, both ways; of l inside k3, from below; of the weight, from above
ROUNDINGS = 4  # half units in the last place that float32 may lose on the way: two in exp, two in what follows it

Function = Callable[..., Any]


# --- the table --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Form:
    """One way to call the function, and what the calculus makes of it."""

    estimator: str
    unbiased: bool
    with_old: bool  # whether log_probs_old is passed
    plain: Surrogate
    clamped: Surrogate
    bounded: Expr | int  # no clamp acts where this lies between -CAP and CAP
    on_policy: str
    off_policy: str

    def __str__(self) -> str:
        return self.estimator + "-unbiased" * self.unbiased + "-old" * self.with_old

    def call(self, function: Function, new: Any, base: Any, old: Any) -> Any:
        old = old if self.with_old else None
        return function(new, base, log_probs_old=old, kl_estimator=self.estimator, unbiased_gradient=self.unbiased)

    def expected(self, sampler: Sampler) -> str:
        return self.on_policy if sampler is Sampler.POLICY else self.off_policy


def cut(x: Expr) -> Expr:
    return Min(Max(x, -CAP), CAP)


def differentiated(k: Estimator, value: Expr, with_old: bool, on_policy: str, off_policy: str) -> Form:
    """``unbiased_gradient=False``: the clamped value is differentiated; the old policy is not used."""
    return Form(k.name, False, with_old, as_loss(k), Surrogate(cut(value)), k.expr, on_policy, off_policy)


def straight_through(k: Estimator, value: Expr, with_old: bool) -> Form:
    """``unbiased_gradient=True``: the clamped value, the gradient of sg(w) k2; w is cut; 1 without an old policy."""
    w, off_policy = (Surrogate.of(weight).expr, "reverse_kl") if with_old else (1, "none")
    gradient = as_loss(k2, sg(Min(w, CAP)))
    clamped = Surrogate(sg(cut(value))) + gradient - Surrogate(sg(gradient.expr))
    return Form(k.name, True, with_old, as_loss(k2, sg(w)), clamped, w, "reverse_kl", off_policy)


VALUES = {k1: k1.expr, k2: k2.expr, k3: k3.expr.xreplace({log_ratio: Max(log_ratio, -CAP)})}
FORMS = [
    *(differentiated(k1, VALUES[k1], old, "zero", "-kl_old_policy") for old in (False, True)),
    *(differentiated(k2, VALUES[k2], old, "reverse_kl", "none") for old in (False, True)),
    *(differentiated(k3, VALUES[k3], old, "forward_kl", "none") for old in (False, True)),
    *(straight_through(k, value, old) for k, value in VALUES.items() for old in (False, True)),
]
every_form = pytest.mark.parametrize("form", FORMS, ids=str)
every_sampler = pytest.mark.parametrize("sampler", Sampler, ids=lambda s: s.value)


# --- where it is measured ---------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Sample:
    """One action. l and log w are multiples of 1/8: float32 holds all log-probabilities and differences exactly."""

    l: float
    log_w: float

    @property
    def log_probs(self) -> tuple[float, float, float]:
        """log π, log π_ref, log π_old: all negative."""
        new = min(0, self.l, self.log_w) - 0.5
        return new, new - self.l, new - self.log_w


LOG_RATIOS = (-12, -10.5, -6, -4.5, -4.25, -2.75, -2.5, -1, -0.125, 0.125, 0.75, 1.5, 3, 4.25, 4.5, 6, 9.5, 10.5, 12)
LOG_WEIGHTS = (-3, -0.75, 0.25, 1.5, 2.25, 2.375, 4)  # log 10 = 2.302...
SAMPLES = {
    Sampler.POLICY: [Sample(l, 0) for l in LOG_RATIOS],
    Sampler.OLD: [Sample(l, log_w) for l in LOG_RATIOS for log_w in LOG_WEIGHTS],
}


def number(expr: Expr, sample: Sample) -> float:
    """An expression at a sample, in float64."""
    return float(_compiled(expr)(sample.log_probs[0], sample.l, sample.log_w))


_compiled = lru_cache(lambda expr: lambdify((logp, log_ratio, log_weight), expr, "math"))


@dataclass(frozen=True)
class Reader:
    """A coefficient as a function of the sample."""

    coefficient: Coefficient

    @cached_property
    def boxes(self) -> list[list[tuple[float, float]]]:
        """The ends of each cell in logp, l and log w."""
        ends = [[r.bounds(v) for v in (logp, log_ratio, log_weight)] for r, _ in self.coefficient.cells]
        return [[(-inf if a is None else float(a), inf if b is None else float(b)) for a, b in box] for box in ends]

    def __call__(self, sample: Sample) -> tuple[float, float]:
        """C at a sample, and the total size of its terms: what their roundings are relative to."""
        at = (sample.log_probs[0], sample.l, sample.log_w)
        (expr,) = (
            expr
            for (region, expr), box in zip(self.coefficient.cells, self.boxes, strict=True)
            if all(a < x < b for x, (a, b) in zip(at, box, strict=True))
            and all(number(guard, sample) * s > 0 for guard, s in region.conditions.items())
        )
        return number(expr, sample), sum(abs(number(t, sample)) for t in Add.make_args(expr.expand()))


# --- measuring --------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch", reason="PyTorch is not installed; `make test` installs it")


@pytest.fixture(scope="module")
def compute_approx_kl(torch: Any) -> Function:
    return function_of("openrlhf")


@dataclass(frozen=True)
class Measured:
    """Values and derivatives by log π, sample by sample, and how far rounding may move a number of size 1."""

    values: dict[Sample, float]
    derivatives: dict[Sample, float]
    rounding: float


def measure(torch: Any, function: Function, form: Form, sampler: Sampler) -> Measured:
    """By autograd, from leaves of float64. On-policy, log π_old is log π, detached."""
    samples = SAMPLES[sampler]
    new, base, old = (torch.tensor(x, dtype=torch.float64) for x in zip(*(s.log_probs for s in samples), strict=True))
    value = form.call(function, new.requires_grad_(), base, new.detach() if sampler is Sampler.POLICY else old)
    (derivative,) = torch.autograd.grad(value.sum(), new)
    values, derivatives = (dict(zip(samples, x.tolist(), strict=True)) for x in (value, derivative))
    return Measured(values, derivatives, ROUNDINGS * torch.finfo(value.dtype).eps / 2)


def differing(measured: dict[Sample, float], rounding: float, *terms: Coefficient) -> set[Sample]:
    """The samples at which a measured number is not the sum of these terms."""
    readers = [Reader(t) for t in terms]

    def differs(sample: Sample, x: float) -> bool:
        values, sizes = zip(*(read(sample) for read in readers), strict=True)
        return not abs(x - sum(values)) <= rounding * sum(sizes)  # NaN differs

    return {s for s, x in measured.items() if differs(s, x)}


def wrong_values(m: Measured, surrogate: Surrogate) -> set[Sample]:
    """Straight-through terms cancel in the value but not in its rounding, so they are read one by one."""
    return differing(m.values, m.rounding, *(Coefficient.of(erase_sg(t)) for t in Add.make_args(surrogate.expr)))


def wrong_derivatives(m: Measured, surrogate: Surrogate, sampler: Sampler) -> set[Sample]:
    return differing(m.derivatives, m.rounding, surrogate.score(sampler))


def inside(form: Form, sampler: Sampler) -> set[Sample]:
    """The samples on which no clamp acts."""
    bounded = Surrogate.of(form.bounded).sampled_by(sampler).value
    return {s for s in SAMPLES[sampler] if abs(number(bounded, s)) < CAP}


KNOWN = {
    Sampler.POLICY: DIVERGENCES,
    Sampler.OLD: [d for base in DIVERGENCES for d in (base, base.from_old())],
}
CANDIDATES = {
    sampler: {"zero": Reader(Coefficient.of(0))}
    | {d.name: Reader(d.coefficient) for d in known}
    | {f"-{d.name}": Reader(-d.coefficient) for d in known}
    for sampler, known in KNOWN.items()
}


def classes(m: Measured, samples: Iterable[Sample], sampler: Sampler) -> set[str]:
    """The candidates that derivative / w equals, modulo a constant, on these samples: from measured numbers alone."""

    def matches(target: Reader) -> bool:
        gaps = []
        for s in samples:
            c, (value, size) = m.derivatives[s] * exp(-s.log_w), target(s)
            gaps.append((c - value, m.rounding * (max(1, exp(-s.log_w)) + abs(c) + size)))
        (start, slack), *rest = gaps
        return all(abs(gap - start) <= slack + r for gap, r in rest)

    return {name for name, target in CANDIDATES[sampler].items() if matches(target)}


# --- the tests --------------------------------------------------------------------------------------------------------
@every_form
@every_sampler
def test_the_derivative_is_the_score_of_the_placement_inside_the_clamps(
    torch: Any, compute_approx_kl: Function, form: Form, sampler: Sampler
) -> None:
    m, live = measure(torch, compute_approx_kl, form, sampler), inside(form, sampler)
    assert len(live) > len(SAMPLES[sampler]) // 3
    assert not live & wrong_derivatives(m, form.plain, sampler)


@every_form
@every_sampler
def test_value_and_derivative_are_those_of_the_clamped_surrogate_everywhere(
    torch: Any, compute_approx_kl: Function, form: Form, sampler: Sampler
) -> None:
    m = measure(torch, compute_approx_kl, form, sampler)
    assert wrong_values(m, form.clamped) == set()
    assert wrong_derivatives(m, form.clamped, sampler) == set()


@every_form
@every_sampler
def test_outside_the_clamps_the_placement_does_not_hold(
    torch: Any, compute_approx_kl: Function, form: Form, sampler: Sampler
) -> None:
    """So the clamps are really met: every sample outside is one where clamped and plain differ."""
    m, outside = measure(torch, compute_approx_kl, form, sampler), set(SAMPLES[sampler]) - inside(form, sampler)
    assert bool(outside) == (not form.unbiased or (form.with_old and sampler is Sampler.OLD))
    assert outside <= wrong_derivatives(m, form.plain, sampler)


@every_form
@every_sampler
def test_the_coefficient_identifies_to_its_class(form: Form, sampler: Sampler) -> None:
    assert identify(form.plain.coefficient(sampler)).name == form.expected(sampler)


@every_form
@every_sampler
def test_the_measured_numbers_alone_single_out_the_same_class(
    torch: Any, compute_approx_kl: Function, form: Form, sampler: Sampler
) -> None:
    found = classes(measure(torch, compute_approx_kl, form, sampler), inside(form, sampler), sampler)
    assert found == {form.expected(sampler)} - {"none"}


@every_form
def test_with_its_clamps_a_differentiated_value_descends_no_divergence(form: Form) -> None:
    """Outside the gradient is zero: the coefficient steps back, f is not convex. Straight-through is not clamped."""
    whole = identify(form.clamped.coefficient(Sampler.POLICY))
    assert (whole.name, whole.is_divergence) == (("reverse_kl", True) if form.unbiased else ("none", False))


def test_it_computes_in_float32_whatever_goes_in(torch: Any, compute_approx_kl: Function) -> None:
    """Hence a tolerance of float32 roundings, taken from the dtype of the result."""
    for dtype in (torch.float64, torch.bfloat16):
        x = torch.zeros(3, dtype=dtype)
        assert compute_approx_kl(x, x).dtype == torch.float32


# --- wrong on purpose -------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Twin:
    """A change of the function, the forms it leaves alone, and why it does."""

    name: str
    spoil: Callable[[Function], Function]
    harmless: Callable[[Form], bool] = lambda form: False
    because: str = ""


TWINS = [
    Twin("negated", lambda f: lambda p, q, **k: -f(p, q, **k)),
    Twin("halved", lambda f: lambda p, q, **k: f(p, q, **k) / 2),
    Twin(
        "arguments swapped",
        lambda f: lambda p, q, **k: f(q, p, **k),
        lambda form: form.estimator == "k2" and not (form.unbiased and form.with_old),
        "k2 is even, and no weight is taken of the wrong policy",
    ),
    Twin("another estimator", lambda f: lambda p, q, **k: f(p, q, **k | {"kl_estimator": OTHER[k["kl_estimator"]]})),
    Twin(
        "another gradient", lambda f: lambda p, q, **k: f(p, q, **k | {"unbiased_gradient": not k["unbiased_gradient"]})
    ),
    Twin(
        "weight forgotten",
        lambda f: lambda p, q, **k: f(p, q, **k | {"log_probs_old": None}),
        lambda form: not (form.unbiased and form.with_old),
        "there is no weight",
    ),
]
OTHER = {"k1": "k2", "k2": "k3", "k3": "k1"}


@every_form
@pytest.mark.parametrize("twin", TWINS, ids=lambda t: t.name)
def test_a_wrong_twin_is_caught_unless_it_is_the_same_function(
    torch: Any, compute_approx_kl: Function, form: Form, twin: Twin
) -> None:
    m = measure(torch, twin.spoil(compute_approx_kl), form, Sampler.OLD)
    wrong = wrong_values(m, form.clamped) | wrong_derivatives(m, form.clamped, Sampler.OLD)
    assert bool(wrong) is not twin.harmless(form), twin.because


@pytest.mark.parametrize(("estimator", "other"), [("k1", "reverse_kl"), ("k2", "forward_kl"), ("k3", "reverse_kl")])
def test_the_derivative_is_nowhere_another_divergences_coefficient(
    torch: Any, compute_approx_kl: Function, estimator: str, other: str
) -> None:
    form = next(f for f in FORMS if f.estimator == estimator and not f.unbiased)
    m = measure(torch, compute_approx_kl, form, Sampler.POLICY)
    live = {s: m.derivatives[s] for s in inside(form, Sampler.POLICY)}
    assert differing(live, m.rounding, CANDIDATES[Sampler.POLICY][other].coefficient) == set(live)


@every_form
def test_no_gradient_flows_from_detached_log_probabilities_nor_into_the_old_policy(
    torch: Any, compute_approx_kl: Function, form: Form
) -> None:
    new, base, old = (torch.tensor([x], dtype=torch.float64, requires_grad=True) for x in (-1.0, -2.0, -1.5))
    assert not form.call(compute_approx_kl, new.detach(), base.detach(), old).requires_grad
    value = form.call(compute_approx_kl, new, base.detach(), old)
    assert torch.autograd.grad(value.sum(), old, allow_unused=True) == (None,)
