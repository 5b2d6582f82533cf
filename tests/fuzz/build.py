"""Texts as SymPy expressions of the calculus: the vocabulary of proofs, called by the syntax tree of a text."""

import ast
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, Final

from sympy import Abs, And, Expr, Max, Min, Not, Or, Piecewise, Rational, S, Symbol, exp, log, sign, sqrt

from kltheory.calculus.moments import At, E
from kltheory.calculus.sequence.language import ahead, future, length, past, total
from kltheory.calculus.sequence.loss import PastValue
from kltheory.calculus.symbols import advantage, inside, log_ratio, log_weight, logp, logp_old, logp_ref, sg

NAMES: Final[Mapping[str, Expr]] = {
    "l": log_ratio,
    "log_w": log_weight,
    "w": exp(log_weight),
    "u": exp(log_ratio),
    "r": exp(-log_ratio),
    "logp": logp,
    "logp_ref": logp_ref,
    "logp_old": logp_old,
    "A": advantage,
    "inside": inside,
    "N": length,
    "k1": log_ratio,
    "k2": log_ratio**2 / 2,
    "k3": exp(-log_ratio) - 1 + log_ratio,
    "b": PastValue("b", real=True),
    "gamma": Symbol("gamma", positive=True),
    "beta": Symbol("beta", positive=True),
}
FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "exp": exp,
    "log": log,
    "sqrt": sqrt,
    "abs": Abs,
    "sign": sign,
    "min": Min,
    "max": Max,
    "relu": lambda x: Max(x, 0),
    "clamp": lambda x, lo, hi: Min(Max(x, lo), hi),
    "where": lambda c, a, b: Piecewise((a, c), (b, True)),
    "expm1": lambda x: exp(x) - 1,
    "log1p": lambda x: log(1 + x),
    "square": lambda x: x**2,
    "sigmoid": lambda x: 1 / (1 + exp(-x)),
    "softplus": lambda x: log(1 + exp(x)),
    "tanh": lambda x: 1 - 2 / (1 + exp(2 * x)),
    "sg": sg,
    "E": E,
    "At": lambda x, action: At(x, int(action)),
    "total": total,
    "past": past,
    "future": future,
    "ahead": ahead,
}
OPERATIONS: Final[Mapping[type, Callable[[Any, Any], Any]]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: exp(b * log(a)) if b.free_symbols else a**b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
}


def build(text: str) -> Any:
    """The expression that a text denotes."""
    return _built(ast.parse(text.strip(), mode="eval").body, text.strip())


def _built(node: ast.expr, text: str) -> Any:
    match node:
        case ast.Constant():
            return Rational(ast.get_source_segment(text, node))
        case ast.Name(id=name):
            return NAMES[name]
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_built(inner, text)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return Not(_built(inner, text))
        case ast.BinOp(op=op, left=left, right=right):
            return OPERATIONS[type(op)](_built(left, text), _built(right, text))
        case ast.BoolOp(op=op, values=values):
            return reduce(And if isinstance(op, ast.And) else Or, [_built(v, text) for v in values])
        case ast.Compare(left=first, ops=ops, comparators=others):
            found = [_built(v, text) for v in (first, *others)]
            pairs = [OPERATIONS[type(o)](a, b) for o, a, b in zip(ops, found, found[1:], strict=False)]
            return reduce(And, pairs)
        case ast.Call(func=ast.Name(id=name), args=args):
            return S(FUNCTIONS[name](*(_built(a, text) for a in args)))
    raise ValueError(ast.unparse(node))
