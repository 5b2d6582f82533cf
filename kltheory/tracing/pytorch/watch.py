"""The watch over one trace: whether operations are recorded just now, and why the trace was refused, if it was."""

import contextlib
import copy
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from linecache import getline
from pathlib import Path

import numpy as np

from kltheory.tracing.entries import NoExpression
from kltheory.tracing.pytorch.tensors import torch_module
from kltheory.tracing.trace import CannotTrace


@dataclass
class Watch:
    """What those who see operations and those who see calls have in common."""

    refused: CannotTrace | None = None
    taken: str | None = None  # where the first number was taken out of a tensor
    silent: bool = False

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Nothing is recorded: numbers are looked at, by us or to print them."""
        before, self.silent = self.silent, True
        try:
            yield
        finally:
            self.silent = before

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """What has no expression in here refuses the trace."""
        try:
            yield
        except NoExpression as e:
            raise self.refusal(str(e)) from None

    def refusal(self, reason: str) -> CannotTrace:
        """The error to raise at once; it is raised at the end if the function catches it."""
        error = CannotTrace(f"{reason} ({site()})")
        self.refused = self.refused or error
        return error

    def blame(self, error: Exception) -> None:
        """Raises CannotTrace if that is why the function failed: it met a Number where it wanted a float."""
        if self.refused and error is not self.refused:
            raise self.refused from error
        if self.taken and isinstance(error, (TypeError, ValueError)) and "Number" in str(error):
            raise CannotTrace(f"a number that depends on the inputs is taken out of a tensor ({self.taken})") from error


@lru_cache(maxsize=1)
def _not_the_users() -> tuple[str, ...]:
    tracing, torch, numpy = Path(__file__).parents[1], Path(torch_module().__file__).parent, Path(np.__file__).parent
    return (*(str(folder) + os.sep for folder in (tracing, torch, numpy)), contextlib.__file__, copy.__file__)


def site() -> str:
    """Where the user's code stands: file, line and text."""
    frame = sys._getframe()
    while frame.f_back and frame.f_code.co_filename.startswith(_not_the_users()):
        frame = frame.f_back
    path, line = frame.f_code.co_filename, frame.f_lineno
    text = getline(path, line).strip()
    return f"{path}:{line}, in {frame.f_code.co_name}" + f": {text}" * bool(text)
