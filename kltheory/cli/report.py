"""The command that writes the atlas: ``report``."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kltheory.__about__ import __version__
from kltheory.cli.budget import EACH
from kltheory.cli.output import confirm_file, write_file
from kltheory.cli.shared import KEYWORD, PATHS, chosen_theorems, progress

if TYPE_CHECKING:
    from kltheory.proving.theorem import Theorem
    from kltheory.proving.verdict import Report
    from kltheory.report.figures.style import Picture


@click.command()
@PATHS
@KEYWORD
@click.option("--html", "page", type=click.Path(path_type=Path), metavar="DIR|FILE", help="One page; DIR/index.html.")
@click.option("--latex", "appendix", type=click.Path(path_type=Path), metavar="FILE", help="The same as LaTeX.")
@click.option(
    "--audit", "audits", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
    help="A report of kltheory audit --json, to be shown as well; several times for several.",
)  # fmt: skip
@click.option("--figures/--no-figures", default=True, show_default=True, help="Draw them, which needs Matplotlib.")
@EACH
@click.option("-j", "--jobs", type=click.IntRange(1), help="Processes to use (all cores).")
def report(
    paths: tuple[Path, ...],
    keyword: str,
    page: Path | None,
    appendix: Path | None,
    audits: tuple[Path, ...],
    figures: bool,
    timeout: float,
    jobs: int | None,
) -> None:
    """Prove theorems and write the atlas: every theorem with derivation, witness, sources and evidence.

    PATHS are theorem files or folders; without any, the library. The page needs no network and no server.

        kltheory report --html atlas.html --latex appendix.tex

    Exit status: 0 all as expected, 1 something refuted or unexpected, 2 undecided or wrong options, 3 nothing ran.
    """
    if page is None and appendix is None:
        raise click.UsageError("say what to write: --html DIR|FILE, --latex FILE, or both")
    from kltheory.report import terminal
    from kltheory.report.atlas.content import Atlas, BadAudit, audit_of, entries
    from kltheory.report.atlas.page import NoTemplates, html, tex

    try:
        shown = tuple(map(audit_of, audits))
    except BadAudit as e:
        raise click.ClickException(str(e)) from None
    targets = {write: path for write, path in ((html, _index(page)), (tex, appendix)) if path is not None}
    for path in targets.values():
        _confirm(path)
    pictures = _pictures() if figures and page is not None else ()
    theorems = chosen_theorems(paths, keyword, timeout)
    proved = _proved(theorems, jobs, timeout)
    found = []
    with progress(len(theorems)) as advance, closing(entries(proved, jobs, timeout)) as derived:
        for entry in derived:
            found.append(entry)
            advance(f"deriving {entry.theorem.name}")
    atlas = Atlas(__version__, tuple(found), pictures, shown)
    try:
        for write, path in targets.items():
            text = write(atlas)
            write_file(path, text)
            click.echo(f"{path}: {len(found)} theorems, {len(text.encode()) / 1e6:.1f} MB")
    except NoTemplates as e:
        raise click.ClickException(str(e)) from None
    raise SystemExit(terminal.exit_code([r for _, r in proved]))


def _confirm(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise click.ClickException(f"cannot write {e.filename}: {e.strerror}") from None
    confirm_file(path)


def _index(page: Path | None) -> Path | None:
    return page if page is None or page.suffix in (".html", ".htm") else page / "index.html"


def _pictures() -> "tuple[Picture, ...]":
    from kltheory.report.figures.kinds import every
    from kltheory.report.figures.style import NoMatplotlib

    try:
        return tuple(every())
    except NoMatplotlib as e:
        raise click.ClickException(f"{e}, or leave them out: --no-figures") from None


def _proved(theorems: "Sequence[Theorem]", jobs: int | None, seconds: float) -> "list[tuple[Theorem, Report]]":
    from kltheory.proving.run import run_all

    proved = []
    with progress(len(theorems)) as advance, closing(run_all(theorems, jobs, seconds)) as reports:
        for theorem, found in zip(theorems, reports, strict=True):
            proved.append((theorem, found))
            advance(f"proving {theorem.name}")
    return proved
