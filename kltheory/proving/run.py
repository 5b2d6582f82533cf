"""Running theorems: every claim by every engine, every mutant refuted, in parallel, in a stable order."""

import gc
import os
import time
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import lru_cache
from math import inf
from pathlib import Path

from kltheory.jax_versions import flags
from kltheory.proving.claims import Claim
from kltheory.proving.endings import reason_of
from kltheory.proving.engines import concretely
from kltheory.proving.halves import Half, decide, fails, mutants_of, numeric_half, symbolic_half
from kltheory.proving.mutants import KIND_HARMLESS
from kltheory.proving.pool import Lost, pool
from kltheory.proving.statement import written
from kltheory.proving.theorem import Theorem, collect
from kltheory.proving.verdict import Finding, MutantFinding, Report, Status, Verdict
from kltheory.proving.witnesses import Witness, find_witness


def run(theorem: Theorem) -> Report:
    """Decide a theorem: its verdict, what each engine found, its mutants, and whether all is as its author expects.

    What it raises becomes its report.
    """
    try:
        return report(theorem, symbolic_half(theorem))
    except KeyboardInterrupt:
        raise
    except BaseException as e:
        return undecided(theorem, reason_of(e))


def report(theorem: Theorem, exact: Half) -> Report:
    """The report, once the exact engines have spoken."""
    return combine(theorem, exact, numeric_half(theorem, exact))


def undecided(theorem: Theorem, reason: str) -> Report:
    """The report where nothing could be found out."""
    return Report(
        theorem.name, Verdict.UNDECIDED, Verdict.UNDECIDED, reason, problems=(reason,), assumed=theorem.hypotheses
    )


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
    twins = zip(mutants_of(theorem), numeric.mutants, strict=True)
    mutated = tuple(_mutant(theorem, mutant.claim, found) for mutant, found in twins) if not problems else ()
    problems += [f"mutant {m.name} survives, unexplained: {m.claim}" for m in mutated if not m.is_accounted_for]
    problems += _stale(theorem, mutated) if mutated else []
    if mutated and not any(m.killed_by for m in mutated):
        problems.append("vacuous: no mutant was refuted, so nothing shows that the check can fail")
    if verdict is not expected:
        problems.append(f"expected {expected.value}")
    seconds = exact.seconds + numeric.seconds + time.perf_counter() - start
    witness = exact.witness if verdict is Verdict.REFUTED else None
    return Report(
        theorem.name,
        verdict,
        expected,
        reason,
        tuple(found),
        mutated,
        witness,
        seconds,
        tuple(problems),
        theorem.assumptions,
    )


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


def _mutant(theorem: Theorem, claim: Claim, found: MutantFinding) -> MutantFinding:
    """Who refutes the mutant: the symbolic *no*, beside an engine or a certified witness that sees the difference.

    Where the calculus cannot tell, an engine that sees the difference is enough. A survivor comes with the reason why
    it is harmless, where there is one; the kind's, before the theorem's own. None excuses what an engine refutes.
    """
    if found.killed_by == ("symbolic",):
        other = "concrete" if fails(concretely(claim)) else "witness" if find_witness(claim) else ""
        return replace(found, killed_by=("symbolic", other) if other else ())
    if found.killed_by and "symbolic" not in found.killed_by and decide(claim).status is Status.HOLDS:
        return replace(found, killed_by=())
    reason = {**theorem.harmless, **KIND_HARMLESS.get(type(claim), {})}.get(found.name, "")
    if found.killed_by or found.explained or not reason:
        return found
    return replace(found, explained=reason, undecided="")


def _stale(theorem: Theorem, mutated: Sequence[MutantFinding]) -> list[str]:
    """Entries of ``harmless`` that explain nothing, or what an engine refutes, or what the kind explains already."""
    used = {(m.name, m.explained) for m in mutated}
    return [
        f"harmless names {n}, which needs no explanation" for n, why in theorem.harmless.items() if (n, why) not in used
    ]


# --- many theorems ------------------------------------------------------------------------------------------------
def run_all(
    theorems: Sequence[Theorem], workers: int | None = None, limit: float = inf
) -> Generator[Report, None, None]:
    """The reports in the order of the theorems; a crash in one becomes its report.

    Of several workers (all cores by default), half run the exact engines only, so that JAX starts and compiles as
    rarely as it can; the others run the numeric ones, and the exact ones while they have nothing else to do.

    Args:
        theorems: from files, where other processes find them.
        workers: how many processes; one without a limit is this one.
        limit: seconds that each half of the engines may take for one theorem; past it, that is its report.
    """
    count = min(workers or os.cpu_count() or 1, 2 * len(theorems))
    if count <= 1 and limit == inf:
        yield from map(run, theorems)
        return
    prepare = [_compile_quickly] * max(1, count // 2) + [_collect_rarely] * (count // 2 + count % 2)
    waiting, halves = deque(theorems), deque[tuple[Theorem, Half]]()
    asked: dict[int, Theorem] = {}
    done: dict[str, Report] = {}
    with pool(prepare[:count], limit) as made:
        for theorem in theorems:
            while theorem.name not in done:
                for worker in made.idle:
                    if halves and worker.prepare is _compile_quickly:
                        about, half = halves.popleft()
                        made.ask(worker, _report, about.file, about.name, half)
                    elif waiting:
                        about = waiting.popleft()
                        made.ask(worker, _exact, about.file, about.name)
                    else:
                        continue
                    asked[id(worker)] = about
                for worker, answer in made.answers():
                    about = asked.pop(id(worker))
                    match answer:
                        case Half():
                            halves.append((about, answer))
                        case Report():
                            done[about.name] = answer
                        case Lost(reason):
                            done[about.name] = undecided(about, reason)
            yield done.pop(theorem.name)


def _collect_rarely() -> None:
    """In a worker: expressions are trees, and nearly all of them go when nobody refers to them any more."""
    gc.set_threshold(1_000_000, 20, 50)


def _compile_quickly() -> None:
    """In a worker, before JAX starts: each operation runs a few hundred times, so compiling it well does not pay."""
    _collect_rarely()
    os.environ.setdefault("XLA_FLAGS", flags())


@lru_cache(maxsize=256)
def _in_file(file: str) -> dict[str, Theorem]:
    """In a worker: theorems are functions of files, so they are collected again rather than sent."""
    return {t.name: t for t in collect([Path(file)])}


def _exact(file: str, name: str) -> Half:
    return symbolic_half(_in_file(file)[name])


def _report(file: str, name: str, exact: Half) -> Report:
    return report(_in_file(file)[name], exact)
