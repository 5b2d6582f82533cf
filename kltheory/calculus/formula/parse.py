"""The formula parser: typed text becomes a SymPy expression, and is never evaluated as Python.

The text is scanned character by character, read by :mod:`ast`, and rebuilt by a whitelist. Whatever could be slow or
without a finite real value is refused *before* SymPy sees it, so a bad formula costs milliseconds and names its place.
"""

import ast
import inspect
import keyword
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from fractions import Fraction
from itertools import groupby
from typing import Any, Final

from sympy import Add, Basic, Expr, Mul, Piecewise, Rational, Symbol

from kltheory.calculus.formula.error import FormulaError
from kltheory.calculus.formula.functions import BOUNDS, CORNERED, FUNCTIONS, VARIABLES, power, reciprocal
from kltheory.calculus.formula.limits import (
    MAX_CHARACTERS,
    MAX_CORNERS,
    MAX_DEPTH,
    MAX_DIGITS,
    MAX_NODES,
    MAX_UNSETTLED,
    Size,
    measure,
    settle,
)
from kltheory.calculus.formula.scan import NUMBER, instead, scan
from kltheory.calculus.symbols import log_weight

_CHAINED: Final = (ast.Add, ast.Sub, ast.Mult, ast.Div)


def parse_formula(text: str, parameters: Iterable[str] = ()) -> Expr:
    """The expression that ``text`` writes, with each name of ``parameters`` a positive constant.

    Numbers are read exactly (0.1 is 1/10). ``min``, ``max``, ``abs`` and ``clamp`` become SymPy's ``Min``, ``Max`` and
    ``Abs``, ``where`` becomes ``Piecewise``; everything else is made of ``exp``, ``log``, powers and ``sg``.
    Raises :class:`FormulaError`, and nothing else.

    >>> parse_formula("exp(-l) - 1 + l")
    l - 1 + exp(-l)
    """
    if not isinstance(text, str):
        raise FormulaError("", None, f"a formula is a text, not {type(text).__name__}")
    if len(text) > MAX_CHARACTERS:
        raise FormulaError(text, None, f"a formula has at most {MAX_CHARACTERS} characters, not {len(text)}")
    names = {**VARIABLES, **{name: _parameter(text, name) for name in parameters}}
    allowed = f"allowed: {', '.join(names)}; numbers; + - * / **; {', '.join(FUNCTIONS)}"
    source = text.replace("ℓ", "l")
    scan(text, source, allowed)
    shift = len(source) - len(source.lstrip())
    try:
        tree = ast.parse(source.strip(), mode="eval").body
    except SyntaxError as error:
        position = min(max(shift + (error.offset or 1) - 1, 0), len(text))
        raise FormulaError(text, position, "this does not read as a formula", allowed) from None
    except (RecursionError, MemoryError):
        raise FormulaError(text, None, f"more than {MAX_DEPTH} operations inside one another") from None
    size = sum(isinstance(node, ast.expr) for node in ast.walk(tree))
    if size > MAX_NODES:
        raise FormulaError(text, None, f"a formula has at most {MAX_NODES} names, numbers and operations, not {size}")
    return _Builder(text, source, shift, names, allowed).visit(tree, 0)


def _parameter(text: str, name: str) -> Symbol:
    if not (isinstance(name, str) and name.isascii() and name.isidentifier()) or keyword.iskeyword(name):
        raise FormulaError(text, None, f"a parameter's name is letters, digits and '_', not {name!r}")
    if name in VARIABLES or name in FUNCTIONS or name == log_weight.name:
        raise FormulaError(text, None, f"a parameter cannot be called {name!r}: that name has a meaning")
    return Symbol(name, positive=True)


class _Builder:
    """One pass over the tree; every node is built by :meth:`build`, which gives an error its place."""

    def __init__(self, text: str, source: str, shift: int, names: Mapping[str, Expr], allowed: str) -> None:
        self.text, self.source, self.shift, self.names, self.allowed = text, source, shift, names, allowed
        self.corners = 0
        self.sizes: dict[Basic, Size] = {}

    def error(self, node: ast.expr, reason: str, hint: str = "") -> FormulaError:
        return FormulaError(self.text, self.shift + node.col_offset, reason, hint)

    def build(self, node: ast.expr, make: Callable[..., Any], *args: Any, **bounds: Any) -> Any:
        made = self.guard(node, make, *args, **bounds)
        self.guard(node, measure, made, self.sizes)
        return made

    def guard(self, node: ast.expr, make: Callable[..., Any], *args: Any, **bounds: Any) -> Any:
        try:
            return make(*args, **bounds)
        except Exception as error:  # a ValueError of the guards, or one of the many ways in which SymPy refuses
            raise self.error(node, str(error) or type(error).__name__) from None

    def visit(self, node: ast.expr, depth: int) -> Expr:
        if depth > MAX_DEPTH:
            raise self.error(node, f"more than {MAX_DEPTH} operations inside one another")
        match node:
            case ast.Constant():
                return self.number(node)
            case ast.Name(id=name) if name in self.names:
                return self.names[name]
            case ast.Name(id=name):
                raise self.unknown(node, name, "name", self.names)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.visit(operand, depth + 1)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.visit(operand, depth + 1)
            case ast.BinOp(op=ast.Pow(), left=left, right=right):
                return self.build(right, power, self.visit(left, depth + 1), self.visit(right, depth + 1))
            case ast.BinOp(op=op) if isinstance(op, _CHAINED):
                return self.chain(node, depth)
            case ast.Call(func=ast.Name(id=name)) if name in FUNCTIONS:
                return self.call(node, name, depth)
            case ast.Call(func=ast.Name(id=name)):
                raise self.unknown(node, name, "function", FUNCTIONS)
            case ast.Compare():
                raise self.error(node, "a comparison belongs in where(l > 0, a, b)", self.allowed)
            case ast.Attribute(attr=name) | ast.Call(func=ast.Attribute(attr=name)):
                hint = f"write {name}(...)" if name in FUNCTIONS else self.allowed
                raise self.error(node, f"an attribute ('.{name}') is not part of a formula", hint)
        strange = "a comma, or an empty '()', outside a call" if isinstance(node, ast.Tuple) else "this operation"
        raise self.error(node, f"{strange} is not part of a formula", self.allowed)

    def unknown(self, node: ast.expr, name: str, kind: str, known: Iterable[str]) -> FormulaError:
        if name in FUNCTIONS:
            return self.error(node, f"{name!r} is a function", f"write {name}(...)")
        if name in self.names:
            return self.error(node, f"{name!r} is not a function", f"a product is written {name}*(...)")
        folded = {word.lower(): word for word in known}
        near = get_close_matches(name.lower(), folded, n=1)
        meant = instead(name, f"did you mean {folded[near[0]]!r}?" if near else "")
        return self.error(node, f"unknown {kind} {name!r}", f"{meant}\n{self.allowed}".strip())

    def number(self, node: ast.Constant) -> Expr:
        written = self.source[self.shift + node.col_offset : self.shift + (node.end_col_offset or 0)]
        if not re.fullmatch(NUMBER, written):
            raise self.error(node, f"{written!r} is not a number", self.allowed)
        digits, _, power = written.lower().partition("e")
        if len(digits.replace(".", "").lstrip("0")) > MAX_DIGITS or abs(int(power or 0)) > MAX_DIGITS:
            raise self.error(node, f"a number has at most {MAX_DIGITS} digits, and a power of ten up to {MAX_DIGITS}")
        return Rational(*Fraction(written).as_integer_ratio())

    def chain(self, node: ast.expr, depth: int) -> Expr:
        """a ∘ b ∘ c ..., a run of sums or of products at a time, so that a long sum is neither deep nor slow."""
        steps: list[ast.BinOp] = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, _CHAINED):
            steps.append(node)
            node = node.left
        total = self.visit(node, depth + 1)
        for head, run in groupby(reversed(steps), lambda step: Add if isinstance(step.op, ast.Add | ast.Sub) else Mul):
            *_, last = members = list(run)
            total = self.build(last.right, head, total, *(self.operand(step, depth + 1) for step in members))
        return total

    def operand(self, step: ast.BinOp, depth: int) -> Expr:
        right = self.visit(step.right, depth)
        if isinstance(step.op, ast.Div):
            return self.build(step.right, reciprocal, right)
        return -right if isinstance(step.op, ast.Sub) else right

    def call(self, node: ast.Call, name: str, depth: int) -> Expr:
        bounds = {BOUNDS.get(k.arg or "**", k.arg or "**"): k.value for k in node.keywords}
        try:
            inspect.signature(FUNCTIONS[name]).bind(*node.args, **bounds)
        except TypeError as error:
            raise self.error(node, f"{name}: {error}") from None
        if len(bounds) < len(node.keywords):
            raise self.error(node, f"{name}: a bound is given twice")
        self.corners += (len(node.args) + len(bounds)) * (name in CORNERED)
        if self.corners > MAX_CORNERS:
            raise self.error(node, f"{', '.join(sorted(CORNERED))} have at most {MAX_CORNERS} arguments together")
        first = self.condition if name == "where" else self.visit
        args = [(first if index == 0 else self.visit)(arg, depth + 1) for index, arg in enumerate(node.args)]
        limits = {k: self.visit(v, depth + 1) for k, v in bounds.items()}
        if name in CORNERED:
            self.guard(node, settle, [*args, *limits.values()], MAX_UNSETTLED)
        return self.build(node, FUNCTIONS[name], *args, **limits)

    def condition(self, node: ast.expr, depth: int) -> Basic:
        orders = {ast.Lt: Expr.__lt__, ast.LtE: Expr.__le__, ast.Gt: Expr.__gt__, ast.GtE: Expr.__ge__}
        if not isinstance(node, ast.Compare) or len(node.ops) > 1 or type(node.ops[0]) not in orders:
            raise self.error(node, "where needs one comparison first, such as l > 0 or w <= 2", "nest where for more")
        left, right = self.visit(node.left, depth), self.visit(node.comparators[0], depth)
        if left.has(Piecewise) or right.has(Piecewise):
            raise self.error(node, "a condition cannot hold a where", "put the where outside")
        self.guard(node, settle, [left, right], MAX_UNSETTLED)
        return self.build(node, orders[type(node.ops[0])], left, right)
