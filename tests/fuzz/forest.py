"""Every response of a small tree, one by one: gradients and values of formulas of responses, by their definitions."""

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import mpmath
from fuzz.cells import Unclear
from fuzz.complaint import KINK
from fuzz.dual import ZERO, Dual, exp, number, power, total
from fuzz.evaluate import Compiled, Context, compiled
from fuzz.settings import log_probabilities, moving, named
from fuzz.trees import Prefix, Tree


@dataclass
class Forest:
    """A tree, its policy moving along one direction, and who sampled."""

    tree: Tree
    on_policy: bool
    along: int = 0
    _tokens: dict[Prefix, Mapping[str, Dual]] = field(default_factory=dict)
    _ahead: dict[tuple[Any, Prefix], Dual] = field(default_factory=dict)

    def token(self, y: Prefix) -> Mapping[str, Dual]:
        """The names of the last token of a prefix."""
        if y not in self._tokens:
            t, past = self.tree, y[:-1]
            p = moving(t.policy[past], t.directions[self.along][past])
            ref, old = (log_probabilities(rows[past]) for rows in (t.reference, t.old))
            for a in range(t.size):
                sampler = p[a].held() if self.on_policy else Dual(old[a])
                more = {"b": number(repr(t.baseline[past])), "gamma": number("0.75")}
                self._tokens[*past, a] = named(p[a], Dual(ref[a]), sampler, Dual(ZERO), more)
        return self._tokens[y]

    def of_response(self, f: Compiled, y: Prefix) -> Dual:
        """A formula of a response."""
        c = self._at(y, None)
        return self._clear(f(c), c)

    def _clear(self, found: Dual, c: Context) -> Dual:
        if c.gap < KINK:
            raise Unclear
        return found

    def _at(self, y: Prefix, t: int | None) -> Context:
        """The response y, looked at from its token t, or as a whole."""

        def over(f: Compiled, positions: range) -> Dual:
            return total(self._of_token(f, y, u) for u in positions)

        def future(_: Context, f: Compiled, discount: Compiled | None = None) -> Dual:
            assert t is not None
            if discount is None:
                return over(f, range(t + 1, len(y)))
            g = discount(_)
            steps = range(t + 1, len(y))
            return total(power(g, number(u - t)) * self._of_token(f, y, u) for u in steps)

        def average(_: Context, f: Compiled) -> Dual:
            assert t is not None
            past = y[:t]
            others = [(*past, a) for a in range(self.tree.size)]
            return total(exp(self.token(z)["logp"]) * self._of_token(f, z, t) for z in others)

        functions = {
            "total": lambda _, f: over(f, range(len(y))),
            "past": lambda _, f: over(f, range(t or 0)),
            "future": future,
            "ahead": lambda _, f: self._expected(f, y[: (t or 0) + 1]),
            "E": average,
        }
        length = {"N": number(len(y)), "gamma": number("0.75"), "beta": number("0.375")}
        names = length if t is None else ChainMap(length, self.token(y[: t + 1]))
        return Context(names, functions)

    def _of_token(self, f: Compiled, y: Prefix, t: int) -> Dual:
        c = self._at(y, t)
        return self._clear(f(c), c)

    def _expected(self, f: Compiled, y: Prefix) -> Dual:
        """E_π[Σ_{u>t} f_u | y_≤t], for a formula of the token and its past alone."""
        key = (f, y)
        if key not in self._ahead:
            found = Dual(ZERO)
            if not self.tree.is_over(y):
                for a in range(self.tree.size):
                    z = (*y, a)
                    value = self._of_token(f, z, len(y)) + self._expected(f, z)
                    found = found + exp(self.token(z)["logp"]) * value
            self._ahead[key] = found
        return self._ahead[key]

    def log_probability(self, y: Prefix, name: str) -> Dual:
        """log of the probability of a response."""
        return total(self.token(y[: t + 1])[name] for t in range(len(y)))

    # --- what claims speak of -----------------------------------------------------------------------------------------
    def gradient(self, text: str, objective: bool = False) -> Any:
        """The derivative of the expected loss, samples held; of an objective E_π[f], through the sampling as well."""
        f = compiled(text)
        found = ZERO
        for y in self.tree.responses:
            value = self.of_response(f, y)
            old = mpmath.exp(self.log_probability(y, "logp_old").v)
            if objective:
                p = exp(self.log_probability(y, "logp"))
                found += p.d * value.v + p.v * value.d
            else:
                found += old * value.d
        return found

    def value(self, text: str) -> Any:
        """E_π[f]."""
        f = compiled(text)
        parts = (mpmath.exp(self.log_probability(y, "logp").v) * self.of_response(f, y).v for y in self.tree.responses)
        return mpmath.fsum(parts)
