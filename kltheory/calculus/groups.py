"""Groups of one prompt with a binary reward: what the advantages of G independent responses ascend in expectation.

The reward is 1 on a set S of responses, :data:`~.symbols.inside`, and K of the G succeed. Given that a response
succeeds K - 1 is binomial of the other G - 1, given that it fails K is; so an advantage that depends on the response's
own reward and on K has the mean :func:`of_success` or :func:`of_failure`, polynomials in the success rate p = π(S).
"""

from collections.abc import Callable
from math import comb
from typing import Final

from sympy import Expr, S

from kltheory.calculus.moments import E
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import inside, logp, sg

Advantage = Callable[[int], Expr]
"""Of K: the advantage of a success, or of a failure."""

success_rate: Final = E(inside)
"""p = π(S)."""
failure_rate: Final = 1 - success_rate


def of_success(size: int, advantage: Advantage) -> Expr:
    """E[a(K) | the response succeeds], K = 1 ... G."""
    chances = {
        k: comb(size - 1, k - 1) * success_rate ** (k - 1) * failure_rate ** (size - k) for k in range(1, size + 1)
    }
    return sum((chance * advantage(k) for k, chance in chances.items()), S.Zero)


def of_failure(size: int, advantage: Advantage) -> Expr:
    """E[a(K) | the response fails], K = 0 ... G - 1."""
    chances = {k: comb(size - 1, k) * success_rate**k * failure_rate ** (size - 1 - k) for k in range(size)}
    return sum((chance * advantage(k) for k, chance in chances.items()), S.Zero)


def group(size: int, success: Advantage, failure: Advantage) -> Surrogate:
    """A response's advantage, the other responses of its group averaged over, times its log-probability: ascended."""
    own = inside * of_success(size, success) + (1 - inside) * of_failure(size, failure)
    return Surrogate(sg(own) * logp)
