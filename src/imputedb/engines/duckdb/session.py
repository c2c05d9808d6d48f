"""One connection to one database: statements by turns, transactions, and when something may have been written."""

import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.relation import Table
from imputedb.border import UNDER_WAY, ours
from imputedb.duckdb_errors import CLOSED
from imputedb.engines.duckdb import fetching
from imputedb.engines.duckdb.bound import Bound
from imputedb.engines.duckdb.calls import Calls
from imputedb.engines.duckdb.changes import BROAD, Changes, Target, Written
from imputedb.engines.duckdb.fetching import files_of
from imputedb.engines.duckdb.interrupt import Runner
from imputedb.engines.duckdb.opening import Opening, further, opened
from imputedb.engines.duckdb.processes import tended
from imputedb.engines.duckdb.transactions import Transactions
from imputedb.engines.duckdb.writes import Writes
from imputedb.engines.engine import Array, Held, Read, Rows, Values
from imputedb.engines.signals import Signals
from imputedb.errors import QueryError, StorageError
from imputedb.notes import Note
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
        transactions: the user's, and ours.
        remarks: what is to be said of tables that a call has replaced.
        depth: how deep expressions may be, with the state of settings that this was asked in.
        bounds: how deep they may be in statements of the user's, and of ours around those that run.
        owed: how deep they may be in the user's, where that could not be set again.
        changes: what has been written to the database, by any of its sessions.
        writes: these as this connection sees them.
        calls: the user's, by turns.
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
        self.changes: Changes = beside.changes if beside else Changes(files_of(self.connection, way.path))
        self.changes.connections += 1
        self._counted = weakref.finalize(self, self.changes.leave)
        self._is_closed = False
        self.transactions = Transactions(self.connection)
        signals = Signals()
        self._runner = Runner(self.connection, signals)
        self.writes = Writes(self.connection, self.changes, signals)
        self.calls = Calls(self.path, signals, self._runner, self.transactions, self.writes)
        self.lock, self.tidying = self.calls.lock, self.calls.tidying
        self.target: Callable[[str], Target] | None = None
        self.following: Callable[[str], Callable[[], None]] | None = None
        self.undone: Callable[[], None] | None = None
        self.remarks: list[Note] = []
        self.depth: tuple[object, Bound] | None = None
        self.bounds: list[Bound] = []
        self.owed: Bound | None = None
        tended(self)

    def interrupt(self) -> None:
        """Ends the call that another thread makes."""
        self.calls.interrupt()

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """Ends a block by `OutOfTime` once so many seconds are over; in a user's transaction only imputing."""
        return self.calls.within(seconds, None if self.in_transaction else self.connection.interrupt)

    def close(self) -> None:
        """Lets go of the database, in a turn of its own; nothing more where that was done before."""
        self.calls.made(self._close)

    def _close(self) -> None:
        if not self._is_closed:
            self._runner.close()
            self.connection.close()
            self._counted()
            self.changed(Written.ANYTHING)  # what a transaction of the user's has written is undone
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

        return self.calls.made(checked)

    def reading(self, work: Callable[[], Read], /) -> Read:
        """What a call of the user's gives that reads rows which are held; possible in the middle of another call.

        Raises:
            StorageError: as `call`.
        """
        return self.calls.reading(work)

    @property
    def is_own(self) -> bool:
        """Whether it is this process that has opened the database, and none that was forked from it."""
        return self.calls.is_own

    # -- writes -------------------------------------------------------------------------------------------------------

    def state(self, tables: Collection[Table] | None = None) -> object:
        """A token that differs whenever one of some tables, or any, may have been written (`Writes.state`)."""
        return self.writes.state(tables)

    @property
    def is_alone(self) -> bool:
        """Whether the database has no other session."""
        return self.changes.connections < 2

    def is_behind(self, own: object = None) -> bool:
        """Whether another session has written since the call began that is under way, or is writing."""
        return self.writes.is_behind(own)

    def changed(self, target: Target = Written.ANYTHING) -> None:
        """Says what this connection may have written."""
        self.writes.changed(target)

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

    def qualified_tables_in(self, text: str) -> set[str]:
        """The same as they are written, quoted where need be; none where a text is no query."""
        try:
            return self.connection.get_table_names(text, qualified=True)
        except duckdb.Error:
            return set()

    def untold_tables(self, text: str) -> str:
        """Why DuckDB cannot tell which tables a query reads; nothing where it can, or where a text is no query."""
        try:
            self.connection.get_table_names(text)
        except duckdb.BinderException as error:
            return str(error).splitlines()[0]
        except duckdb.Error:
            return ""
        return ""

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
            follow = self.following(text) if self.following and target in BROAD else None
            with self.writes.writing(target):
                try:
                    return self._noted(text, verb, work, follow)
                except duckdb.Error as error:
                    if self.transactions.failed(verb) and self.undone:
                        self.undone()
                    raise ours(error) from error

    def _noted(
        self,
        text: str,
        verb: str,
        work: Callable[[duckdb.DuckDBPyConnection], Read],
        follow: Callable[[], None] | None,
    ) -> Read:
        """What a statement gives; once it has run, what is known of it is noted, whatever signals come."""
        with self.calls.signals.held():
            found = self._runner.do(work)
            self._runner.late = True
            self.transactions.ran(verb, text)
            if verb in _ATTACHING:
                self.changes.watch(files_of(self.connection, self.path) or ())
            if follow:
                self.writes.remade()
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
