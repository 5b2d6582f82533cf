"""Names of what is expected, read back from what rows are called."""

import pytest
from sympy import Rational

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import DIVERGENCES, cressie_read
from kltheory.calculus.identify import identify
from kltheory.testing.expected import KNOWN, Expected
from kltheory.testing.words import below

NAMES = [d.name for base in DIVERGENCES for d in (base, base.from_old())]
SUMS = ["2*reverse_kl", "reverse_kl - forward_kl", "-kl_old_policy", "1/10*reverse_kl", "zero", "jeffreys"]
POWERS = [cressie_read(lam) for lam in (2, -3, Rational(1, 3))]


@pytest.mark.parametrize("name", [*NAMES, *SUMS, *(d.name for d in POWERS), *(d.from_old().name for d in POWERS)])
def test_a_name_that_identification_gives_is_read_as_the_same(name: str) -> None:
    coefficient = Expected.of(name).coefficient
    assert coefficient is not None
    assert identify(coefficient).name == name


SPELLINGS = [
    ("0.1*reverse_kl", "1/10*reverse_kl"),
    ("reverse_kl / 2 + reverse_kl/2", "reverse_kl"),
    ("reverse_kl + forward_kl", "jeffreys"),
    ("-(forward_kl - reverse_kl)", "reverse_kl - forward_kl"),
    ("cressie_read[0.5] - cressie_read[1/2] + 2*total_variation", "2*total_variation"),
    ("cressie_read[1]", "1/2*pearson_chi2"),
    ("-(alpha - 1)*reverse_kl + alpha*reverse_kl", "reverse_kl"),
]


@pytest.mark.parametrize(("text", "name"), SPELLINGS)
def test_other_spellings(text: str, name: str) -> None:
    left, right = Expected.of(text).coefficient, Expected.of(name).coefficient
    assert isinstance(left, Coefficient)
    assert isinstance(right, Coefficient)
    assert left.equals(right)


def test_no_two_names_are_the_same() -> None:
    for name, d in KNOWN.items():
        assert [n for n, other in KNOWN.items() if d.coefficient.equals(other.coefficient)] == [name]


@pytest.mark.parametrize(
    ("x", "text"), [(3.0, "3"), (2.302585, "2.3"), (2.3979, "2.39"), (11.0, "11"), (0.1, "0.1"), (1234.5, "1230")]
)
def test_a_bound_is_never_rounded_up(x: float, text: str) -> None:
    assert below(x) == text
    assert float(text) <= x * (1 + 1e-12)
