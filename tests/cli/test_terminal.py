"""How a report looks in a terminal: labels in colour, as wide as COLUMNS says."""

import click
import pytest

from kltheory.cli.terminal import coloured, columns_to_fill

REPORT = "f\n\nas it is\n  answer       KL\n  ALARM KL110  the ALARM rings\n    to change  it\nthe same: all"


def test_labels_are_coloured_and_nothing_else() -> None:
    shown = coloured(REPORT)
    assert click.unstyle(shown) == REPORT
    assert click.style("ALARM KL110", fg="red", bold=True) in shown
    assert shown.count(click.style("", fg="red", bold=True, reset=False)) == 1
    assert coloured("an ALARM KL110") == "an ALARM KL110"


@pytest.mark.parametrize(("columns", "width"), [("80", 80), ("200", 200), ("", None), ("0", None), ("wide", None)])
def test_columns_say_how_wide(columns: str, width: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("sys.stdout.isatty", lambda: False, raising=False)
    assert columns_to_fill() == width
