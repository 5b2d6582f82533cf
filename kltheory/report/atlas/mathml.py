"""Formulas as MathML, from the same LaTeX that the appendix prints."""

import re
from functools import lru_cache

from latex2mathml.converter import convert

LEFT_OVER = re.compile(r"\\[a-zA-Z]+")


class NotMathML(Exception):
    """A formula has a command that is not known: a defect of this program."""


@lru_cache(maxsize=4096)
def mathml(latex: str, display: str = "block") -> str:
    """A formula in LaTeX as a ``math`` element.

    Raises:
        NotMathML: something of the LaTeX is left in it.
    """
    found = convert(_plain(latex), display=display)
    if left := LEFT_OVER.search(found):
        raise NotMathML(f"{left[0]} of {latex} is left over")
    return found


def _plain(latex: str) -> str:
    """Without what only spaces or sizes, and with mathematics inside of text outside of it."""
    latex = latex.replace(r"\textstyle", "").replace(r"\,", " ")
    return re.sub(r"\\text\{([^{}]*)\}", lambda m: _text(m[1]), latex)


def _text(words: str) -> str:
    """Text with dollars in it as pieces of text and of mathematics in turn."""
    pieces = words.split("$")
    return "".join((rf"\text{{{p}}}" if n % 2 == 0 else p) if p else "" for n, p in enumerate(pieces))
