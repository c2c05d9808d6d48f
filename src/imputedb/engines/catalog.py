"""What names mean in a DuckDB database, for those who resolve a statement."""

from collections.abc import Collection, Sequence

from imputedb.algebra.relation import Table
from imputedb.engines.duckdb import DuckDB
from imputedb.engines.resolution import DAMAGED, View, damaged, quoted
from imputedb.errors import InternalError, QueryError
from imputedb.sql import parse
from imputedb.sql import tree as t
from imputedb.sql.macros import Macro
from imputedb.sql.macros import written_out as macros_written_out
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
    SELECT lower(function_name), list_transform(parameters, lambda one: lower(one)), macro_definition, internal,
        function_type = 'macro'
    FROM duckdb_functions() WHERE macro_definition IS NOT NULL
"""


def macros(engine: DuckDB, called: Collection[str] = ()) -> dict[str, Tree]:
    """The queries, or expressions in a query, that the user's macros stand for.

    Raises:
        StorageError: an attached database is damaged, so that DuckDB tells of no macros, and a function is called that
            is not one of its own.
    """
    known: dict[str, Tree] | None = engine.recall("macros")
    if known is None:
        found = _definitions(engine, called)
        known = {name: _standing_for(engine, text) for name, _, text, internal, _ in found if not internal}
        engine.keep("macros", known)
    return known


def written_out(engine: DuckDB, node: Tree) -> Tree:
    """A statement with the expressions that macros stand for in place of their calls.

    Written out are the user's macros without a query inside, and those of DuckDB that aggregate. What has two macros of
    as many arguments, in two schemas, is left to DuckDB.
    """
    called = {str(part["function_name"]).lower() for part in t.expressions(node) if part.get("class") == "FUNCTION"}
    if not called:
        return node
    texts: dict[tuple[str, int], list[tuple[Sequence[str], str, bool]]] = {}
    for name, parameters, text, internal, scalar in _definitions(engine, called):
        if scalar:
            texts.setdefault((name, len(parameters)), []).append((parameters, text, internal))

    def macro(name: str, count: int) -> Macro | None:
        own = [one for one in texts.get((name, count), ()) if not one[2]] or texts.get((name, count), [])
        return _macro(engine, *own[0]) if len(own) == 1 else None

    if not any(name in called for name, _ in texts):
        return node
    return macros_written_out(node, macro, lambda trees: parse.titles(engine.connection, trees))


def _definitions(engine: DuckDB, called: Collection[str]) -> list[tuple[str, Sequence[str], str, bool, bool]]:
    """Name, parameters, text, whether it is DuckDB's, and whether it gives one value, of every macro."""
    known: list[tuple[str, Sequence[str], str, bool, bool]] | None = engine.recall("macro definitions")
    if known is None:
        try:
            known = engine.connection.execute(_MACROS).fetchall()
        except DAMAGED as error:
            if set(called) <= engine.functions.built_in:
                return []
            raise damaged(error) from error
        engine.keep("macro definitions", known)
    return known


def _macro(engine: DuckDB, parameters: Sequence[str], text: str, internal: bool) -> Macro | None:
    """The macro of a text; None where it is not to be written out."""
    key = ("macro", text, tuple(parameters))
    known: list[Macro | None] | None = engine.recall(key)
    if known is None:
        body = parse.parse(engine.connection, f"SELECT {text}")["select_list"][0]
        nested = any(part.get("class") in ("SUBQUERY", "WINDOW", "LAMBDA") for part in t.expressions(body))
        aggregates = any(
            part.get("class") == "FUNCTION" and _aggregates(engine, str(part["function_name"]).lower())
            for part in t.expressions(body)
        )
        whole = not nested and (aggregates or not internal)
        known = [Macro(tuple(parameters), body, internal) if whole else None]
        engine.keep(key, known)
    return known[0]


def _aggregates(engine: DuckDB, name: str) -> bool:
    """Whether a function aggregates, or is a macro of DuckDB's that does."""
    if name in engine.functions.aggregates:
        return True
    texts = [
        text for known, _, text, internal, scalar in _definitions(engine, ()) if known == name and internal and scalar
    ]
    return any(
        part.get("class") == "FUNCTION" and str(part["function_name"]).lower() in engine.functions.aggregates
        for text in texts
        for part in t.expressions(parse.parse(engine.connection, f"SELECT {text}"))
    )


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
