"""Words: names that an assertion takes, and numbers in few digits."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from math import floor, log10


def known(what: str, name: object, names: Collection[str]) -> str:
    """The name, if it is one of these. Raises ValueError, with those that are close."""
    if isinstance(name, str) and name in names:
        return name
    close = get_close_matches(str(name), names, 2, 0.5)
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    raise ValueError(f"{what}={name!r}: {hint}it is one of {', '.join(names)}")


def positive(what: str, x: float) -> float:
    """The number, if it is one above zero. Raises ValueError."""
    if isinstance(x, bool) or not isinstance(x, (int, float)) or not x > 0:
        raise ValueError(f"{what}={x!r}: a positive number of nats is needed")
    return float(x)


def numbers(xs: Iterable[float]) -> str:
    """A row of numbers in four digits."""
    return f"({', '.join(f'{x + 0.0:.4g}' for x in xs)})"


def below(x: float) -> str:
    """A positive number in three digits, never rounded up."""
    digits = 2 - floor(log10(x))
    return f"{floor(x * 10.0**digits + 1e-9) / 10.0**digits:g}"
