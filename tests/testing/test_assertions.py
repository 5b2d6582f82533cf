"""The assertions on functions as somebody would write them: what passes, and the wrong twins that must not.

Every row runs on the PyTorch version of a function, and the first rows of each table on the JAX version too, where one
audit takes a second or two.
"""

import re
from types import ModuleType
from typing import Any

import pytest

from kltheory.testing import assert_finite, assert_gradient_of, assert_no_dead_zone, assert_same_gradient, audited


def on_each(rows: list[Any], jax: int) -> Any:
    """Parameters: the rows on PyTorch, and the first few on JAX."""
    cases = [pytest.param("jax", *row, id=f"jax-{title(row)}") for row in rows[:jax]]
    cases += [pytest.param("torch", *row, id=f"torch-{title(row)}", marks=pytest.mark.torch) for row in rows]
    return cases


def title(row: tuple[Any, ...]) -> str:
    """A short name of a row: its texts and numbers."""
    flat = [x for part in row for x in (part.values() if isinstance(part, dict) else [part])]
    return "-".join(str(x) for x in flat if not isinstance(x, list))


REWARD = {"placement": "reward"}
LIVE = {"weight": "live"}
OLD = {"sampler": "old"}
K1, K2 = ({"settings": {"kind": kind}} for kind in ("k1", "k2"))
NAMES = {"arguments": {"logp": "a", "logp_ref": "b"}}

HOLDS: list[tuple[str, str, dict[str, Any]]] = [
    ("kl", "forward_kl", {}),
    ("kl", "forward_kl", OLD | {"weight": "detached"}),
    ("kl", "reverse_kl", LIVE | OLD),
    ("kl", "-forward_kl + 1*reverse_kl", REWARD),
    ("detached", "zero", {}),
    ("clamped_k2", "reverse_kl", {"within": 4}),
    ("mean_k2", "reverse_kl", {}),
    ("full_vocabulary", "reverse_kl", {}),
    ("nameless", "2*reverse_kl", NAMES),
    ("kl", "none", OLD),
    ("kl", "zero", K1),
    ("kl", "reverse_kl", K1 | REWARD),
    ("kl", "reverse_kl", K2),
    ("swapped", "1/2*pearson_chi2", {}),
    ("scaled", "0.1*reverse_kl", {}),
    ("scaled", "3*reverse_kl", {"settings": {"beta": 3}}),
    ("clamped_abs", "2*total_variation", {"within": 9.9}),
    ("weighted_k3", "reverse_kl", OLD),
    ("half_weighted_k3", "reverse_kl", OLD | {"within": 2.3}),
]

FAILS: list[tuple[str, str, dict[str, Any], list[str]]] = [
    # k3 as a loss, the mistake that everybody makes: what it is, where, how, a witness, what would do
    (
        "kl",
        "reverse_kl",
        {},
        [
            "kl is not shown to have the expected gradient of reverse_kl",
            r"function .* kl · .*_losses.py:\d+ · (JAX|PyTorch)",
            r"computes .* l - 1 \+ exp\(-l\)",
            r"coefficient .* 1 - exp\(-l\)",
            "asked .* as a loss without a weight, sampled by the policy, everywhere",
            r"found .* it is forward_kl = KL\(π_ref‖π\), everywhere",
            r"how .* derived, residual to the running function \d\.\de-\d\d",
            r"witness .* policy \(0.5, 0.2, 0.3\), reference \(0.4, 0.1, 0.5\)",
            r"running function  \(0.1, 0.1, -0.2\)\n *reverse_kl        \(0.0631, 0.1192, -0.1823\)",
            "they differ most at action 0: 0.1 and 0.0631",
            "to change .* as a loss with a live weight, this function has the expected gradient of reverse_kl",
            "to change .* with kind='k2', as a loss without a weight, it has the expected gradient of reverse_kl",
        ],
    ),
    ("detached", "reverse_kl", {}, ["it is zero", "ALARM KL101 +no gradient flows", "to change .* in the reward"]),
    (
        "swapped",
        "forward_kl",
        {},
        ["ALARM KL107 +with policy and reference exchanged", "to change .* are logp and logp_ref swapped"],
    ),
    (
        "clamped_k2",
        "reverse_kl",
        {},
        ["reverse_kl = .* where -4 < l < 4", "zero, where 4 < l", "within 4 nats of the reference: within=4 asks"],
    ),
    # undecided never passes, whatever is claimed
    ("coupled", "zero", {}, ["UNDECIDED KL403 +tokens are coupled", "in a batch of one token"]),
    # what cannot run says what to do
    ("raises", "none", {}, ["COULD NOT RUN KL501 +RuntimeError: not on this machine"]),
    ("nameless", "none", {}, ["COULD NOT RUN KL502", r'in Python, --args is arguments=\{"logp": "NAME"']),
    # and the rest
    ("kl", "reverse_kl", K1, ["found .* it is zero, everywhere", "to change .* in the reward without a weight"]),
    (
        "kl",
        "reverse_kl",
        REWARD,
        [r"it is reverse_kl - forward_kl", "to change .* in the reward .* with kind='k1'|live"],
    ),
    ("kl", "zero", {}, ["found .* it is forward_kl", "expected .* zero: no expected gradient"]),
    ("kl", "none", {}, ["found .* it is forward_kl"]),
    ("kl", "f_divergence", {}, ["found .* it is forward_kl"]),
    ("kl", "forward_kl", OLD, ["found .* it is none", r"old policy \(0.1, 0.7, 0.2\)"]),
    ("scaled", "reverse_kl", {}, ["it is 1/10 times what was expected, 1/10.reverse_kl: scale it by 10"]),
    ("scaled", "-0.1*reverse_kl", {}, ["it is minus what was expected"]),
    (
        "clamped_k2",
        "reverse_kl",
        {"within": 4.2},
        [r"asked .* where \|l\| < 4.2", "witness .* policy", "within=4 asks"],
    ),
    ("clamped_abs", "zero", {"within": 1}, [r"it is 2\*total_variation"]),
    ("clamped_logp", "reverse_kl", {"within": 1}, ["reverse_kl = .* where -3 < logp"]),
    ("clamped_logp", "f_divergence", {}, ["zero, where logp < -3"]),
    (
        "half_weighted_k3",
        "reverse_kl",
        OLD,
        ["reverse_kl = .* where w < 10", "witness .* old policy", "within=2.3 asks"],
    ),
    ("needs_kind", "reverse_kl", {}, [r"needs_kind \(kind=k1\)", "also +kind=k3: it is forward_kl"]),
    ("full_vocabulary", "forward_kl", {}, ["it is reverse_kl", "witness"]),
    ("full_vocabulary", "reverse_kl", LIVE, ["no sample carries a weight"]),
    ("mixed", "zero", {}, ["UNDECIDED KL404 +tokens have different formulas"]),
    ("branches", "none", {}, ["UNDECIDED KL4|it is|COULD NOT RUN KL5"]),
    ("kl", "none", {"settings": {"knd": "k1"}}, ["kl has no parameter knd; it has logp, logp_ref, kind"]),
    ("kl", "none", {"arguments": {"logq": "logp"}}, ["there is no role logq; the roles are logp"]),
]


@pytest.mark.parametrize(("losses", "name", "expected", "how"), on_each(HOLDS, 8), indirect=["losses"])
def test_what_holds_passes(losses: ModuleType, name: str, expected: str, how: dict[str, Any]) -> None:
    assert_gradient_of(getattr(losses, name), expected, **how)


@pytest.mark.parametrize(("losses", "name", "expected", "how", "texts"), on_each(FAILS, 7), indirect=["losses"])
def test_a_wrong_claim_fails_with_the_finding(
    losses: ModuleType, failure: Any, name: str, expected: str, how: dict[str, Any], texts: list[str]
) -> None:
    message = failure(assert_gradient_of, getattr(losses, name), expected, **how)
    assert [t for t in texts if not re.search(t, message)] == [], message
    assert max(map(len, re.findall(r"\d+\.\d+", message)), default=0) <= 8, "numbers are short"


ABSENT = [
    ("raises", {}, "witness"),
    ("coupled", {}, "witness"),
    ("coupled", {}, "ALARM"),
    ("full_vocabulary", {}, "in the reward"),
    ("exp_first", {}, "to change"),  # nothing that was found does it
]


@pytest.mark.parametrize(("losses", "name", "how", "text"), on_each(ABSENT, 1), indirect=["losses"])
def test_nothing_is_said_that_was_not_found(
    losses: ModuleType, failure: Any, name: str, how: dict[str, Any], text: str
) -> None:
    assert text not in failure(assert_gradient_of, getattr(losses, name), "forward_kl", **how)


def test_advice_is_true(losses: ModuleType) -> None:
    """Each line of the first finding above, followed."""
    assert_gradient_of(losses.kl, "reverse_kl", weight="live")
    assert_gradient_of(losses.kl, "reverse_kl", settings={"kind": "k2"})
    assert_gradient_of(losses.swapped, "forward_kl", arguments={"logp": "logp_ref", "logp_ref": "logp"})


def test_a_method_is_named_by_text_and_reads_its_settings_from_a_stand_in(losses: ModuleType) -> None:
    assert_gradient_of(f"{losses.__file__}:Trainer.loss", "1/4*reverse_kl", settings={"self.beta": 0.25})


def test_a_change_of_the_function_is_seen_at_once(
    losses: ModuleType, failure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of an earlier assertion is kept."""
    assert_gradient_of(losses.swapped, "pearson_chi2/2")
    monkeypatch.setattr(losses, "kl", lambda a, b: -losses.l_of(a, b))
    assert "it is zero" in failure(assert_gradient_of, losses.swapped, "pearson_chi2/2")


# --- the same gradient ------------------------------------------------------------------------------------------------
def test_a_function_is_the_same_as_itself_written_otherwise(losses: ModuleType) -> None:
    assert_same_gradient(losses.needs_kind, losses.kl, settings={"kind": "k3"})
    assert_same_gradient(losses.scaled, losses.kl, settings_a={"beta": 1}, settings_b={"kind": "k2"})
    assert_same_gradient(losses.coupled, losses.coupled)


def test_two_frameworks_are_compared(losses: ModuleType) -> None:
    import jax.numpy as jnp

    def k3(logp, logp_ref):
        return jnp.expm1(logp_ref - logp) - (logp_ref - logp)

    assert_same_gradient(losses.kl, k3)


DIFFER = [
    ("kl", "swapped", {}, ["differs .* value", "where .* everywhere", "at l = .*, log_w = ", "in every placement"]),
    ("kl", "swapped", {"which": "derivative"}, ["differs .* derivative"]),
    ("l_of", "detached", {"which": ["derivative"]}, ["differs .* derivative"]),
    (
        "scaled",
        "clamped_k2",
        {"settings_a": {"beta": 1}},
        ["where .* l < -4 or 4 < l", "witness .* at l = "],
    ),
    ("scaled", "scaled", {"settings_a": {"beta": 2}, "settings_b": {"beta": 1}}, ["b = 1/2·a"]),
    ("kl", "raises", {}, ["nothing to compare yet: raises raises RuntimeError"]),
    ("kl", "full_vocabulary", {}, ["differs .* derivative", "reward, weight none|every placement"]),
]


@pytest.mark.parametrize(("losses", "a", "b", "how", "texts"), on_each(DIFFER, 1), indirect=["losses"])
def test_two_functions_that_differ(
    losses: ModuleType, failure: Any, a: str, b: str, how: dict[str, Any], texts: list[str]
) -> None:
    message = failure(assert_same_gradient, getattr(losses, a), getattr(losses, b), **how)
    assert [t for t in texts if not re.search(t, message)] == [], message


def test_what_is_not_asked_is_not_compared(losses: ModuleType, failure: Any) -> None:
    assert_same_gradient(losses.l_of, losses.detached, which=["value"])
    message = failure(assert_same_gradient, losses.l_of, losses.detached, which=["value", "expected"])
    assert "loss, weight none" in message
    assert "reward, weight none" not in message


# --- dead zones and overflow ------------------------------------------------------------------------------------------
ALIVE = [("clamped_k2", 4.0), ("kl", 5.0), ("kl", 300.0), ("clamped_k3", 2.0), ("scaled", 5.0)]
DEAD = [
    ("clamped_k2", 5.0, ["vanishes where l < -4, derived", "witness .* at l = -?4.* 0, and at l", "within=4 asks"]),
    ("detached", 5.0, ["no gradient flows"]),
    ("clamped_k3", 5.0, [r"vanishes where l < -2.6", "within=2.6\\d? asks"]),
    ("clamped_logp", 1.0, ["vanishes where logp < -3", r"\(log π = -[3-9]"]),
    ("full_vocabulary", 5.0, ["undecided"]),
    ("coupled", 5.0, ["UNDECIDED KL403"]),
    ("raises", 5.0, ["COULD NOT RUN KL501"]),
]


@pytest.mark.parametrize(("losses", "name", "within"), on_each(ALIVE, 1), indirect=["losses"])
def test_no_dead_zone(losses: ModuleType, name: str, within: float) -> None:
    assert_no_dead_zone(getattr(losses, name), within)


@pytest.mark.parametrize(("losses", "name", "within", "texts"), on_each(DEAD, 2), indirect=["losses"])
def test_a_dead_zone(losses: ModuleType, failure: Any, name: str, within: float, texts: list[str]) -> None:
    message = failure(assert_no_dead_zone, getattr(losses, name), within)
    assert [t for t in texts if not re.search(t, message)] == [], message


FINITE = [("kl", "float32", 20), ("kl", "float64", 100), ("kl", "float16", 10), ("full_vocabulary", "float32", 20)]
INFINITE = [
    ("kl", "float32", 100, ["value is inf at l = -90", "witness .* log π = -91", "finite for .* <= 80 in float32"]),
    ("exp_first", "float32", 20, ["value is inf at l = 10", "gradient is inf", r"finite for .* <= 20 in float64\n"]),
    ("kl", "float16", 20, ["finite for .* <= 20 in float64, float32, bfloat16"]),
    ("clamped_k3", "float32", 100, ["gradient is nan"]),
    ("coupled", "float32", 20, ["UNDECIDED KL403"]),
    ("raises", "float32", 20, ["COULD NOT RUN KL501"]),
]


@pytest.mark.parametrize(("losses", "name", "dtype", "within"), on_each(FINITE, 1), indirect=["losses"])
def test_finite(losses: ModuleType, name: str, dtype: str, within: float) -> None:
    assert_finite(getattr(losses, name), dtype, within)


@pytest.mark.parametrize(("losses", "name", "dtype", "within", "texts"), on_each(INFINITE, 2), indirect=["losses"])
def test_overflow(losses: ModuleType, failure: Any, name: str, dtype: str, within: float, texts: list[str]) -> None:
    message = failure(assert_finite, getattr(losses, name), dtype, within)
    assert [t for t in texts if not re.search(t, message)] == [], message


# --- names ------------------------------------------------------------------------------------------------------------
def unused(logp: Any, logp_ref: Any) -> Any:
    raise AssertionError("a wrong name is refused before the function is called")


WRONG = [
    (lambda: assert_gradient_of(unused, "revers_kl"), "no divergence 'revers_kl'; did you mean reverse_kl"),
    (lambda: assert_gradient_of(unused, ""), "names: zero, none"),
    (lambda: assert_gradient_of(unused, "reverse_kl +"), "missing after"),
    (lambda: assert_gradient_of(unused, "reverse_kl*forward_kl"), "a sum of multiples"),
    (lambda: assert_gradient_of(unused, "2"), "a sum of multiples"),
    (lambda: assert_gradient_of(unused, "cressie_read[0]"), "use reverse_kl"),
    (lambda: assert_gradient_of(unused, None), "a name is needed"),
    (lambda: assert_gradient_of(unused, "zero", placement="los"), "did you mean 'loss'. it is one of loss, reward"),
    (lambda: assert_gradient_of(unused, "zero", weight="detach"), "did you mean 'detached'"),
    (lambda: assert_gradient_of(unused, "zero", sampler="new"), "it is one of policy, old"),
    (lambda: assert_gradient_of(unused, "zero", within=0), "within=0: a positive number"),
    (lambda: assert_same_gradient(unused, unused, which=["values"]), "did you mean 'value'"),
    (lambda: assert_same_gradient(unused, unused, which=[]), "nothing is asked"),
    (lambda: assert_no_dead_zone(unused, within=-1), "within=-1"),
    (lambda: assert_finite(unused, "fp32"), "it is one of float64, float32, bfloat16, float16"),
    (lambda: assert_finite(unused, "float23"), "did you mean 'float32'"),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_an_unknown_name_is_no_failure_of_the_function(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("fn", "message"), [(3, "is a int, and cannot be called"), ("kl", "names no function"), (max, "signature|neither")]
)
def test_what_is_no_function_says_what_to_write(failure: Any, fn: Any, message: str) -> None:
    assert re.search(message, failure(assert_gradient_of, fn, "zero"))


# --- the audit itself -------------------------------------------------------------------------------------------------
def test_an_audit_for_assertions_of_ones_own(losses: ModuleType) -> None:
    (one,) = audited(losses.kl, settings={"kind": "k3"}).variants
    assert {r.gradient_of for r in one.rows if (r.placement, r.sampler) == ("loss", "policy")} == {
        "forward_kl",
        "reverse_kl",
    }
    with pytest.raises(AssertionError, match=r"nothing to audit yet: .*no parameter"):
        audited(losses.kl, settings={"knd": 1})
