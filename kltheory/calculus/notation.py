"""How formulas are written for people: π, π_ref, π_old for probabilities, ℓ and w for the quotients."""

from typing import Final

from sympy import Add, Expr, Piecewise, Symbol, exp, expand_mul, log, true
from sympy.printing.str import StrPrinter

from kltheory.calculus.symbols import log_ratio, log_weight, logp, weight

pi: Final = Symbol("π", positive=True)
pi_ref: Final = Symbol("π_ref", positive=True)
pi_old: Final = Symbol("π_old", positive=True)


class _Text(StrPrinter):
    """SymPy's text with the function names that the formula parser reads."""

    def _print_Piecewise(self, expr: Piecewise) -> str:
        (value, condition), *rest = expr.args
        if condition == true or not rest:
            return str(self._print(value))
        return f"where({self._print(condition)}, {self._print(value)}, {self._print(Piecewise(*rest))})"

    def _print_Exp1(self, expr: Expr) -> str:
        return "exp(1)"

    def _print_Abs(self, expr: Expr) -> str:
        return f"abs({self._print(expr.args[0])})"

    def _print_Min(self, expr: Expr) -> str:
        return f"min({', '.join(map(self._print, expr.args))})"

    def _print_Max(self, expr: Expr) -> str:
        return f"max({', '.join(map(self._print, expr.args))})"


def text(expr: Expr) -> str:
    """A formula as a person types it: ``kltheory identify`` reads it back."""
    return str(_Text().doprint(expr))


def with_probability(expr: Expr) -> Expr:
    """A formula with exp(a logp + b log w + c) written π^a w^b exp(c): shorter to read, for people only."""

    def apart(argument: Expr) -> Expr:
        a, b = (argument.expand().coeff(v) for v in (logp, log_weight))
        return pi**a * weight**b * exp(argument - a * logp - b * log_weight)

    return expr.replace(exp, apart)


def in_probabilities(summand: Expr) -> Expr:
    """A summand with its exponentials written as powers of π, π_ref and π_old; l and log w stay in polynomials."""

    def powers(argument: Expr) -> Expr:
        a, b, c = (argument.diff(v) for v in (logp, log_ratio, log_weight))
        rest = argument - a * logp - b * log_ratio - c * log_weight
        return pi ** (a + b + c) * pi_ref ** (-b) * pi_old ** (-c) * exp(rest)

    terms = (t.replace(exp, powers) for t in Add.make_args(expand_mul(summand)))
    return Add(*terms).xreplace({log_weight: log(weight), logp: log(pi)})
