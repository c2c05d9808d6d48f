"""Meanings of names in a DuckDB database, for the resolution of statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from imputedb.algebra.relation import Table
from imputedb.engines.duckdb import derived, policy_texts
from imputedb.engines.duckdb.macros import functions, multiplying, written_out
from imputedb.engines.entries import View
from imputedb.errors import InternalError, QueryError
from imputedb.sql import ast as t
from imputedb.sql import parse
from imputedb.sql.ast import Tree
from imputedb.sql.enclosed import created_query
from imputedb.sql.expression import path_of
from imputedb.sql.items import is_table
from imputedb.sql.paths import quoted
from imputedb.sql.scope import Catalog, Viewed
from imputedb.sql.subqueries import nodes

if TYPE_CHECKING:
    from imputedb.engines.duckdb.engine import DuckDB


def catalog(engine: DuckDB) -> Catalog:
    """The tables, views and functions that exist at present."""
    return Catalog(
        lambda path, within: _meant(engine, path, within),
        lambda table: list(engine.tables.shape(table).types),
        lambda table: engine.tables.virtual.get(table, frozenset()),
        lambda item: _described(engine, item),
        engine.titles,
        engine.functions.aggregates,
        multiplying(engine),
        functions(engine).single,
        lambda table: _derived(engine, table),
    )


def _derived(engine: DuckDB, table: Table) -> dict[str, Tree]:
    """The derived columns of a table as expressions of their columns, in their own types."""
    shape = engine.tables.shape(table)
    return {
        column: _derivation(engine, table, column, policy.derived, shape.types[column])
        for column, policy in shape.policies.items()
        if policy.derived
    }


def _derivation(engine: DuckDB, table: Table, column: str, text: str, type_name: str) -> Tree:
    try:
        return _as(engine, table, derived.expression(engine.connection, text), type_name)
    except QueryError as error:
        raise policy_texts.policy_error(table, column, text, str(error)) from error


def _as(engine: DuckDB, table: Table, value: Tree, type_name: str) -> Tree:
    """An expression cast to a type, unless it has that type already."""
    found = parse.shape(engine.connection, engine.text(t.select([value], t.table(table.path, ""))))[1]
    return value if found == [type_name] else engine.cast(value, type_name)


def _meant(engine: DuckDB, path: Sequence[str], within: object) -> Table | Viewed | None:
    """The table of a path, or the query of a view; None where it is neither."""
    found = engine.tables.adopted_as(path[-1]) or engine.tables.meant(
        path, within if isinstance(within, View) else None
    )
    if not isinstance(found, View):
        return found
    query = created_query(found.sql)
    if query is None:
        return None
    columns = parse.shape(engine.connection, f"FROM {quoted(found.path)}")[0]
    return Viewed(written_out(engine, parse.stored(engine.connection, query)), columns, found)


def with_views(engine: DuckDB, tree: Tree) -> Iterator[Tree]:
    """Every node of a tree, and of the queries of views that it reads; each view once."""
    waiting, seen = [tree], set[str]()
    while waiting:
        for part in nodes(waiting.pop()):
            yield part
            if not is_table(part):
                continue
            found = engine.tables.meant(path_of(part))
            if isinstance(found, View) and found.sql not in seen:
                seen.add(found.sql)
                query = created_query(found.sql)
                waiting += [written_out(engine, parse.stored(engine.connection, query))] if query else []


def _described(engine: DuckDB, item: Tree) -> Sequence[str] | None:
    try:
        return parse.shape(engine.connection, engine.text(t.select([t.star()], item)))[0]
    except (QueryError, InternalError):
        return None
