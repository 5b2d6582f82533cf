"""Tracing JAX: the function's own jaxpr, read with SymPy expressions in place of numbers.

``jax.make_jaxpr`` calls the real function once, and each primitive it met becomes its row of
:mod:`kltheory.tracing.jax_primitives`. The primal body of a ``custom_jvp`` or ``custom_vjp`` function is what is read:
that its rule agrees is for the comparison with :meth:`JaxTracer.gradient` to find out. What no input enters is a
constant: exact where a row says how, else computed by JAX itself. JAX is imported on first use.
"""

import os
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from sympy import Expr, Integer, Rational, S, exp, false, true
from sympy.logic.boolalg import BooleanAtom

from kltheory.tracing.jax_primitives import (
    ARRAYWISE,
    CONCRETE,
    DATA,
    ENTRYWISE,
    MOVES,
    TRUTH,
    Array,
    boxed,
    entrywise,
    is_constant,
    number_of,
    simple,
    without_largest,
)
from kltheory.tracing.trace import CannotTrace, Floats, Input, Trace

BODIES: Final = {
    "call": "call_jaxpr",
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vmap_call": "call",
    "jit": "jaxpr",
    "remat2": "jaxpr",
}
"""Primitives that call a function, and the parameter that holds it."""

INTEGERS: Final = {"add", "mul", "neg", "sub", "max", "min", "abs", "sign", "square", "integer_pow", "select_n"}
"""Entrywise rows that mean the same for integers: a quotient, for one, does not."""

KNOWN: Final = {"logaddexp": lambda a, b: ENTRYWISE["log"](exp(a) + exp(b))}
"""JAX's own functions that have a shorter formula than the stable one they compute."""

MAX_UNROLLED: Final = 1024


class JaxTracer:
    """Traces and runs JAX functions, on the CPU, leaving JAX's global configuration alone."""

    def trace(self, fn: Callable[..., Any], inputs: Mapping[str, Input], config: Mapping[str, Any]) -> Trace:
        """The trace of ``fn(**inputs, **config)``, called in float64: what it casts to is followed, and named.

        Raises:
            CannotTrace: a primitive has no expression, Python branches on a traced number, or the output is not one
                array of floating numbers. What the function itself raises is passed on.
        """
        import jax

        def called(arrays: Mapping[str, Any]) -> Any:
            return _array(fn(**arrays, **config))

        with _scope("float64"):
            given = {name: jax.numpy.asarray(x.values, "float64") for name, x in inputs.items()}
            output = called(given)
            if not jax.numpy.issubdtype(output.dtype, np.floating):
                raise CannotTrace(f"the output is of type {output.dtype}, which has no derivative; return a float")
            with _branching():
                closed = jax.make_jaxpr(called)(given)
            reader = _Reader([str(output.dtype)])
            (exprs,) = reader.closed(closed, [inputs[name].exprs for name in sorted(given)])
            return Trace(entrywise(without_largest, exprs), _float64(output), reader.narrowest())

    def gradient(
        self, fn: Callable[..., Any], arrays: Mapping[str, Floats], config: Mapping[str, Any], dtype: str
    ) -> tuple[Floats, dict[str, Floats]]:
        """The output at ``arrays`` cast to ``dtype``, and ``jax.vjp``'s derivative of its sum by each array.

        64-bit types are enabled for float64 only. An output of integers or truth values has derivative zero.

        Raises:
            CannotTrace: the output is not one array of numbers.
        """
        import jax

        with _scope(dtype):
            given = {name: jax.numpy.asarray(x, dtype) for name, x in arrays.items()}
            output, pull = jax.vjp(lambda args: _array(fn(**args, **config)), given)
            if not jax.numpy.issubdtype(output.dtype, np.floating):
                return _float64(output), {name: np.zeros(np.shape(x)) for name, x in arrays.items()}
            (slopes,) = pull(jax.numpy.ones_like(output))
            return _float64(output), {name: _float64(slopes[name]) for name in arrays}


@contextmanager
def _scope(dtype: str) -> Iterator[None]:
    import jax

    with jax.enable_x64(dtype == "float64"), jax.default_device(jax.local_devices(backend="cpu")[0]):
        yield


@contextmanager
def _branching() -> Iterator[None]:
    """Python code that asks for the value of a traced number becomes CannotTrace, with its line."""
    from jax import errors

    try:
        yield
    except (
        errors.ConcretizationTypeError,
        errors.NonConcreteBooleanIndexError,
        errors.TracerArrayConversionError,
        errors.TracerIntegerConversionError,
    ) as error:
        summary = str(error).partition("\n")[0].rstrip(".")
        raise CannotTrace(f"Python needs the value of a traced array at {_raised_at(error)}: {summary}") from error


def _raised_at(error: BaseException) -> str:
    import jax

    theirs = (os.path.dirname(jax.__file__), __file__)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(theirs)]
    return f"{frames[-1].filename}:{frames[-1].lineno} ({frames[-1].name})" if frames else "an unknown line"


def _array(output: Any) -> Any:
    """The output as a JAX array."""
    import jax

    if isinstance(output, (jax.Array, np.ndarray, np.generic, bool, int, float)):
        return jax.numpy.asarray(output)
    raise CannotTrace(f"the function returned {type(output).__name__}, not one array: wrap it, and return the loss")


def _float64(array: Any) -> Floats:
    return np.asarray(array).astype(np.float64)


@dataclass(frozen=True)
class _Reader:
    """Evaluates jaxprs on arrays of expressions, and of plain NumPy integers and truth values that no input enters.

    Attributes:
        dtypes: the floating types that traced numbers were rounded to, as they are met.
        lines: where the equation being read stands, and the calls around it.
        fixed: whether that is where it stays, inside a function of JAX's.
    """

    dtypes: list[str]
    lines: list[str] = field(default_factory=lambda: ["an unknown line"])
    fixed: bool = False

    def narrowest(self) -> str:
        """The type with the fewest bits."""
        return min(dict.fromkeys(self.dtypes), key=lambda d: int(_finfo(d).nmant))

    def closed(self, closed: Any, args: Sequence[Any]) -> list[Any]:
        """The outputs of a closed jaxpr, or of an open one that has no constants."""
        if not hasattr(closed, "consts"):
            return self.jaxpr(closed, [], args)
        consts = [self.lifted(c, v.aval) for c, v in zip(closed.consts, closed.jaxpr.constvars, strict=True)]
        return self.jaxpr(closed.jaxpr, consts, args)

    def jaxpr(self, jaxpr: Any, consts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
        known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True))

        def value(atom: Any) -> Any:
            return self.lifted(atom.val, atom.aval) if hasattr(atom, "val") else known[atom]

        for eqn in jaxpr.eqns:
            if eqn.outvars:  # without any it is a side effect, such as printing
                known.update(zip(eqn.outvars, self.equation(eqn, [value(v) for v in eqn.invars]), strict=True))
        return [value(v) for v in jaxpr.outvars]

    def equation(self, eqn: Any, args: list[Any]) -> list[Any]:
        """The results of one equation."""
        name = eqn.primitive.name
        self.lines.append((not self.fixed and _line(eqn)) or self.lines[-1])
        try:
            results = self.results(name, eqn, args)
        except (ArithmeticError, AttributeError, NotImplementedError, TypeError, ValueError) as error:
            raise CannotTrace(f"{name} at {self.lines[-1]}: {error}") from error
        self.lines.pop()
        outs = [self.settled(x, v.aval) for x, v in zip(results, eqn.outvars, strict=True)]
        self.dtypes.extend(str(v.aval.dtype) for x, v in zip(outs, eqn.outvars, strict=True) if _is_rounded(x, v.aval))
        return outs

    def results(self, name: str, eqn: Any, args: list[Any]) -> list[Any]:
        """What the primitive gives, by the first of the tables that applies."""
        if name in BODIES:
            body = eqn.params[BODIES[name]]
            return self.call(getattr(body, "jaxpr", body).debug_info, body, args)
        if name == "cond":
            return self.cond(eqn.params["branches"], *args)
        if name == "scan" and eqn.params["length"] <= MAX_UNROLLED:
            return self.scan(args, **eqn.params)
        if name == "convert_element_type":
            return [self.cast(eqn, args[0])]
        if name in MOVES and not (name == "dynamic_slice" and any(map(_is_symbolic, args[1:]))):
            return _listed(MOVES[name](*_alike(args, eqn), **eqn.params))
        if not any(map(_is_symbolic, args)):
            return [CONCRETE[name](*args, **_without_dtype(eqn))] if name in CONCRETE else _computed(eqn, args)
        if name in DATA and not any(_is_symbolic(a) for i, a in enumerate(args) if i not in DATA[name]):
            return [_moved(eqn, args, DATA[name])]
        integral = not _is_floating(eqn.outvars[0].aval) and eqn.outvars[0].aval.dtype != bool
        if name == "scatter-add" and not _is_symbolic(args[1]):
            return [_added(eqn, *args)]
        if name in ENTRYWISE and (not integral or name in INTEGERS):
            rule = ENTRYWISE[name]
            params = _without_dtype(eqn)
            return [entrywise(lambda *xs: rule(*xs, **params), *map(_exprs, args))]
        if name in ARRAYWISE:
            return [ARRAYWISE[name](*map(_exprs, args), **eqn.params)]
        if all(map(_is_number, args)):
            return _computed(eqn, args)
        raise CannotTrace(f"the primitive {name} at {self.lines[-1]} has no expression")

    def call(self, info: Any, body: Any, args: list[Any]) -> list[Any]:
        """The body of a function; JAX caches the bodies of its own, with the line of whoever called them first."""
        import jax

        if not (info.func_filename or "").startswith(os.path.dirname(jax.__file__)):
            return self.closed(body, args)
        if known := KNOWN.get(info.func_name):
            return [entrywise(known, *map(_exprs, args))]
        return _Reader(self.dtypes, [self.lines[-1]], fixed=True).closed(body, args)

    def lifted(self, constant: Any, aval: Any) -> Any:
        """A constant of the jaxpr; a random key stays what it is."""
        return self.settled(np.asarray(constant, aval.dtype) if isinstance(aval.dtype, np.dtype) else constant, aval)

    def settled(self, x: Any, aval: Any) -> Any:
        """A result in the form its type asks for: floats are expressions, integers without symbols are plain."""
        if not isinstance(aval.dtype, np.dtype):
            return x
        if _is_floating(aval):
            return x if _is_symbolic(x) else entrywise(lambda v: self.number(float(v), aval.dtype), _objects(x))
        if _is_symbolic(x):
            plain = all(isinstance(e, (BooleanAtom, Integer)) for e in x.flat)
            return _plain(x, aval.dtype) if plain else x
        return np.asarray(x).astype(aval.dtype)

    def number(self, value: float, dtype: Any) -> Expr:
        """An exact number for a constant; in float64, one that was rounded to float32 before is recognised."""
        found = simple(value, int(_finfo(dtype).precision), dtype.type)
        if found is None and dtype == np.float64 and (found := _single(value)) is not None:
            self.dtypes.append("float32")
        return Rational(repr(value)) if found is None else found

    def cond(self, branches: Sequence[Any], index: Any, *args: Any) -> list[Any]:
        """Both branches, and the one taken entry by entry."""
        if not _is_symbolic(index):
            return self.closed(branches[int(np.clip(index, 0, len(branches) - 1))], args)
        outs = [[_exprs(x) for x in self.closed(b, args)] for b in branches]
        return [entrywise(ENTRYWISE["select_n"], index, *cases) for cases in zip(*outs, strict=True)]

    def scan(self, args: list[Any], *, jaxpr: Any, length: int, num_consts: int, num_carry: int, **more: Any) -> Any:
        """The loop, unrolled."""
        consts, carry, rows = args[:num_consts], args[num_consts:][:num_carry], args[num_consts + num_carry :]
        steps: list[list[Any]] = []
        for i in reversed(range(length)) if more["reverse"] else range(length):
            out = self.closed(jaxpr, [*consts, *carry, *(r[i, ...] for r in rows)])
            carry = out[:num_carry]
            steps.append(out[num_carry:])
        if more["reverse"]:
            steps.reverse()
        return [*carry, *(np.stack(_same_kind(column)) for column in zip(*steps, strict=True))]

    def cast(self, eqn: Any, x: Any) -> Any:
        """Between floating types the identity; a truth value is 0 or 1; a traced number is not truncated."""
        source, target = eqn.invars[0].aval, eqn.outvars[0].aval
        if not _is_symbolic(x):
            return x.astype(target.dtype)
        if target.dtype == bool:
            return x if source.dtype == bool else entrywise(lambda e: ENTRYWISE["ne"](e, S.Zero), x)
        if _is_floating(source) and not _is_floating(target):
            if not _is_number(x):
                raise CannotTrace(f"the cast at {self.lines[-1]} rounds a traced number to {target.dtype}")
            return entrywise(lambda e: Integer(int(e)), x)
        if _is_number(x) and _is_floating(source) and not _is_exact(x, source.dtype):
            self.dtypes.append(str(source.dtype))  # a constant that was rounded before it was widened
        return entrywise(lambda e: number_of(e) if isinstance(e, TRUTH) else e, x)


def _finfo(dtype: Any) -> Any:
    from jax import numpy

    finfo: Any = numpy.finfo
    return finfo(dtype)


# --- values -----------------------------------------------------------------------------------------------------------
def _is_floating(aval: Any) -> bool:
    from jax import numpy as jnp

    return bool(jnp.issubdtype(aval.dtype, np.floating))


def _is_symbolic(x: Any) -> bool:
    return bool(x.dtype == object)


def _is_number(x: Any) -> bool:
    return not _is_symbolic(x) or all(map(is_constant, x.flat))


def _is_rounded(x: Any, aval: Any) -> bool:
    return _is_floating(aval) and not _is_number(x)


def _is_exact(x: Array, dtype: Any) -> bool:
    return all(not e.is_Rational or Rational(float(np.asarray(float(e), dtype))) == e for e in x.flat)


def _objects(x: Any) -> Array:
    return np.asarray(x).astype(object)


def _single(value: float) -> Expr | None:
    with np.errstate(over="ignore", under="ignore"):
        return simple(value, 6, np.float32) if float(np.float32(value)) == value else None


def _plain(x: Array, dtype: Any) -> Array:
    """Constant entries as numbers of this type."""
    return (
        np.array([bool(e) if isinstance(e, BooleanAtom) else float(e) for e in x.flat]).reshape(x.shape).astype(dtype)
    )


def _exprs(x: Any) -> Array:
    """Any value as an array of expressions."""
    if _is_symbolic(x):
        return x
    lift = (lambda b: true if b else false) if x.dtype == bool else lambda i: Integer(int(i))
    return entrywise(lift, _objects(x))


def _same_kind(arrays: Sequence[Any]) -> list[Any]:
    return [_exprs(a) for a in arrays] if any(map(_is_symbolic, arrays)) else list(arrays)


def _alike(args: list[Any], eqn: Any) -> list[Any]:
    """Operands of one kind, but for the indices of ``dynamic_slice``."""
    return args if eqn.primitive.name == "dynamic_slice" else _same_kind(args)


def _listed(x: Any) -> list[Any]:
    return x if isinstance(x, list) else [x]


# --- equations --------------------------------------------------------------------------------------------------------
def _line(eqn: Any) -> str:
    from jax.extend import source_info_util

    return str(source_info_util.summarize(eqn.source_info))


def _without_dtype(eqn: Any) -> dict[str, Any]:
    """The parameters that change the value."""
    return {k: v for k, v in eqn.params.items() if k not in ("accuracy", "out_dtype", "which_one")}


def _computed(eqn: Any, args: list[Any]) -> list[Any]:
    """What JAX makes of numbers."""
    numbers = [_plain(a, v.aval.dtype) if _is_symbolic(a) else a for a, v in zip(args, eqn.invars, strict=True)]
    out = eqn.primitive.bind(*numbers, **eqn.params)
    return list(out) if eqn.primitive.multiple_results else [out]


def _moved(eqn: Any, args: list[Any], data: tuple[int, ...]) -> Array:
    """Where JAX puts each entry, asked by moving the entries' numbers; -1 is what it fills in for a missing one."""
    entries, operands = [S.NaN], list(args)
    for i in data:
        flat = _exprs(args[i])
        operands[i] = np.arange(len(entries), len(entries) + flat.size, dtype=np.int32).reshape(flat.shape)
        entries.extend(flat.flat)
    params = {**eqn.params, "fill_value": 0} if "fill_value" in eqn.params else eqn.params
    table = np.empty(len(entries), dtype=object)
    table[:] = entries
    return boxed(table[np.asarray(eqn.primitive.bind(*operands, **params))])


def _added(eqn: Any, x: Any, where: Any, updates: Any) -> Array:
    """The entries with updates added, each where JAX adds a one in its place."""
    out, terms, dtype = _exprs(x).copy(), _exprs(updates), eqn.invars[0].aval.dtype
    for i in np.ndindex(terms.shape):
        one = np.zeros(terms.shape, dtype)
        one[i] = 1
        hit = np.asarray(eqn.primitive.bind(np.zeros(out.shape, dtype), where, one, **eqn.params)) != 0
        out[hit] = entrywise(ENTRYWISE["add"], out[hit], terms[i])
    return out
