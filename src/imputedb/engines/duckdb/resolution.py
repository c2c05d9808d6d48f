"""Meanings of table names, found by letting DuckDB bind a query that reads them."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb

from imputedb.algebra.relation import Table
from imputedb.engines.cache import OF_STRUCTURE
from imputedb.engines.duckdb.session import Session
from imputedb.engines.duckdb.temporary import is_ours
from imputedb.engines.entries import View
from imputedb.engines.names import SCHEMA
from imputedb.errors import StorageError, Unplanned
from imputedb.sql.logical_plan import does_not_bind, is_none, path_read
from imputedb.sql.paths import quoted

_PLAN = "SELECT json_serialize_plan(?::VARCHAR)"

_VIEWS = """
    SELECT database_name, schema_name, view_name, sql FROM duckdb_views()
    WHERE NOT internal AND lower(view_name) = lower(?)
"""

_ENTRIES = """
    SELECT 1 FROM duckdb_tables() WHERE lower(table_name) = lower(?)
    UNION ALL SELECT 1 FROM duckdb_views() WHERE lower(view_name) = lower(?)
"""


DAMAGED = (duckdb.FatalException, duckdb.IOException)
"""DuckDB's errors when it lists its catalog and an attached database cannot be read."""


def damaged(error: duckdb.Error) -> StorageError:
    """Such an error as a StorageError."""
    reason = str(error).splitlines()[0].partition(": ")[2]
    return StorageError(f"an attached database is damaged: detach it. {reason}")


class Resolution:
    """The tables and views that paths mean on one connection, cached until anything but rows may have changed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._state: object = None
        self._known: dict[tuple[str, ...], Table | View | None] = {}

    def meant(self, path: Sequence[str], within: View | None = None) -> Table | View | None:
        """The user's table or view that a path means; None where it is neither, such as a file.

        Inside the query of a view, DuckDB looks among temporary tables first, and then where the view is.
        """
        for one in _paths(path, within):
            found = self._entry(one)
            if found is not None:
                return found
        return None

    def binds(self, name: str) -> bool:
        """Whether DuckDB can read from an unqualified name; a failed attempt does not end a transaction."""
        with self._session.lock:
            plan = self._plan(f"SELECT 1 FROM {quoted((name,))}")
        return not does_not_bind(plan)

    def is_nested(self, path: Sequence[str]) -> bool:
        """Whether a path means a table in a schema within another schema.

        Raises:
            Unplanned: it means a view there.
        """
        within = self._schemas_within()
        if not within:
            return False
        with self._session.lock:
            plan = self._plan(f"SELECT 1 FROM {quoted(path)}")
        if len(path_read(plan)) > 3:
            return True
        if len(path) > 2 and path[-2].lower() in within and not does_not_bind(plan):
            raise Unplanned(f"{'.'.join(path)} is a view in a schema within a schema: write its query in its place")
        return False

    def _schemas_within(self) -> set[str]:
        """The names of schemas within others, in lower case."""
        try:
            found = self._session.connection.execute("SELECT * FROM duckdb_schemas() WHERE NOT internal")
        except DAMAGED as error:
            raise damaged(error) from error
        names = [column[0] for column in found.description]
        if "parent_schema" not in names:
            return set()
        name, parent = names.index("schema_name"), names.index("parent_schema")
        return {str(row[name]).lower() for row in found.fetchall() if row[parent] is not None}

    def _entry(self, path: tuple[str, ...]) -> Table | View | None:
        state = self._session.state(OF_STRUCTURE)
        if state != self._state:
            self._state, self._known = state, {}
        if path not in self._known:
            with self._session.lock:
                self._known[path] = self._bound(path)
        return self._known[path]

    def _bound(self, path: tuple[str, ...]) -> Table | View | None:
        if len(path) == 1 and "." in path[0] and not self._is_entry(path[0]):
            return None  # binding it would read a file
        plan = self._plan(f"SELECT 1 FROM {quoted(path)}")
        table = _table_read(plan)
        if table is not None:
            ours = table.schema == SCHEMA or is_ours(table)
            return None if ours else table
        if does_not_bind(plan):
            return None
        return self._view(path)

    def _view(self, path: tuple[str, ...]) -> View | None:
        """The view of this name that has the same plan as the path; views with equal plans mean the same."""
        views = [View(*row) for row in self._rows(_VIEWS, [path[-1]])]
        if not views:
            return None
        wanted = self._plan_key(path)
        return next((view for view in views if self._plan_key(view.path) == wanted), None)

    def _plan_key(self, path: Sequence[str]) -> object:
        """An identification of what a path means: its plan or, where that cannot be serialized, its EXPLAIN."""
        plan = self._plan(f"FROM {quoted(path)}")
        if not is_none(plan):
            return plan
        try:
            return self._session.connection.execute(f"EXPLAIN FROM {quoted(path)}").fetchall()
        except duckdb.Error as error:
            return str(error)

    def _plan(self, text: str) -> dict[str, Any]:
        plan: dict[str, Any] = json.loads(self._session.connection.execute(_PLAN, [text]).fetchall()[0][0])
        return plan

    def _is_entry(self, name: str) -> bool:
        return bool(self._rows(_ENTRIES, [name, name]))

    def _rows(self, text: str, values: list[str]) -> list[tuple[Any, ...]]:
        try:
            return self._session.connection.execute(text, values).fetchall()
        except DAMAGED as error:
            raise damaged(error) from error


def _paths(path: Sequence[str], within: View | None) -> Iterator[tuple[str, ...]]:
    given = tuple(path)
    if within is not None and len(given) == 1:
        yield ("temp", "main", *given)
        yield (within.catalog, within.schema, *given)
    if within is not None and len(given) == 2:
        yield ("temp", *given)
        yield (within.catalog, *given)
    yield given


def _table_read(plan: dict[str, Any]) -> Table | None:
    """The table that a plan of `SELECT 1 FROM path` reads directly; a view's plan has a projection of its own."""
    path = path_read(plan)
    return Table(*path) if len(path) == 3 else None
