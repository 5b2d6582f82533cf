"""Maxima over an axis, unexpanded: a log-softmax subtracts one and adds it back, and needs no cases for it."""

from typing import Final

from sympy import Add, Expr, Function, Max, Mul, Pow, S, default_sort_key, exp, expand, oo

from kltheory.calculus.symbols import sg
from kltheory.tracing.entries import undefined
from kltheory.tracing.jax.values import is_constant
from kltheory.tracing.trace import CannotTrace

MAX_LARGEST: Final = 16
"""Most entries of a maximum over an axis that stays in a result: the calculus opens a cell for each."""
UNDERFLOW: Final = 10_000
"""Where the exponential of a number is 0 or infinite in every floating type, ten times over."""


class Largest(Function):
    """The maximum of its arguments, which are kept in order and not compared."""

    is_real = True
    is_finite = True

    @classmethod
    def eval(cls, *args: Expr) -> Expr | None:
        """SymPy's hook for automatic simplification: the maximum of one thing, or of numbers."""
        entries = set(args) - {-oo}
        if all(map(is_constant, entries)) or oo in entries:
            return Max(*entries)
        if len(entries) == 1:
            return entries.pop()
        return None if len(entries) == len(args) else cls(*sorted(entries, key=args.index))


def finished(expr: Expr) -> Expr:
    """The result with its remaining maxima written out, and a check that nothing in it is undefined.

    Raises:
        CannotTrace: too many entries, or an infinity that is combined with an expression.
    """
    for node in expr.atoms(Largest):
        if len(node.args) > MAX_LARGEST:
            raise CannotTrace(f"the result depends on which of {len(node.args)} entries is the largest")
    expr = expr.replace(Largest, Max) if expr.has(Largest) else expr
    if (node := undefined(expr)) is not None:
        raise CannotTrace(f"{node} has no value: an infinity is combined with an expression")
    return expr


def factored(expr: Expr) -> tuple[Expr, Expr]:
    """(k, rest) with expr = exp(k)·rest: the maxima that can be taken out, out."""
    total: Expr = S.Zero
    if expr.has(Largest):
        for node in sorted(expr.atoms(Largest, sg), key=default_sort_key):
            if isinstance(node, Largest) or isinstance(node.args[0], Largest):
                k, expr = _shift(expr, node) or (S.Zero, expr)
                total += k * node
    return total, expr


def exponential(x: Expr) -> Expr:
    """e^x, or what a machine makes of it where no floating type holds it."""
    if x.is_Rational and abs(x) > UNDERFLOW:
        return oo if x > 0 else S.Zero
    return exp(x)


def cancelled(expr: Expr) -> Expr:
    """The product or quotient, in which the same maximum above and below is gone."""
    k, rest = factored(expr)
    return exp(k) * rest


def _shift(expr: Expr, node: Expr) -> tuple[Expr, Expr] | None:
    """(k, rest) with expr = exp(k node)·rest and no ``node`` in the rest, if it has that form."""
    if not expr.has(node):
        return S.Zero, expr
    if isinstance(expr, exp):
        exponent = expand(expr.args[0])
        k = exponent.coeff(node)
        rest = exponent - k * node
        return None if rest.has(node) or k.free_symbols else (k, exponential(rest))
    if isinstance(expr, Pow) and expr.exp.is_Integer and (inner := _shift(expr.base, node)):
        return inner[0] * expr.exp, inner[1] ** expr.exp
    if not isinstance(expr, (Add, Mul)):
        return None
    parts = [_shift(a, node) for a in expr.args]
    if None in parts or (isinstance(expr, Add) and len({p[0] for p in parts if p}) > 1):
        return None
    ks = [p[0] for p in parts if p]
    return (ks[0] if isinstance(expr, Add) else Add(*ks)), expr.func(*(p[1] for p in parts if p))
