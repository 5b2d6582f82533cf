"""Assertions for test suites: what a loss function is the gradient of, on the running function itself.

>>> from kltheory.testing import assert_gradient_of
>>> assert_gradient_of(my_loss, "reverse_kl")  # doctest: +SKIP

Nothing heavy loads before the first assertion runs, and JAX or PyTorch only if the function uses it.
"""

from kltheory.testing.assertions import (
    assert_finite,
    assert_gradient_of,
    assert_no_dead_zone,
    assert_same_gradient,
    audited,
)

__all__ = ["assert_finite", "assert_gradient_of", "assert_no_dead_zone", "assert_same_gradient", "audited"]
