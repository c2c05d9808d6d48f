"""One connection to one database: statements by turns, transactions, and when something may have been written."""

import os
import threading
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from traceback import clear_frames
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.relation import Table
from imputedb.border import UNDER_WAY, ours, raise_ours
from imputedb.duckdb_errors import CLOSED
from imputedb.engines.duckdb import fetching
from imputedb.engines.duckdb.bound import Bound
from imputedb.engines.duckdb.changes import Changes, Target, Written
from imputedb.engines.duckdb.fetching import files_of
from imputedb.engines.duckdb.interrupt import Runner, TurnLock
from imputedb.engines.duckdb.opening import Opening, further, opened
from imputedb.engines.duckdb.processes import tended
from imputedb.engines.duckdb.transactions import Transactions
from imputedb.engines.duckdb.watchdog import Watchdog
from imputedb.engines.engine import Array, Held, Read, Rows, Values
from imputedb.engines.signals import Signals, is_main
from imputedb.errors import Error, QueryError, StorageError
from imputedb.notes import Note
from imputedb.sql.deep import ROOM
from imputedb.sql.tokens import first_word, split

_ATTACHING = ("attach", "detach", "execute", "explain", "import")
"""The words that statements begin with which may attach databases."""


class Session:
    """A connection that threads take turns with; others, of sessions beside it, run side by side with it.

    Attributes:
        way: how the database was opened.
        path: of the database.
        read_only: whether nothing can be written to it.
        connection: DuckDB's own.
        root: the first session's, which the connections of all others are made of: DuckDB closes them with it.
        home: the name of the database that it was opened with.
        lock: held by the thread whose turn it is.
        signals: what comes in the middle of a call.
        transactions: the user's, and ours.
        remarks: what is to be said of tables that a call has replaced.
        depth: how deep expressions may be, with the state of settings that this was asked in.
        bounds: how deep they may be in statements of the user's, and of ours around those that run.
        owed: how deep they may be in the user's, where that could not be set again.
        changes: what has been written to the database, by any of its sessions.
        since: when the call began that is under way, as `Changes.now` has it; None outside of calls.
        target: what a statement of the user's writes, asked before it runs.
        following: told of every statement of the user's before it runs; what it gives is called once it has.
        undone: called when a COMMIT has failed, and undone its transaction.
        tidying: called after a call that failed: each lets go of what the call may have left.
    """

    def __init__(self, way: Opening, beside: "Session | None" = None) -> None:
        self.way, self.path, self.read_only = way, way.path, way.read_only or way.locked
        self.connection: duckdb.DuckDBPyConnection = further(beside.root) if beside else opened(way)
        self.root: duckdb.DuckDBPyConnection = beside.root if beside else self.connection
        self.home: str = self.connection.execute("SELECT current_database()").fetchall()[0][0]
        self.lock = TurnLock()
        self.signals = Signals()
        self._process = os.getpid()
        self._runner = Runner(self.connection, self.signals)
        self.changes: Changes = beside.changes if beside else Changes(files_of(self.connection, way.path))
        self.changes.connections += 1
        self._counted = weakref.finalize(self, self.changes.leave)
        self.since: int | None = None
        self._is_closed = False
        self._watchdog = Watchdog()
        self.transactions = Transactions(self.connection)
        self.target: Callable[[str], Target] | None = None
        self._looks = 0
        self.following: Callable[[str], Callable[[], None]] | None = None
        self.undone: Callable[[], None] | None = None
        self.remarks: list[Note] = []
        self.depth: tuple[object, Bound] | None = None
        self.bounds: list[Bound] = []
        self.owed: Bound | None = None
        self.tidying: list[Callable[[], None]] = []
        tended(self)

    def interrupt(self) -> None:
        """Ends the call that another thread makes."""
        self._runner.interrupt(is_called=self.since is not None)

    def check(self) -> None:
        """Raises `Interrupted` where another thread has ended the call, `OutOfTime` where its time is over."""
        self._watchdog.check()
        self._runner.check()

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """Ends a block by `OutOfTime` once so many seconds are over; in a user's transaction only imputing."""
        return self._watchdog.within(seconds, None if self.in_transaction else self.connection.interrupt)

    def close(self) -> None:
        """Lets go of the database, in a turn of its own; nothing more where that was done before."""
        self._outermost(self._close)

    def _close(self) -> None:
        if not self._is_closed:
            self._runner.close()
            self.connection.close()
            self._counted()
            self.changed()  # what a transaction of the user's has written is undone
        self._is_closed = True

    # -- the border ---------------------------------------------------------------------------------------------------

    def call(self, work: Callable[[], Read], /) -> Read:
        """What a call of the user's gives, in a turn of its own. Where it fails nothing of it is left.

        Raises:
            QueryError: this thread is in the middle of another call: its progress asks, or its imputer.
            StorageError: the database is closed, or this process was forked from the one that opened it.
        """

        def checked() -> Read:
            if self._is_closed:
                raise StorageError(CLOSED)
            return work()

        return self._outermost(checked)

    def _outermost(self, work: Callable[[], Read]) -> Read:
        self.check_process()
        if threading.get_ident() in self.changes.callers:
            raise QueryError("the database is in the middle of a call: a function that the call uses cannot ask it")
        return self._alone(work)

    def reading(self, work: Callable[[], Read], /) -> Read:
        """What a call of the user's gives that reads rows which are held; possible in the middle of another call.

        Raises:
            StorageError: as `call`.
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
        outermost, before = me not in self.changes.callers, UNDER_WAY.get()
        ROOM.take()
        try:
            if signals:
                signals.take()
            self.lock.take(signals)
            if signals:
                signals.shut = False
            self.since = self.changes.now()
            self.changes.callers.add(me)
            UNDER_WAY.set(self)
            found = work()
            self._over(signals)
            return found
        except BaseException as error:
            self._over(signals, error)
            if signals is None or error is not signals.raised:
                raise_ours(error)
            raise
        finally:
            if signals:
                signals.shut = True
            UNDER_WAY.set(before)
            if self.lock.is_mine:
                self.since = None
                self._runner.forget()
                if outermost:
                    self.changes.callers.discard(me)
            self.lock.end()
            ROOM.give_back()
            if signals:
                signals.give_back()

    def _over(self, signals: Signals | None, error: BaseException | None = None) -> None:
        """Tidies up after a call; raises what a signal has ended it by, unless that is the error."""
        if signals:
            signals.shut = signals.over = True
        self.changes.let_go()
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
        self.transactions.end_ours()
        self.changed()

    def state(self, tables: Collection[Table] | None = None) -> object:
        """A token that differs whenever one of some tables, or any, may have been written, by whatever connection.

        With no tables at all it differs when anything but rows may have changed. It is like no other where another
        session has written since this call began: the call may see the rows before that or after it.
        """
        return self.changes.state(tables, self.since)

    @property
    def is_alone(self) -> bool:
        """Whether the database has no other session."""
        return self.changes.connections < 2

    def is_behind(self, own: object = None) -> bool:
        """Whether another session has written since the call began that is under way, or is writing.

        A write of this one may be under way by its `own` mark.
        """
        return self.changes.state(None, self.since, own) != self.changes.state(None, None, own)

    def changed(self, table: Table | None = None) -> None:
        """Says that this connection may have written rows of a table, or unless it is given anything there is."""
        self.since = self.changes.written(table, self.since)

    # -- statements ---------------------------------------------------------------------------------------------------

    def rows(self, text: str, values: Values = None) -> list[tuple[Any, ...]]:
        """The rows of a statement."""
        with self.lock:
            return self._started().do(lambda connection: connection.execute(text, values or None).fetchall())

    def arrays(self, text: str) -> Mapping[str, Array]:
        """The columns of a SELECT as plain or masked arrays, in order."""
        with self.lock:
            return self._started().run(text, fetching.arrays)

    def numbers(self, text: str) -> list[NDArray[np.float64]]:
        """The columns of a SELECT of numbers as doubles, in order, NaN for NULL."""
        arrays = self.arrays(text)
        return [np.ma.filled(np.ma.asarray(one).astype(np.float64), np.nan) for one in arrays.values()]

    def held(self, text: str, *, last: bool = False) -> Held:
        """The rows of a statement, which runs once, held in memory.

        The `last` statement of a transaction needs none of its own where no other has run before it.
        """
        with self.lock:
            runner = self._runner if last else self._started()
            return runner.do(lambda connection: fetching.held(connection, text))

    def reread(self, text: str) -> list[tuple[Any, ...]]:
        """The rows of a SELECT over rows that are held."""
        return self._read(lambda connection: connection.execute(text).fetchall())

    def converted(self, text: str, form: Callable[[Rows], Read]) -> Read:
        """What a form makes of these."""
        return self._read(lambda connection: form(connection.sql(text)))

    def _read(self, work: Callable[[duckdb.DuckDBPyConnection], Read]) -> Read:
        """What work gives that reads rows which are held; on another connection where this one's transaction was
        aborted, or in the middle of another session's call, which must not wait for a turn of this one."""
        if not self.lock.is_mine and UNDER_WAY.get() is not None:
            with self.connection.cursor() as connection:
                return work(connection)
        with self.lock:
            try:
                return self._runner.do(work)
            except duckdb.TransactionException:
                with self.connection.cursor() as connection:
                    return work(connection)

    def verbatim(self, text: str) -> str:
        """The one statement of a text, without what separates statements."""
        return self.connection.extract_statements(text)[0].query

    def tables_in(self, text: str) -> set[str]:
        """The names of tables and views that a query reads."""
        return self.connection.get_table_names(text)

    def streamed(self, text: str, schema: object) -> object:
        """A stream of Arrow's C interface of rows that are held.

        It is read on a connection of its own, and asked for without a turn: a statement of this one may ask for it.
        """
        stream: Any = self.connection.cursor().sql(text)
        return stream.__arrow_c_stream__(schema)

    def execute(self, text: str, values: Values = None) -> list[tuple[Any, ...]]:
        """Runs any statement as it stands; of several the rows of the last.

        Raises:
            QueryError: DuckDB rejects it, with its reason.
            StorageError: it cannot be written.
        """
        with self.lock:
            *before, last = self._apart(text)
            for statement in before:  # each is followed before the next runs, which may mean something else by a name
                self._ran(statement, partial(fetching.fetched, text=statement, values=None))
            return self._ran(last, partial(fetching.fetched, text=last, values=values))

    def _apart(self, text: str) -> list[str]:
        """The statements of a text; none of them runs where one does not parse."""
        try:
            found = [statement.query for statement in self.connection.extract_statements(text)]
        except ValueError:  # a kind of statement that the client has no name for
            found = split(text)
        except duckdb.Error as error:
            raise ours(error) from error
        except TypeError as error:  # no text of Unicode
            raise QueryError("a text is not valid Unicode") from error
        if not found:
            raise QueryError("there is no statement to run")
        return found if len(found) > 1 else [text]

    def answered(self, text: str, values: Values = None) -> tuple[Held, list[str], list[str]]:
        """Runs any one statement as it stands: its rows, and the names and types of their columns.

        Raises:
            QueryError: DuckDB rejects it, with its reason.
            StorageError: it cannot be written.
        """
        return self._ran(text, lambda connection: fetching.answered(connection, text, values))

    def bounded_by(self, bound: Bound) -> None:
        """Sets how deep expressions may be; in a transaction that was aborted that has to wait for its end."""
        with suppress(duckdb.Error):
            self.rows(bound.setting)
            self.depth = (self.state(()), bound)
            if self.owed == bound:
                self.owed = None

    def _ran(self, text: str, work: Callable[[duckdb.DuckDBPyConnection], Read]) -> Read:
        with self.lock:
            self._runner.late = False
            if self.owed:
                self.bounded_by(self.owed)
            verb = first_word(text)
            target = self.target(text) if self.target else Written.ANYTHING
            follow = self.following(text) if self.following and target is Written.ANYTHING else None
            with self.writing(target):
                try:
                    return self._noted(text, verb, work, follow)
                except duckdb.Error as error:
                    if self.transactions.failed(verb) and self.undone:
                        self.undone()
                    raise ours(error) from error

    @contextmanager
    def writing(self, target: Target = Written.ANYTHING) -> Iterator[object]:
        """A write that is under way by the mark that is given, and noted when it is over."""
        mark = object()
        try:
            self.changes.begin(mark, target)
            with self.alone_in_writing() if isinstance(target, Table) else nullcontext():
                yield mark
        finally:
            with self.signals.held():
                if target is not Written.NOTHING:
                    self.changed(target if isinstance(target, Table) else None)
                self.changes.end(mark)

    @contextmanager
    def alone_in_writing(self, connections: int = 0) -> Iterator[None]:
        """Takes what a file changes by for the work of this block, where no connection but those of sessions was there.

        DuckDB numbers connections as they are opened. The work opens so many of its own, and one a look at the number.
        """
        before, looks = self._last_connection(), self._looks
        yield
        connections += self._looks - looks
        after = self._last_connection()
        if before is not None and after == before + 1 + connections:
            self.changes.ours()

    def _last_connection(self) -> int | None:
        """The number of the connection opened last; None where there are others than those of sessions."""
        self._looks += 1
        try:
            with self.connection.cursor() as connection:
                text = "SELECT current_connection_id(), count FROM duckdb_connection_count()"
                ((number, count),) = connection.execute(text).fetchall()
        except (duckdb.Error, ValueError):
            return None
        return int(number) if count == self.changes.connections + 1 else None

    def _noted(
        self,
        text: str,
        verb: str,
        work: Callable[[duckdb.DuckDBPyConnection], Read],
        follow: Callable[[], None] | None,
    ) -> Read:
        """What a statement gives; once it has run, what is known of it is noted, whatever signals come."""
        with self.signals.held():
            found = self._runner.do(work)
            self._runner.late = True
            self.transactions.ran(verb, text)
            if verb in _ATTACHING:
                self.changes.watch(files_of(self.connection, self.path) or ())
            if follow:
                self.changed()
                follow()
        return found

    def taken(self) -> tuple[Note, ...]:
        """The remarks, which are then made."""
        found, self.remarks = tuple(dict.fromkeys(self.remarks)), []
        return found

    # -- transactions -------------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self, *, lazily: bool = False) -> Iterator[None]:
        """Several statements that see one state of the data; what was made meanwhile is gone if they fail.

        Lazily it begins with the first statement that is not the last one: a single one is a transaction by itself.
        """
        with self.lock, self.transactions.ours(lazily=lazily):
            yield

    def _started(self) -> Runner:
        """What runs statements, the transaction begun that they are to be in."""
        self.transactions.start()
        return self._runner

    @property
    def is_usual(self) -> bool:
        """Whether no setting was changed in it, and no transaction of the user's is open: it reads what others read."""
        return not (self.transactions.has_set or self.transactions.is_users)

    @property
    def in_transaction(self) -> bool:
        """Whether the user is in a transaction of his own."""
        return self.transactions.is_users

    def is_sound(self) -> bool:
        """Whether statements can run: in a transaction that was aborted none can, and COMMIT undoes it."""
        return self.transactions.is_sound()
