"""The two readings answer the same questions, and nobody asks which of them it is."""

import ast
from pathlib import Path
from typing import Any

import audit_functions as functions
import pytest
from readings import forgotten
from sympy import Rational

import kltheory
from kltheory.audit.binding import bind
from kltheory.audit.derived import Derived
from kltheory.audit.measured import Measured
from kltheory.audit.recover import recover
from kltheory.audit.target import of_function
from kltheory.calculus.divergence import forward_kl, reverse_kl
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.placement import AS_LOSS, Placement
from kltheory.calculus.surrogate import Sampler

PACKAGE = Path(kltheory.__file__).parent
MAY_TELL_APART = {"audit/derived.py", "audit/measured.py", "audit/recover.py"}
"""The readings themselves, and what makes them."""


def told_apart(source: str) -> bool:
    """Whether a module imports one of the readings."""
    imported = (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ImportFrom))
    return any(n.module in ("kltheory.audit.derived", "kltheory.audit.measured") for n in imported)


def test_nobody_asks_which_reading_it_is() -> None:
    sources = {str(p.relative_to(PACKAGE)): p.read_text(encoding="utf-8") for p in PACKAGE.rglob("*.py")}
    assert {name for name, source in sources.items() if told_apart(source)} <= MAY_TELL_APART
    assert told_apart("def f(x):\n    from kltheory.audit.derived import Derived\n    return isinstance(x, Derived)")


def both(function: Any) -> tuple[Derived, Measured]:
    found = recover(bind(of_function(function), {}, {}))
    assert isinstance(found, Derived)
    return found, forgotten(found)


OFF_POLICY = Placement("loss", who=Sampler.OLD)
IN_REWARD = Placement("reward")
AGREEMENTS = [  # function, placement, target, within, whether they agree
    (functions.k2, AS_LOSS, reverse_kl, None, True),
    (functions.k2, AS_LOSS, forward_kl, None, False),
    (functions.k3, AS_LOSS, forward_kl, None, True),
    (functions.k1, IN_REWARD, reverse_kl, None, True),
    (functions.k3, IN_REWARD, reverse_kl, None, False),
    (functions.k2, OFF_POLICY, reverse_kl, None, False),
    (functions.k3_clamped, AS_LOSS, forward_kl, 2.0, True),
    (functions.k3_clamped, AS_LOSS, forward_kl, 5.0, False),
]


@pytest.mark.parametrize(("function", "placement", "target", "within", "expected"), AGREEMENTS)
def test_both_readings_agree_with_the_same_targets(function, placement, target, within, expected) -> None:
    for reading in both(function):
        assert reading.agrees(placement, target.coefficient, within) is expected, reading.how


def test_what_was_measured_is_not_known_further_out() -> None:
    derived, measured = both(functions.k2)
    assert derived.agrees(AS_LOSS, reverse_kl.coefficient, 500.0)
    with pytest.raises(Undecidable, match=r"\|l\| <= 100 only"):
        measured.agrees(AS_LOSS, reverse_kl.coefficient, 500.0)


@pytest.mark.parametrize("function", [functions.k1, functions.k2, functions.k3_clamped])
def test_both_readings_see_the_same_of_the_derivative(function: Any) -> None:
    derived, measured = both(function)
    assert derived.moves_with_reference()[0] is measured.moves_with_reference()[0]
    zones = [[z for z in reading.zones() if z.is_interval] for reading in (derived, measured)]
    assert len(zones[0]) == len(zones[1])
    for exact, seen in zip(*zones, strict=True):
        assert exact.lo <= seen.lo <= seen.hi <= exact.hi
        assert (exact.how, seen.how) == ("derived", "measured")


def test_what_running_it_cannot_tell_is_not_known() -> None:
    derived, measured = both(functions.k2)
    assert derived.estimates(reverse_kl) is None
    assert both(functions.k1)[0].estimates(reverse_kl) == 1
    assert measured.estimates(reverse_kl) is None
    assert measured.near_reference() is None
    assert measured.is_cut(AS_LOSS)
    assert not derived.is_cut(AS_LOSS)
    assert derived.holds_within(AS_LOSS, reverse_kl.coefficient * Rational(1)) is None  # without end
    assert both(functions.k3_clamped)[0].holds_within(AS_LOSS, forward_kl.coefficient) == pytest.approx(2.610869)
