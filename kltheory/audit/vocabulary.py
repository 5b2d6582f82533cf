"""Log-probabilities over a whole vocabulary: told from those of sampled tokens by what the function does with them.

A sum over all actions weighs each with a probability: π·g(π/π_ref). What is sampled is weighed by having been sampled,
so no estimate multiplies by the probability itself. Where the last axis is summed as well, it is the vocabulary.
"""

from dataclasses import replace
from typing import Final

from sympy import Expr, S, exp

from kltheory.audit.roles import WIDE, Role
from kltheory.audit.subject import Subject
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.symbols import logp

BESIDE: Final = {Role.MASK, Role.ADVANTAGE}

READ_SO: Final = "each term is a probability times a function of π/π_ref: the last axis is read as the vocabulary"


def read_over_vocabulary(subject: Subject, value: Expr) -> Subject | None:
    """The same function with its last axis read as the vocabulary; ``None`` where its terms do not look so.

    ``value`` is what one entry evaluates to.
    """
    if not {Role.LOGP, Role.LOGP_REF} <= subject.roles or subject.roles - BESIDE - set(WIDE):
        return None
    per_probability = value * exp(-logp)
    try:
        if is_zero(value) or not is_zero(per_probability - per_probability.xreplace({logp: S.Zero})):
            return None
    except Undecidable:
        return None
    return replace(subject, paths={p: WIDE.get(r, r) for p, r in subject.paths.items()})
