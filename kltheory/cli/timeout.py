"""A limit on the time that somebody else's function may take."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

GRACE: Final = 5.0
"""Seconds after which a function that ignores the limit, inside a C call, ends with the whole process."""


class TimedOut(BaseException):
    """The time is over. No ``except Exception`` of the function stops it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimedOut in the body after so many seconds; where a signal does not reach it, end the process."""

    def end() -> None:
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _message(seconds))
        os._exit(3)

    def interrupt(*_: Any) -> None:
        raise TimedOut

    watchdog = threading.Timer(seconds + GRACE, end)
    watchdog.daemon = True
    watchdog.start()
    signals = hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGALRM, interrupt) if signals else None
    if signals:
        signal.setitimer(signal.ITIMER_REAL, seconds, 0.5)  # again and again, for functions that swallow it
    try:
        yield
    finally:
        if signals:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        watchdog.cancel()


def _message(seconds: float) -> bytes:
    return f"could not run: it did not end within {seconds:g} s, and could not be interrupted\n".encode()
