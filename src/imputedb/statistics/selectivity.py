"""Selectivity of conditions, from histograms, with System R's defaults elsewhere."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import assert_never

from imputedb.algebra.column import Column
from imputedb.algebra.scalar import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Equal,
    Negation,
    Opaque,
    Operator,
    Unknown,
    Value,
)
from imputedb.statistics.histogram import Frequencies, Quantiles
from imputedb.statistics.table import ColumnStatistics, Kind

UNKNOWN = 1 / 3
"""Share assumed of a condition that statistics cannot judge (Selinger et al. 1979)."""

Lookup = Callable[[Column], tuple[ColumnStatistics, float]]
"""A column's statistics with the share of the rows where it is missing."""


def selectivity(condition: Condition, lookup: Lookup) -> float:
    """Share of the rows, in [0, 1], for which a condition on completed values holds."""
    match condition:
        case Compare(column, operator, value):
            return _compare(lookup(column)[0], operator, value)
        case Unknown(column):
            return lookup(column)[1]
        case Equal(left, right):
            return 1 / max(lookup(left)[0].distinct, lookup(right)[0].distinct, 1)
        case AllOf(parts):
            return _all_of(parts, lookup)
        case AnyOf(parts):
            return _any_of(parts, lookup)
        case Negation(part):
            return 1 - selectivity(part, lookup)
        case Opaque():
            return UNKNOWN
        case _:
            assert_never(condition)


def _any_of(parts: tuple[Condition, ...], lookup: Lookup) -> float:
    if _same_column_equalities(parts):
        return min(1.0, sum(selectivity(part, lookup) for part in parts))
    left = 1.0
    for part in parts:
        left *= 1 - selectivity(part, lookup)
    return 1 - left


def _same_column_equalities(parts: tuple[Condition, ...]) -> bool:
    return len(
        {p.column if isinstance(p, Compare) and p.operator == "=" else None for p in parts} | {None}
    ) == 2 and all(isinstance(p, Compare) and p.operator == "=" for p in parts)


def _all_of(parts: tuple[Condition, ...], lookup: Lookup) -> float:
    """Bounds on one column are combined to a range; different columns are assumed to be independent."""
    share = 1.0
    ranges: dict[Column, float] = {}
    for part in parts:
        held = selectivity(part, lookup)
        if isinstance(part, Compare) and part.operator in ("<", "<=", ">", ">="):
            ranges[part.column] = max(0.0, ranges.get(part.column, 1.0) + held - 1)
        else:
            share *= held
    for held in ranges.values():
        share *= held
    return share


def _compare(column: ColumnStatistics, operator: Operator, value: Value) -> float:
    histogram = column.histogram
    match operator, histogram:
        case ("=", Frequencies()) if isinstance(value, str):
            return histogram.equal(value)
        case ("<>", _):
            return 1 - _compare(column, "=", value)
        case (_, Quantiles()):
            number = _number(value, column.kind)
            return _compare_number(histogram, operator, number) if number is not None else UNKNOWN
        case _:
            return UNKNOWN


def _compare_number(histogram: Quantiles, operator: Operator, value: float) -> float:
    match operator:
        case "=":
            return histogram.equal(value)
        case "<>":
            return 1 - histogram.equal(value)
        case "<":
            return histogram.below(value)
        case "<=":
            return histogram.up_to(value)
        case ">":
            return 1 - histogram.up_to(value)
        case ">=":
            return 1 - histogram.below(value)
        case _:
            assert_never(operator)


def _number(value: Value, kind: Kind) -> float | None:
    if not isinstance(value, str):
        return value
    try:
        match kind:
            case Kind.DATE:
                return float(date.fromisoformat(value).toordinal() - date(1970, 1, 1).toordinal())
            case Kind.TIMESTAMP:
                return datetime.fromisoformat(value).replace(tzinfo=UTC).timestamp()
            case _:
                return float(value)
    except ValueError:
        return None
