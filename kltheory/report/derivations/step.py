"""The lines of a derivation: words, then perhaps a formula."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sympy import Expr

from kltheory.calculus.coefficient import Coefficient, tidy
from kltheory.calculus.notation import text
from kltheory.calculus.regions import Cell
from kltheory.report import latex


class WrongStep(Exception):
    """A step of a derivation that the calculus does not confirm: a defect of this program."""


@dataclass(frozen=True)
class Step:
    """One line: words, then perhaps ``name = formula``, in cells where the formula is not smooth."""

    text: str
    name: str = ""
    cells: tuple[Cell, ...] = ()

    def plain(self) -> str:
        """The line in plain text."""
        parts = (text(tidy(e)) + ("" if r.is_everything else f" where {r}") for r, e in self.cells)
        return f"{self.text}: {self.name} = {'; '.join(parts)}" if self.cells else self.text

    def latex(self) -> str:
        """The line in LaTeX, the formula displayed."""
        if not self.cells:
            return latex.text(self.text) + "."
        return f"{latex.text(self.text)}:\n\\[ {self.formula()} \\]"

    def formula(self) -> str:
        """``name = formula`` in LaTeX; empty where there is none."""
        if not self.cells:
            return ""
        return f"{NAMES[self.name]} = {cells_in_latex(self.cells)}"


NAMES: Final = {
    "s": "s",
    "∂s/∂logp": r"\partial s/\partial\log\pi",
    "C": "C",
    "f(u)": "f(u)",
    "F": "F",
    "h - g": "h - g",
    "∂s/∂logp, right": r"\partial s'/\partial\log\pi",
    "L": "L",
    "R": "R",
    "L - R": "L - R",
    "tr Var": r"\operatorname{tr}\,\operatorname{Var}",
    "bound - C": r"B - C",
    "bound + C": r"B + C",
    "c": "c",
    "g": "g",
}
"""Left-hand sides of displayed formulas."""


def cells_in_latex(cells: Sequence[Cell]) -> str:
    """A formula in LaTeX; of several cells, what it is in each."""
    rows = [(latex.formula(tidy(e)), latex.text(str(r))) for r, e in cells]
    if len(rows) == 1:
        return rows[0][0]
    return r"\begin{cases} " + r" \\ ".join(rf"{e} & \text{{{r}}}" for e, r in rows) + r" \end{cases}"


Derivation = Callable[[Any], Iterator[Step]]
"""From a claim to the lines that derive it."""


def equation(words: str, name: str, expr: Expr) -> Step:
    """A line with one formula that holds everywhere."""
    return Step(words, name, ((Coefficient.of(0).cells[0][0], expr),))


def confirm(checked: bool, what: str) -> None:
    """Raise WrongStep unless the calculus confirmed it."""
    if not checked:
        raise WrongStep(f"the calculus does not confirm {what}")
