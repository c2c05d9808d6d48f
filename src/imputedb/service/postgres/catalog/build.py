"""PostgreSQL's catalog of a served database, as relations in an in-memory database that holds nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

from imputedb import __version__
from imputedb.database import Database
from imputedb.service.configuration import Limits
from imputedb.service.instance import Instance, Lease, Stamp
from imputedb.service.postgres.columns import UnsupportedType, wire_type
from imputedb.service.postgres.settings import VERSION, Settings
from imputedb.service.security.statements import Allowed, Guard
from imputedb.sql import parse
from imputedb.sql.postgres import CATALOG, INFORMATION
from imputedb.sql.postgres import Catalog as Names

_FIRST = 16_384
"""The first object identifier of user objects in PostgreSQL."""

_KNOWN = {"pg_class": 1259, "pg_type": 1247, "pg_attribute": 1249, "pg_proc": 1255, "pg_namespace": 2615,
          "pg_database": 1262, "pg_constraint": 2606, "pg_index": 2610, "pg_roles": 1260,
          "pg_attrdef": 2604}  # fmt: skip

_SCHEMAS = {CATALOG: 11, INFORMATION: 13_000, "public": 2200}

_SHOWN = {"pg": CATALOG, "info": INFORMATION}
"""The names of the schemas that clients see, by their names here; all other schemas are internal."""

_RAW = (
    "CREATE SCHEMA raw",
    "CREATE SCHEMA pg",
    "CREATE SCHEMA info",
    "CREATE TABLE raw.database (name VARCHAR, version VARCHAR)",
    "CREATE TABLE raw.schemas (oid UINTEGER, name VARCHAR)",
    "CREATE TABLE raw.types (oid UINTEGER, name VARCHAR, len INTEGER, array_oid UINTEGER, kind VARCHAR, "
    "category VARCHAR)",
    "CREATE TABLE raw.relations (oid UINTEGER, schema_oid UINTEGER, name VARCHAR, kind VARCHAR, "
    "natts INTEGER, rows BIGINT, "
    "has_index BOOLEAN, has_references BOOLEAN, checks INTEGER, definition VARCHAR, remark VARCHAR)",
    "CREATE TABLE raw.columns (relation UINTEGER, name VARCHAR, number INTEGER, type_oid UINTEGER, modifier INTEGER, "
    "not_null BOOLEAN, default_text VARCHAR, words VARCHAR, remark VARCHAR)",
    "CREATE TABLE raw.constraints (oid UINTEGER, schema_oid UINTEGER, name VARCHAR, kind VARCHAR, relation UINTEGER, "
    "index_oid UINTEGER, keys BIGINT[], target UINTEGER, target_keys BIGINT[], definition VARCHAR)",
    "CREATE TABLE raw.functions (oid UINTEGER, name VARCHAR, arguments VARCHAR[], returns_set BOOLEAN, "
    "definition VARCHAR)",
    "CREATE TABLE raw.settings (name VARCHAR, setting VARCHAR)",
)

_RELATIONS = (
    "SELECT schema_name, table_name, 'r', estimated_size, check_constraint_count, NULL, comment FROM duckdb_tables() "
    "WHERE database_name = current_database() AND NOT internal AND schema_name <> 'imputedb' UNION ALL "
    "SELECT schema_name, view_name, 'v', 0, 0, sql, comment FROM duckdb_views() "
    "WHERE database_name = current_database() AND NOT internal AND schema_name <> 'imputedb' ORDER BY 1, 2"
)
_COLUMNS = (
    "SELECT schema_name, table_name, column_name, column_index, data_type, NOT is_nullable, column_default, comment "
    "FROM duckdb_columns() WHERE database_name = current_database() AND NOT internal AND schema_name <> 'imputedb' "
    "ORDER BY 1, 2, 4"
)
_CONSTRAINTS = (
    "SELECT schema_name, table_name, constraint_type, constraint_text, constraint_column_names, referenced_table, "
    "referenced_column_names, constraint_name FROM duckdb_constraints() "
    "W"
    "HERE database_name = current_database() AND schema_name <> 'imputedb' "
    "AND constraint_type <> 'NOT NULL' ORDER BY ALL"
)
_FUNCTIONS = (
    "SELECT function_name, parameters, function_type = 'table_macro', macro_definition FROM duckdb_functions() "
    "WHERE database_name = current_database() AND NOT internal AND macro_definition IS NOT NULL ORDER BY 1, 2"
)
_THERE = (
    "SELECT schema_name, table_name FROM duckdb_tables() UNION ALL "
    "SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal"
)
_MACROS = (
    "SELECT function_name, function_type = 'table_macro', macro_definition FROM duckdb_functions() "
    "WHERE NOT internal AND macro_definition IS NOT NULL"
)
_KINDS = {"PRIMARY KEY": "p", "UNIQUE": "u", "FOREIGN KEY": "f", "CHECK": "c"}


@dataclass(frozen=True, slots=True)
class Catalog:
    """The catalog of one open database file.

    Attributes:
        database: in-memory database that holds the catalog's relations.
        guard: check that statements only read these relations.
        names: names of the catalog's relations and functions.
        has_public: whether the served database has a schema `public`.
        failed: error because of which the catalog is empty; None where it is complete.
    """

    database: parse.Connection
    guard: Guard
    names: Names
    has_public: bool
    failed: Exception | None = None


class Catalogs:
    """The catalog of the current file, built when it is first needed."""

    def __init__(self, limits: Limits, name: str, remark: Callable[[Exception], None]) -> None:
        self._limits = limits
        self._name = name
        self._remark = remark
        self._lock = threading.Lock()
        self._now: tuple[Stamp, Catalog] | None = None

    def of(self, lease: Lease) -> Catalog:
        """The catalog of the instance of a lease."""
        stamp = lease.instance.stamp
        with self._lock:
            if self._now is None or self._now[0] != stamp:
                self._now = (stamp, self._made(lease.instance))
            return self._now[1]

    def _made(self, instance: Instance) -> Catalog:
        """The catalog of a file. Where it cannot be built, an empty one, which still recognises catalog queries."""
        try:
            raw = _Raw(instance.database, instance.guard, self._name)
            made = _built(raw.tables(), self._limits, self._name)
            own = frozenset(str(row[2]).lower() for row in raw.relations)
            functions = made.names.functions - frozenset(str(row[0]).lower() for row in raw.functions)
            names = replace(made.names, functions=functions, own=own)
            return replace(made, names=names, has_public="public" in raw.schemas_of_user)
        except Exception as error:
            self._remark(error)
            return replace(_built({}, self._limits, self._name), failed=error)


def _built(tables: Mapping[str, Sequence[Sequence[Any]]], limits: Limits, name: str) -> Catalog:
    found = parse.scratch_connection()
    found.execute("SET threads = 1; SET memory_limit = '200MB'; SET TimeZone = 'UTC'; " + "; ".join(_RAW))
    for table, rows in tables.items():
        if rows:
            places = ", ".join("?" * len(rows[0]))
            found.executemany(f"INSERT INTO raw.{table} VALUES ({places})", [list(row) for row in rows])
    found.execute("; ".join(_empty()) + ";" + _read("relations.sql") + _read("functions.sql"))
    _itself(found)
    found.execute("SET enable_external_access = false; SET lock_configuration = true")
    return Catalog(found, _guard(found, limits), _names(found, name), has_public=False)


_SHARED = frozenset(("age",))
"""Functions that belong to the catalog only beside its relations, since DuckDB has functions of these names."""


def _guard(found: parse.Connection, limits: Limits) -> Guard:
    """The guard that admits the catalog's relations and functions."""
    tables = [row for row in found.execute(_THERE).fetchall() if row[0] in _SHOWN]
    macros = found.execute(_MACROS).fetchall()
    scalar, tabular = ({name for name, is_table, _ in macros if is_table is kind} for kind in (False, True))
    defined = frozenset((name, is_table) for name, is_table, _ in macros)
    names = (frozenset(tables), frozenset(scalar), frozenset(tabular), defined)
    return Guard(Allowed("memory", *names, nesting=limits.nesting, size=limits.statement_bytes))


def _names(found: parse.Connection, name: str) -> Names:
    there = found.execute(_THERE).fetchall()
    relations = frozenset((_SHOWN[schema], str(one)) for schema, one in there if schema in _SHOWN)
    functions = frozenset(str(one) for one, _, _ in found.execute(_MACROS).fetchall()) | {
        "current_setting",
        "set_config",
        "pg_backend_pid",
    }
    return Names(name.lower(), relations, functions - _SHARED, frozenset())


def _itself(found: parse.Connection) -> None:
    """Adds the catalog's own relations to the catalog."""
    rows = found.execute(
        "SELECT schema_name, table_name, list(column_name ORDER BY column_index), "
        "list(data_type ORDER BY column_index) "
        "FROM duckdb_columns() WHERE schema_name IN ('pg', 'info') GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    relations = [
        (_KNOWN.get(name, 10_000 + place), name, 11 if schema == "pg" else 13_000, columns, types)
        for place, (schema, name, columns, types) in enumerate(rows)
    ]
    found.execute(
        "INSERT INTO pg.pg_class BY NAME SELECT unnest(?::UINTEGER[]) AS oid, unnest(?::VARCHAR[]) AS relname, "
        "unnest(?::UINTEGER[]) AS relnamespace, unnest(?::INTEGER[]) AS relnatts, 'v' AS relkind, "
        "10::UINTEGER AS relowner, "
        "'p' AS relpersistence, false AS relhasindex, true AS relispopulated, 0::UINTEGER AS reltablespace, "
        "false AS relispartition, 0::FLOAT AS reltuples, 0::UINTEGER AS relam, 0::UINTEGER AS reloftype, "
        "0 AS relchecks, "
        "false AS relrowsecurity, false AS relforcerowsecurity, false AS relhasrules, false AS relhastriggers",
        [[one[place] for one in relations] for place in range(3)] + [[len(one[3]) for one in relations]],
    )
    attributes = [
        (oid, column, wire_type(column, kind, of_catalog=True).oid, number)
        for oid, _, _, columns, types in relations
        for number, (column, kind) in enumerate(zip(columns, types, strict=True), 1)
    ]
    found.execute(
        "INSERT INTO pg.pg_attribute BY NAME SELECT unnest(?::UINTEGER[]) AS attrelid, "
        "unnest(?::VARCHAR[]) AS attname, "
        "unnest(?::UINTEGER[]) AS atttypid, unnest(?::INTEGER[]) AS attnum, -1 AS atttypmod, false AS attnotnull, "
        "false AS atthasdef, false AS attisdropped, true AS attislocal, '' AS attidentity, '' AS attgenerated, "
        "0::UINTEGER AS attcollation, -1 AS attlen, 0 AS attndims, 0 AS attinhcount",
        [[one[place] for one in attributes] for place in range(4)],
    )


def _empty() -> list[str]:
    """CREATE statements of relations that are always empty."""
    made = []
    for line in _read("empty.txt").splitlines():
        name, *columns = line.split()
        schema, _, short = name.rpartition(".")
        definition = ", ".join(" ".join(one.split(":")) for one in columns)
        made.append(f"CREATE TABLE {'info' if schema else 'pg'}.{short} ({definition})")
    return made


def _read(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


class _Raw:
    """Metadata of the served database with object identifiers, which are the same each time for the same file.

    Definitions are shown of views and functions that statements may use; those of others may name files.
    """

    def __init__(self, database: Database, guard: Guard, name: str) -> None:
        self._name = name
        self._guard = guard
        self.relations = database.execute(_RELATIONS)
        self._columns = database.execute(_COLUMNS)
        self._constraints = database.execute(_CONSTRAINTS)
        self.functions = database.execute(_FUNCTIONS)
        schemas = sorted({str(row[0]) for row in self.relations} | {"main"})
        self.schemas_of_user = schemas
        others = {one: _FIRST + place for place, one in enumerate(schemas) if self._shown(one) not in _SCHEMAS}
        self._schemas = {**{one: _SCHEMAS[self._shown(one)] for one in schemas if one not in others}, **others}
        self._oids = {_key(*row[:2]): 20_000 + place for place, row in enumerate(self.relations)}
        self._numbers = {_key(*row[:3]): int(row[3]) for row in self._columns}

    def _shown(self, schema: str) -> str:
        """The name of a schema for clients: `public` for DuckDB's `main`, unless there is a schema of that name."""
        return "public" if schema == "main" and "public" not in self.schemas_of_user else schema

    def tables(self) -> Mapping[str, Sequence[Sequence[Any]]]:
        """The rows of each table of `raw`."""
        constraints = self._constrained()
        indexes = [
            (index, home, name, "i", len(keys), 0, False, False, 0, None, None)
            for _, home, name, _, _, index, keys, _, _, _ in constraints
            if index
        ]
        indexed = {row[4] for row in constraints if row[5]}
        referring = {oid for row in constraints if row[3] == "f" for oid in (row[4], row[7])}
        version = f"PostgreSQL {VERSION} (imputedb {__version__})"
        shown = {self._shown(one): oid for one, oid in self._schemas.items()}
        settings = [*Settings("").all()]
        return {
            "database": [(self._name, version)],
            "schemas": [(oid, one) for one, oid in {**_SCHEMAS, **shown}.items()],
            "types": [_typed(line.split()) for line in _read("types.txt").splitlines()],
            "relations": [*(self._related(row, indexed, referring) for row in self.relations), *indexes],
            "columns": [self._column(row) for row in self._columns if _key(*row[:2]) in self._oids],
            "constraints": constraints,
            "functions": [
                (40_000 + n, *row, definition if self._guard.calls(row[0]) else None)
                for n, (*row, definition) in enumerate(self.functions)
            ],
            "settings": settings,
        }

    def _related(self, row: Sequence[Any], indexed: set[int], referring: set[int]) -> tuple[Any, ...]:
        schema, name, kind, rows, checks, definition, remark = row
        oid = self._oids[_key(schema, name)]
        count = sum(1 for known in self._numbers if known[:2] == _key(schema, name))
        has = (oid in indexed, oid in referring)
        body = _body(definition) if self._guard.reads(schema, name) else None
        return (oid, self._schemas[schema], name, kind, count, rows, *has, checks, body, remark)

    def _column(self, row: Sequence[Any]) -> tuple[Any, ...]:
        schema, table, name, number, kind, not_null, default, remark = row
        try:
            column = wire_type(name, kind)
            oid, modifier, words = (
                column.oid,
                column.modifier,
                "ARRAY" if column.is_list else _WORDS.get(column.type.name, column.type.name),
            )
        except UnsupportedType:
            oid, modifier, words = 705, -1, kind
        return (self._oids[_key(schema, table)], name, number, oid, modifier, not_null, default, words, remark)

    def _constrained(self) -> list[tuple[Any, ...]]:
        found = []
        for place, (schema, table, kind, text, names, target, target_names, name) in enumerate(self._constraints):
            if _key(schema, table) not in self._oids or kind not in _KINDS:
                continue
            keys = [self._numbers[_key(schema, table, one)] for one in names]
            others = [self._numbers[_key(schema, target, one)] for one in target_names or () if target]
            index = 30_000 + place if kind in ("PRIMARY KEY", "UNIQUE") else 0
            full_name = name or "_".join([table, *names, {"PRIMARY KEY": "pkey", "UNIQUE": "key"}.get(kind, "check")])
            oid, home = 50_000 + place, self._schemas[schema]
            relation = self._oids[_key(schema, table)]
            other = self._oids.get(_key(schema, target), 0) if target else 0
            found.append((oid, home, full_name, _KINDS[kind], relation, index, keys, other, others, text))
        return found


def _key(*names: str) -> tuple[str, ...]:
    """A name in lower case, since DuckDB compares names without case."""
    return tuple(name.lower() for name in names)


_WORDS = {"bool": "boolean", "int2": "smallint", "int4": "integer", "int8": "bigint", "float4": "real",
          "float8": "double precision", "timestamp": "timestamp without time zone",
          "timestamptz": "timestamp with time zone", "time": "time without time zone"}  # fmt: skip
"""Names of types in the SQL standard."""


def _typed(words: Sequence[str]) -> tuple[Any, ...]:
    oid, name, length, array, kind, category = words
    return int(oid), name, int(length), int(array), kind, category


def _body(definition: str | None) -> str | None:
    """The query of a view, taken from its CREATE statement."""
    return None if definition is None else definition.partition(" AS ")[2] or definition
