"""The command line."""

from kltheory.cli.main import cli, main

__all__ = ["cli", "main"]
