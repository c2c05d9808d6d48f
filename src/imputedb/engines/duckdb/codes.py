"""Detection of whole numbers that are codes of categories."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from imputedb.engines.duckdb.column_aggregates import EVERYTHING, Query, StoredColumn, TableSample
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.statistics.codes import MOST_LEVELS, RelatedColumn, candidate, coded
from imputedb.statistics.histogram import Quantiles
from imputedb.statistics.table import ColumnStatistics, Kind

OTHERS = 12
"""Largest number of columns to compare one with; those with the fewest missing values are taken."""

SEEN = 4096
"""Largest number of rows that are examined."""


def codes(
    query: Query, rows: TableSample, columns: Mapping[str, StoredColumn], known: Mapping[str, ColumnStatistics]
) -> frozenset[str]:
    """The columns of whole numbers that are codes of categories, judged by all rows or a sample."""
    found = [name for name, one in known.items() if _may_be(one, rows.count)]
    several = [name for name in found if known[name].distinct > 2]
    judged = _are_codes(query, rows, columns, known, several) if several else set()
    return frozenset({name for name in found if name not in several} | judged)


def _may_be(one: ColumnStatistics, rows: int) -> bool:
    if one.kind not in (Kind.INTEGER, Kind.NUMBER) or not isinstance(one.histogram, Quantiles):
        return False
    whole = all(math.isfinite(bound) and bound == round(bound) for bound in one.histogram.bounds)
    return whole and candidate(one.distinct, rows - one.missing - one.meant)


def _are_codes(
    query: Query,
    rows: TableSample,
    columns: Mapping[str, StoredColumn],
    known: Mapping[str, ColumnStatistics],
    names: Sequence[str],
) -> set[str]:
    others = sorted((name for name in columns if _compares(known[name])), key=lambda name: (known[name].missing, name))
    some = list(dict.fromkeys([*names, *others[: OTHERS + 1]]))
    values = _values(query, rows, columns, known, some)
    table = dict(zip(some, values.T, strict=True))
    beside = {name: table[name] for name in others[: OTHERS + 1]}
    return {name for name in names if _is_coded(table[name], [beside[other] for other in beside if other != name])}


def _values(
    query: Query,
    rows: TableSample,
    columns: Mapping[str, StoredColumn],
    known: Mapping[str, ColumnStatistics],
    names: Sequence[str],
) -> NDArray[np.float64]:
    """(rows, columns) numbers, NaN where missing; the order of the rows depends on their values only."""
    clean = t.subquery(t.select([t.named(columns[name].tree, name) for name in names], rows.source), "clean")
    if rows.sample is not None:
        clean = t.subquery(t.select([EVERYTHING], clean, sample=rows.sample), "clean")
    stored = [t.reference("clean", name) for name in names]
    mark = t.call("hash", *stored)
    numbers = [_number(value, known[name].kind) for name, value in zip(names, stored, strict=True)]
    found = query(t.select([mark, *numbers], clean))
    found.sort(key=lambda row: int(row[0]))
    return np.array([row[1:] for row in found[:SEEN]], np.float64).reshape(-1, len(names))


def _is_coded(values: NDArray[np.float64], others: Sequence[NDArray[np.float64]]) -> bool:
    observed = ~np.isnan(values)
    levels, places, counts = np.unique(values[observed], return_inverse=True, return_counts=True)
    if not candidate(len(levels), len(places)) or len(levels) > MOST_LEVELS or (levels != np.rint(levels)).any():
        return False
    halves = np.arange(len(places)) % 2
    related = [_related(other[observed], places, halves, len(levels)) for other in others]
    return coded(levels, counts.astype(np.float64), related)


def _related(
    other: NDArray[np.float64], places: NDArray[np.intp], halves: NDArray[np.intp], levels: int
) -> RelatedColumn:
    """Moments of another column by half and level."""
    there = np.isfinite(other)
    cell, y = (halves * levels + places)[there], other[there]
    size = float(np.abs(y).max()) if len(y) else 0.0
    y = y / size if size > 0 else y  # squares must not overflow
    sums = [np.bincount(cell, weights=y**power, minlength=2 * levels).reshape(2, levels) for power in range(3)]
    rows, total, squares = (np.asarray(one, np.float64) for one in sums)
    means = total / np.maximum(rows, 1)
    return RelatedColumn(rows, means, np.maximum(squares / np.maximum(rows, 1) - means**2, 0.0))


def _compares(one: ColumnStatistics) -> bool:
    return one.distinct > 1 and one.kind in (Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN)


def _number(value: Tree, kind: Kind) -> Tree:
    plain = t.cast(value, t.plain_type("INTEGER")) if kind is Kind.BOOLEAN else value
    return t.cast(plain, t.plain_type("DOUBLE"))
