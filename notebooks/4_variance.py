# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 4. Variance, and baselines
#
# Two losses with the same expected gradient can be very differently noisy. The trace of the variance of one sample's
# gradient has a closed form in means over the vocabulary; here it is summed, not sampled.

# %%
from kltheory.report.figures.noise import noise

noise()

# %% [markdown]
# The logged number first: near the reference k1 is hopeless beside k3, although both have the same mean. Far away the
# order turns around.

# %%
import numpy as np

from kltheory.calculus.estimators import as_loss, in_reward, k1, k2, k3
from kltheory.calculus.surrogate import Sampler
from kltheory.numerics import variance
from kltheory.numerics.enclosed import floats
from kltheory.report.figures.noise import POLICY, REFERENCE, distance, on_path

rows = on_path(POLICY, REFERENCE, np.array([0.1, 1.5]))
spread = {k.name: floats(variance.value_spread(k.expr, Sampler.POLICY, rows)[1]) for k in (k1, k2, k3)}
for name, (near, far) in spread.items():
    print(f"{name}: standard deviation {near:.4f} near, {far:.4f} far")
assert spread["k1"][0] > spread["k3"][0]
assert spread["k1"][1] < spread["k3"][1]

# %% [markdown]
# The gradient is another matter: k1 in the reward and k2 as a loss have the same gradient *sample by sample*, so the
# same noise.

# %%
difference = in_reward(k1).score(Sampler.POLICY) - as_loss(k2).score(Sampler.POLICY)
assert difference.is_zero()

# %% [markdown]
# ## Baselines
#
# Adding a multiple of k1 as a loss changes no expected gradient: its mean is zero. It is a **baseline** and can lower
# the noise. Move the slider: where is the minimum? The best baseline has a closed form too.

# %%
from ipywidgets import FloatSlider, interact
from sympy import Rational

one = on_path(POLICY, REFERENCE, np.array([1.0]))
found = variance.noise(as_loss(k2).score(Sampler.POLICY), Sampler.POLICY, one)
(baseline,), (noisy,), (least,) = map(floats, (found.baseline, found.variance, found.least))
print(f"best baseline {baseline:.4f}: variance {noisy:.4f} becomes {least:.4f}")


def with_baseline(b=0.0):
    surrogate = as_loss(k2) - Rational(b).limit_denominator(1000) * as_loss(k1)
    value = float(variance.variance(surrogate.score(Sampler.POLICY), Sampler.POLICY, one)[0])
    print(f"variance with baseline {b:.2f}: {value:.4f}")
    assert value >= least - 1e-9


with_baseline(1.0)
interact(with_baseline, b=FloatSlider(0.0, min=-2, max=2, step=0.05))

# %% [markdown]
# ## Exercise
#
# k3 in the reward is less noisy near the reference than anything that is unbiased. With how many samples does its
# bias cost more than its noise saves? (`kltheory variance --help` answers it on the command line.)

# %%
from kltheory.report.figures.noise import gradient_noise

near = on_path(POLICY, REFERENCE, np.array([0.1]))
(bias,), (std,) = gradient_noise(in_reward(k3), near)
(_,), (unbiased,) = gradient_noise(in_reward(k1), near)
samples = (unbiased**2 - std**2) / bias**2
print(f"at KL = {distance(near)[0]:.4f}: from {np.ceil(samples):.0f} samples on the unbiased one has the smaller error")
assert samples > 0
