"""The assertions. Importing them loads neither SymPy nor NumPy, JAX or PyTorch: the work is imported when one runs."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kltheory.testing.records import Outcome, record

if TYPE_CHECKING:
    from kltheory.audit.audited import Audit
    from kltheory.audit.framework import Framework

Function = Callable[..., Any] | str
"""A JAX or PyTorch function, or a text that ``kltheory audit`` takes, such as ``package.module:function``."""
Settings = Mapping[str, Any] | None
Arguments = Mapping[str, str] | None


def assert_gradient_of(
    fn: Function,
    expected: str,
    *,
    placement: str = "loss",
    weight: str = "none",
    sampler: str = "policy",
    within: float | None = None,
    arguments: Arguments = None,
    settings: Settings = None,
    output: str | None = None,
    framework: "Framework | None" = None,
) -> None:
    """Assert what the expected gradient of a function is the gradient of.

    A selector without a default that is not set runs through its choices, and the claim must hold for each. Arguments
    that name an old policy or a weight are passed; set them to ``None`` to leave them out.

    Args:
        fn: the function, unchanged.
        expected: a name as in ``gradient_of`` of ``kltheory audit --json``: ``reverse_kl``, ``2*reverse_kl``,
            ``reverse_kl - forward_kl``, ``zero``, ``none``, ...
        placement: ``loss`` (differentiated), or ``reward`` (detached, times the score).
        weight: the importance weight put in front: ``none``, ``detached``, ``live``.
        sampler: who drew the samples: ``policy``, or ``old``.
        within: nats; ask only for |l| < within, and off-policy |log w| < within too. Everywhere if ``None``.
        arguments: role (``logp``, ``logp_ref``, ``logp_old``, ``mask``, ...) to parameter, where names do not tell.
        settings: values of the other parameters; also ``self.attribute`` or ``config.key``.
        output: which of several outputs is meant, by position or key.
        framework: ``jax`` or ``torch``, where it cannot be seen.

    Raises:
        AssertionError: it is another gradient, or that is undecided, or the function cannot run; with what was found.
        ValueError: an unknown name.
    """
    __tracebackhide__ = True
    from kltheory.testing.claim import Claim
    from kltheory.testing.gradient import check
    from kltheory.testing.subject import Call

    claim = Claim.of(expected, placement, weight, sampler, within)
    _settle("assert_gradient_of", check(claim, Call(fn, arguments, settings, output, framework)))


def assert_same_gradient(
    fn_a: Function,
    fn_b: Function,
    *,
    which: Sequence[str] = ("value", "derivative", "others", "expected"),
    arguments: Arguments = None,
    arguments_a: Arguments = None,
    arguments_b: Arguments = None,
    settings: Settings = None,
    settings_a: Settings = None,
    settings_b: Settings = None,
    framework: "Framework | None" = None,
) -> None:
    """Assert that two implementations agree: eager and fused, this version and that, JAX and PyTorch.

    Args:
        fn_a: one function.
        fn_b: the other.
        which: what is compared, on whole batches with masks, ragged lengths and advantages of both signs: ``value``,
            ``derivative`` (by the policy's logits, at every token), ``others`` (what flows into the reference and the
            old policy), ``expected`` (the expected gradient in every placement, with every weight, under every
            sampler).
        arguments: as in :func:`assert_gradient_of`, for both.
        arguments_a: for the first alone, before those for both.
        arguments_b: for the second alone.
        settings: as in :func:`assert_gradient_of`, for both.
        settings_a: for the first alone, before those for both.
        settings_b: for the second alone.
        framework: ``jax`` or ``torch``, where it cannot be seen.

    Raises:
        AssertionError: they differ, or that is undecided, or one cannot run; with the regions and a witness.
        ValueError: an unknown name in ``which``.
    """
    __tracebackhide__ = True
    from kltheory.testing.same import check
    from kltheory.testing.subject import Call

    a, b = (
        Call(fn, {**(arguments or {}), **(own or {})}, {**(settings or {}), **(chosen or {})}, None, framework)
        for fn, own, chosen in ((fn_a, arguments_a, settings_a), (fn_b, arguments_b, settings_b))
    )
    _settle("assert_same_gradient", check(a, b, which))


def assert_no_dead_zone(
    fn: Function,
    within: float = 5.0,
    *,
    arguments: Arguments = None,
    settings: Settings = None,
    output: str | None = None,
    framework: "Framework | None" = None,
) -> None:
    """Assert that the derivative by log π vanishes on no interval of l within so many nats of the reference.

    Args:
        fn: the function, unchanged.
        within: nats: π/π_ref between e^-within and e^within.
        arguments: as in :func:`assert_gradient_of`.
        settings: as there.
        output: as there.
        framework: as there.

    Raises:
        AssertionError: there is a dead zone, or no gradient at all, or that is undecided; with what was found.
        ValueError: ``within`` is not positive.
    """
    __tracebackhide__ = True
    from kltheory.testing.deadzone import check
    from kltheory.testing.subject import Call

    _settle("assert_no_dead_zone", check(Call(fn, arguments, settings, output, framework), within))


def assert_finite(
    fn: Function,
    dtype: str = "float32",
    within: float = 20.0,
    *,
    arguments: Arguments = None,
    settings: Settings = None,
    output: str | None = None,
    framework: "Framework | None" = None,
) -> None:
    """Assert that value and gradient are finite, in one floating type, for |l| up to ``within``.

    Args:
        fn: the function, unchanged.
        dtype: what the log-probabilities are cast to: ``float64``, ``float32``, ``bfloat16``, ``float16``.
        within: nats.
        arguments: as in :func:`assert_gradient_of`.
        settings: as there.
        output: as there.
        framework: as there.

    Raises:
        AssertionError: a value or a gradient is inf or NaN, or the function cannot run; with what was found.
        ValueError: an unknown type, or ``within`` is not positive.
    """
    __tracebackhide__ = True
    from kltheory.testing.finite import check
    from kltheory.testing.subject import Call

    _settle("assert_finite", check(Call(fn, arguments, settings, output, framework), dtype, within))


def audited(
    fn: Function,
    *,
    arguments: Arguments = None,
    settings: Settings = None,
    output: str | None = None,
    framework: "Framework | None" = None,
) -> "Audit":
    """The audit of a function, for assertions of one's own: every row and finding of ``kltheory audit``.

    Args:
        fn: the function, unchanged.
        arguments: as in :func:`assert_gradient_of`.
        settings: as there.
        output: as there.
        framework: as there.

    Raises:
        AssertionError: there is nothing to audit; says what to do.
    """
    __tracebackhide__ = True
    from kltheory.testing.subject import Call

    found = Call(fn, arguments, settings, output, framework).audit_all()
    record("audited", Outcome("", found))
    return found


def _settle(assertion: str, outcome: Outcome) -> None:
    """What the plugin reports, then the failure itself."""
    __tracebackhide__ = True
    record(assertion, outcome)
    if outcome.message:
        raise AssertionError(outcome.message)
