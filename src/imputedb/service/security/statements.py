"""The guard that admits only statements that read tables of the database, judged by their syntax trees.

DuckDB classifies `WITH x AS (DELETE ...) SELECT ...` as a SELECT, and many functions read files or settings. So the
guard lists what it admits: kinds of nodes, functions, table functions and tables. What a later version of DuckDB adds
is refused until it is listed.
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
    describes_query,
    name_of_recursion,
    names_in_with,
    path_named,
    type_in,
)
from imputedb.sql.ast import Tree

_TABLE_FUNCTIONS = frozenset(("range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree"))

_CATALOG = frozenset(
    ("information_schema", name) for name in ("tables", "columns", "schemata", "key_column_usage", "table_constraints")
)

_OURS = "imputedb"

_PLAIN = re.compile(r"(?!duckdb_|pragma_|sqlite_|pg_)[^\W\d][\w ]*", re.ASCII | re.IGNORECASE)
"""Names that WITH may define: those of no built-in view and of no file."""

_COLUMN = re.compile(r'(?:[^\W\d]\w*|"(?:[^"]|"")+")(?:\.(?:[^\W\d]\w*|"(?:[^"]|"")+"))*')
"""The name of a column, qualified or not."""

_VIEW = re.compile(r'CREATE\s+VIEW\s+(?:[^"]|"[^"]*")+?\s+AS\s+(.*)', re.DOTALL)
"""The CREATE VIEW statement as DuckDB prints it: only names before AS, quoted if they contain spaces."""

_KINDS, _FUNCTIONS = (
    frozenset((files(__package__) / f"{name}.txt").read_text(encoding="utf-8").split())
    for name in ("kinds", "functions")
)

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Allowed:
    """The names that statements may use, in lower case.

    Attributes:
        catalog: name of the database.
        tables: schema and name of each table and view.
        macros: scalar macros whose bodies only read.
        table_macros: table macros whose bodies only read.
        defined: all macros of the database, and whether they are table macros; a macro shadows a built-in function of
            same name.
        nesting: most levels of a syntax tree.
        size: most bytes of a statement.
    """

    catalog: str
    tables: frozenset[Path]
    macros: frozenset[str] = frozenset()
    table_macros: frozenset[str] = frozenset()
    defined: frozenset[tuple[str, bool]] = frozenset()
    nesting: int = 200
    size: int = 100_000


class Guard:
    """The check that a statement only reads."""

    def __init__(
        self, allowed: Allowed, macros: Sequence[tuple[str, bool, str]] = (), views: Sequence[tuple[str, str, str]] = ()
    ) -> None:
        """A guard over tables and the database's own macros and views, of which those are admitted that only read.

        Args:
            allowed: tables and limits.
            macros: name of each macro, whether it is a table macro, and its body.
            views: schema, name and CREATE statement of each view.
        """
        self._parsers = threading.local()
        defined = frozenset((name.lower(), is_table) for name, is_table, _ in macros)
        self._allowed = replace(allowed, defined=allowed.defined | defined)
        for _ in (*macros, *views):  # one may use others
            found = self._with(macros, views)
            if found == self._allowed:
                break
            self._allowed = found

    def _with(self, macros: Sequence[tuple[str, bool, str]], views: Sequence[tuple[str, str, str]]) -> Allowed:
        """The admitted names, with the macros and views whose bodies use admitted names only."""
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

    def reads(self, schema: str, name: str) -> bool:
        """Whether a table or view is admitted; the body of an admitted view only reads."""
        return (schema.lower(), name.lower()) in self._allowed.tables

    def calls(self, name: str) -> bool:
        """Whether a macro of the database is admitted; the body of an admitted macro only reads."""
        return name.lower() in self._allowed.macros | self._allowed.table_macros

    def check_column(self, what: str, text: str | None) -> None:
        """Checks that a request's option is the name of a column, since it becomes a part of statements.

        Raises:
            Forbidden: the option is an expression.
        """
        if text is not None and not _COLUMN.fullmatch(text):
            raise Forbidden(f"{what} is the name of a column here, in double quotes where it holds other signs than _")

    def check(self, text: str) -> None:
        """Refuses a statement that does anything but read tables.

        Raises:
            TooLarge: the statement is longer or deeper than the limits.
            Forbidden: the statement does more than read, or may.
            UnknownName: the statement names an unknown table.
            QueryError: the statement does not parse.
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
        check_kind(connection, text)
        try:
            _check_tree(allowed, parse.parse(connection, text))
        except RecursionError as error:
            raise _too_deep(allowed.nesting) from error

    def _parser(self) -> parse.Connection:
        """This thread's own connection to an empty in-memory database, for parsing."""
        found: parse.Connection | None = getattr(self._parsers, "connection", None)
        if found is None:
            found = self._parsers.connection = parse.scratch_connection()
        return found


def check_kind(connection: parse.Connection, text: str) -> None:
    """Refuses a statement that is not a query.

    Raises:
        Forbidden: the statement is of another kind.
        QueryError: the text does not parse, or holds more than one statement.
    """
    if not parse.is_query(connection, text):
        raise Forbidden("only queries (SELECT) are permitted: this statement is of another kind")


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
    """All nodes of a syntax tree, found without recursion.

    Raises:
        TooLarge: the tree is too deep.
    """
    left: list[tuple[Any, int]] = [(tree, 0)]
    while left:
        part, depth = left.pop()
        if depth > 4 * deepest:  # one level of SQL is up to four levels of JSON
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
        raise Forbidden(f"{kind.replace('_', ' ').lower()} is not permitted")
    call = call_in_from(node)
    if kind in NAMED:
        _check_function(allowed, node)
    elif call is not None:
        _check_table_function(allowed, call)
    elif kind == "BASE_TABLE":
        _check_table(allowed, node, given)
    elif kind == "SHOW_REF" and not describes_query(node) and _path(node) != ('"tables"',):
        raise Forbidden("SHOW is permitted for tables only: SHOW TABLES, DESCRIBE table")


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
    raise Forbidden(f"function {name} is not permitted")


def _check_table_function(allowed: Allowed, call: Tree) -> None:
    *before, name = _path(call)
    if name in _TABLE_FUNCTIONS and (name, True) not in allowed.defined and not before:
        return
    if name not in allowed.table_macros or before not in ([], ["main"], [allowed.catalog, "main"]):
        raise Forbidden(f"table function {name} is not permitted")


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
    """The schema and table names that a path may stand for."""
    match path:
        case (name,):
            return [("main", name)]
        case (first, name):
            return [(first, name), *([("main", name)] if first == allowed.catalog else [])]
        case (catalog, schema, name) if catalog == allowed.catalog:
            return [(schema, name)]
        case _:
            return []
