"""Tunix: ``compute_kl_divergence``, without the package's own ``__init__``, which imports every trainer."""

from importlib import import_module

from kltheory.audit.library import Function, Library, located, standing_in

METHODS = ("kl", "mse_kl", "low_var_kl")
CLAMP = 10_000.0  # the documentation's example


def load() -> Function:
    """``tunix.rl.common``, with what it imports itself."""
    with standing_in("tunix", [located("google-tunix", "tunix/rl/common.py").parents[1]]):
        return import_module("tunix.rl.common").compute_kl_divergence


LIBRARY = Library(
    name="tunix",
    distribution="google-tunix",
    framework="jax",
    install=(
        "jax==0.10.2 flax==0.12.8 humanize==4.17.0 absl-py==2.5.1 huggingface_hub==2.4.0",
        "--no-deps google-tunix==0.1.7",
    ),
    load=load,
    variants=tuple({"method": m, "clamp_value": c} for c in (None, CLAMP) for m in METHODS),
    arguments={"logp": "per_token_logps", "logp_ref": "ref_per_token_logps"},
)
