"""Lines that the benchmarks leave for the end of the run, where ratios are read side by side."""

from collections.abc import Callable

import pytest

LINES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LINES] = []


@pytest.fixture(scope="session")
def say(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Appends a line to the summary."""
    return pytestconfig.stash[LINES].append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash[LINES]:
        terminalreporter.section("ratios")
        for line in config.stash[LINES]:
            terminalreporter.line(line)
