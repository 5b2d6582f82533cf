"""Hostile functions: whatever they do ends in a clear finding, through the command line, with the right exit status."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kltheory.cli.main import cli as main

MAIN = "import sys; from kltheory.cli import main; sys.exit(main())"
HEAD = "import jax, jax.numpy as jnp, numpy as np\n\ndef kl(logp, ref_logp):\n    "
BODIES: dict[str, tuple[str, int, str]] = {
    "raises": ("raise ValueError('no such kind')", 3, "ValueError: no such kind (hostile.py:4)"),
    "asserts": ("assert logp.shape == (7,), 'seven'\n    return logp", 3, "AssertionError: seven (hostile.py:4)"),
    "exits": ("raise SystemExit(0)", 3, "SystemExit: it ends the process (code 0)"),
    "prints": ("print('loud')\n    return (logp - ref_logp) ** 2", 0, "2*reverse_kl"),
    "warns": ("import warnings; warnings.warn('old')\n    return (logp - ref_logp) ** 2", 0, "2*reverse_kl"),
    "random": ("return (logp - ref_logp) * np.random.rand()", 2, "calls with the same inputs give different"),
    "wrong shape": (
        "return jnp.stack([logp - ref_logp] * 5, -1)",
        2,
        "inputs of shape (2, 3) give an output of shape (2, 3, 5)",
    ),
    "None": ("return None", 3, "returned NoneType"),
    "text": ("return 'kl'", 3, "returned str"),
    "empty dict": ("return {}", 3, "returned dict"),
    "integers": ("return (logp - ref_logp).astype('int32')", 1, "no gradient flows"),
    "tuple": ("return (logp - ref_logp) ** 2, 'metrics'", 0, "2*reverse_kl"),
    "dict": ("return {'loss': (logp - ref_logp) ** 2, 'a_metric': logp}", 0, "2*reverse_kl"),
    "branches": ("return (logp - ref_logp) ** 2 if logp.sum() > -1e9 else logp", 0, "measured, not derived: Python"),
    "not a number": ("return jnp.log(logp - ref_logp - 1e9)", 1, "inf or NaN"),
    "recursion": ("return kl(logp, ref_logp)", 3, "RecursionError"),
}  # fmt: skip


def run(*arguments: Any) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.mark.parametrize("name", BODIES, ids=lambda n: n.replace(" ", "-"))
def test_a_hostile_function_is_a_finding(tmp_path: Path, name: str) -> None:
    body, status, words = BODIES[name]
    (tmp_path / "hostile.py").write_text(HEAD + body + "\n")
    code, text = run("audit", f"{tmp_path / 'hostile.py'}:kl")
    assert words in text
    assert code == status
    assert "loud" not in text
    assert "Traceback" not in text


@pytest.mark.parametrize("body", ["while True: pass", "import time; time.sleep(60)"], ids=["loops", "sleeps"])
def test_a_function_that_does_not_end(tmp_path: Path, body: str) -> None:
    (tmp_path / "hostile.py").write_text(HEAD + body + "\n    return logp - ref_logp\n")
    command = [sys.executable, "-c", MAIN, "audit", "hostile.py:kl", "--timeout", "3"]
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "")
    assert "could not run: it did not end within 3 s" in done.stderr


TORCH: dict[str, tuple[str, int, str]] = {
    "mutates": ("logp.sub_(ref_logp)\n    return logp ** 2 / 2", 1, "it changes its argument logp in place"),
    "mutates a copy": ("d = logp - ref_logp\n    d.mul_(2)\n    return d ** 2", 0, "8*reverse_kl"),
    "random": ("return (logp - ref_logp) * torch.rand(())", 2, "calls with the same inputs"),
    "dropout": ("return torch.nn.functional.dropout((logp - ref_logp) ** 2)", 2, "calls with the same inputs"),
    "item": ("return (logp - ref_logp) ** 2 * (logp.mean().item() < 1)", 2, "tokens are coupled"),
    "no_grad": ("with torch.no_grad():\n        return logp - ref_logp", 1, "no gradient flows"),
    "None": ("return None", 3, "returned a NoneType"),
}


@pytest.mark.torch
@pytest.mark.parametrize("name", TORCH, ids=lambda n: n.replace(" ", "-"))
def test_a_hostile_function_of_pytorch(tmp_path: Path, name: str) -> None:
    pytest.importorskip("torch")
    body, status, words = TORCH[name]
    (tmp_path / "hostile.py").write_text("import torch\n\ndef kl(logp, ref_logp):\n    " + body + "\n")
    code, text = run("audit", f"{tmp_path / 'hostile.py'}:kl")
    assert words in text
    assert code == status


def test_what_could_not_run_is_in_the_json(tmp_path: Path) -> None:
    (tmp_path / "hostile.py").write_text(HEAD + "raise ValueError('no')\n")
    code, text = run("audit", f"{tmp_path / 'hostile.py'}:kl", "--json")
    data = json.loads(text)
    assert (code, data["status"], data["variants"][0]["rows"]) == (3, "could not run", [])
    assert "ValueError: no" in data["variants"][0]["failure"]
