"""What is chosen by a number, as JAX writes it."""

from functools import reduce

from sympy import Basic, Expr, S

from kltheory.tracing.conditions import equal, select
from kltheory.tracing.entries import is_truth


def case_of(which: Basic, *cases: Basic) -> Basic:
    """The case with this number; of two, by a truth value, the second where it holds."""
    if is_truth(which):
        if_false, if_true = cases
        return select(which, if_true, if_false)
    return reduce(lambda rest, i: select(equal(which, S(i)), cases[i], rest), range(len(cases) - 1), cases[-1])


def first_true(*entries: Basic) -> Expr:
    """Which entry is the first that holds, and 0 if none does: the ``argmax`` that ``jnp.select`` takes."""
    if is_truth(entries[0]):
        return reduce(lambda rest, i: select(entries[i], S(i), rest), reversed(range(len(entries))), S.Zero)
    if any(e.free_symbols for e in entries):
        raise NotImplementedError("the place of the largest of traced numbers has no expression")
    return S(entries.index(max(entries)))
