"""JAX functions of the shapes people have, traced: the value and every derivative are those of the running function."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params
from jax_functions import CASES, NAMES, estimator, inputs_of
from sympy import Abs, Add, Expr, Max, Min, Piecewise, Rational, S, Symbol, exp, log, sign
from sympy.core.relational import Relational

from kltheory.calculus.symbols import erase_sg, sg
from kltheory.numerics.bridge import NUMPY
from kltheory.tracing.jax.entries import ENTRYWISE
from kltheory.tracing.jax.moves import ASKED, MOVES
from kltheory.tracing.jax.reductions import REDUCTIONS
from kltheory.tracing.jaxpr import JaxTracer
from kltheory.tracing.trace import CannotTrace, Input, Trace

TRACER = JaxTracer()
stop = jax.lax.stop_gradient


# --- the comparison ---------------------------------------------------------------------------------------------------
class OnKink(Exception):
    """Two sides of a kink have the same value at the point: there the derivative is a convention."""


def smooth_at(expr: Expr, at: dict[Symbol, float]) -> Expr:
    """The smooth expression that ``expr`` equals near the point: each kink replaced by the side the point is on."""
    if not expr.args:
        return expr
    if isinstance(expr, Piecewise):
        for relation in expr.atoms(Relational):
            side(relation.lhs - relation.rhs, at)
        return smooth_at(next(e for e, c in expr.args if NUMPY(c, at)), at)
    args = [smooth_at(a, at) for a in expr.args]
    if isinstance(expr, Abs):
        return side(args[0], at) * args[0]
    if isinstance(expr, sign):
        return S(side(args[0], at))
    if isinstance(expr, (Max, Min)):
        best = args[0]
        for a in args[1:]:
            if (a - best).expand() == 0:
                continue
            best = a if side(a - best, at) == (1 if isinstance(expr, Max) else -1) else best
        return best
    return expr.func(*args)


def side(difference: Expr, at: dict[Symbol, float]) -> int:
    value = float(NUMPY(difference, at))
    if abs(value) < 1e-9:
        raise OnKink(difference)
    return 1 if value > 0 else -1


def assert_close(got: Any, expected: Any, tolerance: float) -> None:
    np.testing.assert_array_less(abs(got - expected), tolerance * (1 + abs(expected)), strict=False)


def check(
    fn: Callable[..., Any],
    inputs: dict[str, Input],
    config: dict[str, Any],
    tolerance: float = 1e-12,
    compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = lambda fn: fn,
) -> Trace:
    """Trace, value and derivatives (of the sum; ``sg`` held, then erased) against the running function.

    Args:
        compiled: how it runs; ``jax.jit`` saves compiling the derivative of each of its operations.

    Raises:
        OnKink: the derivative is a convention at the point; the value has been compared.
    """
    trace = TRACER.trace(fn, inputs, config)
    tolerance = tolerance if trace.dtype == "float64" else 4 * float(jnp.finfo(trace.dtype).eps)
    running = compiled(partial(fn, **config))
    values, slopes = TRACER.gradient(running, {k: x.values for k, x in inputs.items()}, {}, "float64")
    pairs = [(s, v) for x in inputs.values() for s, v in zip(x.exprs.flat, x.values.flat, strict=True)]
    at = {s: float(v) for s, v in pairs if isinstance(s, Symbol)}
    with np.errstate(all="ignore"):
        traced = np.vectorize(lambda e: float(NUMPY(e, at)), otypes=[float])(trace.exprs)
    finite = np.isfinite(trace.values)
    assert trace.exprs.shape == trace.values.shape
    assert_close(trace.values[finite], values[finite], 1e-14)
    assert_close(traced[finite], values[finite], tolerance)
    np.testing.assert_array_equal(traced[~finite], values[~finite])
    total = Add(*(smooth_at(e, at) for e in trace.exprs.flat if e.is_finite is not False))
    for name, x in inputs.items():
        for s, slope in zip(x.exprs.flat, slopes[name].flat, strict=True):
            if s in at:
                assert_close(float(NUMPY(erase_sg(total.diff(s)), at)), slope, tolerance)
    return trace


# --- the functions people have ----------------------------------------------------------------------------------------
def primitives(jaxpr: Any) -> set[str]:
    found = {eqn.primitive.name for eqn in jaxpr.eqns}
    bodies = (body for eqn in jaxpr.eqns for body in jaxprs_in_params(eqn.params))
    return found.union(*map(primitives, bodies))


def test_every_row_of_the_tables_is_in_a_case() -> None:
    met: set[str] = set()
    with jax.enable_x64(True):
        for fn, inputs, config in CASES.values():
            arrays = {name: x.values for name, x in inputs.items()}
            met |= primitives(jax.make_jaxpr(lambda a, fn=fn, config=config: fn(**a, **config))(arrays).jaxpr)
    assert {*ENTRYWISE, *REDUCTIONS, *MOVES, *ASKED} <= met


@pytest.mark.parametrize("name", CASES)
def test_value_and_derivatives_are_those_of_the_running_function(name: str) -> None:
    check(*CASES[name], compiled=jax.jit)


TWINS = {
    "straight_through": ("stop_gradient", lambda e: e),
    "in_reward": ("stop_gradient", lambda e: e),
    "vmapped": ("gt", ENTRYWISE["lt"]),
    "ppo": ("min", Max),
    "powers": ("log1p", ENTRYWISE["log"]),
}


@pytest.mark.parametrize("name", TWINS)
def test_a_wrong_rule_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison has power: a tracer that takes ``stop_gradient`` for the identity, for one, fails it."""
    monkeypatch.setitem(ENTRYWISE, *TWINS[name])
    with pytest.raises(AssertionError, match="not strictly ordered"):
        check(*CASES[name], compiled=jax.jit)


# --- the expression itself --------------------------------------------------------------------------------------------
def expressions(fn: Callable[..., Any], *shape: int) -> Any:
    return TRACER.trace(fn, inputs_of(*shape), {}).exprs


x, y = Symbol("logp", real=True), Symbol("ref", real=True)
x0, x1, y0 = (Symbol(n, real=True) for n in ("logp0", "logp1", "ref0"))


@pytest.mark.parametrize(
    ("fn", "expected"),
    [
        (lambda logp, ref, old: estimator(logp, ref, old, "k3"), exp(y - x) - 1 + x - y),
        (lambda logp, ref, old: 0.1 * stop(logp) * logp, sg(x) * x / 10),
        (lambda logp, ref, old: jnp.asarray(logp, "float32") * 0.2, x / 5),
        (lambda logp, ref, old: jnp.asarray(logp, "bfloat16") * 0.2, x / 5),
        (lambda logp, ref, old: jnp.asarray(logp, "float32") * (1 / 3), x / 3),
        (lambda logp, ref, old: logp * jnp.float32(0.2), x / 5),
        (lambda logp, ref, old: logp * jnp.log(0.2), -x * log(5)),
        (lambda logp, ref, old: logp * jax.lax.floor(2.5), 2 * x),
        (lambda logp, ref, old: jax.nn.softplus(logp), log(1 + exp(x))),
        (lambda logp, ref, old: jnp.where(stop(logp) > ref, logp, 1), Piecewise((x, x > y), (1, True))),
        (lambda logp, ref, old: jnp.where(stop(logp > ref), logp, 1), Piecewise((x, x > y), (1, True))),
        (lambda logp, ref, old: jnp.nan_to_num(logp), x),
        (lambda logp, ref, old: jnp.logaddexp(logp, -jnp.inf), x),
        (lambda logp, ref, old: logp * np.float64(0.30000000000000004), x * Rational("0.30000000000000004")),
        (lambda logp, ref, old: ref, y),
    ],
)
def test_the_expression_is_the_one_on_paper(fn: Callable[..., Any], expected: Expr) -> None:
    assert expressions(fn)[()] == expected


def test_log_softmax_has_no_trace_of_the_maximum_it_subtracts() -> None:
    first, _ = expressions(lambda logp, ref, old: jax.nn.log_softmax(logp), 2)
    assert first == x0 - log(exp(x0) + exp(x1))


@pytest.mark.parametrize("banned", [-1e9, -np.inf, np.finfo(float).min])
def test_a_masked_logit_is_not_in_the_normaliser(banned: float) -> None:
    mask = np.array([True, False])
    out = expressions(lambda logp, ref, old: jax.nn.softmax(jnp.where(mask, logp, banned)), 2)
    assert list(out) == [1, 0]


def test_a_wide_log_softmax_does_not_explode() -> None:
    fn = lambda logp, ref, old: jnp.exp(jax.nn.log_softmax(logp)[3] - jax.nn.softmax(ref)[0])  # noqa: E731
    wide = {
        n: Input(np.linspace(-1, 1, 60), np.array([Symbol(f"{n}{i}", real=True) for i in range(60)])) for n in NAMES
    }
    assert len(TRACER.trace(fn, wide, {}).exprs[()].free_symbols) == 120
    with pytest.raises(CannotTrace, match="depends on which of 60 entries is the largest"):
        TRACER.trace(lambda logp, ref, old: logp.max() - ref, wide, {})


def test_dead_entries_stay_out_of_the_result() -> None:
    out = expressions(lambda logp, ref, old: (logp * np.array([1, 0])).sum() / 2, 2)
    assert out[()] == x0 / 2


def test_the_dtype_is_the_narrowest_the_numbers_went_through() -> None:
    inputs = inputs_of(2)
    for fn, dtype in (
        (lambda logp, ref, old: logp - ref, "float64"),
        (lambda logp, ref, old: logp.astype("float32") - ref, "float32"),
        (lambda logp, ref, old: logp.astype("float32").astype("float16").astype("float32"), "float16"),
        (lambda logp, ref, old: logp * jnp.float32(0.5), "float64"),
        (lambda logp, ref, old: logp * jnp.float32(0.2), "float32"),
        (lambda logp, ref, old: logp * jnp.full(2, 0.2, "float32"), "float32"),
    ):
        assert TRACER.trace(fn, inputs, {}).dtype == dtype


def test_an_input_may_be_a_number() -> None:
    """A mask given as an input whose entries are constants is not in the expression, and decides conditions."""
    fn = lambda logp, ref, old, mask: jnp.where(mask > 0, logp, ref) * mask  # noqa: E731
    for mask in ([1, 0], [1.0, 0.0], [True, False], [S.One, S.Zero]):
        assert list(TRACER.trace(fn, inputs_of(2, mask=mask), {}).exprs) == [x0, 0]


# --- what the running function says -----------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_the_gradient_is_taken_in_the_dtype_asked_for(dtype: str) -> None:
    seen = []

    def fn(logp, ref):
        seen.append(str(logp.dtype))
        return 0.2 * (logp - ref) ** 2

    before = jax.config.jax_enable_x64
    arrays = {"logp": np.array([0.5, 1.5]), "ref": np.array([0.25, -1.0])}
    values, slopes = TRACER.gradient(fn, arrays, {}, dtype)
    eps = 4 * float(jnp.finfo(dtype).eps)
    assert seen == [dtype]
    assert jax.config.jax_enable_x64 is before
    assert values.dtype == slopes["ref"].dtype == np.float64
    np.testing.assert_allclose(values, [0.0125, 1.25], rtol=eps)
    np.testing.assert_allclose(slopes["logp"], [0.1, 1.0], rtol=eps)
    np.testing.assert_allclose(slopes["ref"], [-0.1, -1.0], rtol=eps)


def test_what_is_detached_or_discrete_has_derivative_zero() -> None:
    arrays = {"logp": np.array([0.5, -1.5])}
    for fn in (stop, lambda logp: stop(logp) * 2, lambda logp: logp > 0, lambda logp: np.ones(2), lambda logp: 1.0):
        _, slopes = TRACER.gradient(lambda logp, fn=fn: fn(logp), arrays, {}, "float64")
        np.testing.assert_array_equal(slopes["logp"], [0, 0])


# --- what cannot be traced --------------------------------------------------------------------------------------------
def branches(logp, ref, old):
    if logp[0] > 0:
        return logp
    return ref


CANNOT = {
    "erf": (lambda logp, ref, old: jax.lax.erf(logp), r"primitive erf at .*test_jaxpr\.py:\d+.* has no expression"),
    "floor": (lambda logp, ref, old: jnp.floor(logp), r"primitive floor at .*test_jaxpr\.py:\d+"),
    "sort": (lambda logp, ref, old: jnp.sort(logp), r"primitive sort at .*test_jaxpr\.py:\d+"),
    "while": (
        lambda logp, ref, old: jax.lax.while_loop(lambda c: c.sum() < 9, lambda c: c + 1, logp),
        r"primitive while at .*test_jaxpr\.py:\d+",
    ),
    "callback": (
        lambda logp, ref, old: jax.pure_callback(lambda v: np.asarray(v), logp, logp),
        r"primitive pure_callback at .*test_jaxpr\.py:\d+",
    ),
    "indices": (lambda logp, ref, old: ref[jnp.argmax(logp)], r"primitive argmax at .*test_jaxpr\.py:\d+"),
    "rounded": (lambda logp, ref, old: logp.astype(int) * 1.0, r"test_jaxpr\.py:\d+.* rounds a traced number to int64"),
    "branch": (branches, rf"value of a traced array at .*test_jaxpr\.py:{branches.__code__.co_firstlineno + 1} "),
    "selection": (lambda logp, ref, old: logp[logp > ref], r"value of a traced array at .*test_jaxpr\.py:\d+"),
    "numpy": (lambda logp, ref, old: jnp.asarray(np.exp(logp)), r"value of a traced array at .*test_jaxpr\.py:\d+"),
    "float": (lambda logp, ref, old: jnp.exp(logp[0].item()), r"value of a traced array at .*test_jaxpr\.py:\d+"),
    "rounding": (
        lambda logp, ref, old: jnp.where(logp > logp.astype("float32"), ref, logp),
        r"gt at .*test_jaxpr\.py:\d+.* compares numbers that differ by rounding only",
    ),
    "tuple": (lambda logp, ref, old: (logp, ref), "returned tuple, not one array"),
    "none": (lambda logp, ref, old: None, "returned NoneType, not one array"),
    "boolean": (lambda logp, ref, old: logp > ref, "output is of type bool, which has no derivative"),
    "infinite": (lambda logp, ref, old: logp * jnp.inf, "an infinity is combined with an expression"),
}


@pytest.mark.parametrize("name", CANNOT)
def test_what_cannot_be_traced_says_what_and_where(name: str) -> None:
    fn, message = CANNOT[name]
    with pytest.raises(CannotTrace, match=message):
        TRACER.trace(fn, inputs_of(3), {})


def test_an_error_of_the_function_itself_is_passed_on() -> None:
    with pytest.raises(ValueError, match="k9"):
        TRACER.trace(estimator, inputs_of(3), {"kind": "k9"})


def test_a_wrong_custom_rule_is_left_for_the_comparison_to_find() -> None:
    wrong = jax.custom_vjp(lambda logp: logp**2)
    wrong.defvjp(lambda v: (v**2, v), lambda v, g: (5 * v * g,))
    with pytest.raises(AssertionError, match="not strictly ordered"):
        check(lambda logp, ref, old: wrong(logp), inputs_of(2), {})


def test_jax_is_imported_on_first_use() -> None:
    code = "import sys, kltheory.tracing.jaxpr; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- random functions -------------------------------------------------------------------------------------------------
UNARY: tuple[Callable[[Any], Any], ...] = (
    stop,
    stop,
    jnp.negative,
    jnp.square,
    jnp.abs,
    jnp.sign,
    jnp.tanh,
    jax.nn.sigmoid,
    jax.nn.softplus,
    jax.nn.relu,
    jax.nn.log_softmax,
    lambda v: jnp.exp(jnp.clip(v, -2, 2)),
    lambda v: jnp.expm1(jnp.minimum(v, 1)),
    lambda v: jnp.log1p(v * v),
    lambda v: jnp.sqrt(1 + v**2),
    lambda v: jnp.clip(v, -0.75, 0.5),
    lambda v: 1 / (2 + jnp.abs(v)),
    lambda v: (v > -0.6).astype(v.dtype) * v,
    lambda v: v.astype(jnp.float32).astype(jnp.float64),
    lambda v: v + stop(jnp.tanh(v) - v),
    lambda v: v - v.mean(),
    lambda v: jnp.where(np.array([True, False]), v, 0.25),
    lambda v: jnp.cumsum(v) * 0.5,
    jax.jit(lambda v: v * stop(v)),
    jax.vmap(lambda v: jnp.exp(v - stop(v))),
)
BINARY: tuple[Callable[[Any, Any], Any], ...] = (
    jnp.add,
    jnp.subtract,
    jnp.multiply,
    jnp.maximum,
    jnp.minimum,
    jnp.logaddexp,
    lambda a, b: a / (1 + b * b),
    lambda a, b: jnp.where(a > b, a, 2 * b),
    lambda a, b: jnp.where(stop(a) <= b, jnp.exp(-(b**2)), a),
    lambda a, b: jnp.where((a > -0.4) & (b < 0.3), a * b, stop(b)),
    lambda a, b: jax.lax.select(a >= 0.1, a, b),
)
LEAVES: tuple[Callable[..., Any], ...] = (
    *(lambda logp, ref, old: logp,) * 2,
    lambda logp, ref, old: ref,
    lambda logp, ref, old: old,
    lambda logp, ref, old: logp - ref,
    lambda logp, ref, old: jnp.exp(logp - old),
    lambda logp, ref, old: jnp.full_like(logp, 0.3),
)


def random_program(seed: int) -> Callable[..., Any]:
    rng = np.random.default_rng(seed)

    def part(depth: int) -> Callable[..., Any]:
        kind = rng.choice(["unary", "binary", "leaf"], p=[0.4, 0.4, 0.2]) if depth else "leaf"
        if kind == "leaf":
            return LEAVES[rng.integers(len(LEAVES))]
        table = UNARY if kind == "unary" else BINARY
        row, parts = table[rng.integers(len(table))], [part(depth - 1) for _ in range(1 + (kind == "binary"))]
        return lambda logp, ref, old: row(*(p(logp, ref, old) for p in parts))

    root, left, right = BINARY[rng.integers(len(BINARY))], part(2), part(2)
    return lambda logp, ref, old: root(left(logp, ref, old), right(logp, ref, old))


def test_random_functions_are_traced_or_said_to_be_untraceable() -> None:
    found: dict[str, list[int]] = {"checked": [], "on a kink": [], "cannot": []}
    for seed in range(150):
        try:
            check(random_program(seed), inputs_of(2), {}, 1e-11)
            found["checked"].append(seed)
        except OnKink:
            found["on a kink"].append(seed)
        except CannotTrace:
            found["cannot"].append(seed)
        except AssertionError as error:
            raise AssertionError(f"random_program({seed})") from error
    assert len(found["checked"]) >= 135, found


# --- running ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("branches", "calls"), [(False, 1), (True, 4)])
def test_what_can_be_compiled_is_compiled_once(branches: bool, calls: int) -> None:
    """An option that XLA does not know would go unseen: what cannot be compiled runs as it is, slowly."""
    called: list[Any] = []

    def fn(logp: Any) -> Any:
        called.append(logp)
        return -logp if branches and logp.sum() > 0 else logp

    for number in (1.0, 2.0, 3.0):
        TRACER.gradient(fn, {"logp": np.full(2, number)}, {}, "float64")
    assert len(called) == calls


@pytest.mark.parametrize(("asks", "calls"), [(False, 1), (True, 4)])
def test_what_is_compiled_serves_every_mask_unless_python_asks_what_it_holds(asks: bool, calls: int) -> None:
    """Then it is tried once with any mask, and compiled for each of the three."""
    called: list[Any] = []

    def fn(logp: Any, mask: Any) -> Any:
        called.append(mask)
        count = np.asarray(mask).sum() if asks else mask.sum()
        return (logp * mask).sum() / jnp.maximum(count, 1.0)

    for _ in range(2):
        for ones in range(3):
            mask = jnp.asarray([float(k < ones) for k in range(3)])
            value, slopes = TRACER.gradient(fn, {"logp": np.full(3, 6.0)}, {"mask": mask}, "float64")
            assert value == (6.0 if ones else 0.0)
            assert slopes["logp"].tolist() == [float(m) / max(ones, 1) for m in mask]
    assert len(called) == calls
