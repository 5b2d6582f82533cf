# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1. The one idea
#
# A policy draws an action, code computes a number from its log-probabilities, and autodiff differentiates it. What is
# descended *on average*? The whole answer is one function of the action, the **coefficient** C: the expected gradient
# is the mean of C times the score. And only C *up to a constant* counts, since the mean score is zero.

# %%
from IPython.display import Math, display

from kltheory.calculus.estimators import as_loss, in_reward, k1, k2, k3
from kltheory.calculus.identify import identify
from kltheory.calculus.surrogate import Sampler
from kltheory.report import latex
from kltheory.report.figures.coefficients import title

# %% [markdown]
# Here is an estimator, the surrogate that a library differentiates when it puts it in the loss, and its coefficient,
# derived.

# %%
surrogate = as_loss(k3)
coefficient = surrogate.coefficient(Sampler.POLICY)
((_, formula),) = coefficient.cells
display(Math("s = " + latex.formula(surrogate.expr)), Math("C = " + latex.formula(formula)))

# %% [markdown]
# An f-divergence has a coefficient as well: the derivative of f. So to name what a loss descends is to integrate its
# coefficient.

# %%
found = identify(coefficient)
print(found.title)
display(Math("f(u) = " + latex.formula(found.f)))
assert found.name == "forward_kl"

# %% [markdown]
# Is it true? The gradient in the logits has a closed form, so it can be summed over all actions, for any policy you
# like. Compare it with finite differences of the divergence itself.

# %%
import numpy as np
from ipywidgets import FloatSlider, interact

reference = np.array([0.5, 0.3, 0.2])


def softmax(logits):
    e = np.exp(logits - logits.max())
    return e / e.sum()


def forward_kl(logits):
    return float(reference @ np.log(reference / softmax(logits)))


def of_k3(logits):
    """π_j (C_j - Σ π C), with C computed by the expression above."""
    from kltheory.calculus.symbols import log_ratio
    from kltheory.numerics.bridge import NUMPY

    p = softmax(logits)
    c = NUMPY(formula, {log_ratio: np.log(p / reference)})
    return p * (c - p @ c)


def compare(first=1.0, second=-0.5):
    logits, h = np.array([first, second, 0.0]), 1e-5
    differences = np.array([(forward_kl(logits + h * e) - forward_kl(logits - h * e)) / (2 * h) for e in np.eye(3)])
    print("expected gradient of k3 as a loss", of_k3(logits).round(6))
    print("gradient of the forward KL       ", differences.round(6))
    assert np.abs(of_k3(logits) - differences).max() < 1e-8


compare()
interact(compare, first=FloatSlider(1.0, min=-3, max=3), second=FloatSlider(-0.5, min=-3, max=3))

# %% [markdown]
# Same number, another gradient: k1 and k3 have the same mean, and as losses they descend different things.

# %%
from kltheory.calculus.expectation import expectation, same_value

assert same_value(expectation(k1.expr, Sampler.POLICY), expectation(k3.expr, Sampler.POLICY))
for k in (k1, k2, k3):
    for words, place in (("as a loss", as_loss), ("in the reward", in_reward)):
        print(f"{k.name} {words:<13}  {title(place(k).coefficient(Sampler.POLICY))}")

# %% [markdown]
# ## Exercise
#
# The constant does not count. Find an estimator whose coefficient as a loss is that of k2 plus one, and show that
# `identify` gives it the same name. (Hint: what does k1 add?)

# %%
mine = as_loss(k2) + as_loss(k1)
assert identify(mine.coefficient(Sampler.POLICY)).name == identify(as_loss(k2).coefficient(Sampler.POLICY)).name
