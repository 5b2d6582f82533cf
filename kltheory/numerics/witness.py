"""Witnesses: a small setting on which two coefficients, or two values, certainly differ.

Everything here is computed in balls, from the coefficient's cells, action by action; floats only rank certificates.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

from sympy import Expr, exp

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.moments import At, Mean
from kltheory.calculus.regions import Region
from kltheory.calculus.symbols import erase_sg, logp, to_quotients
from kltheory.numerics.balls import Ambiguous, certain_sign, enclose, number, threshold
from kltheory.numerics.bridge import NO_PARAMETERS, Parameters
from kltheory.numerics.certificate import GRADIENT, POINT, VALUE, Certificate, Quantity, certify
from kltheory.numerics.rational import Point, RationalSetting, small_settings

CHOICES: Final = 6
"""How many settings that work are compared before the clearest is shown."""


def gradient(coefficient: Coefficient, setting: RationalSetting, parameters: Parameters = NO_PARAMETERS) -> list[Any]:
    """Enclosures (``arb``) of π_j (C_j − Σ_i π_i C_i) for each action j, at the current precision.

    Raises:
        Ambiguous: whether an action lies in a cell is not decided, or C is not finite there.
        NotNumeric: a symbol has no value, or a head is in no table.
    """
    p = [number(x) for x in setting.policy]
    c = points(coefficient, setting, parameters)
    mean = sum((a * b for a, b in zip(p, c, strict=True)), number(0))
    return [a * (b - mean) for a, b in zip(p, c, strict=True)]


def points(coefficient: Coefficient, setting: RationalSetting, parameters: Parameters = NO_PARAMETERS) -> list[Any]:
    """Enclosures (``arb``) of C at each action, at the current precision. Raises as above."""
    at = {**parameters, **_means((e for _, e in coefficient.cells), setting, parameters)}
    return [_at(coefficient, {**at, **point}) for point in setting.points()]


def value(summand: Expr, setting: RationalSetting, parameters: Parameters = NO_PARAMETERS) -> Any:
    """An enclosure (``arb``) of Σ_a F(a), at the current precision. Raises as above."""
    canonical = to_quotients(erase_sg(summand))
    at = {**parameters, **_means([canonical], setting, parameters)}
    return sum((enclose(canonical, {**at, **point}) for point in setting.points()), number(0))


def moment(expr: Expr, setting: RationalSetting, parameters: Parameters = NO_PARAMETERS) -> Any:
    """An enclosure (``arb``) of a formula in means, at the current precision. Raises as above."""
    return enclose(expr, {**parameters, **_means([expr], setting, parameters)})


def _means(exprs: Iterable[Expr], setting: RationalSetting, parameters: Parameters) -> Point:
    """An enclosure of every mean, and of every value at one action, in the formulas."""
    exprs = list(exprs)
    found: Point = {m: value(exp(logp) * m.integrand, setting, parameters) for e in exprs for m in e.atoms(Mean)}
    for v in {v for e in exprs for v in e.atoms(At)}:
        at = {**parameters, **_means([v.integrand], setting, parameters), **setting.points()[v.action]}
        found[v] = enclose(v.integrand, at)
    return found


def _at(coefficient: Coefficient, point: Point) -> Any:
    for region, expr in coefficient.cells:
        if _inside(region, point):
            return enclose(expr, point)
    raise Ambiguous("the point is on the boundary of two cells")


def _inside(region: Region, point: Point) -> bool:
    for variable in region.box:
        if region.is_cut(variable):
            lo, hi = region.bounds(variable)
            if lo is not None and certain_sign(point[variable] - threshold(lo)) < 0:
                return False
            if hi is not None and certain_sign(threshold(hi) - point[variable]) < 0:
                return False
    return all(certain_sign(enclose(g, point)) == s for g, s in region.conditions.items())


def search(name: str, left: Quantity, right: Quantity) -> Certificate | None:
    """The clearest certificate of the first few settings that have one; ``None`` when none has."""
    found = (c for s in small_settings() if (c := certify(name, left, right, s)) is not None)
    return max(islice(found, CHOICES), key=lambda c: abs(float(c.difference.mid)), default=None)


def certify_difference(
    left: Coefficient, right: Coefficient, setting: RationalSetting, parameters: Parameters = NO_PARAMETERS
) -> Certificate | None:
    """A proof that two coefficients have different expected gradients on a setting, if there is one."""
    return certify(GRADIENT, _gradient_of(left, parameters), _gradient_of(right, parameters), setting)


def find_witness(left: Coefficient, right: Coefficient, parameters: Parameters = NO_PARAMETERS) -> Certificate | None:
    """A setting, V >= 3, on which two coefficients have certainly different expected gradients.

    Returns:
        The certificate; ``None`` if no setting of :func:`small_settings` shows a difference, which proves nothing.

    Raises:
        NotNumeric: a symbol has no value, or a head is in no table.
    """
    return search(GRADIENT, _gradient_of(left, parameters), _gradient_of(right, parameters))


def find_value_witness(left: Expr, right: Expr, parameters: Parameters = NO_PARAMETERS) -> Certificate | None:
    """A setting on which Σ_a left(a) and Σ_a right(a) certainly differ; otherwise as :func:`find_witness`."""
    return search(VALUE, lambda s: [value(left, s, parameters)], lambda s: [value(right, s, parameters)])


def find_pointwise_witness(
    left: Coefficient, right: Coefficient, parameters: Parameters = NO_PARAMETERS
) -> Certificate | None:
    """A setting and an action at which two functions, constants counting, certainly differ; as :func:`find_witness`."""
    return search(POINT, lambda s: points(left, s, parameters), lambda s: points(right, s, parameters))


def find_moment_witness(left: Expr, right: Expr, parameters: Parameters = NO_PARAMETERS) -> Certificate | None:
    """A setting on which two formulas in means certainly differ; otherwise as :func:`find_witness`."""
    return search(VALUE, lambda s: [moment(left, s, parameters)], lambda s: [moment(right, s, parameters)])


def certified_moment(expr: Expr, setting: RationalSetting) -> Certificate | None:
    """An enclosure of a formula in means on one exact setting; ``None`` when no precision excludes zero."""
    return certify(VALUE, lambda s: [moment(expr, s)], lambda s: [number(0)], setting)


def _gradient_of(coefficient: Coefficient, parameters: Parameters) -> Quantity:
    return lambda setting: gradient(coefficient, setting, parameters)
