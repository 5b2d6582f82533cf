"""Alarms: what a maintainer wants to hear about before merging. Neutral words; each names what was seen."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from sympy import Expr, S, exp

from kltheory.audit.advantage import SIGNS, Push
from kltheory.audit.codes import Code
from kltheory.audit.confirm import SPREADS
from kltheory.audit.experiments import USES_OLD, experiment
from kltheory.audit.finding import Finding
from kltheory.audit.layout import slope
from kltheory.audit.measure import Probe
from kltheory.audit.recovered import Reading, Recovered
from kltheory.audit.roles import Role
from kltheory.audit.row import Row
from kltheory.audit.rows import is_central
from kltheory.calculus.cells import split
from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import DIVERGENCES, Divergence, Objective, reverse_kl
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.expectation import expectation, same_value
from kltheory.calculus.identify import identify
from kltheory.calculus.notation import text
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import erase_sg, log_ratio, log_weight, logp, sg


@dataclass(frozen=True)
class Case:
    """What the checks look at: one subject, its rows and its part with the advantage, and the placements asked for."""

    found: Recovered
    rows: Sequence[Row]
    placements: tuple[str, ...]
    pushes: Sequence[Push] = ()

    def main(self, placement: str, sampler: str = "policy") -> Row | None:
        """The unweighted row at the reference."""
        return next((r for r in self.rows if (r.placement, r.weight, r.sampler) == (placement, "none", sampler)), None)

    @property
    def value(self) -> Expr:
        """What one sample evaluates to, on-policy."""
        assert self.found.surrogate is not None
        return erase_sg(self.found.penalty.expr).xreplace({log_weight: 0 * logp})

    def objective(self, value: Expr) -> Objective:
        """The sum over the vocabulary whose estimate this value is."""
        if self.found.reading is Reading.VOCABULARY:
            return Objective(value)
        return expectation(value, Sampler.POLICY)


def alarms(case: Case) -> Iterator[Finding]:
    """All alarms of one subject."""
    for check in CHECKS:
        try:
            yield from check(case)
        except Undecidable:
            continue  # a check that cannot be decided raises no alarm; rows say what is undecided


def no_gradient(case: Case) -> Iterator[Finding]:
    """The running derivative by log π is zero at every sample."""
    if "loss" in case.placements and not _flows(case.found) and not _slopes(case).any():
        yield Finding(
            Code.NO_GRADIENT,
            "no gradient flows from the output to the policy's log-probabilities (detached, or computed without "
            "gradients): as a loss it does nothing",
        )


def advantage_without_gradient(case: Case) -> Iterator[Finding]:
    """For one sign of the advantage nothing is pushed, whatever the policies."""
    dead = [SIGNS[push.sign] for push in case.pushes if len(push.dead) == len(push.cells)]
    if "loss" in case.placements and len(dead) < len(case.pushes):
        for sign in dead:
            text = f"no gradient flows to any action with {sign}: its advantage does nothing"
            yield Finding(Code.ADVANTAGE_WITHOUT_GRADIENT, text)


def advantage_reversed(case: Case) -> Iterator[Finding]:
    """Minimising makes actions with positive advantages rarer."""
    down = [p for p in case.pushes if p.at_once is not None and p.at_once.is_negative]
    if "loss" in case.placements and down:
        signs = " and ".join(SIGNS[push.sign] for push in down)
        yield Finding(
            Code.ADVANTAGE_REVERSED,
            f"minimised as a loss, it descends the expected advantage where w = 1 ({signs}): good actions become rarer",
        )


def reference_not_in_gradient(case: Case) -> Iterator[Finding]:
    """The derivative by log π does not change with the reference."""
    has_reference = {Role.LOGP_REF, Role.LOGITS_REF, Role.LOG_RATIO} & case.found.subject.roles
    if "loss" not in case.placements or not has_reference or not _slopes(case).any():
        return
    where = ""
    if case.found.surrogate is not None:
        score = case.found.coefficient(lambda s: s, Sampler.POLICY)
        central = [(r, e) for r, e in score.merged if is_central(r)] or list(score.merged)
        depends = any(not is_zero(e.diff(log_ratio)) for _, e in central)
        depends = depends or (len(central) > 1 and any(r.is_cut(log_ratio) for r, _ in central))
        where = f" where {central[0][0]}" if len(central) < len(score.merged) else ""
    else:
        depends = _moves_with_reference(case.found)
    if not depends:
        row = case.main("loss")
        nothing = ": in expectation nothing is optimised" if row is not None and row.gradient_of == "zero" else ""
        text = f"as a loss, the derivative does not involve the reference{where}{nothing}"
        yield Finding(Code.REFERENCE_NOT_IN_GRADIENT, text)


def no_expected_gradient(case: Case) -> Iterator[Finding]:
    """Samples have derivatives, and their mean is zero: a sampled entropy, k1 as a loss, a number of the position."""
    row = case.main("loss")
    has_reference = {Role.LOGP_REF, Role.LOGITS_REF, Role.LOG_RATIO} & case.found.subject.roles
    told = has_reference and case.found.reading is Reading.SAMPLE  # an alarm of its own says it
    of_old = USES_OLD & case.found.subject.roles  # a distance from the old policy is at its least where w = 1
    if row is None or row.gradient_of != "zero" or case.pushes or told or of_old or not _slopes(case).any():
        return
    where = f" where {row.where}" if row.how == "derived" and row.where != "everywhere" else ""
    yield Finding(
        Code.NO_EXPECTED_GRADIENT,
        f"as a loss every sample has a derivative, and their mean is zero on-policy{where}: nothing is optimised",
    )


def sign_reversed(case: Case) -> Iterator[Finding]:
    """Minimising ascends a divergence."""
    for placement in case.placements:
        row = case.main(placement)
        if row is not None and row.slope == -1:
            where = "as a loss" if placement == "loss" else "in the reward, as a cost"
            yield Finding(Code.SIGN_REVERSED, f"{where}, minimising it ascends {row.title.removeprefix('-')}")


def arguments_swapped(case: Case) -> Iterator[Finding]:
    """The value estimates KL(π‖π_ref) only after policy and reference are exchanged."""
    found = case.found
    if found.surrogate is None or found.reading is Reading.VOCABULARY:
        return
    swapped = case.value.xreplace({logp: logp - log_ratio, log_ratio: -log_ratio})
    if _estimates(case, swapped, reverse_kl) and not _estimates(case, case.value, reverse_kl):
        yield Finding(
            Code.ARGUMENTS_SWAPPED,
            "with policy and reference exchanged, the value estimates KL(π‖π_ref) on samples of the policy; as they "
            "are passed it does not",
        )


def weight_counted_twice(case: Case) -> Iterator[Finding]:
    """Off-policy, the expected gradient is that of a divergence once one factor w is taken away."""
    found, row = case.found, case.main("loss", "old")
    if found.surrogate is None or found.reading is Reading.VOCABULARY or row is None or row.gradient_of != "none":
        return
    if not found.penalty.expr.has(log_weight):
        return
    for factor in (exp(-log_weight), sg(exp(-log_weight))):
        c = found.coefficient(_scaled(factor), Sampler.OLD)
        named = identify(Coefficient(tuple((r, e) for r, e in c.merged if is_central(r)) or c.cells))
        if named.terms:
            yield Finding(
                Code.WEIGHT_COUNTED_TWICE,
                f"off-policy, the importance weight enters twice: with one factor w less it descends {named.title}",
            )
            return


def _scaled(factor: Expr) -> Callable[[Surrogate], Surrogate]:
    return lambda s: Surrogate(factor * s.expr)


def value_and_gradient_differ(case: Case) -> Iterator[Finding]:
    """The expectation of the value is one divergence, its expected gradient that of another."""
    row = case.main("loss")
    if case.found.surrogate is None or row is None or row.gradient_of in ("undecided", "none"):
        return
    for d in DIVERGENCES:
        if not row.is_multiple_of(d.name) and (multiple := _estimated(case, case.value, d)) is not None:
            what = "zero" if row.gradient_of == "zero" else f"that of {row.title}"
            scale = "" if multiple == 1 else f"{text(multiple)} "
            yield Finding(
                Code.VALUE_AND_GRADIENT_DIFFER,
                f"on-policy the value estimates {scale}{d.title}, and as a loss its expected gradient is {what}"
                + (f" where {row.where}" if row.where != "everywhere" else ""),
            )


def _estimates(case: Case, value: Expr, d: Divergence) -> bool:
    return _estimated(case, value, d) is not None


def _estimated(case: Case, value: Expr, d: Divergence) -> Expr | None:
    """The multiple of a divergence that the value's mean is; at the reference, where the value has several cells."""
    try:
        central = _central(value)
        scales = dict.fromkeys([S.One, central.as_content_primitive()[0]])  # a coefficient such as 1/10 in front
        return next((a for a in scales if same_value(case.objective(central), d.objective * a)), None)
    except Undecidable:
        return None


@lru_cache(maxsize=16)
def _central(value: Expr) -> Expr:
    cells = split(value)
    central = [e for r, e in cells if is_central(r)]
    return central[0] if central else value


def _slopes(case: Case) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    runs = experiment(case.found).placed("loss", "none", Sampler.OLD)
    return np.concatenate([r.multiplier.ravel() for r in runs])


def _flows(found: Recovered) -> bool:
    """Whether a derivative by log π is not zero on some batch, advantages of both signs included."""
    for seed, spread in enumerate(SPREADS):
        at = found.layout.arrays(seed, spread)
        _, slopes = found.subject.run(at)
        if slope(slopes, at).any():
            return True
    return False


def _moves_with_reference(found: Recovered) -> bool:
    if found.reading is Reading.VOCABULARY:
        return True  # the residual of each row compares it with divergences from the reference
    probe = Probe(found, "loss", "none", Sampler.POLICY)
    ratios = np.array([-2.0, -0.5, 0.3, 1.1])
    values = [probe.grid(np.full(1, x), np.zeros(1)).value[0] for x in ratios]
    return bool(np.ptp(values) > 1e-9 * max(1.0, np.abs(values).max()))


CHECKS: Final[tuple[Callable[[Case], Iterator[Finding]], ...]] = (
    no_gradient,
    advantage_without_gradient,
    advantage_reversed,
    reference_not_in_gradient,
    no_expected_gradient,
    sign_reversed,
    arguments_swapped,
    weight_counted_twice,
    value_and_gradient_differ,
)
"""A new alarm is a new row."""
