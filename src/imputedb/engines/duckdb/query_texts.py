"""Queries that texts in FROM state: `query('SELECT ...')` and `query_table('t')`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imputedb.errors import InternalError, QueryError, Unplanned
from imputedb.sql import ast as t
from imputedb.sql import parse
from imputedb.sql.ast import Tree, is_reference
from imputedb.sql.expression import (
    alias_written,
    arguments_of,
    child_of,
    function_of,
    is_cast,
    is_constant,
    names_of,
    text_of,
)
from imputedb.sql.items import call_in, in_place_of, is_table_function
from imputedb.sql.paths import parts_of, quoted
from imputedb.sql.reading_functions import TEXTS
from imputedb.sql.subqueries import nodes

if TYPE_CHECKING:
    from imputedb.engines.duckdb.engine import DuckDB


def opened(engine: DuckDB, tree: Tree) -> Tree:
    """A statement with queries in place of the texts in FROM that state them.

    Raises:
        Unplanned: such a text is computed, so that it is unknown what is read.
        QueryError: the text is no query.
    """
    if not any(_name(part) for part in nodes(tree)):
        return tree
    found: Tree = _opened(engine, tree)
    return found


def _opened(engine: DuckDB, tree: Any) -> Any:
    if isinstance(tree, list):
        return [_opened(engine, part) for part in tree]
    if not isinstance(tree, dict):
        return tree
    if name := _name(tree):
        query = parse.parse(engine.connection, _text(engine, name, arguments_of(call_in(tree))))
        return in_place_of(tree, t.subquery(_opened(engine, query), alias_written(tree)))
    return {key: _opened(engine, part) if isinstance(part, (dict, list)) else part for key, part in tree.items()}


def _name(item: Tree) -> str:
    """The name of the function, if a FROM item calls one whose argument states what is read; otherwise empty."""
    name = function_of(call_in(item)) if is_table_function(item) else ""
    return name if name in TEXTS else ""


def _text(engine: DuckDB, name: str, given: list[Tree]) -> str:
    if name == "query":
        return _constant(name, given[0])
    listed = function_of(given[0]) == "list_value"
    tables = arguments_of(given[0]) if listed else given[:1]
    by_name = len(given) > 1 and _constant(name, given[1]).lower() in ("true", "t", "1")
    between = " UNION ALL BY NAME " if by_name else " UNION ALL "
    return between.join(f"FROM {_table(engine, one)}" for one in tables)


def _table(engine: DuckDB, tree: Tree) -> str:
    """A table as SQL for FROM: a text with points is a path or, where there is no such table, a file."""
    named = _uncast(tree)
    if is_reference(named):
        return quoted(names_of(named))
    text = _constant("query_table", tree)
    parts = parts_of(text)
    is_file = len(parts) > 1 and engine.tables.meant(parts) is None and is_there(engine, text)
    return quoted([text]) if is_file else quoted(parts)


def is_there(engine: DuckDB, name: str) -> bool:
    """Whether DuckDB can read from a name, such as that of a file."""
    try:
        parse.shape(engine.connection, f"FROM {quoted([name])}")
    except (QueryError, InternalError):
        return False
    return True


def _constant(name: str, tree: Tree) -> str:
    tree = _uncast(tree)
    if not is_constant(tree):
        raise Unplanned(f"{name}(...) of a text that is computed: write the text itself, or the query in its place")
    return text_of(tree)


def _uncast(tree: Tree) -> Tree:
    while is_cast(tree):
        tree = child_of(tree)
    return tree
