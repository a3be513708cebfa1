"""Worker processes that may die at any moment without taking the others, or the program, with them.

A video decoder is native code that reads files of unknown origin: it may crash, or be killed when
memory runs out. Every worker therefore has a pipe of its own and shares no lock with anybody, so
that one that dies leaves nothing locked, and its pipe ends after the last whole message: what it
finished is known, and what it was doing is known. (Pools that share a queue between workers lose
one of the two now and then: the standard library's breaks as a whole, pebble's forgets tasks whose
worker dies within milliseconds.)

Workers live on from task to task, because starting one costs seconds, and never outlive the program
that started them. They are started afresh rather than forked, which is safe with threads and the
same on every system.
"""

import contextlib
import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Any, Final, Generic, Protocol, TypeVar

from shared.errors import InputError

__all__ = ["Begun", "Died", "Done", "Event", "Handler", "Progressed", "Service", "WorkerPool"]

Task = TypeVar("Task")

Handler = Callable[[Any, Callable[[object], None]], object]
"""Does one task: gets the task and a function for its progress, returns the result."""

_WAIT_S: Final = 0.2
_STARTS: Final = 2
"""A worker that dies while it starts is started once more: memory may have been short just then."""
_ENDS_WITHIN_S: Final = 5.0
_KILLED: Final = -9


class Service(Protocol):
    """What the workers do. Travels to each of them, so it must be picklable and small."""

    def open(self) -> Handler:
        """Get ready, once in every worker.

        Raises
        ------
        InputError
            When no worker can do this; it is raised in the program that started them.
        """
        ...


@dataclass(frozen=True)
class Begun(Generic[Task]):
    """A worker took the task."""

    task: Task


@dataclass(frozen=True)
class Progressed(Generic[Task]):
    """A worker reports how far it is."""

    task: Task
    state: Any


@dataclass(frozen=True)
class Done(Generic[Task]):
    """A task is done; ``result`` is what the handler returned."""

    task: Task
    result: Any


@dataclass(frozen=True)
class Died(Generic[Task]):
    """The worker died on this task, or, if ``started`` is false, no worker could be started for it.

    ``exit_code`` is negative for a signal: -11 is signal 11.
    """

    task: Task
    exit_code: int
    started: bool = True


Event = Begun[Task] | Progressed[Task] | Done[Task] | Died[Task]


class WorkerPool(Generic[Task]):
    """Runs tasks in worker processes; use it in a ``with`` block, at whose end they are killed.

    Parameters
    ----------
    service : Service
    jobs : int
        Most workers at a time, >= 1.
    """

    def __init__(self, service: Service, jobs: int) -> None:
        self._service = service
        self._jobs = jobs
        self._waiting: deque[Task] = deque()
        self._workers: list[_Worker[Task]] = []
        self._failed_starts = 0
        self._last_exit = 0

    def add(self, task: Task) -> None:
        """Put a task at the end of the queue; also while ``events`` is iterated."""
        self._waiting.append(task)

    def events(self) -> Iterator[Event[Task] | None]:
        """Work until nothing waits or runs, and tell what happens.

        Yields
        ------
        Event or None
            None at least every 0.2 s when nothing happens, so that the caller can look at its own
            affairs.

        Raises
        ------
        InputError
            When the service refuses to open.
        """
        while self._waiting or any(worker.has_task for worker in self._workers):
            self._start_missing()
            if not self._workers:
                yield from self._give_up()
                continue
            for worker in [worker for worker in self._workers if worker.is_idle]:
                if self._waiting and worker.give(self._waiting[0]):
                    self._waiting.popleft()
            by_connection = {worker.connection: worker for worker in self._workers}
            spoke = wait(list(by_connection), _WAIT_S)
            if not spoke:
                yield None
            for connection in spoke:
                event = self._listen(by_connection[connection])  # type: ignore[index]
                if event is not None:
                    yield event

    def __enter__(self) -> "WorkerPool[Task]":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self._workers:
            worker.kill()
        self._workers.clear()

    def _start_missing(self) -> None:
        busy = sum(worker.has_task for worker in self._workers)
        wanted = min(self._jobs, busy + len(self._waiting))
        if self._failed_starts >= _STARTS:
            return
        while len(self._workers) < wanted:
            self._workers.append(_Worker(self._service))

    def _give_up(self) -> Iterator[Event[Task]]:
        while self._waiting:
            yield Died(self._waiting.popleft(), self._last_exit, started=False)

    def _listen(self, worker: "_Worker[Task]") -> Event[Task] | None:
        try:
            kind, content = worker.connection.recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            return self._bury(worker)
        if kind == "refused":
            raise content
        task = worker.task
        if kind == "ready" or task is None:
            worker.is_ready = True
            self._failed_starts = 0
            return None
        if kind == "begun":
            worker.has_begun = True
            return Begun(task)
        if kind == "progress":
            return Progressed(task, content)
        worker.task = None
        return Done(task, content)

    def _bury(self, worker: "_Worker[Task]") -> Event[Task] | None:
        self._workers.remove(worker)
        self._last_exit = worker.exit_code()
        if not worker.is_ready:
            self._failed_starts += 1
        if worker.task is None:
            return None
        if not worker.has_begun:
            # It was dying already when it got the task.
            self._waiting.appendleft(worker.task)
            return None
        return Died(worker.task, self._last_exit)


class _Worker(Generic[Task]):
    """One process, as the program sees it that started it."""

    def __init__(self, service: Service) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.task: Task | None = None
        self.is_ready = False
        self.has_begun = False
        self._process: SpawnProcess = context.Process(
            target=_serve, args=(service, theirs), name="fedaffect worker", daemon=True
        )
        with _interrupts_kept_from_child():
            self._process.start()
        # Only the worker holds its end now, so the pipe ends when the worker does.
        theirs.close()

    @property
    def has_task(self) -> bool:
        return self.task is not None

    @property
    def is_idle(self) -> bool:
        return self.is_ready and self.task is None

    def give(self, task: Task) -> bool:
        """Whether it took the task; one that died while it was idle does not."""
        try:
            self.connection.send(task)
        except OSError:
            return False
        self.task, self.has_begun = task, False
        return True

    def kill(self) -> None:
        """End it now; what it was doing is lost."""
        self._process.kill()
        self._process.join(_ENDS_WITHIN_S)
        self.connection.close()

    def exit_code(self) -> int:
        """How one that closed its end of the pipe ended; negative for a signal."""
        self._process.join(_ENDS_WITHIN_S)
        self.kill()
        code = self._process.exitcode
        return _KILLED if code is None else code


@contextlib.contextmanager
def _interrupts_kept_from_child() -> Iterator[None]:
    """Ctrl-C reaches all processes of a terminal; one that is just starting would print a trace.

    The child inherits that the signal is blocked. Here it is delivered when the block ends. Windows
    has no such thing; there the worker ignores Ctrl-C as soon as it runs.
    """
    if sys.platform == "win32":
        yield
        return
    # It belongs to the first start of a process, and would unblock the signal again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(service: Service, connection: Connection) -> None:
    """What a worker process does, from its start to its end."""
    # When to stop is for the program to say that started it, which then kills this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _keep_memory_from_disk()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        handle = service.open()
    except InputError as error:
        connection.send(("refused", error))
        return
    try:
        connection.send(("ready", None))
        while True:
            packed = connection.recv_bytes()
            connection.send(("begun", None))
            task = pickle.loads(packed)
            result = handle(task, lambda state: connection.send(("progress", state)))
            connection.send(("done", result))
    except (EOFError, BrokenPipeError, ConnectionError):
        return


def _keep_memory_from_disk() -> None:
    """No core dump when a decoder crashes: the memory holds pictures."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        # Dumps that are piped to a program do not heed the limit. PR_SET_DUMPABLE is 4, prctl(2).
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        # At once: what is being computed has nobody left to wait for it.
        os._exit(1)
