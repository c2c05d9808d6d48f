"""The calls of a user's on one connection: each in a turn of its own, ended from outside, and tidied up after."""

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from traceback import clear_frames
from typing import TypeVar

import duckdb

from imputedb.border import UNDER_WAY, raise_ours
from imputedb.engines.duckdb.changes import Written
from imputedb.engines.duckdb.interrupt import Runner, TurnLock
from imputedb.engines.duckdb.transactions import Transactions
from imputedb.engines.duckdb.watchdog import Watchdog
from imputedb.engines.duckdb.writes import Writes
from imputedb.engines.signals import Signals, is_main
from imputedb.errors import Error, QueryError, StorageError
from imputedb.sql.deep import ROOM

Read = TypeVar("Read")


class Calls:
    """The calls that threads make by turns.

    Attributes:
        path: of the database.
        lock: held by the thread whose turn it is.
        signals: what comes in the middle of a call.
        titled: gives a message the names that a user knows.
        tidying: called after a call: each lets go of what one that failed may have left.
    """

    def __init__(self, path: str, signals: Signals, runner: Runner, transactions: Transactions, writes: Writes) -> None:
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

    # -- ended from outside -------------------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """Ends the call that another thread makes."""
        self._runner.interrupt(is_called=self._writes.since is not None)

    def check(self) -> None:
        """Raises `Interrupted` where another thread has ended the call, `OutOfTime` where its time is over."""
        self._watchdog.check()
        self._runner.check()

    def within(self, seconds: float, end: Callable[[], None] | None) -> AbstractContextManager[None]:
        """Ends a block by `OutOfTime` once so many seconds are over, and by `end` the statement that runs then."""
        return self._watchdog.within(seconds, end)

    # -- turns --------------------------------------------------------------------------------------------------------

    def made(self, work: Callable[[], Read]) -> Read:
        """What a call gives, in a turn of its own. Where it fails nothing of it is left.

        Raises:
            QueryError: this thread is in the middle of another call: its progress asks, or its imputer.
            StorageError: this process was forked from the one that opened the database.
        """
        self.check_process()
        if threading.get_ident() in self._writes.changes.callers:
            raise QueryError("the database is in the middle of a call: a function that the call uses cannot ask it")
        return self._alone(work)

    def reading(self, work: Callable[[], Read]) -> Read:
        """What a call gives that reads rows which are held; possible in the middle of another call.

        Raises:
            StorageError: as `made`.
        """
        self.check_process()
        if not self.lock.is_mine and UNDER_WAY.get() is None:
            return self._alone(work)
        try:
            return work()
        except BaseException as error:
            raise_ours(error)
            raise

    @property
    def is_own(self) -> bool:
        """Whether it is this process that has opened the database, and none that was forked from it."""
        return os.getpid() == self._process

    def check_process(self) -> None:
        """Refuses to go on in a process that was forked from the one that opened the database.

        Raises:
            StorageError: this is one.
        """
        if not self.is_own:
            raise StorageError(f"{self.path} was opened before this process was forked from another: open it anew here")

    def _alone(self, work: Callable[[], Read]) -> Read:
        """Work in a turn of its own, tidied up after; on the main thread signals may interrupt the work alone."""
        signals, me = self.signals if is_main() else None, threading.get_ident()
        callers = self._writes.changes.callers
        outermost, before = me not in callers, UNDER_WAY.get()
        ROOM.take()
        try:
            if signals:
                signals.take()
            self.lock.take(signals)
            if signals:
                signals.shut = False
            self._writes.since = self._writes.changes.now()
            callers.add(me)
            UNDER_WAY.set(self)
            found = work()
            self._over(signals)
            return found
        except BaseException as error:
            self._over(signals, error)
            if signals is None or error is not signals.raised:
                raise_ours(error, self.titled)
            raise
        finally:
            if signals:
                signals.shut = True
            UNDER_WAY.set(before)
            if self.lock.is_mine:
                self._writes.since = None
                self._runner.forget()
                if outermost:
                    callers.discard(me)
            self.lock.end()
            ROOM.give_back()
            if signals:
                signals.give_back()

    def _over(self, signals: Signals | None, error: BaseException | None = None) -> None:
        """Tidies up after a call; raises what a signal has ended it by, unless that is the error."""
        if signals:
            signals.shut = signals.over = True
        self._writes.changes.let_go()
        raised = signals and signals.raised
        if self.lock.is_mine:
            if raised or not isinstance(error, Error | duckdb.Error | None):  # it may have come between any two steps
                clear_frames(error.__traceback__ if error else None)  # blocks being entered or left are ended now
                self._rolled_back()
            for tidy in self.tidying:
                tidy()
        if raised and error is not raised:
            raise raised

    def _rolled_back(self) -> None:
        """Ends a transaction of ours that a call has left; the user's own stays."""
        self._transactions.end_ours()
        self._writes.changed(Written.ANYTHING)
