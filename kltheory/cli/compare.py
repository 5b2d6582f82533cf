"""The command that compares two functions, or a formula and one: ``compare``."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from kltheory.cli.audit import DETAILS, JSON, LIMIT
from kltheory.cli.output import write_json
from kltheory.cli.strangers import of_strangers
from kltheory.cli.terminal import coloured, columns_to_fill

if TYPE_CHECKING:
    from kltheory.audit.target import Target


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("target_a")
@click.argument("target_b")
@click.option("--set-a", "set_a", multiple=True, metavar="NAME=VALUE", help="A parameter of the first function.")
@click.option("--set-b", "set_b", multiple=True, metavar="NAME=VALUE", help="A parameter of the second function.")
@click.option("--set", "both", multiple=True, metavar="NAME=VALUE", help="A parameter of both.")
@click.option("--args-a", "args_a", multiple=True, metavar="ROLE=NAME", help="As in kltheory audit, for the first.")
@click.option("--args-b", "args_b", multiple=True, metavar="ROLE=NAME", help="As in kltheory audit, for the second.")
@LIMIT
@JSON
@DETAILS
def compare(
    target_a: str,
    target_b: str,
    set_a: Sequence[str],
    set_b: Sequence[str],
    both: Sequence[str],
    args_a: Sequence[str],
    args_b: Sequence[str],
    json_target: str | None,
    details: bool,
) -> None:
    """Compare two implementations on whole batches, and say where they part.

    Value, derivative (also by the other policies) and expected gradient are compared under masks, ragged lengths and
    advantages of both signs. Either may be a formula of one token.

        kltheory compare eager.py:kl fused.py:kl --set kind=k3

        kltheory compare "-min(w*A, clamp(w, 0.8, 1.2)*A)" my_losses.py:ppo

    Exit status: 0 the same, 1 they differ, 2 undecided, 3 could not run.
    """

    def work() -> Any:
        from kltheory.audit.compare import compare_targets
        from kltheory.audit.target import CannotRun, load_or_formula
        from kltheory.audit.variants import parse_arguments, single_values

        a = (load_or_formula(target_a), single_values([*both, *set_a]), parse_arguments(args_a))
        b = (load_or_formula(target_b), single_values([*both, *set_b]), parse_arguments(args_b))
        try:
            return compare_targets(a, b)
        except CannotRun:
            _say_for_one("a", *a)
            _say_for_one("b", *b)
            raise

    found = of_strangers(work)
    from kltheory.report import comparison as report

    if json_target is not None:
        write_json(report.to_json(found), json_target)
    if json_target != "-":
        click.echo(coloured(report.plain(found, columns_to_fill(), details)))
    raise SystemExit(found.status)


def _say_for_one(side: str, target: "Target", settings: "Mapping[str, Any]", arguments: "Mapping[str, str]") -> None:
    """Raise CannotRun where one of two functions cannot be called, with the options that are meant for it."""
    from kltheory.audit.audit import audit_subject
    from kltheory.audit.binding import bind
    from kltheory.audit.target import CannotRun

    if failure := audit_subject("", bind(target, arguments, settings), (), responses=False).failure:
        said = re.sub(r"--(args|set) ", rf"--\1-{side} ", failure)
        raise CannotRun(said if target.name in said else f"{target.name}: {said}")
