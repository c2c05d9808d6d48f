"""Aggregates of many columns of a table, computed side by side or, for many columns and few rows, as stacked rows."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.statistics.kind import Kind

TOGETHER = 200
"""Number of columns with their aggregates side by side in one statement; its cost grows faster than their number."""
BELOW = 1000
"""Number of columns of one type that are stacked in one statement."""
FEW_ROWS = 4096
"""Number of rows up to which planning dominates the cost of a statement, so that stacking is cheaper."""
MANY_COLUMNS = 50
"""Number of columns of one type from which stacking pays."""

Query = Callable[[Tree], list[tuple[Any, ...]]]
"""A function that runs a SELECT node."""

Calls = Callable[[Tree, str], Mapping[str, Tree]]
"""A function from the values of a column and their type to its aggregates, by labels."""

EVERYTHING: Tree = {"class": "STAR", "type": "STAR", "alias": ""}
"""All columns, in a SELECT."""


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """The expression of a column, NULL where it is missing, with its type and the kind of its values."""

    tree: Tree
    type: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class TableSample:
    """A table in FROM, its number of rows, and a sample of them; None where all are read."""

    source: Tree
    count: int
    sample: Tree | None = None


def measured(
    query: Query, rows: TableSample, columns: Mapping[str, StoredColumn], calls: Calls
) -> dict[str, dict[str, Any]]:
    """The aggregates of each column, by their labels."""
    found: dict[str, dict[str, Any]] = {name: {} for name in columns}
    stacked = _stacked(rows, columns)
    for names in stacked:
        found |= _below(query, rows.source, {name: columns[name] for name in names}, calls)
    done = {name for names in stacked for name in names}
    for names in portions([name for name in columns if name not in done], TOGETHER):
        found |= _beside(query, rows, {name: columns[name] for name in names}, calls)
    return found


def portions(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The names in groups of at most `size`."""
    for begin in range(0, len(names), size):
        yield names[begin : begin + size]


def _stacked(rows: TableSample, columns: Mapping[str, StoredColumn]) -> list[Sequence[str]]:
    """The groups of columns of one type that are stacked, one for each statement."""
    if rows.sample is not None or not 0 < rows.count <= FEW_ROWS:
        return []
    types: dict[str, list[str]] = {}
    for name, column in columns.items():
        if column.kind is not Kind.OPAQUE:
            types.setdefault(column.type, []).append(name)
    return [part for names in types.values() if len(names) >= MANY_COLUMNS for part in portions(names, BELOW)]


def _beside(
    query: Query, rows: TableSample, columns: Mapping[str, StoredColumn], calls: Calls
) -> dict[str, dict[str, Any]]:
    wanted = [(name, *call) for name, one in columns.items() for call in calls(_clean(name), one.type).items()]
    if not wanted:
        return {}
    clean = t.subquery(t.select([t.named(one.tree, name) for name, one in columns.items()], rows.source), "clean")
    if rows.sample is not None:
        clean = t.subquery(t.select([EVERYTHING], clean, sample=rows.sample), "clean")
    values = query(t.select([call for _, _, call in wanted], clean))[0]
    return _by_column((name, label, value) for (name, label, _), value in zip(wanted, values, strict=True))


def _below(query: Query, source: Tree, columns: Mapping[str, StoredColumn], calls: Calls) -> dict[str, dict[str, Any]]:
    """Aggregates of columns of one type, whose values are stacked into one and grouped by the place of their column."""
    names = list(columns)
    values = t.call("unnest", t.call("list_value", *(one.tree for one in columns.values())))
    places = t.call("unnest", t.call("range", t.number(len(names))))
    clean = t.subquery(t.select([t.named(values, "value"), t.named(places, "place")], source), "clean")
    wanted = calls(_clean("value"), next(iter(columns.values())).type)
    if not wanted:
        return {}
    found = query(t.select([_clean("place"), *wanted.values()], clean, groups=[_clean("place")]))
    return _by_column(
        (names[place], label, value) for place, *row in found for label, value in zip(wanted, row, strict=True)
    )


def _by_column(values: Iterable[tuple[str, str, Any]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, label, value in values:
        found.setdefault(name, {})[label] = value
    return found


def _clean(name: str) -> Tree:
    return t.reference("clean", name)
