"""verl: ``kl_penalty``. The package imports Ray and transformers; what only training needs is left out."""

from importlib import import_module

from kltheory.audit.library import Function, Library

PENALTIES = ("kl", "k1", "abs", "mse", "k2", "low_var_kl", "k3")  # two names for each, but for abs


def load() -> Function:
    """The package as it is."""
    return import_module("verl.trainer.ppo.core_algos").kl_penalty


LIBRARY = Library(
    name="verl",
    distribution="verl",
    framework="torch",
    install=(
        "torch==2.13.0",
        "ray==2.60.0 tensordict==0.10.0 omegaconf==2.3.1 hydra-core==1.3.8 codetiming==1.4.0 transformers==5.10.4",
        "--no-deps verl==0.9.1",
    ),
    load=load,
    variants=tuple({"kl_penalty": name + plus} for plus in ("", "+") for name in PENALTIES),
    arguments={"logp": "logprob", "logp_ref": "ref_logprob"},
)
