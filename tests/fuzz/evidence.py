"""Evidence against a claim about one step: numbers at settings that contradict it, from its texts alone."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final

from fuzz import functions, gradients
from fuzz.case import Case
from fuzz.cells import Unclear
from fuzz.complaint import PRECISIONS, always_fails
from fuzz.dual import Dual, NoValue, TooFar
from fuzz.evaluate import Context, compiled
from fuzz.places import Tests, actions, vocabularies
from fuzz.settings import Point, Setting, shown
from fuzz.vocabulary import Vocabulary

EVIDENCE: Final[Mapping[str, Callable[[Case, Random, int], Tests]]] = {
    "SameGradient": gradients.gradients,
    "SameScore": gradients.scores,
    "SamplerFree": gradients.sampler,
    "IsDivergence": gradients.divergence,
    "GradientBound": gradients.bounds,
    "AgreesToOrder": functions.order,
    "Expansion": functions.expansion,
    "SameValue": functions.sums,
    "SameMoment": functions.moments,
    "HasSign": functions.sign,
    "Identity": functions.values,
    "Limit": functions.limit,
}


LOCAL: Final = ("Expansion", "Limit")
"""What speaks of l near one place alone."""


def against(case: Case, r: Random, effort: int = 1, precisions: Sequence[int] = PRECISIONS) -> str:
    """A setting at which the claim does not hold, with numbers; empty where none is found."""
    for test in EVIDENCE[case.kind](case, r, effort):
        try:
            if found := always_fails(test, precisions):
                return found
        except (Unclear, NoValue):
            continue
    return ""


def undefined(case: Case, r: Random) -> str:
    """An action or a setting at which one of its texts has no value; empty where none is found, or none matters."""
    if case.kind in LOCAL:
        return ""
    texts = [text for text in (case.left, case.right) if text not in ("", "oo", "-oo")]
    places = (vocabularies if case.has_means else actions)(case, r, 1)
    for place in places:
        for text in texts:
            try:
                _value(text, place, case.on_policy)
            except NoValue:
                return f"{text} at {shown(place)}"
            except (TooFar, Unclear):
                continue
    return ""


def _value(text: str, place: Point | Setting, on_policy: bool) -> Dual:
    if isinstance(place, Setting):
        return Vocabulary(place, on_policy).sum(text)
    return compiled(text)(Context(place.names(on_policy)))
