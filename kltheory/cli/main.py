"""The command line. A command imports what it needs when it runs: ``kltheory --help`` loads neither SymPy nor JAX."""

import gc
import os
from collections.abc import Sequence
from typing import Any

import click
from click.exceptions import Abort, Exit

from kltheory.__about__ import __version__
from kltheory.cli.audit import audit
from kltheory.cli.budget import ENDING, TimedOut
from kltheory.cli.compare import compare
from kltheory.cli.identify import identify, table
from kltheory.cli.listing import list_
from kltheory.cli.measure import measure
from kltheory.cli.optimum import optimum
from kltheory.cli.output import confirm_stream, tolerate
from kltheory.cli.plot import plot
from kltheory.cli.prove import explain, prove
from kltheory.cli.report import report
from kltheory.cli.sequence import sequence
from kltheory.cli.supervisor import DEBUG, UNDECIDED, Ending, supervised, unexpected
from kltheory.cli.variance import variance


class Commands(click.Group):
    """Commands that end in an answer or in a sentence, whatever goes wrong in them."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command; what nobody expected says so, and is shown whole where that is asked for."""
        try:
            return super().invoke(context)
        except (click.ClickException, Exit, Abort):
            raise
        except TimedOut as e:
            e.ending.say(str(e))
            raise SystemExit(e.ending.status) from None
        except BrokenPipeError:
            raise  # nobody reads any more: Click ends without a word
        except OSError as e:
            if e.filename is None and e.strerror:
                raise click.ClickException(f"cannot write the output: {e.strerror}") from None
            return self._unexpected(context, e)
        except Exception as e:
            return self._unexpected(context, e)

    def _unexpected(self, context: click.Context, error: Exception) -> Any:
        if os.environ.get(DEBUG):
            raise error
        from kltheory.calculus.exact import Undecidable
        from kltheory.numerics.bridge import NotNumeric

        ending: Ending = context.meta.get(ENDING, UNDECIDED)
        match error:
            case Undecidable() | NotNumeric():
                ending.say(str(error))
            case MemoryError():
                ending.say(f"out of memory: {error}")
            case _:
                ending.say(unexpected(error))
        raise SystemExit(ending.status) from None


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="A theorem file of your own works like the library: kltheory prove my_claims.py",
)
@click.version_option(__version__, "--version", prog_name="kltheory")
@click.pass_context
def cli(context: click.Context) -> None:
    """What a KL penalty in reinforcement learning of language models really optimises, by proof."""
    if os.environ.get("NO_COLOR"):
        context.color = False


for command in (
    prove, explain, table, identify, list_, audit, compare, measure, variance, optimum, sequence, plot, report,
):  # fmt: skip
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    os.environ.setdefault("SYMPY_CACHE_SIZE", "20000")  # before SymPy is imported: the same formulas come again
    gc.set_threshold(100_000, 20, 50)  # expressions are trees, and go without a search for cycles
    tolerate()
    try:
        confirm_stream()
    except click.ClickException as e:
        e.show()
        return e.exit_code
    return supervised(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        cli.main(arguments, prog_name="kltheory")
    except SystemExit as e:
        return e.code if isinstance(e.code, int) else 1
    return 0
