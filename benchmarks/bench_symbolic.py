"""Proof of the class table: the calculus, for every V at once, against SymPy's ``diff`` + ``simplify`` at V = 4, 8, 12.

The calculus is timed cold: its caches and SymPy's are emptied before every measurement. See README.md for the settings.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from itertools import cycle
from math import log
from pathlib import Path
from statistics import geometric_mean, median
from time import perf_counter
from typing import Any

import pytest
from statements import SUBSET, Statement, statements
from sympy.core.cache import clear_cache

HERE = Path(__file__).parent
SIZES = (4, 8, 12)
LIMIT = float(os.environ.get("KLTHEORY_BENCH_LIMIT", "20"))  # seconds for one baseline case
EVERY = bool(os.environ.get("KLTHEORY_BENCH_EVERY"))  # all smooth rows in the baseline

STATEMENTS = tuple(statements())
COMPARED = [s for s in STATEMENTS if s.smooth and (EVERY or s.name in SUBSET)]
assert EVERY or len(COMPARED) == len(SUBSET)


@cache
def caches() -> tuple[Any, ...]:
    """Every function of the calculus that remembers its results."""
    modules = [m for name, m in sys.modules.items() if name.startswith("kltheory.calculus.")]
    return tuple({f for m in modules for f in vars(m).values() if hasattr(f, "cache_clear")})


def go_cold() -> None:
    assert caches()
    for function in caches():
        function.cache_clear()
    clear_cache()


def seconds(function: Callable[[], object]) -> float:
    start = perf_counter()
    function()
    return perf_counter() - start


# --- the calculus -----------------------------------------------------------------------------------------------------
def test_the_whole_table(benchmark: Any, say: Callable[[str], None]) -> None:
    """All rows in one go, caches empty at the start."""
    answers = benchmark.pedantic(lambda: [s.decide() for s in STATEMENTS], setup=go_cold, rounds=5, warmup_rounds=1)
    assert answers == [s.holds for s in STATEMENTS]
    say(f"class table, {len(STATEMENTS)} statements, every V: {benchmark.stats.stats.median * 1e3:.0f} ms")


def test_one_decision(benchmark: Any, say: Callable[[str], None]) -> None:
    """Row after row, caches emptied before each: the median is that of a symbolic decision."""
    rows = cycle(STATEMENTS)
    taken: dict[str, list[float]] = {s.name: [] for s in STATEMENTS}

    def setup() -> tuple[tuple[Statement], dict[str, Any]]:
        go_cold()
        return (next(rows),), {}

    def decide(s: Statement) -> None:
        taken[s.name].append(seconds(lambda: s.decide() is s.holds or pytest.fail(s.name)))

    benchmark.pedantic(decide, setup=setup, rounds=5 * len(STATEMENTS))
    medians = {name: median(t) * 1e3 for name, t in taken.items()}
    slowest = max(medians, key=medians.__getitem__)
    benchmark.extra_info |= {"milliseconds": medians}
    say(
        f"one symbolic decision, cold: median {median(medians.values()):.1f} ms; "
        f"slowest {medians[slowest]:.0f} ms ({slowest})"
    )


# --- against the baseline ---------------------------------------------------------------------------------------------
def baseline(s: Statement, V: int) -> float | None:
    """Seconds of one case in a process of its own; ``None``: it did not finish."""
    command = [sys.executable, str(HERE / "symbolic_baseline.py"), s.name, str(V), str(LIMIT)]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    run = subprocess.run(command, env=environment, timeout=LIMIT + 120, capture_output=True, text=True)
    if run.returncode == -signal.SIGALRM:
        return None
    assert run.returncode == 0, run.stderr
    taken, answer = run.stdout.split()
    assert answer == str(s.holds)
    return float(taken)


def growth(times: dict[int, float]) -> str:
    """The exponent p of time ~ V^p between the smallest and the largest V that finished."""
    if len(times) < 2:
        return ""
    (v, a), *_, (w, b) = times.items()
    return f", ~V^{log(b / a) / log(w / v):.1f}"


@pytest.fixture(scope="module")
def ratios(say: Callable[[str], None]) -> Iterator[dict[int, list[float]]]:
    """Ratio after ratio for each V; their geometric means end the summary."""
    found: dict[int, list[float]] = {V: [] for V in SIZES}
    yield found
    for V, r in found.items():
        if r:
            say(f"V = {V}: simplify / calculus = {geometric_mean(r):.0f}, geometric mean of the {len(r)} that finished")


@pytest.mark.parametrize("statement", COMPARED, ids=lambda s: s.name)
def test_against_simplify(
    benchmark: Any, say: Callable[[str], None], ratios: dict[int, list[float]], statement: Statement
) -> None:
    assert benchmark.pedantic(statement.decide, setup=go_cold, rounds=10, warmup_rounds=1) is statement.holds
    ours = benchmark.stats.stats.median
    times: dict[int, float] = {}
    shown = []
    for V in SIZES:
        taken = baseline(statement, V)
        if taken is None:
            shown.append(f"V = {V} did not finish in {LIMIT:g} s (> {LIMIT / ours:.0f}×)")
            break  # nor would a larger V
        times[V] = taken
        ratios[V].append(taken / ours)
        shown.append(f"V = {V} {taken:.2f} s ({taken / ours:.0f}×)")
    benchmark.extra_info |= {
        "baseline_seconds": times,
        "ratio": {V: t / ours for V, t in times.items()},
        "did_not_finish_in": LIMIT if len(times) < len(SIZES) else None,
    }
    say(f"{statement.name:25} {ours * 1e3:5.1f} ms, every V | simplify: {', '.join(shown)}{growth(times)}")
