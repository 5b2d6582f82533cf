# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 2. k1, k2, k3: which divergence am I descending?
#
# Three estimators, two places to put them. The table is derived; nothing in it is typed.

# %%
from kltheory.report.figures.classes import classes

classes()

# %% [markdown]
# What multiplies the score, as a function of the log-ratio. A straight line is the reverse KL. Where a curve is flat,
# nothing pulls.

# %%
from kltheory.report.figures.coefficients import coefficients

coefficients()

# %% [markdown]
# Left alone, where does each of them drive a policy of three actions? In the panels of the first row the last one has
# no gradient at all; in the second, the last two lead away from the reference.

# %%
from kltheory.report.figures.field import field

field()

# %% [markdown]
# ## Type a formula of your own
#
# `l` is the log-ratio of policy to reference. The slider caps the estimator: watch where the gradient dies.

# %%
from ipywidgets import FloatSlider, interact

from kltheory.calculus.estimators import as_loss, k3
from kltheory.calculus.formula.parse import parse_formula
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.report.figures.coefficients import dead_zones


def capped(cap=2.0):
    formula = f"min(exp(-l) - 1 + l, {cap:g})"
    zones = dead_zones(Surrogate.of(parse_formula(formula)).coefficient(Sampler.POLICY))
    print("no gradient where", " or ".join(f"{low:.3f} < l < {high:.3f}" for low, high in zones))
    assert len(zones) == 2
    return coefficients([formula])


capped()
interact(capped, cap=FloatSlider(2.0, min=0.5, max=10, step=0.5))

# %% [markdown]
# ## Near the reference all agree, far from it they do not
#
# The coefficients of k2 and k3 as losses agree to first order in the log-ratio, and to no higher one.

# %%
from sympy import series

from kltheory.calculus.estimators import k2
from kltheory.calculus.symbols import log_ratio

((_, of_k2),) = as_loss(k2).coefficient(Sampler.POLICY).cells
((_, of_k3),) = as_loss(k3).coefficient(Sampler.POLICY).cells
difference = series(of_k2 - of_k3, log_ratio, 0, 4).removeO()
print("k2 - k3, as losses:", difference)
assert difference.coeff(log_ratio, 1) == 0
assert difference.coeff(log_ratio, 2) != 0

# %% [markdown]
# ## Exercise
#
# Some code logs k3 and differentiates k2. What does it log, what does it descend? Decide both with `expectation` and
# `identify`.

# %%
from kltheory.calculus.divergence import reverse_kl
from kltheory.calculus.expectation import expectation, same_value
from kltheory.calculus.identify import identify

assert same_value(expectation(k3.expr, Sampler.POLICY), reverse_kl.objective)
assert identify(as_loss(k2).coefficient(Sampler.POLICY)).name == "reverse_kl"
