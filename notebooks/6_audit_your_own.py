# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 6. Audit your own loss
#
# Paste the function that you train with, JAX or PyTorch, unchanged. It is traced into a formula, entry by entry, the
# formula is compared with the running function, and everything that follows is derived from it.

# %%
import jax.numpy as jnp

from kltheory.audit.audit import audit
from kltheory.audit.target import of_function
from kltheory.report.audit import plain


def kl_penalty(logps, ref_logps, mask, kind="k3"):
    log_ratio = logps - ref_logps
    if kind == "k1":
        kl = log_ratio
    elif kind == "k2":
        kl = 0.5 * log_ratio**2
    else:
        kl = jnp.clip(jnp.exp(-log_ratio) - 1 + log_ratio, max=10.0)
    return (kl * mask).sum() / mask.sum()


report = audit(of_function(kl_penalty), {"kind": ["k1", "k2", "k3"]})
print(plain(report))

# %% [markdown]
# The alarms, and what each variant descends as a loss:

# %%
descended = {
    v.name: next(r for r in v.rows if (r.placement, r.weight, r.sampler) == ("loss", "none", "policy")).gradient_of
    for v in report.variants
}
print(descended)
assert list(descended.values()) == ["zero", "reverse_kl", "forward_kl"]
assert any("gradient vanishes" in f.text for v in report.variants for f in v.alarms)

# %% [markdown]
# ## Two implementations
#
# Is a fused or rewritten version the same? Where do they part?

# %%
from kltheory.audit.compare import compare_targets
from kltheory.report.comparison import plain as compared


def eager(logps, ref_logps):
    return jnp.exp(ref_logps - logps) - 1 - (ref_logps - logps)


def fused(logps, ref_logps):
    log_ratio = jnp.clip(logps - ref_logps, -5, 5)
    return jnp.expm1(-log_ratio) + log_ratio


comparison = compare_targets((of_function(eager), {}, {}), (of_function(fused), {}, {}))
print(compared(comparison))
assert comparison.status == 1

# %% [markdown]
# ## In your test suite
#
# The same as an assertion; a failure prints the whole finding.

# %%
from kltheory.testing import assert_gradient_of


def loss(logps, ref_logps):
    return 0.5 * (logps - ref_logps) ** 2


assert_gradient_of(loss, "reverse_kl")

# %% [markdown]
# ## Exercise
#
# Break it: swap policy and reference in `loss`. Which alarm do you get?

# %%
from kltheory.audit.audit import audit as again


def swapped(logps, ref_logps):
    return jnp.exp(logps - ref_logps) - 1 - (logps - ref_logps)


alarms = [f.text for f in again(of_function(swapped)).variants[0].alarms]
print("\n".join(alarms))
assert any("exchanged" in text for text in alarms)
