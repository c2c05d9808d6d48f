"""Queries over complete stored tables, recognised by names in their unresolved trees."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from imputedb.algebra.relation import Table
from imputedb.engines.engine import Engine
from imputedb.sql.ast import Tree
from imputedb.sql.expression import alias_written, function_of, kind_of, names_of, path_of
from imputedb.sql.items import column_names_of, is_natural, is_of_another_time, kind_of_item, using_of
from imputedb.sql.missingness import COUNT_OBSERVED
from imputedb.sql.select import entries_of, name_of
from imputedb.sql.subqueries import nodes

_OF_OTHERS = ("PIVOT", "SHOW_REF", "TABLE_FUNCTION")
"""What reads other things than tables, or reads them by names that are not written."""

_NAMELESS = frozenset(
    (
        "BETWEEN",
        "CASE",
        "CAST",
        "COLLATE",
        "COMPARISON",
        "CONJUNCTION",
        "CONSTANT",
        "LAMBDA",
        "OPERATOR",
        "SUBQUERY",
        "TYPE",
    )
)
"""Classes of expressions that name nothing themselves; others, such as `#2`, read columns without their names."""

_SETTINGS = ("current_setting", "json_execute_serialized_sql")
"""Functions of DuckDB's that say what is ours meanwhile, or run another statement."""


@dataclass(slots=True)
class _Names:
    """The names in a tree.

    Attributes:
        tables: paths of tables, in lower case.
        aliases: aliases of items of FROM, and names of tables.
        queries: names of entries of WITH.
        columns: parts of column references.
        last: last part of each column reference.
        functions: names of called functions.
        reads_all: whether it reads columns without naming them.
    """

    tables: set[tuple[str, ...]] = field(default_factory=set)
    aliases: set[str] = field(default_factory=set)
    queries: set[str] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)
    last: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    reads_all: bool = False


def is_complete(engine: Engine, tree: Tree) -> bool:
    """Whether a query reads stored tables only, and no column that it may name has missing values.

    DuckDB can answer such a query unchanged. The result is False where more would have to be known: for views, files,
    pivots, macros, policies, and functions that test missingness.
    """
    names = _named(tree)
    if names is None or not names.functions <= engine.functions.built_in:
        return False
    tables: list[Table] = []
    for path in names.tables:
        found = engine.meant(path)
        if len(path) == 1 and path[0] in names.queries:
            if found is not None:
                return False  # the meaning depends on the place
        elif isinstance(found, Table) and not engine.shape(found).policies:
            tables.append(found)
        else:
            return False
    if names.functions and not names.functions.isdisjoint(engine.macros(names.functions)):
        return False
    every = names.reads_all or not names.last.isdisjoint(names.aliases)  # a whole row, by the name of its table
    return not any(engine.dirty(table, _mentioned(engine, table, None if every else names.columns)) for table in tables)


def _mentioned(engine: Engine, table: Table, names: set[str] | None) -> list[str]:
    return [name for name in engine.shape(table).types if names is None or name.lower() in names]


def _named(tree: Tree) -> _Names | None:
    """The names in a tree; None where it reads anything but tables."""
    names = _Names()
    for part in nodes(tree):
        kind = kind_of_item(part)
        if kind_of(part):
            if not _expression(part, names):
                return None
        elif kind in _OF_OTHERS:
            return None
        elif kind == "BASE_TABLE":
            if is_of_another_time(part):
                return None
            path = tuple(name.lower() for name in path_of(part))
            names.tables.add(path)
            names.aliases |= {path[-1], alias_written(part).lower()}
            names.reads_all |= bool(column_names_of(part))
        elif kind == "JOIN":
            names.columns.update(_lower(using_of(part)))
            names.reads_all |= is_natural(part)
        elif kind == "SUBQUERY":
            names.aliases.add(alias_written(part).lower())
        names.queries.update(map(name_of, entries_of(part)))
    return names


def _expression(part: Tree, names: _Names) -> bool:
    """Adds the names in an expression; returns whether DuckDB can evaluate it unchanged."""
    match kind_of(part):
        case "COLUMN_REF":
            written = _lower(names_of(part))
            names.columns.update(written)
            names.last.add(written[-1])
        case "STAR":
            names.reads_all = True
        case "FUNCTION":
            name = function_of(part)
            names.functions.add(name)
            return name not in _SETTINGS and len(path_of(part)) == 1
        case "WINDOW":
            return function_of(part) != COUNT_OBSERVED
        case kind:
            return kind in _NAMELESS
    return True


def _lower(names: Iterable[Any]) -> list[str]:
    return [str(name).lower() for name in names]
