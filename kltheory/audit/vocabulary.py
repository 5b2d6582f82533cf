"""Log-probabilities over a whole vocabulary: told from those of sampled tokens by what the function does with them.

A sum over all actions weighs each with a probability: π·g(π/π_ref). What is sampled is weighed by having been sampled,
so no estimate multiplies by the probability itself. Where the last axis is summed as well, it is the vocabulary.
"""

from dataclasses import replace
from typing import Final

from sympy import S, exp

from kltheory.audit.recovered import Reading, Recovered
from kltheory.audit.roles import WIDE, Role
from kltheory.audit.subject import Subject
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.symbols import erase_sg, logp

BESIDE: Final = {Role.MASK, Role.ADVANTAGE}

READ_SO: Final = "each term is a probability times a function of π/π_ref: the last axis is read as the vocabulary"


def over_vocabulary(found: Recovered) -> Subject | None:
    """The same function with its last axis read as the vocabulary; ``None`` where its terms do not look so."""
    roles = found.subject.roles
    if found.reading is Reading.VOCABULARY or found.surrogate is None or not {Role.LOGP, Role.LOGP_REF} <= roles:
        return None
    if roles - BESIDE - set(WIDE):
        return None
    value = erase_sg(found.penalty.expr)
    per_probability = value * exp(-logp)
    try:
        if is_zero(value) or not is_zero(per_probability - per_probability.xreplace({logp: S.Zero})):
            return None
    except Undecidable:
        return None
    return replace(found.subject, paths={p: WIDE.get(r, r) for p, r in found.subject.paths.items()})
