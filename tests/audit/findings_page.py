"""The page of codes, read: what it says of each, and its functions."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kltheory.audit.codes import Code

ROOT = Path(__file__).parents[2]
PAGE = ROOT.joinpath("docs/findings.md").read_text(encoding="utf-8")
PRELUDE = "import jax.numpy as jnp, numpy as np\nfrom jax.lax import stop_gradient\nfrom jax.nn import log_softmax\n"


@dataclass(frozen=True)
class Section:
    """What the page says of one code."""

    number: str
    label: str
    level: str
    text: str

    @property
    def source(self) -> str:
        (block,) = re.findall(r"```python\n(.*?)```", self.text, flags=re.DOTALL)
        return block


def sections(page: str) -> list[Section]:
    _, *parts = re.split(r"^### ", page, flags=re.MULTILINE)
    titles = (re.fullmatch(r"(KL\d{3}) (\w+) \((\w+)\)", part.partition("\n")[0]) for part in parts)
    return [Section(*title.groups(), part) for title, part in zip(titles, parts, strict=True) if title]


def functions(code: Code) -> list[Any]:
    """The functions of one section: that of which it is said, and its twin."""
    (section,) = (s for s in sections(PAGE) if s.number == code.number)
    space: dict[str, Any] = {}
    exec(PRELUDE, space)  # noqa: S102 (our own text)
    known = set(space)
    exec(compile(section.source, f"docs/findings.md {code.number}", "exec"), space)  # noqa: S102
    return [x for name, x in space.items() if name not in known]
