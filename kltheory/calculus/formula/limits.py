"""How large a formula may be, and become: what is slow or has no finite real value is refused before SymPy meets it."""

from collections.abc import Iterable, Iterator
from itertools import combinations
from math import ceil, comb, prod
from typing import Final, NamedTuple

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
    Number,
    Pow,
    Rational,
    S,
    exp,
    log,
    preorder_traversal,
    sign,
)
from sympy.core.relational import Relational

MAX_CHARACTERS: Final = 2000
MAX_NODES: Final = 500
MAX_DEPTH: Final = 60
MAX_DIGITS: Final = 30  # of a number as written; the same bound holds for its power of ten
MAX_BITS: Final = 1024  # of a number as computed: what a float64 can hold
MAX_EXPONENT: Final = 64
MAX_DEGREE: Final = 256  # exponents inside one another, multiplied
MAX_TERMS: Final = 500  # once everything is multiplied out
MAX_LAYERS: Final = 20  # functions and powers inside one another: by how fast SymPy's questions about signs multiply
MAX_NUMBER_LAYERS: Final = 12  # the same in a number, whose digits are looked at
MAX_GUARDS: Final = 24  # different comparisons that abs, min, max, clamp, where, ... make: each may split every cell
MAX_WRITTEN: Final = 5000  # nodes once everything is written out: a condition with "or" repeats a branch
MAX_UNSETTLED: Final = 40  # nodes of a value not known to be real, inside abs, min, a comparison, ...
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
    written: int = 1  # nodes of the tree
    guards: frozenset[frozenset[Basic]] = frozenset()  # pairs that are compared; what is repeated splits no cell again


_MOST: Final = (MAX_DEGREE, MAX_TERMS, MAX_LAYERS, MAX_WRITTEN, MAX_GUARDS)
_GROWTH: Final = (
    "exponents inside one another, multiplied",
    "terms once multiplied out",
    "layers of functions",
    "names, numbers and operations once written out",
    "different comparisons in abs, min, max, clamp, where, ...",
)


def measure(made: Basic, known: dict[Basic, Size]) -> Size:
    """The size of ``made``, refusing what is too large, and what is not finite and real."""
    if made in known:
        return known[made]
    parts = [measure(arg, known) for arg in made.args] or [Size()]
    degree, terms = max(part.degree for part in parts), max(part.terms for part in parts)
    layers = _layers(made) + max(part.layers for part in parts)
    if made.is_number and layers > MAX_NUMBER_LAYERS:
        raise ValueError(f"layers of functions of a number: {layers} is more than {MAX_NUMBER_LAYERS}")
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
        power = max(1, ceil(abs(made.exp)))
        degree, terms = parts[0].degree * power, comb(power + parts[0].terms - 1, power)
    written = 1 + sum(part.written for part in parts)
    guards = frozenset(_guards(made)).union(*(part.guards for part in parts))
    values = (int(degree), terms, layers, written, len(guards))
    for value, most, what in zip(values, _MOST, _GROWTH, strict=True):
        if value > most:
            raise ValueError(f"{what}: {value} is more than {most}")
    return known.setdefault(made, Size(int(degree), terms, layers, written, guards))


def _guards(made: Basic) -> Iterator[frozenset[Basic]]:
    if isinstance(made, Max | Min):
        yield from map(frozenset, combinations(made.args, 2))
    elif isinstance(made, Abs | sign):
        yield frozenset({made.args[0], S.Zero})
    elif isinstance(made, Relational):
        yield frozenset(made.args)


def _layers(made: Basic) -> int:
    match made:
        case log() | Pow(base=Add(), exp=Number(is_negative=True)):
            return 4
        case Pow(exp=Rational(is_Integer=False)):
            return 3
        case Max() | Min():
            return 2
    return isinstance(made, Function | Pow)
