"""What has been written to a database: by table, and of everything else."""

import os
import threading
from collections.abc import Collection
from contextlib import suppress
from enum import Enum
from typing import TypeAlias

from imputedb.algebra.relation import Table


class Written(Enum):
    """What a statement writes, where it is not the rows of one table."""

    NOTHING = "nothing"
    TABLES = "tables, views and what is kept of them, but no macro"
    ANYTHING = "anything there is"


Target: TypeAlias = Table | Written

BROAD = (Written.TABLES, Written.ANYTHING)
"""What is more than the rows of one table."""


class Changes:
    """Counts of what may have been written, by the sessions of a database or by other connections.

    Attributes:
        connections: how many of DuckDB's connections its sessions have.
        callers: the threads that are in the middle of a call.
        lock: held for as long as it takes to read or to count.
    """

    def __init__(self, paths: Collection[str] | None) -> None:
        """Of a database in some files, those attached among them; of one in memory that others may open with None."""
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

    def leave(self) -> None:
        """One connection fewer."""
        self.connections -= 1

    def let_go(self) -> None:
        """Gives back the lock if this thread has it: a signal may have come just as it was taken."""
        with suppress(RuntimeError):  # it has none
            while True:
                self.lock.release()

    def state(self, tables: Collection[Table] | None = None, since: int | None = None, own: object = None) -> object:
        """A token that differs whenever one of some tables may have been written, or with None any table.

        It differs too whenever anything but the rows of tables may have changed. For whoever began to read at a moment
        that `now` has given, and may not see what was written after that, it is like no other token then; nor is it
        while a write is under way, but for one's own.
        """
        with self.lock:
            self._look()
            last = self._count if tables is None else max(self._all, *[self._tables.get(one, 0) for one in tables], 0)
            if (since is not None and last > since) or any(
                _meets(target, tables) for mark, target in self._underway.items() if mark is not own
            ):
                return object()
            return (last, *[self._tables.get(one, 0) for one in tables or ()])

    def definitions(self, since: int | None = None) -> object:
        """A token that differs whenever anything but tables and views may have changed, such as a macro or a setting.

        For whoever began to read at a moment that `now` has given it is like no other token as that of `state` is.
        """
        with self.lock:
            self._look()
            if (since is not None and self._anything > since) or Written.ANYTHING in self._underway.values():
                return object()
            return self._anything

    @property
    def is_new(self) -> bool:
        """Whether the database is in memory, nobody else's, and nothing but tables and views was made since."""
        with self.lock:
            return self._paths is not None and not self._paths and not self._anything and not self._underway

    def now(self) -> int:
        """The number of the last write."""
        with self.lock:
            self._look()
            return self._count

    def written(self, target: Target, since: int | None = None) -> int | None:
        """Says what may have been written.

        Whoever wrote it sees it: `since` is now, unless others have written since then.
        """
        with self.lock:
            self._look()
            alone = since is not None and self._count <= since
            self._written(target)
            return self._count if alone else since

    def begin(self, mark: object, target: Target) -> None:
        """A write is under way: whoever reads meanwhile may see the rows before it or after it."""
        with self.lock:
            self._look()
            self._underway[mark] = target

    def end(self, mark: object) -> None:
        """It is over."""
        with self.lock:
            self._underway.pop(mark, None)

    def watch(self, paths: Collection[str]) -> None:
        """Says which files the database is in, those attached to it among them."""
        with self.lock:
            self._look()
            if self._paths is not None:
                self._paths = paths
                self._stamps = self._read()

    def _written(self, target: Target) -> None:
        self._count += 1
        if isinstance(target, Table):
            self._tables[target] = self._count
            return
        self._all = self._count
        self._tables.clear()
        if target is Written.ANYTHING:
            self._anything = self._count

    def ours(self) -> None:
        """Says that whatever the file has changed by just now was written by a statement that is accounted for."""
        with self.lock:
            self._stamps = self._read()

    def _look(self) -> None:
        stamps = self._read()
        if stamps != self._stamps:
            self._stamps = stamps
            self._written(Written.ANYTHING)

    def _read(self) -> tuple[object, ...]:
        if self._paths is None:
            return (object(),)
        return tuple(_stamp(path) for one in self._paths for path in (one, f"{one}.wal"))


def _meets(target: Target, tables: Collection[Table] | None) -> bool:
    """Whether a write may be to one of some tables, or with None to any."""
    if target is Written.NOTHING:
        return False
    return tables is None or isinstance(target, Written) or target in tables


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # asked for often
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
