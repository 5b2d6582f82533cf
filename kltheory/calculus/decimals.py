"""Floats in formulas, read as the decimals that people mean."""

from math import ulp

from sympy import Expr, Float, Rational


def decimal(x: Float) -> Rational:
    """The decimal that a float stands for: 15 digits if they are within two roundings of it, else its shortest digits.

    So 0.1 + 0.2, which Python makes 0.30000000000000004, is 3/10, and 1 + 1e-15 is not 1.
    """
    short, digits = Rational(f"{float(x):.15g}"), Rational(repr(float(x))) if x._prec <= 53 else Rational(str(x))
    return short if abs(short - digits) <= 2 * Rational(ulp(float(x))) else digits


def in_decimals(expr: Expr) -> Expr:
    """The expression with every float replaced by the decimal it stands for."""
    return expr.xreplace({x: decimal(x) for x in expr.atoms(Float)}) if expr.has(Float) else expr
