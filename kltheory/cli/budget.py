"""How long a command may take: the option ``--timeout``, and who keeps the time."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from math import isfinite
from typing import Any, Final

import click

from kltheory.cli.supervisor import Ending, is_watched, tell

SECONDS: Final = 60.0
"""What a command may take unless it is told."""


class TimedOut(BaseException):
    """The time is over. No ``except Exception`` of somebody's function stops it; ``ending`` says what is said."""

    def __init__(self, ending: Ending, seconds: float) -> None:
        super().__init__(ending.late(seconds))
        self.ending = ending


def positive(_: click.Context, __: click.Parameter, seconds: float) -> float:
    """A positive and finite number of seconds. Raises BadParameter."""
    if not (isfinite(seconds) and seconds > 0):
        raise click.BadParameter(f"{seconds:g} is no positive number of seconds")
    return seconds


def budget(ending: Ending, seconds: float = SECONDS) -> Callable[[Any], Any]:
    """The option ``--timeout`` of a command that answers, or else ends so, within that time."""

    def decorated(command: Callable[..., Any]) -> Any:
        @wraps(command)  # the options that it has so far, too
        def within(*arguments: Any, timeout: float, **options: Any) -> Any:
            click.get_current_context().meta[ENDING] = ending
            with limited(timeout, ending):
                return command(*arguments, **options)

        return _option(seconds, "Give up after so many seconds.")(within)

    return decorated


def _option(seconds: float, words: str) -> Callable[[Any], Any]:
    return click.option(
        "--timeout",
        type=float,
        default=seconds,
        show_default=True,
        envvar="KLTHEORY_TIMEOUT",
        show_envvar=True,
        metavar="SECONDS",
        callback=positive,
        help=words,
    )


EACH: Final = _option(SECONDS, "Give up on a theorem after so many seconds.")
"""The option ``--timeout`` of a command that runs theorems."""

ENDING: Final = "kltheory.ending"
"""Key in the context's ``meta``: how this command ends where it has no answer."""


@contextmanager
def limited(seconds: float, ending: Ending) -> Iterator[None]:
    """The body may take so long: the watching process ends this one after it; where there is none, TimedOut is raised.

    Where not even a signal reaches the body, this process ends itself.
    """
    if is_watched():
        tell(f"limit {seconds!r} {ending.status} {ending.word}")
        try:
            yield
        finally:
            tell("over")
    elif hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread():
        with _by_alarm(seconds, ending):
            yield
    else:
        with _by_thread(seconds, ending):
            yield


@contextmanager
def _by_alarm(seconds: float, ending: Ending) -> Iterator[None]:
    def interrupt(*_: Any) -> None:
        raise TimedOut(ending, seconds)

    handler = signal.signal(signal.SIGALRM, interrupt)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds, 0.5)  # again and again, for functions that swallow it
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *timer)  # that of the body around this one


@contextmanager
def _by_thread(seconds: float, ending: Ending) -> Iterator[None]:
    def end() -> None:
        ending.say(ending.late(seconds))
        os._exit(ending.status)

    watchdog = threading.Timer(seconds, end)
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()
