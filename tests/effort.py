"""How much work something is: Python calls, which no slow machine makes more."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")


class TooMuch(BaseException):
    """More calls than allowed. No ``except Exception`` hides it."""


def within(calls: int, work: Callable[[], T]) -> T:
    """What the work gives, in at most so many calls. Raises TooMuch at the first one that is too many."""
    made = 0

    def count(frame: FrameType, event: str, _: Any) -> None:
        nonlocal made
        made += event == "call"
        if made > calls:
            sys.setprofile(None)
            raise TooMuch(f"more than {calls} calls")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        return work()
    finally:
        sys.setprofile(before)
