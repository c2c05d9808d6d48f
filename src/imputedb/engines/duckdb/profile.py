"""Statements that gather statistics: counts over all rows, distributions over a seeded sample."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from imputedb.engines.duckdb.codes import codes
from imputedb.engines.duckdb.column_aggregates import TOGETHER, Query, StoredColumn, TableSample, measured, portions
from imputedb.engines.duckdb.sorted_columns import Measured, Numbers, is_plain, sorted_measures
from imputedb.engines.duckdb.value_texts import literal
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.statistics.histogram import Frequencies, Quantiles
from imputedb.statistics.table import MANY_LEVELS, ColumnStatistics, Kind, Statistics

BINS = 64
SAMPLE = 20_000
"""Number of rows in the sample for distributions; a share is then known within 0.7 points (95 %)."""
SPARSE = 0.1
"""Share of observed values below which a sample of `SAMPLE` rows has too few of them."""
DISTINCT_TOGETHER = 8
"""Number of columns with exact counts of distinct values in one statement; DuckDB joins these counts."""
KEPT = 100
"""Number of categories whose frequencies are kept."""

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_DURATIONS = ("TIME", "TIME_NS", "TIME WITH TIME ZONE", "INTERVAL")
_TIMESTAMPS = ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE")
_COARSE = ("TIMESTAMP_S", "TIMESTAMP_MS")
_ENDS = ("290309-12-22 (BC) 00:00:00", "294247-01-10 04:00:54")
"""The first and the last microsecond timestamp, to the second."""
_KINDS = {
    **dict.fromkeys(_INTEGERS, Kind.INTEGER),
    **dict.fromkeys(("FLOAT", "DOUBLE", "HUGEINT", "UHUGEINT"), Kind.NUMBER),
    **dict.fromkeys(_TIMESTAMPS, Kind.TIMESTAMP),
    **dict.fromkeys(_DURATIONS, Kind.DURATION),
    "BOOLEAN": Kind.BOOLEAN,
    "DATE": Kind.DATE,
    "VARCHAR": Kind.CATEGORY,
}


def kind_of(type_name: str) -> Kind:
    """The kind of a DuckDB type's values, for statistics and imputers."""
    if type_name.endswith(")"):  # the name of a list type ends in ]
        if type_name.startswith("DECIMAL("):
            return Kind.NUMBER
        if type_name.startswith("ENUM("):
            return Kind.CATEGORY
    return _KINDS.get(type_name, Kind.OPAQUE)


def gather(
    query: Query,
    numbers: Numbers,
    source: Tree,
    readings: Mapping[str, Tree],
    types: Mapping[str, str],
    sample: Tree,
    meanings: Mapping[str, Tree | None],
) -> Statistics:
    """The statistics of a table.

    Args:
        query: runs a SELECT node.
        numbers: runs a SELECT node of numbers, and gives its columns as doubles.
        source: the table in FROM.
        readings: the expression of each column, NULL where it is missing.
        types: each column's type.
        sample: the engine's tree of a repeatable sample of `SAMPLE` rows.
        meanings: conditions under which a column's NULL is not a missing value.
    """
    columns = {name: StoredColumn(tree, types[name], kind_of(types[name])) for name, tree in readings.items()}
    count, total = query(t.select([t.call("count_star"), _content(columns)], source))[0]
    rows = TableSample(source, count)
    meant = _meant(query, source, readings, meanings)
    sampled = TableSample(source, SAMPLE, sample) if rows.count > SAMPLE else rows
    if sampled.sample is None:
        counts, distinct, shapes = _measures(query, numbers, rows, columns)
    else:
        counts, distinct, shapes = _sampled_measures(query, numbers, rows, sampled, columns)
    found = {}
    for name, one in columns.items():
        missing = rows.count - counts[name]["observed"] - meant.get(name, 0)
        column = _column(one, missing, distinct[name], counts[name].get("mean"), shapes[name])
        found[name] = replace(column, meant=meant.get(name, 0))
    for name in codes(query, sampled, columns, found):
        found[name] = replace(_moded(found[name], shapes[name]["quantiles"]), coded=True)
    summary = json.dumps([rows.count, [(name, counts[name]["observed"]) for name in sorted(counts)], str(total)])
    return Statistics(rows.count, found, content=_number(summary))


def _measures(
    query: Query, numbers: Numbers, rows: TableSample, columns: Mapping[str, StoredColumn]
) -> tuple[Measured, dict[str, int], Measured]:
    """Counts, numbers of distinct values, and distributions of columns, all over all rows."""
    plain = {name: one for name, one in columns.items() if is_plain(one)}
    by_sorting = sorted_measures(numbers, rows, plain, as_number, BINS)
    rest = {name: one for name, one in columns.items() if name not in by_sorting}
    counts = measured(query, rows, rest, _counts)
    distinct = _distinct(query, rows, rest, counts)
    distinct |= {name: one["distinct"] for name, one in by_sorting.items()}
    return counts | by_sorting, distinct, measured(query, rows, rest, _distributions) | by_sorting


def _sampled_measures(
    query: Query, numbers: Numbers, rows: TableSample, sampled: TableSample, columns: Mapping[str, StoredColumn]
) -> tuple[Measured, dict[str, int], Measured]:
    """The same of a large table: counts and ranges over all rows, distributions over a sample.

    Distributions are over all rows too for columns with so few observed values that a sample might have none, and for
    categories with few levels, since the most frequent one is imputed.
    """
    counts = measured(query, rows, columns, _sampled_counts)
    distinct = _distinct(query, rows, columns, counts)
    few = {name for name in columns if counts[name]["observed"] < SPARSE * rows.count}
    few |= {name for name, one in columns.items() if one.kind is Kind.CATEGORY and distinct[name] <= MANY_LEVELS}
    whole = {name: one for name, one in columns.items() if name in few}
    rest = {name: one for name, one in columns.items() if name not in whole}
    plain = {name: one for name, one in rest.items() if is_plain(one)}
    shapes = sorted_measures(numbers, sampled, plain, as_number, BINS)
    shapes |= measured(query, sampled, {name: one for name, one in rest.items() if name not in shapes}, _distributions)
    for name in rest:
        if shapes[name].get("quantiles"):
            shapes[name]["quantiles"][0], shapes[name]["quantiles"][-1] = counts[name]["least"], counts[name]["largest"]
    return counts, distinct, shapes | measured(query, rows, whole, _distributions)


def earliest(
    query: Query, source: Tree, readings: Mapping[str, Tree], types: Mapping[str, str], times: Sequence[str]
) -> int:
    """A hash of the earliest rows of a table, by each of some columns of times.

    Later rows do not change it, and so do not change any random number. The rows at the earliest time have no earlier
    ones from which they could be imputed.
    """
    columns = {name: StoredColumn(tree, types[name], kind_of(types[name])) for name, tree in readings.items()}
    totals = []
    for name in sorted(times):
        least = t.select([t.call("min", readings[name])], source)
        ((total,),) = query(t.select([_content(columns)], source, t.among(readings[name], least)))
        totals.append(str(total))
    return _number(json.dumps([sorted(types), totals]))


def _number(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())


def _content(columns: Mapping[str, StoredColumn]) -> Tree:
    """The sum over rows of a hash of their values, which depends on neither the order of rows nor that of columns.

    Values are hashed as text, in single precision, or in seconds, so that their types in a file or frame do not matter.
    Of very many columns, only the first `TOGETHER` are hashed.
    """
    hashed = [_hashed(columns[name]) for name in sorted(columns)[:TOGETHER]] or [t.number(1)]
    return t.call("sum", t.cast(t.call("hash", *hashed), t.plain_type("HUGEINT")))


def _hashed(column: StoredColumn) -> Tree:
    match column.kind:
        case Kind.CATEGORY:
            return t.cast(column.tree, t.plain_type("VARCHAR"))
        case Kind.INTEGER | Kind.NUMBER | Kind.BOOLEAN:
            return t.try_cast(column.tree, t.plain_type("FLOAT"))
        case Kind.DATE:
            return t.call("epoch", column.tree)
        case Kind.TIMESTAMP | Kind.DURATION:
            return as_number(column.tree, column.type)
        case _:
            return t.is_missing(column.tree)


def _moded(known: ColumnStatistics, quantiles: Sequence[Any]) -> ColumnStatistics:
    """Statistics of a column of codes, with the mode as its centre."""
    values = list(map(float, quantiles))
    centre = max(dict.fromkeys(values), key=values.count)
    return replace(known, centre=literal(centre, known.kind, known.type))


def missing(
    query: Query, source: Tree, readings: Mapping[str, Tree], meanings: Mapping[str, Tree | None]
) -> dict[str, bool]:
    """Whether each column has a missing value."""
    found: dict[str, Any] = {}
    for names in portions(list(readings), TOGETHER):
        absent = [t.all_of([t.is_missing(readings[name]), *_unmeant(meanings.get(name))]) for name in names]
        found |= dict(
            zip(names, query(t.select([t.call("bool_or", one) for one in absent if one], source))[0], strict=True)
        )
    return {name: bool(one) for name, one in found.items()}


def with_nan(query: Query, source: Tree, alias: str, names: Sequence[str]) -> set[str]:
    """The columns among some of doubles that hold NaN; `alias` is the table's alias in FROM."""
    found: set[str] = set()
    for some in portions(names, TOGETHER):
        held = query(t.select([t.call("bool_or", t.call("isnan", t.reference(alias, name))) for name in some], source))
        found |= {name for name, one in zip(some, held[0], strict=True) if one}
    return found


def _unmeant(meaning: Tree | None) -> list[Tree]:
    return [] if meaning is None else [t.negated(meaning)]


def _meant(
    query: Query, source: Tree, readings: Mapping[str, Tree], meanings: Mapping[str, Tree | None]
) -> dict[str, int]:
    """By column, the number of NULLs that are not missing values."""
    counts = {
        name: t.call("count_star", where=t.all_of([t.is_missing(readings[name]), meaning]))
        for name, meaning in meanings.items()
        if meaning is not None
    }
    if not counts:
        return {}
    return dict(zip(counts, query(t.select(list(counts.values()), source))[0], strict=True))


def as_number(tree: Tree, type_name: str) -> Tree:
    """An ordered value as a number: dates in days, timestamps, times and durations in seconds, booleans as 0 and 1."""
    match kind_of(type_name):
        case Kind.DATE:
            return t.call("date_diff", t.literal("day"), t.cast(t.literal("1970-01-01"), t.plain_type("DATE")), tree)
        case Kind.TIMESTAMP:
            return t.call("epoch", in_microseconds(tree, type_name))
        case Kind.DURATION:
            return t.call("epoch", tree)
        case Kind.BOOLEAN:
            return t.cast(tree, t.plain_type("INTEGER"))
        case _:
            return tree


def in_microseconds(tree: Tree, type_name: str) -> Tree:
    """A timestamp in microseconds; one of seconds or milliseconds beyond their range is clipped."""
    if type_name not in _COARSE:
        return tree
    zero, plain = t.cast(t.literal("1970-01-01"), t.plain_type(type_name)), t.plain_type("TIMESTAMP")
    first, last = (t.cast(t.literal(end), plain) for end in _ENDS)
    end = t.where(t.compared("COMPARE_GREATERTHAN", tree, zero), last, first)
    return t.null_where(t.is_missing(tree), t.coalesce(t.try_cast(tree, plain), end))


def _counts(column: Tree, type_name: str) -> dict[str, Tree]:
    kind = kind_of(type_name)
    calls = {"observed": t.call("count", column)}
    if kind is not Kind.OPAQUE:
        calls["distinct"] = t.call("approx_count_distinct", column)
    if kind.ordered and kind is not Kind.BOOLEAN:
        calls["mean"] = _mean(as_number(column, type_name), kind)
    return calls


def _sampled_counts(column: Tree, type_name: str) -> dict[str, Tree]:
    """Counts over all rows of a column with a sampled distribution, and its smallest and largest value."""
    calls, number = _counts(column, type_name), as_number(column, type_name)
    ends = {"least": t.call("min", number), "largest": t.call("max", number)}
    return calls | ends if kind_of(type_name).ordered else calls


def _mean(number: Tree, kind: Kind) -> Tree:
    """A mean that does not depend on the order of additions: exact for integers, compensated (`favg`) for doubles."""
    if kind is Kind.INTEGER or kind is Kind.DATE:
        return t.call("avg", number)
    double = t.cast(number, t.plain_type("DOUBLE"))
    return t.call("favg", double, where=t.call("isfinite", double))


def _distributions(column: Tree, type_name: str) -> dict[str, Tree]:
    kind = kind_of(type_name)
    if kind.ordered:
        points = t.cast(t.literal(str([i / BINS for i in range(BINS + 1)])), t.list_type("DOUBLE"))
        return {"quantiles": t.call("quantile_disc", as_number(column, type_name), points)}
    return {"frequencies": t.call("histogram", column)} if kind is Kind.CATEGORY else {}


def _distinct(
    query: Query, rows: TableSample, columns: Mapping[str, StoredColumn], counts: Mapping[str, Mapping[str, int]]
) -> dict[str, int]:
    """Numbers of distinct values: exact where a sketch cannot tell whether a column is a key or constant.

    In large tables, columns of non-integer numbers are not tested for being keys.
    """
    found = {name: min(one.get("distinct", 0), one["observed"]) for name, one in counts.items()}

    def unsure(name: str) -> bool:
        distinct, observed = counts[name].get("distinct", 0), counts[name]["observed"]
        like_a_key = distinct > 0.8 * observed > 0 and (rows.count <= SAMPLE or columns[name].kind is not Kind.NUMBER)
        return bool(0 < distinct < 4 or like_a_key)

    open_ones = {name: column for name, column in columns.items() if unsure(name)}
    if rows.count <= SAMPLE:
        exact = measured(query, rows, open_ones, _listed)
        return found | {name: one["distinct"] or 0 for name, one in exact.items()}
    for names in portions(list(open_ones), DISTINCT_TOGETHER):
        exact = measured(query, rows, {name: columns[name] for name in names}, _distinct_count)
        found |= {name: one["distinct"] for name, one in exact.items()}
    return found


def _listed(column: Tree, _: str) -> dict[str, Tree]:
    return {"distinct": t.call("list_unique", t.call("list", column))}


def _distinct_count(column: Tree, _: str) -> dict[str, Tree]:
    return {"distinct": {**t.call("count", column), "distinct": True}}


def _column(column: StoredColumn, missing: int, distinct: int, mean: Any, shape: Mapping[str, Any]) -> ColumnStatistics:
    type_name, kind = column.type, column.kind
    if (counts := shape.get("frequencies")) is not None:
        return _category(type_name, kind, missing, distinct, counts)
    if shape.get("quantiles") is None:
        return ColumnStatistics(type_name, kind, missing, distinct)
    bounds = tuple(map(float, shape["quantiles"]))
    if kind is Kind.BOOLEAN:
        share = sum(bounds) / len(bounds)
        centre = "true" if share > 0.5 else "false"
        return ColumnStatistics(
            type_name, kind, missing, distinct, centre, min(share, 1 - share), Quantiles(bounds, distinct)
        )
    centre_value = float(mean) if mean is not None else bounds[BINS // 2]
    apart = math.hypot(*(b - centre_value for b in bounds if math.isfinite(b)))  # squares must not overflow
    deviation = apart / math.sqrt(len(bounds))
    spread = min(1.0, deviation / abs(centre_value)) if centre_value else 1.0
    centre, histogram = literal(centre_value, kind, type_name), Quantiles(bounds, distinct)
    return ColumnStatistics(
        type_name,
        kind,
        missing,
        distinct,
        centre=centre,
        spread=spread,
        histogram=histogram,
    )


def _category(type_name: str, kind: Kind, missing: int, distinct: int, counts: Mapping[str, int]) -> ColumnStatistics:
    total = sum(counts.values())
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:KEPT]
    shares = {str(value): count / total for value, count in ranked}
    centre = next(iter(shares))
    return ColumnStatistics(
        type_name, kind, missing, distinct, centre, 1 - shares[centre], Frequencies(shares, max(distinct, len(shares)))
    )
