"""What a session remembers: in the cache that it shares with other sessions, or in one of its own."""

from collections.abc import Collection, Hashable
from dataclasses import replace
from typing import Any

from imputedb.algebra.relation import Table
from imputedb.engines.cache import CacheUse, Memory
from imputedb.engines.duckdb.session import Session


class SessionCache:
    """The cache of a session over that of all sessions.

    What rests on the rows of tables is shared. What rests on texts is not: settings, temporary tables and the search
    path are a session's own, and so is all that is read in a transaction of the user's.
    """

    def __init__(self, session: Session, shared: Memory | None = None) -> None:
        self._session = session
        self.shared = shared or Memory(session.changes.state, session.changes.lock)
        self._own = Memory(session.changes.state)

    def recall(self, name: Hashable) -> Any:
        """The value of a name; None where there is none, or what it rests on has changed."""
        found = self._own.recall(name, self._stands)
        if found is None and self._session.is_usual:
            found = self.shared.recall(name, self._stands)
        return found

    def keep(self, name: Hashable, value: Any, size: int = 64, tables: Collection[Table] | None = None) -> None:
        """Keeps a value of so many bytes that rests on some tables, on any unless these are given."""
        state = self._session.state(tables)
        if state != self._session.changes.state(tables):
            return
        shared = self._session.is_usual and tables and all(table.catalog != "temp" for table in tables)
        (self.shared if shared else self._own).keep(name, value, size, tables, state)

    def uses(self) -> list[CacheUse]:
        """What is in them."""
        own = [replace(use, name=f"{use.name}, of this session") for use in self._own.uses() if use.entries]
        return [*self.shared.uses(), *own]

    def _stands(self, tables: Collection[Table] | None) -> bool:
        """Whether tables are what they were when this call began."""
        return self._session.state(tables) == self._session.changes.state(tables)
