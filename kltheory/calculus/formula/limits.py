"""How large a formula may be, and become: what is slow or has no finite real value is refused before SymPy meets it."""

from collections.abc import Iterable
from math import ceil, comb, prod
from typing import Final, NamedTuple

from sympy import Add, Basic, Expr, Function, I, Max, Min, Mul, Pow, Rational, exp, log, preorder_traversal

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


def decide_sign(x: Expr) -> None:
    """Refuse a number whose sign SymPy cannot find: log 6 - log 2 - log 3 is 0, and no digits show it."""
    if x.is_number and not x.is_zero and not x.is_comparable:
        raise ValueError("a number here cannot be told from 0")


def settle(values: Iterable[Basic], most: int) -> None:
    """Refuse a large value that SymPy cannot tell is real: splitting it into real and imaginary parts takes minutes."""
    for x in values:
        if isinstance(x, Expr) and not x.is_extended_real and sum(1 for _ in preorder_traversal(x)) > most:
            raise ValueError("too long for a value that may not be real: a log, root or quotient can be undefined")


def exponential(x: Expr, /) -> Expr:
    """exp(x), unless a number or a rate in it is too large. Raises ValueError."""
    for term in Add.make_args(x):
        rate = abs(term.as_independent(*term.free_symbols, as_Add=False)[0])
        limit = MAX_LOG if term.is_number else MAX_RATE
        if not rate.is_zero and bool(rate.evalf() > limit):
            raise ValueError(f"exp overflows: {'' if term.is_number else 'a factor in '}its argument exceeds {limit}")
    return exp(x)


class Size(NamedTuple):
    """What an expression may grow into."""

    degree: int = 1  # exponents inside one another, multiplied
    terms: int = 1  # once multiplied out
    layers: int = 0  # functions and powers inside one another


def measure(made: Basic, known: dict[Basic, Size]) -> Size:
    """The size of ``made``, refusing what is too large, and what is not finite and real."""
    if made in known:
        return known[made]
    parts = [measure(arg, known) for arg in made.args] or [Size()]
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
        exponential(made.args[0])
        terms = 1
    elif isinstance(made, Add):
        terms = sum(part.terms for part in parts)
    elif isinstance(made, Mul):
        terms = prod(part.terms for part in parts)
    elif isinstance(made, Pow) and made.exp.is_number:
        layers += 0 if made.exp.is_Integer else 2  # the signs of roots inside roots take SymPy exponential time
        power = max(1, ceil(abs(made.exp)))
        degree, terms = parts[0].degree * power, comb(power + parts[0].terms - 1, power)
    size = Size(int(degree), terms, layers)
    for value, most, what in zip(size, (MAX_DEGREE, MAX_TERMS, MAX_LAYERS), _GROWTH, strict=True):
        if value > most:
            raise ValueError(f"{what}: {value} is more than {most}")
    return known.setdefault(made, size)


_GROWTH: Final = ("exponents inside one another, multiplied", "terms once multiplied out", "layers of functions")
