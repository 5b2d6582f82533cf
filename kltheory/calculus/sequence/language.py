"""The language of sequence losses: per-token formulas, and sums of them over the tokens of one response.

A formula in l, log w, logp speaks of the token at position t. ``past(f)`` sums f over the tokens before it,
``future(f)`` over those after, ``total(f)`` over all of the response, so a loss is an expression in ``total(.)`` and
``length``. Only real positions count: those up to the end-of-sequence token, or to the maximum length. Nested sums are
relative to the token they stand at: in ``total(sg(future(exp(past(log_w)) * l)) * logp)`` the innermost runs up to the
later token.
"""

from typing import Any, ClassVar, Final

from sympy import Expr, Function, S, Symbol

from kltheory.calculus.symbols import to_quotients

length: Final = Symbol("N", positive=True)
"""|y|, the number of real positions, random where an end-of-sequence token is."""


class _Sum(Function):
    """A sum over positions of a formula that speaks of each."""

    sign: ClassVar[str]

    @classmethod
    def eval(cls, summand: Expr, *discount: Expr) -> Expr | None:
        """SymPy's hook for automatic simplification: numbers come out of the sum."""
        number, rest = summand.as_coeff_Mul()
        if number == 0:
            return S.Zero
        return None if number == 1 or rest == 1 else number * cls(rest, *discount)

    def _eval_is_extended_real(self) -> bool:
        return True

    def _sympystr(self, printer: Any) -> str:
        """As it is typed: ``total(l)``."""
        shown = self.args[:1] if self.args[1:] == (S.One,) else self.args
        return f"{type(self).__name__.lower()}({', '.join(map(printer.doprint, shown))})"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        """A sum over positions relative to the token at which it stands, Σ_{<t} for those before it."""
        discounts = "".join(rf"\,{printer.doprint(d)}^{{\cdot-t}}" for d in self.args[1:] if d != 1)
        shown = rf"{self.sign}{discounts}\left({printer.doprint(self.summand)}\right)"
        return shown if exp is None else rf"\left[{shown}\right]^{{{exp}}}"

    @property
    def summand(self) -> Expr:
        """The formula at each position."""
        return self.args[0]


class Past(_Sum):
    """Σ_{i<t} f_i."""

    nargs = 1
    sign = r"\sum_{<t}"


class Future(_Sum):
    """Σ_{u>t} γ^{u-t} f_u."""

    nargs = 2
    sign = r"\sum_{>t}"

    @property
    def discount(self) -> Expr:
        """γ."""
        return self.args[1]


class Total(_Sum):
    """Σ_t f_t over the response."""

    nargs = 1
    sign = r"\sum_t"


class Ahead(_Sum):
    """E_π[Σ_{u>t} f_u | y_≤t]: what an exact critic says after the token."""

    nargs = 1
    sign = r"\mathbb{E}_\pi\sum_{>t}"


SUMS: Final = (Past, Future, Total, Ahead)


def past(f: Expr | int) -> Expr:
    """Σ_{i<t} f_i, over the tokens before this one."""
    return Past(_per_token(f))


def future(f: Expr | int, discount: Expr | int = 1) -> Expr:
    """Σ_{u>t} γ^{u-t} f_u, over the tokens after this one, discounted by their distance."""
    return Future(_per_token(f), S(discount))


def total(f: Expr | int) -> Expr:
    """Σ_t f_t, over all tokens of the response."""
    return Total(_per_token(f))


def ahead(f: Expr | int) -> Expr:
    """E_π[Σ_{u>t} f_u | y_≤t], the exact value of what is to come once this token is known."""
    return Ahead(_per_token(f))


def to_go(f: Expr | int, discount: Expr | int = 1) -> Expr:
    """f_t + Σ_{u>t} γ^{u-t} f_u: reward-to-go."""
    return S(f) + future(f, discount)


def up_to(f: Expr | int) -> Expr:
    """Σ_{i≤t} f_i: ``exp(up_to(log_weight))`` is the weight of the prefix with its last token."""
    return past(f) + S(f)


def _per_token(f: Any) -> Expr:
    return to_quotients(S(f))
