"""Statements that read tables of the database and do nothing else, told by their syntax tree.

DuckDB calls `WITH x AS (DELETE ...) SELECT ...` a SELECT, and many a function reads files or settings. So what is
allowed is listed: kinds of nodes, functions, functions in FROM, and tables by name. What a later DuckDB adds is refused
until it is listed.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib.resources import files
from typing import Any

from imputedb.errors import Error, QueryError, UnknownName
from imputedb.service.errors import Forbidden, TooLarge
from imputedb.sql import parse
from imputedb.sql.anatomy import (
    NAMED,
    call_in_from,
    name_of_recursion,
    names_in_with,
    path_named,
    tells_of_query,
    type_in,
)
from imputedb.sql.ast import Tree

_TABLE_FUNCTIONS = frozenset(("range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree"))

_CATALOG = frozenset(
    ("information_schema", name) for name in ("tables", "columns", "schemata", "key_column_usage", "table_constraints")
)

_OURS = "imputedb"

_PLAIN = re.compile(r"(?!duckdb_|pragma_|sqlite_|pg_)[^\W\d][\w ]*", re.ASCII | re.IGNORECASE)
"""Names that a WITH may give: of no built-in view, and of no file."""

_COLUMN = re.compile(r'(?:[^\W\d]\w*|"(?:[^"]|"")+")(?:\.(?:[^\W\d]\w*|"(?:[^"]|"")+"))*')
"""A column, with what it stands in or without."""

_VIEW = re.compile(r'CREATE\s+VIEW\s+(?:[^"]|"[^"]*")+?\s+AS\s+(.*)', re.DOTALL)
"""How DuckDB writes a view down: nothing before AS but names, in double quotes where they hold spaces."""

_KINDS, _FUNCTIONS = (
    frozenset((files(__package__) / f"{name}.txt").read_text(encoding="utf-8").split())
    for name in ("kinds", "functions")
)

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Allowed:
    """What statements may name in a database, in lower case.

    Attributes:
        catalog: its name.
        tables: schema and name of tables and views.
        macros: its own functions whose bodies do nothing but read.
        table_macros: those in FROM.
        defined: all of its own functions, and whether they stand in FROM: one that has the name of a function of
            DuckDB's is called in its place.
        nesting: levels of a tree.
        size: bytes of a statement.
    """

    catalog: str
    tables: frozenset[Path]
    macros: frozenset[str] = frozenset()
    table_macros: frozenset[str] = frozenset()
    defined: frozenset[tuple[str, bool]] = frozenset()
    nesting: int = 200
    size: int = 100_000


class Guard:
    """Tells statements that only read from all others."""

    def __init__(
        self, allowed: Allowed, macros: Sequence[tuple[str, bool, str]] = (), views: Sequence[tuple[str, str, str]] = ()
    ) -> None:
        """Of what may be named, of the database's own functions, and of its views.

        Args:
            allowed: tables, and bounds.
            macros: of each its name, whether it stands in FROM, and its body.
            views: of each its schema, its name, and the statement that makes it.
        """
        self._parsers = threading.local()
        defined = frozenset((name.lower(), is_table) for name, is_table, _ in macros)
        self._allowed = replace(allowed, defined=allowed.defined | defined)
        for _ in (*macros, *views):  # one may name others
            found = self._with(macros, views)
            if found == self._allowed:
                break
            self._allowed = found

    def _with(self, macros: Sequence[tuple[str, bool, str]], views: Sequence[tuple[str, str, str]]) -> Allowed:
        """What is allowed with those functions of whose bodies all are allowed, and with views likewise."""
        known = self._allowed
        scalar, tabular, wrong = set[str](), set[str](), set[str]()
        for name, is_table, body in macros:
            is_right = self._reads(body if is_table else f"SELECT {body}", known)
            ((tabular if is_table else scalar) if is_right else wrong).add(name.lower())
        tables = set(known.tables)
        for schema, name, made in views:
            found = _VIEW.fullmatch(made)
            beside = frozenset(("main", other) for there, other in known.tables if there == schema)
            if found and self._reads(found[1], replace(known, tables=known.tables | beside)):
                tables.add((schema, name))
        return replace(
            known,
            tables=frozenset(tables),
            macros=frozenset(scalar - wrong),
            table_macros=frozenset(tabular - wrong),
        )

    def _reads(self, text: str, allowed: Allowed) -> bool:
        try:
            self._check(text, allowed)
        except Error:
            return False
        return True

    def check_column(self, what: str, text: str | None) -> None:
        """Refuses all but the name of a column where a request wants one, which becomes a part of statements.

        Raises:
            Forbidden: it is an expression.
        """
        if text is not None and not _COLUMN.fullmatch(text):
            raise Forbidden(f"{what} is the name of a column here, in double quotes where it holds other signs than _")

    def check(self, text: str) -> None:
        """Refuses a statement that does anything but read tables.

        Raises:
            TooLarge: it is longer or deeper than is read.
            Forbidden: it does, or may.
            UnknownName: it names a table that is not there.
            QueryError: it does not parse.
        """
        self._check(text, self._allowed)

    def _check(self, text: str, allowed: Allowed) -> None:
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise QueryError("the statement is not valid Unicode") from error
        if size > allowed.size:
            raise TooLarge(f"the statement is longer than the {allowed.size:,} bytes that are read")
        connection = self._parser()
        try:
            is_query = parse.is_query(connection, text)
        except ValueError:  # a kind of statement that the client has no name for
            is_query = False
        if not is_query:
            raise Forbidden("only queries (SELECT) are answered here: this statement is of another kind")
        try:
            _check_tree(allowed, parse.parse(connection, text))
        except RecursionError as error:
            raise _too_deep(allowed.nesting) from error

    def _parser(self) -> parse.Connection:
        """A connection of this thread's own to parse with, to a database in memory that holds nothing."""
        found: parse.Connection | None = getattr(self._parsers, "connection", None)
        if found is None:
            found = self._parsers.connection = parse.apart()
        return found


def _check_tree(allowed: Allowed, tree: Tree) -> None:
    given = set[str]()
    nodes = list(_nodes(tree, allowed.nesting))
    for node in nodes:
        for name in names_in_with(node):
            if not _PLAIN.fullmatch(name):
                raise Forbidden(f"WITH {name!r}: a name of letters, digits and _, which no built-in view has, will do")
            given.add(name.lower())
        itself = name_of_recursion(node)
        if itself is not None:
            given.add(itself.lower())
    in_from = {id(call) for node in nodes if (call := call_in_from(node)) is not None}
    for node in nodes:
        if id(node) not in in_from:
            _check_node(allowed, node, given)


def _nodes(tree: Tree, deepest: int) -> Iterator[Tree]:
    """All nodes of a tree, without recursion.

    Raises:
        TooLarge: it is too deep.
    """
    left: list[tuple[Any, int]] = [(tree, 0)]
    while left:
        part, depth = left.pop()
        if depth > 4 * deepest:  # a level of SQL is up to four of JSON
            raise _too_deep(deepest)
        if isinstance(part, dict):
            yield part
            left += [(one, depth + 1) for one in part.values() if isinstance(one, dict | list)]
        else:
            left += [(one, depth + 1) for one in part if isinstance(one, dict | list)]


def _too_deep(levels: int) -> TooLarge:
    return TooLarge(f"the statement is nested deeper than the {levels} levels that are read")


def _check_node(allowed: Allowed, node: Tree, given: set[str]) -> None:
    kind = type_in(node)
    if kind is None:
        return
    if kind not in _KINDS:
        raise Forbidden(f"{kind.replace('_', ' ').lower()} is nothing that is answered here")
    call = call_in_from(node)
    if kind in NAMED:
        _check_function(allowed, node)
    elif call is not None:
        _check_table_function(allowed, call)
    elif kind == "BASE_TABLE":
        _check_table(allowed, node, given)
    elif kind == "SHOW_REF" and not tells_of_query(node) and _path(node) != ('"tables"',):
        raise Forbidden("SHOW tells of tables only here: SHOW TABLES, DESCRIBE table")


def _path(node: Tree) -> Path:
    return tuple(part.lower() for part in path_named(node))


def _check_function(allowed: Allowed, node: Tree) -> None:
    *before, name = _path(node)
    if (name, False) in allowed.defined:
        is_right = name in allowed.macros and before in ([], ["main"], [allowed.catalog, "main"])
    else:
        is_right = name in _FUNCTIONS and before in ([], ["pg_catalog"], ["main"], ["system", "main"])
    if is_right:
        return
    raise Forbidden(f"function {name} is none of those that are called here")


def _check_table_function(allowed: Allowed, call: Tree) -> None:
    *before, name = _path(call)
    if name in _TABLE_FUNCTIONS and (name, True) not in allowed.defined and not before:
        return
    if name not in allowed.table_macros or before not in ([], ["main"], [allowed.catalog, "main"]):
        raise Forbidden(f"function {name} is none of those that are read from here")


def _check_table(allowed: Allowed, node: Tree, given: set[str]) -> None:
    path = _path(node)
    if _OURS in path[:-1]:
        raise Forbidden(f"schema {_OURS} is imputedb's own")
    if len(path) == 1 and path[0] in given:
        return
    if any(meant in allowed.tables or meant in _CATALOG for meant in _meanings(allowed, path)):
        return
    near = get_close_matches(path[-1], sorted(name for _, name in allowed.tables), 1)
    raise UnknownName(f"no table {'.'.join(path)} can be read here" + (f"; did you mean {near[0]}?" if near else ""))


def _meanings(allowed: Allowed, path: Path) -> list[Path]:
    """Schema and name that a path may mean, each of them."""
    match path:
        case (name,):
            return [("main", name)]
        case (first, name):
            return [(first, name), *([("main", name)] if first == allowed.catalog else [])]
        case (catalog, schema, name) if catalog == allowed.catalog:
            return [(schema, name)]
        case _:
            return []
