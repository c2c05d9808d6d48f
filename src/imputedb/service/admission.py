"""Bounded admission: some requests run, some wait, the rest are refused; each ends by its deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from math import ceil
from typing import Any, Generic, TypeVar

from imputedb.errors import Error
from imputedb.service.errors import Cancelled, Overdue, Overloaded, Refusal

Given = TypeVar("Given")

_AGAIN = 0.05
"""Seconds after which a call that was asked to end is asked again: it may have been between two statements."""


class Run(Generic[Given]):
    """One admitted request: it waits, runs, and ends, at the latest soon after its deadline.

    Attributes:
        future: what it gives.
        seconds: that it may take.
        began: when it was admitted, by the monotonic clock.
        waited: seconds that it waited for its turn; None before.
    """

    def __init__(self, seconds: float, stopping: Callable[[], None]) -> None:
        """Of so many seconds; whoever ends it again and again is told by `stopping`."""
        self.future: Future[Given] = Future()
        self.seconds = seconds
        self.began = time.monotonic()
        self.waited: float | None = None
        self._lock = threading.Lock()
        self._interrupt: Callable[[], None] | None = None
        self._stopped: Refusal | None = None
        self._stopping = stopping

    @property
    def deadline(self) -> float:
        """When it has to end, by the monotonic clock."""
        return self.began + self.seconds

    @property
    def elapsed(self) -> float:
        """Seconds since it was admitted."""
        return time.monotonic() - self.began

    @property
    def is_stopped(self) -> bool:
        """Whether it was asked to end."""
        return self._stopped is not None

    def stop(self, refusal: Refusal | None = None) -> None:
        """Asks it to end: what it gives is then the refusal, by default that it was cancelled."""
        with self._lock:
            self._stopped = self._stopped or refusal or Cancelled("the request was cancelled")
            if self._interrupt is not None:
                self._interrupt()
        self._stopping()

    def again(self) -> None:
        """Ends the call once more that a request, which was asked to end, is in the middle of."""
        with self._lock:
            if self._stopped is not None and self._interrupt is not None:
                self._interrupt()

    def check(self) -> None:
        """Raises where it was asked to end, or its time is up.

        Raises:
            Refusal: why.
        """
        if self._stopped is not None:
            raise self._stopped
        if time.monotonic() > self.deadline:
            raise self.overdue()

    def overdue(self) -> Overdue:
        """What is said of one whose time is up."""
        return Overdue(f"the request took longer than the {self.seconds:g} seconds that it may take")

    @contextmanager
    def interruptible(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """While this lasts the request is ended by `interrupt`, which makes the call under way raise.

        Raises:
            Refusal: it was asked to end, and its call has raised.
        """
        with self._lock:
            self._interrupt = interrupt
        try:
            self.check()
            yield
        except Error as error:
            if self._stopped is not None:
                raise self._stopped from error
            raise
        finally:
            with self._lock:
                self._interrupt = None


class Admission:
    """Workers and a queue before them.

    A thread of its own looks after deadlines, and ends what was asked to end.
    """

    def __init__(self, workers: int, queue: int) -> None:
        self.workers = workers
        self.queue = queue
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="imputedb-worker")
        self._changed = threading.Condition()
        self._runs: set[Run[Any]] = set()
        self._running = 0
        self._mean = 0.1
        self._is_draining = False
        self._is_closed = False
        self._watch = threading.Thread(target=self._watched, name="imputedb-deadlines", daemon=True)
        self._watch.start()

    @property
    def running(self) -> int:
        """How many run."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many wait."""
        with self._changed:
            return max(0, len(self._runs) - self._running)

    @property
    def is_draining(self) -> bool:
        """Whether nothing more is admitted."""
        return self._is_draining

    def submit(self, work: Callable[[Run[Given]], Given], seconds: float) -> Run[Given]:
        """Admits work that may take so many seconds, waiting included.

        Raises:
            Overloaded: as many as may run and wait do so already.
        """
        run = Run[Given](seconds, self._wake)
        with self._changed:
            if self._is_draining:
                raise Overloaded("the service is about to end", retry_after=5)
            if len(self._runs) >= self.workers + self.queue:
                raise Overloaded(
                    f"{self._running} requests run and {len(self._runs) - self._running} wait: ask again later",
                    retry_after=max(1, ceil(len(self._runs) * self._mean / self.workers)),
                )
            self._runs.add(run)
            self._changed.notify()
        self._pool.submit(self._done, run, work)
        return run

    def _done(self, run: Run[Given], work: Callable[[Run[Given]], Given]) -> None:
        began = time.monotonic()
        run.waited = began - run.began
        with self._changed:
            self._running += 1
        found: Given | None = None
        failed: BaseException | None = None
        try:
            run.check()
            found = work(run)
        except BaseException as error:
            failed = error
        with self._changed:
            self._running -= 1
            self._runs.discard(run)
            self._mean = 0.9 * self._mean + 0.1 * (time.monotonic() - began)
            self._changed.notify()
        if not run.future.set_running_or_notify_cancel():
            return
        if failed is not None:
            run.future.set_exception(failed)
        else:
            run.future.set_result(found)  # type: ignore[arg-type]

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def _watched(self) -> None:
        """Ends what is overdue, and what was asked to end, until the admission is closed."""
        while True:
            with self._changed:
                if self._is_closed:
                    return
                now = time.monotonic()
                stopping = [run for run in self._runs if run.is_stopped]
                due = [run for run in self._runs if not run.is_stopped and run.deadline <= now]
                later = [run.deadline - now for run in self._runs if not run.is_stopped and run.deadline > now]
                if not stopping and not due:
                    self._changed.wait(min(later, default=None))
                    continue
            for run in due:
                run.stop(run.overdue())
            for run in stopping:
                run.again()
            time.sleep(_AGAIN)

    def refuse(self) -> None:
        """Admits nothing more: what runs and waits goes on."""
        self._is_draining = True

    def stop(self) -> None:
        """Ends what runs and waits."""
        with self._changed:
            runs = list(self._runs)
        for run in runs:
            run.stop(Overloaded("the service has ended", retry_after=5))

    def close(self) -> None:
        """Ends what runs and waits, and then the threads."""
        self.refuse()
        self.stop()
        self._pool.shutdown(wait=True)
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._watch.join()
