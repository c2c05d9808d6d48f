"""The side file of a service: its jobs and audit log, which no statement can access."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from imputedb.database import connect
from imputedb.errors import StorageError

FORMAT = 1
"""Version of the tables; a file with a larger one was written by a newer imputedb."""

_TABLES = (
    "CREATE TABLE IF NOT EXISTS format (format INTEGER)",
    "INSERT INTO format SELECT 1 WHERE NOT EXISTS (FROM format)",
    "CREATE TABLE IF NOT EXISTS audit (number BIGINT PRIMARY KEY, record VARCHAR NOT NULL, hash VARCHAR NOT NULL)",
    "CREATE TABLE IF NOT EXISTS jobs (id VARCHAR PRIMARY KEY, kind VARCHAR, state VARCHAR, principal VARCHAR, "
    "role VARCHAR, asked VARCHAR, created VARCHAR, started VARCHAR, ended VARCHAR, attempts INTEGER, "
    "progress DOUBLE, result VARCHAR, error VARCHAR)",
)

Statement = tuple[str, Sequence[Any]]


class Side:
    """The side file, written by one process; its threads take turns."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Opens the file; creates it where it is to be written.

        Raises:
            StorageError: the file cannot be opened, or was written by a newer version of imputedb.
        """
        self.path = path
        self._lock = threading.Lock()
        self._database = connect(path, read_only=read_only, variables=False)
        try:
            if not read_only:
                self.write([(text, ()) for text in _TABLES])
            ((found,),) = self.rows("SELECT max(format) FROM format")
            if found is None or found > FORMAT:
                raise StorageError(f"{path} has format {found}, this imputedb reads {FORMAT}: take a newer one")
        except BaseException:
            self._database.close()
            raise

    def rows(self, text: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a SELECT."""
        with self._lock:
            return self._database.execute(text, list(values))

    def write(self, statements: Sequence[Statement]) -> None:
        """Runs statements in one transaction; they are on disk when this returns.

        Raises:
            StorageError: the statements cannot be written.
        """
        with self._lock:
            if len(statements) == 1:  # one statement is a transaction by itself
                self._database.execute(statements[0][0], list(statements[0][1]))
                return
            self._database.execute("BEGIN")
            try:
                for text, values in statements:
                    self._database.execute(text, list(values))
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._database.close()
