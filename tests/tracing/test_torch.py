"""PyTorch functions of the shapes people have, traced: value and every derivative are those of the running function.

The value of the traced expressions, through the NumPy bridge, is compared with the output; SymPy's derivative of their
sum, with ``sg`` held and then erased, with autograd's: at the point of the trace and at others, off the kinks.
"""

import copy
import math
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch_functions as functions
from libraries import function_of
from sympy import Abs, Add, Expr, Max, Min, Piecewise, Rational, S, Symbol, exp, log, sign
from sympy.core.relational import Relational
from torch_functions import CASES, Case
from torch_programs import program, run

from kltheory.calculus.symbols import erase_sg, logp, logp_old, logp_ref, sg
from kltheory.numerics.bridge import NUMPY
from kltheory.tracing.pytorch import shadows
from kltheory.tracing.pytorch.constants import exact
from kltheory.tracing.pytorch.table import OPERATIONS
from kltheory.tracing.torch_function import TorchTracer
from kltheory.tracing.trace import CannotTrace, Input, Trace

torch = pytest.importorskip("torch", reason="PyTorch is not installed; `make test` installs it")
F = torch.nn.functional

pytestmark = pytest.mark.torch
TRACER = TorchTracer()


# --- the comparison ---------------------------------------------------------------------------------------------------
NAMES = ("logp", "ref", "old")
POINTS = np.random.default_rng(11).uniform(-2.5, -0.1, (2, len(NAMES), 24))
"""Log-probabilities, no two alike: the point of the trace, and another."""


def arrays_of(shape: tuple[int, ...], point: int = 0) -> dict[str, np.ndarray]:
    n = math.prod(shape)
    return {name: row[:n].reshape(shape) for name, row in zip(NAMES, POINTS[point], strict=True)}


def named(name: str, values: np.ndarray) -> Input:
    exprs = np.empty(values.shape, dtype=object)
    for i in np.ndindex(values.shape):
        exprs[i] = Symbol(name + "".join(map(str, i)), real=True)
    return Input(values, exprs)


def traced(fn: Callable[..., Any], shape: tuple[int, ...] = (2,), **config: Any) -> Trace:
    return TRACER.trace(fn, {k: named(k, v) for k, v in arrays_of(shape).items()}, config)


def entry(fn: Callable[..., Any], **config: Any) -> Expr:
    """The expression of a function of single numbers."""
    return traced(fn, (), **config).exprs.item()


class OnKink(Exception):
    """Both sides of a kink have the same value at the point, where the derivative is a convention."""


def side(difference: Expr, at: dict[Symbol, float]) -> int:
    value = float(NUMPY(difference, at))
    if abs(value) < 1e-9:
        raise OnKink(str(difference))
    return 1 if value > 0 else -1


def smooth_at(expr: Expr, at: dict[Symbol, float]) -> Expr:
    """The smooth expression that ``expr`` is near the point: every kink replaced by the side the point lies on."""
    if not expr.args:
        return expr
    if isinstance(expr, Piecewise):
        for relation in expr.atoms(Relational):
            side(relation.lhs - relation.rhs, at)
        return smooth_at(next(e for e, c in expr.args if NUMPY(c, at)), at)
    args = [smooth_at(a, at) for a in expr.args]
    if isinstance(expr, (Abs, sign)):
        return side(args[0], at) * (args[0] if isinstance(expr, Abs) else S.One)
    if isinstance(expr, (Max, Min)):
        best = args[0]
        for a in args[1:]:
            if (a - best).expand() != 0:
                best = a if side(a - best, at) == (1 if isinstance(expr, Max) else -1) else best
        return best
    return expr.func(*args)


def same(got: Any, expected: Any, tolerance: float) -> None:
    assert np.shape(got) == np.shape(expected)
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


def verify(trace: Trace, fn: Callable[..., Any], shape: tuple[int, ...], config: dict[str, Any], point: int) -> None:
    """The trace against the running function at a point."""
    arrays = arrays_of(shape, point)
    symbols = {name: named(name, values).exprs for name, values in arrays.items()}
    at = {s: float(x) for name in symbols for s, x in zip(symbols[name].flat, arrays[name].flat, strict=True)}
    tolerance = 1e-12 if trace.dtype == "float64" else 8 * torch.finfo(getattr(torch, trace.dtype)).eps
    values, slopes = TRACER.gradient(fn, arrays, config, "float64")
    with np.errstate(all="ignore"):
        same(np.vectorize(lambda e: float(NUMPY(e, at)), otypes=[float])(trace.exprs), values, tolerance)
        total = Add(*(smooth_at(e, at) for e in trace.exprs.flat if e.is_finite is not False))
        for name, exprs in symbols.items():
            slope = np.vectorize(lambda s: float(NUMPY(erase_sg(total.diff(s)), at)), otypes=[float])
            same(slope(exprs), slopes[name], tolerance)


def check(fn: Callable[..., Any], shape: tuple[int, ...], config: dict[str, Any]) -> Trace:
    trace = traced(fn, shape, **config)
    np.testing.assert_array_equal(trace.values, TRACER.gradient(fn, arrays_of(shape), config, "float64")[0])
    for point in range(len(POINTS)):
        verify(trace, fn, shape, config, point)
    return trace


# --- the rows ---------------------------------------------------------------------------------------------------------
@pytest.mark.filterwarnings("ignore:reduction:UserWarning")
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_the_traced_expression_has_the_value_and_the_derivatives_of_the_running_function(case: Case) -> None:
    check(case.fn, case.shape, case.config)


def plain(logp, ref, old):
    return torch.exp(logp - ref) * 2 - old.clamp(min=-1.0)


@pytest.mark.parametrize("transformed", [torch.jit.script, lambda fn: torch.compile(fn, backend="eager")])
def test_a_scripted_or_compiled_function_is_traced_as_the_function_it_was_made_of(transformed: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fn = transformed(plain)
        for _ in range(3):  # TorchScript optimises what has run twice
            check(fn, (2,), {})
            assert entry(fn) == entry(plain)


def test_a_function_that_torchscript_has_optimised_before_is_opaque() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fn = torch.jit.script(plain)
    for _ in range(3):
        fn(*(torch.ones(2, requires_grad=True) for _ in NAMES))
    with pytest.raises(CannotTrace, match=r"DifferentiableGraph is a custom autograd\.Function: opaque"):
        traced(fn)


# --- what the expressions are -----------------------------------------------------------------------------------------
x, y, z = (Symbol(name, real=True) for name in NAMES)


@pytest.mark.parametrize(
    ("fn", "expected"),
    [
        (lambda logp, ref, old: 0.1 * logp - 0.5, x / 10 - S.Half),
        (lambda logp, ref, old: logp.float() * torch.tensor(0.1), x / 10),
        (lambda logp, ref, old: logp * torch.tensor(0.1).double(), x / 10),
        (lambda logp, ref, old: logp * torch.tensor(0.3, dtype=torch.bfloat16), x * Rational(3, 10)),
        (lambda logp, ref, old: logp / torch.ones(3).sum() + 1 / 7, x / 3 + Rational(1, 7)),
        (lambda logp, ref, old: logp.detach() * logp, sg(x) * x),
        (lambda logp, ref, old: (logp * 2 + ref).detach(), sg(2 * x + y)),
        (lambda logp, ref, old: torch.log1p(torch.expm1(logp)), x),
        (lambda logp, ref, old: logp.exp().log(), x),
        (lambda logp, ref, old: logp.clamp(-1, 0.5), Min(Max(x, -1), S.Half)),
        (lambda logp, ref, old: torch.where(logp > 0, ref, 0.5), Piecewise((y, x > 0), (S.Half, True))),
        (lambda logp, ref, old: (logp > ref).float(), Piecewise((1, x > y), (0, True))),
        (lambda logp, ref, old: ((logp > ref).float() > 0.5) * old, z * Piecewise((1, x > y), (0, True))),
        (lambda logp, ref, old: (logp > ref).float().bool() * old, z * Piecewise((1, x > y), (0, True))),
        (lambda logp, ref, old: logp.sign(), sg(sign(x))),
        (lambda logp, ref, old: torch.stack([logp, ref]).logsumexp(0), log(exp(x) + exp(y))),
        (lambda logp, ref, old: logp.item(), sg(x)),
        (lambda logp, ref, old: 3.0, S(3)),
    ],
)
def test_an_expression_is_what_one_would_write(fn: Callable[..., Any], expected: Expr) -> None:
    assert entry(fn) == expected


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (0.1, "float64", Rational(1, 10)),
        (1e-8, "float64", Rational(1, 10**8)),
        (1 / 3, "float64", Rational(1, 3)),
        (1 / 3, "float32", Rational(1, 3)),
        (0.2, "float16", Rational(1, 5)),
        (0.2, "bfloat16", Rational(1, 5)),
        (65504.0, "float16", S(65504)),
        (-math.inf, "float32", -S.Infinity),
        (math.nan, "float64", S.NaN),
        (math.log(10), "float64", Rational("2.302585092994046")),
    ],
)
def test_a_constant_is_the_number_that_was_meant(value: float, dtype: str, expected: Expr) -> None:
    dtype = getattr(torch, dtype)
    assert exact(torch.tensor(value, dtype=dtype).item(), dtype) == expected


@pytest.mark.parametrize(
    ("fn", "dtype"),
    [
        (lambda logp, ref, old: logp - ref, "float64"),
        (lambda logp, ref, old: (logp.float() - ref.float()).double(), "float32"),
        (lambda logp, ref, old: logp.half() + ref.to(torch.bfloat16), "bfloat16"),
        (lambda logp, ref, old: logp * torch.ones(2), "float64"),
        (lambda logp, ref, old: logp * torch.full((2,), 0.1), "float32"),
        (lambda logp, ref, old: logp * torch.full((2,), 0.1).double(), "float32"),
        (lambda logp, ref, old: [logp, logp.float().mean().item()], "float64"),
        (lambda logp, ref, old: torch.where((logp.half() > ref).double() > 0, logp, ref), "float16"),
    ],
)
def test_the_type_is_the_coarsest_on_the_way_to_the_output(fn: Callable[..., Any], dtype: str) -> None:
    assert traced(fn).dtype == dtype


def test_inputs_may_be_expressions_and_constants() -> None:
    """On-policy the old policy is the policy, detached; a constant input requires no gradient."""
    values = np.array([-1.0, -2.0])
    p = named("p", values)
    old = Input(values, np.array([sg(e) for e in p.exprs], dtype=object))
    mask = Input(np.array([1.0, 0.0]), np.array([S.One, S.Zero], dtype=object))

    def fn(logp, old, mask):
        assert logp.requires_grad
        assert not mask.requires_grad
        return (torch.exp(logp - old) * mask)[mask > 0]

    (found,) = TRACER.trace(fn, {"logp": p, "old": old, "mask": mask}, {}).exprs
    assert found == exp(p.exprs[0] - sg(p.exprs[0]))


def test_the_callers_arrays_are_left_alone() -> None:
    arrays = arrays_of((3,))
    before = copy.deepcopy(arrays)
    inputs = {k: named(k, v) for k, v in arrays.items()}
    exprs = {k: i.exprs.copy() for k, i in inputs.items()}
    TRACER.trace(functions.edits_its_inputs, inputs, {})
    TRACER.gradient(functions.edits_its_inputs, arrays, {}, "float64")
    for name in NAMES:
        np.testing.assert_array_equal(arrays[name], before[name])
        np.testing.assert_array_equal(inputs[name].exprs, exprs[name])


# --- the running function ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_gradient_runs_in_the_type_asked_for(dtype: str) -> None:
    seen = []

    def fn(logp, ref):
        seen.append(logp.dtype)
        return torch.exp(logp) * 2

    value, slopes = TRACER.gradient(fn, {"logp": np.array([0.3]), "ref": np.ones((2, 2))}, {}, dtype)
    rounded = torch.tensor([0.3], dtype=seen[0])
    assert seen == [getattr(torch, dtype)]
    assert value.dtype == slopes["logp"].dtype == np.float64
    assert value.item() == (torch.exp(rounded) * 2).item() == slopes["logp"].item()
    np.testing.assert_array_equal(slopes["ref"], np.zeros((2, 2)))


def test_a_mask_of_booleans_arrives_as_one() -> None:
    """So ``~mask``, and indexing by it, work as they do in the caller's code."""
    mask = np.array([True, False])

    def fn(logp, mask):
        return logp[mask].sum() + logp.masked_fill(~mask, 0.5).prod()

    inputs = {"logp": named("p", np.array([-1.0, -2.0])), "mask": Input(mask, np.array([S.One, S.Zero], dtype=object))}
    assert TRACER.trace(fn, inputs, {}).exprs.item() == Symbol("p0", real=True) * Rational(3, 2)
    slopes = TRACER.gradient(fn, {k: i.values for k, i in inputs.items()}, {}, "float32")[1]
    assert {k: v.tolist() for k, v in slopes.items()} == {"logp": [1.5, 0], "mask": [0, 0]}


def test_gradient_runs_what_cannot_be_traced() -> None:
    value, slopes = TRACER.gradient(lambda logp: Doubled.apply(logp), {"logp": np.zeros(2)}, {}, "float64")
    assert (value.tolist(), slopes["logp"].tolist()) == ([1, 1], [2, 2])


@pytest.mark.parametrize("fn", [lambda logp: logp.detach(), lambda logp: (torch.ones(3), logp), lambda logp: 1.5])
def test_without_a_gradient_all_derivatives_are_zero(fn: Callable[..., Any]) -> None:
    assert TRACER.gradient(fn, {"logp": np.ones(2)}, {}, "float32")[1]["logp"].tolist() == [0, 0]


def test_overflow_is_passed_on() -> None:
    value, slopes = TRACER.gradient(lambda logp: logp.exp(), {"logp": np.array(100.0)}, {}, "float16")
    assert value == np.inf == slopes["logp"]


# --- OpenRLHF ---------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def compute_approx_kl() -> Callable[..., Any]:
    return function_of("openrlhf")


LOG_RATIOS = (-12, -6, -4.5, -2.75, -0.125, 0.75, 3, 4.5, 10.5)
LOG_WEIGHTS = (-3, 0.25, 2.375)
every_variant = [
    pytest.mark.parametrize("kind", ["k1", "k2", "k3"]),
    pytest.mark.parametrize("unbiased", [False, True]),
    pytest.mark.parametrize("with_old", [False, True]),
]


def variants(test: Callable[..., Any]) -> Callable[..., Any]:
    for mark in every_variant:
        test = mark(test)
    return test


@variants
def test_openrlhf_is_traced_in_all_variants(
    compute_approx_kl: Callable[..., Any], kind: str, unbiased: bool, with_old: bool
) -> None:
    """It computes in float32: log-probabilities are such that float32 holds their differences exactly."""
    config = {"kl_estimator": kind, "unbiased_gradient": unbiased}
    samples = [(min(0, l, w) - 0.5, l, w) for l in LOG_RATIOS for w in LOG_WEIGHTS]
    columns = np.array([(p, p - l, p - w) for p, l, w in samples]).T
    symbols = {"log_probs": logp, "log_probs_base": logp_ref, "log_probs_old": logp_old}
    arrays = dict(zip(symbols if with_old else [*symbols][:2], columns, strict=False))
    inputs = {k: Input(v[:1], np.array([symbols[k]], dtype=object)) for k, v in arrays.items()}
    trace = TRACER.trace(compute_approx_kl, inputs, config)
    (expr,) = trace.exprs
    assert trace.dtype == "float32"
    assert expr.has(sg) == unbiased
    values, slopes = TRACER.gradient(compute_approx_kl, arrays, config, "float64")
    for i, row in enumerate(columns.T):
        at = dict(zip(symbols.values(), row, strict=True))
        smooth = smooth_at(expr, at)
        for name, got in [(None, values), *slopes.items()]:
            e = smooth if name is None else smooth.diff(symbols[name])
            terms = [float(NUMPY(erase_sg(t), at)) for t in Add.make_args(e.expand())]
            assert abs(got[i] - sum(terms)) <= 8 * np.finfo(np.float32).eps * sum(map(abs, terms))


# --- random functions -------------------------------------------------------------------------------------------------
EXAMPLES, CHUNK = 150, 30


def outcome(seed: int) -> str:
    """What tracing a random function comes to; raises AssertionError if the trace is wrong."""

    def fn(**arguments: Any) -> Any:
        return run(program(seed), arguments)

    try:
        trace = traced(fn)
        for point in range(len(POINTS)):
            verify(trace, fn, (2,), {}, point)
    except OnKink:
        return "on a kink"
    except CannotTrace:
        return "cannot"
    return "checked"


@pytest.mark.parametrize("start", range(0, EXAMPLES, CHUNK))
def test_random_functions_are_traced_to_what_autograd_says(start: int) -> None:
    outcomes = [outcome(seed) for seed in range(start, start + CHUNK)]
    assert outcomes.count("checked") >= 0.9 * CHUNK, outcomes


# --- what cannot be traced --------------------------------------------------------------------------------------------
class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.exp()

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


def catches_everything(logp, ref, old):
    try:
        return logp if logp.sum() > 0 else ref
    except Exception:
        return ref


REFUSED: dict[str, tuple[Callable[..., Any], str]] = {
    "branch": (
        lambda logp, ref, old: logp if logp.mean() > 0 else ref,
        "branch or number depends on the inputs: __bool__",
    ),
    "float": (lambda logp, ref, old: logp * float(ref.sum()), "depends on the inputs: __float__"),
    "int": (lambda logp, ref, old: logp[int(ref.sum()) :], "depends on the inputs: __int__"),
    "caught": (catches_everything, "__bool__"),
    "branch on item": (lambda logp, ref, old: logp * max(0.0, ref.sum().item()), "a Python number .* used in a branch"),
    "math": (lambda logp, ref, old: logp * math.exp(ref.tolist()[0]), "a Python number .* as a float"),
    "numpy": (lambda logp, ref, old: logp * torch.from_numpy(ref.detach().numpy()), "leaves PyTorch: numpy"),
    "array": (lambda logp, ref, old: logp * torch.tensor(np.log(-ref.detach())), "leaves PyTorch: __array__"),
    "unknown": (lambda logp, ref, old: torch.erfinv(logp / 3), "erfinv has no expression here: it is not in the table"),
    "unknown in place": (lambda logp, ref, old: logp.round_() + ref, "round_ has no expression"),
    "sort": (lambda logp, ref, old: logp.sort().values * ref, "sort has no expression"),
    "argmax": (lambda logp, ref, old: logp * (logp.argmax() + 1), "argmax has no expression"),
    "index of the maximum": (
        lambda logp, ref, old: logp * logp.max(0).indices,
        "max has no expression for its output 2",
    ),
    "floor": (lambda logp, ref, old: torch.div(logp, ref, rounding_mode="floor"), "a rounded division"),
    "integers": (lambda logp, ref, old: logp.long() * ref, "a conversion to integers"),
    "equal to an unknown": (lambda logp, ref, old: (logp.round() == logp) * ref, "round has no expression"),
    "nan of unknown": (lambda logp, ref, old: logp.round().isnan() * ref, "round has no expression"),
    "equal()": (
        lambda logp, ref, old: logp if torch.equal(logp, ref) else ref,
        "equal takes a number .* out of a tensor",
    ),
    "roundings": (lambda logp, ref, old: logp * (logp.float() < logp), "two roundings of one number are compared"),
    "mask": (lambda logp, ref, old: logp[ref > -1].mean(), "index gives a shape that depends on the inputs"),
    "nonzero": (lambda logp, ref, old: logp[(ref > -1).nonzero()], "nonzero gives a shape that depends"),
    "place": (lambda logp, ref, old: logp.gather(0, ref.argsort()), "argsort|sort has no expression"),
    "random": (lambda logp, ref, old: F.dropout(logp, 0.5), "a random operation"),
    "random noise": (lambda logp, ref, old: logp + torch.randn(2), "a random operation"),
    "custom": (lambda logp, ref, old: Doubled.apply(logp) * 2, "Doubled is a custom autograd.Function: opaque"),
    "custom, a part": (lambda logp, ref, old: Doubled.apply(logp)[0], "Doubled is a custom autograd.Function"),
    "custom, returned": (lambda logp, ref, old: Doubled.apply(logp), "Doubled is a custom autograd.Function"),
    "hook": (lambda logp, ref, old: logp.register_hook(lambda g: 0 * g) and logp, "a hook may change the gradient"),
    "new graph": (lambda logp, ref, old: logp.detach().requires_grad_() * ref, "a new graph is started"),
    "alias": (lambda logp, ref, old: (logp.detach().mul_(ref), logp)[1] * 1, "mul_ changes a detached tensor in place"),
    "bits": (lambda logp, ref, old: logp.detach().view(torch.int32) * 2, "read as another type|no expression"),
    "infinity": (lambda logp, ref, old: logp * math.inf, "an infinity is combined with an expression"),
    "no tensor": (lambda logp, ref, old: "kl", "returned a str, and no tensor of floating type"),
    "no float": (lambda logp, ref, old: logp > ref, "returned a tensor of torch.bool, and no tensor of floating type"),
}


@pytest.mark.parametrize(("fn", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_traced_says_so(fn: Callable[..., Any], message: str) -> None:
    with pytest.raises(CannotTrace, match=message) as caught:
        traced(fn)
    at_the_end = ("returned", "infinity", "opaque")
    assert __file__ in str(caught.value) or any(word in str(caught.value) for word in at_the_end)


def test_a_refusal_names_file_line_and_text() -> None:
    def loss(logp, ref, old):
        y = torch.special.i0(logp)
        return y + ref

    with pytest.raises(CannotTrace) as caught:
        traced(loss)
    line = loss.__code__.co_firstlineno + 1
    assert str(caught.value).endswith(f"({__file__}:{line}, in loss: y = torch.special.i0(logp))")


def test_a_value_of_a_custom_function_may_be_used_detached() -> None:
    assert entry(lambda logp, ref, old: Doubled.apply(logp).detach() * ref) == sg(exp(x)) * y


def test_an_error_of_the_function_is_passed_on() -> None:
    def fails(logp, ref, old, kind):
        raise NotImplementedError(f"unknown kind {kind}")

    with pytest.raises(NotImplementedError, match="unknown kind k7"):
        traced(fails, kind="k7")
    with pytest.raises(NotImplementedError, match="unknown kind k7"):
        TRACER.gradient(fails, arrays_of((2,)), {"kind": "k7"}, "float64")


def test_nothing_is_left_behind() -> None:
    from torch.overrides import _get_current_function_mode
    from torch.utils._python_dispatch import _get_current_dispatch_mode

    with pytest.raises(CannotTrace):
        traced(REFUSED["branch"][0])
    assert _get_current_function_mode() is None
    assert _get_current_dispatch_mode() is None
    assert torch.is_grad_enabled()
    assert bool(torch.ones(1) > 0)


def test_importing_the_tracer_does_not_import_torch() -> None:
    code = "import sys, kltheory.tracing.torch_function as t; t.TorchTracer(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- wrong on purpose -------------------------------------------------------------------------------------------------
def has_sg(case: Case) -> bool:
    return any(e.has(sg) for e in traced(case.fn, case.shape, **case.config).exprs.flat)


DETACHING = [
    functions.in_reward,
    functions.straight_through,
    functions.in_reward_under_no_grad,
    functions.data,
    functions.requires_no_grad,
    functions.detach_in_place,
    functions.normalised,
]


@pytest.mark.parametrize("fn", DETACHING, ids=lambda f: f.__name__)
def test_a_tracer_that_drops_detach_is_caught(fn: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_sg(Case(fn, (3,)))
    monkeypatch.setattr(shadows, "held", lambda e: e)
    with pytest.raises(AssertionError):
        check(fn, (3,), {})


WRONG: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "clamp": (lambda x, *_, **__: x, functions.ppo_clip),
    "mul": (OPERATIONS["div"], functions.operators),
    "exp": (OPERATIONS["expm1"], functions.in_reward_under_no_grad),
    "sum": (OPERATIONS["mean"], functions.masked_mean),
    "_log_softmax": (OPERATIONS["_softmax"], functions.full_vocabulary),
    "minimum": (OPERATIONS["maximum"], functions.ppo_clip),
    "gt": (OPERATIONS["lt"], functions.edits_in_place),
    "rsub": (OPERATIONS["sub"], functions.operators),
    "cumsum": (OPERATIONS["cumprod"], functions.to_go),
    "masked_fill": (lambda x, mask, value: x, functions.masked_vocabulary),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_entry_of_the_table_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong, fn = WRONG[name]
    case = next(c for c in CASES if c.fn is fn)
    monkeypatch.setitem(OPERATIONS, name, wrong)
    with pytest.raises((AssertionError, CannotTrace)):
        check(case.fn, case.shape, case.config)


def test_random_functions_catch_a_tracer_that_drops_detach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadows, "held", lambda e: e)
    with pytest.raises(AssertionError):
        [outcome(seed) for seed in range(CHUNK)]
