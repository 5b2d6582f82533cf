"""The formula parser: typed text becomes a SymPy expression, and is never evaluated as Python.

The text is scanned character by character, read by :mod:`ast`, and rebuilt by a whitelist. Whatever could be slow or
without a finite real value is refused *before* SymPy sees it, so a bad formula costs milliseconds and names its place.
"""

import ast
import inspect
import keyword
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from fractions import Fraction
from itertools import groupby
from math import ceil, comb, prod
from typing import Any, Final, NamedTuple

from sympy import (
    Abs,
    Add,
    Basic,
    Expr,
    Function,
    I,
    Max,
    Min,
    Mul,
    Piecewise,
    Pow,
    Rational,
    Symbol,
    exp,
    log,
    oo,
    preorder_traversal,
    sign,
)

from kltheory.calculus.symbols import advantage, log_ratio, log_weight, logp, logp_old, logp_ref, ratio, sg, weight

MAX_CHARACTERS: Final = 2000
MAX_NODES: Final = 500
MAX_DEPTH: Final = 60
MAX_DIGITS: Final = 30  # of a number as written; the same bound holds for its power of ten
MAX_BITS: Final = 1024  # of a number as computed: what a float64 can hold
MAX_EXPONENT: Final = 64
MAX_DEGREE: Final = 256  # exponents inside one another, multiplied
MAX_TERMS: Final = 2500  # once everything is multiplied out
MAX_LAYERS: Final = 12  # functions and powers inside one another; a min counts for two, a root for three
MAX_CORNERS: Final = 12  # arguments of abs, min, max, clamp, where, ... together: each may double the regions
MAX_UNSETTLED: Final = 40  # nodes of a value not known to be real, inside abs, min, where, ...
MAX_UNSETTLED_ROOT: Final = 16  # and under a root
MAX_RATE: Final = 10**6  # c in exp(c·l)
MAX_LOG_FACTOR: Final = 1000  # c in c·log(x): inside an exp SymPy computes x**c
MAX_LOG: Final = 700  # exp(700) is about the largest float64


class FormulaError(ValueError):
    """A text that is not a formula: ``text``, ``position`` (column from 0, or None), ``reason``, ``hint``."""

    def __init__(self, text: str, position: int | None, reason: str, hint: str = "") -> None:
        super().__init__(text, position, reason, hint)
        self.text, self.position, self.reason, self.hint = text, position, reason, hint

    def __str__(self) -> str:
        start = max(0, min((self.position or 0) - 40, len(self.text) - 72))
        before, after = "…" * (start > 0), "…" * (start + 72 < len(self.text))
        shown = "".join(c if c.isprintable() else "�" for c in self.text[start : start + 72])
        caret = [] if self.position is None else [" " * (len(before) + self.position - start) + "^"]
        place = [f"{before}{shown}{after}", *caret] if self.text else []
        return "\n".join([*place, self.reason, *([self.hint] if self.hint else [])])


# The vocabulary: a new name, or a new function, is a new row.


def _reciprocal(x: Expr, /) -> Expr:
    if x.is_zero:
        raise ValueError("division by zero")
    _decide_sign(x)
    return Pow(x, -1)


def _decide_sign(x: Expr) -> None:
    """Refuse a number whose sign SymPy cannot find: log 6 - log 2 - log 3 is 0, and no digits show it."""
    if x.is_number and not x.is_zero and not x.is_comparable:
        raise ValueError("a number here cannot be told from 0")


def _settle(values: Iterable[Basic], most: int) -> None:
    """Refuse a large value that SymPy cannot tell is real: splitting it into real and imaginary parts takes minutes."""
    for x in values:
        if isinstance(x, Expr) and not x.is_extended_real and sum(1 for _ in preorder_traversal(x)) > most:
            raise ValueError("too long for a value that may not be real: a log, root or quotient can be undefined")


def _exp(x: Expr, /) -> Expr:
    for term in Add.make_args(x):
        rate = abs(term.as_independent(*term.free_symbols, as_Add=False)[0])
        limit = MAX_LOG if term.is_number else MAX_RATE
        if not rate.is_zero and bool(rate.evalf() > limit):
            raise ValueError(f"exp overflows: {'' if term.is_number else 'a factor in '}its argument exceeds {limit}")
    return exp(x)


def _log(x: Expr, /) -> Expr:
    if x.is_nonpositive:
        raise ValueError("log of what is never positive")
    _decide_sign(x)
    return log(x)


def _power(base: Expr, exponent: Expr, /) -> Expr:
    """``base ** exponent``, written exp(exponent·log(base)) when the exponent has symbols."""
    if not exponent.is_Rational and not base.is_extended_positive:
        raise ValueError("an exponent that is not a plain number needs a base that is always positive, such as w or u")
    if not exponent.is_number:
        return _exp(exponent * _log(base))
    if bool(abs(exponent.evalf()) > MAX_EXPONENT) or (exponent.is_Rational and exponent.q > MAX_EXPONENT):
        raise ValueError(f"an exponent lies between -{MAX_EXPONENT} and {MAX_EXPONENT}, with a denominator up to 64")
    _decide_sign(base)
    if exponent.is_negative:
        _reciprocal(base)
    if base.is_Rational and max(abs(base.p), base.q).bit_length() * ceil(abs(exponent)) > MAX_BITS:
        raise ValueError("the power is too large or has too many digits")
    if isinstance(base, exp):
        return _exp(exponent * base.args[0])
    if not exponent.is_Integer:
        if base.is_negative:
            raise ValueError("the root of a negative number")
        _settle([base], MAX_UNSETTLED_ROOT)
    if base.is_number and not base.is_zero:
        _exp(exponent * _log(abs(base)))  # the size of an irrational base
    return Pow(base, exponent)


def _clamp(x: Expr, /, lo: Expr = -oo, hi: Expr = oo) -> Expr:
    """min(max(x, lo), hi): where the bounds cross, hi wins, as in torch.clamp and jnp.clip."""
    if lo == -oo and hi == oo:
        raise ValueError("a clamp needs a bound: clamp(x, lo, hi), clamp(x, lo=...) or clamp(x, hi=...)")
    return Min(Max(x, lo), hi)


def _where(condition: Basic, a: Expr, b: Expr, /) -> Expr:
    return Piecewise((a, condition), (b, True))


VARIABLES: Final[Mapping[str, Expr]] = {
    "l": log_ratio, "w": weight, "logp": logp, "logp_ref": logp_ref, "logp_old": logp_old, "A": advantage,
    "u": ratio, "r": 1 / ratio,
}  # fmt: skip
"""The per-sample names; ``ℓ`` may be written for ``l``; u = exp(l) and r = exp(-l)."""

FUNCTIONS: Final[Mapping[str, Callable[..., Expr]]] = {
    "exp": _exp,
    "log": _log,
    "sqrt": lambda x, /: _power(x, Rational(1, 2)),
    "square": lambda x, /: _power(x, Rational(2)),
    "expm1": lambda x, /: _exp(x) - 1,
    "log1p": lambda x, /: _log(1 + x),
    "sigmoid": lambda x, /: 1 / (1 + _exp(-x)),
    "softplus": lambda x, /: _log(1 + _exp(x)),
    "tanh": lambda x, /: 1 - 2 / (1 + _exp(2 * x)),
    "abs": lambda x, /: Abs(x),
    "sign": lambda x, /: sign(x),
    "relu": lambda x, /: Max(x, 0),
    "min": lambda x, y, /, *more: Min(x, y, *more),
    "max": lambda x, y, /, *more: Max(x, y, *more),
    "clamp": _clamp,
    "clip": _clamp,
    "where": _where,
    **dict.fromkeys(("sg", "detach", "stop_gradient", "stopgrad"), lambda x, /: sg(x)),
}
_CORNERED: Final = frozenset({"abs", "sign", "relu", "min", "max", "clamp", "clip", "where"})
_BOUNDS: Final = {"min": "lo", "max": "hi"}  # torch's keywords

_INSTEAD: Final[Mapping[str, str]] = {
    "pi": "exp(logp) for the policy", "e": "exp(1)", "ln": "log", "log_ratio": "l", "ratio": "u", "log_w": "log(w)",
    "weight": "w", "advantage": "A", "lambda": "lam", "if": "where(l > 0, a, b)", "else": "where(l > 0, a, b)",
    "and": "where inside where", "or": "where inside where", "^": "** for a power", "|": "abs(...)", "[": "(", "]": ")",
    "\n": "the formula on one line", "\r": "the formula on one line", "π": "exp(logp) for the policy", "√": "sqrt(...)",
    "²": "**2", "³": "**3", "½": "1/2", "¼": "1/4", "¾": "3/4", "≤": "<=", "≥": ">=", "δ": "r for exp(-l)",
    **dict.fromkeys("−–—‐‑", "-"), **dict.fromkeys("×·∙⋅∗•", "*"), **dict.fromkeys("÷⁄∕", "/"),
}  # fmt: skip

_NUMBER: Final = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_TOKEN: Final = re.compile(
    rf"(?P<space>[ \t]+)|(?P<number>{_NUMBER})|(?P<name>[A-Za-z_]\w*)|(?P<mark>\*\*|//|[<>=]=|[-+*/(),<>=.])", re.ASCII
)
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
    _scan(text, source, allowed)
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


def _scan(text: str, source: str, allowed: str) -> None:
    """Refuse, with their place, foreign characters and words, unbalanced parentheses and missing operators."""
    opened: list[int] = []
    position, kind, before = 0, "", ""
    while position < len(source):
        token = _TOKEN.match(source, position)
        if token is None:
            raise FormulaError(text, position, *_foreign(source[position], allowed))
        start, position = position, token.end()
        if token.lastgroup == "space":
            continue
        last, kind, word = kind, str(token.lastgroup), token.group()
        if keyword.iskeyword(word):
            raise FormulaError(text, start, f"the word {word!r} is not part of a formula", _write(word, allowed))
        after_operand = last in ("number", "name") or before == ")"
        if after_operand and (kind in ("number", "name") or (word == "(" and last != "name")):
            raise FormulaError(text, start, f"an operator is missing before {word!r}", "a product is written 2*l")
        if not after_operand and kind == "mark" and word not in "(+-" and before + word not in ("()", ",)"):
            raise FormulaError(text, start, f"a name or a number is missing before {word!r}", allowed)
        if word == "=" and not opened:
            raise FormulaError(text, start, "'=' is not part of a formula: write the right-hand side alone")
        if word == "(":
            opened.append(start)
            if len(opened) > MAX_DEPTH:
                raise FormulaError(text, start, f"more than {MAX_DEPTH} parentheses inside one another")
        elif word == ")":
            if not opened:
                raise FormulaError(text, start, "this ')' closes nothing")
            opened.pop()
        before = word
    if not before:
        raise FormulaError(text, None, "the formula is empty", allowed)
    if opened:
        raise FormulaError(text, opened[-1], "this '(' is never closed")
    if kind == "mark" and before != ")":
        raise FormulaError(text, len(source.rstrip()), f"a name or a number is missing after {before!r}", allowed)


def _foreign(character: str, allowed: str) -> tuple[str, str]:
    plain = unicodedata.normalize("NFKC", character)
    folded = f"write {plain!r}" if plain.isascii() and plain != character else allowed
    return f"the character {character!r} (U+{ord(character):04X}) is not part of a formula", _write(character, folded)


def _write(word: str, otherwise: str) -> str:
    return f"write {_INSTEAD[word]}" if word in _INSTEAD else otherwise


class _Builder:
    """One pass over the tree; every node is built by :meth:`build`, which gives an error its place."""

    def __init__(self, text: str, source: str, shift: int, names: Mapping[str, Expr], allowed: str) -> None:
        self.text, self.source, self.shift, self.names, self.allowed = text, source, shift, names, allowed
        self.corners = 0
        self.sizes: dict[Basic, _Size] = {}

    def error(self, node: ast.expr, reason: str, hint: str = "") -> FormulaError:
        return FormulaError(self.text, self.shift + node.col_offset, reason, hint)

    def build(self, node: ast.expr, make: Callable[..., Any], *args: Any, **bounds: Any) -> Any:
        made = self.guard(node, make, *args, **bounds)
        self.guard(node, _measure, made, self.sizes)
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
                return self.build(right, _power, self.visit(left, depth + 1), self.visit(right, depth + 1))
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
        meant = _write(name, f"did you mean {folded[near[0]]!r}?" if near else "")
        return self.error(node, f"unknown {kind} {name!r}", f"{meant}\n{self.allowed}".strip())

    def number(self, node: ast.Constant) -> Expr:
        written = self.source[self.shift + node.col_offset : self.shift + (node.end_col_offset or 0)]
        if not re.fullmatch(_NUMBER, written):
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
            return self.build(step.right, _reciprocal, right)
        return -right if isinstance(step.op, ast.Sub) else right

    def call(self, node: ast.Call, name: str, depth: int) -> Expr:
        bounds = {_BOUNDS.get(k.arg or "**", k.arg or "**"): k.value for k in node.keywords}
        try:
            inspect.signature(FUNCTIONS[name]).bind(*node.args, **bounds)
        except TypeError as error:
            raise self.error(node, f"{name}: {error}") from None
        if len(bounds) < len(node.keywords):
            raise self.error(node, f"{name}: a bound is given twice")
        self.corners += (len(node.args) + len(bounds)) * (name in _CORNERED)
        if self.corners > MAX_CORNERS:
            raise self.error(node, f"{', '.join(sorted(_CORNERED))} have at most {MAX_CORNERS} arguments together")
        first = self.condition if name == "where" else self.visit
        args = [(first if index == 0 else self.visit)(arg, depth + 1) for index, arg in enumerate(node.args)]
        limits = {k: self.visit(v, depth + 1) for k, v in bounds.items()}
        if name in _CORNERED:
            self.guard(node, _settle, [*args, *limits.values()], MAX_UNSETTLED)
        return self.build(node, FUNCTIONS[name], *args, **limits)

    def condition(self, node: ast.expr, depth: int) -> Basic:
        orders = {ast.Lt: Expr.__lt__, ast.LtE: Expr.__le__, ast.Gt: Expr.__gt__, ast.GtE: Expr.__ge__}
        if not isinstance(node, ast.Compare) or len(node.ops) > 1 or type(node.ops[0]) not in orders:
            raise self.error(node, "where needs one comparison first, such as l > 0 or w <= 2", "nest where for more")
        left, right = self.visit(node.left, depth), self.visit(node.comparators[0], depth)
        if left.has(Piecewise) or right.has(Piecewise):
            raise self.error(node, "a condition cannot hold a where", "put the where outside")
        self.guard(node, _settle, [left, right], MAX_UNSETTLED)
        return self.build(node, orders[type(node.ops[0])], left, right)


class _Size(NamedTuple):
    """What an expression may grow into."""

    degree: int = 1  # exponents inside one another, multiplied
    terms: int = 1  # once multiplied out
    layers: int = 0  # functions and powers inside one another


def _measure(made: Basic, known: dict[Basic, _Size]) -> _Size:
    """The size of ``made``, refusing what is too large, and what is not finite and real."""
    if made in known:
        return known[made]
    parts = [_measure(arg, known) for arg in made.args] or [_Size()]
    degree, terms, layers = (max(values) for values in zip(*parts, strict=True))
    layers += 2 if isinstance(made, Max | Min) else isinstance(made, Function | Pow)
    if made.is_number and (made.is_finite is False or bool(abs(made.evalf()) >= 2**MAX_BITS)):
        raise ValueError("the value is not finite, or too large")
    if made is I or (isinstance(made, Expr) and made.is_extended_real is False):
        raise ValueError("the value is not a real number")
    if isinstance(made, Rational) and max(abs(made.p), made.q).bit_length() > MAX_BITS:
        raise ValueError("a number here is too large or has too many digits")
    if isinstance(made, Mul) and made.has(log) and bool(abs(made.as_coeff_Mul()[0]) > MAX_LOG_FACTOR):
        raise ValueError(f"a log is multiplied by more than {MAX_LOG_FACTOR}")
    if isinstance(made, exp):
        _exp(made.args[0])
        terms = 1
    elif isinstance(made, Add):
        terms = sum(part.terms for part in parts)
    elif isinstance(made, Mul):
        terms = prod(part.terms for part in parts)
    elif isinstance(made, Pow) and made.exp.is_number:
        layers += 0 if made.exp.is_Integer else 2  # the signs of roots inside roots take SymPy exponential time
        power = max(1, ceil(abs(made.exp)))
        degree, terms = parts[0].degree * power, comb(power + parts[0].terms - 1, power)
    size = _Size(int(degree), terms, layers)
    for value, most, what in zip(size, (MAX_DEGREE, MAX_TERMS, MAX_LAYERS), _GROWTH, strict=True):
        if value > most:
            raise ValueError(f"{what}: {value} is more than {most}")
    return known.setdefault(made, size)


_GROWTH: Final = ("exponents inside one another, multiplied", "terms once multiplied out", "layers of functions")
