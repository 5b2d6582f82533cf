"""Running theorems: every claim by every engine, every mutant refuted, in parallel, in a stable order."""

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path

from kltheory.calculus.exact import Undecidable
from kltheory.proving.claims import Claim
from kltheory.proving.engines import concretely, numerically
from kltheory.proving.instances import instances
from kltheory.proving.mutants import KIND_HARMLESS, Mutant, mutants
from kltheory.proving.theorem import Refuted, Theorem, collect
from kltheory.proving.verdict import Finding, MutantFinding, Report, Status, Verdict
from kltheory.proving.witnesses import Witness, find_witness


def decide(claim: Claim) -> Finding:
    """The symbolic engine."""
    try:
        return Finding("symbolic", Status.HOLDS if claim.decide() else Status.FAILS)
    except Undecidable as e:
        return Finding("symbolic", Status.UNDECIDED, None, str(e))


def findings(claim: Claim) -> list[Finding]:
    """All engines on one claim; a general claim is looked at numerically through its instances."""
    numeric = chain.from_iterable(numerically(i) for i in instances(claim))
    return [decide(claim), concretely(claim), *numeric]


def run(theorem: Theorem) -> Report:
    """Decide a theorem: its verdict, what each engine found, its mutants, and whether all is as its author expects."""
    start = time.perf_counter()
    built = theorem.build()
    expected = theorem.expected()
    corrected = [f for c in theorem.claims() for f in findings(c)]
    witness: Witness | None = None
    if isinstance(built, Refuted):
        found = _merged(findings(built.claim))
        witness = find_witness(built.claim)
        verdict, reason = _refuted(found, witness)
        problems = [f"the corrected claim: {p}" for p in _problems(corrected)]
    else:
        found = _merged(corrected)
        verdict, reason = _verdict(found)
        problems = _problems(found)
        if verdict is Verdict.REFUTED:
            failing = (c for c in theorem.claims() if decide(c).status is Status.FAILS)
            witness = next(filter(None, map(find_witness, failing)), None)
    mutated = tuple(_mutant(theorem, m) for c in theorem.claims() for m in mutants(c)) if not problems else ()
    problems += [f"mutant {m.name} survives, unexplained: {m.claim}" for m in mutated if not m.is_accounted_for]
    problems += _stale(theorem, mutated) if mutated else []
    if mutated and not any(m.killed_by for m in mutated):
        problems.append("vacuous: no mutant was refuted, so nothing shows that the check can fail")
    if verdict is not expected:
        problems.append(f"expected {expected.value}")
    seconds = time.perf_counter() - start
    return Report(theorem.name, verdict, expected, reason, tuple(found), mutated, witness, seconds, tuple(problems))


def _verdict(found: Sequence[Finding]) -> tuple[Verdict, str]:
    symbolic = next(f for f in found if f.engine == "symbolic")
    disagreeing = [f.engine for f in found if f.status is Status.FAILS and f.engine != "symbolic"]
    if symbolic.status is Status.UNDECIDED:
        return Verdict.UNDECIDED, symbolic.detail
    if symbolic.status is Status.FAILS:
        return Verdict.REFUTED, ""
    if disagreeing:
        return Verdict.UNDECIDED, f"the symbolic engine proves it, and {', '.join(disagreeing)} disagrees"
    return Verdict.PROVED, ""


def _refuted(found: Sequence[Finding], witness: Witness | None) -> tuple[Verdict, str]:
    """A refutation needs a certified witness; the symbolic *no* alone is not shown to anybody."""
    if witness is not None:
        return Verdict.REFUTED, ""
    verdict, reason = _verdict(found)
    return (
        (Verdict.UNDECIDED, "refuted symbolically, but no witness was certified")
        if verdict is Verdict.REFUTED
        else (verdict, reason)
    )


def _problems(found: Sequence[Finding]) -> list[str]:
    return [f"{f.engine}: {f.status.value}: {f.detail}" for f in found if f.status in (Status.FAILS, Status.UNDECIDED)]


def _merged(found: Sequence[Finding]) -> list[Finding]:
    """One finding an engine: the worst of its claims, with the largest residual."""
    order = [Status.NOT_APPLICABLE, Status.HOLDS, Status.UNDECIDED, Status.FAILS]
    engines = dict.fromkeys(f.engine for f in found)
    return [
        max((f for f in found if f.engine == e), key=lambda f: (order.index(f.status), f.residual or 0.0))
        for e in engines
    ]


def _mutant(theorem: Theorem, mutant: Mutant) -> MutantFinding:
    """Who refutes the mutant: the symbolic *no*, beside an engine or a certified witness that sees the difference."""
    if mutant.unchanged:
        return MutantFinding(mutant.name, "", (), mutant.unchanged)
    killers: list[str] = []
    if decide(mutant.claim).status is Status.FAILS:
        first = next((f for f in numerically(instances(mutant.claim)[0]) if f.status is Status.FAILS), None)
        killers = [first.engine] if first else []
        if not killers and concretely(mutant.claim).status is Status.FAILS:
            killers = ["concrete"]
        if not killers and find_witness(mutant.claim):
            killers = ["witness"]
        killers = ["symbolic", *killers] if killers else []
    reasons = {**KIND_HARMLESS.get(type(mutant.claim), {}), **theorem.harmless}
    explained = "" if killers else reasons.get(mutant.name, "")
    return MutantFinding(mutant.name, str(mutant.claim), tuple(killers), explained)


def _stale(theorem: Theorem, mutated: Sequence[MutantFinding]) -> list[str]:
    """Entries of ``harmless`` that explain nothing."""
    used = {m.name for m in mutated if m.explained}
    return [f"harmless names {n}, which needs no explanation" for n in theorem.harmless if n not in used]


# --- many theorems ------------------------------------------------------------------------------------------------
def run_all(theorems: Sequence[Theorem], workers: int | None = None) -> Iterator[Report]:
    """The reports in the order of the theorems, on all cores by default; a crash in one becomes its report."""
    workers = min(workers or os.cpu_count() or 1, len(theorems))
    if workers <= 1:
        yield from map(_safely, theorems)
        return
    method = "fork" if "fork" in get_all_start_methods() else "spawn"
    with ProcessPoolExecutor(workers, mp_context=get_context(method)) as pool:
        yield from pool.map(_by_name, [t.file for t in theorems], [t.name for t in theorems])


def _by_name(file: str, name: str) -> Report:
    """In a worker: theorems are functions of files, so they are collected again rather than sent."""
    return _safely(next(t for t in collect([Path(file)]) if t.name == name))


def _safely(theorem: Theorem) -> Report:
    start = time.perf_counter()
    try:
        return run(theorem)
    except Exception as e:
        seconds, reason = time.perf_counter() - start, f"{type(e).__name__}: {e}"
        return Report(theorem.name, Verdict.UNDECIDED, Verdict.PROVED, reason, seconds=seconds, problems=(reason,))
