"""A finding: one thing that is said of a function, or of a run, under the code that documents it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kltheory.audit.codes import Kind, Level


@dataclass(frozen=True)
class Finding:
    """One thing that is said.

    Attributes:
        code: what kind of thing; it settles the level.
        text: what was seen, for people.
        data: the same for programs.
    """

    code: Kind
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def level(self) -> Level:
        """How serious it is."""
        return self.code.level

    @property
    def name(self) -> str:
        """The short name of its code, ``no_gradient``."""
        return self.code.label

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        head = {"code": self.code.number, "name": self.name, "level": self.level.name.lower(), "text": self.text}
        return {**head, "data": dict(self.data)}
