"""Generic values: what a number is taken to be that has no default and is not given. Never 0; a report says which."""

import inspect
import re
from typing import Any, Final

from kltheory.audit.source import annotation_of, is_around_one, is_bound, is_compared_with_numbers
from kltheory.calculus.names import words_of

NUMBERS: Final[tuple[tuple[str, Any], ...]] = (
    (r"ignore_(index|id|label)|label_pad.*", -100),
    (r"(pad|padding)(_token)?(_(id|idx|index|value))?", -100),
    (r"(eos|bos)(_token)?(_(id|idx|index))?", -1),
    (r"(.*_)?(temperature|temp)(_.*)?", 1.0),
    (r"(.*_)?(ratio|clip|range)_c|c_clip", 3.0),
    (r"(.*_)?(num|n)_.*|(.*_)?(size|length|len|steps|generations|samples|processes|world|count)|(top_?)?k", 2),
    (r"dim|axis", -1),
    (r"(.*_)?(max|cap|ceil|ceiling|upper)(_.*)?", 2.0),
    (r"(.*_)?(min|floor|lower)(_.*)?", 0.5),
    (r"(?!.*log)(.*_)?(clip|cliprange|clipping|epsilon|eps)(_.*)?", 0.2),
    (r"(.*_)?(low|high|delta|threshold|margin|tau|tolerance|bound)", 0.2),
    (r"(.*_)?(beta|alpha|gamma|lam|lambda|lambd|lmbda|eta|zeta|omega|kappa|phi|c)_?\d?", 0.5),
    (r"(.*_)?(coef|coeff|coefficient|scale|factor|strength|rate|lr|discount|power|order|skew)|.+_weight", 0.5),
)
"""Patterns of whole names, the first that fits, and the value. A range of 0.2 around 1, half of a penalty."""
GENERIC: Final = "generic values, --set NAME=VALUE for another"
"""The note that says so."""
STABILISER: Final = 1e-6
"""An ``eps`` that is no distance from 1 keeps something from being 0."""


def number_of_name(name: str) -> Any:
    """The generic value of what is a number by its name; ``None`` where the name does not say so."""
    snake = "_".join(words_of(name))
    return next((value for pattern, value in NUMBERS if re.fullmatch(pattern, snake)), None)


def bound_of_name(name: str, tree: Any) -> Any:
    """The generic value of an end of a range that is written out, and not as a distance from 1; else ``None``."""
    words = set(words_of(name))
    if is_around_one(tree, name) or not is_bound(tree, name):
        return None
    return 0.8 if words & {"low", "lower"} else 1.2 if words & {"high", "higher", "upper"} else None


def number_of(parameter: inspect.Parameter, tree: Any) -> Any:
    """The generic value of a parameter that is a number by its name, its annotation or its use; else ``None``."""
    name, annotation = parameter.name, annotation_of(parameter)
    if re.search(r"Tensor|Array|ndarray|list|dict|Mapping|Config", annotation):
        return None
    value = number_of_name(name)
    stated = re.fullmatch(r"(typing\.)?(Optional\[)?(float|int)\]?( ?\| ?(float|int|None))*", annotation)
    used = is_compared_with_numbers(tree, name) or is_bound(tree, name) or is_around_one(tree, name)
    if words_of(name)[-1:] in (["eps"], ["epsilon"]) and not is_around_one(tree, name) and "clip" not in name:
        return STABILISER
    if (end := bound_of_name(name, tree)) is not None:
        return end
    if value is not None:
        return value
    if stated:
        return 1 if "int" in annotation and "float" not in annotation else 0.5
    return (0.2 if is_around_one(tree, name) else 0.5) if used else None
