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

    def state(self, tables: Collection[Table] | None = None) -> object:
        """A token that differs whenever one of some tables, or any, may have been written, by whatever connection.

        With no tables at all it differs when anything but rows may have changed. It is like no other where another
        session has written since this call began: the call may see the rows before that or after it.
        """
        return self.changes.state(tables, self.since)

    def is_behind(self, own: object = None) -> bool:
        """Whether another session has written since the call began that is under way, or is writing.

        A write of this one may be under way by its `own` mark.
        """
        return self.changes.state(None, self.since, own) != self.changes.state(None, None, own)

    def changed(self, table: Table | None = None) -> None:
        """Says that this connection may have written rows of a table, or unless it is given anything there is."""
        self.since = self.changes.written(table, self.since)

    @contextmanager
    def writing(self, target: Target = Written.ANYTHING) -> Iterator[object]:
        """A write that is under way by the mark that is given, and noted when it is over."""
        mark = object()
        try:
            self.changes.begin(mark, target)
            with self.alone() if isinstance(target, Table) else nullcontext():
                yield mark
        finally:
            with self._signals.held():
                if target is not Written.NOTHING:
                    self.changed(target if isinstance(target, Table) else None)
                self.changes.end(mark)

    @contextmanager
    def alone(self, connections: int = 0) -> Iterator[None]:
        """Takes what a file changes by for the work of this block, where no connection but those of sessions was there.

        DuckDB numbers connections as they are opened. The work opens so many of its own, and one a look at the number.
        """
        before, looks = self._last_connection(), self._looks
        yield
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
