"""Python's database interface, PEP 249: connections and cursors whose queries are answered as if nothing were missing.

Every connection is in a transaction from its first statement until `commit` or `rollback`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import duckdb

from imputedb import arguments, errors
from imputedb.database import Database
from imputedb.database import connect as opened
from imputedb.result import Result
from imputedb.sql.parameters import Given

Read = TypeVar("Read")

apilevel, threadsafety, paramstyle = "2.0", 1, "qmark"

Warning = type("Warning", (Exception,), {"__doc__": "PEP 249: never raised; answers carry their warnings."})  # noqa: A001


class Error(Exception):
    """PEP 249: any error."""


class InterfaceError(Error):
    """PEP 249: of this interface, such as a cursor that is closed."""


class DatabaseError(Error):
    """PEP 249: of the database."""


class DataError(DatabaseError):
    """PEP 249: the data cannot be used as asked."""


class OperationalError(DatabaseError):
    """PEP 249: a file or a database cannot be read or written."""


class IntegrityError(DatabaseError):
    """PEP 249: a constraint is violated."""


class InternalError(DatabaseError):
    """PEP 249: a promise inside imputedb is broken."""


class ProgrammingError(DatabaseError):
    """PEP 249: the statement, or what was asked along with it, is wrong."""


class NotSupportedError(DatabaseError):
    """PEP 249: valid, but not done."""


def connect(path: str | Path = ":memory:", *, read_only: bool = False, **wishes: Any) -> Connection:
    """A connection to a DuckDB file, or to a database in memory.

    Args:
        path: the file; made if there is none.
        read_only: whether nothing may be written.
        wishes: what every query is asked with, such as `imputer` or `m` (see `Database.sql`).

    Raises:
        OperationalError: the file cannot be opened.
    """
    with _translated():
        return Connection(opened(path, read_only=read_only), wishes)


@contextmanager
def _translated() -> Iterator[None]:
    """Errors of ours as PEP 249 names them."""
    try:
        yield
    except errors.Error as error:
        raise _kind(error)(str(error)) from error


def _kind(error: errors.Error) -> type[Error]:
    match error:
        case errors.QueryError() if isinstance(error.__cause__, duckdb.ConstraintException):
            return IntegrityError
        case errors.Unplanned():
            return NotSupportedError
        case errors.QueryError():
            return ProgrammingError
        case errors.StorageError():
            return OperationalError
        case errors.DataError():
            return DataError
        case _:
            return InternalError


class Connection:
    """A connection; in a `with` block it is committed where the block ends well, else rolled back."""

    def __init__(self, database: Database, wishes: dict[str, Any]) -> None:
        self.database: Database | None = database
        self._wishes = wishes
        self._in_transaction = False

    def cursor(self) -> Cursor:
        """A cursor."""
        self.opened()
        return Cursor(self)

    def answered(self, text: str, values: Given) -> Result:
        """The answer to a statement, in a transaction."""
        database = self.opened()
        with _translated():
            if not self._in_transaction:
                database.execute("BEGIN")
                self._in_transaction = True
            return database.sql(text, values, **self._wishes)

    def commit(self) -> None:
        """Keeps what was written."""
        self._end("COMMIT")

    def rollback(self) -> None:
        """Takes back what was written."""
        self._end("ROLLBACK")

    def close(self) -> None:
        """Closes; what was not committed is taken back."""
        if self.database is not None:
            with _translated():
                self.database.close()
            self.database = None

    def opened(self) -> Database:
        """The database.

        Raises:
            InterfaceError: the connection is closed.
        """
        if self.database is None:
            raise InterfaceError("the connection is closed")
        return self.database

    def _end(self, statement: str) -> None:
        database = self.opened()
        if self._in_transaction:
            self._in_transaction = False
            with _translated():
                database.execute(statement)

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.commit() if kind is None else self.rollback()


class Cursor:
    """A cursor: one statement at a time, and its rows one after another.

    Attributes:
        connection: that it is of.
        arraysize: rows that `fetchmany` gives unless told otherwise.
        result: the last answer, with its report and warnings; None before there is one.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.arraysize = 1
        self.result: Result | None = None
        self._closed = False

    def execute(self, text: str, values: Given = None) -> Cursor:
        """Runs one statement, with values of its parameters."""
        self._check_open()
        self.result = None
        self.result = self.connection.answered(text, values)
        return self

    def executemany(self, text: str, rows: Sequence[Given]) -> Cursor:
        """Runs one statement once for each row of values; there is no answer to read."""
        self._check_open()
        for values in rows:
            self.connection.answered(text, values)
        self.result = None
        return self

    @property
    def description(self) -> list[tuple[str, str, None, None, None, None, None]] | None:
        """Name and type of each column; None where there is no answer."""
        return None if self.result is None else self.result.description

    @property
    def rowcount(self) -> int:
        """The rows of the answer; -1 where there is none."""
        return -1 if self.result is None else self._read(len)

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row; None when there is none left."""
        return self._read(lambda result: result.fetchone())

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """The next rows, so many or `arraysize`."""
        with _translated():
            count = arguments.whole("size", self.arraysize if size is None else size, 0)
        return self._read(lambda result: result.fetchmany(count))

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows that are left."""
        return self._read(lambda result: result.fetchall())

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.fetchone, None)

    def close(self) -> None:
        """Lets go of the answer."""
        self._closed, self.result = True, None

    def setinputsizes(self, sizes: object) -> None:
        """Nothing needs to be said of sizes."""

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
        with _translated():
            return form(self.result)
