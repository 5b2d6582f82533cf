"""What a character of a sentence is in LaTeX: tables for signs, Unicode's own names and decompositions for the rest."""

import unicodedata
from typing import Final

TEXT: Final = {
    "_": r"\_",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "^": r"\^{}",
    "~": r"\~{}",
    "−": "-",
    "–": "--",
    "—": "---",
    "’": "'",
    "“": "``",
    "”": "''",
    "…": r"\dots{}",
    "§": r"\S{}",
    "ø": r"\o{}",
    "ł": r"\l{}",
    "ß": r"\ss{}",
}
"""Characters that stay in the text."""

MATHEMATICS: Final = {
    "<": "<",
    ">": ">",
    "|": "|",
    "‖": r"\|",
    "ℓ": r"\ell",
    "∇": r"\nabla",
    "∂": r"\partial",
    "Σ": r"\sum",
    "∑": r"\sum",
    "Π": r"\prod",
    "∏": r"\prod",
    "∫": r"\int",
    "√": r"\surd",
    "½": r"\frac12",
    "¼": r"\frac14",
    "⅓": r"\frac13",
    "±": r"\pm",
    "∓": r"\mp",
    "×": r"\times",
    "·": r"\cdot",
    "∘": r"\circ",
    "∗": "*",
    "∞": r"\infty",
    "≤": r"\le",
    "≥": r"\ge",
    "≠": r"\ne",
    "≈": r"\approx",
    "≡": r"\equiv",
    "∝": r"\propto",
    "∼": r"\sim",
    "≪": r"\ll",
    "≫": r"\gg",
    "→": r"\to",
    "←": r"\leftarrow",
    "↦": r"\mapsto",
    "⇒": r"\Rightarrow",
    "⇐": r"\Leftarrow",
    "⇔": r"\Leftrightarrow",
    "⟨": r"\langle",
    "⟩": r"\rangle",
    "∈": r"\in",
    "∉": r"\notin",
    "⊂": r"\subset",
    "⊆": r"\subseteq",
    "⊇": r"\supseteq",
    "∪": r"\cup",
    "∩": r"\cap",
    "∅": r"\emptyset",
    "∖": r"\setminus",
    "∀": r"\forall",
    "∃": r"\exists",
    "¬": r"\neg",
    "∧": r"\wedge",
    "∨": r"\vee",
    "⊥": r"\perp",
    "⊤": r"\top",
    "′": "'",
    "″": "''",
    "⌊": r"\lfloor",
    "⌋": r"\rfloor",
    "⌈": r"\lceil",
    "⌉": r"\rceil",
    "ℝ": r"\mathbf{R}",
    "𝟙": r"\mathbf{1}",
}
"""Signs that stand in mathematics."""

ACCENTS: Final = {
    "GRAVE": "`",
    "ACUTE": "'",
    "CIRCUMFLEX": "^",
    "TILDE": "~",
    "DIAERESIS": '"',
    "CEDILLA": "c",
    "CARON": "v",
}
"""Unicode's name of an accent to LaTeX's."""

HATS: Final = {"\N{COMBINING TILDE}": "tilde", "\N{COMBINING CIRCUMFLEX ACCENT}": "hat", "\N{COMBINING MACRON}": "bar"}
"""Accents over signs that have no character of their own with them, as the tilde of π̃."""


def sentence(text: str) -> str:
    """A sentence with everything LaTeX would stumble over written out."""
    out: list[str] = []
    for c in unicodedata.normalize("NFC", text):
        if c in HATS and out:
            out[-1] = rf"$\{HATS[c]}{{{out[-1].strip('$')}}}$"
        else:
            out.append(character(c))
    return "".join(out)


def character(c: str) -> str:
    """The character in a LaTeX text; itself when nothing is known of it, which a test refuses."""
    if c in TEXT:
        return TEXT[c]
    if c in MATHEMATICS:
        return f"${MATHEMATICS[c]}$"
    return c if c.isascii() else _greek(c) or _decomposed(c) or c


def _greek(c: str) -> str:
    """The command with the letter's name; capitals that are Latin letters as such."""
    kind, _, letter = unicodedata.name(c, "").rpartition(" LETTER ")
    if kind == "GREEK SMALL" and letter.isalpha():
        return "$o$" if letter == "OMICRON" else rf"$\{letter.lower().replace('lamda', 'lambda')}$"
    if kind == "GREEK CAPITAL" and letter.isalpha():
        distinct = ("GAMMA", "DELTA", "THETA", "LAMDA", "XI", "UPSILON", "PHI", "PSI", "OMEGA")
        latin = {"ETA": "H", "RHO": "P", "CHI": "X"}.get(letter, letter[0])
        return rf"$\{letter.capitalize().replace('Lamda', 'Lambda')}$" if letter in distinct else f"${latin}$"
    return ""


def _decomposed(c: str) -> str:
    """What Unicode says a character is made of: a sign above or below the line, or a letter with an accent."""
    how, *codes = unicodedata.decomposition(c).split() or [""]
    if how in ("<super>", "<sub>"):
        inside = "".join(_in_mathematics(chr(int(code, 16))) for code in codes)
        mark = "^" if how == "<super>" else "_"
        return f"${mark}{inside}$" if inside.isalnum() and len(inside) == 1 else f"${mark}{{{inside}}}$"
    if how and not codes:  # one character is another, as the Kelvin sign is K
        return character(chr(int(how, 16)))
    if how and not how.startswith("<") and len(codes) == 1:
        accent = unicodedata.name(chr(int(codes[0], 16)), "").removeprefix("COMBINING ").removesuffix(" ACCENT")
        return rf"\{ACCENTS[accent]}{{{chr(int(how, 16))}}}" if accent in ACCENTS else ""
    return ""


def _in_mathematics(c: str) -> str:
    return "-" if c == "−" else c if c.isascii() else character(c).strip("$")
