"""What is expected: a name as ``kltheory audit`` prints it, and the coefficient that it stands for."""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from sympy import Expr, S, Symbol

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import DIVERGENCES, Divergence, cressie_read
from kltheory.calculus.formula.error import FormulaError
from kltheory.calculus.formula.parse import parse_formula

KNOWN: Final = {d.name: d for base in DIVERGENCES for d in (base, base.from_old())}
UNNAMED: Final = {
    "none": "the gradient of no named divergence",
    "f_divergence": "the gradient of an f-divergence without a name",
    "-f_divergence": "minus the gradient of an f-divergence without a name",
}
"""What a row may say when there is no name."""
FAMILY: Final = re.compile(r"cressie_read\[([^\]]*)\](_old)?")


@dataclass(frozen=True)
class Expected:
    """A combination of divergences; ``coefficient`` is ``None`` for what has no name."""

    name: str
    title: str
    coefficient: Coefficient | None

    @classmethod
    def of(cls, name: str) -> "Expected":
        """Read a name. Raises ValueError, with the names there are."""
        if not isinstance(name, str):
            raise ValueError(f"expected={name!r}: a name is needed; {_names()}")
        if name in UNNAMED:
            return cls(name, UNNAMED[name], None)
        if name == "zero":
            return cls(name, "no expected gradient", Coefficient.of(0))
        found = terms(name)
        total = Coefficient.of(0)
        for divergence, scale in found.items():
            total = total + scale * divergence.coefficient
        return cls(name, f"the gradient of {_title(found)}", total)


def terms(name: str) -> dict[Divergence, Expr]:
    """The divergences in a sum such as ``2*reverse_kl - forward_kl``, with their scales. Raises ValueError.

    A scale may be a letter, ``beta*reverse_kl``: a parameter of the function that nobody gave.
    """
    table: dict[str, Divergence] = dict(KNOWN)

    def member(match: re.Match[str]) -> str:
        placeholder = f"cressie_read_{len(table)}"
        try:
            divergence = cressie_read(S(parse_formula(match[1])))
        except ValueError as e:
            raise ValueError(f"expected={name!r}: {e}") from None
        table[placeholder] = divergence.from_old() if match[2] else divergence
        return placeholder

    text = FAMILY.sub(member, name)
    words = dict.fromkeys(re.findall(r"[A-Za-z_]\w*", text))
    letters = [word for word in words if word not in table]
    for word in letters:
        close = get_close_matches(word, table, 2, 0.5)
        if close or len(letters) == len(words):
            hint = f"did you mean {' or '.join(close)}? " if close else ""
            raise ValueError(f"expected={name!r}: there is no divergence {word!r}; {hint}{_names()}")
    try:
        expr = parse_formula(text, words).expand()
    except FormulaError as e:
        raise ValueError(f"expected={name!r}: {e.reason}; {_names()}") from None
    symbols = {Symbol(n, positive=True): d for n, d in table.items()}
    scales = {s: expr.coeff(s) for s in symbols}
    rest = (expr - sum((a * s for s, a in scales.items()), S.Zero)).expand()
    found: dict[Divergence, Expr] = {}
    for s, a in scales.items():
        if a != 0:
            found[symbols[s]] = found.get(symbols[s], S.Zero) + a
    if rest != 0 or not found or any(a.free_symbols & symbols.keys() for a in found.values()):
        raise ValueError(f"expected={name!r}: a sum of multiples of divergences is needed; {_names()}")
    return found


def _title(found: dict[Divergence, Expr]) -> str:
    parts = (f"{'' if a == 1 else '-' if a == -1 else f'{a} '}{d.title}" for d, a in found.items())
    return " + ".join(parts).replace("+ -", "- ")


def _names() -> str:
    return f"names: zero, {', '.join(UNNAMED)}, {', '.join(KNOWN)}, cressie_read[λ]; with numbers: 2*reverse_kl"
