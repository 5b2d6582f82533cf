# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 5. Tokens and sequences
#
# A response is many actions, one after the other, and an early token moves the distribution of all later ones. A loss
# that sums an estimator over tokens differentiates each token's own term, and forgets that.

# %%
from kltheory.calculus.estimators import k1, k2, k3
from kltheory.calculus.sequence.language import to_go, total
from kltheory.calculus.sequence.loss import SequenceLoss
from kltheory.calculus.sequence.placements import REVERSE_KL, TARGETS, in_sequence_reward, prefix_weight, token_loss
from kltheory.calculus.sequence.same import is_conservative, same_gradient
from kltheory.calculus.surrogate import Sampler
from kltheory.report.sequence import LOSSES, descends

for name, loss in LOSSES.items():
    found = descends(loss, Sampler.POLICY)
    print(f"{name:<38} {TARGETS[found][1] if found else 'none of these'}")

# %% [markdown]
# These answers hold for every vocabulary and every length: the calculus decides them. k2 on each token leaves the
# prefixes frozen; as one number of the whole response it does not. With the weight of the prefix, even off-policy, k3
# on each token descends the true thing.

# %%
assert descends(token_loss(k2), Sampler.POLICY) == "frozen_reverse_kl"
assert descends(SequenceLoss(total(k1.expr) ** 2 / 2), Sampler.POLICY) == "reverse_kl"
assert same_gradient(token_loss(k3, prefix_weight), REVERSE_KL, Sampler.OLD)
assert same_gradient(in_sequence_reward(to_go(k1.expr)), REVERSE_KL, Sampler.POLICY)

# %% [markdown]
# And is a per-token loss the gradient of *anything*? The Jacobian of a gradient is symmetric. This one's is not,
# whatever the parameters.

# %%
assert not is_conservative(token_loss(k2), Sampler.POLICY)
assert is_conservative(in_sequence_reward(to_go(k1.expr)), Sampler.POLICY)

# %% [markdown]
# ## On a tree you can enumerate
#
# Choose the length. All responses are enumerated; the gradients are autodiff's, through a table of logits.

# %%
import numpy as np
from ipywidgets import IntSlider, interact

from kltheory.numerics.trees.gradient import expected_gradient
from kltheory.numerics.trees.policies import random_setting
from kltheory.numerics.trees.tree import Tree


def forgotten(length=3):
    setting = random_setting(Tree(2, length), seed=0)
    goal = expected_gradient(REVERSE_KL, setting, Sampler.POLICY).values
    shown = {"k2 per token": token_loss(k2), "k1 in the reward, to go": in_sequence_reward(to_go(k1.expr))}
    for name, loss in shown.items():
        g = expected_gradient(loss, setting, Sampler.POLICY).values
        error = np.linalg.norm(g - goal) / np.linalg.norm(goal)
        print(f"{name:<24} relative error {error:.3f}")
        assert (error < 1e-12) == (name != "k2 per token" or length == 1)


forgotten()
interact(forgotten, length=IntSlider(3, min=1, max=6))

# %% [markdown]
# ## The price of the future
#
# Crediting a token with all that follows makes the right gradient noisier. With independent, equal steps the trace of
# the variance is a polynomial in the length.

# %%
from sympy import degree

from kltheory.calculus.sequence.iid import iid_trace_variance
from kltheory.calculus.sequence.language import length as N

for name, loss in (("k2 per token", token_loss(k2)), ("k1 in the reward, to go", in_sequence_reward(to_go(k1.expr)))):
    print(f"{name}: grows like N^{degree(iid_trace_variance(loss), N)}")
assert degree(iid_trace_variance(token_loss(k2)), N) < degree(iid_trace_variance(in_sequence_reward(to_go(k1.expr))), N)

# %% [markdown]
# ## Exercise
#
# Put k3 into the reward with reward-to-go *and* add it as a loss on each token. What is descended now? Why?

# %%
both = in_sequence_reward(to_go(k3.expr)) + token_loss(k3)
assert descends(both, Sampler.POLICY) == "reverse_kl"
