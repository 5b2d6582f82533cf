"""Formulas with means and values at actions, on one setting: every number by summing over the vocabulary."""

from dataclasses import dataclass, replace
from typing import Any

import mpmath
from fuzz.cells import Unclear
from fuzz.complaint import KINK
from fuzz.dual import ONE, Dual, exp, number, total
from fuzz.evaluate import Compiled, Context, compiled
from fuzz.settings import Setting, log_probabilities, moving, named


@dataclass
class Vocabulary:
    """One setting, the policy's logits moving along its direction; on-policy the old policy is the policy, held."""

    setting: Setting
    on_policy: bool = False

    def __post_init__(self) -> None:
        s = self.setting
        self.policy = moving(s.policy, s.direction)
        self.reference = [Dual(x) for x in log_probabilities(s.reference)]
        self.old = [p.held() for p in self.policy] if self.on_policy else [Dual(x) for x in log_probabilities(s.old)]
        self.contexts = [self._context(a, self.policy[a]) for a in s.actions]

    def _context(self, a: int, p: Dual) -> Context:
        s = self.setting
        names = named(p, self.reference[a], self.old[a], number(repr(s.advantage[a])), {"inside": number(s.inside[a])})
        return Context(names, {"E": lambda _, f: self.mean(f), "At": lambda _, f, j: f(self.contexts[int(j(_).v)])})

    def at(self, f: Compiled, a: int) -> Dual:
        """A formula at an action. Raises Unclear too close to a kink."""
        c = self.contexts[a]
        found = f(c)
        if c.gap < KINK:
            raise Unclear
        return found

    def mean(self, f: Compiled) -> Dual:
        """E_π[f], moving with the policy."""
        return total(exp(self.policy[a]) * self.at(f, a) for a in self.setting.actions)

    def sum(self, text: str) -> Dual:
        """Σ_a F."""
        return total(self.at(compiled(text), a) for a in self.setting.actions)

    def moment(self, text: str) -> Any:
        """A formula that is a number of the setting."""
        return self.at(compiled(text), 0).v

    def gradient(self, text: str) -> Any:
        """E_old[∇s] along the direction: samples are held."""
        return total(exp(self.old[a].held()).held() * self.at(compiled(text), a) for a in self.setting.actions).d

    def score(self, text: str, a: int) -> Any:
        """∂s/∂logp at one action; what is not of the action is held."""
        still = [p.held() for p in self.policy]
        moved = Vocabulary.__new__(Vocabulary)
        moved.setting, moved.on_policy = self.setting, self.on_policy
        moved.policy, moved.reference, moved.old = still, self.reference, self.old
        moved.contexts = [moved._context(b, p) for b, p in enumerate(still)]
        alive = moved._context(a, Dual(still[a].v, ONE))
        found = compiled(text)(alive)
        if min(alive.gap, *(c.gap for c in moved.contexts)) < KINK:
            raise Unclear
        return found.d


def length_of_gradient(setting: Setting, text: str, on_policy: bool) -> Any:
    """‖E_old[∇s]‖ in logits."""
    size = len(setting.policy)
    units = [tuple(1.0 if i == j else 0.0 for i in range(size)) for j in range(size)]
    parts = [Vocabulary(replace(setting, direction=unit), on_policy).gradient(text) for unit in units]
    return mpmath.sqrt(mpmath.fsum(x * x for x in parts))
