"""The path of policies ∝ π_ref^(1-t) π^t, from the reference (t = 0) through the policy (t = 1)."""

from dataclasses import dataclass

import numpy as np
from flint import arb

from kltheory.calculus.symbols import log_ratio, log_weight, logp
from kltheory.numerics.enclosed import Columns, Setting, each


@dataclass(frozen=True)
class Path:
    """A setting of a row for each t: the policy moves, the reference and the old policy stay where they are."""

    setting: Setting
    t: tuple[float, ...]

    @property
    def count(self) -> int:
        """N, the values of t."""
        return len(self.t)

    @property
    def size(self) -> int:
        """V."""
        return self.setting.size

    def columns(self) -> Columns:
        """log π_t/π_ref = t l - log Σ π_ref e^(t l): exactly 0 where all l are."""
        one = self.setting.columns()
        l = one.at[log_ratio]
        reference, old = one.at[logp] - l, one.at[logp] - one.at[log_weight]
        tilted = np.array([[arb(t)] for t in self.t], dtype=object) * l
        total = (each(arb.exp)(reference) * each(arb.expm1)(tilted)).sum(axis=-1, keepdims=True)
        moved = tilted - each(arb.log1p)(total)
        policy = reference + moved
        return Columns({logp: policy, log_ratio: moved, log_weight: policy - old}, each(arb.exp)(policy))

    def exactly(self) -> None:
        """Powers of probabilities: not looked at by the zero test."""
