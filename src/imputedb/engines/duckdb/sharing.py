"""The cache of a session, in part shared with other sessions."""

from collections.abc import Collection, Hashable
from dataclasses import replace
from typing import Any

from imputedb.algebra.relation import Table
from imputedb.engines.cache import CacheUse, TableCache
from imputedb.engines.duckdb.session import Session


class SessionCache:
    """A session's own cache, and the cache of all sessions.

    Values that depend on rows of tables are shared. Values that depend on texts are not, since settings, temporary
    tables and the search path belong to a session. Nor are values from a transaction of the user's.
    """

    def __init__(self, session: Session, shared: TableCache | None = None) -> None:
        self._session = session
        self.shared = shared or TableCache(session.changes.state, session.changes.lock)
        self._own = TableCache(session.changes.state)

    def recall(self, name: Hashable) -> Any:
        """The value of a name; None where there is none, or it is stale."""
        found = self._own.recall(name, self._is_current)
        if found is None and self._session.is_usual:
            found = self.shared.recall(name, self._is_current)
        return found

    def keep(self, name: Hashable, value: Any, size: int = 64, tables: Collection[Table] | None = None) -> None:
        """Stores a value of `size` bytes that depends on some tables; on any unless these are given."""
        state = self._session.state(tables)
        if state != self._session.changes.state(tables):
            return
        shared = self._session.is_usual and tables and all(table.catalog != "temp" for table in tables)
        (self.shared if shared else self._own).keep(name, value, size, tables, state)

    def uses(self) -> list[CacheUse]:
        """The use of both caches."""
        own = [replace(use, name=f"{use.name}, of this session") for use in self._own.uses() if use.entries]
        return [*self.shared.uses(), *own]

    def _is_current(self, tables: Collection[Table] | None) -> bool:
        """Whether tables are unchanged since this call began."""
        return self._session.state(tables) == self._session.changes.state(tables)
