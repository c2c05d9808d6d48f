"""Listings of a database's content, without imputedb's own tables."""

from typing import Any

from imputedb.engines.engine import Engine
from imputedb.engines.names import OURS, SCHEMA
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import function_of, path_of
from imputedb.sql.items import call_in, in_place_of, is_table, is_table_function, without_alias
from imputedb.sql.select import entries_of, is_select, name_of, with_from
from imputedb.sql.subqueries import alias_of, nodes
from imputedb.sql.titles import titled
from imputedb.sql.tokens import tokens

_NAMED = f"regexp_full_match(coalesce({{name}}, ''), '{OURS}')"
_KEPT = f"coalesce({{schema}}, '') <> '{SCHEMA}'"
_TABLES = f"""(
    SELECT table_oid FROM duckdb_tables()
    WHERE schema_name = '{SCHEMA}' OR (database_name = 'temp' AND regexp_full_match(table_name, '{OURS}'))
    UNION ALL SELECT view_oid FROM duckdb_views()
    WHERE database_name = 'temp' AND regexp_full_match(view_name, '{OURS}')
)"""


def _in(schema: str, name: str, database: str = "") -> str:
    """The condition that an object is in no schema of imputedb, and is none of its temporary tables."""
    temporary = _NAMED.format(name=name) + (f" AND {database} = 'temp'" if database else "")
    return f"{_KEPT.format(schema=schema)} AND NOT ({temporary})"


def _of(schema: str) -> str:
    return _KEPT.format(schema=schema)


def _by_number(column: str) -> str:
    return f"coalesce({column}, -1) NOT IN {_TABLES}"


_LISTED = {
    "duckdb_tables": _in("schema_name", "table_name", "database_name"),
    "duckdb_columns": _in("schema_name", "table_name", "database_name"),
    "duckdb_constraints": _in("schema_name", "table_name", "database_name"),
    "duckdb_indexes": _in("schema_name", "table_name", "database_name"),
    "duckdb_views": _in("schema_name", "view_name", "database_name"),
    "duckdb_schemas": _of("schema_name"),
    "information_schema.tables": _in("table_schema", "table_name", "table_catalog"),
    "information_schema.columns": _in("table_schema", "table_name", "table_catalog"),
    "information_schema.table_constraints": _in("table_schema", "table_name", "table_catalog"),
    "information_schema.key_column_usage": _in("table_schema", "table_name", "table_catalog"),
    "information_schema.constraint_column_usage": _in("table_schema", "table_name", "table_catalog"),
    "information_schema.schemata": _of("schema_name"),
    "sqlite_master": f"{_NAMED.format(name='tbl_name')} IS FALSE AND NOT contains(coalesce(sql, ''), ' {SCHEMA}.')",
    "pg_tables": _in("schemaname", "tablename"),
    "pg_views": _in("schemaname", "viewname"),
    "pg_indexes": _in("schemaname", "tablename"),
    "pg_namespace": _of("nspname"),
    "pg_class": _by_number("oid"),
    "pg_attribute": _by_number("attrelid"),
    "pg_attrdef": _by_number("adrelid"),
    "pg_constraint": _by_number("conrelid"),
    "pg_index": _by_number("indrelid"),
    "pg_type": _by_number("typrelid"),
    "pg_depend": _by_number("objid"),
    "pg_description": _by_number("objoid"),
}
_LISTED |= {"sqlite_schema": _LISTED["sqlite_master"], "sqlite_temp_master": _LISTED["sqlite_master"]}
"""What lists something, with the condition under which a row of it is not ours."""

_SHOWN = {
    ("show", "all", "tables"): _in('"schema"', "name", "database"),
    ("show", "schemas"): _of("schema_name"),
    ("show", "tables"): f"NOT {_NAMED.format(name='name')}",
}
"""Statements that list tables or schemas."""

_PLACES = ("pg_catalog", "main", "system")


def listed_without_ours(engine: Engine, tree: Any) -> Any:
    """A statement in which listings of the database leave out imputedb's own objects."""
    if not _lists(tree):
        return tree
    named = {name_of(entry) for part in nodes(tree) for entry in entries_of(part)}

    def change(part: Any) -> Any:
        if isinstance(part, list):
            return [change(one) for one in part]
        if not isinstance(part, dict):
            return part
        if is_select(part):
            part = titled(part, _lists, lambda trees: engine.titles(trees))
        if _name(part) not in named and (listed := _without_ours(engine, part)) is not None:
            return listed
        return {key: change(below) if isinstance(below, (dict, list)) else below for key, below in part.items()}

    return change(tree)


def _lists(tree: Any) -> bool:
    return any(_name(part) in _LISTED for part in nodes(tree))


def _without_ours(engine: Engine, item: Tree) -> Tree | None:
    """A listing in FROM without imputedb's own objects; None for any other item."""
    kept = _LISTED.get(_listed(engine, item))
    if kept is None:
        return None
    query = with_from(engine.tree(f"SELECT * FROM duckdb_tables() WHERE {kept}"), without_alias(item))
    return in_place_of(item, t.subquery(query, alias_of(item)))


def showing(text: str) -> str:
    """A SHOW of all schemas without imputedb's own objects; any other statement unchanged."""
    words = tuple(token.word for token in tokens(text) if token.text != ";")
    kept = _SHOWN.get(words)
    return f"SELECT * FROM ({' '.join(words)}) WHERE {kept}" if kept else text


def _listed(engine: Engine, item: Tree) -> str:
    """The kind of listing of an item of FROM, by its name above; empty for any other."""
    if not is_table(item):
        return _name(item)
    path = [part.lower() for part in path_of(item)]
    known = path[-2:-1] == ["information_schema"] or all(
        part in _PLACES or part == engine.session.home.lower() for part in path[:-1]
    )
    return _name(item) if known and engine.meant(path) is None else ""


def _name(item: Tree) -> str:
    """The name of a table or function in FROM, qualified if it is of the information schema."""
    if is_table_function(item):
        return function_of(call_in(item))
    if not is_table(item):
        return ""
    *before, name = [part.lower() for part in path_of(item)]
    return f"information_schema.{name}" if before[-1:] == ["information_schema"] else name
