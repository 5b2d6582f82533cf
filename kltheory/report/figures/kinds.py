"""The figures by name."""

from collections.abc import Callable, Iterator
from typing import Final

from kltheory.report.figures.classes import classes
from kltheory.report.figures.coefficients import coefficients
from kltheory.report.figures.field import field
from kltheory.report.figures.noise import drift, noise
from kltheory.report.figures.optima import optima
from kltheory.report.figures.style import Picture

KINDS: Final[dict[str, Callable[..., Picture]]] = {
    "table": classes,
    "coefficient": coefficients,
    "field": field,
    "variance": noise,
    "drift": drift,
    "optimum": optima,
}
"""Each as it is without options."""


def every() -> Iterator[Picture]:
    """All figures."""
    for draw in KINDS.values():
        yield draw()
