"""Running theorems: every claim by every engine, every mutant refuted, in parallel, in a stable order."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.context import BaseContext
from pathlib import Path

from kltheory.proving.engines import concretely
from kltheory.proving.halves import Half, fails, mutants_of, numeric_half, symbolic_half
from kltheory.proving.mutants import KIND_HARMLESS, Mutant
from kltheory.proving.statement import written
from kltheory.proving.theorem import Theorem, collect
from kltheory.proving.verdict import Finding, MutantFinding, Report, Status, Verdict
from kltheory.proving.witnesses import Witness, find_witness


def run(theorem: Theorem) -> Report:
    """Decide a theorem: its verdict, what each engine found, its mutants, and whether all is as its author expects."""
    return combine(theorem, symbolic_half(theorem), numeric_half(theorem))


def combine(theorem: Theorem, exact: Half, numeric: Half) -> Report:
    """The report of both halves."""
    start = time.perf_counter()
    expected = theorem.expected()
    claims = _merged(exact.claims + numeric.claims)
    if expected is Verdict.REFUTED:
        found = _merged(exact.stated + numeric.stated)
        problems = [f"the corrected claim: {p}" for p in _problems(claims)]
    else:
        found = claims
        problems = _problems(found)
    verdict, reason = _verdict(found, exact.witness)
    unseen = [c for c, a, b in zip(theorem.claims(), exact.looked, numeric.looked, strict=True) if not (a or b)]
    problems += [f"no engine beside the calculus looked at {written(c)}" for c in unseen if verdict is expected]
    killers = zip(mutants_of(theorem), exact.killers, numeric.killers, strict=True)
    mutated = tuple(_mutant(theorem, m, s, n) for m, s, n in killers) if not problems else ()
    problems += [f"mutant {m.name} survives, unexplained: {m.claim}" for m in mutated if not m.is_accounted_for]
    problems += _stale(theorem, mutated) if mutated else []
    if mutated and not any(m.killed_by for m in mutated):
        problems.append("vacuous: no mutant was refuted, so nothing shows that the check can fail")
    if verdict is not expected:
        problems.append(f"expected {expected.value}")
    seconds = exact.seconds + numeric.seconds + time.perf_counter() - start
    witness = exact.witness if verdict is Verdict.REFUTED else None
    return Report(theorem.name, verdict, expected, reason, tuple(found), mutated, witness, seconds, tuple(problems))


def _verdict(found: Sequence[Finding], witness: Witness | None) -> tuple[Verdict, str]:
    """A *no* needs a certified counterexample, a *yes* that nothing contradicts it; else UNDECIDED, and who differs."""
    symbolic = next(f for f in found if f.engine == "symbolic")
    others = [f for f in found if f.engine != "symbolic"]
    no, yes = ([f.engine for f in others if f.status is s] for s in (Status.FAILS, Status.HOLDS))
    if symbolic.status is Status.HOLDS:
        contradicting = no + (["a certified counterexample"] if witness else [])
        reason = f"the symbolic engine proves it, and {', '.join(contradicting)} disagrees"
        return (Verdict.UNDECIDED, reason) if contradicting else (Verdict.PROVED, "")
    if witness is not None:
        return Verdict.REFUTED, ""
    if symbolic.status is Status.UNDECIDED:
        return Verdict.UNDECIDED, symbolic.detail
    refuting = f"{_names(['the symbolic engine', *no])} {'refute' if no else 'refutes'} it, "
    holding = f"{_names(yes)} {'hold' if len(yes) > 1 else 'holds'}, " if yes else ""
    return Verdict.UNDECIDED, f"{refuting}{holding}and no counterexample was certified"


def _names(engines: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(engines[:-1]), engines[-1])))


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


def _mutant(theorem: Theorem, mutant: Mutant, symbolic: str, numeric: str) -> MutantFinding:
    """Who refutes the mutant: the symbolic *no*, beside an engine or a certified witness that sees the difference."""
    if mutant.unchanged:
        return MutantFinding(mutant.name, "", (), mutant.unchanged)
    if symbolic and not numeric:
        numeric = "concrete" if fails(concretely(mutant.claim)) else "witness" if find_witness(mutant.claim) else ""
    killers = (symbolic, numeric) if symbolic and numeric else ()
    reasons = {**KIND_HARMLESS.get(type(mutant.claim), {}), **theorem.harmless}
    explained = "" if killers else reasons.get(mutant.name, "")
    return MutantFinding(mutant.name, written(mutant.claim), killers, explained)


def _stale(theorem: Theorem, mutated: Sequence[MutantFinding]) -> list[str]:
    """Entries of ``harmless`` that explain nothing."""
    used = {m.name for m in mutated if m.explained}
    return [f"harmless names {n}, which needs no explanation" for n in theorem.harmless if n not in used]


# --- many theorems ------------------------------------------------------------------------------------------------
def run_all(theorems: Sequence[Theorem], workers: int | None = None) -> Iterator[Report]:
    """The reports in the order of the theorems; a crash in one becomes its report.

    With several workers (all cores by default), half of them run the exact engines and half the numeric ones, so that
    JAX starts and compiles as rarely as it can.
    """
    workers = min(workers or os.cpu_count() or 1, 2 * len(theorems))
    if workers <= 1:
        yield from (_safely(run, t) for t in theorems)
        return
    context = process_context()
    with (
        ProcessPoolExecutor(workers - workers // 2, context) as exact,
        ProcessPoolExecutor(workers // 2, context, _compile_quickly) as numeric,
    ):
        halves = [
            (exact.submit(_half, symbolic_half, t.file, t.name), numeric.submit(_half, numeric_half, t.file, t.name))
            for t in theorems
        ]
        for t, (a, b) in zip(theorems, halves, strict=True):
            yield _safely(_joined, t, a, b)


def process_context() -> BaseContext:
    """How workers start: forked, which is quick, unless JAX, which has threads, is loaded already."""
    safe_to_fork = "jax" not in sys.modules and "fork" in get_all_start_methods()
    return get_context("fork" if safe_to_fork else "spawn")


def _compile_quickly() -> None:
    """In a worker, before JAX starts: each operation runs a few hundred times, so compiling it well does not pay."""
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")


def _half(work: Callable[[Theorem], Half], file: str, name: str) -> Half:
    """In a worker: theorems are functions of files, so they are collected again rather than sent."""
    return work(next(t for t in collect([Path(file)]) if t.name == name))


def _joined(theorem: Theorem, exact: Future[Half], numeric: Future[Half]) -> Report:
    return combine(theorem, exact.result(), numeric.result())


def _safely(report: Callable[..., Report], theorem: Theorem, *halves: Future[Half]) -> Report:
    try:
        return report(theorem, *halves)
    except (Exception, SystemExit) as e:
        reason = f"{type(e).__name__}: {e}"
        return Report(theorem.name, Verdict.UNDECIDED, Verdict.PROVED, reason, problems=(reason,))
