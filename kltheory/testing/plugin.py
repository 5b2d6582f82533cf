"""The pytest plugin: ``--kltheory-report=FILE``, and two fixtures. Loading it loads nothing heavy."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kltheory.testing import audited, records

if TYPE_CHECKING:
    from kltheory.audit.audited import Audit

SCHEMA = 1
NAME = "kltheory-report"
KEY = "kltheory_records"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option."""
    parser.getgroup("kltheory").addoption(
        "--kltheory-report",
        metavar="FILE",
        help="write what the assertions of kltheory.testing found: JSON, or Markdown if FILE ends in .md",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Collect records if a report is asked for. Raises UsageError where it cannot be written."""
    target = config.getoption("--kltheory-report")
    if not target:
        return
    if not Path(target).parent.is_dir() or Path(target).is_dir():
        raise pytest.UsageError(f"--kltheory-report={target}: it names no file in a folder that exists")
    config.pluginmanager.register(Report(config, Path(target).absolute()), NAME)


class Report:
    """Records of this process and of its xdist workers, written when the session ends."""

    def __init__(self, config: pytest.Config, file: Path) -> None:
        self.file = file
        self.records: list[records.Record] = []
        self.output: dict[str, Any] | None = getattr(config, "workeroutput", None)
        records.listeners.append(self.records.append)

    def pytest_unconfigure(self) -> None:
        """Stop listening."""
        records.listeners.remove(self.records.append)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """What an xdist worker found."""
        self.records += getattr(node, "workeroutput", {}).get(KEY, [])

    def pytest_sessionfinish(self) -> None:
        """Hand the records to the controller, or write them."""
        if self.output is not None:
            self.output[KEY] = self.records
            return
        text = markdown(self.records) if self.file.suffix == ".md" else as_json(self.records)
        self.file.write_text(text, encoding="utf-8")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say where the report is."""
        terminalreporter.write_line(f"kltheory: {len(self.records)} assertions written to {self.file}")


def as_json(found: list[records.Record]) -> str:
    """The report for programs; ``audit`` and ``comparison`` are what ``--json`` of the two commands writes."""
    from kltheory import __version__

    entries = [{k: v for k, v in r.items() if k != "markdown"} for r in found]
    return json.dumps({"schema": SCHEMA, "version": __version__, "assertions": entries}, ensure_ascii=False, indent=2)


def markdown(found: list[records.Record]) -> str:
    """The report for people."""
    lines = ["# kltheory", "", f"{len(found)} assertions, {sum(not r['passed'] for r in found)} failed"]
    for r in found:
        where = f"`{r['test']}`: " if r["test"] else ""
        lines += ["", f"## {where}{r['assertion']} {'passed' if r['passed'] else 'FAILED'}", ""]
        lines += [] if r["passed"] else ["```text", r["message"], "```", ""]
        lines += [r["markdown"]] if r["audit"] or r["comparison"] else []
    return "\n".join(lines) + "\n"


@pytest.fixture
def kl_settings() -> list[dict[str, Any]]:
    """Settings on which a wrong formula cannot look right: for each vocabulary size, arrays of this test's own.

    Each is a dict of float64 arrays of shape (N, V): ``logp``, ``logp_ref``, ``logp_old``, ``advantage``.
    """
    from kltheory.numerics.settings import standard_settings

    names = ("logp", "logp_ref", "logp_old", "advantage")
    return [{name: getattr(s, name).copy() for name in names} for s in standard_settings()]


@pytest.fixture
def kl_audit() -> "Callable[..., Audit]":
    """:func:`kltheory.testing.audited`, recorded in the report."""
    return audited
