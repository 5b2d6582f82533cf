"""The command that reads real code: ``audit``; options that other commands take as well."""

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from kltheory.cli.budget import budget
from kltheory.cli.output import confirmed, write_json
from kltheory.cli.shared import progress
from kltheory.cli.strangers import of_strangers
from kltheory.cli.supervisor import COULD_NOT_RUN, DEBUG, unexpected
from kltheory.cli.terminal import coloured, columns_to_fill

if TYPE_CHECKING:
    from kltheory.audit.audited import Audit
    from kltheory.audit.framework import Framework

TIMEOUT: Final = 300.0

SETTINGS = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE[,VALUE]",
    help="A parameter, or self.attribute, or config.key; several values with commas run each.",
)
ARGUMENTS = click.option(
    "--args",
    "arguments",
    multiple=True,
    metavar="ROLE=NAME[,…]",
    help="Which parameter holds what: logp, logp_ref, logp_old, logp_sampler, log_ratio, log_weight, weight, "
    "weight_sampler, logits, logits_ref, actions, mask, advantage, value, group, ids. Also inputs.key, self.method(), "
    "and -NAME or log(NAME) of which it is.",
)
FRAMEWORK = click.option("--framework", type=click.Choice(["jax", "torch"]), help="Where it cannot be seen.")
OUTPUT = click.option("--output", metavar="KEY", help="Which of several outputs: a position or a key (the first).")
LIMIT = budget(COULD_NOT_RUN, TIMEOUT)
JSON = click.option(
    "--json",
    "json_target",
    is_flag=False,
    flag_value="-",
    metavar="[FILE]",
    callback=confirmed,
    help="Write JSON, to standard output.",
)
DETAILS = click.option("--details", is_flag=True, help="Show every row, every number and every note.")


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="TARGET…")
@SETTINGS
@ARGUMENTS
@click.option(
    "--as",
    "placement",
    type=click.Choice(["loss", "reward", "both"]),
    default="both",
    show_default=True,
    help="Differentiated, or detached and times the score.",
)
@OUTPUT
@FRAMEWORK
@LIMIT
@JSON
@DETAILS
@click.option("--markdown", "as_markdown", is_flag=True, help="Write Markdown, in full.")
def audit(
    targets: Sequence[str],
    settings: Sequence[str],
    arguments: Sequence[str],
    placement: str,
    output: str | None,
    framework: "Framework | None",
    json_target: str | None,
    details: bool,
    as_markdown: bool,
) -> None:
    """Say what each function TARGET optimises, by reading and running it.

    TARGET is package.module:function, path/file.py:function, …:Class.method, or a library by name (openrlhf, trl,
    tunix, verl). Arguments are told apart by their names; what was guessed is printed.

        kltheory audit my_losses.py:kl_penalty --set kind=k1,k2,k3

    Several targets share the options; JSON is then a list. Exit status, the worst of all: 0 nothing to report,
    1 alarms, 2 undecided, 3 could not run.
    """

    def work() -> "list[Audit | Unreached]":
        from kltheory.audit.variants import parse_arguments, parse_settings

        placements = ("loss", "reward") if placement == "both" else (placement,)
        chosen, named = parse_settings(settings), parse_arguments(arguments)
        one = functools.partial(_audited, placements=placements, output=output, framework=framework)
        if len(targets) == 1:
            return [one(targets[0], chosen, named)]
        return [_reached(lambda t=t: one(t, chosen, named), t) for t in targets]  # type: ignore[misc]

    found = of_strangers(work)
    if json_target is not None:
        from kltheory.report.audit_json import to_json

        data = [x.to_json() if isinstance(x, Unreached) else to_json(x) for x in found]
        write_json(data[0] if len(targets) == 1 else data, json_target)
    if json_target != "-":
        show = _as_markdown if as_markdown else functools.partial(_in_columns, details=details)
        click.echo("\n\n".join(map(show, found)))
    raise SystemExit(max(x.status for x in found))


@dataclass(frozen=True)
class Unreached:
    """One of several targets that cannot be called; the others are audited all the same."""

    target: str
    failure: str
    status: int = COULD_NOT_RUN.status

    def plain(self, width: int | None) -> str:
        """For people."""
        from kltheory.report.columns import facts

        return "\n".join([self.target, *facts([("COULD NOT RUN", self.failure)], width, "  ")])

    def to_json(self) -> dict[str, Any]:
        """What a program needs to know of it: the keys of an audit that have a value."""
        from kltheory.__about__ import __version__
        from kltheory.report.audit_json import SCHEMA, STATUS

        head = {"schema": SCHEMA, "version": __version__, "target": self.target}
        return {**head, "status": STATUS[self.status], "failure": self.failure, "hints": [], "variants": []}


def _as_markdown(found: "Audit | Unreached") -> str:
    from kltheory.report.audit import markdown

    return found.plain(None) if isinstance(found, Unreached) else markdown(found)


def _in_columns(found: "Audit | Unreached", details: bool) -> str:
    from kltheory.report.audit import plain

    width = columns_to_fill()
    return coloured(found.plain(width) if isinstance(found, Unreached) else plain(found, width, details))


def _reached(run: "Callable[[], Audit]", target: str) -> "Audit | Unreached":
    from kltheory.audit.library import NotInstalled
    from kltheory.audit.target import CannotRun

    try:
        return run()
    except (CannotRun, NotInstalled) as e:
        return Unreached(target, str(e))
    except Exception as e:
        if os.environ.get(DEBUG):
            raise
        return Unreached(target, unexpected(e))


def _audited(
    target: str,
    choices: "dict[str, list[Any]]",
    arguments: dict[str, str],
    placements: tuple[str, ...],
    output: str | None,
    framework: "Framework | None",
) -> "Audit":
    from dataclasses import replace

    from kltheory.audit.audit import audit as run
    from kltheory.audit.library import libraries
    from kltheory.audit.places import no_function
    from kltheory.audit.target import CannotRun, load, of_function
    from kltheory.audit.variants import other_choices, shown

    with progress(1) as advance:
        if ":" in target:
            found = load(target, framework)
            done = run(found, choices, arguments, placements, output, progress=advance)
            others = other_choices(found, choices).items()
            hints = [
                f"{name} has other choices: --set {name}={','.join(map(shown, values))}" for name, values in others
            ]
            return replace(done, hints=tuple(hints))
        known = libraries()
        if target not in known:
            raise CannotRun(no_function(target))
        library = known[target]
        function, source = library.reach()
        version = f"{library.distribution} {library.version}"
        found = of_function(
            function, f"{library.name}:{source.__qualname__}", library.framework, source=source, version=version
        )
        named = {**library.arguments, **arguments}
        if choices:
            return run(found, choices, named, placements, output, progress=advance)
        return run(found, None, named, placements, output, library.variants, progress=advance)
