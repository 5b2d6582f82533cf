"""The commands ``audit`` and ``compare``: text, JSON, Markdown, exit statuses, options."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kltheory.audit import audit as audits
from kltheory.cli.main import cli as main

SOURCE = """
import jax
import jax.numpy as jnp

def kl(log_probs, ref_log_probs, kind="k1", scale=1):
    d = log_probs - ref_log_probs
    if kind == "k1":
        return scale * d
    if kind == "k2":
        return scale * d**2 / 2
    if kind == "k3":
        return scale * (jnp.exp(-d) - 1 + d)
    raise NotImplementedError(kind)

def unnamed(x, y):
    return (x - y) ** 2 / 2

def several(logp, ref_logp):
    d = logp - ref_logp
    return {"first": d, "second": d**2 / 2, "third": (d, jnp.abs(d))}

def coupled(logp, ref_logp):
    return (logp - ref_logp).sum() ** 2

class Trainer:
    def loss(self, inputs):
        return self.beta * (inputs["logps"] - inputs["ref_logps"]) ** 2
"""
VARIANT = {
    "name", "settings", "arguments", "formula", "coefficient", "how", "reading", "dtype", "residual", "aggregation",
    "rows", "responses", "alarms", "probes", "advantage", "answer", "undecided", "failure", "notes", "findings",
}  # fmt: skip
LEVELS = ("note", "alarm", "undecided", "failure")
RESPONSES = {
    (placement, credit, sampler)
    for placement, credit in (("loss", None), ("reward", "own"), ("reward", "to_go"), ("reward", "whole"))
    for sampler in ("policy", "old")
}
ROW = {
    "level", "placement", "weight", "sampler", "gradient_of", "where", "how", "residual", "coefficient", "title",
    "order", "reason", "direction", "multiple",
}  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "losses.py"
    path.write_text(SOURCE)
    return path


def run(*arguments: Any) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["kl", "--set", "kind=k2"], 0, "1 variant: nothing to report"),
        (["kl"], 1, "hint: kind has other choices: --set kind=k1,k2,k3"),
        (["kl", "--as", "reward"], 0, "reward  none      reverse_kl  none"),
        (["kl", "--set", "kind=k1,k2", "--set", "scale=2,3"], 1, "kind=k2, scale=3"),
        (["kl", "--set", "kind=k9"], 3, "NotImplementedError: k9 (losses.py:13)"),
        (["unnamed"], 3, "--args logp=x,logp_ref=y"),
        (["unnamed", "--args", "logp=x,logp_ref=y"], 0, "arguments  x = logp, y = logp_ref"),
        (["unnamed", "--args", "logp=x", "--args", "logp_ref=y"], 0, "reverse_kl"),
        (["unnamed", "--args", "logp"], 3, "could not run: --args logp: write --args logp=NAME"),
        (["several", "--output", "second"], 0, "l**2/2"),
        (["several"], 1, "computes     l\n"),
        (["coupled"], 2, "UNDECIDED KL403  tokens are coupled"),
        (["Trainer.loss"], 0, "note KL901  self.beta = 0.5: generic values, --set NAME=VALUE for another"),
        (["Trainer.loss", "--set", "self.beta=0.5"], 0, "inputs.logps = logp, inputs.ref_logps = logp_ref"),
        (["gone"], 3, "could not run"),
        (["kl", "--framework", "tensorflow"], 2, "Invalid value for '--framework'"),
    ],
    ids=lambda x: "-".join(x).replace(" ", "") if isinstance(x, list) else None,
)
def test_text_and_exit_status(file: Path, arguments: list[str], status: int, words: str) -> None:
    code, text = run("audit", f"{file}:{arguments[0]}", *arguments[1:])
    assert words in text
    assert code == status


def test_a_name_that_is_no_library(file: Path) -> None:
    code, text = run("audit", "no_such_library")
    assert code == 3
    assert (
        "names no function: write package.module:function, or path/to/file.py:function, "
        "or a library: openrlhf, trl, tunix, verl" in text
    )


def test_several_targets_in_one_call(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    targets = [f"{file}:kl", f"{file}:coupled", f"{file}.kl"]
    code, text = run("audit", *targets[:2], "--json", out, "--as", "loss")
    assert (code, [d["status"] for d in _strict(out.read_text(encoding="utf-8"))]) == (2, ["alarms", "undecided"])
    assert text.count("1 variant: ") == 2
    code, text = run("audit", *targets, "--json", out, "--as", "loss")
    last = _strict(out.read_text(encoding="utf-8"))[-1]
    assert (code, last["status"], last["variants"]) == (3, "could not run", [])
    assert f"did you mean {targets[0]}?" in last["failure"]
    assert last["failure"] in text


def test_what_spoils_one_target_spares_the_others(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = audits.audit

    def spoiled(target: Any, *rest: Any, **options: Any) -> Any:
        if target.name.endswith("unnamed"):
            raise RuntimeError("nobody expected this")
        return real(target, *rest, **options)

    monkeypatch.setattr(audits, "audit", spoiled)
    code, text = run("audit", f"{file}:kl", f"{file}:unnamed", "--json", "--as", "loss")
    first, last = _strict(text)
    assert (code, first["status"], last["status"]) == (3, "alarms", "could not run")
    assert last["failure"].startswith("internal error: RuntimeError: nobody expected this; please report it")


def _strict(text: str) -> Any:
    def refuse(constant: str) -> Any:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_json_has_the_keys_that_programs_read(file: Path, tmp_path: Path) -> None:
    code, text = run("audit", f"{file}:kl", "--set", "kind=k1,k3", "--json")
    data = _strict(text)
    assert (code, data["status"], data["framework"], data["file"], data["line"]) == (1, "alarms", "jax", str(file), 5)
    assert [v["name"] for v in data["variants"]] == ["kind=k1", "kind=k3"]
    for v in data["variants"]:
        assert set(v) == VARIANT
        assert len(v["rows"]) == 12
        for r in v["rows"]:
            assert set(r) - {"near", "far"} == ROW
            assert r["placement"] in ("loss", "reward")
            assert r["weight"] in ("none", "detached", "live")
            assert r["sampler"] in ("policy", "old")
            assert r["how"] in ("derived", "measured")
        assert {(r["placement"], r["credit"], r["sampler"]) for r in v["responses"]} == RESPONSES
        for r in v["responses"]:
            assert set(r) == {"level", "placement", "weight", "credit", "sampler", "fixed", "random", "near", "far"}
            assert set(r["fixed"]) == set(r["random"]) == {"gradient_of", "title", "where", "how", "residual"}
        assert {"kind", "text"} == {k for a in v["alarms"] for k in a}
        assert all({"probe", "text", "alarm"} <= set(p) for p in v["probes"])
        assert all({"code", "name", "level", "text", "data"} == set(f) for f in v["findings"])
        by_level = {level: [f["text"] for f in v["findings"] if f["level"] == level] for level in LEVELS}
        assert by_level["alarm"] == [a["text"] for a in v["alarms"]]
        assert by_level["undecided"] == v["undecided"]
    json.dumps(data, allow_nan=False)
    target = tmp_path / "report.json"
    code, text = run("audit", f"{file}:kl", "--set", "kind=k1,k3", "--json", target)
    assert _strict(target.read_text(encoding="utf-8")) == data
    assert "2 variants:" in text


def test_json_of_what_was_measured_or_could_not_run_is_strict_as_well(file: Path) -> None:
    for name in ("coupled", "several", "unnamed"):
        _, text = run("audit", f"{file}:{name}", "--json")
        assert _strict(text)["schema"] == 1


def test_markdown_is_a_table(file: Path) -> None:
    code, text = run("audit", f"{file}:kl", "--set", "kind=k3", "--markdown")
    lines = text.splitlines()
    assert code == 1
    assert lines[0].startswith(f"### {file}:kl")
    table = [line for line in lines if line.startswith("|")]
    first, second = table[:12], table[12:]
    assert second[0].startswith("| whole responses | sampled by |")
    assert len(second) == 2 + 2 + 6
    for lines_of in (first, second):
        assert len({line.replace("\\|", "").count("|") for line in lines_of}) == 1
    assert any(line.startswith("- **alarm** ") for line in lines)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["kl", "kl", "--set", "kind=k2"], 0, "the same: value"),
        (["kl", "kl", "--set-a", "kind=k1", "--set-b", "kind=k2"], 1, "differs  derivative"),
        (["kl", "unnamed", "--set-a", "kind=k2", "--args-b", "logp=x,logp_ref=y"], 0, "the same: value, derivative"),
        (["kl", "unnamed"], 3, "which, with --args-b logp=x,logp_ref=y"),
        (["kl", "kl", "--set", "kind=k1,k2"], 3, "one value is compared with one value"),
    ],
    ids=lambda x: "-".join(x) if isinstance(x, list) else None,
)
def test_compare(file: Path, arguments: list[str], status: int, words: str) -> None:
    a, b, *options = arguments
    code, text = run("compare", f"{file}:{a}", f"{file}:{b}", *options)
    assert words in text
    assert code == status
    if status < 2:
        _, text = run("compare", f"{file}:{a}", f"{file}:{b}", *options, "--json")
        assert _strict(text)["same"] is (status == 0)
