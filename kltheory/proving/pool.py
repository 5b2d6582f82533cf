"""Worker processes that are asked one thing at a time: one that hangs past a limit, or dies, costs that thing only.

The caller has no threads, so that workers can be forked at any time, and says which worker is asked what next. (Pools
of futures cannot stop a task that runs; those that can start their workers from threads.)
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from math import inf
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, Final

from kltheory.proving.endings import end_with_parent, ended, reason_of

SLICE: Final = 0.5
"""Seconds of waiting that count at most at once: those during which the machine slept, or this process, do not."""


@dataclass(frozen=True)
class Lost:
    """There is no answer; ``reason`` says why."""

    reason: str


@dataclass
class Worker:
    """A process, its end of the pipe, and how long it may still take; ``prepare`` is what it runs first."""

    prepare: Callable[[], None]
    process: BaseProcess
    pipe: "Connection[Any, Any]"
    left: float = inf
    busy: bool = False

    def kill(self) -> None:
        """End it."""
        self.process.kill()
        self.process.join()
        self.pipe.close()

    def ended(self) -> str:
        """How it ended by itself; where it closed its pipe and did not end, it has a second to do so."""
        self.process.join(1)
        code = self.process.exitcode
        self.kill()
        return "it closed the channel to its caller" if code is None else ended(code)


@dataclass
class Pool:
    """Workers, and the seconds each question may take."""

    limit: float
    workers: list[Worker] = field(default_factory=list)

    @property
    def idle(self) -> list[Worker]:
        """Those that are asked nothing."""
        return [w for w in self.workers if not w.busy]

    def ask(self, worker: Worker, work: Callable[..., Any], *arguments: Any) -> None:
        """Let an idle worker do some work; its answer is one of :meth:`answers`."""
        worker.left, worker.busy = self.limit, True
        with suppress(OSError):  # it died while idle: the next look at the answers says so
            worker.pipe.send((work, arguments))

    def answers(self) -> Iterator[tuple[Worker, Any]]:
        """At least one answer, once there is one: what the work returned, or :class:`Lost`."""
        while busy := [w for w in self.workers if w.busy]:
            start = time.monotonic()
            patience = max(0.0, min(SLICE, *(w.left for w in busy)))
            ready = wait([x for w in busy for x in (w.pipe, w.process.sentinel)], patience)
            passed = min(time.monotonic() - start, SLICE)
            found = []
            for w in busy:
                w.left -= passed
                if w.pipe in ready or w.process.sentinel in ready:
                    found.append((w, self._received(w)))
                elif w.left <= 0:
                    w.kill()
                    found.append(
                        (w, Lost(f"could not run: it did not end within {self.limit:g} s; --timeout allows more"))
                    )
            for w, answer in found:
                self._free(w)
                yield w, answer
            if found:
                return

    def _received(self, worker: Worker) -> Any:
        try:
            if worker.pipe.poll():
                return worker.pipe.recv()
        except (EOFError, OSError):
            pass
        except Exception as e:
            return Lost(f"could not run: its answer cannot be read: {reason_of(e)}")
        return Lost(f"could not run: {worker.ended()}")

    def _free(self, worker: Worker) -> None:
        """Ready for another question; in a new process where the old one is gone."""
        worker.busy = False
        if worker.pipe.closed:
            fresh = _started(worker.prepare)
            worker.process, worker.pipe = fresh.process, fresh.pipe


@contextmanager
def pool(prepare: Sequence[Callable[[], None]], limit: float) -> Iterator[Pool]:
    """A worker for each function, which it calls first; all of them end with the body."""
    made = Pool(limit)
    try:
        made.workers.extend(map(_started, prepare))
        yield made
    finally:
        for w in made.workers:
            if not w.pipe.closed:
                w.kill()


def each(work: Callable[[Any], Any], things: Sequence[Any], workers: int, limit: float) -> Generator[Any, None, None]:
    """What the work makes of each thing, in order, or :class:`Lost`."""
    asked: dict[int, int] = {}
    done: dict[int, Any] = {}
    todo = iter(enumerate(things))
    with pool([_as_it_is] * workers, limit) as made:
        for i in range(len(things)):
            while i not in done:
                for worker, (j, thing) in zip(made.idle, todo, strict=False):
                    asked[id(worker)] = j
                    made.ask(worker, work, thing)
                for worker, answer in made.answers():
                    done[asked.pop(id(worker))] = answer
            yield done.pop(i)


def _as_it_is() -> None:
    """A worker that needs nothing."""


def process_context() -> BaseContext:
    """How workers start: forked, which is quick, unless there are threads, as JAX has them."""
    safe_to_fork = "jax" not in sys.modules and threading.active_count() == 1 and "fork" in get_all_start_methods()
    return get_context("fork" if safe_to_fork else "spawn")


def _started(prepare: Callable[[], None]) -> Worker:
    context: Any = process_context()
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, prepare), daemon=True)
    process.start()
    there.close()
    return Worker(prepare, process, here)


def _serve(pipe: "Connection[Any, Any]", prepare: Callable[[], None]) -> None:
    """In a worker: answer until nobody asks. What the work prints goes to standard error; Ctrl-C is the caller's."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):
        os.dup2(2, 1)
    process = os.getpid()
    prepare()
    with suppress(EOFError, OSError):  # nobody asks any more
        while True:
            work, arguments = pipe.recv()
            answer = _answer(work, arguments)
            if os.getpid() != process:
                os._exit(0)  # the work forked, and this is the copy
            pipe.send_bytes(answer)


def _answer(work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    try:
        return ForkingPickler.dumps(work(*arguments))
    except BaseException as e:
        return ForkingPickler.dumps(Lost(reason_of(e)))
