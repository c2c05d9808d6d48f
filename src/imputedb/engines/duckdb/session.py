"""A connection to a database: statements by turns, transactions, and the tracking of writes."""

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
from imputedb.engines.duckdb.changes import BROAD, Target, WriteCounts, WriteScope
from imputedb.engines.duckdb.fetching import files_of
from imputedb.engines.duckdb.interrupt import StatementRunner
from imputedb.engines.duckdb.opening import Opening, another_connection, connection_of
from imputedb.engines.duckdb.processes import close_at_exit
from imputedb.engines.duckdb.transactions import Transactions
from imputedb.engines.duckdb.writes import Writes
from imputedb.engines.engine import Array, Held, Read, Rows, Values
from imputedb.engines.signals import Signals
from imputedb.errors import QueryError, StorageError
from imputedb.notes import Note
from imputedb.sql.tokens import first_word, split

_ATTACHING = ("attach", "detach", "execute", "explain", "import")
"""First words of statements that may attach databases."""


class Session:
    """A connection on which threads take turns; other sessions of the database run side by side with it.

    Attributes:
        opening: the options by which the database was opened.
        path: the path of the database.
        read_only: whether nothing can be written to it.
        connection: the DuckDB connection.
        root: the connection of the first session, from which all others are made; closing it closes them.
        home: the name of the database that was opened.
        lock: the lock held by the thread whose turn it is.
        transactions: the user's transactions and imputedb's own.
        remarks: notes on tables that a call has replaced.
        depth: the limit on the depth of expressions, with the state of settings in which it was read.
        bounds: limits to restore after imputedb's own statements, the user's first.
        unrestored_bound: the user's limit, where it could not be restored yet.
        changes: writes to the database by any of its sessions.
        writes: these writes as this connection sees them.
        calls: the user's calls, by turns.
        write_target: tells what a statement of the user's writes, before it runs.
        on_statement: is given each statement of the user's before it runs; its result is called afterwards.
        on_failed_commit: is called when a COMMIT has failed and rolled back.
        tidying: functions that are called after a call, to release what a failed one may have left.
    """

    def __init__(self, way: Opening, beside: "Session | None" = None) -> None:
        self.opening, self.path, self.read_only = way, way.path, way.read_only or way.locked
        self.connection: duckdb.DuckDBPyConnection = another_connection(beside.root) if beside else connection_of(way)
        self.root: duckdb.DuckDBPyConnection = beside.root if beside else self.connection
        self.home: str = self.connection.execute("SELECT current_database()").fetchall()[0][0]
        self.changes: WriteCounts = beside.changes if beside else WriteCounts(files_of(self.connection, way.path))
        self.changes.connections += 1
        self._counted = weakref.finalize(self, self.changes.forget_connection)
        self._is_closed = False
        self.transactions = Transactions(self.connection)
        signals = Signals()
        self._runner = StatementRunner(self.connection, signals)
        self.writes = Writes(self.connection, self.changes, signals)
        self.calls = Calls(self.path, signals, self._runner, self.transactions, self.writes)
        self.lock, self.tidying = self.calls.lock, self.calls.tidying
        self.write_target: Callable[[str], Target] | None = None
        self.on_statement: Callable[[str], Callable[[], None]] | None = None
        self.on_failed_commit: Callable[[], None] | None = None
        self.remarks: list[Note] = []
        self.depth: tuple[object, Bound] | None = None
        self.bounds: list[Bound] = []
        self.unrestored_bound: Bound | None = None
        close_at_exit(self)

    def interrupt(self) -> None:
        """Interrupts the call of another thread."""
        self.calls.interrupt()

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """Ends a block by `OutOfTime` after some seconds; in a user's transaction, statements are not interrupted."""
        return self.calls.within(seconds, None if self.in_transaction else self.connection.interrupt)

    def close(self) -> None:
        """Closes the session, in a turn of its own; has no effect on a closed one."""
        self.calls.run(self._close)

    def _close(self) -> None:
        if not self._is_closed:
            self._runner.close()
            self.connection.close()
            self._counted()
            self.changed(WriteScope.ANYTHING)  # an open transaction of the user's is rolled back
        self._is_closed = True

    # -- the border ---------------------------------------------------------------------------------------------------

    def call(self, work: Callable[[], Read], /) -> Read:
        """The result of a user's call in a turn of its own; a failed call leaves nothing behind.

        Raises:
            QueryError: this thread is within another call, in a progress callback or an imputer.
            StorageError: the database is closed, or this process was forked from the one that opened it.
        """

        def checked() -> Read:
            if self._is_closed:
                raise StorageError(CLOSED)
            return work()

        return self.calls.run(checked)

    def reading(self, work: Callable[[], Read], /) -> Read:
        """The result of a user's call that reads held rows; it may be made within another call.

        Raises:
            StorageError: as `call`.
        """
        return self.calls.reading(work)

    @property
    def is_own(self) -> bool:
        """Whether this process opened the database, and was not forked from one that did."""
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
        """Whether another session has written since the current call began, or is writing now."""
        return self.writes.is_behind(own)

    def changed(self, target: Target = WriteScope.ANYTHING) -> None:
        """Records what this connection may have written."""
        self.writes.changed(target)

    # -- statements ---------------------------------------------------------------------------------------------------

    def rows(self, text: str, values: Values = None) -> list[tuple[Any, ...]]:
        """The rows of a statement."""
        with self.lock:
            return self._started().call(lambda connection: connection.execute(text, values or None).fetchall())

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

        The `last` statement of a lazy transaction begins none if no other has run before it.
        """
        with self.lock:
            runner = self._runner if last else self._started()
            return runner.call(lambda connection: fetching.held(connection, text))

    def reread(self, text: str) -> list[tuple[Any, ...]]:
        """The rows of a SELECT over held rows."""
        return self._read(lambda connection: connection.execute(text).fetchall())

    def converted(self, text: str, form: Callable[[Rows], Read]) -> Read:
        """The rows of a SELECT over held rows, converted by `form`."""
        return self._read(lambda connection: form(connection.sql(text)))

    def _read(self, work: Callable[[duckdb.DuckDBPyConnection], Read]) -> Read:
        """The result of work that reads held rows.

        It is done on another connection within another session's call, which must not wait for this one's turn, and
        after this connection's transaction was aborted.
        """
        if not self.lock.is_mine and UNDER_WAY.get() is not None:
            with self.connection.cursor() as connection:
                return work(connection)
        with self.lock:
            try:
                return self._runner.call(work)
            except duckdb.TransactionException:
                with self.connection.cursor() as connection:
                    return work(connection)

    def verbatim(self, text: str) -> str:
        """The one statement of a text, without separators."""
        return self.connection.extract_statements(text)[0].query

    def tables_in(self, text: str) -> set[str]:
        """The names of tables and views that a query reads."""
        return self.connection.get_table_names(text)

    def qualified_tables_in(self, text: str) -> set[str]:
        """The same as written in the query, quoted where necessary; empty where a text is no query."""
        try:
            return self.connection.get_table_names(text, qualified=True)
        except duckdb.Error:
            return set()

    def unreported_tables(self, text: str) -> str:
        """The reason why DuckDB cannot tell which tables a query reads; empty where it can, or a text is no query."""
        try:
            self.connection.get_table_names(text)
        except duckdb.BinderException as error:
            return str(error).splitlines()[0]
        except duckdb.Error:
            return ""
        return ""

    def streamed(self, text: str, schema: object) -> object:
        """A stream of Arrow's C interface of held rows.

        It is read on a connection of its own and without a turn, since a statement of this session may read it.
        """
        stream: Any = self.connection.cursor().sql(text)
        return stream.__arrow_c_stream__(schema)

    def execute(self, text: str, values: Values = None) -> list[tuple[Any, ...]]:
        """Runs any statements unchanged; gives the rows of the last.

        Raises:
            QueryError: DuckDB rejects one, with its reason.
            StorageError: it cannot be written.
        """
        with self.lock:
            *before, last = self._split(text)
            for statement in before:  # each may change what names mean in the next
                self._run(statement, partial(fetching.fetched, text=statement, values=None))
            return self._run(last, partial(fetching.fetched, text=last, values=values))

    def _split(self, text: str) -> list[str]:
        """The statements of a text; an error if one does not parse, before any runs."""
        try:
            found = [statement.query for statement in self.connection.extract_statements(text)]
        except ValueError:  # a kind of statement that the client has no name for
            found = split(text)
        except duckdb.Error as error:
            raise ours(error) from error
        except TypeError as error:  # the text is not valid Unicode
            raise QueryError("a text is not valid Unicode") from error
        if not found:
            raise QueryError("there is no statement to run")
        return found if len(found) > 1 else [text]

    def answered(self, text: str, values: Values = None) -> tuple[Held, list[str], list[str]]:
        """Runs one statement unchanged; gives its rows, and the names and types of their columns.

        Raises:
            QueryError: DuckDB rejects it, with its reason.
            StorageError: it cannot be written.
        """
        return self._run(text, lambda connection: fetching.answered(connection, text, values))

    def set_depth(self, bound: Bound) -> None:
        """Sets a limit on the depth of expressions; in an aborted transaction that must wait for its end."""
        with suppress(duckdb.Error):
            self.rows(bound.setting)
            self.depth = (self.state(()), bound)
            if self.unrestored_bound == bound:
                self.unrestored_bound = None

    def _run(self, text: str, work: Callable[[duckdb.DuckDBPyConnection], Read]) -> Read:
        with self.lock:
            self._runner.is_too_late = False
            if self.unrestored_bound:
                self.set_depth(self.unrestored_bound)
            verb = first_word(text)
            target = self.write_target(text) if self.write_target else WriteScope.ANYTHING
            follow = self.on_statement(text) if self.on_statement and target in BROAD else None
            with self.writes.writing(target):
                try:
                    return self._noted(text, verb, work, follow)
                except duckdb.Error as error:
                    if self.transactions.record_failure(verb) and self.on_failed_commit:
                        self.on_failed_commit()
                    raise ours(error) from error

    def _noted(
        self,
        text: str,
        verb: str,
        work: Callable[[duckdb.DuckDBPyConnection], Read],
        follow: Callable[[], None] | None,
    ) -> Read:
        """The result of a statement; signals are deferred until its effects are recorded."""
        with self.calls.signals.deferring():
            found = self._runner.call(work)
            self._runner.is_too_late = True
            self.transactions.record(verb, text)
            if verb in _ATTACHING:
                self.changes.watch(files_of(self.connection, self.path) or ())
            if follow:
                self.writes.record_definition()
                follow()
        return found

    def taken(self) -> tuple[Note, ...]:
        """The remarks, which are cleared."""
        found, self.remarks = tuple(dict.fromkeys(self.remarks)), []
        return found

    # -- transactions -------------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self, *, lazily: bool = False) -> Iterator[None]:
        """A block whose statements see one state of the data; its changes are undone if it fails.

        A lazy transaction begins with the first statement that is not the last; a single one needs none.
        """
        with self.lock, self.transactions.own(lazily=lazily):
            yield

    def _started(self) -> StatementRunner:
        """The runner of statements, after the transaction that is due has begun."""
        self.transactions.start()
        return self._runner

    @property
    def is_usual(self) -> bool:
        """Whether the session reads what others read: no setting was changed, and the user has no transaction open."""
        return not (self.transactions.has_set or self.transactions.is_users)

    @property
    def in_transaction(self) -> bool:
        """Whether the user has a transaction open."""
        return self.transactions.is_users

    def is_sound(self) -> bool:
        """Whether statements can run; in an aborted transaction none can, and COMMIT rolls it back."""
        return self.transactions.is_sound()
