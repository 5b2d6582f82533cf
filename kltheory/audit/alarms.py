"""Alarms: what a maintainer wants to hear about before merging. Neutral words; each names what was seen."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from kltheory.audit.advantage import Pushed
from kltheory.audit.codes import Code
from kltheory.audit.confirm import SPREADS
from kltheory.audit.experiments import USES_OLD, experiment
from kltheory.audit.finding import Finding
from kltheory.audit.layout import slope
from kltheory.audit.reading import Entries, Reading
from kltheory.audit.roles import Role
from kltheory.audit.row import Row
from kltheory.calculus.divergence import DIVERGENCES, reverse_kl
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.notation import text
from kltheory.calculus.placement import Placement
from kltheory.calculus.push import SIGNS
from kltheory.calculus.surrogate import Sampler


@dataclass(frozen=True)
class Case:
    """What the checks look at: one subject, its rows and its part with the advantage, and the placements asked for."""

    found: Reading
    rows: Sequence[Row]
    placements: tuple[str, ...]
    pushes: Sequence[Pushed] = ()

    def main(self, placement: str, sampler: str = "policy") -> Row | None:
        """The unweighted row at the reference."""
        return next((r for r in self.rows if (r.placement, r.weight, r.sampler) == (placement, "none", sampler)), None)


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
    down = [p.sign for p in case.pushes if p.at_once is not None and p.at_once.is_negative]
    if "loss" in case.placements and down:
        signs = " and ".join(SIGNS[sign] for sign in down)
        turned = " and ".join(TURNED[sign] for sign in down)
        yield Finding(
            Code.ADVANTAGE_REVERSED,
            f"minimised as a loss, it descends the expected advantage where w = 1 ({signs}): {turned}",
        )


TURNED: Final = {1: "good actions become rarer", -1: "bad actions become more frequent"}
"""What a reversed advantage of each sign does."""


def reference_not_in_gradient(case: Case) -> Iterator[Finding]:
    """The derivative by log π does not change with the reference."""
    has_reference = {Role.LOGP_REF, Role.LOGITS_REF, Role.LOG_RATIO} & case.found.subject.roles
    if "loss" not in case.placements or not has_reference or not _slopes(case).any():
        return
    depends, where = case.found.moves_with_reference()
    if not depends:
        row = case.main("loss")
        nothing = ": in expectation nothing is optimised" if row is not None and row.gradient_of == "zero" else ""
        text = f"as a loss, the derivative does not involve the reference{where}{nothing}"
        yield Finding(Code.REFERENCE_NOT_IN_GRADIENT, text)


def no_expected_gradient(case: Case) -> Iterator[Finding]:
    """Samples have derivatives, and their mean is zero: a sampled entropy, k1 as a loss, a number of the position."""
    row = case.main("loss")
    has_reference = {Role.LOGP_REF, Role.LOGITS_REF, Role.LOG_RATIO} & case.found.subject.roles
    told = has_reference and case.found.entries is Entries.SAMPLE  # an alarm of its own says it
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
    if found.sums_vocabulary:
        return
    if found.estimates(reverse_kl, exchanged=True) is not None and found.estimates(reverse_kl) is None:
        yield Finding(
            Code.ARGUMENTS_SWAPPED,
            "with policy and reference exchanged, the value estimates KL(π‖π_ref) on samples of the policy; as they "
            "are passed it does not",
        )


def weight_counted_twice(case: Case) -> Iterator[Finding]:
    """Off-policy, the expected gradient is that of a divergence once one factor w is taken away."""
    found, row = case.found, case.main("loss", "old")
    if found.sums_vocabulary or row is None or row.gradient_of != "none":
        return
    if title := found.once_weighted():
        yield Finding(
            Code.WEIGHT_COUNTED_TWICE,
            f"off-policy, the importance weight enters twice: with one factor w less it descends {title}",
        )


def value_and_gradient_differ(case: Case) -> Iterator[Finding]:
    """The expectation of the value is one divergence, its expected gradient that of another."""
    row = case.main("loss")
    if row is None or row.gradient_of in ("undecided", "none"):
        return
    for d in DIVERGENCES:
        if not row.is_multiple_of(d.name) and (multiple := case.found.estimates(d)) is not None:
            what = "zero" if row.gradient_of == "zero" else f"that of {row.title}"
            scale = "" if multiple == 1 else f"{text(multiple)} "
            yield Finding(
                Code.VALUE_AND_GRADIENT_DIFFER,
                f"on-policy the value estimates {scale}{d.title}, and as a loss its expected gradient is {what}"
                + (f" where {row.where}" if row.where != "everywhere" else ""),
            )


def _slopes(case: Case) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    runs = experiment(case.found).placed(Placement("loss", who=Sampler.OLD))
    return np.concatenate([r.multiplier.ravel() for r in runs])


def _flows(found: Reading) -> bool:
    """Whether a derivative by log π is not zero on some batch, advantages of both signs included."""
    for seed, spread in enumerate(SPREADS):
        at = found.layout.arrays(seed, spread)
        _, slopes = found.subject.run(at)
        if slope(slopes, at).any():
            return True
    return False


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
