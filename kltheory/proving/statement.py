"""What a theorem may return: claims, or a false claim with its correction; anything else is refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from kltheory.calculus.exact import Undecidable
from kltheory.proving.claims import Claim


@dataclass(frozen=True)
class Refuted:
    """A statement that is made and is false, with the statement that is true instead."""

    claim: Claim
    corrected: Claim


Statement: TypeAlias = Claim | Refuted | Sequence[Claim]


class StatementError(TypeError):
    """What a theorem returns is no statement; the message says where, what it is, and what to write."""


def checked(built: object, who: str) -> Refuted | tuple[Claim, ...]:
    """The statement, several claims as a tuple.

    Raises:
        StatementError: it is none; ``who`` says whose it is.
    """
    match built:
        case Refuted():
            parts: tuple[Any, ...] = (built.claim, built.corrected)
        case list() | tuple():
            parts = tuple(built)
        case _:
            parts = (built,)
    wrong = [part for part in parts if not _is_claim(part)]
    if parts and not wrong:
        return built if isinstance(built, Refuted) else parts
    within = f" in a {type(built).__name__}" if wrong and wrong[0] is not built else ""
    raise StatementError(
        f"{who} returns {(wrong or [built])[0]!r}{within}; "
        "return a claim, a list of one claim or more, or Refuted(claim, corrected=claim)"
    )


def _is_claim(value: object) -> bool:
    return not isinstance(value, type) and hasattr(value, "decide") and hasattr(value, "left")


def written(claim: Claim) -> str:
    """The claim as a formula, or, where its coefficients are not known, what kind it is and why there is none."""
    try:
        return str(claim)
    except Undecidable as e:
        return f"{type(claim).__name__} of {claim.left} (no formula: {e})"
