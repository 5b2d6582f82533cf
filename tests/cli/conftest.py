"""Two ways to call the command: in this process, and as a person does."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kltheory.cli import cli

MY_CLAIMS = '''
"""What a user writes."""

from kltheory.proving.vocabulary import *


@theorem(catalogue="4", source="arXiv 2510.01555")
def k3_as_loss_eq_grad_forward_kl():
    """On-policy, k3 as a loss has the gradient of the forward KL."""
    return SameGradient(as_loss(k3), forward_kl.objective, POLICY)


@theorem()
def k3_as_loss_eq_grad_reverse_kl():
    """On-policy, k3 as a loss has the gradient of the reverse KL. (It has not.)"""
    return SameGradient(as_loss(k3), reverse_kl.objective, POLICY)


@theorem()
def pythagoras():
    """What the calculus cannot decide."""
    import sympy

    return Identity(sympy.sin(log_ratio) ** 2 + sympy.cos(log_ratio) ** 2, S.One)
'''


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    """A user's file with a true, a false and an undecidable claim."""
    file = tmp_path / "my_claims.py"
    file.write_text(MY_CLAIMS, encoding="utf-8")
    return file


@pytest.fixture
def call() -> Callable[..., Result]:
    """The command in this process; whatever goes wrong is a message and an exit status, never an exception."""

    def invoke(*arguments: object) -> Result:
        result = CliRunner().invoke(cli, list(map(str, arguments)), prog_name="kltheory")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        assert "Traceback" not in result.output
        return result

    return invoke


@pytest.fixture
def command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The installed command in a process of its own, its output in pipes."""

    def run(*arguments: object, **kinds: object) -> subprocess.CompletedProcess[str]:
        program = Path(sys.executable).with_name("kltheory")
        environment = {**os.environ, **kinds.pop("env", {})}
        how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | kinds
        done = subprocess.run([program, *map(str, arguments)], check=False, env=environment, **how)
        assert "Traceback" not in str(done.stderr)
        return done

    return run
