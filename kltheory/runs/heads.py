"""From a SymPy expression to one of Polars: a further table of heads beside those of the bridge."""

import operator
from functools import reduce
from typing import Any, Final

import polars as pl
from sympy import Abs, And, Heaviside, Max, Min, Not, Or, Piecewise, Pow, asin, cosh, exp, log, sign, sinh, tanh
from sympy.codegen.cfunctions import expm1

from kltheory.calculus.symbols import sg
from kltheory.numerics.bridge import SHARED, Bridge, as_float
from kltheory.runs import ratios


def _expr(x: Any) -> pl.Expr:
    return x if isinstance(x, pl.Expr) else pl.lit(float(x))


def _power(base: Any, exponent: Any) -> Any:
    match exponent:
        case 2.0:
            return base * base
        case -1.0:
            return 1.0 / base
        case 0.5:
            return _expr(base).sqrt()
    return _expr(base) ** exponent


def _piecewise(*pairs: Any) -> pl.Expr:
    def otherwise(rest: pl.Expr, pair: Any) -> pl.Expr:
        value, condition = pair
        return _expr(value) if condition is True else pl.when(condition).then(_expr(value)).otherwise(rest)

    return reduce(otherwise, reversed(pairs), pl.lit(float("nan")))


def _step(x: Any, at_zero: Any) -> pl.Expr:
    return pl.when(x > 0).then(1.0).when(x < 0).then(0.0).otherwise(_expr(at_zero))


POLARS: Final = Bridge(
    {
        **SHARED,
        sg: lambda x: x,
        Pow: _power,
        exp: lambda x: _expr(x).exp(),
        log: lambda x: _expr(x).log(),
        asin: lambda x: _expr(x).arcsin(),
        expm1: lambda x: ratios.expm1(_expr(x)),
        sinh: lambda x: _expr(x).sinh(),
        cosh: lambda x: _expr(x).cosh(),
        tanh: lambda x: _expr(x).tanh(),
        Abs: lambda x: _expr(x).abs(),
        sign: lambda x: _expr(x).sign(),
        Heaviside: _step,
        Min: lambda *xs: pl.min_horizontal(*map(_expr, xs)),
        Max: lambda *xs: pl.max_horizontal(*map(_expr, xs)),
        And: lambda *xs: reduce(operator.and_, xs),
        Or: lambda *xs: reduce(operator.or_, xs),
        Not: operator.inv,
        Piecewise: _piecewise,
    },
    as_float,
)
"""Values as expressions of Polars, float64; ``sg`` is the identity."""
