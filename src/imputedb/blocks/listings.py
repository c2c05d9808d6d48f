"""Listings of a database's content, without imputedb's own tables."""

from contextlib import suppress
from typing import Any

from imputedb.engines.engine import Engine
from imputedb.engines.names import OURS, SCHEMA
from imputedb.errors import QueryError
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import function_of, path_of
from imputedb.sql.items import call_in, in_place_of, is_show, is_table, is_table_function, shows_schema, without_alias
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
    '"tables"': f"NOT {_NAMED.format(name='name')}",
    '"schemas"': _of("schema_name"),
    "__show_tables_expanded": _in('"schema"', "name", "database"),
}
_SHOWN_FROM = _SHOWN['"tables"']
"""The same of what SHOW lists, by the name under which DuckDB keeps it; and of SHOW TABLES FROM a schema."""

_PRAGMAS = {"show_tables": "SHOW TABLES", "show_tables_expanded": "SHOW ALL TABLES"}
"""Pragmas that list tables, and the SHOW of the same rows."""

_LISTING = "listing"
"""The name of a SHOW in FROM."""

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
    return any(is_show(part) or _name(part) in _LISTED for part in nodes(tree))


def _without_ours(engine: Engine, item: Tree) -> Tree | None:
    """A listing in FROM without imputedb's own objects; None for any other item."""
    if is_show(item):  # DuckDB writes no WHERE after a SHOW
        kept = _SHOWN_FROM if shows_schema(item) else _SHOWN.get("".join(path_of(item)[-1:]))
        every = with_from(engine.tree("SELECT * FROM duckdb_tables()"), item)
        source, alias = t.subquery(every, _LISTING), _LISTING
    else:
        kept = _LISTED.get(_listed(engine, item))
        source, alias = without_alias(item), alias_of(item) if kept is not None else ""
    if kept is None:
        return None
    query = with_from(engine.tree(f"SELECT * FROM duckdb_tables() WHERE {kept}"), source)
    return in_place_of(item, t.subquery(query, alias))


def showing(engine: Engine, text: str) -> str:
    """A SHOW or pragma that lists tables or schemas without imputedb's own objects; any other statement unchanged."""
    words = [token.text for token in tokens(text) if token.text != ";"]
    first, *others = [word.lower() for word in words[:2]] or [""]
    if first == "pragma" and others and others[0] in _PRAGMAS:
        words = [_PRAGMAS[others[0]]]
    elif first not in ("show", "describe", "desc"):
        return text
    with suppress(QueryError):  # a setting, say, which is no query
        tree = engine.tree(f"FROM ({' '.join(words)})")
        changed = listed_without_ours(engine, tree)
        return text if changed == tree else engine.text(changed)
    return text


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
