"""Statements on a worker thread, so that the main thread can be interrupted; and turns on a connection."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from types import TracebackType
from typing import Any, TypeAlias, TypeVar
from weakref import finalize

import duckdb

from imputedb.duckdb_errors import CLOSED
from imputedb.engines.signals import Signals, is_main
from imputedb.errors import Interrupted, StorageError

Fetched = TypeVar("Fetched")

_TICK = 0.02
"""Seconds after which a waiting thread looks for signals."""

_REPETITIONS = 50
"""Number of times that DuckDB is told to end a statement; one second in total."""


class TurnLock:
    """A reentrant lock by which threads take turns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._depth = 0

    @property
    def is_mine(self) -> bool:
        """Whether it is this thread's turn."""
        return self._owner == threading.get_ident()

    def acquire(self, signals: Signals | None = None) -> None:
        """Waits for a turn; deferred signals are delivered meanwhile."""
        if not self.is_mine:
            if signals is None:
                self._lock.acquire()
            else:
                while not self._lock.acquire(timeout=_TICK):
                    signals.deliver()
            self._owner = threading.get_ident()
        self._depth += 1

    def release(self) -> None:
        """Ends this thread's turn, if it has one, however often it was taken."""
        if self.is_mine:
            self._owner, self._depth = None, 0
            self._lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._depth -= 1
        if self._depth == 0:
            self.release()


@dataclass(slots=True)
class _Job:
    """Work on a connection, and its result or exception once `done` can be acquired.

    The thread that acquires `begun` owns the job: either the worker, which runs it, or the waiting thread, which
    cancels it before it has begun.
    """

    work: Callable[[duckdb.DuckDBPyConnection], Any]
    found: Any = None
    error: BaseException | None = None
    begun: threading.Lock = field(default_factory=threading.Lock)
    done: threading.Lock = field(default_factory=threading.Lock)

    def run(self, connection: duckdb.DuckDBPyConnection) -> None:
        if not self.begun.acquire(blocking=False):
            return
        try:
            self.found = self.work(connection)
        except BaseException as error:
            self.error = error
        finally:
            self.done.release()


Jobs: TypeAlias = "SimpleQueue[tuple[_Job, duckdb.DuckDBPyConnection] | None]"


class StatementRunner:
    """A worker thread for the statements of one connection.

    Attributes:
        is_interrupted: whether another thread has asked the current call to end.
        raised: the exception that has ended it.
        is_too_late: whether an interruption comes too late, since the user's statement has run.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, signals: Signals) -> None:
        self._connection = connection
        self._signals = signals
        self._jobs: Jobs = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._interrupt_lock = threading.Lock()
        self._is_running = self.is_interrupted = self.is_too_late = False
        self.raised: BaseException | None = None
        finalize(self, self._jobs.put, None)

    def run(self, text: str, fetch: Callable[[duckdb.DuckDBPyConnection], Fetched]) -> Fetched:
        """The result of `fetch` on an executed statement."""
        return self.call(lambda connection: fetch(connection.execute(text)))

    def call(self, work: Callable[[duckdb.DuckDBPyConnection], Fetched]) -> Fetched:
        """The result of work on the connection.

        DuckDB looks for signals between tasks, and the thread that would look may be in the middle of a long one. The
        main thread therefore waits while the worker runs. When this returns or raises, the work is over.
        """
        if self._closed:
            raise StorageError(CLOSED)
        try:
            return self._run_on_worker(work) if is_main() else self._run_here(work)
        except duckdb.InterruptException as error:
            self.raised = error
            raise

    def _run_here(self, work: Callable[[duckdb.DuckDBPyConnection], Fetched]) -> Fetched:
        """The result of work on a thread that receives no signals."""
        with self._under_way():
            return work(self._connection)

    def _run_on_worker(self, work: Callable[[duckdb.DuckDBPyConnection], Fetched]) -> Fetched:
        """The result of work, on the main thread."""
        signals = self._signals
        signals.raise_again()
        before, signals.deferred = signals.deferred, True
        job = _Job(work)
        try:
            with self._under_way():
                self._wait_for(job)
        finally:
            signals.deferred = before or signals.raised is not None
        if not before:
            signals.deliver()
        if job.error is not None:
            raise job.error
        found: Fetched = job.found
        return found

    def interrupt(self, *, is_called: bool) -> None:
        """Ends the current call, if there is one: during its statement, or before its next one.

        It is repeated, since DuckDB does not know of a statement that is only about to run.
        """
        self.is_interrupted = is_called
        for _ in range(_REPETITIONS):
            with self._interrupt_lock:
                if not (self.is_interrupted and self._is_running) or self.is_too_late:
                    return
                self._connection.interrupt()
            time.sleep(_TICK)

    def check(self) -> None:
        """Raises an error in an interrupted call; again where the error was lost, but not in code that handles it.

        Raises:
            Interrupted: the call was interrupted.
        """
        if not self.is_interrupted or self.is_too_late:
            return
        handled = sys.exc_info()[1]
        while handled is not None:
            if handled is self.raised:
                return
            handled = handled.__context__
        self.raised = Interrupted("interrupted by another thread")
        raise self.raised

    def reset(self) -> None:
        """Resets the state of interruption, at the end of a call."""
        self.is_interrupted, self.raised, self.is_too_late = False, None, False

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        """A block in which another thread may interrupt a statement."""
        with self._interrupt_lock:
            self._is_running = True
        try:
            self.check()
            yield
        finally:
            with self._interrupt_lock:
                self._is_running = False

    def _wait_for(self, job: _Job) -> None:
        try:
            self._hand_over(job)
            while not job.done.acquire(timeout=_TICK):
                self._signals.deliver()
        except BaseException:
            if not job.begun.acquire(blocking=False):
                while not job.done.acquire(timeout=_TICK):
                    self._connection.interrupt()
            raise

    def _hand_over(self, job: _Job) -> None:
        if self._thread is None:
            thread = threading.Thread(target=_work, args=(self._jobs,), name="imputedb", daemon=True)
            thread.start()
            self._thread = thread
        job.done.acquire()
        self._jobs.put((job, self._connection))

    def close(self) -> None:
        """Ends the worker thread."""
        self._closed = True
        self._jobs.put(None)
        if self._thread is not None:
            self._thread.join()


def _work(jobs: Jobs) -> None:
    """Runs jobs one after another until None; it keeps no reference to a job while it waits."""
    while (handed := jobs.get()) is not None:
        job, connection = handed
        job.run(connection)
        del handed, job, connection
