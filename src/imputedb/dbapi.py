"""Python's database interface, PEP 249: connections and cursors whose queries are answered as if nothing were missing.

Every connection is in a transaction from its first statement until `commit` or `rollback`, or the statements of these
names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import duckdb

from imputedb import arguments, errors
from imputedb.database import Database
from imputedb.database import connect as opened
from imputedb.result import Result
from imputedb.sql.parameters import Given
from imputedb.sql.tokens import Token, tokens

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Binary",
    "Connection",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "Warning",
    "apilevel",
    "connect",
    "paramstyle",
    "threadsafety",
]

Read = TypeVar("Read")

apilevel, threadsafety, paramstyle = "2.0", 1, "qmark"

_QUERIES = ("select", "from", "values", "table", "pivot", "unpivot", "show", "describe", "desc", "summarize", "explain")
_CHANGES = ("insert", "update", "delete", "merge")
_COUNTED, _SILENT = ["Count"], ["Success"]
"""The columns of an answer that is no rows: how many a statement has changed, or nothing."""

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
        case errors.Unplanned():
            return NotSupportedError
        case errors.QueryError():
            return _kind_of_duckdb(error.__cause__)
        case errors.StorageError():
            return OperationalError
        case errors.DataError():
            return DataError
        case _:
            return InternalError


def _kind_of_duckdb(cause: BaseException | None) -> type[Error]:
    """What DuckDB takes its refusal for; a mistake in the statement where it is ours."""
    match cause:
        case duckdb.IntegrityError():
            return IntegrityError
        case duckdb.DataError():
            return DataError
        case duckdb.NotSupportedError():
            return NotSupportedError
        case duckdb.OperationalError():
            return OperationalError
        case _:
            return ProgrammingError


@dataclass(frozen=True, slots=True)
class Type:
    """A kind of columns, equal to the type of a column in `Cursor.description` that is of the kind.

    Attributes:
        names: of DuckDB's types, without what they have in parentheses.
    """

    names: frozenset[str]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Type):
            return self.names == other.names
        return isinstance(other, str) and other.partition("(")[0] in self.names

    def __hash__(self) -> int:
        return hash(self.names)


_WHOLE = "TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT BIGNUM"
STRING = Type(frozenset({"VARCHAR", "ENUM", "JSON", "UUID", "BIT"}))
BINARY = Type(frozenset({"BLOB"}))
NUMBER = Type(frozenset({*_WHOLE.split(), "FLOAT", "DOUBLE", "DECIMAL", "BOOLEAN"}))
_MOMENTS = ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE")
DATETIME = Type(frozenset({"DATE", "TIME", "TIME_NS", "TIME WITH TIME ZONE", *_MOMENTS, "INTERVAL"}))
ROWID = Type(frozenset({"BIGINT"}))

Date, Time, Timestamp, Binary = date, time, datetime, bytes
DateFromTicks, TimestampFromTicks = date.fromtimestamp, datetime.fromtimestamp


def TimeFromTicks(ticks: float) -> time:  # noqa: N802
    """The local time of day, so many seconds after the beginning of 1970."""
    return datetime.fromtimestamp(ticks).time()


class Connection:
    """A connection; in a `with` block it is committed where the block ends well, else rolled back."""

    def __init__(self, database: Database, wishes: dict[str, Any]) -> None:
        self.database: Database | None = database
        self._wishes = wishes

    def cursor(self) -> Cursor:
        """A cursor."""
        self.opened()
        return Cursor(self)

    def answered(self, text: str, values: Given) -> Result | None:
        """The answer to a statement, in a transaction; None of one about transactions.

        Raises:
            ProgrammingError: it begins a transaction in another one.
        """
        database = self.opened()
        match _verb(text):
            case "commit" | "end" | "rollback" | "abort":
                self._end(text)
                return None
            case "begin" | "start":
                if database.in_transaction:
                    raise ProgrammingError("a transaction is open, from its first statement on: commit or roll back")
                with _translated():
                    database.sql(text)
                return None
        with _translated():
            if not database.in_transaction:
                database.execute("BEGIN")
            return database.sql(text, values, **self._wishes)

    def commit(self) -> None:
        """Keeps what was written.

        Raises:
            OperationalError: an error had aborted the transaction, and nothing of it is kept.
        """
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
        if database.in_transaction:
            with _translated():
                result = database.sql(statement)
            if result.report.notes:
                raise OperationalError(result.report.notes[0])

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
        self._changed = -1
        self._closed = False

    def execute(self, text: str, values: Given = None) -> Cursor:
        """Runs one statement, with values of its parameters."""
        self._check_open()
        self.result, self._changed = None, -1
        result = self.connection.answered(text, values)
        if result is not None:
            self._take(text, result)
        return self

    def executemany(self, text: str, rows: Iterable[Given]) -> Cursor:
        """Runs one statement once for each row of values; there is no answer to read."""
        self._check_open()
        with _translated():
            given = arguments.listed("rows", rows, example="such as [(1, 'a'), (2, 'b')]")
        self.result, changed = None, 0
        for values in given:
            self.execute(text, values)  # type: ignore[arg-type]
            changed = -1 if changed < 0 or self._changed < 0 else changed + self._changed
        self.result, self._changed = None, changed if given else -1
        return self

    def _take(self, text: str, result: Result) -> None:
        """Takes note of an answer: rows, or how many a statement has changed."""
        counts = result.columns in (_COUNTED, _SILENT) and _verb(text) not in _QUERIES
        if not counts:
            self.result = result
        elif result.columns == _COUNTED:
            with _translated():
                found = result.fetchall()
            self._changed = int(found[0][0]) if found else -1

    @property
    def description(self) -> list[tuple[str, str, None, None, None, None, None]] | None:
        """Name and type of each column; None where there is no answer."""
        return None if self.result is None else self.result.description

    @property
    def rowcount(self) -> int:
        """The rows of the answer, or those that a statement has changed; -1 where neither is known."""
        return self._changed if self.result is None else self._read(len)

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
        return self

    def __next__(self) -> tuple[Any, ...]:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

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


def _verb(text: object) -> str:
    """What a statement does: its first word in lower case, or that behind its WITH; nothing of what is no text."""
    try:
        found: list[Token] = tokens(text) if isinstance(text, str) else []
    except (duckdb.Error, UnicodeError):  # the database says what is wrong with it
        return ""
    words = [token.word for token in found if token.depth == 0 and token.text != ";"]
    if words[:1] != ["with"]:
        return words[0] if words else ""
    return next((word for word in words if word in _QUERIES + _CHANGES), "")
