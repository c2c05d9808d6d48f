"""Counts of writes to a database: by table, and of everything else."""

import os
import threading
from collections.abc import Collection
from contextlib import suppress
from enum import Enum
from typing import TypeAlias

from imputedb.algebra.relation import Table


class WriteScope(Enum):
    """What a statement writes, other than the rows of one table."""

    NOTHING = "nothing"
    TABLES = "tables, views and what is kept of them, but no macro"
    ANYTHING = "anything there is"


Target: TypeAlias = Table | WriteScope

BROAD = (WriteScope.TABLES, WriteScope.ANYTHING)
"""Writes that are not confined to the rows of one table."""


class WriteCounts:
    """Counts of possible writes, by the sessions of a database and by other connections.

    Attributes:
        connections: the number of DuckDB connections that its sessions have.
        callers: the threads that are within a call.
        lock: the lock held while counts are read or changed.
    """

    def __init__(self, paths: Collection[str] | None) -> None:
        """Counts for a database in some files, attached ones included; None for one in memory that others may open."""
        self.connections = 0
        self.callers: set[int] = set()
        self._paths = paths
        self.lock = threading.RLock()
        self._all = 0
        self._anything = 0
        self._count = 0
        self._tables: dict[Table, int] = {}
        self._underway: dict[object, Target] = {}
        self._stamps = self._read()

    def forget_connection(self) -> None:
        """Counts one connection fewer."""
        self.connections -= 1

    def release_lock(self) -> None:
        """Releases the lock if this thread holds it; a signal may have interrupted the thread just after taking it."""
        with suppress(RuntimeError):  # this thread does not hold it
            while True:
                self.lock.release()

    def state(self, tables: Collection[Table] | None = None, since: int | None = None, own: object = None) -> object:
        """A token that differs whenever one of some tables may have been written; with None, whenever any may.

        It also differs whenever anything but the rows of tables may have changed. `since` is a moment from `now` at
        which the caller began to read. If there was a write after it, the token is unlike any other, as the caller may
        see the rows before that write. The same holds while a write is under way, other than the one marked `own`.
        """
        with self.lock:
            self._check_files()
            last = self._count if tables is None else max(self._all, *[self._tables.get(one, 0) for one in tables], 0)
            if (since is not None and last > since) or any(
                _concerns(target, tables) for mark, target in self._underway.items() if mark is not own
            ):
                return object()
            return (last, *[self._tables.get(one, 0) for one in tables or ()])

    def definitions(self, since: int | None = None) -> object:
        """A token that differs whenever anything but tables and views may have changed, such as a macro or a setting.

        After a write since `since`, it is unlike any other token, as in `state`.
        """
        with self.lock:
            self._check_files()
            if (since is not None and self._anything > since) or WriteScope.ANYTHING in self._underway.values():
                return object()
            return self._anything

    @property
    def is_new(self) -> bool:
        """Whether the database is in memory, private, and has had nothing but tables and views created."""
        with self.lock:
            return self._paths is not None and not self._paths and not self._anything and not self._underway

    def now(self) -> int:
        """The number of the last write."""
        with self.lock:
            self._check_files()
            return self._count

    def record(self, target: Target, since: int | None = None) -> int | None:
        """Records a possible write.

        Returns the new value of `since` for the writer, who sees the write: the present moment, unless others have
        written after the old one.
        """
        with self.lock:
            self._check_files()
            alone = since is not None and self._count <= since
            self._record(target)
            return self._count if alone else since

    def begin(self, mark: object, target: Target) -> None:
        """Records that a write has begun; readers may meanwhile see the rows before it or after it."""
        with self.lock:
            self._check_files()
            self._underway[mark] = target

    def end(self, mark: object) -> None:
        """Records that a write is over."""
        with self.lock:
            self._underway.pop(mark, None)

    def watch(self, paths: Collection[str]) -> None:
        """Sets the files of the database, including those of attached databases."""
        with self.lock:
            self._check_files()
            if self._paths is not None:
                self._paths = paths
                self._stamps = self._read()

    def _record(self, target: Target) -> None:
        self._count += 1
        if isinstance(target, Table):
            self._tables[target] = self._count
            return
        self._all = self._count
        self._tables.clear()
        if target is WriteScope.ANYTHING:
            self._anything = self._count

    def attribute_change(self) -> None:
        """Attributes the present change of the files to a statement that is counted already."""
        with self.lock:
            self._stamps = self._read()

    def _check_files(self) -> None:
        stamps = self._read()
        if stamps != self._stamps:
            self._stamps = stamps
            self._record(WriteScope.ANYTHING)

    def _read(self) -> tuple[object, ...]:
        if self._paths is None:
            return (object(),)
        return tuple(_stamp(path) for one in self._paths for path in (one, f"{one}.wal"))


def _concerns(target: Target, tables: Collection[Table] | None) -> bool:
    """Whether a write may concern one of some tables; with None, any table."""
    if target is WriteScope.NOTHING:
        return False
    return tables is None or isinstance(target, WriteScope) or target in tables


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # asked for often
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
