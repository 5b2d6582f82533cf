"""Multilinear forms in scores, with balls as coefficients, and their components in the logits."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

from sympy import Symbol

from kltheory.calculus.sequence.loss import SCORES
from kltheory.numerics.balls import number
from kltheory.numerics.responses import ResponseTree, Tokens

Entry = tuple[Symbol, Tokens, int]
"""A score, and the prefix and token whose log-probability it moves."""
Component = tuple[tuple[Tokens, int], ...]
"""The logits, prefix and token, that a component belongs to: one for a gradient, two for a Jacobian."""


@dataclass(frozen=True)
class Form:
    """A multilinear form in scores: products of entries to their coefficients, a number under the empty product."""

    parts: dict[tuple[Entry, ...], Any]

    @classmethod
    def of(cls, x: Any) -> "Form":
        """A form; a ball is one of degree zero."""
        return x if isinstance(x, Form) else cls({(): x})

    @classmethod
    def total(cls, terms: Iterable[Any]) -> "Form":
        """The sum of forms and balls."""
        parts: dict[tuple[Entry, ...], Any] = {}
        for form in map(cls.of, terms):
            for key, x in form.parts.items():
                parts[key] = parts[key] + x if key in parts else x
        return cls(parts)

    def __add__(self, other: Any) -> "Form":
        return Form.total((self, other))

    __radd__ = __add__

    def __mul__(self, other: Any) -> "Form":
        pairs = product(self.parts.items(), Form.of(other).parts.items())
        return Form.total(Form({tuple(sorted(a + b, key=str)): x * y}) for (a, x), (b, y) in pairs)

    __rmul__ = __mul__


def in_logits(form: Any, tree: ResponseTree) -> dict[Component, Any]:
    """A form in scores by its components in the logits: the score of an entry is e_token - π at its prefix."""
    components: dict[Component, Any] = {}
    for entries, x in Form.of(form).parts.items():
        if not entries:
            continue  # an empty sum of scores
        for key, factor in _pulled(entries, tree):
            components[key] = components.get(key, number(0)) + x * factor
    return components


def _pulled(entries: tuple[Entry, ...], tree: ResponseTree) -> Iterator[tuple[Component, Any]]:
    if not entries:
        yield (), number(1)
        return
    (_, prefix, token), *rest = sorted(entries, key=lambda e: SCORES.index(e[0]))
    for key, factor in _pulled(tuple(rest), tree):
        for j, p in enumerate(tree.policy(prefix)):
            yield ((prefix, j), *key), factor * number(Fraction(j == token) - p)
