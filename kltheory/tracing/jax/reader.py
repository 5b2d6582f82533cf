"""The reader of jaxprs: their equations, one after the other, on expressions in place of numbers."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from sympy import Expr, Integer, S
from sympy.logic.boolalg import BooleanAtom

from kltheory.calculus.symbols import erase_sg
from kltheory.tracing.conditions import COMPARISONS
from kltheory.tracing.entries import number
from kltheory.tracing.jax.concrete import computed
from kltheory.tracing.jax.entries import ENTRYWISE, INTEGERS, log_add_exp
from kltheory.tracing.jax.moves import ASKED, MOVES, asked
from kltheory.tracing.jax.numbers import exact, finfo, is_exact
from kltheory.tracing.jax.reductions import REDUCTIONS
from kltheory.tracing.jax.values import (
    Rule,
    entrywise,
    exprs,
    is_constant,
    is_floating,
    is_number,
    is_symbolic,
    plain,
    same_kind,
)
from kltheory.tracing.trace import CannotTrace

BODIES: Final = {
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "jit": "jaxpr",
    "remat2": "jaxpr",
}
"""Primitives that call a function, and the parameter that holds it."""

SHORTER: Final[Mapping[str, Rule]] = {"logaddexp": log_add_exp}
"""JAX's own functions that have a shorter formula than the stable one they compute."""

MAX_UNROLLED: Final = 1024
"""Most steps of a loop."""


@dataclass(frozen=True)
class Reader:
    """Evaluates jaxprs.

    Attributes:
        dtypes: the floating types met so far that traced numbers, or the constants they meet, were rounded to.
        line: where the equation being read stands.
        fixed: whether that is where it stays, inside a function of JAX's.
    """

    dtypes: set[str]
    line: str = "an unknown line"
    fixed: bool = False

    def narrowest(self) -> str:
        """The type with the fewest bits."""
        return min(sorted(self.dtypes), key=lambda d: int(finfo(d).nmant))

    def closed(self, closed: Any, args: Sequence[Any]) -> list[Any]:
        """The outputs of a closed jaxpr, or of an open one that has no constants."""
        if not hasattr(closed, "consts"):
            return self._outputs(closed, [], args)
        consts = [self._lifted(c, v.aval) for c, v in zip(closed.consts, closed.jaxpr.constvars, strict=True)]
        return self._outputs(closed.jaxpr, consts, args)

    def number(self, value: float, dtype: Any) -> Expr:
        """An exact number for a constant."""
        found, rounded = exact(value, dtype)
        self.dtypes.update({rounded} if rounded else ())
        return found

    def _outputs(self, jaxpr: Any, consts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
        known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True))

        def value(atom: Any) -> Any:
            return self._lifted(atom.val, atom.aval) if hasattr(atom, "val") else known[atom]

        for eqn in jaxpr.eqns:
            if eqn.outvars:  # without any it is a side effect, such as printing
                known.update(zip(eqn.outvars, self._equation(eqn, [value(v) for v in eqn.invars]), strict=True))
        return [value(v) for v in jaxpr.outvars]

    def _equation(self, eqn: Any, args: list[Any]) -> list[Any]:
        name = eqn.primitive.name
        here = self if self.fixed else replace(self, line=_line(eqn) or self.line)
        try:
            results = here._results(name, eqn, args)
            outs = [here._settled(x, v.aval) for x, v in zip(results, eqn.outvars, strict=True)]
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise CannotTrace(f"the primitive {name} at {here.line}: {error}") from error
        floating = [v.aval for x, v in zip(outs, eqn.outvars, strict=True) if is_floating(v.aval) and not is_number(x)]
        self.dtypes.update(str(aval.dtype) for aval in floating)
        return outs

    def _results(self, name: str, eqn: Any, args: list[Any]) -> list[Any]:
        """What the primitive gives, by the first of the tables that applies."""
        if name in BODIES:
            return self._call(eqn.params[BODIES[name]], args)
        if name == "cond":
            return self._cond(eqn.params["branches"], *args)
        if name == "scan":
            return self._scan(args, **eqn.params)
        if name == "convert_element_type":
            return [self._cast(eqn, args[0])]
        if name in MOVES:
            out = MOVES[name](*same_kind(args), **eqn.params)
            return out if isinstance(out, list) else [out]
        if not any(map(is_symbolic, args)):
            return computed(eqn, args)
        if name in ASKED and not any(is_symbolic(a) for i, a in enumerate(args) if i not in ASKED[name]):
            return [asked(eqn, args)]
        if name in ENTRYWISE and (name in INTEGERS or not _is_integral(eqn.outvars[0].aval)):
            if name in COMPARISONS and len(self.dtypes) > 1 and eqn.invars[0] is not eqn.invars[1]:
                _refuse_ties(*map(exprs, args))
            exponent = [eqn.params["y"]] if name == "integer_pow" else []
            return [entrywise(ENTRYWISE[name], *map(exprs, args), *exponent)]
        if name in REDUCTIONS:
            return [REDUCTIONS[name](*map(exprs, args), **eqn.params)]
        if all(map(is_number, args)):
            numbers = zip(args, eqn.invars, strict=True)
            return computed(eqn, [plain(a, v.aval.dtype) if is_symbolic(a) else a for a, v in numbers])
        raise NotImplementedError("it has no expression")

    def _call(self, body: Any, args: list[Any]) -> list[Any]:
        """The body of a function; JAX caches the bodies of its own, with the line of whoever called them first."""
        import jax

        info = getattr(body, "jaxpr", body).debug_info
        if not (info.func_filename or "").startswith(os.path.dirname(jax.__file__)):
            return self.closed(body, args)
        if shorter := SHORTER.get(info.func_name):
            return [entrywise(shorter, *map(exprs, args))]
        return replace(self, fixed=True).closed(body, args)

    def _cond(self, branches: Sequence[Any], index: Any, *args: Any) -> list[Any]:
        """Both branches, and the one taken entry by entry."""
        if not is_symbolic(index):
            return self.closed(branches[int(np.clip(index, 0, len(branches) - 1))], args)
        outs = [[exprs(x) for x in self.closed(b, args)] for b in branches]
        return [entrywise(ENTRYWISE["select_n"], index, *cases) for cases in zip(*outs, strict=True)]

    def _scan(self, args: list[Any], *, jaxpr: Any, length: int, num_consts: int, num_carry: int, **more: Any) -> Any:
        """The loop, unrolled."""
        if length > MAX_UNROLLED:
            raise NotImplementedError(f"{length} steps are more than the {MAX_UNROLLED} that are unrolled")
        consts, carry, rows = args[:num_consts], args[num_consts:][:num_carry], args[num_consts + num_carry :]
        steps: list[list[Any]] = []
        for i in reversed(range(length)) if more["reverse"] else range(length):
            out = self.closed(jaxpr, [*consts, *carry, *(r[i, ...] for r in rows)])
            carry = out[:num_carry]
            steps.append(out[num_carry:])
        if more["reverse"]:
            steps.reverse()
        return [*carry, *(np.stack(same_kind(column)) for column in zip(*steps, strict=True))]

    def _cast(self, eqn: Any, x: Any) -> Any:
        """Between floating types the identity; a truth value is 0 or 1; a traced number is not truncated."""
        source, target = eqn.invars[0].aval, eqn.outvars[0].aval
        if not is_symbolic(x):
            return x.astype(target.dtype)
        if target.dtype == bool:
            return x if source.dtype == bool else entrywise(lambda e: ENTRYWISE["ne"](e, S.Zero), x)
        if is_floating(source) and not is_floating(target):
            if not is_number(x):
                raise NotImplementedError(f"it rounds a traced number to {target.dtype}")
            return entrywise(lambda e: Integer(int(e)), x)
        if is_number(x) and is_floating(source) and not is_exact(x, source.dtype):
            self.dtypes.add(str(source.dtype))  # a constant that was rounded before it was widened
        return entrywise(number, x)

    def _lifted(self, constant: Any, aval: Any) -> Any:
        """A constant of the jaxpr; a random key stays what it is."""
        return self._settled(np.asarray(constant, aval.dtype) if isinstance(aval.dtype, np.dtype) else constant, aval)

    def _settled(self, x: Any, aval: Any) -> Any:
        """A result in the form its type asks for: floats are expressions, integers without symbols are plain."""
        if not isinstance(aval.dtype, np.dtype):
            return x
        if is_floating(aval):
            return x if is_symbolic(x) else entrywise(lambda v: self.number(float(v), aval.dtype), np.asarray(x))
        if is_symbolic(x):
            return plain(x, aval.dtype) if all(isinstance(e, (BooleanAtom, Integer)) for e in x.flat) else x
        return np.asarray(x).astype(aval.dtype)


def _line(eqn: Any) -> str:
    from jax.extend import source_info_util

    return str(source_info_util.summarize(eqn.source_info))


def _is_integral(aval: Any) -> bool:
    return not is_floating(aval) and aval.dtype != bool


def _refuse_ties(a: Any, b: Any) -> None:
    """Two sides with the same expression are not equal where one of them was rounded."""
    for x, y in zip(*(x.flat for x in np.broadcast_arrays(a, b)), strict=True):
        if not is_constant(x) and erase_sg(x) == erase_sg(y):
            raise NotImplementedError("it compares numbers that differ by rounding only")
