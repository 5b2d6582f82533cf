"""Two ways to call the command: in this process, and as a person does."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from users_file import MY_CLAIMS, invoke


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    """A user's file with a true, a false and an undecidable claim."""
    file = tmp_path / "my_claims.py"
    file.write_text(MY_CLAIMS, encoding="utf-8")
    return file


@pytest.fixture
def call() -> Callable[..., Result]:
    """The command in this process."""
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
