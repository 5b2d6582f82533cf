"""Builds one environment for each library, this project in it, and audits the library there.

The pins of the libraries conflict with each other, so each has its own folder. A folder is built once: a stamp in it
says what it was built from. What the audits print is passed through.
"""

import os
import shlex
import subprocess
import sys
import sysconfig
import time
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path

import click

from kltheory.audit.library import Library, libraries

ROOT = Path(__file__).parents[3]
STAMP = "kltheory-stamp.txt"
REPORT = "kltheory-audit.json"
DEFAULT = ".venv-libraries"
COULD_NOT_RUN = 3
MEANINGS = {0: "nothing to report", 1: "alarms", 2: "undecided"}
"""What the exit status of an audit that ran means."""


def purelib(environment: Path) -> str:
    """The folder that packages are installed in."""
    base = str(environment)
    return sysconfig.get_path("purelib", "venv", {"base": base, "platbase": base})


def installs(library: Library, environment: Path) -> Iterator[list[str]]:
    """The arguments of each ``pip install``, in order.

    This project comes first, in the versions that it is tested with; a library may replace what it cannot use.
    """
    yield ["-c", str(ROOT / "constraints.txt"), "-e", str(ROOT)]
    yield from library.requirements(purelib(environment))


def recipe(library: Library, environment: Path) -> str:
    """All that an environment is built from: the text of its stamp."""
    project = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text(encoding="utf-8"))["project"]
    constraints = ROOT.joinpath("constraints.txt").read_text(encoding="utf-8")
    lines = (shlex.join(arguments) for arguments in installs(library, environment))
    return "\n".join([sys.version, *lines, *project["dependencies"], constraints])


def build(library: Library, environment: Path) -> None:
    """Makes the environment, unless it is there.

    Raises:
        OSError: something else is there.
        CalledProcessError: pip fails.
    """
    stamp, wanted = environment / STAMP, recipe(library, environment)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    if environment.exists() and not environment.joinpath("pyvenv.cfg").is_file():
        raise OSError(f"{environment} is there, and is not a virtual environment: it is left alone")
    click.echo(f"{library.name}: creating {environment}")
    venv.EnvBuilder(clear=True, with_pip=True).create(environment)
    pip = [str(environment / "bin" / "python"), "-m", "pip", "-qq", "--disable-pip-version-check", "install"]
    for arguments in installs(library, environment):
        click.echo(f"{library.name}: pip install {shlex.join(arguments)}")
        subprocess.run([*pip, *arguments], check=True)
    stamp.write_text(wanted, encoding="utf-8")


def audit(library: Library, environment: Path) -> str | None:
    """Audits the library in its environment: what the exit status means; None if no audit ran.

    A report is the proof that one ran: Python itself exits with 1, and a wrong command line with 2.
    """
    click.echo(f"{library.name}: kltheory audit {library.name}")
    report = environment / REPORT
    report.unlink(missing_ok=True)
    command = [str(environment / "bin" / "kltheory"), "audit", library.name, "--json", str(report)]
    status = subprocess.run(command, env={**os.environ, "HF_HUB_OFFLINE": "1"}).returncode
    return MEANINGS.get(status) if report.is_file() else None


@click.command()
@click.argument("folder", default=DEFAULT, type=click.Path(file_okay=False, path_type=Path))
@click.argument("names", nargs=-1)
def main(folder: Path, names: tuple[str, ...]) -> None:
    """Audit libraries, all or those named, each in an environment of its own under FOLDER.

    Exit status: 0 every audit ran, whatever it found; 3 one could not run.
    """
    known = libraries()
    if unknown := sorted(set(names) - set(known)):
        raise click.UsageError(f"no library {', '.join(unknown)}: there are {', '.join(known)}")
    if not ROOT.joinpath("constraints.txt").is_file():
        raise click.UsageError("this installs the project from a checkout, and there is none here")
    summary: dict[str, str | None] = {}
    for name in names or known:
        start, environment = time.perf_counter(), folder.absolute() / name
        try:
            build(known[name], environment)
            summary[name] = audit(known[name], environment)
        except (OSError, subprocess.CalledProcessError) as e:
            click.echo(f"{name}: {e}", err=True)
            summary[name] = None
        click.echo(f"{name}: {time.perf_counter() - start:.0f} s\n")
    for name, meaning in summary.items():
        click.echo(f"{name:<10} {meaning or 'COULD NOT RUN'}")
    raise SystemExit(COULD_NOT_RUN if None in summary.values() else 0)


if __name__ == "__main__":
    main()
