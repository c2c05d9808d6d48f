"""What names mean in a DuckDB database, for those who resolve a statement."""

from collections.abc import Sequence

from imputedb.engines.duckdb import DuckDB
from imputedb.errors import InternalError, QueryError
from imputedb.sql import parse
from imputedb.sql import tree as t
from imputedb.sql.sources import Catalog
from imputedb.sql.statements import created_query
from imputedb.sql.tree import Tree

_VIEW = """
    SELECT sql, list(column_name ORDER BY column_index) FROM duckdb_views() JOIN duckdb_columns()
    USING (database_name, schema_name) WHERE view_name = table_name AND NOT duckdb_views.internal
    AND lower(view_name) = lower(?) AND lower(schema_name) IN (lower(?), 'main') GROUP BY ALL
"""


def catalog(engine: DuckDB) -> Catalog:
    """Tables, views and functions as they are now."""
    names = engine.tables.names()
    return Catalog(
        lambda path: engine.tables.adopted_as(path[-1]) or names.get(".".join(path).lower()),
        lambda table: list(engine.tables.shape(table).types),
        lambda path: _view(engine, path),
        lambda item: _described(engine, item),
        engine.functions.aggregates,
    )


_MACROS = """
    SELECT lower(function_name), macro_definition FROM duckdb_functions()
    WHERE NOT internal AND macro_definition IS NOT NULL
"""


def macros(engine: DuckDB) -> dict[str, Tree]:
    """The queries, or expressions in a query, that the user's macros stand for."""
    known: dict[str, Tree] | None = engine.recall("macros")
    if known is None:
        known = {}
        for name, text in engine.connection.execute(_MACROS).fetchall():
            known[name] = _standing_for(engine, text)
        engine.keep("macros", known)
    return known


def _standing_for(engine: DuckDB, text: str) -> Tree:
    try:
        return parse.parse(engine.connection, text)
    except QueryError:
        return parse.parse(engine.connection, f"SELECT {text}")


def _view(engine: DuckDB, path: Sequence[str]) -> tuple[Tree, Sequence[str]] | None:
    """The query behind a view, and the names of its columns."""
    found = engine.connection.execute(_VIEW, [path[-1], path[-2] if len(path) > 1 else "main"]).fetchall()
    if not found or not found[0][0]:
        return None
    query = created_query(found[0][0])
    return (parse.parse(engine.connection, query), found[0][1]) if query else None


def _described(engine: DuckDB, item: Tree) -> Sequence[str] | None:
    try:
        return parse.shape(engine.connection, engine.text(t.select([t.star()], item)))[0]
    except (QueryError, InternalError):
        return None
