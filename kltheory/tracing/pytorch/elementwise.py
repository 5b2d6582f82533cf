"""Numbers to a number: the operations that PyTorch applies entry by entry, under ATen's names."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sympy import Abs, Expr, Max, Min, Pow, S, cosh, exp, log, sinh, sqrt, tanh

from kltheory.tracing.conditions import above
from kltheory.tracing.entries import Entry, chosen, step


def _sigmoid(x: Expr) -> Expr:
    return 1 / (1 + exp(-x))


def _softplus(x: Expr, beta: Expr = S.One, threshold: Any = 20) -> Expr:
    """PyTorch's is the identity above the threshold, where the formula differs from it by less than 3e-9."""
    return chosen(above(beta * x, threshold), x, log(1 + exp(beta * x)) / beta)


def _xlogy(x: Expr, y: Expr) -> Expr:
    return S.Zero if x == 0 else x * log(y)


def _finite(x: Expr, *_: Entry) -> Expr:
    """``nan_to_num``: an expression in finite inputs is finite; of a constant, the true value is taken."""
    return S.ComplexInfinity if x.is_number and not x.is_finite else x


def _elu(x: Expr, alpha: Expr = S.One, scale: Expr = S.One, input_scale: Expr = S.One) -> Expr:
    return scale * chosen(above(x, S.Zero), x, alpha * (exp(input_scale * x) - 1))


ENTRYWISE: Final[Mapping[str, Callable[..., Entry]]] = {
    "exp": exp,
    "exp2": lambda x: Pow(2, x),
    "expm1": lambda x: exp(x) - 1,
    "log": log,
    "log2": lambda x: log(x) / log(2),
    "log10": lambda x: log(x) / log(10),
    "log1p": lambda x: log(1 + x),
    "sqrt": sqrt,
    "rsqrt": lambda x: 1 / sqrt(x),
    "square": lambda x: x**2,
    "reciprocal": lambda x: 1 / x,
    "neg": lambda x: -x,
    "positive": lambda x: x,
    "abs": Abs,
    "sign": step,
    "sgn": step,
    "sigmoid": _sigmoid,
    "logit": lambda x: log(x) - log(1 - x),
    "log_sigmoid_forward": lambda x: -log(1 + exp(-x)),
    "softplus": _softplus,
    "silu": lambda x: x * _sigmoid(x),
    "elu": _elu,
    "tanh": tanh,
    "sinh": sinh,
    "cosh": cosh,
    "relu": lambda x: Max(x, 0),
    "leaky_relu": lambda x, slope: chosen(above(x, S.Zero), x, slope * x),
    "threshold": lambda x, at, value: chosen(above(x, at), x, value),
    "hardtanh": lambda x, low=-S.One, high=S.One: Min(Max(x, low), high),
    "mul": lambda x, y: x * y,
    "pow": Pow,
    "maximum": Max,
    "minimum": Min,
    "fmax": Max,
    "fmin": Min,
    "clamp_min": Max,
    "clamp_max": Min,
    "xlogy": _xlogy,
    "logaddexp": lambda x, y: log(exp(x) + exp(y)),
    "lerp": lambda x, end, weight: x + weight * (end - x),
    "nan_to_num": _finite,
}
"""Truth values are read as 0 and 1."""
