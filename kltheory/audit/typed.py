"""A typed formula as a function: it is its own trace, and its derivative is SymPy's."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sympy import Expr, Symbol

from kltheory.audit.confirm import differentiate
from kltheory.calculus.symbols import advantage, erase_sg, logp, logp_old, logp_ref, to_log_probs
from kltheory.numerics.bridge import NUMPY
from kltheory.tracing.trace import Floats, Input, Trace

ARGUMENTS: Mapping[Symbol, str] = {s: s.name for s in (logp, logp_ref, logp_old)} | {advantage: "advantage"}
"""What stands for what, by the names of the roles."""


class FormulaTracer:
    """Traces, and runs, a formula of one token on arrays of any shape, entry by entry.

    Attributes:
        expr: the formula, in log-probabilities and the advantage.
    """

    def __init__(self, expr: Expr) -> None:
        self.expr = to_log_probs(expr)

    @property
    def arguments(self) -> list[str]:
        """The names of the arrays it takes; the policy's always."""
        return [name for s, name in ARGUMENTS.items() if s in self.expr.free_symbols or s == logp]

    def trace(self, fn: Callable[..., Any], inputs: Mapping[str, Input], config: Mapping[str, Any]) -> Trace:
        """The formula in the symbols of each entry."""
        names = self.arguments
        symbols = {name: s for s, name in ARGUMENTS.items()}

        def entry(*exprs: Expr) -> Expr:
            return self.expr.xreplace({symbols[n]: e for n, e in zip(names, exprs, strict=True)})

        exprs = np.frompyfunc(entry, len(names), 1)(*(inputs[n].exprs for n in names))
        value, _ = self.gradient(fn, {n: i.values for n, i in inputs.items()}, config, "float64")
        return Trace(np.asarray(exprs, dtype=object), value, "float64")

    def gradient(
        self, fn: Callable[..., Any], arrays: Mapping[str, Floats], config: Mapping[str, Any], dtype: str
    ) -> tuple[Floats, dict[str, Floats]]:
        """Its value, and its derivative by each array, in float64 whatever the type asked for."""
        given = {**{k: v for k, v in config.items() if k in self.arguments}, **arrays}
        at = {s: np.asarray(given[n], dtype=np.float64) for s, n in ARGUMENTS.items() if n in self.arguments}
        shape = at[logp].shape

        def number(e: Expr) -> Floats:
            with np.errstate(all="ignore"):
                return np.array(np.broadcast_to(np.asarray(NUMPY(e, at), dtype=np.float64), shape))

        slopes = {name: number(differentiate(self.expr, s)) for s, name in ARGUMENTS.items() if name in arrays}
        return number(erase_sg(self.expr)), slopes
