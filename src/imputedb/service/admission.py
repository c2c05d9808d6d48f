"""Admission control: a bounded number of requests run, a bounded number wait, all others are refused."""

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
"""Seconds after which a call is interrupted again: an interrupt between two statements is lost."""


class Run(Generic[Given]):
    """One admitted request. It waits, runs, and ends at the latest soon after its deadline.

    Attributes:
        future: the result of the request, or its error.
        seconds: time that the request may take, waiting included.
        began: time of admission, by the monotonic clock.
        waited: seconds in the queue; None until the request runs.
    """

    def __init__(self, seconds: float, stopping: Callable[[], None]) -> None:
        """A request that may take so many seconds; `stopping` is called whenever it is stopped."""
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
        """The time by which the request has to end, by the monotonic clock."""
        return self.began + self.seconds

    @property
    def is_stopped(self) -> bool:
        """Whether the request was stopped."""
        return self._stopped is not None

    def stop(self, refusal: Refusal | None = None) -> None:
        """Stops the request and interrupts a call under way; the result is the refusal, by default a cancellation."""
        with self._lock:
            self._stopped = self._stopped or refusal or Cancelled("the request was cancelled")
            if self._interrupt is not None:
                self._interrupt()
        self._stopping()

    def interrupt_again(self) -> None:
        """Interrupts a stopped request once more: an interrupt between two calls has no effect."""
        with self._lock:
            if self._stopped is not None and self._interrupt is not None:
                self._interrupt()

    def check(self) -> None:
        """Raises an error where the request was stopped, or its time is up.

        Raises:
            Refusal: the reason why it was stopped, or that it is overdue.
        """
        if self._stopped is not None:
            raise self._stopped
        if time.monotonic() > self.deadline:
            raise self.overdue()

    def overdue(self) -> Overdue:
        """The error of a request whose time is up."""
        return Overdue(f"the request took longer than the {self.seconds:g} seconds that it may take")

    @contextmanager
    def interruptible(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """A context in which stopping the request calls `interrupt`, which makes the call under way raise.

        Raises:
            Refusal: the request was stopped, and its call has raised.
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
    """A pool of worker threads with a bounded queue.

    A thread of its own stops overdue requests, and interrupts stopped ones until they end.
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
        """Number of running requests."""
        return self._running

    @property
    def waiting(self) -> int:
        """Number of waiting requests."""
        with self._changed:
            return max(0, len(self._runs) - self._running)

    @property
    def is_draining(self) -> bool:
        """Whether new requests are refused."""
        return self._is_draining

    def submit(self, work: Callable[[Run[Given]], Given], seconds: float) -> Run[Given]:
        """Admits work that may take so many seconds, waiting included.

        Raises:
            Overloaded: the workers and the queue are full, or the service is about to end.
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
        """Stops overdue requests and interrupts stopped ones again, until the admission is closed."""
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
                run.interrupt_again()
            time.sleep(_AGAIN)

    def refuse(self) -> None:
        """Refuses new requests; those that run or wait go on."""
        self._is_draining = True

    def stop(self) -> None:
        """Stops all requests that run or wait."""
        with self._changed:
            runs = list(self._runs)
        for run in runs:
            run.stop(Overloaded("the service has ended", retry_after=5))

    def close(self) -> None:
        """Stops all requests, and then ends the threads."""
        self.refuse()
        self.stop()
        self._pool.shutdown(wait=True)
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._watch.join()
