"""When one connection may have seen, or made, a write: what caches ask before they believe what they hold."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext

import duckdb

from imputedb.algebra.relation import Table
from imputedb.engines.duckdb.changes import Changes, Target, Written
from imputedb.engines.signals import Signals


class Writes:
    """The writes of a database as one connection to it sees them.

    Attributes:
        changes: what has been written to the database, by any of its sessions.
        since: when the call began that is under way, as `Changes.now` has it; None outside of calls.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, changes: Changes, signals: Signals) -> None:
        self.changes = changes
        self.since: int | None = None
        self._connection = connection
        self._signals = signals
        self._looks = 0
        self._alone: tuple[int | None, int] | None = None

    def state(self, tables: Collection[Table] | None = None) -> object:
        """A token that differs whenever one of some tables, or any, may have been written, by whatever connection.

        With no tables at all it differs when anything but rows may have changed. It is like no other where another
        session has written since this call began: the call may see the rows before that or after it.
        """
        return self.changes.state(tables, self.since)

    def definitions(self) -> object:
        """A token that differs whenever anything but tables and views may have changed, such as a macro."""
        return self.changes.definitions(self.since)

    def is_behind(self, own: object = None) -> bool:
        """Whether another session has written since the call began that is under way, or is writing.

        A write of this one may be under way by its `own` mark.
        """
        return self.changes.state(None, self.since, own) != self.changes.state(None, None, own)

    def changed(self, target: Target) -> None:
        """Says what this connection may have written."""
        self.since = self.changes.written(target, self.since)

    def remade(self) -> None:
        """Says that this connection has made, changed or dropped tables, or what is kept of them."""
        self._take()
        self.changed(Written.TABLES)

    @contextmanager
    def writing(self, target: Target = Written.TABLES) -> Iterator[object]:
        """A write that is under way by the mark that is given, and noted when it is over; ours make no macros."""
        mark = object()
        try:
            self.changes.begin(mark, target)
            with nullcontext() if target in (Written.ANYTHING, Written.NOTHING) else self.alone():
                yield mark
        finally:
            with self._signals.held():
                if target is not Written.NOTHING:
                    self.changed(target)
                self.changes.end(mark)

    @contextmanager
    def alone(self, connections: int = 0) -> Iterator[None]:
        """Takes what a file changes by for the work of this block, where no connection but those of sessions was there.

        DuckDB numbers connections as they are opened. The work opens so many of its own, and one a look at the number.
        """
        outer, self._alone = self._alone, (self._last_connection(), self._looks)
        try:
            yield
            self._take(connections)
        finally:
            self._alone = outer

    def _take(self, connections: int = 0) -> None:
        """Takes what the file has changed by so far for the work that is under way, where no other was there."""
        if self._alone is None:
            return
        before, looks = self._alone
        connections += self._looks - looks
        after = self._last_connection()
        if before is not None and after == before + 1 + connections:
            self.changes.ours()

    def _last_connection(self) -> int | None:
        """The number of the connection opened last; None where there are others than those of sessions."""
        self._looks += 1
        try:
            with self._connection.cursor() as connection:
                text = "SELECT current_connection_id(), count FROM duckdb_connection_count()"
                ((number, count),) = connection.execute(text).fetchall()
        except (duckdb.Error, ValueError):
            return None
        return int(number) if count == self.changes.connections + 1 else None
