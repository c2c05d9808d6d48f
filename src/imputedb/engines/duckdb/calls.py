"""A user's calls on one connection: one at a time, interruptible, and cleaned up after."""

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from traceback import clear_frames
from typing import TypeVar

import duckdb

from imputedb.border import UNDER_WAY, raise_ours
from imputedb.engines.duckdb.changes import WriteScope
from imputedb.engines.duckdb.interrupt import StatementRunner, TurnLock
from imputedb.engines.duckdb.transactions import Transactions
from imputedb.engines.duckdb.watchdog import Watchdog
from imputedb.engines.duckdb.writes import Writes
from imputedb.engines.signals import Signals, is_main
from imputedb.errors import Error, QueryError, StorageError
from imputedb.sql.deep import ROOM

Read = TypeVar("Read")


class Calls:
    """The calls of threads, which take turns on a connection.

    Attributes:
        path: the path of the database.
        lock: the lock held by the thread whose turn it is.
        signals: the process's signal handlers during a call.
        titled: replaces internal names in a message by those that the user knows.
        tidying: functions that are called after a call, to release what a failed one may have left.
    """

    def __init__(
        self, path: str, signals: Signals, runner: StatementRunner, transactions: Transactions, writes: Writes
    ) -> None:
        self.path = path
        self.lock = TurnLock()
        self.signals = signals
        self.tidying: list[Callable[[], None]] = []
        self.titled: Callable[[str], str] = str
        self._runner = runner
        self._transactions = transactions
        self._writes = writes
        self._process = os.getpid()
        self._watchdog = Watchdog()

    # -- interruption -------------------------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """Interrupts the call of another thread."""
        self._runner.interrupt(is_called=self._writes.since is not None)

    def check(self) -> None:
        """Raises `Interrupted` if another thread has interrupted the call, `OutOfTime` if its time is over."""
        self._watchdog.check()
        self._runner.check()

    def within(self, seconds: float, end: Callable[[], None] | None) -> AbstractContextManager[None]:
        """Ends a block by `OutOfTime` after some seconds; `end` interrupts the statement that runs then."""
        return self._watchdog.within(seconds, end)

    # -- turns --------------------------------------------------------------------------------------------------------

    def run(self, work: Callable[[], Read]) -> Read:
        """The result of a call in a turn of its own; a failed call leaves nothing behind.

        Raises:
            QueryError: this thread is within another call, in a progress callback or an imputer.
            StorageError: this process was forked from the one that opened the database.
        """
        self.check_process()
        if threading.get_ident() in self._writes.changes.callers:
            raise QueryError("the database is in the middle of a call: a function that the call uses cannot query it")
        return self._in_turn(work)

    def reading(self, work: Callable[[], Read]) -> Read:
        """The result of a call that reads held rows; it may be made within another call.

        Raises:
            StorageError: as `made`.
        """
        self.check_process()
        if not self.lock.is_mine and UNDER_WAY.get() is None:
            return self._in_turn(work)
        try:
            return work()
        except BaseException as error:
            raise_ours(error)
            raise

    @property
    def is_own(self) -> bool:
        """Whether this process opened the database, and was not forked from one that did."""
        return os.getpid() == self._process

    def check_process(self) -> None:
        """Raises an error in a process that was forked from the one that opened the database.

        Raises:
            StorageError: this process was forked.
        """
        if not self.is_own:
            raise StorageError(f"{self.path} was opened before this process was forked: open it again here")

    def _in_turn(self, work: Callable[[], Read]) -> Read:
        """The result of work in a turn of its own, cleaned up after; on the main thread, signals interrupt it alone."""
        signals, me = self.signals if is_main() else None, threading.get_ident()
        callers = self._writes.changes.callers
        outermost, before = me not in callers, UNDER_WAY.get()
        ROOM.raise_limit()
        try:
            if signals:
                signals.install()
            self.lock.acquire(signals)
            if signals:
                signals.deferred = False
            self._writes.since = self._writes.changes.now()
            callers.add(me)
            UNDER_WAY.set(self)
            found = work()
            self._clean_up(signals)
            return found
        except BaseException as error:
            self._clean_up(signals, error)
            if signals is None or error is not signals.raised:
                raise_ours(error, self.titled)
            raise
        finally:
            if signals:
                signals.deferred = True
            UNDER_WAY.set(before)
            if self.lock.is_mine:
                self._writes.since = None
                self._runner.reset()
                if outermost:
                    callers.discard(me)
            self.lock.release()
            ROOM.restore()
            if signals:
                signals.uninstall()

    def _clean_up(self, signals: Signals | None, error: BaseException | None = None) -> None:
        """Cleans up after a call; raises a signal handler's exception unless that is `error` already."""
        if signals:
            signals.deferred = signals.over = True
        self._writes.changes.release_lock()
        raised = signals and signals.raised
        if self.lock.is_mine:
            if raised or not isinstance(error, Error | duckdb.Error | None):  # an exception between any two steps
                clear_frames(error.__traceback__ if error else None)  # ends blocks that were being entered or left
                self._rolled_back()
            for tidy in self.tidying:
                tidy()
        if raised and error is not raised:
            raise raised

    def _rolled_back(self) -> None:
        """Rolls back imputedb's own transaction that a call has left; the user's stays open."""
        self._transactions.end_own()
        self._writes.changed(WriteScope.ANYTHING)
