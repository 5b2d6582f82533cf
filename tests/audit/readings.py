"""Readings of the same function by the other way."""

from dataclasses import fields

from kltheory.audit.measured import Measured
from kltheory.audit.reading import Reading


def forgotten(found: Reading) -> Measured:
    """What is left where the formula is taken away."""
    common = {f.name: getattr(found, f.name) for f in fields(Reading)}
    return Measured(**{**common, "reason": "taken away"})
