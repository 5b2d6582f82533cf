"""How a process, or a piece of work in it, ends: with its parent, and in words."""

import signal
import sys


def end_with_parent() -> None:
    """Be killed, on Linux, when the process that started this one has ended, whatever ended it."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


PR_SET_PDEATHSIG = 1
"""Of prctl(2)."""


def ended(code: int) -> str:
    """By the exit status of a process, or minus the signal that killed it."""
    if code >= 0:
        return f"it ended the process (exit status {code})"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"it was killed by {name}" + (", perhaps for want of memory" if name == "SIGKILL" else "")


def reason_of(error: BaseException) -> str:
    """The kind of an exception and what it says, on one line, whatever its ``__str__`` does."""
    try:
        text = " ".join(str(error).split())
    except Exception as e:
        text = f"(its text raises {type(e).__name__})"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
