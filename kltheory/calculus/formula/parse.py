"""The formula parser: typed text becomes a SymPy expression, and is never evaluated as Python.

The text is scanned character by character, read by :mod:`ast`, and rebuilt by a whitelist. Whatever could be slow or
without a finite real value is refused *before* SymPy sees it, so a bad formula costs milliseconds and names its place.
"""

import ast
import keyword
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from sympy import Expr, Symbol

from kltheory.calculus.formula.build import Builder
from kltheory.calculus.formula.conditions import is_condition
from kltheory.calculus.formula.error import FormulaError
from kltheory.calculus.formula.formula import Formula
from kltheory.calculus.formula.functions import FUNCTIONS, SYNONYMS
from kltheory.calculus.formula.limits import MAX_CHARACTERS, MAX_DEPTH, MAX_NODES
from kltheory.calculus.formula.names import ANSWERS, CONSTANTS, FORMULAS, VARIABLES
from kltheory.calculus.formula.scan import scan
from kltheory.calculus.names import guess

NONE: Final[Mapping[str, Expr]] = MappingProxyType({})


def parse_formula(text: str, parameters: Iterable[str] = ()) -> Expr:
    """The expression that ``text`` writes, with each of ``parameters`` (``"lam"``, ``"eps=0.2"``) a constant.

    Numbers are read exactly (0.1 is 1/10). ``min``, ``max``, ``abs`` and ``clamp`` become SymPy's ``Min``, ``Max`` and
    ``Abs``, ``where`` and conditions become ``Piecewise``; everything else is made of ``exp``, ``log``, powers and
    ``sg``. Raises :class:`FormulaError`, and nothing else.

    >>> parse_formula("exp(-l) - 1 + l")
    l - 1 + exp(-l)
    """
    return read_formula(text, constants(parameters)).expr


def read_formula(text: str, declared: Mapping[str, Expr] = NONE) -> Formula:
    """The same, with what was read into it; ``declared`` are the constants and their values, as below."""
    if not isinstance(text, str):
        raise FormulaError("", None, f"a formula is a text, not {type(text).__name__}")
    if len(text) > MAX_CHARACTERS:
        raise FormulaError(text, None, f"a formula has at most {MAX_CHARACTERS} characters, not {len(text)}")
    allowed = _allowed(declared)
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
    builder = Builder(text, source, shift, declared, allowed)
    if is_condition(tree):
        raise builder.error(tree, "a condition alone is no formula", "write where(l > 0, a, b), or (l > 0)*a")
    return builder.formula(tree)


def _allowed(declared: Mapping[str, Expr]) -> str:
    names = (*VARIABLES, *FORMULAS), dict.fromkeys((*declared, *CONSTANTS)), FUNCTIONS
    variables, constant, functions = map(", ".join, names)
    return f"allowed: {variables}; constants {constant}; numbers; + - * / **; < <= > >= and or not; {functions}"


def constants(parameters: Iterable[str]) -> dict[str, Expr]:
    """Constants by name: a number for ``eps=0.2``, a positive symbol for ``eps`` alone. Raises FormulaError."""
    return dict(_constant(p) for p in parameters)


def _constant(parameter: str) -> tuple[str, Expr]:
    name, given, value = (
        (part.strip() for part in parameter.partition("=")) if isinstance(parameter, str) else ("",) * 3
    )
    if not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name):
        raise FormulaError("", None, f"a parameter's name is letters, digits and '_', not {parameter!r}")
    if name in (*VARIABLES, *FORMULAS, *FUNCTIONS, *SYNONYMS, *ANSWERS) or guess(name) is not None:
        raise FormulaError("", None, f"a parameter cannot be called {name!r}: that name has a meaning")
    if not given:
        return name, Symbol(name, positive=True)
    try:
        number = read_formula(value).expr
    except FormulaError as error:
        raise FormulaError(value, error.position, f"the value of {name}: {error.reason}") from None
    if not number.is_number:
        raise FormulaError("", None, f"the value of {name} is a number, such as 0.04 or 1/5, not {value}")
    return name, number
