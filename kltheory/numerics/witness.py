"""Witnesses: a small setting on which two gradients, functions or numbers certainly differ.

Everything is evaluated from the formula as it is claimed, in dual balls, action by action: a certificate owes nothing
to the coefficient calculus.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from sympy import Expr

from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import to_quotients
from kltheory.numerics.balls import number
from kltheory.numerics.bridge import NO_PARAMETERS, Parameters
from kltheory.numerics.certificate import Certificate, Component, Numbers, Sides, certify
from kltheory.numerics.dual import derivatives, moved, slopes
from kltheory.numerics.rational import RationalSetting, small_settings
from kltheory.numerics.responses import same_row
from kltheory.numerics.spelled import Reading, Term, in_logits
from kltheory.numerics.spelled import gradient as spelled_gradient

CHOICES: Final = 6
"""How many settings that work are compared before the clearest is shown."""

Quantity = Callable[[RationalSetting], Numbers]
"""What is looked at on a setting."""

GRADIENT: Final = "component {} of the gradient".format
POINT: Final = "the value at action {}".format
SCORE: Final = "the gradient on a sample {0}, in the logit of {0},".format
VALUE: Final = "the value".format


def search(
    name: Callable[[Component], str],
    sides: tuple[Quantity, Quantity],
    settings: Iterable[RationalSetting] = (),
    sign: int = 0,
) -> Certificate | None:
    """The clearest certificate of the first few settings that have one; ``None`` when none has, which proves nothing.

    Raises:
        NotNumeric: a symbol has no value, or a head is in no table.
    """
    found = (c for s in settings or small_settings() if (c := certify(name, together(*sides), s, sign)) is not None)
    return max(islice(found, CHOICES), key=lambda c: abs(float(c.difference.mid)), default=None)


def together(left: Quantity, right: Quantity) -> Sides:
    """Both on one setting."""
    return lambda setting: (left(setting), right(setting))


def gradient(term: Term, sampler: Sampler, at: Parameters = NO_PARAMETERS) -> Quantity:
    """The expected gradient in each logit."""

    def components(setting: RationalSetting) -> Numbers:
        return {logit: x for (logit,), x in spelled_gradient(term, setting.tree, sampler, at).items()}

    return components


def score(surrogate: Surrogate, sampler: Sampler, at: Parameters = NO_PARAMETERS) -> Quantity:
    """One sample's gradient in its own logit, for each action that may be drawn."""

    def components(setting: RationalSetting) -> Numbers:
        tree = setting.tree
        reading = Reading(tree, at, sampler, 1)
        moved = {a: slopes(reading.of_response(surrogate, (a,))) for a in range(tree.size)}
        return {a: in_logits(x, tree).get((a,), number(0)) for a, x in moved.items()}

    return components


def factor(term: Term, sampler: Sampler, action: int, at: Parameters = NO_PARAMETERS) -> Quantity:
    """The expected gradient in one logit over its π, which is C - E[C] there."""

    def component(setting: RationalSetting) -> Numbers:
        g = spelled_gradient(term, setting.tree, sampler, at)
        return {None: g.get((action,), number(0)) * number(1 / setting.policy[action])}

    return component


def near_reference(term: Term, sampler: Sampler, order: int, at: Parameters = NO_PARAMETERS) -> Quantity:
    """Derivatives in t at 0 of C at action 0 less C at action 1, from the zeroth on.

    The first action has l = t, the second l = 0; the last one takes up what the reference of the first loses.
    """

    def by_order(setting: RationalSetting) -> Numbers:
        policy = setting.policy
        first = number(policy[0]) * (-moved(number(0), ("t",), order)).exp()
        reference = (first, *policy[1:-1], number(policy[0] + policy[-1]) - first)
        tree = replace(setting.tree, reference=same_row(reference))
        moving = slopes(Reading(tree, at, sampler, 1).expected(term))
        c = [moving.get((a,), number(0)) * number(1 / policy[a]) for a in (0, 1)]
        return derivatives(c[0] - c[1], "t", order)

    return by_order


def points(expr: Expr, at: Parameters = NO_PARAMETERS) -> Quantity:
    """A formula at each action."""

    def components(setting: RationalSetting) -> Numbers:
        reading = Reading(setting.tree, at)
        return {a: reading.value(to_quotients(expr), (a,), 0) for a in range(len(setting.policy))}

    return components


def value(term: Term, at: Parameters = NO_PARAMETERS) -> Quantity:
    """A sum over the vocabulary."""
    return lambda setting: {None: Reading(setting.tree, at).expected(term)}


def moment(expr: Expr, at: Parameters = NO_PARAMETERS) -> Quantity:
    """A formula in means, and values at single actions."""
    return lambda setting: {None: Reading(setting.tree, at).value(to_quotients(expr), (), 0)}


def constant(x: Any) -> Quantity:
    """The same number everywhere."""
    return lambda place: {None: number(x)}


def certified_moment(expr: Expr, setting: RationalSetting, sign: int = 0) -> Certificate | None:
    """An enclosure of a formula in means on one exact setting; ``None`` when no precision excludes zero."""
    return certify(VALUE, together(moment(expr), constant(0)), setting, sign)
