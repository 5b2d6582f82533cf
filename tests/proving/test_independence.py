"""What each engine takes from the calculus: the table of docs/decision.md, by the syntax trees of its modules."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ALPHABET = {
    "At", "Mean", "Objective", "PastValue", "Sampler", "SequenceLoss", "SequenceObjective", "Surrogate",
    "SUMS", "Ahead", "Future", "Past", "Total", "length", "VARIABLES", "advantage", "inside", "log_ratio", "log_weight",
    "logp", "sg", "to_quotients", "erase_sg", "map_means", "decimal",
}  # fmt: skip
"""Classes that hold a formula, the alphabet, how it is written in itself, and which decimal a float is."""

DERIVATIONS = {"coefficient", "score", "sampled_by", "gradient", "decide"}
"""Methods that ask the calculus for an answer."""

# engine as in the table, its modules, what else they may import from the calculus, derivations they may ask for
ENGINES = {
    "autodiff, one step and on trees": (
        "numerics/autodiff numerics/primitives numerics/trees/gradient numerics/trees/reading numerics/trees/policies",
        set(),
        set(),
    ),
    "plain sums (values, moments)": ("numerics/bridge numerics/settings", set(), set()),
    "enumeration of a gradient": ("numerics/enumeration", {"Coefficient", "Region"}, set()),
    "points (signs, identities, orders)": ("numerics/asymptotics numerics/critical", set(), {"sampled_by"}),
    "concrete, V = 2, 3, 4 spelled out": (
        "calculus/concrete",
        {"split", "is_zero", "Undecidable", "Region", "C", "theta"},
        {"sampled_by"},
    ),
    "witness, in balls": (
        "numerics/certificate numerics/dual numerics/responses numerics/sexpr numerics/spelled numerics/spread "
        "numerics/witness",
        set(),
        {"gradient"},  # their own function of that name
    ),
}


def taken(source: str) -> set[str]:
    """The names that a module imports from the calculus."""
    tree = ast.parse(source)
    found = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and "calculus" in (n.module or "")]
    return {alias.name for n in found for alias in n.names}


def asked(source: str) -> set[str]:
    """The methods it calls."""
    tree = ast.parse(source)
    return {n.func.attr for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)}


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_takes_no_more_than_the_docs_say(engine):
    modules, more, methods = ENGINES[engine]
    for module in modules.split():
        source = (ROOT / "kltheory" / f"{module}.py").read_text(encoding="utf-8")
        assert taken(source) <= ALPHABET | more, module
        assert asked(source) & DERIVATIONS <= methods, module


def test_the_docs_have_these_engines():
    text = (ROOT / "docs" / "decision.md").read_text(encoding="utf-8")
    _, table = text.split("| engine | takes from it |", 1)
    rows = re.findall(r"^\| ([^|]+?) \|", table.split("\n\n", 1)[0], re.M)
    assert [row for row in rows if not row.startswith("-")] == list(ENGINES)


def test_what_takes_more_is_seen():
    source = "from kltheory.calculus.exact import is_zero\nfrom kltheory.calculus.symbols import logp\ns.coefficient()"
    assert taken(source) - ALPHABET == {"is_zero"}
    assert asked(source) & DERIVATIONS == {"coefficient"}
