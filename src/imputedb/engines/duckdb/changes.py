"""What has been written to a database: by table, and of everything else."""

import os
from collections.abc import Collection
from enum import Enum
from typing import TypeAlias

from imputedb.algebra.relation import Table


class Written(Enum):
    """What a statement writes, where it is not the rows of one table."""

    NOTHING = "nothing"
    ANYTHING = "anything there is"


Target: TypeAlias = Table | Written


class Changes:
    """Counts of what may have been written, by this process or another one.

    Attributes:
        path: of the database.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._all = 0
        self._count = 0
        self._tables: dict[Table, int] = {}
        self._stamps = self._read()

    def state(self, tables: Collection[Table] | None = None) -> object:
        """A token that differs whenever one of some tables may have been written, or with None any table.

        It differs too whenever anything but the rows of tables may have changed.
        """
        self._look()
        if tables is None:
            return self._count
        return (self._all, *[self._tables.get(table, 0) for table in tables])

    def written(self, table: Table | None = None) -> None:
        """Says that rows of a table may have been written, or unless it is given anything there is."""
        self._count += 1
        if table is None:
            self._all += 1
            self._tables.clear()
        else:
            self._tables[table] = self._count

    def ours(self) -> None:
        """Says that whatever the file has changed by just now was written by a statement that is accounted for."""
        self._stamps = self._read()

    def _look(self) -> None:
        stamps = self._read()
        if stamps != self._stamps:
            self._stamps = stamps
            self.written()

    def _read(self) -> tuple[object, ...]:
        if self.path == ":memory:":
            return ()
        return (_stamp(self.path), _stamp(self.path + ".wal"))


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # asked for often
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
