"""Half of the engines on one theorem: the exact ones, or those that compute; each half runs in a process of its own."""

import time
from dataclasses import dataclass

from kltheory.calculus.exact import Undecidable
from kltheory.proving.claims import Claim
from kltheory.proving.engines import concretely, numerically
from kltheory.proving.instances import instances
from kltheory.proving.mutants import Mutant, mutants
from kltheory.proving.statement import Refuted
from kltheory.proving.theorem import Theorem
from kltheory.proving.verdict import Finding, Status
from kltheory.proving.witnesses import Witness, find_witness


def decide(claim: Claim) -> Finding:
    """The symbolic engine."""
    try:
        return Finding("symbolic", Status.HOLDS if claim.decide() else Status.FAILS)
    except Undecidable as e:
        return Finding("symbolic", Status.UNDECIDED, None, str(e))


@dataclass(frozen=True)
class Half:
    """What half of the engines found: on the stated claim, on what has to be true, and which mutants they refute.

    ``looked`` says of each claim that has to be true whether an engine beside the calculus could look at it.
    """

    stated: tuple[Finding, ...]
    claims: tuple[Finding, ...]
    killers: tuple[str, ...]
    looked: tuple[bool, ...]
    witness: Witness | None = None
    seconds: float = 0.0


def symbolic_half(theorem: Theorem) -> Half:
    """The exact engines: symbolic, concrete, and the witness of a false claim."""
    start = time.perf_counter()
    built = theorem.stated
    pairs = [(decide(c), concretely(c)) for c in theorem.claims()]
    claims = [f for pair in pairs for f in pair]
    stated = [decide(built.claim), concretely(built.claim)] if isinstance(built, Refuted) else []
    false = [built.claim] if isinstance(built, Refuted) else [c for c in theorem.claims() if fails(decide(c))]
    witness = next(filter(None, map(find_witness, false)), None)
    killers = tuple("symbolic" if not m.unchanged and fails(decide(m.claim)) else "" for m in mutants_of(theorem))
    looked = tuple(_looks(spelled_out) for _, spelled_out in pairs)
    return Half(tuple(stated), tuple(claims), killers, looked, witness, time.perf_counter() - start)


def numeric_half(theorem: Theorem) -> Half:
    """The engines that compute: autodiff, enumeration, points; a general claim through its instances."""
    start = time.perf_counter()
    built = theorem.stated
    each = [[f for i in instances(c) for f in numerically(i)] for c in theorem.claims()]
    claims = [f for found in each for f in found]
    stated = [f for i in instances(built.claim) for f in numerically(i)] if isinstance(built, Refuted) else []
    killers = tuple("" if m.unchanged else _first_to_fail(m.claim) for m in mutants_of(theorem))
    looked = tuple(any(map(_looks, found)) for found in each)
    return Half(tuple(stated), tuple(claims), killers, looked, None, time.perf_counter() - start)


def _looks(found: Finding) -> bool:
    """Whether the engine could say anything."""
    return found.status is not Status.NOT_APPLICABLE


def fails(found: Finding) -> bool:
    """Whether the engine says no."""
    return found.status is Status.FAILS


def _first_to_fail(claim: Claim) -> str:
    return next((f.engine for f in numerically(instances(claim)[0]) if fails(f)), "")


def mutants_of(theorem: Theorem) -> list[Mutant]:
    """The mutants of everything that has to be true."""
    return [m for c in theorem.claims() for m in mutants(c)]
