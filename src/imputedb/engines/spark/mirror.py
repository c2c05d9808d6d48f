"""Empty tables with the columns of Spark's tables, against which DuckDB binds statements."""

from collections.abc import Sequence
from dataclasses import dataclass

from imputedb.algebra.relation import Table
from imputedb.engines.duckdb.session import Session
from imputedb.engines.spark.dialect import Names
from imputedb.engines.spark.remote import Remote
from imputedb.errors import QueryError, Unplanned
from imputedb.sql.paths import parts_of, quoted

HOME = "memory"
"""The catalog of the empty tables; those of Spark's current database are in its schema `main`."""


@dataclass(frozen=True, slots=True)
class CatalogTable:
    """A table of Spark's, as last read from Spark's catalog.

    Attributes:
        path: Spark's path of the table.
        columns: its columns with DuckDB's types.
        state: an identification of its present rows.
    """

    path: tuple[str, ...]
    columns: dict[str, str]
    state: str


class Mirror:
    """The empty tables of one session.

    Attributes:
        seen: Spark's tables, by the empty tables that represent them.
        views: temporary views in Spark that imputedb has created, with DuckDB's types of their columns.
        uploaded: small local tables, by their paths, as copied to Spark for one statement.
    """

    def __init__(self, remote: Remote, session: Session) -> None:
        self.seen: dict[Table, CatalogTable] = {}
        self.views: dict[str, dict[str, str]] = {}
        self.uploaded: dict[tuple[str, ...], CatalogTable] = {}
        self._remote, self._session = remote, session
        self._listed = False

    def refresh_tables_of(self, text: str) -> None:
        """Reads the tables of a query from Spark's catalog again."""
        for path in self._paths(text):
            self.refresh(path)

    def refresh(self, path: Sequence[str]) -> None:
        """Reads a table from Spark's catalog again; creates its empty table if it is new, drops it if it is gone."""
        table = _table(path)
        if table is None or path[-1] in self.views:
            return
        name = tuple(path[-2:]) if table.schema != "main" else (path[-1],)
        columns, known = self._remote.columns(name), self.seen.get(table)
        if columns is None:
            if known is not None:
                self._drop(table)
            return
        state = self._remote.state(name, list(columns))
        if known is None or known.columns != columns:
            self._make(table, columns)
        elif known.state != state:
            self._session.changed(table)
        self.seen[table] = CatalogTable(name, columns, state)

    def refresh_named(self, name: str) -> None:
        """The same for a name as a person writes it, unless it is known."""
        for path in dict.fromkeys((tuple(parts_of(name)), (name,))):
            table = _table(path)
            if table is not None and table not in self.seen:
                self.refresh(path)

    def refresh_all(self) -> None:
        """Reads all tables of the current database, once."""
        if not self._listed:
            self._listed = True
            for name in self._remote.tables():
                if Table(HOME, "main", name) not in self.seen:
                    self.refresh((name,))

    def names_in(self, text: str) -> Names | None:
        """The meanings of names in a query; None where it reads no table of Spark's.

        Raises:
            QueryError: it reads local rows beside Spark's.
            Unplanned: its tables cannot be determined, so that the empty ones might be read.
        """
        untold = self._session.unreported_tables(text)
        if untold:
            raise Unplanned(f"which tables of Spark's this reads cannot be told: {untold}")
        found: dict[tuple[str, ...], tuple[str, ...]] = {}
        types: dict[str, str] = {}
        here = []
        for path in self._paths(text):
            table = _table(path)
            if path[-1] in self.views:
                name: tuple[str, ...] = (path[-1],)
                columns = self.views[path[-1]]
            elif table in self.seen:
                name, columns = self.seen[table].path, self.seen[table].columns
            elif path in self.uploaded:
                name, columns = self.uploaded[path].path, self.uploaded[path].columns
            else:
                here.append(".".join(path))
                continue
            found |= dict.fromkeys(_spellings(path), name)
            for column, kind in columns.items():
                types[column.lower()] = kind if types.get(column.lower(), kind) == kind else ""
        if found and here:
            raise QueryError(f"{', '.join(here)} is on this machine, and is not read beside tables of Spark's")
        return Names(found, types) if found else None

    def local_tables(self, text: str) -> list[tuple[str, ...]]:
        """The local tables that a query reads beside Spark's; empty where it reads none of Spark's."""
        paths = self._paths(text)
        found = [path for path in paths if path[-1] not in self.views and _table(path) not in self.seen]
        return found if len(found) < len(paths) else []

    def _paths(self, text: str) -> list[tuple[str, ...]]:
        """The paths of the tables that a text reads; empty where it is no query."""
        names = self._session.qualified_tables_in(text)
        return sorted({tuple(parts_of(name.partition(" AS ")[0])) for name in names})

    def _make(self, table: Table, columns: dict[str, str]) -> None:
        listed = ", ".join(f"{quoted((name,))} {kind}" for name, kind in columns.items())
        self._session.rows(f"CREATE SCHEMA IF NOT EXISTS {quoted(table.path[:2])}")
        self._session.rows(f"CREATE OR REPLACE TABLE {quoted(table.path)} ({listed})")
        self._session.writes.record_definition()

    def _drop(self, table: Table) -> None:
        del self.seen[table]
        self._session.rows(f"DROP TABLE IF EXISTS {quoted(table.path)}")
        self._session.writes.record_definition()


def _spellings(path: Sequence[str]) -> list[tuple[str, ...]]:
    """The paths by which a table may be named, in lower case, with and without leading parts."""
    parts = tuple(part.lower() for part in path)
    name, schemas = parts[-1], parts[-2:-1] if len(parts) == 3 or parts[0] not in (HOME, "temp") else ()
    schema = schemas[0] if schemas else "main"
    ours = [(name,), (HOME, name), ("temp", name)] if schema == "main" else []
    return [*ours, (schema, name), (HOME, schema, name), ("temp", schema, name)]


def _table(path: Sequence[str]) -> Table | None:
    """The empty table of a path; None for other catalogs."""
    if len(path) == 1:
        return Table(HOME, "main", path[0])
    if len(path) == 2 and path[0] != "temp":
        return Table(HOME, path[0], path[1])
    return Table(*path) if len(path) == 3 and path[0] == HOME else None
