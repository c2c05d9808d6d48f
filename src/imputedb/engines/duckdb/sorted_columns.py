"""Counts and distributions of numeric columns, from one fetch of their values and a sort of each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imputedb.engines.duckdb.column_aggregates import (
    BELOW,
    EVERYTHING,
    FEW_ROWS,
    TOGETHER,
    StoredColumn,
    TableSample,
    portions,
)
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree

Numbers = Callable[[Tree], Sequence[NDArray[np.float64]]]
"""A function that runs a SELECT node of numbers, and gives its columns as doubles, NaN for NULL."""

Measured = dict[str, dict[str, Any]]
"""The aggregates of each column, by their labels."""

_BLOCK = 2**17
"""Number of values that are sorted in one step; 1 MB, which caches hold."""

_EXACT = 2.0**53
"""Bound below which integers are exact as doubles."""

_INTEGERS = frozenset(
    ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "BOOLEAN", "DATE")
)
_TYPES = _INTEGERS | {"FLOAT", "DOUBLE"}


def is_plain(column: StoredColumn) -> bool:
    """Whether doubles distinguish the values of a column, except for integers of more than 53 bits."""
    return column.type in _TYPES


def sorted_measures(
    numbers: Numbers,
    rows: TableSample,
    columns: Mapping[str, StoredColumn],
    as_number: Callable[[Tree, str], Tree],
    bins: int,
) -> Measured:
    """The aggregates of numeric columns; columns whose values doubles do not distinguish are left out.

    They do not depend on the order of the rows.

    Returns: For each column `observed`, the number of values that are not missing; `distinct`, the number of distinct
    ones; `mean`, the mean of the finite ones, None if there are none; and `quantiles` at k / bins, each an observed
    value as in `quantile_disc`, None if no value is observed.
    """
    found: Measured = {}
    together = max(1, _BLOCK // max(1, rows.count))
    for names in portions(list(columns), BELOW if rows.count <= FEW_ROWS else TOGETHER):
        values = _fetched(numbers, rows, {name: columns[name] for name in names}, as_number)
        for begin in range(0, len(names), together):
            some = {name: columns[name] for name in names[begin : begin + together]}
            found |= _measured(np.sort(values[begin : begin + together], axis=1), some, bins)
    return found


def _measured(ordered: NDArray[np.float64], columns: Mapping[str, StoredColumn], bins: int) -> Measured:
    """The aggregates of (columns, rows) values in ascending order, with NaN for missing ones last."""
    observed = ordered.shape[1] - np.isnan(ordered).sum(axis=1)
    distinct = (ordered[:, 1:] > ordered[:, :-1]).sum(axis=1) + (observed > 0)
    means, quantiles = _means(ordered), _quantiles(ordered, observed, bins)
    found: Measured = {}
    for place, (name, one) in enumerate(columns.items()):
        if one.type not in _INTEGERS or _is_exact(quantiles[place]):
            seen = int(observed[place])
            mean = float(means[place]) if np.isfinite(means[place]) and one.type != "BOOLEAN" else None
            shown = quantiles[place].tolist() if seen else None
            found[name] = {"observed": seen, "distinct": int(distinct[place]), "mean": mean, "quantiles": shown}
    return found


def _fetched(
    numbers: Numbers, rows: TableSample, columns: Mapping[str, StoredColumn], as_number: Callable[[Tree, str], Tree]
) -> NDArray[np.float64]:
    """(columns, rows) the values of each column, NaN where missing.

    Few rows are fetched as one long column, since the cost of a column exceeds that of its values.
    """
    clean = t.subquery(t.select([t.named(one.tree, name) for name, one in columns.items()], rows.source), "clean")
    if rows.sample is not None:
        clean = t.subquery(t.select([EVERYTHING], clean, sample=rows.sample), "clean")
    double = t.plain_type("DOUBLE")
    read = [t.cast(as_number(t.reference("clean", name), one.type), double) for name, one in columns.items()]
    if rows.count > FEW_ROWS:
        return np.stack(numbers(t.select(read, clean)))
    (values,) = numbers(t.select([t.call("unnest", t.call("list_value", *read))], clean))
    return values.reshape(-1, len(columns)).T


def _is_exact(quantiles: NDArray[np.float64]) -> bool:
    """Whether the smallest and the largest value are integers that doubles represent exactly, or there are none."""
    return not (max(-quantiles[0], quantiles[-1]) >= _EXACT)


def _means(ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    """(columns,) means of the finite values; NaN where there are none."""
    finite = np.isfinite(ordered)
    counts = finite.sum(axis=1)
    shares = np.maximum(counts, 1)
    values = np.where(finite, ordered, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        means = _sums(values) / shares
    beyond = ~np.isfinite(means)
    means[beyond] = _sums(values[beyond] / shares[beyond, None])
    return np.where(counts > 0, means, np.nan)


def _sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(columns,) sums in twice the precision, by adding up rounding errors (Knuth's two-sum)."""
    size = 1 << max(values.shape[1] - 1, 0).bit_length()
    padded = np.zeros((len(values), size))
    padded[:, : values.shape[1]] = values
    lost = np.zeros(len(values))
    while padded.shape[1] > 1:
        a, b = np.split(padded, 2, axis=1)
        padded = a + b
        part = padded - a
        lost += ((a - (padded - part)) + (b - part)).sum(axis=1)
    return padded[:, 0] + lost


def _quantiles(ordered: NDArray[np.float64], observed: NDArray[np.intp], bins: int) -> NDArray[np.float64]:
    """(columns, bins + 1) quantiles; NaN where no value is observed."""
    if not ordered.shape[1]:
        return np.full((len(ordered), bins + 1), np.nan)
    count = observed[:, None]
    places = count - np.floor(count - count * (np.arange(bins + 1) / bins))
    return np.take_along_axis(ordered, np.maximum(places.astype(np.intp), 1) - 1, axis=1)
