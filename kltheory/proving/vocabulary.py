"""Everything a proof file needs, under one import: ``from kltheory.proving.vocabulary import *``.

It also holds the generic objects proofs speak of: an arbitrary estimator h, a constant c, β and ε.
"""

from sympy import (
    Abs,
    And,
    Expr,
    Function,
    LambertW,
    Max,
    Min,
    Or,
    Piecewise,
    Rational,
    S,
    Symbol,
    asin,
    exp,
    log,
    nan,
    oo,
    sign,
    sqrt,
)
from sympy.codegen.cfunctions import expm1

from kltheory.calculus.divergence import (
    Divergence,
    Objective,
    cressie_read,
    forward_kl,
    jeffreys,
    jensen_shannon,
    neyman_chi2,
    pearson_chi2,
    reverse_kl,
    squared_hellinger,
    total_variation,
)
from kltheory.calculus.estimators import Estimator, as_loss, in_reward, k1, k2, k3, k_abs, power, straight_through, w
from kltheory.calculus.expectation import expectation
from kltheory.calculus.groups import failure_rate, group, of_failure, of_success, success_rate
from kltheory.calculus.logits import lemmas
from kltheory.calculus.losses import (
    aspo,
    awr,
    cispo,
    clip,
    dppo_tv,
    dro,
    dual_clip,
    entropy_bonus,
    gjsd,
    importance,
    kl_cov,
    mis,
    ppo,
    reinforce,
    sampled_entropy,
    sapo,
    skew_kl,
    skew_reverse_kl,
    spo,
    tis,
    topr,
    vespo,
)
from kltheory.calculus.moments import (
    SCORE_SQUARE,
    At,
    E,
    Mean,
    covariance,
    gradient_inner,
    optimal_baseline,
    trace_variance,
    variance,
)
from kltheory.calculus.sequence.language import ahead, future, length, past, to_go, total, up_to
from kltheory.calculus.sequence.loss import PastValue, SequenceLoss, SequenceObjective
from kltheory.calculus.sequence.placements import (
    FORWARD_KL,
    FROZEN_FORWARD_KL,
    FROZEN_REVERSE_KL,
    REVERSE_KL,
    earlier_weight,
    geometric_weight,
    in_sequence_reward,
    prefix_weight,
    response_weight,
    token_loss,
)
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import advantage, inside, log_ratio, log_weight, logp, logp_ref, ratio, sg
from kltheory.proving.claims import (
    NO_GRADIENT,
    OLD,
    POLICY,
    AgreesToOrder,
    IsDivergence,
    Lemma,
    NaturalInner,
    SameGradient,
    SameScore,
    SameValue,
    SamplerFree,
    formula,
)
from kltheory.proving.continuous import FiniteIff, GaussianMean, GeometricFiniteIff, GeometricSum
from kltheory.proving.equations import Forces
from kltheory.proving.floats import Computes, NegativeShare, OverflowsIff, minus
from kltheory.proving.moments import AlwaysSign, GradientBound, OnTwoActions, SameMoment, SignAt, TraceVariance
from kltheory.proving.one_tree import LessVarianceAt, ShorterGradientAt
from kltheory.proving.precision import AccurateIn
from kltheory.proving.response_variance import VarianceGrowth
from kltheory.proving.scalars import Expansion, HasSign, Identity, Limit, Range
from kltheory.proving.sequences import IsConservative, SameSequenceGradient, SameSequenceValue
from kltheory.proving.statement import Refuted
from kltheory.proving.theorem import theorem
from kltheory.proving.thresholds import Zero, Zeros

h = Estimator("h", Function("h")(log_ratio))
"""Any estimator: an undefined function of the log-ratio."""
h_prime = Estimator("h'", h.expr.diff(log_ratio))
"""Its derivative."""

beta = Symbol("beta", positive=True)
epsilon = Symbol("epsilon", positive=True)
c = Symbol("c", real=True)
lam = Symbol("lam", real=True)

POLICY_PROBABILITY = exp(logp)
REFERENCE_PROBABILITY = exp(logp - log_ratio)

__all__ = [name for name in dir() if not name.startswith("_")]
