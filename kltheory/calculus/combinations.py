"""Linear relations between functions of an action: each one as a combination of the first that are independent."""

from collections.abc import Sequence
from typing import Any

from sympy import Add, Dummy, Expr, Rational, S

from kltheory.calculus.cells import split
from kltheory.calculus.exact import normal_form

Vector = dict[Any, Rational]


def combinations(functions: Sequence[Expr]) -> list[dict[int, Rational]]:
    """Each function by the numbers in front of independent ones, given by their places.

    Functions are vectors over cells and products of generators, by Gauss's elimination. Relations whose numbers hold
    parameters are not looked for.

    Raises:
        Undecidable: a function has no value, or no cells, or no normal form.
    """
    names = [Dummy(f"t{i}") for i in range(len(functions))]
    basis: list[tuple[Any, Vector, Vector]] = []
    found: list[dict[int, Rational]] = []
    for place, row in enumerate(_vectors(functions, names)):
        vector, by_others = row, dict[Any, Rational]()
        for pivot, other, expressed in basis:
            if c := vector.get(pivot, S.Zero):
                vector, by_others = _plus(vector, -c, other), _plus(by_others, c, expressed)
        if vector:
            pivot, c = next(iter(vector.items()))
            basis.append((pivot, _plus({}, 1 / c, vector), _plus({place: 1 / c}, -1 / c, by_others)))
        found.append({place: S.One} if vector else by_others)
    return found


def _vectors(functions: Sequence[Expr], names: Sequence[Dummy]) -> list[Vector]:
    """Over one denominator in each cell, Σ t_i f_i is linear in the t_i."""
    vectors: list[Vector] = [{} for _ in names]
    for cell, (_, e) in enumerate(split(Add(*(t * f for t, f in zip(names, functions, strict=True))))):
        numerator = normal_form(e).value.numer
        places = {numerator.ring.symbols.index(t): i for i, t in enumerate(names) if t in numerator.ring.symbols}
        for powers, c in numerator.terms():
            (i,) = (i for place, i in places.items() if powers[place])
            key = cell, tuple(k for n, k in enumerate(powers) if n not in places)
            vectors[i][key] = Rational(c.numerator, c.denominator)
    return vectors


def _plus(vector: Vector, c: Rational, other: Vector) -> Vector:
    """vector + c other."""
    total = {k: vector.get(k, S.Zero) + c * other.get(k, S.Zero) for k in (vector | other)}
    return {k: x for k, x in total.items() if x != 0}
