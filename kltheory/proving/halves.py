"""Half of the engines on one theorem: the exact ones, then those that compute; each half in a process of its own."""

import time
from dataclasses import dataclass, replace

from kltheory.calculus.exact import Undecidable
from kltheory.proving.claims import Claim
from kltheory.proving.engines import concretely, numerically
from kltheory.proving.instances import instance, instances
from kltheory.proving.mutants import Mutant, mutants
from kltheory.proving.statement import Refuted, written
from kltheory.proving.theorem import Theorem
from kltheory.proving.verdict import Finding, MutantFinding, Status
from kltheory.proving.witnesses import Witness, find_witness


def decide(claim: Claim) -> Finding:
    """The symbolic engine."""
    try:
        return Finding("symbolic", Status.HOLDS if claim.decide() else Status.FAILS)
    except Undecidable as e:
        return Finding("symbolic", Status.UNDECIDED, None, str(e))


@dataclass(frozen=True)
class Half:
    """What half of the engines found: on the stated claim, on what has to be true, and on each mutant.

    ``looked`` says of each claim that has to be true whether an engine beside the calculus could look at it.
    """

    stated: tuple[Finding, ...]
    claims: tuple[Finding, ...]
    mutants: tuple[MutantFinding, ...]
    looked: tuple[bool, ...]
    seconds: float
    witness: Witness | None = None


def symbolic_half(theorem: Theorem) -> Half:
    """The exact engines: symbolic, concrete, and the witness of a false claim."""
    start = time.perf_counter()
    built = theorem.stated
    pairs = [(decide(c), concretely(c)) for c in theorem.claims()]
    claims = [f for pair in pairs for f in pair]
    stated = [decide(built.claim), concretely(built.claim)] if isinstance(built, Refuted) else []
    false = [built.claim] if isinstance(built, Refuted) else _failing(theorem, pairs)
    witness = next(filter(None, map(find_witness, false)), None)
    seen = tuple(map(_refuted, mutants_of(theorem)))
    looked = tuple(_looks(spelled_out) for _, spelled_out in pairs)
    return Half(tuple(stated), tuple(claims), seen, looked, time.perf_counter() - start, witness)


def _failing(theorem: Theorem, pairs: list[tuple[Finding, Finding]]) -> list[Claim]:
    return [c for c, (found, _) in zip(theorem.claims(), pairs, strict=True) if fails(found)]


def _refuted(mutant: Mutant) -> MutantFinding:
    """Whether the symbolic engine says no; where it does not, whether the edit is one."""
    found = decide(mutant.claim)
    if fails(found):
        return MutantFinding(mutant.name, written(mutant.claim), ("symbolic",))
    if mutant.unchanged:
        return MutantFinding(mutant.name, "", (), mutant.unchanged)
    return MutantFinding(mutant.name, written(mutant.claim), (), undecided=found.detail)


def numeric_half(theorem: Theorem, exact: Half) -> Half:
    """The engines that compute: autodiff, enumeration, points; a general claim through its instances.

    They look at every mutant that is an edit: at those that the symbolic engine refutes, since it takes two, and at the
    others, since what an engine refutes is not harmless.
    """
    start = time.perf_counter()
    built = theorem.stated
    each = [[f for i in instances(c) for f in numerically(i)] for c in theorem.claims()]
    claims = [f for found in each for f in found]
    stated = [f for i in instances(built.claim) for f in numerically(i)] if isinstance(built, Refuted) else []
    twins = zip(mutants_of(theorem), exact.mutants, strict=True)
    seen = tuple(_confirmed(mutant.claim, found) for mutant, found in twins)
    looked = tuple(any(map(_looks, found)) for found in each)
    return Half(tuple(stated), tuple(claims), seen, looked, time.perf_counter() - start)


def _looks(found: Finding) -> bool:
    """Whether the engine could say anything."""
    return found.status is not Status.NOT_APPLICABLE


def fails(found: Finding) -> bool:
    """Whether the engine says no."""
    return found.status is Status.FAILS


def _confirmed(claim: Claim, found: MutantFinding) -> MutantFinding:
    """The mutant with the numeric engine that sees, too, that it is false; undecided only if none can look."""
    if found.explained:
        return found
    looked = False
    for seen in numerically(instance(claim)):
        if fails(seen):
            return replace(found, killed_by=(*found.killed_by, seen.engine), undecided="")
        looked |= _looks(seen)
    return replace(found, undecided="") if looked else found


def mutants_of(theorem: Theorem) -> list[Mutant]:
    """The mutants of everything that has to be true."""
    return [m for c in theorem.claims() for m in mutants(c)]
