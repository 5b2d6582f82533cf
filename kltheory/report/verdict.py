"""What is descended, for people: a name, a generator, a potential, or a sum; and what becomes of an advantage."""

from collections.abc import Iterator
from typing import Any

from sympy import exp

from kltheory.calculus.coefficient import tidy
from kltheory.calculus.identify import Identification, by_cell
from kltheory.calculus.notation import in_probabilities, text
from kltheory.calculus.push import SIGNS, Push, multiple, named
from kltheory.calculus.regions import Region
from kltheory.calculus.symbols import log_weight, logp, weight

NO_SUM = "Σ F with ∂F/∂π = C, no closed form found"


def verdict(found: Identification) -> str:
    """What the expected gradient is the gradient of."""
    if found.penalty is not None:
        return _whole(found, found.penalty)
    if found.terms is not None:
        return found.title if found.terms else "0 (no gradient)"
    if found.f is not None:
        return found.of_generator
    if found.poles:
        return f"nothing that is finite on both sides of a pole: C is infinite {found.poles[0].where}"
    return summed(found) or _in_pieces(found) or NO_SUM


def summed(found: Identification) -> str | None:
    """The sum descended when C is no function of one quotient: an expectation under the old policy if it is one."""
    if found.objective is None:
        return None
    summand = found.objective.summand
    per_sample = tidy(summand * exp(log_weight - logp))
    if not per_sample.free_symbols & {logp, log_weight, weight}:
        return f"E_old[{text(per_sample)}]"
    return f"Σ {text(in_probabilities(summand))}"


def _in_pieces(found: Identification) -> str:
    """The objective cut up by thresholds, where every piece has a name."""
    pieces = by_cell(found.coefficient)
    if len(pieces) == 1 or any(f.terms is None for _, f in pieces):
        return ""
    return "in pieces, up to a constant in each: " + "; ".join(f"{f.title} where {r}" for r, f in pieces)


# --- with an advantage ------------------------------------------------------------------------------------------------
def _whole(found: Identification, penalty: Identification) -> str:
    """The part with the advantage and the penalty's, as a sum."""
    if found.name != "none":
        return found.title
    rewarded = _of_advantage(found.pushes)
    return rewarded if penalty.terms == () else f"{rewarded}, plus {verdict(penalty)}"


def _of_advantage(pushes: tuple[Push, ...]) -> str:
    if found := named(pushes):
        return found
    missing = sorted({str(s) for push in pushes for s in push.constants})
    why = f"needs a number for {' and '.join(missing)}" if missing else "no closed form found"
    return f"Σ_a A*F with ∂F/∂π = C/A: {why}"


def about_advantage(pushes: tuple[Push, ...]) -> Iterator[str]:
    """What follows for actions with an advantage: where it is the policy gradient, where nothing, and what it lacks."""
    if not pushes:
        return
    if multiple(pushes) is None:
        yield from _places("-E_π[A]", [[r for r, e in p.coefficient.merged if e == -1] for p in pushes])
        yield from _places("nothing", [list(p.dead) for p in pushes])
        yield "a number added to every advantage changes the expected gradient: no baseline is free"
    for push in pushes:
        if push.is_bounded_below is False:
            yield f"for {SIGNS[push.sign]} there is no lower bound: it falls for ever as w falls to 0"


def _places(what: str, where: list[list[Region]]) -> Iterator[str]:
    """Where something is descended, for each sign of the advantage in order."""
    shown = [" or ".join(map(str, regions)) for regions in where]
    if shown[0] == shown[1]:
        yield from ([f"{what} where {shown[0]}"] if shown[0] else [])
        return
    cases = [f"where {place}, for {name}" for place, name in zip(shown, SIGNS.values(), strict=True) if place]
    yield f"{what} {'; '.join(cases)}".replace("where everywhere", "everywhere")


def advantage_json(pushes: tuple[Push, ...]) -> list[dict[str, Any]]:
    """Plain data, one for each sign of the advantage."""
    return [
        {**push.to_json(), "coefficient": str(push.coefficient), "dead": [str(r) for r in push.dead]} for push in pushes
    ]
