"""Typed formulas where numbers are needed, and what is said of how formulas were read."""

from collections.abc import Iterable, Mapping

from sympy import Expr

from kltheory.calculus.domain import Undefined
from kltheory.calculus.formula.formula import Formula
from kltheory.calculus.formula.parse import NONE, read_formula


class NoNumber(Exception):
    """A formula has no number here; the message says why."""


def numeric(text: str, declared: Mapping[str, Expr] = NONE) -> Expr:
    """A formula whose constants all have values. Raises FormulaError, NoNumber, and Undecidable."""
    formula = read_formula(text, declared)
    if formula.constants:
        name = formula.constants[0]
        raise NoNumber(f"{text}: {name} has no number here; give it one, as in --param {name}=0.1")
    try:
        formula.confirm_defined()
    except Undefined as e:
        raise NoNumber(f"{text} is {e}") from None
    return formula.expr


def remarks(formulas: Iterable[Formula]) -> list[str]:
    """Which names were read as what, each once."""
    return list(dict.fromkeys(note for formula in formulas for note in formula.notes))
