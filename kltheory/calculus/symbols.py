"""The alphabet: per-sample variables, and the stop-gradient.

A formula may be written in the three log-probabilities or in the two quotients libraries use,
``log_ratio`` l = logp - logp_ref and ``weight`` w = exp(logp - logp_old); :func:`to_log_probs` and
:func:`to_quotients` translate. All logarithms are natural, so values are in nats. Every other symbol
of an expression is a *parameter*: a constant that does not depend on the sample.
"""

from typing import Final

from sympy import DiracDelta, Expr, Function, S, Symbol, exp

from kltheory.calculus.decimals import in_decimals

logp: Final = Symbol("logp", real=True)
"""log π(a): the only variable that carries a gradient."""
logp_ref: Final = Symbol("logp_ref", real=True)
"""log π_ref(a), the reference policy."""
logp_old: Final = Symbol("logp_old", real=True)
"""log π_old(a), the policy that sampled (the behaviour policy μ)."""

log_ratio: Final = Symbol("l", real=True)
"""ℓ = log π/π_ref. arXiv 2510.01555 writes δ = π_ref/π = exp(-ℓ)."""
log_weight: Final = Symbol("log_w", real=True)
"""log w = log π/π_old."""
weight: Final = Symbol("w", positive=True)
"""w = π/π_old, the importance weight."""
advantage: Final = Symbol("A", real=True)
"""A per-sample advantage: any detached number attached to the action."""

inside: Final = Symbol("inside", real=True)
"""1 on a fixed set S of actions (a nucleus, the top k, the support of another policy) and 0 elsewhere."""

ratio: Final = exp(log_ratio)
"""u = π/π_ref = exp(ℓ)."""

VARIABLES: Final = (logp, log_ratio, log_weight, advantage, inside)
"""The independent per-sample variables of a coefficient, in canonical order."""


class sg(Function):
    """Stop-gradient: the identity as a value, zero as a derivative (``detach`` in PyTorch)."""

    nargs = 1

    @classmethod
    def eval(cls, arg: Expr) -> Expr | None:
        """SymPy's hook for automatic simplification: sg(sg(x)) = sg(x), and a constant is itself."""
        if isinstance(arg, cls):
            return arg
        return arg if not arg.free_symbols else None

    def fdiff(self, argindex: int = 1) -> Expr:
        """SymPy's hook for the derivative: zero."""
        return S.Zero

    def _eval_is_extended_real(self) -> bool | None:
        return self.args[0].is_extended_real

    def _eval_is_extended_positive(self) -> bool | None:
        return self.args[0].is_extended_positive


def erase_sg(expr: Expr) -> Expr:
    """The value of ``expr``: every ``sg(x)`` replaced by ``x``."""
    return expr.xreplace({held: erase_sg(held.args[0]) for held in expr.atoms(sg)})


def off_jumps(slope: Expr) -> Expr:
    """The value of a derivative where what was differentiated does not jump: a framework gives none at a jump."""
    return erase_sg(slope).replace(DiracDelta, lambda *_: S.Zero)


def to_log_probs(expr: Expr) -> Expr:
    """Write ``expr`` in logp, logp_ref, logp_old (and the advantage), eliminating l, log w and w."""
    return expr.xreplace({log_ratio: logp - logp_ref, log_weight: logp - logp_old, weight: exp(logp - logp_old)})


def to_quotients(expr: Expr) -> Expr:
    """Write an sg-free ``expr`` in the canonical variables logp, l, log w (and the advantage), with exact numbers."""
    return in_decimals(expr).xreplace(
        {logp_ref: logp - log_ratio, logp_old: logp - log_weight, weight: exp(log_weight)}
    )
