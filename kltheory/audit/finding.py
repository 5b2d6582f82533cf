"""A finding: what a probe of the running function saw."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """What a probe saw.

    Attributes:
        probe: its name.
        text: for people.
        alarm: whether it is one.
        data: for programs.
    """

    probe: str
    text: str
    alarm: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"probe": self.probe, "text": self.text, "alarm": bool(self.alarm), **self.data}
