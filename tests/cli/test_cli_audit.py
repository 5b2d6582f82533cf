"""``audit`` and ``compare`` from the command line: statuses, texts, JSON, Markdown, hostile functions."""

import json
from pathlib import Path

import pytest

SOURCE = """
import time
import jax.numpy as jnp

def k2(logp, ref_logp):
    return (logp - ref_logp) ** 2 / 2

def kl(logp, ref_logp, kind="k3"):
    if kind == "k2":
        return k2(logp, ref_logp)
    if kind == "k3":
        return jnp.exp(ref_logp - logp) - 1 + logp - ref_logp
    raise ValueError(f"no estimator is called {kind}")

def whitened(logp, ref_logp):
    ratio = logp - ref_logp
    return (ratio - ratio.mean()) / ratio.std()

def two(logp, ref_logp):
    return {"loss": (logp - ref_logp).sum(), "kl": k2(logp, ref_logp)}

def sleeps(logp, ref_logp):
    while True:
        try:
            time.sleep(1)
        except Exception:
            pass

def unnamed(x, y):
    return x - y
"""


@pytest.fixture
def losses(tmp_path: Path) -> Path:
    path = tmp_path / "losses.py"
    path.write_text(SOURCE, encoding="utf-8")
    return path


STATUSES = [
    (["k2", "--as", "loss"], 0, "nothing to report"),
    (["kl"], 1, "as a loss its expected gradient is that of KL(π_ref‖π)"),
    (["kl", "--set", "kind=k2,k9"], 1, "ValueError: no estimator is called k9"),
    (["whitened"], 2, "UNDECIDED KL403  tokens are coupled"),
    (["unnamed"], 3, "--args logp=x,logp_ref=y"),
    (["unnamed", "--args", "logp=x,logp_ref=y", "--as", "reward"], 0, "reverse_kl"),
    (["two", "--output", "kl", "--as", "loss"], 0, "l**2/2"),
]


@pytest.mark.parametrize(("arguments", "status", "words"), STATUSES, ids=[" ".join(a) for a, *_ in STATUSES])
def test_statuses(arguments, status, words, losses, call):
    name, *options = arguments
    shown = call("audit", f"{losses}:{name}", *options)
    assert shown.exit_code == status, shown.output
    assert words in shown.stdout


REFUSED = [
    ("{file}:kll", "has no kll; did you mean kl?"),
    ("{file}", "names no function, but a file; it has {file}:"),
    ("nowhere/losses.py:kl", "there is no file nowhere/losses.py"),
    ("no_such_package.losses:kl", "importing no_such_package.losses needs no_such_package"),
    ("openrlfh", "did you mean openrlhf?"),
]


@pytest.mark.parametrize(("target", "words"), REFUSED)
def test_what_cannot_be_reached_says_why(target, words, losses, call):
    shown = call("audit", target.format(file=losses))
    assert shown.exit_code == 3
    assert words.format(file=losses) in shown.stderr


@pytest.mark.parametrize("option", [["--set", "knd=k2"], ["--args", "lgp=logp"], ["--set", "kind"]])
def test_options_that_do_not_fit_are_named(option, losses, call):
    shown = call("audit", f"{losses}:kl", *option)
    assert shown.exit_code == 3
    assert shown.stderr.startswith("could not run: ")


def test_a_function_that_does_not_end_is_stopped(losses, call):
    shown = call("audit", f"{losses}:sleeps", "--timeout", "3")
    assert shown.exit_code == 3
    assert "it did not end within 3 s; --timeout allows more" in shown.stderr


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def test_json_is_strict_and_alone(losses, call):
    shown = call("audit", f"{losses}:kl", "--set", "kind=k2,k3", "--json")
    found = json.loads(shown.stdout, parse_constant=refuse)
    assert [v["name"] for v in found["variants"]] == ["kind=k2", "kind=k3"]
    assert found["status"] == "alarms"
    assert {r["gradient_of"] for r in found["variants"][1]["rows"]} >= {"forward_kl", "reverse_kl", "none"}
    assert found["variants"][1]["arguments"] == {"logp": "logp", "logp_ref": "ref_logp"}


def test_json_goes_to_a_file_beside_the_text(losses, call, tmp_path):
    target = tmp_path / "audit.json"
    shown = call("audit", f"{losses}:k2", "--json", target)
    assert "reverse_kl" in shown.stdout
    assert json.loads(target.read_text(encoding="utf-8"))["target"].endswith("losses.py:k2")


def test_markdown_has_a_table(losses, call):
    lines = call("audit", f"{losses}:k2", "--markdown").stdout.splitlines()
    assert lines[0].startswith("### ")
    assert any(line.startswith("| loss | none | policy | reverse_kl | everywhere |") for line in lines)


COMPARED = [
    (["kl", "kl", "--set", "kind=k2"], 0, "the same"),
    (["k2", "kl", "--set-b", "kind=k2"], 0, "the same"),
    (["k2", "kl"], 1, "where    everywhere"),
    (["k2", "unnamed"], 3, "--args-b logp=x,logp_ref=y"),
    (["k2", "unnamed", "--args-b", "logp=x,logp_ref=y"], 1, "differs  value"),
]


@pytest.mark.parametrize(("arguments", "status", "words"), COMPARED, ids=[" ".join(a) for a, *_ in COMPARED])
def test_compare(arguments, status, words, losses, call):
    a, b, *options = arguments
    shown = call("compare", f"{losses}:{a}", f"{losses}:{b}", *options)
    assert shown.exit_code == status, shown.output
    assert words in shown.output


def test_compare_writes_json(losses, call):
    found = json.loads(call("compare", f"{losses}:k2", f"{losses}:kl", "--json").stdout, parse_constant=refuse)
    assert found["same"] is False
    assert {q["what"] for q in found["questions"]} > {"value", "derivative"}
    assert found["formulas"] == ["l**2/2", "l - 1 + exp(-l)"]
