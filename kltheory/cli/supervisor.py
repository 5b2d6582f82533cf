"""The process that watches a command: keeps its time, ends it with all that it started, and says how a crash was.

Functions of other people, and C code, can loop, crash, end the process or take all memory; no exception tells of that.
So the command runs in a forked child, before anything large is imported, and tells its parent over a pipe how long it
may take and that it is done. Where there is no fork, or threads run already, it runs in this process.
"""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Final, NamedTuple, NoReturn, TextIO

import click

from kltheory.proving.endings import end_with_parent, ended, reason_of

SLICE: Final = 0.5
"""Seconds of waiting that count at most at once: those during which the machine slept, or this process, do not."""
DEBUG: Final = "KLTHEORY_DEBUG"
"""An environment variable: if set, the command runs in this process and errors show their tracebacks."""
MEMORY: Final = 0.5
"""The share of the machine's memory that one process may take."""

_CHANNEL: ContextVar[int | None] = ContextVar("channel", default=None)
"""In a watched process: where its parent listens."""


class Ending(NamedTuple):
    """What is said, and the exit status, where a command does not answer."""

    word: str
    status: int

    def say(self, why: str) -> None:
        """An answer goes to standard output; that there is none, to standard error."""
        click.echo(f"{self.word}: {why}", err=self.status != UNDECIDED.status)

    def late(self, seconds: float) -> str:
        """Why there is no answer."""
        what = "no answer" if self.status == UNDECIDED.status else "it did not end"
        return f"{what} within {seconds:g} s; --timeout allows more"


def unexpected(error: Exception) -> str:
    """What to say of what nobody expected."""
    return f"internal error: {reason_of(error)}; please report it, with the traceback that {DEBUG}=1 shows"


UNDECIDED: Final = Ending("UNDECIDED", 2)
COULD_NOT_RUN: Final = Ending("could not run", 3)


class Limit(NamedTuple):
    """Seconds that are left of those allowed, and what happens then."""

    left: float
    seconds: float
    ending: Ending


class Stopped(BaseException):
    """A signal asks this process to end."""


def is_watched() -> bool:
    """Whether this is a process that another one watches."""
    return _CHANNEL.get() is not None


def tell(message: str) -> None:
    """Tell the watching process something, if there is one."""
    if (channel := _CHANNEL.get()) is not None:
        with suppress(OSError):
            os.write(channel, f"{message}\n".encode())


def supervised(command: Callable[[], int]) -> int:
    """The exit status of the command; that of its budget where it gives no answer, 128 + n where signal n ended it."""
    if not _can_watch():
        return command()
    for stream in _streams():
        stream.flush()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _answer(command, writing)
    os.close(writing)
    os.set_blocking(reading, False)
    with suppress(OSError):
        os.setpgid(child, child)
    try:
        with _signals(child):
            return _watch(child, reading)
    except Stopped as e:
        _end(child)
        click.echo("Aborted!", err=True)
        return 128 + int(e.args[0])
    finally:
        os.close(reading)


def _can_watch() -> bool:
    """Whether there are forks, no threads that a copy would miss, and streams that a copy shares."""
    alone = threading.active_count() == 1 and "jax" not in sys.modules
    return hasattr(os, "fork") and alone and not os.environ.get(DEBUG) and all(map(_has_number, _streams()))


def _streams() -> list[TextIO]:
    return [stream for stream in (sys.stdout, sys.stderr) if stream is not None]


def _has_number(stream: TextIO) -> bool:
    try:
        return stream.fileno() >= 0
    except (OSError, ValueError):
        return False


# --- the child ----------------------------------------------------------------------------------------------------
def _answer(command: Callable[[], int], channel: int) -> NoReturn:
    """Run the command, tell its status, and end; a copy that the command made of this process ends without a word."""
    process, status = os.getpid(), COULD_NOT_RUN.status
    _CHANNEL.set(channel)
    end_with_parent()
    with suppress(OSError):
        os.setpgid(0, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # it may write to the terminal from the background
    _limit_memory()
    try:
        try:
            status = command()
        except BaseException as e:
            COULD_NOT_RUN.say(f"internal error: {reason_of(e)}")
        if os.getpid() == process:
            for stream in _streams():
                stream.flush()
            tell(f"done {status}")
    finally:
        os._exit(status)  # where it could not speak, its parent does


def _limit_memory() -> None:
    import resource

    allowed = int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * MEMORY)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, resource.getrlimit(resource.RLIMIT_DATA)[1]))


# --- the parent ---------------------------------------------------------------------------------------------------
@contextmanager
def _signals(child: int) -> Iterator[None]:
    """Signals end this process and the child together, or suspend both; those that were ignored still are."""

    def stop(number: int, _: Any) -> None:
        raise Stopped(number)

    def suspend(number: int, _: Any) -> None:
        os.killpg(child, signal.SIGSTOP)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.signal(number, suspend)
        os.killpg(child, signal.SIGCONT)

    wanted = dict.fromkeys((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), stop) | {signal.SIGTSTP: suspend}
    before = {s: signal.signal(s, handler) for s, handler in wanted.items() if signal.getsignal(s) != signal.SIG_IGN}
    try:
        yield
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)


def _watch(child: int, reading: int) -> int:
    """Until the child says that it is done, ends without a word, or takes longer than one of its limits."""
    limits: list[Limit] = []
    heard, open_ = b"", True
    while True:
        start = time.monotonic()
        patience = min([SLICE if open_ else 0.02, *(limit.left for limit in limits)])
        select.select([reading] if open_ else [], [], [], max(0.0, patience))
        passed = min(time.monotonic() - start, SLICE)
        limits = [limit._replace(left=limit.left - passed) for limit in limits]
        gone, code = os.waitpid(child, os.WNOHANG)  # first: what it said last is read below
        said = _read(reading)
        open_ = said != b""
        *lines, heard = (heard + (said or b"")).split(b"\n")
        for line in lines:
            match line.decode().split(" ", 3):
                case ["done", status]:
                    _end(child)
                    return int(status)
                case ["limit", seconds, status, word]:
                    limits.append(Limit(float(seconds), float(seconds), Ending(word, int(status))))
                case ["over"]:
                    limits.pop()
        if gone:
            _kill(child)
            ending = limits[-1].ending if limits else COULD_NOT_RUN
            ending.say(ended(os.waitstatus_to_exitcode(code)))
            return ending.status
        if exceeded := next((limit for limit in limits if limit.left <= 0), None):
            _end(child)
            exceeded.ending.say(exceeded.ending.late(exceeded.seconds))
            return exceeded.ending.status


def _read(reading: int) -> bytes | None:
    """What there is to read; nothing at the end, ``None`` before it."""
    try:
        return os.read(reading, 1 << 16)
    except BlockingIOError:
        return None


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _end(child: int) -> None:
    """The child, and all that it started."""
    _kill(child)
    with suppress(ChildProcessError):
        os.waitpid(child, 0)
