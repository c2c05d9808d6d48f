"""Statements on a thread of their own, so that the main thread can be interrupted, and turns on a connection."""

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
"""Seconds after which a thread that waits looks for signals."""

_REPETITIONS = 50
"""How often DuckDB is told that a statement is to end, for a second in all."""


class TurnLock:
    """A lock that threads take turns by, as often as they like."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._depth = 0

    @property
    def is_mine(self) -> bool:
        """Whether it is this thread's turn."""
        return self._owner == threading.get_ident()

    def take(self, signals: Signals | None = None) -> None:
        """Waits for a turn; handlers of signals, where they are shut out, are told of them meanwhile."""
        if not self.is_mine:
            if signals is None:
                self._lock.acquire()
            else:
                while not self._lock.acquire(timeout=_TICK):
                    signals.deliver()
            self._owner = threading.get_ident()
        self._depth += 1

    def end(self) -> None:
        """Ends this thread's turn, however often it was taken, if it has one."""
        if self.is_mine:
            self._owner, self._depth = None, 0
            self._lock.release()

    def __enter__(self) -> None:
        self.take()

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._depth -= 1
        if self._depth == 0:
            self.end()


@dataclass(slots=True)
class _Job:
    """Work on a connection: what it gave, or raised, once `done` can be acquired.

    Whoever acquires `begun` decides of it: the thread that runs it, or the one that waits and gives it up before that.
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


class Runner:
    """Runs the statements of one connection on a thread of its own.

    Attributes:
        ended: whether another thread has asked the call that is under way to end.
        raised: what has ended it.
        late: whether that would come too late: the statement of the user's that the call is for has run.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, signals: Signals) -> None:
        self._connection = connection
        self._signals = signals
        self._jobs: Jobs = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._interrupt_lock = threading.Lock()
        self._is_running = self.ended = self.late = False
        self.raised: BaseException | None = None
        finalize(self, self._jobs.put, None)

    def run(self, text: str, fetch: Callable[[duckdb.DuckDBPyConnection], Fetched]) -> Fetched:
        """What is fetched of a statement's rows."""
        return self.do(lambda connection: fetch(connection.execute(text)))

    def do(self, work: Callable[[duckdb.DuckDBPyConnection], Fetched]) -> Fetched:
        """What some work on the connection gives.

        DuckDB looks for signals between tasks, and the thread that would look may be in the middle of an endless one.
        So the main thread waits, and another one runs. When this returns or raises, the work is over.
        """
        if self._closed:
            raise StorageError(CLOSED)
        try:
            return self._waited(work) if is_main() else self._ran(work)
        except duckdb.InterruptException as error:
            self.raised = error
            raise

    def _ran(self, work: Callable[[duckdb.DuckDBPyConnection], Fetched]) -> Fetched:
        """The same on a thread that no signals come to."""
        with self._under_way():
            return work(self._connection)

    def _waited(self, work: Callable[[duckdb.DuckDBPyConnection], Fetched]) -> Fetched:
        """The same on the main thread."""
        signals = self._signals
        signals.raise_again()
        before, signals.shut = signals.shut, True
        job = _Job(work)
        try:
            with self._under_way():
                self._wait_for(job)
        finally:
            signals.shut = before or signals.raised is not None
        if not before:
            signals.deliver()
        if job.error is not None:
            raise job.error
        found: Fetched = job.found
        return found

    def interrupt(self, *, is_called: bool) -> None:
        """Ends a call, if one is under way: its statement, or it before its next one.

        Of a statement that is just about to run DuckDB does not know yet, so that it is told again.
        """
        self.ended = is_called
        for _ in range(_REPETITIONS):
            with self._interrupt_lock:
                if not (self.ended and self._is_running) or self.late:
                    return
                self._connection.interrupt()
            time.sleep(_TICK)

    def check(self) -> None:
        """Raises where a call is to end; again where that was lost, but not to what tidies up after it.

        Raises:
            Interrupted: it is.
        """
        if not self.ended or self.late:
            return
        handled = sys.exc_info()[1]
        while handled is not None:
            if handled is self.raised:
                return
            handled = handled.__context__
        self.raised = Interrupted("interrupted by another thread")
        raise self.raised

    def forget(self) -> None:
        """The call is over."""
        self.ended, self.raised, self.late = False, None, False

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        """A statement that another thread may end; on the main thread signals are shut out where it begins and ends."""
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
        """Lets go of the thread."""
        self._closed = True
        self._jobs.put(None)
        if self._thread is not None:
            self._thread.join()


def _work(jobs: Jobs) -> None:
    """Runs jobs, one after the other, until there is None; it keeps none of them alive while it waits."""
    while (handed := jobs.get()) is not None:
        job, connection = handed
        job.run(connection)
        del handed, job, connection
