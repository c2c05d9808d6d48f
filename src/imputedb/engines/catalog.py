"""What names mean in a DuckDB database, for those who resolve a statement."""

from collections.abc import Collection, Sequence

from imputedb.algebra.relation import Table
from imputedb.engines.duckdb import DuckDB
from imputedb.engines.resolution import DAMAGED, View, damaged, quoted
from imputedb.errors import InternalError, QueryError
from imputedb.sql import parse
from imputedb.sql import tree as t
from imputedb.sql.sources import Catalog, Viewed
from imputedb.sql.statements import created_query
from imputedb.sql.tree import Tree


def catalog(engine: DuckDB) -> Catalog:
    """Tables, views and functions as they are now."""
    return Catalog(
        lambda path, within: _meant(engine, path, within),
        lambda table: list(engine.tables.shape(table).types),
        lambda table: engine.tables.virtual.get(table, frozenset()),
        lambda item: _described(engine, item),
        lambda trees: parse.titles(engine.connection, trees),
        engine.functions.aggregates,
    )


_MACROS = """
    SELECT lower(function_name), macro_definition FROM duckdb_functions()
    WHERE NOT internal AND macro_definition IS NOT NULL
"""


def macros(engine: DuckDB, called: Collection[str] = ()) -> dict[str, Tree]:
    """The queries, or expressions in a query, that the user's macros stand for.

    Raises:
        StorageError: an attached database is damaged, so that DuckDB tells of no macros, and a function is called that
            is not one of its own.
    """
    known: dict[str, Tree] | None = engine.recall("macros")
    if known is None:
        try:
            found = engine.connection.execute(_MACROS).fetchall()
        except DAMAGED as error:
            if set(called) <= engine.functions.built_in:
                return {}
            raise damaged(error) from error
        known = {name: _standing_for(engine, text) for name, text in found}
        engine.keep("macros", known)
    return known


def _standing_for(engine: DuckDB, text: str) -> Tree:
    try:
        return parse.parse(engine.connection, text)
    except QueryError:
        return parse.parse(engine.connection, f"SELECT {text}")


def _meant(engine: DuckDB, path: Sequence[str], within: object) -> Table | Viewed | None:
    """The table of a path, or the query of the view."""
    found = engine.tables.adopted_as(path[-1]) or engine.tables.meant(
        path, within if isinstance(within, View) else None
    )
    if not isinstance(found, View):
        return found
    query = created_query(found.sql)
    if query is None:
        return None
    columns = parse.shape(engine.connection, f"FROM {quoted(found.path)}")[0]
    return Viewed(parse.parse(engine.connection, query), columns, found)


def _described(engine: DuckDB, item: Tree) -> Sequence[str] | None:
    try:
        return parse.shape(engine.connection, engine.text(t.select([t.star()], item)))[0]
    except (QueryError, InternalError):
        return None
