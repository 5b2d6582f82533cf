"""OpenRLHF: ``compute_approx_kl``, from one file of the wheel, which is installed without its dependencies."""

from kltheory.audit.library import Function, Library, located, module_at, standing_in

ESTIMATORS = ("k1", "k2", "k3")
# The only wheel is tagged for CPython 3.11 on Linux, yet is pure Python: it is asked for by that tag.
WHEEL = "--only-binary=:all: --implementation cp --python-version 3.11 --abi cp311 --platform manylinux1_x86_64"


def load() -> Function:
    """The file imports deepspeed, for other functions."""
    with standing_in("deepspeed"):
        return module_at(located("openrlhf", "openrlhf/models/utils.py")).compute_approx_kl


LIBRARY = Library(
    name="openrlhf",
    distribution="openrlhf",
    framework="torch",
    install=("torch==2.13.0", f"--no-deps --upgrade {WHEEL} --target {{purelib}} openrlhf==0.11.2"),
    load=load,
    variants=(
        *({"kl_estimator": k} for k in ESTIMATORS),
        *({"kl_estimator": k, "unbiased_gradient": True} for k in ESTIMATORS),
    ),
    arguments={"logp": "log_probs", "logp_ref": "log_probs_base", "logp_old": "log_probs_old"},
)
