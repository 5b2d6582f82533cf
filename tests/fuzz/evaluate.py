"""An evaluator of formula texts: the syntax tree of the text becomes a function of named dual numbers.

It knows what code means by a formula, and nothing of how the calculus reads one: stop-gradients hold, minimum and
maximum of equal values share the gradient, the branch that is not taken is not looked at.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

import mpmath
from fuzz.dual import ONE, ZERO, Dual, exp, log, number, power

COMPARES: Final = {ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge}
BINARY: Final = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


@dataclass
class Context:
    """Where a formula is evaluated: names, functions of syntax trees of its own, and what was met on the way.

    ``gap`` is the smallest relative distance of two values that were compared and are not equal; ``ties`` are the
    comparisons of equal values.
    """

    names: Mapping[str, Dual]
    functions: Mapping[str, Callable[..., Dual]] = field(default_factory=dict)
    gap: Any = mpmath.inf
    ties: set[str] = field(default_factory=set)

    def compare(self, a: Any, b: Any, where: str) -> int:
        """The sign of a - b, remembered if it is close."""
        if a == b:
            self.ties.add(where)
            return 0
        self.gap = min(self.gap, abs(a - b) / max(abs(a), abs(b)))
        return 1 if a > b else -1


Compiled = Callable[[Context], Dual]
Condition = Callable[[Context], bool]


@lru_cache(maxsize=20000)
def compiled(text: str) -> Compiled:
    """The function that a text denotes."""
    return _expr(_tree(text.strip()))


@lru_cache(maxsize=20000)
def condition(text: str) -> Condition:
    """The condition that a text denotes."""
    return _condition(_tree(text.strip()))


def _tree(text: str) -> ast.expr:
    """The syntax tree, numbers as they are written."""
    tree = ast.parse(text, mode="eval").body
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.value = ast.get_source_segment(text, node)
    return tree


def _expr(node: ast.expr) -> Compiled:
    match node:
        case ast.Constant(value=value):
            return lambda c: number(value)
        case ast.Name(id=name):
            return (lambda c: _abs(c, c.names["l"], "abs(l)")) if name == "abs" else lambda c: c.names[name]
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            f = _expr(inner)
            return lambda c: -f(c)
        case ast.UnaryOp(op=ast.UAdd(), operand=inner):
            return _expr(inner)
        case ast.BinOp(op=ast.Pow(), left=left, right=right):
            a, b = _expr(left), _expr(right)
            return lambda c: power(a(c), b(c))
        case ast.BinOp(op=op, left=left, right=right) if type(op) in BINARY:
            a, b, function = _expr(left), _expr(right), BINARY[type(op)]
            return lambda c: function(a(c), b(c))
        case ast.IfExp(test=test, body=body, orelse=other):
            return _choice(_condition(test), _expr(body), _expr(other))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
            return _call(name, args, {str(k.arg): k.value for k in keywords}, ast.unparse(node))
    return _choice(_condition(node), lambda c: Dual(ONE), lambda c: Dual(ZERO))


def _choice(test: Condition, yes: Compiled, no: Compiled) -> Compiled:
    return lambda c: yes(c) if test(c) else no(c)


def _call(name: str, args: list[ast.expr], keywords: Mapping[str, ast.expr], where: str) -> Compiled:
    if name == "where":
        return _choice(_condition(args[0]), _expr(args[1]), _expr(args[2]))
    if name in HEADS:
        head, parts = HEADS[name], [_expr(a) for a in args]
        return lambda c: head(*(p(c) for p in parts))
    if name in CORNERED:
        corner = CORNERED[name]
        parts = [_expr(a) for a in args]
        named = {k: _expr(v) for k, v in keywords.items()}
        return lambda c: corner(c, *(p(c) for p in parts), where, **{k: p(c) for k, p in named.items()})
    parts = [_expr(a) for a in args]
    return lambda c: c.functions[name](c, *parts)


def _condition(node: ast.expr) -> Condition:
    match node:
        case ast.BoolOp(op=op, values=values):
            parts = [_condition(v) for v in values]
            join = all if isinstance(op, ast.And) else any
            return lambda c: join(p(c) for p in parts)
        case ast.BinOp(op=ast.BitAnd() | ast.BitOr() as op, left=left, right=right):
            a, b = _condition(left), _condition(right)
            return (lambda c: a(c) and b(c)) if isinstance(op, ast.BitAnd) else lambda c: a(c) or b(c)
        case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=inner):
            a = _condition(inner)
            return lambda c: not a(c)
        case ast.Compare(left=first, ops=ops, comparators=others):
            values = [_expr(v) for v in (first, *others)]
            tests = [COMPARES[type(op)] for op in ops]
            where = ast.unparse(node)

            def holds(c: Context) -> bool:
                pairs = pairwise([v(c).v for v in values])
                return all(test(c.compare(a, b, where), 0) for test, (a, b) in zip(tests, pairs, strict=True))

            return holds
    raise ValueError(f"not a condition: {ast.unparse(node)}")


# --- functions --------------------------------------------------------------------------------------------------------
def _abs(c: Context, x: Dual, where: str) -> Dual:
    s = c.compare(x.v, 0, where)
    return Dual(abs(x.v), s * x.d)


def _sign(c: Context, x: Dual, where: str) -> Dual:
    return Dual(mpmath.mpf(c.compare(x.v, 0, where)))


def _extreme(side: int) -> Callable[..., Dual]:
    def of_two(c: Context, a: Dual, b: Dual, where: str) -> Dual:
        s = c.compare(a.v, b.v, where) * side
        return a if s > 0 else b if s < 0 else Dual(a.v, (a.d + b.d) / 2)

    def of_many(c: Context, *args: Any) -> Dual:
        first, *rest, where = args
        for x in rest:
            first = of_two(c, first, x, where)
        return first

    return of_many


_max, _min = _extreme(1), _extreme(-1)


def _clamp(c: Context, x: Dual, *args: Any, lo: Dual | None = None, hi: Dual | None = None, **bounds: Dual) -> Dual:
    *given, where = args
    low = given[0] if given else bounds.get("min", lo)
    high = given[1] if len(given) > 1 else bounds.get("max", hi)
    x = x if low is None else _max(c, x, low, where)
    return x if high is None else _min(c, x, high, where)


HEADS: Final[Mapping[str, Callable[..., Dual]]] = {
    "exp": exp,
    "log": log,
    "sqrt": lambda x: power(x, number("0.5")),
    "square": lambda x: x * x,
    "pow": power,
    "expm1": lambda x: exp(x) - Dual(ONE),
    "log1p": lambda x: log(Dual(ONE) + x),
    "logaddexp": lambda x, y: log(exp(x) + exp(y)),
    "sigmoid": lambda x: Dual(ONE) / (Dual(ONE) + exp(-x)),
    "logsigmoid": lambda x: -log(Dual(ONE) + exp(-x)),
    "softplus": lambda x: log(Dual(ONE) + exp(x)),
    "tanh": lambda x: Dual(ONE) - (Dual(ONE) + Dual(ONE)) / (Dual(ONE) + exp(x + x)),
    "atan": lambda x: Dual(mpmath.atan(x.v), x.d / (1 + x.v * x.v)),
    "sg": Dual.held,
    "float": lambda x: x,
    "zeros_like": lambda x: Dual(ZERO),
    "ones_like": lambda x: Dual(ONE),
}
CORNERED: Final[Mapping[str, Callable[..., Dual]]] = {
    "abs": _abs,
    "sign": _sign,
    "relu": lambda c, x, where: _max(c, x, Dual(ZERO), where),
    "min": _min,
    "max": _max,
    "clamp": _clamp,
}
