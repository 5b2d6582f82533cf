"""The characters and words of a formula, before it is parsed: foreign ones are refused with their place."""

import keyword
import re
import unicodedata
from typing import Final

from kltheory.calculus.formula.error import FormulaError
from kltheory.calculus.formula.hints import instead
from kltheory.calculus.formula.limits import MAX_DEPTH

NUMBER: Final = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_WORD: Final = r"(?P<name>(?!(?:and|or|not|if|else)\b)[A-Za-z_]\w*)"
_MARK: Final = r"(?P<mark>\*\*|//|[<>=!]=|[-+*/(),<>=.&|~]|and|or|not|if|else)"
_TOKEN: Final = re.compile(rf"(?P<space>[ \t]+)|(?P<number>{NUMBER})|{_WORD}|{_MARK}", re.ASCII)
_PREFIXES: Final = ("(", "+", "-", "~", "not")


def scan(text: str, source: str, allowed: str) -> None:
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
        if kind == "name" and keyword.iskeyword(word):
            raise FormulaError(text, start, f"the word {word!r} is not part of a formula", instead(word, allowed))
        after_operand = last in ("number", "name") or before == ")"
        if after_operand and (kind in ("number", "name") or word in ("not", "~") or (word == "(" and last != "name")):
            raise FormulaError(text, start, f"an operator is missing before {word!r}", "a product is written 2*l")
        if not after_operand and kind == "mark" and word not in _PREFIXES and before + word not in ("()", ",)"):
            hint = instead(before + word, allowed)
            raise FormulaError(text, start, f"a name or a number is missing before {word!r}", hint)
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
    return f"the character {character!r} (U+{ord(character):04X}) is not part of a formula", instead(character, folded)
