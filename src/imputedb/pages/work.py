"""Long calls: each runs on a thread and in a session of its own, reports progress, and can be cancelled."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from imputedb.database import Database
from imputedb.errors import Error, Interrupted
from imputedb.imputers.protocol import Progress

T = TypeVar("T")

Call = Callable[[Database, Progress], T]
"""A function that gets a session and a receiver of progress."""

_AGAIN = 0.05
"""Seconds after which a call that has not ended is interrupted again: an interrupt between two statements is lost."""

_ANSWERS, _ENDED = 24, 50


@dataclass(slots=True, eq=False)
class Work(Generic[T]):
    """One call, running or finished.

    Attributes:
        title: short description of the call.
        session: its session.
        state: `running`, `done`, `failed` or `cancelled`.
        share: progress from 0 to 1; None until it is reported.
        began: start time by `time.monotonic`.
        ended: end time by `time.monotonic`; None while it runs.
        error: error message of a failed call.
    """

    title: str
    session: Database
    state: str = "running"
    share: float | None = None
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None
    error: str = ""
    _task: asyncio.Task[T] | None = None

    @property
    def seconds(self) -> float:
        """Seconds that the call has taken so far or in all."""
        return (self.ended if self.ended is not None else time.monotonic()) - self.began

    @property
    def left(self) -> float | None:
        """Estimated seconds that remain; None where no progress is known."""
        if not self.share or self.ended is not None:
            return None
        return self.seconds * (1 - self.share) / self.share

    def begin(self, call: Call[T]) -> None:
        """Starts the call."""
        self._task = asyncio.create_task(self._run(call))

    async def outcome(self) -> T:
        """The result of the call; several tasks may wait for it.

        Raises:
            Error: the call has failed, or was cancelled.
        """
        assert self._task is not None
        return await asyncio.shield(self._task)

    async def cancel(self) -> None:
        """Cancels the call; returns when it has ended."""
        if self.state == "running":
            self.state = "cancelled"
        while self._task is not None and not self._task.done():
            self.session.interrupt()
            await asyncio.sleep(_AGAIN)

    async def _run(self, call: Call[T]) -> T:
        try:
            found = await asyncio.to_thread(call, self.session, self._progress)
        except Exception as error:
            self.ended = time.monotonic()
            if self.state == "cancelled":
                raise Interrupted(f"{self.title}: cancelled after {self.seconds:.1f} s") from error
            self.state, self.error = "failed", str(error)
            if isinstance(error, Error):
                raise
            raise Error(f"internal error: {type(error).__name__}: {error}; please report it") from error
        self.ended, self.state = time.monotonic(), "done"
        return found

    def _progress(self, share: float) -> None:
        self.share = share


@dataclass(slots=True)
class Works:
    """All calls of a page, with a cache of the last results, so that a reload does not run them again.

    Attributes:
        database: database in whose sessions they run.
    """

    database: Database
    _running: dict[Hashable, Work[Any]] = field(default_factory=dict)
    _answers: OrderedDict[Hashable, tuple[Any, Database]] = field(default_factory=OrderedDict)
    _ended: list[Work[Any]] = field(default_factory=list)

    def __iter__(self) -> Iterator[Work[Any]]:
        """Running calls and the last finished ones, the latest first."""
        yield from self._running.values()
        yield from reversed(self._ended)

    def answer(self, key: Hashable) -> Any:
        """The cached result of a key; None where there is none."""
        if key not in self._answers:
            return None
        self._answers.move_to_end(key)
        return self._answers[key][0]

    def running(self, key: Hashable) -> Work[Any] | None:
        """The running call of a key; None where there is none."""
        return self._running.get(key)

    async def ask(self, key: Hashable, title: str, call: Call[T], shown: Callable[[Work[T]], object]) -> T:
        """The result of a call: from the cache, from a running call with the same key, or from a new call.

        Args:
            key: cache key, equal for calls with the same result.
            title: short description of the call.
            call: function that is run on a thread.
            shown: called with the work where the result is not cached.

        Raises:
            Error: the call has failed, or was cancelled.
        """
        if key in self._answers:
            known: T = self.answer(key)
            return known
        work = self._running.get(key)
        if work is None:
            work = Work[T](title, self.database.session())
            self._running[key] = work
            work.begin(call)
            following = asyncio.create_task(self._followed(key, work))
            shown(work)
            await following
            return await work.outcome()
        shown(work)
        found: T = await work.outcome()
        return found

    async def _followed(self, key: Hashable, work: Work[Any]) -> None:
        try:
            found = await work.outcome()
        except Error:
            work.session.close()
        else:
            self._answers[key] = (found, work.session)
        finally:
            self._running.pop(key, None)
            self._ended.append(work)
            del self._ended[:-_ENDED]
        while len(self._answers) > _ANSWERS:
            self._answers.popitem(last=False)[1][1].close()

    def forget(self) -> None:
        """Clears the cache, as after a write."""
        while self._answers:
            self._answers.popitem()[1][1].close()

    def close(self) -> None:
        """Cancels all running calls."""
        for work in list(self._running.values()):
            with suppress(Error):
                work.session.interrupt()
        self.forget()
