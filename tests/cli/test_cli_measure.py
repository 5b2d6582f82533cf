"""``kltheory measure``: from files to findings, as a person types it."""

import json

import polars as pl
import pytest
from runs.synthetic import CLEAN, PLANTED, drawn

LOSS = "-min(w*A, clamp(w, 0.8, 1.2)*A) + 0.04*sg(w)*k2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("run")
    drawn(0, CLEAN).write_parquet(where / "clean.parquet")
    drawn(0, PLANTED["KL601"]).write_parquet(where / "off.parquet")
    drawn(0, CLEAN).rename({"logp": "mine"}).write_csv(where / "renamed.csv")
    return where


def test_a_clean_run_has_nothing_to_report(folder, call):
    done = call("measure", str(folder / "clean.parquet"), "--formula", LOSS)
    assert (done.exit_code, "nothing to report" in done.stdout) == (0, True)
    for word in ("k3_weighted", "penalty_share", "quantiles", "whole responses"):
        assert word in done.stdout


def test_what_is_off_is_an_alarm(folder, call):
    done = call("measure", str(folder / "off.parquet"))
    assert done.exit_code == 1
    first = done.stdout.splitlines()[2]
    assert first.startswith("ALARM KL601  importance weights do not average 1")
    assert done.stdout.splitlines()[3].startswith("  to change  recompute logp_old")


def test_json_has_the_numbers(folder, call):
    data = json.loads(call("measure", str(folder / "clean.parquet"), "--formula", LOSS, "--json").stdout)
    assert data["rows"]["total"] == drawn(0, CLEAN).height
    assert data["findings"] == []
    assert {"value", "error", "clusters"} == set(data["means"]["k1"])
    assert [s["step"] for s in data["steps"]["k1"]] == [0, 1, 2, 3]
    assert data["loss"]["name"] == LOSS
    assert data["missing"] == []


def test_markdown_has_tables(folder, call):
    shown = call("measure", str(folder / "off.parquet"), "--markdown").stdout
    assert shown.startswith("### ")
    assert "- **alarm** KL601 importance weights do not average 1" in shown
    assert "| k1 |" in shown


def test_a_report_fits_the_terminal(folder, call, monkeypatch):
    long = call("measure", str(folder / "off.parquet")).stdout
    monkeypatch.setenv("COLUMNS", "80")
    shown = call("measure", str(folder / "off.parquet")).stdout
    assert max(map(len, shown.splitlines())) <= 80 < max(map(len, long.splitlines()))
    assert set(shown.split()) == set(long.split())


def test_columns_are_named_and_runs_are_converted(folder, call, tmp_path):
    renamed = str(folder / "renamed.csv")
    refused = call("measure", renamed)
    assert (refused.exit_code, "--columns logp=NAME" in refused.stderr) == (3, True)
    to = tmp_path / "run.parquet"
    assert call("measure", renamed, "--columns", "logp=mine", "--convert", str(to)).exit_code == 0
    assert pl.read_parquet(to).height == drawn(0, CLEAN).height
    again = call("measure", renamed, "--columns", "logp=mine", "--convert", str(to))
    assert (again.exit_code, "is there already, and is not overwritten" in again.stderr) == (3, True)


WRONG = [
    (["nowhere.parquet"], 3, "there is no file nowhere.parquet"),
    (["{clean}", "--formula", "exp("], 3, "this is not a formula"),
    (
        ["{clean}", "--formula", "-min(w*A, clamp(w, 1 - eps, 1 + eps)*A)"],
        3,
        "needs numbers for eps: --param eps=VALUE",
    ),
    (["{clean}", "--columns", "logp"], 2, "NAME=COLUMN is needed"),
    (["{clean}", "--formula", "k3", "--loss", "trainer.py:loss"], 2, "give one of them"),
    (["{clean}", "--formula", "k3", "--set", "beta=1"], 2, "--set and --args are about the function of --loss"),
    (["{clean}", "--loss", "trainer.py:loss", "--param", "beta=1"], 2, "--param is about the formula of --formula"),
    (["{clean}", "--param", "beta=1"], 2, "--param is about the formula of --formula"),
    (["{clean}", "--columns", "logq=mine"], 3, "there is no column mine"),
    ([], 2, "Missing argument"),
]


@pytest.mark.parametrize(("arguments", "status", "said"), WRONG, ids=[said for *_, said in WRONG])
def test_what_is_wrong_is_said(arguments, status, said, folder, call):
    done = call("measure", *(a.format(clean=folder / "clean.parquet") for a in arguments))
    assert (done.exit_code, said in done.stderr) == (status, True), done.stderr


def test_the_page_needs_no_network_and_shows_every_finding(folder, trainer, call, tmp_path):
    page = tmp_path / "run.html"
    call("measure", str(folder / "off.parquet"), "--loss", f"{trainer}:bounded", "--html", str(page))
    text = page.read_text(encoding="utf-8")
    assert "KL601" in text
    assert text.count("<svg") > 5
    assert "cap = " in text  # what was assumed
    assert not any(word in text for word in ("http://", "https://", "<script", "nan", "inf,"))


TRAINER = """
import jax.numpy as jnp

def loss(logps, old_logps, ref_logps, advantages, mask, beta, kind="k3"):
    ratio = jnp.exp(logps - old_logps)
    policy = -jnp.minimum(ratio * advantages, jnp.clip(ratio, 0.8, 1.2) * advantages)
    log_ratio = logps - ref_logps
    penalty = jnp.exp(-log_ratio) - 1 + log_ratio if kind == "k3" else log_ratio**2 / 2
    return jnp.sum((policy + beta * penalty) * mask) / jnp.sum(mask)

def bounded(logps, ref_logps, cap):
    return jnp.clip(logps - ref_logps, -cap, cap) ** 2 / 2

def coupled(logps, old_logps, advantages):
    return -jnp.sum(jnp.exp(jnp.sum(logps - old_logps, -1)) * advantages[:, 0])
"""


@pytest.fixture(scope="module")
def trainer(tmp_path_factory):
    file = tmp_path_factory.mktemp("code") / "trainer.py"
    file.write_text(TRAINER, encoding="utf-8")
    return file


def test_a_function_is_joined_with_the_tokens(folder, trainer, call):
    run = str(folder / "clean.parquet")
    read = json.loads(call("measure", run, "--loss", f"{trainer}:loss", "--set", "beta=0.04", "--json").stdout)
    typed = json.loads(call("measure", run, "--formula", "-min(w*A, clamp(w, 0.8, 1.2)*A) + 0.04*k3", "--json").stdout)
    assert read["means"].keys() == typed["means"].keys()
    for name, mean in read["means"].items():
        assert mean["value"] == pytest.approx(typed["means"][name]["value"], rel=1e-12, abs=1e-15), name
    other = json.loads(call("measure", run, "--loss", f"{trainer}:loss", "--set", "beta=0.05", "--json").stdout)
    assert other["means"]["penalty_mean"]["value"] != pytest.approx(
        read["means"]["penalty_mean"]["value"], rel=1e-3, abs=0
    )


def test_what_was_assumed_of_a_function_is_told(folder, trainer, call):
    shown = call("measure", str(folder / "clean.parquet"), "--loss", f"{trainer}:bounded").stdout
    (note,) = (line for line in shown.splitlines() if line.startswith("note"))
    assert "cap = " in note
    given = call("measure", str(folder / "clean.parquet"), "--loss", f"{trainer}:bounded", "--set", "cap=0.5").stdout
    assert not any(line.startswith("note") for line in given.splitlines())


REFUSED = [
    ("coupled", [], "has no one formula for every token"),
    ("loss", [], "needs numbers for beta: --set beta=VALUE"),
    ("loss", ["--set", "kind=k2,k3"], "has several variants, choose one with --set: kind=k2; kind=k3"),
    ("nothing", [], "nothing"),
]


@pytest.mark.parametrize(("name", "options", "said"), REFUSED, ids=[said for *_, said in REFUSED])
def test_a_function_without_one_formula_is_refused(name, options, said, folder, trainer, call):
    done = call("measure", str(folder / "clean.parquet"), "--loss", f"{trainer}:{name}", *options)
    assert (done.exit_code, said in done.stderr) == (3, True), done.stderr
