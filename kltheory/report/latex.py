"""Sentences and formulas in LaTeX."""

from typing import Final

from sympy import Expr, exp, latex, log

from kltheory.calculus.notation import pi, pi_old, pi_ref
from kltheory.calculus.symbols import advantage, log_ratio, log_weight, logp, logp_old, logp_ref, weight
from kltheory.report.characters import sentence as text

SYMBOLS: Final = {
    log_ratio: r"\ell",
    weight: "w",
    logp: r"\log\pi",
    logp_ref: r"\log\pi_{\mathrm{ref}}",
    logp_old: r"\log\pi_{\mathrm{old}}",
    advantage: "A",
    pi: r"\pi",
    pi_ref: r"\pi_{\mathrm{ref}}",
    pi_old: r"\pi_{\mathrm{old}}",
}
"""LaTeX for the symbols a reader meets."""

__all__ = ["SYMBOLS", "formula", "text"]


def formula(expr: Expr) -> str:
    """A formula with the names of :data:`SYMBOLS`, exp(log w) written w."""

    def in_weight(argument: Expr) -> Expr:
        power = argument.expand().coeff(log_weight)
        return weight**power * exp(argument - power * log_weight)

    shown = expr.replace(exp, in_weight).xreplace({log_weight: log(weight)})
    return str(latex(shown, symbol_names=SYMBOLS))
