"""Which tests run which line of a package, and for how long: recorded once, by coverage.py, and kept in .cache/."""

import contextlib
import json
import multiprocessing
import os
import signal
import sys
from pathlib import Path

import coverage
import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("floats", "certificates", "kinds", "continuous", "sequences", "clamps")
PROVING = [f"tests/proving/test_{part}.py" for part in PARTS]
NUMERICS = sorted(f"tests/{path.name}" for path in ROOT.glob("tests/test_numerics_*.py"))
LAYERS = {
    "calculus": ["tests/calculus", "tests/test_parse.py", *PROVING[3:]],
    "numerics": [*NUMERICS, *PROVING[:3], "tests/report/test_variance.py", "tests/audit/test_confirm.py"],
    "proving": ["tests/proving"],
}
"""A folder of the package, and the tests of its modules."""
PYTEST = ["-x", "-q", "-p", "no:cacheprovider", "--tb=no", "--hypothesis-seed=0", "-m", "not slow"]
PYTEST += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of what is loaded before a fork


class Plugin:
    """For pytest: runs the fast tests in the order of some names, those without a name of a record first.

    With a coverage, it runs all of them, and notes the lines.
    """

    def __init__(self, seconds, names=(), cov=None):
        self.seconds, self.rank, self.cov = seconds, {name: i for i, name in enumerate(names)}, cov

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self):
        phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]  # that one example fails is enough
        hypothesis.settings.register_profile("mutants", phases=phases, database=None, deadline=None)
        hypothesis.settings.load_profile("mutants")

    def pytest_collection_modifyitems(self, items):
        items[:] = [i for i in items if "library_run" not in i.fixturenames]  # the whole library takes minutes
        if not self.cov:
            items[:] = [i for i in items if i.nodeid in self.rank or i.nodeid not in self.seconds]
            items.sort(key=lambda item: self.rank.get(item.nodeid, -1))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item):
        if self.cov:
            self.cov.switch_context(item.nodeid)

    def pytest_runtest_logreport(self, report):
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration


def inside(tree, limit, work, *arguments):
    """The exit status of the work, in a process forked into a copy of the project; ``None`` past the limit."""

    def child():
        os.setsid()
        os.chdir(tree)
        os.environ["PYTHONPATH"] = str(tree)
        sys.path.insert(0, str(tree))
        sys.dont_write_bytecode = False  # so that the next process has only the mutant to compile
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        os._exit(work(*arguments))

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(limit)
    ended = process.exitcode
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.join()
    return ended


def _record(tree, layer, file):
    cov = coverage.Coverage(data_file=None, config_file=False, source=[f"{tree}/kltheory/{layer}"])
    plugin, lines = Plugin({}, cov=cov), {}
    cov.start()
    status = pytest.main([*PYTEST, *LAYERS[layer]], plugins=[plugin])
    cov.stop()
    for path in cov.get_data().measured_files():
        by_line = {n: sorted({*names} - {""}) for n, names in cov.get_data().contexts_by_lineno(path).items()}
        any_line = sorted({name for names in by_line.values() for name in names})
        lines[str(Path(path).relative_to(tree))] = {**by_line, 0: any_line}
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"seconds": plugin.seconds, "lines": lines}), encoding="utf-8")
    return status


def recorded(tree, layer):
    """The seconds of each test of a layer, and the tests that run each line (0: any line) of each of its modules."""
    file = ROOT / ".cache" / f"tests-of-{layer}.json"
    if not file.exists() and (status := inside(tree, None, _record, tree, layer, file)):
        file.unlink(missing_ok=True)
        sys.exit(f"the tests of {layer} fail without a mutant: {status}")
    found = json.loads(file.read_text(encoding="utf-8"))
    return found["seconds"], found["lines"]


def tests_of(seconds, lines, at, most):
    """Those that run the line, fastest first, then others of the module: as many as fit in so many seconds."""
    chosen, total = [], 0.0
    of_module = lines.get("0") or list(seconds)
    for group in (lines.get(str(at), []), of_module):
        for name in sorted({*group} - {*chosen}, key=seconds.__getitem__):
            if total + seconds[name] < most:
                chosen, total = [*chosen, name], total + seconds[name]
    return chosen
