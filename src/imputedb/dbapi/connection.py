"""Connections and cursors of PEP 249."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from inspect import Parameter, signature
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from imputedb import arguments
from imputedb.database import Database
from imputedb.database import connect as opened
from imputedb.dbapi.errors import InterfaceError, OperationalError, ProgrammingError, translated
from imputedb.notes import NoteKind, is_of
from imputedb.result import Result
from imputedb.sql.parameters import Given
from imputedb.sql.tokens import first_word

Read = TypeVar("Read")


def connect(path: str | Path = ":memory:", *, read_only: bool = False, **wishes: Any) -> Connection:
    """A connection to a DuckDB file, or to a database in memory.

    Args:
        path: path of the file, created where there is none.
        read_only: whether nothing can be written.
        wishes: options for every query, such as `imputer` or `m` (see `Database.sql`).

    Raises:
        ProgrammingError: queries have no such option.
        OperationalError: the file cannot be opened.
    """
    known = [name for name, one in signature(Database.sql).parameters.items() if one.kind is Parameter.KEYWORD_ONLY]
    for name in wishes:
        if name not in known:
            raise ProgrammingError(f"queries have no {name!r}; there are {', '.join(known)}")
    with translated():
        return Connection(opened(path, read_only=read_only), wishes)


class Connection:
    """A connection; a `with` block commits at its end, and rolls back after an error."""

    def __init__(self, database: Database, wishes: dict[str, Any]) -> None:
        self.database: Database | None = database
        self._wishes = wishes

    def cursor(self) -> Cursor:
        """A cursor."""
        self.opened()
        return Cursor(self)

    def answered(self, text: str, values: Given) -> Result | None:
        """The answer to a statement, in a transaction; None for statements about transactions.

        Raises:
            ProgrammingError: the statement begins a transaction within another.
        """
        database = self.opened()
        match first_word(text) if isinstance(text, str) else "":
            case "commit" | "end" | "rollback" | "abort":
                self._end(text)
                return None
            case "begin" | "start":
                if database.in_transaction:
                    raise ProgrammingError("a transaction is open, from its first statement on: commit or roll back")
                with translated():
                    database.sql(text)
                return None
        with translated():
            if not database.in_transaction:
                database.execute("BEGIN")
            return database.sql(text, values, **self._wishes)

    def commit(self) -> None:
        """Commits the transaction.

        Raises:
            OperationalError: an earlier error has aborted the transaction, which is rolled back.
        """
        self._end("COMMIT")

    def rollback(self) -> None:
        """Rolls the transaction back."""
        self._end("ROLLBACK")

    def close(self) -> None:
        """Closes the connection; an open transaction is rolled back."""
        if self.database is not None:
            with translated():
                self.database.close()
            self.database = None

    def opened(self) -> Database:
        """The open database.

        Raises:
            InterfaceError: the connection is closed.
        """
        if self.database is None:
            raise InterfaceError("the connection is closed")
        return self.database

    def _end(self, statement: str) -> None:
        database = self.opened()
        if database.in_transaction:
            with translated():
                result = database.sql(statement)
            for note in result.report.notes:
                if is_of(NoteKind.UNDONE, note):
                    raise OperationalError(note)

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.commit() if kind is None else self.rollback()


class Cursor:
    """A cursor: it runs one statement at a time, and reads its rows.

    Attributes:
        connection: its connection.
        arraysize: number of rows that `fetchmany` returns by default.
        result: last answer, with its report and warnings; None before the first.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.arraysize = 1
        self.result: Result | None = None
        self._changed = -1
        self._closed = False

    def execute(self, text: str, values: Given = None) -> Cursor:
        """Runs one statement, with values of its parameters."""
        self._check_open()
        self.result, self._changed = None, -1
        result = self.connection.answered(text, values)
        if result is not None:
            self._take(result)
        return self

    def executemany(self, text: str, rows: Iterable[Given]) -> Cursor:
        """Runs one statement for each row of values; there is no answer to read."""
        self._check_open()
        with translated():
            given = arguments.listed("rows", rows, example="such as [(1, 'a'), (2, 'b')]")
        self.result, changed = None, 0
        for values in given:
            self.execute(text, values)  # type: ignore[arg-type]
            changed = -1 if changed < 0 or self._changed < 0 else changed + self._changed
        self.result, self._changed = None, changed if given else -1
        return self

    def _take(self, result: Result) -> None:
        """Stores an answer: rows, or the number of changed rows."""
        if result.changed is None:
            self.result = result
        else:
            self._changed = result.changed

    @property
    def description(self) -> list[tuple[str, str, None, None, None, None, None]] | None:
        """Name and type of each column; None where there is no answer."""
        return None if self.result is None else self.result.description

    @property
    def rowcount(self) -> int:
        """The number of rows of the answer, or of changed rows; -1 if unknown."""
        return self._changed if self.result is None else self._read(len)

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row; None at the end."""
        return self._read(lambda result: result.fetchone())

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """The next rows, at most `size` or `arraysize`."""
        with translated():
            count = arguments.whole("size", self.arraysize if size is None else size, 0)
        return self._read(lambda result: result.fetchmany(count))

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The remaining rows."""
        return self._read(lambda result: result.fetchmany(len(result)))

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self

    def __next__(self) -> tuple[Any, ...]:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    def close(self) -> None:
        """Closes the cursor, and releases the answer."""
        self._closed, self.result = True, None

    def setinputsizes(self, sizes: object) -> None:
        """Does nothing, as PEP 249 allows."""

    def setoutputsize(self, size: object, column: object = None) -> None:
        """Nothing needs to be said of sizes."""

    def __enter__(self) -> Cursor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise InterfaceError("the cursor is closed")

    def _read(self, form: Callable[[Result], Read]) -> Read:
        self._check_open()
        self.connection.opened()
        if self.result is None:
            raise InterfaceError("there is no answer to read: execute a query first")
        with translated():
            return form(self.result)
