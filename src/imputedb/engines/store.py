"""What imputedb keeps inside a database, in a schema of its own: declared missing values and statistics."""

import json
from collections.abc import Mapping, Sequence

import duckdb

from imputedb.algebra.relation import Table
from imputedb.engines import profile
from imputedb.statistics.policy import Policy
from imputedb.statistics.statistics import Statistics

SCHEMA = "imputedb"

_CREATE = """
CREATE SCHEMA IF NOT EXISTS imputedb;
CREATE TABLE IF NOT EXISTS imputedb.missing_values (schema_name VARCHAR, table_name VARCHAR, column_name VARCHAR, value VARCHAR);
CREATE TABLE IF NOT EXISTS imputedb.policies (schema_name VARCHAR, table_name VARCHAR, column_name VARCHAR, policy VARCHAR);
CREATE TABLE IF NOT EXISTS imputedb.statistics (schema_name VARCHAR, table_name VARCHAR, fingerprint VARCHAR, statistics VARCHAR);
"""  # noqa: E501


class Store:
    """Declarations and statistics of the tables of one database.

    Those of temporary tables, and all of a database that is open for reading only, live as long as the connection.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, writable: bool) -> None:
        self._connection = connection
        self._writable = writable
        self._missing: dict[Table, dict[str, tuple[str, ...]]] = {}
        self._policies: dict[Table, dict[str, Policy]] = {}
        self._read: bool = False

    def _exists(self) -> bool:
        found = self._connection.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE schema_name = ? AND database_name = current_database()",
            [SCHEMA],
        ).fetchall()
        return bool(found[0][0])

    def _keeps(self, table: Table) -> bool:
        return self._writable and table.catalog != "temp"

    def missing(self, table: Table) -> Mapping[str, tuple[str, ...]]:
        """The values declared missing, by column."""
        if not self._read:
            self._read = True
            self._load(table.catalog)
        return self._missing.get(table, {})

    def policies(self, table: Table) -> Mapping[str, Policy]:
        """What was said about columns."""
        self.missing(table)
        return self._policies.get(table, {})

    def decide(self, table: Table, column: str, policy: Policy | None) -> None:
        """Keeps what was said about a column; forgets it with None."""
        self.missing(table)
        known = self._policies.setdefault(table, {})
        known.pop(column, None)
        if policy is not None:
            known[column] = policy
        if not self._keeps(table):
            return
        self._connection.execute(_CREATE)
        where = [table.schema, table.name, column]
        self._connection.execute(
            "DELETE FROM imputedb.policies WHERE schema_name = ? AND table_name = ? AND column_name = ?", where
        )
        if policy is not None:
            text = json.dumps(policy.data())
            self._connection.execute("INSERT INTO imputedb.policies VALUES (?, ?, ?, ?)", [*where, text])

    def _load(self, catalog: str) -> None:
        if not self._exists():
            return
        kept = "SELECT count(*) FROM duckdb_tables() WHERE schema_name = ? AND table_name = 'policies'"
        if self._connection.execute(kept, [SCHEMA]).fetchall()[0][0]:
            for schema, name, column, text in self._connection.execute("FROM imputedb.policies").fetchall():
                self._policies.setdefault(Table(catalog, schema, name), {})[column] = Policy.of(json.loads(text))
        rows = self._connection.execute("SELECT * FROM imputedb.missing_values ORDER BY ALL").fetchall()
        for schema, name, column, value in rows:
            declared = self._missing.setdefault(Table(catalog, schema, name), {})
            declared[column] = (*declared.get(column, ()), value)

    def declare(self, table: Table, column: str, values: Sequence[str]) -> None:
        """Replaces the values declared missing of a column."""
        self.missing(table)
        self._missing.setdefault(table, {})[column] = tuple(values)
        if not self._keeps(table):
            return
        self._connection.execute(_CREATE)
        where = [table.schema, table.name, column]
        self._connection.execute(
            "DELETE FROM imputedb.missing_values WHERE schema_name = ? AND table_name = ? AND column_name = ?", where
        )
        for value in values:
            self._connection.execute("INSERT INTO imputedb.missing_values VALUES (?, ?, ?, ?)", [*where, value])

    def undeclare(self, table: Table) -> None:
        """Forgets what was declared of a table."""
        if self.missing(table):
            for column in list(self._missing.pop(table)):
                self.declare(table, column, ())
            self._missing.pop(table)
        for column in list(self.policies(table)):
            self.decide(table, column, None)

    def reread(self) -> None:
        """Takes declarations from the database again."""
        self._missing = {table: kept for table, kept in self._missing.items() if table.catalog == "temp"}
        self._policies = {table: kept for table, kept in self._policies.items() if table.catalog == "temp"}
        self._read = False

    def statistics(self, table: Table, fingerprint: str) -> Statistics | None:
        """The kept statistics of a table, None where there are none of this fingerprint."""
        if table.catalog == "temp" or not self._exists():
            return None
        rows = self._connection.execute(
            "SELECT statistics FROM imputedb.statistics WHERE schema_name = ? AND table_name = ? AND fingerprint = ?",
            [table.schema, table.name, fingerprint],
        ).fetchall()
        return profile.loaded(rows[0][0]) if rows else None

    def keep(self, table: Table, fingerprint: str, statistics: Statistics) -> None:
        """Keeps statistics beside the table they describe."""
        if not self._keeps(table):
            return
        self._connection.execute(_CREATE)
        self._connection.execute(
            "DELETE FROM imputedb.statistics WHERE schema_name = ? AND table_name = ?", [table.schema, table.name]
        )
        self._connection.execute(
            "INSERT INTO imputedb.statistics VALUES (?, ?, ?, ?)",
            [table.schema, table.name, fingerprint, profile.dumped(statistics)],
        )


def fingerprint_of(
    contents: Sequence[object],
    types: Mapping[str, str],
    missing: Mapping[str, Sequence[str]],
    policies: Mapping[str, Policy],
) -> str:
    """What tells one state of a table from another: its rows' hash, its columns, what was said about missing values."""
    said = sorted((name, policy.data()) for name, policy in policies.items())
    return json.dumps([2, [str(part) for part in contents], list(types.items()), sorted(missing.items()), said])
