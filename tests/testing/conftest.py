"""Losses as somebody would write them, once for each framework, and how an assertion is expected to fail."""

import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

PRELUDES = {
    "jax": "from jax.numpy import abs, clip, exp, sum\nfrom jax.lax import stop_gradient as detach\n",
    "torch": "from torch import abs, clamp as clip, exp, sum\ndef detach(x):\n    return x.detach()\n",
}

LOSSES = """
def kl(logp, logp_ref, kind="k3"):
    l = logp - logp_ref
    if kind == "k1":
        return l
    if kind == "k2":
        return l * l / 2
    return exp(-l) - 1 + l

def needs_kind(logp, logp_ref, kind):
    return l_of(logp, logp_ref) if kind == "k1" else kl(logp, logp_ref, "k3" if kind == "k3" else "k2")

def l_of(logp, logp_ref):
    return logp - logp_ref

def detached(logp, logp_ref):
    return detach(logp - logp_ref)

def swapped(logp, logp_ref):
    return kl(logp_ref, logp)

def scaled(logp, logp_ref, beta=0.1):
    return beta * (logp - logp_ref) ** 2 / 2

def clamped_k2(logp, logp_ref):
    return clip(logp - logp_ref, -4.0, 4.0) ** 2 / 2

def clamped_k3(logp, logp_ref):
    return clip(kl(logp, logp_ref), -10.0, 10.0)

def clamped_abs(logp, logp_ref):
    return clip(abs(logp - logp_ref), 0.0, 10.0)

def clamped_logp(logp, logp_ref):
    return (clip(logp, -3.0, 0.0) - logp_ref) ** 2 / 2

def weighted_k3(logp, logp_ref, old_logp):
    return exp(logp - old_logp) * kl(logp, logp_ref)

def half_weighted_k3(logp, logp_ref, old_logp):
    return clip(exp(logp - old_logp), 0.0, 10.0) * kl(logp, logp_ref)

def exp_first(logp, logp_ref):
    return exp(10 * (logp - logp_ref))

def coupled(logp, logp_ref):
    l = logp - logp_ref
    return (l - l.mean()) ** 2

def mixed(logp, logp_ref):
    l = (logp - logp_ref).reshape(-1)
    return sum(l[:1]) + sum(l[1:] ** 2)

def mean_k2(logp, logp_ref, mask):
    return sum((logp - logp_ref) ** 2 / 2 * mask) / sum(mask)

def full_vocabulary(policy_logits, ref_logits):
    p, q = (exp(x) / sum(exp(x), -1)[..., None] for x in (policy_logits, ref_logits))
    return sum(p * (policy_logits - ref_logits), -1)

def nameless(a, b):
    return (a - b) ** 2

def raises(logp, logp_ref):
    raise RuntimeError("not on this machine")

def branches(logp, logp_ref):
    return logp - logp_ref if float(sum(logp - logp_ref)) > 0 else logp_ref - logp

class Trainer:
    def loss(self, logp, logp_ref):
        return self.beta * (logp - logp_ref) ** 2 / 2
"""


@pytest.fixture(scope="session", params=["jax", pytest.param("torch", marks=pytest.mark.torch)])
def losses(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The same losses in one framework."""
    pytest.importorskip(request.param, reason="PyTorch is not installed; `make test` installs it")
    file = tmp_path_factory.mktemp("losses") / f"{request.param}_losses.py"
    file.write_text(PRELUDES[request.param] + LOSSES, encoding="utf-8")
    return imported(file)


def imported(file: Path) -> ModuleType:
    spec = spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[file.stem] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def failure() -> Callable[..., str]:
    """The text with which an assertion fails."""

    def of(assertion: Callable[..., None], *args: object, **kwargs: object) -> str:
        with pytest.raises(AssertionError) as caught:
            assertion(*args, **kwargs)
        return str(caught.value)

    return of
