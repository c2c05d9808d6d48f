"""One connection to one database: statements by turns, transactions, and when something may have been written."""

import atexit
import os
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from imputedb.engines.engine import Array
from imputedb.engines.opening import opened
from imputedb.engines.runner import Runner
from imputedb.errors import InternalError, StorageError
from imputedb.sql import parse


class Session:
    """A connection that threads take turns with.

    Attributes:
        path: of the database.
        read_only: whether nothing can be written to it.
        connection: DuckDB's own.
        lock: held by the thread whose turn it is.
    """

    def __init__(self, path: str, *, read_only: bool) -> None:
        self.path = path
        self.read_only = read_only
        self.connection = opened(path, read_only=read_only)
        self.lock = threading.RLock()
        self._runner = Runner(self.connection)
        self._version = 0
        self._in_transaction = False
        atexit.register(_close_quietly, weakref.ref(self))

    def close(self) -> None:
        """Lets go of the database."""
        with self.lock:
            self._runner.close()
            self.connection.close()

    def state(self) -> object:
        """A token that differs whenever something may have been written, by this connection or by another one."""
        if self.path == ":memory:":
            return self._version
        return (self._version, _stamp(self.path), _stamp(self.path + ".wal"))

    def changed(self) -> None:
        """Says that this connection may have written."""
        self._version += 1

    # -- statements ---------------------------------------------------------------------------------------------------

    def rows(self, text: str) -> list[tuple[Any, ...]]:
        """The rows of a statement."""
        with self.lock:
            return self._runner.run(text, _rows)

    def arrays(self, text: str) -> Mapping[str, Array]:
        """The columns of a SELECT as plain or masked arrays, in order."""
        with self.lock:
            return self._runner.run(text, _arrays)

    def numbers(self, text: str) -> list[NDArray[np.float64]]:
        """The columns of a SELECT of numbers as doubles, in order, NaN for NULL."""
        arrays = self.arrays(text)
        return [np.ma.filled(np.ma.asarray(one).astype(np.float64), np.nan) for one in arrays.values()]

    def execute(self, text: str) -> list[tuple[Any, ...]]:
        """Runs any statement as it stands.

        Raises:
            QueryError: DuckDB rejects it, with its reason.
            StorageError: it cannot be written.
        """
        with self.lock:
            try:
                rows = self._runner.run(text, _rows)
                self._note_transaction(text)
                return rows
            except (duckdb.IOException, duckdb.FatalException) as error:
                raise StorageError(str(error).partition(": ")[2]) from error
            except duckdb.Error as error:
                raise parse.translated(error) from error
            finally:
                self.changed()

    def verbatim(self, text: str) -> str:
        """The one statement of a text, without what separates statements."""
        return self.connection.extract_statements(text)[0].query

    # -- transactions -------------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Several statements that see one state of the data; what was made meanwhile is gone if they fail."""
        with self.lock:
            began = self._begin()
            try:
                yield
            except BaseException:
                if began:
                    with suppress(duckdb.Error):
                        self.connection.execute("ROLLBACK")
                raise
            if began:
                self.connection.execute("COMMIT")

    def _begin(self) -> bool:
        if self._in_transaction:
            return False
        try:
            self.connection.execute("BEGIN")
        except duckdb.ConnectionException as error:
            raise StorageError("the database is closed") from error
        return True

    def _note_transaction(self, text: str) -> None:
        """Whether the user is in a transaction of his own: another BEGIN would abort it."""
        for statement in self.connection.extract_statements(text):
            if statement.type == duckdb.StatementType.TRANSACTION:
                self._in_transaction = statement.query.split()[0].strip(";").lower() in ("begin", "start")


def _rows(ran: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return ran.fetchall()


def _arrays(ran: duckdb.DuckDBPyConnection) -> Mapping[str, Array]:
    return ran.fetchnumpy()


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # asked for often
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _close_quietly(reference: "weakref.ref[Session]") -> None:
    session = reference()
    if session is not None:
        with suppress(duckdb.Error, InternalError):
            session.connection.close()
