"""OpenRLHF's real function: every variant derived, named as it should be, and equal to sums through it."""

from functools import lru_cache
from typing import Any

import pytest
import row_oracle
from libraries import function_of

pytestmark = pytest.mark.torch

CLAMPED = "-2.610869 < l < 10.99998"


@pytest.fixture(scope="module")
def function() -> Any:
    pytest.importorskip("torch")
    return function_of("openrlhf")


@lru_cache
def report() -> dict[str, Any]:
    from kltheory.audit.audit import audit
    from kltheory.audit.library import libraries
    from kltheory.audit.target import of_function
    from kltheory.report.audit_json import to_json

    library = libraries()["openrlhf"]
    function, source = library.reach()
    target = of_function(function, "openrlhf", "torch", source=source)
    done = audit(target, None, library.arguments, configurations=library.variants)
    return {v["name"]: v for v in to_json(done)["variants"]}


# As a loss on samples of the policy, at the reference: without and with the old policy.
GRADIENT_OF = {
    ("k1", False): "zero",
    ("k2", False): "reverse_kl",
    ("k3", False): "forward_kl",
    ("k1", True): "reverse_kl",
    ("k2", True): "reverse_kl",
    ("k3", True): "reverse_kl",
}


def test_every_variant_is_derived(function: Any) -> None:
    for name, v in report().items():
        assert (v["how"], v["failure"], v["undecided"]) == ("derived", None, []), name
        assert v["dtype"] == "float32"
        assert {r["how"] for r in v["rows"]} == {"derived"}
        first = v["rows"][0]
        key = (v["settings"]["kl_estimator"], v["settings"].get("unbiased_gradient", False))
        assert first["gradient_of"] == GRADIENT_OF[key], name


def test_the_clamp_of_k3_bounds_where_it_holds(function: Any) -> None:
    plain = [
        v
        for v in report().values()
        if v["settings"]["kl_estimator"] == "k3" and not v["settings"].get("unbiased_gradient", False)
    ]
    assert plain
    for v in plain:
        assert v["rows"][0]["where"] == CLAMPED
        assert any(a["kind"] == "dead_zone" for a in v["alarms"])


@pytest.mark.slow
def test_verdicts_equal_sums_through_the_running_function_in_every_placement(function: Any) -> None:
    for name, v in report().items():
        with_old = "logp_old" in v["arguments"]

        def call(p: Any, r: Any, o: Any, v: Any = v, with_old: bool = with_old) -> Any:
            return function(p, r, o if with_old else None, **v["settings"]).double()

        assert row_oracle.disagreements(v["rows"], call, "torch", tolerance=2e-5) == [], name
        assert row_oracle.tested(v["rows"]) >= 2
