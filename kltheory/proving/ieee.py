"""Real arithmetic with IEEE 754's infinities: overflow, ∞ - ∞ = 0·∞ = nan, and the chain rule in reverse.

Rounding is left out, so a value too near the overflow threshold of the format is undecidable.
"""

from sympy import Add, Expr, Integer, Max, Min, Mul, Pow, Rational, S, exp, nan, oo

from kltheory.calculus.enclosure import sign_of
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.symbols import log_ratio, sg
from kltheory.numerics.rounded import Format


def sign_above(x: Expr, kind: Format) -> int:
    """1 where x, perhaps some roundings off, overflows to +infinity, and -1 where it does not.

    Raises:
        Undecidable: it is within four units in the last place of the threshold.
    """
    near = Rational(1, 2 ** (kind.digits - 2))
    if sign_of(x - kind.overflow * (1 + near), {}) == 1:
        return 1
    if sign_of(x - kind.overflow * (1 - near), {}) == -1:
        return -1
    raise Undecidable(f"{x} is too near the overflow of {kind.name}")


def value_and_gradient(expr: Expr, at: Expr, kind: Format) -> tuple[Expr, Expr]:
    """The value of a formula in l, and its derivative by l with ``sg`` held, at a number of the format or ±∞.

    Raises:
        Undecidable: a head has no rule, a clamp is on its kink, or a value is too near the overflow.
    """
    values: dict[Expr, Expr] = {}

    def forward(e: Expr) -> Expr:
        if e not in values:
            values[e] = at if e == log_ratio else e if e.is_number else limited(_apply(e, [forward(a) for a in e.args]))
        return values[e]

    def limited(x: Expr) -> Expr:
        if not x.is_finite:
            return x
        for side in (1, -1):
            if sign_above(side * x, kind) == 1:
                return side * oo
        return x

    def back(e: Expr, adjoint: Expr) -> Expr:
        """The sum of what arrives at l."""
        if e == log_ratio:
            return adjoint
        if isinstance(e, sg) or not e.has(log_ratio):
            return S.Zero
        factors = _derivatives(e, [values[a] for a in e.args], values[e])
        parts = [back(a, limited(adjoint * f)) for a, f in zip(e.args, factors, strict=True) if a.has(log_ratio)]
        return limited(Add(*parts))

    value = forward(expr)
    return value, back(expr, S.One)


def _apply(e: Expr, args: list[Expr]) -> Expr:
    if any(a is nan for a in args):
        return nan
    if isinstance(e, sg):
        return args[0]
    if isinstance(e, (Add, Mul, exp, Min, Max)) or (isinstance(e, Pow) and isinstance(args[1], Integer)):
        return e.func(*args)
    raise Undecidable(f"no rule for {e.func.__name__}")


def _derivatives(e: Expr, args: list[Expr], value: Expr) -> list[Expr]:
    """∂e/∂arg for each argument, as code computes it; the branch that a clamp does not take gets 0 and passes it on."""
    if isinstance(e, Add):
        return [S.One for _ in args]
    if isinstance(e, Mul):
        return [Mul(*args[:i], *args[i + 1 :]) for i in range(len(args))]
    if isinstance(e, exp):
        return [value]
    if isinstance(e, Pow):
        return [args[1] * args[0] ** (args[1] - 1), S.Zero]
    taken = [S.One if a == value else S.Zero for a in args]
    if sum(taken) != 1:
        raise Undecidable("a clamp on its kink, or of what is not a number")
    return taken
