"""Variants: configurations from command lines, annotations and sources."""

import re
from typing import Any, Literal

import jax.numpy as jnp
import pytest

from kltheory.audit.target import CannotRun, of_function
from kltheory.audit.variants import other_choices, parse_arguments, parse_settings, single_values, variants


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kind=k3", {"kind": ["k3"]}),
        ("kind=k1,k2", {"kind": ["k1", "k2"]}),
        ("beta=0.1", {"beta": [0.1]}),
        ("flag=True,False", {"flag": [True, False]}),
        ("index=0,1", {"index": [0, 1]}),
        ("shape=(2,3)", {"shape": [(2, 3)]}),
        ("pairs=[1,2],[3]", {"pairs": [[1, 2], [3]]}),
        ("mask=None", {"mask": [None]}),
        ("self.args.beta = 1e-3", {"self.args.beta": [1e-3]}),
        ("text='k3+'", {"text": ["k3+"]}),
        ("kind=k3+", {"kind": ["k3+"]}),
        ("expression=a=b", {"expression": ["a=b"]}),
    ],
)
def test_settings_are_literals_or_text(text: str, expected: dict[str, Any]) -> None:
    assert parse_settings([text]) == expected


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (parse_settings, "kind", "--set kind: write --set name=value, or --set name=value1,value2"),
        (parse_settings, "=k3", "--set =k3: write --set name=value"),
        (parse_arguments, "logp", "--args logp: write --args logp=NAME,logp_ref=NAME"),
        (single_values, "kind=k1,k2", "--set kind: one value is compared with one value; give one"),
    ],
)
def test_what_is_no_setting(parse: Any, text: str, message: str) -> None:
    with pytest.raises(CannotRun, match=re.escape(message)):
        parse([text])


def test_arguments_are_roles_and_names() -> None:
    assert parse_arguments(["logp=a,logp_ref=b.c", "mask=m"]) == {"logp": "a", "logp_ref": "b.c", "mask": "m"}


def compared(logp: Any, ref_logp: Any, kind: Any) -> Any:
    if kind in ("k1", "kl"):
        return logp - ref_logp
    if kind == "k2":
        return jnp.square(logp - ref_logp) / 2
    raise NotImplementedError(kind)


def matched(logp: Any, ref_logp: Any, kind: Any) -> Any:
    match kind:
        case "k1":
            return logp - ref_logp
        case "k2" | "mse":
            return jnp.square(logp - ref_logp)


def annotated(logp: Any, ref_logp: Any, kind: Literal["a", "b"]) -> Any:
    return jnp.abs(logp - ref_logp)


def default(logp: Any, ref_logp: Any, kind: str = "k1") -> Any:
    return logp - ref_logp if kind == "k1" else jnp.abs(logp - ref_logp) if kind == "abs" else None


@pytest.mark.parametrize(
    ("function", "choices", "names"),
    [
        (compared, {}, ["kind=k1", "kind=kl", "kind=k2"]),
        (matched, {}, ["kind=k1", "kind=k2", "kind=mse"]),
        (annotated, {}, ["kind=a", "kind=b"]),
        (default, {}, [""]),
        (compared, {"kind": ["k2"]}, ["kind=k2"]),
        (compared, {"kind": ["k1", "k2"], "x": [1]}, ["kind=k1", "kind=k2"]),
        (default, {"kind": ["k1", "abs"], "b": [1, 2]}, [f"kind={k}, b={b}" for k in ("k1", "abs") for b in (1, 2)]),
    ],
)
def test_every_choice_is_a_variant(function: Any, choices: Any, names: list[str]) -> None:
    assert [v.name for v in variants(of_function(function), choices)] == names


def test_other_choices_of_a_default_are_told() -> None:
    assert other_choices(of_function(default), {}) == {"kind": ["k1", "abs"]}
    assert other_choices(of_function(default), {"kind": "abs"}) == {}
