"""Data that imputedb stores in a database, in a schema of its own: declared missing values, policies, statistics."""

import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy

import duckdb

from imputedb.algebra.relation import Table
from imputedb.engines.duckdb import statistics_text
from imputedb.engines.names import SCHEMA
from imputedb.errors import StorageError
from imputedb.sql.paths import quoted
from imputedb.statistics.policy import Policy
from imputedb.statistics.table import Statistics

FORMAT = 1
"""Version of these tables, raised when older readers would misread them. A database that states none has version 1."""

_TABLES = {
    "format": "(format INTEGER)",
    "missing_values": "(schema_name VARCHAR, table_name VARCHAR, column_name VARCHAR, value VARCHAR)",
    "policies": "(schema_name VARCHAR, table_name VARCHAR, column_name VARCHAR, policy VARCHAR)",
    "statistics": "(schema_name VARCHAR, table_name VARCHAR, fingerprint VARCHAR, statistics VARCHAR)",
}

_NAMED = "WHERE schema_name = ? AND table_name = ?"

Declared = tuple[dict[str, tuple[str, ...]], dict[str, Policy]]
"""Values declared missing, and policies, each by column."""

Declarations = dict[Table, Declared]
"""Declarations by table."""


class MetadataStore:
    """Declarations about tables, stored in the database of each table.

    Declarations about temporary tables live as long as the connection. Those about databases in memory live as long as
    these, and follow the connection's transactions: other sessions see them after a commit.

    Attributes:
        altered: tables whose column types the user's transaction has changed.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        state: Callable[[], object],
        beside: "MetadataStore | None" = None,
    ) -> None:
        self.altered: list[Table] = []
        self._connection = connection
        self._state = state
        self._shared: Declarations = beside._shared if beside else {}
        self._temporary: Declarations = {}
        self._pending: Declarations | None = None
        self._read: dict[str, tuple[object, Declarations]] = {}
        self._kinds: dict[str, tuple[object, str]] = {}

    # -- declarations -------------------------------------------------------------------------------------------------

    def missing(self, table: Table) -> Mapping[str, tuple[str, ...]]:
        """The values declared to mean a missing one, by column."""
        return self._declared(table)[0]

    def policies(self, table: Table) -> Mapping[str, Policy]:
        """The policies, by column."""
        return self._declared(table)[1]

    def tables(self) -> list[Table]:
        """The tables with declarations, in all attached databases."""
        rows = self._connection.execute("SELECT database_name FROM duckdb_databases() WHERE NOT internal").fetchall()
        kept = [list(self._in_database(name)) for (name,) in rows if self._kind(name) != "memory"]
        memory = dict.fromkeys((*self._shared, *self._temporary, *(self._pending or ())))
        return [*memory, *(table for tables in kept for table in tables)]

    def declare(self, table: Table, column: str, values: Sequence[str]) -> None:
        """Replaces the values of a column that are declared to mean a missing one.

        Raises:
            StorageError: the database is open for reading only.
        """
        rows = [(*table.path[1:], column, value) for value in values]
        if self._written(table, "missing_values", f"{_NAMED} AND column_name = ?", [*table.path[1:], column], rows):
            return
        known = self._changed(table)[0]
        known.pop(column, None)
        if values:
            known[column] = tuple(values)

    def decide(self, table: Table, column: str, policy: Policy | None) -> None:
        """Stores the policy of a column; removes it with None.

        Raises:
            StorageError: the database is open for reading only.
        """
        rows = [] if policy is None else [(*table.path[1:], column, json.dumps(policy.data()))]
        if self._written(table, "policies", f"{_NAMED} AND column_name = ?", [*table.path[1:], column], rows):
            return
        known = self._changed(table)[1]
        known.pop(column, None)
        if policy is not None:
            known[column] = policy

    def undeclare(self, table: Table) -> None:
        """Removes all declarations about a table."""
        for column in list(self.missing(table)):
            self.declare(table, column, ())
        for column in list(self.policies(table)):
            self.decide(table, column, None)

    def forget_database(self, catalog: str) -> None:
        """Removes the declarations about a detached database that was in memory."""
        for declarations in (self._shared, self._pending or {}):
            for table in [table for table in declarations if table.catalog.lower() == catalog.lower()]:
                del declarations[table]

    def rename(self, table: Table, after: Table) -> None:
        """Moves declarations to a table's new name, and kept models too."""
        for column, codes in dict(self.missing(table)).items():
            self.declare(after, column, codes)
        for column, policy in dict(self.policies(table)).items():
            self.decide(after, column, policy)
        self.undeclare(table)
        if table.catalog != "temp" and self._has(table.catalog, "models"):
            text = f"UPDATE {self._place(table.catalog, 'models')} SET schema_name = ?, table_name = ? {_NAMED}"
            self._connection.execute(text, [*after.path[1:], *table.path[1:]])

    def rename_column(self, table: Table, before: str, after: str) -> None:
        """Moves declarations to a column's new name, also within other columns' policies."""
        for column, codes in dict(self.missing(table)).items():
            if column == before:
                self.declare(table, column, ())
                self.declare(table, after, codes)
        for column, policy in dict(self.policies(table)).items():
            if column == before or before in policy.columns:
                self.decide(table, column, None)
                self.decide(table, after if column == before else column, policy.renamed(before, after))

    def _declared(self, table: Table) -> Declared:
        if self._kind(table.catalog) != "memory":
            return self._in_database(table.catalog).get(table, ({}, {}))
        if self._pending is not None and table in self._pending:
            return self._pending[table]
        return self._memory(table).get(table, ({}, {}))

    def _in_database(self, catalog: str) -> Declarations:
        known = self._read.get(catalog)
        if known is None or known[0] != self._state():
            known = self._read[catalog] = (self._state(), self._load(catalog))
        return known[1]

    def _memory(self, table: Table) -> Declarations:
        return self._temporary if table.catalog == "temp" else self._shared

    def _changed(self, table: Table) -> Declared:
        """The declarations about a table in memory, for changes; in the user's transaction, a copy of them."""
        if self._pending is None:
            return self._memory(table).setdefault(table, ({}, {}))
        if table not in self._pending:
            self._pending[table] = deepcopy(self._memory(table).get(table, ({}, {})))
        return self._pending[table]

    # -- transactions -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begins to collect the declarations of a user's transaction."""
        self._pending = {}

    def end(self, *, kept: bool) -> None:
        """Ends the transaction: its declarations are kept or dropped."""
        for table, declared in (self._pending or {}).items() if kept else ():
            self._memory(table)[table] = declared
        self._pending, self.altered = None, []
        self.reread()

    def reread(self) -> None:
        """Drops the cached declarations, so that they are read from the databases again."""
        self._read.clear()

    # -- the database -------------------------------------------------------------------------------------------------

    def _kind(self, catalog: str) -> str:
        """The kind of a database: `file`, `read only` or `memory`."""
        known = self._kinds.get(catalog)
        if known is None or known[0] != self._state():
            text = "SELECT path, readonly FROM duckdb_databases() WHERE database_name = ?"
            rows = self._connection.execute(text, [catalog]).fetchall()
            path, read_only = rows[0] if rows else (None, False)
            kind = "memory" if catalog == "temp" or path is None else "read only" if read_only else "file"
            known = self._kinds[catalog] = (self._state(), kind)
        return known[1]

    def check_writable(self, catalog: str) -> None:
        """Raises an error where declarations cannot be written.

        Raises:
            StorageError: the database is open for reading only.
        """
        if self._kind(catalog) == "read only":
            raise StorageError(
                f"database {catalog} is open for reading only: policies and declared values cannot be stored"
            )

    def _written(
        self, table: Table, name: str, where: str, values: Sequence[str], rows: Sequence[Sequence[str]]
    ) -> bool:
        """Replaces rows of one of imputedb's tables; False where the database is in memory, and nothing is written."""
        if self._kind(table.catalog) == "memory":
            return False
        self.check_writable(table.catalog)
        _replace(self._connection, self._place(table.catalog, name), where, values, rows)
        self.reread()
        return True

    def _place(self, catalog: str, name: str) -> str:
        return f"{quoted((catalog,))}.{SCHEMA}.{name}"

    def _has(self, catalog: str, name: str) -> bool:
        text = "SELECT count(*) FROM duckdb_tables() WHERE database_name = ? AND schema_name = ? AND table_name = ?"
        return bool(self._connection.execute(text, [catalog, SCHEMA, name]).fetchall()[0][0])

    def _load(self, catalog: str) -> Declarations:
        self._check_format(catalog)
        declarations: Declarations = {}
        for schema, name, column, value in self._rows(catalog, "missing_values"):
            declared = declarations.setdefault(Table(catalog, schema, name), ({}, {}))[0]
            declared[column] = (*declared.get(column, ()), value)
        for schema, name, column, text in self._rows(catalog, "policies"):
            try:
                policy = Policy.of(json.loads(text))
            except (ValueError, TypeError, AttributeError, RecursionError) as error:
                raise self._damaged(catalog, "policies") from error
            declarations.setdefault(Table(catalog, schema, name), ({}, {}))[1][column] = policy
        return declarations

    def _check_format(self, catalog: str) -> None:
        """Raises an error for a database with a newer format than this version can read.

        Raises:
            StorageError: the format is newer, or damaged; the message names the database.
        """
        if not self._has(catalog, "format"):
            return
        try:
            text = f"SELECT max(format) FROM {self._place(catalog, 'format')}"
            ((found,),) = self._connection.execute(text).fetchall()
        except (duckdb.BinderException, duckdb.CatalogException) as error:
            raise self._damaged(catalog, "format") from error
        if isinstance(found, int) and found > FORMAT:
            raise StorageError(
                f"database {catalog} was written by a newer imputedb (its policies have format {found}, and this one "
                f"reads {FORMAT}): open it with that version"
            )

    def _rows(self, catalog: str, name: str) -> list[tuple[str, str, str, str]]:
        if not self._has(catalog, name):
            return []
        last = {"missing_values": "value", "policies": "policy"}[name]
        text = f"SELECT schema_name, table_name, column_name, {last} FROM {self._place(catalog, name)} ORDER BY ALL"
        try:
            rows = self._connection.execute(text).fetchall()
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.ConversionException) as error:
            raise self._damaged(catalog, name) from error
        if not all(isinstance(value, str) for row in rows for value in row):
            raise self._damaged(catalog, name)
        return rows

    def _damaged(self, catalog: str, name: str) -> StorageError:
        place = self._place(catalog, name)
        return StorageError(f"{place} is damaged: DROP TABLE {place} by `execute`, and declare again what it held")

    # -- statistics ---------------------------------------------------------------------------------------------------

    def statistics(self, table: Table, fingerprint: str) -> Statistics | None:
        """The stored statistics of a table; None unless there are readable ones with this fingerprint."""
        if table.catalog == "temp" or not self._has(table.catalog, "statistics"):
            return None
        place = self._place(table.catalog, "statistics")
        try:
            rows = self._connection.execute(
                f"SELECT statistics FROM {place} {_NAMED} AND fingerprint = ?", [*table.path[1:], fingerprint]
            ).fetchall()
            return statistics_text.loaded(rows[0][0]) if rows else None
        except (duckdb.BinderException, duckdb.ConversionException, ValueError, TypeError, KeyError, AttributeError):
            return None

    def keep(self, table: Table, fingerprint: str, statistics: Statistics) -> None:
        """Stores statistics in the table's database, if that is a writable file.

        A transaction of its own is used, so that a conflict with another session does not end the user's.
        """
        if self._kind(table.catalog) != "file":
            return
        row = (*table.path[1:], fingerprint, statistics_text.dumped(statistics))
        with self._connection.cursor() as connection:
            _replace(connection, self._place(table.catalog, "statistics"), _NAMED, table.path[1:], [row])


def _replace(
    connection: duckdb.DuckDBPyConnection,
    place: str,
    where: str,
    values: Sequence[str],
    rows: Sequence[Sequence[str]],
) -> None:
    """Replaces rows of one of imputedb's tables, which is created if need be."""
    schema, name = place.rpartition(".")[::2]
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    for made in ("format", name):
        connection.execute(f"CREATE TABLE IF NOT EXISTS {schema}.{made} {_TABLES[made]}")
    connection.execute(f"INSERT INTO {schema}.format SELECT {FORMAT} WHERE NOT EXISTS (FROM {schema}.format)")
    connection.execute(f"DELETE FROM {place} {where}", list(values))
    for row in rows:
        connection.execute(f"INSERT INTO {place} VALUES ({', '.join('?' * len(row))})", list(row))
