"""Work that imports and calls somebody's function, whatever that does to the process."""

import concurrent.futures.thread
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TypeVar

from kltheory.cli.budget import TimedOut
from kltheory.cli.supervisor import COULD_NOT_RUN, is_watched
from kltheory.proving.endings import reason_of

T = TypeVar("T")


def of_strangers(work: Callable[[], T]) -> T:
    """What the work gives; where the function spoils it, a sentence and the exit status 3. It prints to standard error.

    What no exception tells, a crash or an end of the process, the watching process says.
    """
    from kltheory.audit.library import NotInstalled
    from kltheory.audit.target import CannotRun

    if is_watched():
        sys.addaudithook(_refuse_forks)
    threads = set(threading.enumerate())
    try:
        with _printing_to_stderr():
            found = work()
        started = [t for t in threading.enumerate() if t not in threads and not t.daemon]
        if left := [t.name for t in started if not _waits_for_work(t)]:
            raise CannotRun(f"a thread that it started still runs: {', '.join(left)}")
        return found
    except (CannotRun, NotInstalled) as e:
        COULD_NOT_RUN.say(str(e))
    except (Exception, TimedOut):
        raise
    except BaseException as e:
        if isinstance(e, KeyboardInterrupt) and not is_watched():
            raise  # from the keyboard, which the watching process listens to where there is one
        COULD_NOT_RUN.say(f"the function raises {reason_of(e)}")
    raise SystemExit(COULD_NOT_RUN.status)


def _waits_for_work(thread: threading.Thread) -> bool:
    """Whether it is an idle worker of a pool, as ``torch.compile`` starts them: Python ends those at exit."""
    frame = sys._current_frames().get(thread.ident or 0)
    return frame is not None and frame.f_code.co_filename == concurrent.futures.thread.__file__


@contextmanager
def _printing_to_stderr() -> Iterator[None]:
    """Standard output is for the report: of the process, where it is a watched one, else of Python.

    Raises:
        CannotRun: the body closed it.
    """
    from kltheory.audit.target import CannotRun

    with redirect_stdout(sys.stderr):
        if not is_watched():
            yield
            return
        ours = os.dup(1)
        os.dup2(2, 1)
        try:
            yield
            if not _is_open(1):
                raise CannotRun("it closed standard output")
        finally:
            os.dup2(ours, 1)
            os.close(ours)
    if sys.stdout.closed:
        raise CannotRun("it closed standard output")


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _refuse_forks(event: str, _: object) -> None:
    """A copy of this process would audit as well, and call again, and fork again."""
    if event in ("os.fork", "os.forkpty"):
        from kltheory.audit.target import CannotRun

        raise CannotRun("it forks, and which of the two processes is meant is not known")
