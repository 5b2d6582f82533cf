# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 3. Off-policy, and weights
#
# Samples often come from an older policy: several gradient steps on one batch, an inference engine that rounds, an
# asynchronous sampler. The importance weight can be absent, detached, or live, that is, differentiated.

# %%
from kltheory.calculus.estimators import as_loss, k1, k2, k3, w
from kltheory.calculus.identify import identify
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import sg
from kltheory.report.figures.coefficients import title

for k in (k1, k2, k3):
    for words, weight in (("no weight", 1), ("detached", sg(w)), ("live", w)):
        print(f"{k.name} as a loss, {words:<9}  {title(as_loss(k, weight).coefficient(Sampler.OLD))}")

# %% [markdown]
# A detached weight undoes the sampling: what is descended is what was descended on-policy. A live weight is another
# loss altogether, and a lucky one for k1 and k3: its own derivative turns both into the reverse KL.

# %%
from sympy import S

for k in (k2, k3):
    assert as_loss(k, sg(w)).coefficient(Sampler.OLD).equals(as_loss(k).coefficient(Sampler.POLICY))
for k in (k1, k3):
    assert identify(as_loss(k, w).coefficient(Sampler.OLD)).name == "reverse_kl"
assert identify(as_loss(k2, w).coefficient(Sampler.OLD)).name != "reverse_kl"
assert not as_loss(k3, S.One).coefficient(Sampler.OLD).equals(as_loss(k3).coefficient(Sampler.POLICY))

# %% [markdown]
# How fast does it go wrong without one? The policy moves away from the one that sampled.

# %%
from kltheory.report.figures.noise import drift

drift()

# %% [markdown]
# ## How stale may a batch be?
#
# Choose how far the sampler lags behind, and read off the error and the angle.

# %%
import numpy as np
from ipywidgets import FloatSlider, interact

from kltheory.report.figures.noise import POLICY, REFERENCE, drifted, off_policy


def stale(lag=0.1):
    rows = drifted(POLICY, REFERENCE, np.array([lag]))
    errors = {}
    for words, weight in (("no weight", S.One), ("detached", sg(w))):
        error, cosine = off_policy(k3, weight, rows)
        errors[words] = float(error[0])
        print(f"k3 as a loss, {words:<9}  relative error {error[0]:.3f}, cosine {cosine[0]:.3f}")
    assert errors["detached"] < 1e-12
    assert errors["no weight"] > 0


stale()
interact(stale, lag=FloatSlider(0.1, min=0.01, max=1, step=0.01))

# %% [markdown]
# ## Exercise
#
# Clip the weight from above at two, detached, in front of k2. On which side of the reference of the *old* policy is
# what you descend still exact? The coefficient knows: print its cells.

# %%
from sympy import Min

clipped = as_loss(k2, sg(Min(w, 2))).coefficient(Sampler.OLD)
print(clipped)
assert len(clipped.cells) == 2
