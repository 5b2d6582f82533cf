"""The builder: a syntax tree becomes a SymPy expression, node by node, by what the tables know."""

import ast
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import reduce
from itertools import groupby
from typing import Any, Final

from sympy import Add, Basic, Expr, Mul, Piecewise, Pow, Rational, S

from kltheory.calculus.domain import fallible
from kltheory.calculus.formula.conditions import JOINS, ORDERS, Choice, is_condition, negation
from kltheory.calculus.formula.error import FormulaError
from kltheory.calculus.formula.formula import Formula
from kltheory.calculus.formula.functions import CORNERED, FUNCTIONS, SYNONYMS, bind, is_module, power, reciprocal, where
from kltheory.calculus.formula.hints import instead, near, question
from kltheory.calculus.formula.limits import MAX_DEPTH, MAX_DIGITS, MAX_UNSETTLED, Size, measure, settle
from kltheory.calculus.formula.names import CONSTANTS, FORMULAS, QUANTITIES, VARIABLES, Meaning, meaning
from kltheory.calculus.formula.scan import NUMBER

_CHAINED: Final = (ast.Add, ast.Sub, ast.Mult, ast.Div)


class Builder:
    """One pass over the tree; every node is built by :meth:`_build`, which gives an error its place."""

    def __init__(self, text: str, source: str, shift: int, declared: Mapping[str, Expr], allowed: str) -> None:
        self.text, self.source, self.shift, self.declared, self.allowed = text, source, shift, declared, allowed
        self.sizes: dict[Basic, Size] = {}
        self.met: dict[str, Meaning] = {}
        self.fallible: list[Expr] = []
        self.nonzero: list[Expr] = []

    def formula(self, tree: ast.expr) -> Formula:
        """The formula of the whole tree."""
        expr = self._visit(tree, 0)
        notes = tuple(m.note for m in self.met.values() if m.note)
        unknown = tuple(name for name, m in self.met.items() if m.is_constant)
        seen, powers = set(fallible(expr)), expr.atoms(Pow)
        lost = dict.fromkeys(x for x in self.fallible if x not in seen)
        nonzero = dict.fromkeys(x for x in self.nonzero if 1 / x not in powers)
        return Formula(self.text, expr, notes, unknown, tuple(lost), tuple(nonzero))

    def error(self, node: ast.expr, reason: str, hint: str = "", at: int | None = None) -> FormulaError:
        """An error at a node, or at another column."""
        return FormulaError(self.text, self.shift + (node.col_offset if at is None else at), reason, hint)

    def _build(self, node: ast.expr, make: Callable[..., Any], *args: Any, **bounds: Any) -> Any:
        """``make(*args, **bounds)``, no larger than a formula may be."""
        made = self._guard(node, make, *args, **bounds)
        self._guard(node, measure, made, self.sizes)
        if make not in (Add, Mul, where):
            self.fallible += fallible(made)
        return made

    def _guard(self, node: ast.expr, make: Callable[..., Any], *args: Any, **bounds: Any) -> Any:
        try:
            return make(*args, **bounds)
        except Exception as error:  # a ValueError of the guards, or one of the many ways in which SymPy refuses
            raise self.error(node, str(error) or type(error).__name__) from None

    def _visit(self, node: ast.expr, depth: int) -> Expr:
        """The value of a node; a condition counts 1 where it holds, else 0."""
        if depth > MAX_DEPTH:
            raise self.error(node, f"more than {MAX_DEPTH} operations inside one another")
        match node:
            case ast.Constant():
                return self._number(node)
            case ast.Name(id=name):
                return self._name(node, name)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._visit(operand, depth + 1)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._visit(operand, depth + 1)
            case ast.BinOp(op=ast.Pow(), left=left, right=right):
                return self._power(self._visit(left, depth + 1), self._visit(right, depth + 1), right)
            case ast.BinOp(op=op) if isinstance(op, _CHAINED):
                return self._chain(node, depth)
            case ast.Call(func=ast.Name(id=name), args=args):
                return self._call(node, name, args, depth)
            case ast.Call(func=ast.Attribute(attr=name, value=owner), args=args):
                return self._dotted(node, name, owner, args, depth)
            case ast.IfExp(test=test, body=body, orelse=other):
                return self._chosen(test, body, other, depth)
            case ast.Attribute(attr=name):
                call = f"write {name}(...)" if name in FUNCTIONS or name in SYNONYMS else self.allowed
                hint = call if meaning(name, self.declared) is None else f"write {name}"
                raise self.error(node, f"an attribute ('.{name}') is not part of a formula", hint)
        if is_condition(node):
            return self._condition(node, depth)(S.One, S.Zero)
        strange = "a comma, or an empty '()', outside a call" if isinstance(node, ast.Tuple) else "this operation"
        raise self.error(node, f"{strange} is not part of a formula", self.allowed)

    # --- names and numbers ----------------------------------------------------------------------------------------
    def _name(self, node: ast.expr, name: str) -> Expr:
        found = self.met.get(name) or meaning(name, self.declared)
        if found is None:
            if name in FUNCTIONS or name in SYNONYMS:
                raise self.error(node, f"{name!r} is a function", f"write {name}(...)")
            known = (*VARIABLES, *FORMULAS, *CONSTANTS, *self.declared)
            hints = (*near(name, known), "a constant of your own: --param NAME=VALUE", self.allowed)
            raise self.error(node, f"unknown name {name!r}", question(name) or "\n".join(hints))
        for other, m in self.met.items():
            if other != name and m.expr == found.expr and found.expr in QUANTITIES and name not in FORMULAS:
                both = f"{other!r} and {name!r} would both be read as {found.expr}"
                raise self.error(node, both, "one quantity has one name in a formula: is one of them another policy's?")
        self.met[name] = found
        return found.expr

    def _number(self, node: ast.Constant) -> Expr:
        written = self.source[self.shift + node.col_offset : self.shift + (node.end_col_offset or 0)]
        if not re.fullmatch(NUMBER, written):
            raise self.error(node, f"{written!r} is not a number", self.allowed)
        digits, _, power = written.lower().partition("e")
        if len(digits.replace(".", "").lstrip("0")) > MAX_DIGITS or abs(int(power or 0)) > MAX_DIGITS:
            raise self.error(node, f"a number has at most {MAX_DIGITS} digits, and a power of ten up to {MAX_DIGITS}")
        return Rational(*Fraction(written).as_integer_ratio())

    # --- operations -----------------------------------------------------------------------------------------------
    def _chain(self, node: ast.expr, depth: int) -> Expr:
        """a ∘ b ∘ c ..., a run of sums or of products at a time, so that a long sum is neither deep nor slow."""
        steps: list[ast.BinOp] = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, _CHAINED):
            steps.append(node)
            node = node.left
        total = self._visit(node, depth + 1)
        for head, run in groupby(reversed(steps), lambda step: Add if isinstance(step.op, ast.Add | ast.Sub) else Mul):
            *_, last = members = list(run)
            total = self._build(last.right, head, total, *(self._operand(step, depth + 1) for step in members))
        return total

    def _operand(self, step: ast.BinOp, depth: int) -> Expr:
        right = self._visit(step.right, depth)
        if isinstance(step.op, ast.Div):
            self.nonzero += [right] if right.free_symbols else []
            return self._build(step.right, reciprocal, right)
        return -right if isinstance(step.op, ast.Sub) else right

    def _power(self, base: Expr, exponent: Expr, node: ast.expr) -> Expr:
        self.nonzero += [base] if base.free_symbols and exponent.is_negative else []
        return self._build(node, power, base, exponent)

    def _chosen(self, condition: ast.expr, a: ast.expr, b: ast.expr, depth: int) -> Expr:
        """A choice; what a branch asks for is asked for where it is taken."""
        choice, before = self._condition(condition, depth + 1), (self.fallible, self.nonzero)
        values = []
        for branch, put in ((a, lambda x: choice(x, S.One)), (b, lambda x: choice(S.One, x))):
            self.fallible, self.nonzero = [], []
            values.append(self._visit(branch, depth + 1))
            for known, asked in zip(before, (self.fallible, self.nonzero), strict=True):
                known += map(put, asked)
        self.fallible, self.nonzero = before
        return choice(*values)

    # --- calls ----------------------------------------------------------------------------------------------------
    def _call(self, node: ast.Call, name: str, args: list[ast.expr], depth: int) -> Expr:
        function = SYNONYMS.get(name, name)
        if function not in FUNCTIONS:
            raise self._unknown_function(node, name)
        bounds = self._guard(node, bind, name, args, node.keywords)
        if function == "where":
            condition, a, b = args
            return self._chosen(condition, a, b, depth)
        values = [self._visit(arg, depth + 1) for arg in args]
        limits = {k: self._visit(v, depth + 1) for k, v in bounds.items()}
        if function in CORNERED:
            self._guard(node, settle, [*values, *limits.values()], MAX_UNSETTLED)
        make = FUNCTIONS[function]
        if make is power:
            base, exponent = values
            return self._power(base, exponent, node)
        return self._build(node, make, *values, **limits)

    def _dotted(self, node: ast.Call, name: str, owner: ast.expr, args: list[ast.expr], depth: int) -> Expr:
        """``torch.exp(x)`` or ``x.exp()``: the same functions, by the same table."""
        of_module = is_module(owner)
        if name in ("min", "max") and any(map(_is_integer, args[1:] if of_module else args)):
            raise self.error(node, f".{name} with an integer is over a dimension", f"write {name}(a, b)")
        if name == "where" and not of_module:
            raise self.error(node, ".where has its arguments in another order", "write where(l > 0, a, b)")
        if of_module:
            return self._call(node, name, args, depth)
        if isinstance(owner, ast.Name | ast.Attribute):
            self._visit(owner, depth + 1)  # a module that is not known is no argument
        return self._call(node, name, [owner, *args], depth)

    def _unknown_function(self, node: ast.Call, name: str) -> FormulaError:
        at = (node.func.end_col_offset or 0) - len(name)
        if meaning(name, self.declared) is not None:
            return self.error(node, f"{name!r} is not a function", f"a product is written {name}*(...)", at)
        hint = instead(name, "\n".join([*near(name, (*FUNCTIONS, *SYNONYMS)), self.allowed]))
        return self.error(node, f"unknown function {name!r}", hint, at)

    # --- conditions -----------------------------------------------------------------------------------------------
    def _condition(self, node: ast.expr, depth: int) -> Choice:
        if depth > MAX_DEPTH:
            raise self.error(node, f"more than {MAX_DEPTH} operations inside one another")
        match node:
            case ast.Compare():
                return self._comparison(node, depth)
            case ast.BoolOp(op=op, values=values):
                return reduce(JOINS[type(op)], [self._condition(value, depth + 1) for value in values])
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr() as op, left=left, right=right):
                return JOINS[type(op)](self._condition(left, depth + 1), self._condition(right, depth + 1))
            case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
                return negation(self._condition(operand, depth + 1))
        hint = "write and, or, not; & and | bind tighter than < and >: (l > 0) & (w < 2)"
        raise self.error(node, "a comparison is needed here, such as l > 0 or w <= 2", hint)

    def _comparison(self, node: ast.Compare, depth: int) -> Choice:
        values = [self._visit(value, depth + 1) for value in (node.left, *node.comparators)]
        return reduce(JOINS[ast.And], map(self._relation, node.comparators, node.ops, values, values[1:]))

    def _relation(self, node: ast.expr, op: ast.cmpop, left: Expr, right: Expr) -> Choice:
        if type(op) not in ORDERS:
            raise self.error(node, "'==' and '!=' are not part of a formula", "write <, <=, > or >=")
        if left.has(Piecewise) or right.has(Piecewise):
            raise self.error(node, "a comparison cannot hold a where, or another comparison", "put the where outside")
        self._guard(node, settle, [left, right], MAX_UNSETTLED)
        if left.free_symbols and right.free_symbols:  # sides that are alike would be solved for one another
            left, right = self._build(node, Add, left, -right), S.Zero
        relation = self._build(node, ORDERS[type(op)], left, right)
        return lambda a, b: self._build(node, where, relation, a, b)


def _is_integer(node: ast.expr) -> bool:
    inner = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(inner, ast.Constant) and isinstance(inner.value, int)
