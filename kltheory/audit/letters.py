"""Letters: what a formula is for every value of a number that nobody gave, where the code computes with it alone.

A function is read with such a number as a positive symbol. Where code asks for its value or bounds something by it, or
where the formula would be another, the number stays what it was taken to be.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from sympy import Abs, Basic, Expr, Max, Min, Piecewise, Rational, Symbol, sign

from kltheory.audit.generic import GENERIC
from kltheory.audit.subject import Raised, Subject
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import VARIABLES, sg
from kltheory.tracing.trace import CannotTrace

CUT: Final = (Abs, Max, Min, Piecewise, sign)
"""What a region is bounded by; a bound that is a letter bounds no region that is known."""
TAKEN: Final = {*map(str, VARIABLES), "w", "u", "r"}
"""Names that a formula has for something else."""


def lettered(subject: Subject, formula: Expr, read: Callable[[Subject], Expr | None]) -> Surrogate | None:
    """The formula with letters for the numbers that nobody gave; ``None`` where none of them can be one.

    Args:
        subject: what is called.
        formula: the same with numbers.
        read: reads the formula of a subject again.
    """
    known = dict(by_path(subject))
    for chosen in filter(None, (known, *({path: letter} for path, letter in known.items() if len(known) > 1))):
        try:
            found = read(replace(subject, letters=chosen))
            letters = {*chosen.values()}
            own = {letter: x for letter, x in values(subject).items() if letter in letters}
            if found is not None and _is_the_same(found, formula, own):
                return Surrogate.of(_freed(found, letters))
        except (CannotTrace, Raised, Undecidable):
            continue
    return None


PARTS: Final = (0.75, 0.625, 0.875, 0.6875, 0.8125, 0.9375)
"""What each number is multiplied by: no two alike, so that what cancels at equal values does not."""


def apart(subject: Subject, rank: Mapping[str, int]) -> Subject:
    """The same with the numbers that nobody gave at values of which no two are equal; ``rank`` tells them apart."""
    other = {path: x * PARTS[rank[path] % len(PARTS)] for path, x in numbers(subject).items()}
    assumed = {path: replace(a, value=other.get(path, a.value)) for path, a in subject.assumed.items()}
    return replace(subject, assumed=assumed)


def numbers(subject: Subject) -> dict[str, float]:
    """The numbers that nobody gave, and the generic value of each, by path."""
    every = subject.assumed.items()
    return {path: a.value for path, a in every if a.why == GENERIC and isinstance(a.value, float)}


def values(subject: Subject) -> dict[Basic, Basic]:
    """The number that was taken for each letter; of two of one name, as ``beta`` and ``config.beta``, the first."""
    return {letter: Rational(repr(subject.assumed[path].value)) for path, letter in by_path(subject)}


def by_path(subject: Subject) -> Iterator[tuple[str, Symbol]]:
    """The path of each number that was taken for one that nobody gave, and its letter."""
    seen = set(TAKEN)
    for path, value in numbers(subject).items():
        name = path.rpartition(".")[2]
        if value > 0 and name.isidentifier() and name not in seen:
            seen.add(name)
            yield path, Symbol(name, positive=True)


def _freed(e: Expr, letters: set[Symbol]) -> Expr:
    """Without holding letters, which no gradient reaches."""
    return e.replace(sg, lambda x: x if x.free_symbols <= letters else sg(x))


def _is_the_same(found: Expr, formula: Expr, letters: Mapping[Basic, Basic]) -> bool:
    """Whether it holds a letter, bounds nothing by one, and is the formula where letters have their numbers."""
    bounded = any(node.free_symbols & letters.keys() for head in CUT for node in found.atoms(head))
    return bool(found.free_symbols & letters.keys()) and not bounded and is_zero(found.xreplace(letters) - formula)
