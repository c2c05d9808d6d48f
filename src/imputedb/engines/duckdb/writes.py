"""Writes as seen by one connection; caches consult them before they return a value."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext

import duckdb

from imputedb.algebra.relation import Table
from imputedb.engines.duckdb.changes import Target, WriteCounts, WriteScope
from imputedb.engines.signals import Signals


class Writes:
    """The writes of a database as one connection sees them.

    Attributes:
        changes: writes to the database by any of its sessions.
        since: the moment at which the current call began, as given by `Changes.now`; None outside of calls.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, changes: WriteCounts, signals: Signals) -> None:
        self.changes = changes
        self.since: int | None = None
        self._connection = connection
        self._signals = signals
        self._looks = 0
        self._alone: tuple[int | None, int] | None = None

    def state(self, tables: Collection[Table] | None = None) -> object:
        """A token that differs whenever one of some tables, or any, may have been written on any connection.

        With an empty collection it differs when anything but rows may have changed. If another session has written
        since this call began, it is unlike any other token, as the call may see the rows before or after that write.
        """
        return self.changes.state(tables, self.since)

    def definitions(self) -> object:
        """A token that differs whenever anything but tables and views may have changed, such as a macro."""
        return self.changes.definitions(self.since)

    def is_behind(self, own: object = None) -> bool:
        """Whether another session has written since the current call began, or is writing now.

        `own` is the mark of a write of this session that is under way.
        """
        return self.changes.state(None, self.since, own) != self.changes.state(None, None, own)

    def changed(self, target: Target) -> None:
        """Records what this connection may have written."""
        self.since = self.changes.record(target, self.since)

    def record_definition(self) -> None:
        """Records that this connection has created, changed or dropped tables or declarations."""
        self._take()
        self.changed(WriteScope.TABLES)

    @contextmanager
    def writing(self, target: Target = WriteScope.TABLES) -> Iterator[object]:
        """A block that writes; gives its mark, and records the write at the end."""
        mark = object()
        try:
            self.changes.begin(mark, target)
            with nullcontext() if target in (WriteScope.ANYTHING, WriteScope.NOTHING) else self.attributing():
                yield mark
        finally:
            with self._signals.deferring():
                if target is not WriteScope.NOTHING:
                    self.changed(target)
                self.changes.end(mark)

    @contextmanager
    def attributing(self, connections: int = 0) -> Iterator[None]:
        """A block whose changes of the files are attributed to it, if only connections of sessions existed meanwhile.

        DuckDB numbers connections as they are opened. The block opens `connections` of its own, besides one for each
        reading of the number.
        """
        outer, self._alone = self._alone, (self._last_connection(), self._looks)
        try:
            yield
            self._take(connections)
        finally:
            self._alone = outer

    def _take(self, connections: int = 0) -> None:
        """Attributes the present change of the files to the current block, if no other connection existed."""
        if self._alone is None:
            return
        before, looks = self._alone
        connections += self._looks - looks
        after = self._last_connection()
        if before is not None and after == before + 1 + connections:
            self.changes.attribute_change()

    def _last_connection(self) -> int | None:
        """The number of the connection opened last; None if there are others than those of sessions."""
        self._looks += 1
        try:
            with self._connection.cursor() as connection:
                text = "SELECT current_connection_id(), count FROM duckdb_connection_count()"
                ((number, count),) = connection.execute(text).fetchall()
        except (duckdb.Error, ValueError):
            return None
        return int(number) if count == self.changes.connections + 1 else None
