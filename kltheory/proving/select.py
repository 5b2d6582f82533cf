"""Selecting theorems by an expression, as ``pytest -k`` does: words joined by and, or, not and parentheses."""

import ast
import re
from collections.abc import Callable
from string import ascii_lowercase
from typing import Final

from kltheory.proving.theorem import Theorem

WORD: Final = r"(?!(?:and|or|not)\b(?!\.))[\w.]+"
TWO_WORDS: Final = re.compile(rf"(?<![\w.]){WORD}\s+{WORD}")


class SelectionError(ValueError):
    """The text is no such expression."""

    def __init__(self, expression: str) -> None:
        super().__init__(f"cannot read -k {expression!r}: write words joined by and, or, not and parentheses")


def selector(expression: str) -> Callable[[Theorem], bool]:
    """A predicate: a word matches part of a name, or a catalogue number such as ``S4``, ``17`` or its part ``17c``.

    Raises:
        SelectionError: it is not made of words, and, or, not, parentheses.
    """
    if TWO_WORDS.search(expression):  # Python would join two quoted words into one
        raise SelectionError(expression)
    quoted = re.sub(r"[\w.]+", lambda m: m[0] if m[0] in ("and", "or", "not") else repr(m[0]), expression)
    try:
        return _build(ast.parse(quoted.strip(), mode="eval").body, expression)
    except SyntaxError:
        raise SelectionError(expression) from None


def _build(node: ast.AST, expression: str) -> Callable[[Theorem], bool]:
    match node:
        case ast.Constant(value=str(word)):
            return lambda t: word in t.name or word in {*t.catalogue, *(n.rstrip(ascii_lowercase) for n in t.catalogue)}
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _build(operand, expression)
            return lambda t: not inner(t)
        case ast.BoolOp(op=op, values=values):
            parts = [_build(v, expression) for v in values]
            join = all if isinstance(op, ast.And) else any
            return lambda t: join(p(t) for p in parts)
        case _:
            raise SelectionError(expression)
