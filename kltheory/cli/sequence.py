"""The command about whole responses: ``sequence``."""

import sys

import click

from kltheory.__about__ import __version__
from kltheory.cli.budget import budget
from kltheory.cli.output import write_json
from kltheory.cli.shared import SCHEMA
from kltheory.cli.supervisor import UNDECIDED


@click.command()
@click.option("--vocabulary", "-V", default=3, show_default=True, type=click.IntRange(2, 64), help="Tokens.")
@click.option("--horizon", "-T", default=3, show_default=True, type=click.IntRange(1, 32), help="Maximum length.")
@click.option("--eos", type=click.IntRange(0), help="The token that ends a response; without it all have one length.")
@click.option("--sampled-by", default="policy", show_default=True, type=click.Choice(["policy", "old"]))
@click.option("--hidden", default=0, show_default=True, type=click.IntRange(0), help="Recurrent units; 0 for a table.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Which policies.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Write a Markdown table.")
@budget(UNDECIDED)
def sequence(
    vocabulary: int,
    horizon: int,
    eos: int | None,
    sampled_by: str,
    hidden: int,
    seed: int,
    as_json: bool,
    as_markdown: bool,
) -> None:
    """What losses of whole responses descend: per token, weighted, in the reward, aggregated.

    What a loss descends is derived for every vocabulary and length. Error and cosine are against the gradient of
    KL(π‖π_ref) of responses, exact on one tree; tr Var is the noise of one response there; growth the power of the
    length N with which it grows when steps are independent.

    Exit status: 0 a table, 2 undecided or wrong options.
    """
    if as_json and as_markdown:
        raise click.UsageError("--json and --markdown exclude each other")
    if eos is not None and eos >= vocabulary:
        raise click.UsageError(f"--eos {eos} is no token of a vocabulary of {vocabulary}")
    if vocabulary**horizon > 1 << 22:
        raise click.UsageError(f"{vocabulary}^{horizon} responses are too many to enumerate: at most 2^22")
    from kltheory.calculus.surrogate import Sampler
    from kltheory.numerics.trees.policies import random_setting
    from kltheory.numerics.trees.tree import Tree
    from kltheory.report.sequence import LOSSES, markdown, plain, rows, to_json

    setting = random_setting(Tree(vocabulary, horizon, eos), seed, hidden)
    sampler = Sampler(sampled_by)
    steps = rows(setting, sampler)
    with click.progressbar(steps, length=len(LOSSES), file=sys.stderr, hidden=as_json) as bar:
        found = list(bar)
    if as_json:
        write_json({"schema": SCHEMA, "version": __version__, **to_json(found, setting, sampler)}, "-")
        return
    click.echo(markdown(found, sampler) if as_markdown else plain(found, sampler))
    if not as_markdown:
        click.echo(f"\n{setting.name}; sampled by {'the policy' if sampler is Sampler.POLICY else 'the old policy'}")
