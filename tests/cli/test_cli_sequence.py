"""``kltheory sequence``: verdicts, numbers that belong together, and errors."""

import json
from functools import cache

import pytest
from click.testing import CliRunner

from kltheory.cli.main import cli

SMALL = ("-V", "2", "-T", "3", "--seed", "4")


@cache
def rows(*arguments: str) -> dict[str, dict]:
    result = CliRunner().invoke(cli, ["sequence", *SMALL, *arguments, "--json"])
    assert result.exit_code == 0, result.output
    return {row["name"]: row for row in json.loads(result.stdout)["losses"]}


DESCENDS = {
    "k1 per token": ("zero", None),
    "k2 per token": ("frozen_reverse_kl", None),
    "k3 per token": ("frozen_forward_kl", None),
    "k3 per token, token weight": ("frozen_reverse_kl", "frozen_reverse_kl"),
    "k3 per token, prefix weight": ("reverse_kl", "reverse_kl"),
    "k1 in reward, to go": ("reverse_kl", None),
    "k1 in reward, to go, weighted": ("reverse_kl", "reverse_kl"),
    "k3 in reward, to go": (None, None),
}


@pytest.mark.parametrize(("sampler", "column"), [("policy", 0), ("old", 1)])
@pytest.mark.parametrize("hidden", ["0", "3"])
def test_verdicts_and_numbers_belong_together(sampler, column, hidden):
    found = rows("--eos", "1", "--sampled-by", sampler, "--hidden", hidden)
    assert {name: found[name]["target"] for name in DESCENDS} == {name: x[column] for name, x in DESCENDS.items()}
    for row in found.values():
        assert (row["error"] < 1e-9) == (row["target"] == "reverse_kl")
        assert (row["cosine"] is None) == (row["target"] == "zero")
        assert row["target"] not in ("reverse_kl", "forward_kl") or row["conservative"]


def test_growth_and_lower_noise_of_exact_means():
    found = rows()
    assert [found[n]["growth"] for n in ("k2 per token", "k1 in reward, to go")] == [1, 3]
    assert found["exact KL per token"]["variance"] < found["k2 per token"]["variance"]


def test_markdown_has_a_line_for_each_loss():
    shown = CliRunner().invoke(cli, ["sequence", *SMALL, "--markdown"])
    assert shown.exit_code == 0
    assert sum(line.startswith("| k") for line in shown.stdout.splitlines()) == len(rows()) - 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--eos", "5"], "--eos 5 is no token of a vocabulary of 3"),
        (["-V", "64", "-T", "32"], "64^32 responses are too many"),
        (["--json", "--markdown"], "exclude each other"),
    ],
)
def test_misuse(arguments, words):
    shown = CliRunner().invoke(cli, ["sequence", *arguments])
    assert shown.exit_code == 2
    assert words in shown.output
