"""The user's macros and DuckDB's own: their bodies, and statements with these in place of the calls."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import duckdb

from imputedb.engines.cache import OF_STRUCTURE
from imputedb.engines.duckdb import opening
from imputedb.engines.duckdb.functions import built_in_macros, standing_for
from imputedb.engines.duckdb.query_texts import opened
from imputedb.engines.duckdb.resolution import DAMAGED, damaged
from imputedb.sql import ast as t
from imputedb.sql import parse
from imputedb.sql.ast import Tree
from imputedb.sql.bind import Functions
from imputedb.sql.expression import function_of, is_call, kind_of, names_of
from imputedb.sql.flatten import mentions
from imputedb.sql.functions import MULTIPLYING
from imputedb.sql.items import call_in, in_place_of, is_table_function
from imputedb.sql.macros import Call, Macro, call_of, path_of, with_arguments
from imputedb.sql.macros import written_out as macros_written_out
from imputedb.sql.missingness import tests_missingness
from imputedb.sql.reading_functions import naming_parameters
from imputedb.sql.select import is_select, outputs_of
from imputedb.sql.subqueries import alias_of, nodes
from imputedb.sql.titles import titled

if TYPE_CHECKING:
    from imputedb.engines.duckdb.engine import DuckDB

_MACROS = """
    SELECT lower(database_name), lower(schema_name), lower(function_name),
        list_transform(parameters, lambda one: lower(one)), macro_definition, internal, function_type = 'macro',
        coalesce(list_bool_or(list_transform(parameter_types, lambda one: one IS NOT NULL)), false),
        list_contains(current_schemas(true), schema_name) AND (
            database_name IN ('system', 'temp', current_database())
            OR contains(current_setting('search_path'), database_name)
        )
    FROM duckdb_functions() WHERE macro_definition IS NOT NULL
"""

_FUNCTIONS = """
    SELECT 1 FROM duckdb_functions() WHERE lower(function_name) = ? AND (
        (lower(schema_name) = ? AND lower(database_name) = coalesce(?, lower(database_name)))
        OR (lower(database_name) = ? AND ?)
    ) LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class _Definition:
    """A macro's definition, as DuckDB lists it.

    Attributes:
        database: the database that has it.
        schema: its schema.
        name: its name.
        parameters: the names of its parameters.
        text: its body.
        internal: whether it is built into DuckDB.
        scalar: whether it returns one value.
        typed: whether a parameter has a type.
        searched: whether its name alone finds it.
    """

    database: str
    schema: str
    name: str
    parameters: Sequence[str]
    text: str
    internal: bool
    scalar: bool
    typed: bool
    searched: bool

    def is_called(self, path: Sequence[str]) -> bool:
        """Whether a name, possibly qualified, may mean this macro."""
        *before, name = path
        if not before:
            return name == self.name and self.searched
        ways: list[list[str]] = [[self.schema], [self.database], [self.database, self.schema]]
        return name == self.name and before in ways


def macros(engine: DuckDB, called: Collection[str] = ()) -> dict[str, Tree]:
    """The bodies of the user's macros: queries, or expressions inside a query.

    Raises:
        StorageError: an attached database is damaged, so that DuckDB lists no macros, and a function is called that is
            not built in.
    """
    known: dict[str, Tree] | None = engine.recall("macros")
    if known is None:
        found = _definitions(engine, called)
        known = {one.name: _standing_for(engine, one) for one in found if not one.internal}
        engine.keep("macros", known, tables=OF_STRUCTURE)
    return known


def functions(engine: DuckDB) -> Functions:
    """The properties of functions; a macro that calls one which must be called once for each row must be so too."""
    return replace(engine.functions, single=_with_macros(engine, engine.functions.single | MULTIPLYING))


def multiplying(engine: DuckDB) -> frozenset[str]:
    """Functions and macros that return any number of rows for each input row."""
    return _with_macros(engine, MULTIPLYING)


def _with_macros(engine: DuckDB, names: frozenset[str]) -> frozenset[str]:
    """Some functions, and all macros that call one of them, directly or through other macros."""
    key = ("macros that call", names)
    known: frozenset[str] | None = engine.recall(key)
    if known is None:
        found, known = names, frozenset[str]()
        while found != known:
            known = found
            found = known | {one.name for one in _definitions(engine, ()) if _calls(engine, one, known)}
        engine.keep(key, known, tables=OF_STRUCTURE)
    return known


def _calls(engine: DuckDB, defined: _Definition, names: frozenset[str]) -> bool:
    if defined.internal and defined.text in built_in_macros():
        return _built_in_calls(defined.text, names)
    text = defined.text.lower()
    return any(name in text for name in names) and mentions(_standing_for(engine, defined), names)


@lru_cache(maxsize=1 << 13)
def _built_in_calls(text: str, names: frozenset[str]) -> bool:
    return mentions(built_in_macros()[text], names)


def written_out(engine: DuckDB, node: Tree) -> Tree:
    """A statement with macro calls replaced by the macros' expressions, and texts in FROM by the queries they state.

    Replaced are calls of the user's macros, and of DuckDB's own that aggregate. A macro with a query inside is replaced
    if its arguments are constants. Left to DuckDB are calls that fit macros in two schemas, macros whose parameters
    have types, and calls that rely on default values.
    """
    node = opened(engine, _with_files(engine, node))
    calls = [part for part in t.expressions(node) if is_call(part)]
    if not calls:
        return node
    called = {path_of(part) for part in calls}
    names = {path[-1] for path in called}
    known: dict[str, list[_Definition]] = {}
    for one in _definitions(engine, names):
        if one.scalar:
            known.setdefault(one.name, []).append(one)

    def macro(call: Call) -> Macro | None:
        return _called_macro(engine, call, known.get(call.path[-1], ()))

    def is_function(path: tuple[str, ...]) -> bool:
        *database, schema, name = path
        ask = [name, schema, database[0] if database else None, schema, not database]
        return bool(engine.session.rows(_FUNCTIONS, ask))

    if not names & known.keys() and all(len(path) == 1 for path in called):
        return node
    return macros_written_out(node, macro, is_function, engine.titles)


def _with_files(engine: DuckDB, tree: Any, within: frozenset[str] = frozenset()) -> Any:
    """A statement with the queries of table macros in place of their calls."""
    if isinstance(tree, list):
        return [_with_files(engine, part, within) for part in tree]
    if not isinstance(tree, dict):
        return tree
    if is_select(tree):
        tree = titled(tree, _calls_for_rows, engine.titles)
    found = _table_macro(engine, tree) if is_table_function(tree) else None
    if found is not None and found.name not in within:
        query = parse.stored(engine.connection, found.text)
        query = _with_files(engine, with_arguments(query, found.parameters, call_in(tree)), within | {found.name})
        return in_place_of(tree, t.subquery(query, alias_of(tree)))
    return {
        k: _with_files(engine, part, within) if isinstance(part, (dict, list)) else part for k, part in tree.items()
    }


def _calls_for_rows(tree: Tree) -> bool:
    return any(map(is_table_function, nodes(tree)))


def _table_macro(engine: DuckDB, item: Tree) -> _Definition | None:
    """The user's table macro that a FROM item calls; its arguments are put into its text, as in DuckDB."""
    call = call_of(call_in(item))
    named = [one for one in _definitions(engine, call.path[-1:]) if not one.scalar and not one.internal]
    named = [one for one in named if one.is_called(call.path) and call.gives(one.parameters)]
    return named[0] if len(named) == 1 and not named[0].typed else None


def called_query(engine: DuckDB, node: Tree) -> tuple[Tree, set[str]]:
    """The body of a called macro of the user's, and the parameters whose defaults name what it reads."""
    call = call_of(node)
    named = [one for one in _definitions(engine, call.path[-1:]) if one.name == call.path[-1] and not one.internal]
    one = next((one for one in named if one.is_called(call.path) and call.count <= len(one.parameters)), named[0])
    query = with_arguments(_standing_for(engine, one), one.parameters, node)
    return query, naming_parameters(query) & set(one.parameters)


def _called_macro(engine: DuckDB, call: Call, known: Sequence[_Definition]) -> Macro | None:
    """The macro that a call means; None where it is left to DuckDB."""
    named = [one for one in known if one.is_called(call.path)]
    named = [one for one in named if not one.internal] or named
    whole = [one for one in named if call.gives(one.parameters)]
    if len(whole) == 1 and not whole[0].typed:
        return _macro(engine, whole[0], closed=call.closed)
    return None


def has_macro(engine: DuckDB, name: str) -> bool:
    """Whether an unqualified name, in lower case, means one of the user's macros."""
    return any(one.name == name and one.searched and not one.internal for one in _definitions(engine, (name,)))


def missingness_macros(engine: DuckDB, called: Collection[str]) -> frozenset[str]:
    """The functions among some that are user's macros and test whether an argument is missing."""
    found = [one for one in _definitions(engine, called) if one.name in called and not one.internal and one.scalar]
    return frozenset(one.name for one in found if _tests_missingness(_standing_for(engine, one), one.parameters))


def _tests_missingness(body: Tree, parameters: Sequence[str]) -> bool:
    read = [
        part
        for tree in t.expressions(body)
        if tests_missingness(tree)
        for part in t.expressions(tree)
        if t.is_reference(part)
    ]
    return any(names_of(part)[0].lower() in parameters for part in read)


def _definitions(engine: DuckDB, called: Collection[str]) -> list[_Definition]:
    """The definitions of all macros."""
    state = engine.session.writes.definitions()
    known: list[_Definition] | None = engine.texts.macros.recall(state)
    if known is None:
        try:
            found = _of_duckdb() if engine.session.changes.is_new else _found(engine.connection)
        except DAMAGED as error:
            if set(called) <= engine.functions.built_in:
                return []
            raise damaged(error) from error
        known = engine.texts.macros.keep(state, found)
    return known


def _found(connection: duckdb.DuckDBPyConnection) -> list[_Definition]:
    return [_Definition(*row) for row in connection.execute(_MACROS).fetchall()]


@cache
def _of_duckdb() -> list[_Definition]:
    """The definitions of DuckDB's own macros; a new database in memory has no others."""
    with opening.connection_of(opening.Opening(":memory:")) as connection:
        return _found(connection)


def _macro(engine: DuckDB, defined: _Definition, *, closed: bool) -> Macro | None:
    """The macro of a definition; None where its calls are left to DuckDB.

    A query in its body may have columns with the names that the arguments read. The arguments must then be `closed`.
    """
    text, parameters, internal = defined.text, tuple(defined.parameters), defined.internal
    key = ("macro", text, parameters, closed)
    known: list[Macro | None] | None = engine.recall(key)
    if known is None:
        (body,) = outputs_of(parse.stored(engine.connection, f"SELECT {text}"))
        capturing = ("WINDOW", "LAMBDA") if closed and not internal else ("SUBQUERY", "WINDOW", "LAMBDA")
        nested = any(kind_of(part) in capturing for part in t.expressions(body))
        aggregates = any(is_call(part) and _aggregates(engine, function_of(part)) for part in t.expressions(body))
        whole = not nested and (aggregates or not internal)
        known = [Macro(parameters, body, internal) if whole else None]
        engine.keep(key, known, tables=OF_STRUCTURE)
    return known[0]


def _aggregates(engine: DuckDB, name: str) -> bool:
    """Whether a function is an aggregate, or a macro of DuckDB's that calls one."""
    if name in engine.functions.aggregates:
        return True
    texts = [one.text for one in _definitions(engine, ()) if one.name == name and one.internal and one.scalar]
    return any(
        is_call(part) and function_of(part) in engine.functions.aggregates
        for text in texts
        for part in t.expressions(parse.stored(engine.connection, f"SELECT {text}"))
    )


def _standing_for(engine: DuckDB, defined: _Definition) -> Tree:
    known = built_in_macros().get(defined.text) if defined.internal else None
    return known or standing_for(engine.connection, defined.text)
