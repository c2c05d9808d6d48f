"""Categories of data frames, ordered and unordered."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imputedb.statistics.measure import levels_of

Levels = Mapping[str, Sequence[str]]


def levels_of_ordered_text(frame: Any) -> Levels:
    """By column, the levels of ordered text that DuckDB reads as plain text.

    Such columns are an ENUM of another DuckDB connection, an Enum of polars, and an Arrow dictionary marked as ordered,
    as an ordered factor of R becomes. Levels that are not distinct texts make no ENUM, and are left as DuckDB reads
    them.
    """
    library = _library(frame)
    found = dict(_polars(frame) if library == "polars" else _duckdb(frame) if library == "imputedb" else _arrow(frame))
    return {name: levels for name, levels in found.items() if _named(levels)}


def ordered_enums(frame: Any) -> set[int]:
    """The places of columns that DuckDB reads as ENUMs and whose categories are ordered.

    These are ordered Categoricals of pandas. DuckDB also makes ENUMs of unordered ones and of NumPy's text, with levels
    in an arbitrary order.
    """
    if _library(frame) != "pandas" or not hasattr(frame, "columns"):
        return set()
    return {place for place, dtype in enumerate(frame.dtypes) if getattr(dtype, "ordered", False)}


def nominal_numbers(frame: Any) -> list[str]:
    """The columns of numbers that are unordered categories: Categoricals of pandas."""
    if _library(frame) != "pandas" or not hasattr(frame, "columns"):
        return []
    dtypes = zip(map(str, frame.columns), frame.dtypes, strict=True)
    return [name for name, dtype in dtypes if type(dtype).__name__ == "CategoricalDtype" and _of_numbers(dtype)]


def _of_numbers(dtype: Any) -> bool:
    return not dtype.ordered and getattr(dtype.categories.dtype, "kind", "") in "iuf"


def _library(value: Any) -> str:
    return type(value).__module__.partition(".")[0]


def _named(levels: Sequence[Any]) -> bool:
    return bool(levels) and all(isinstance(level, str) for level in levels) and len(set(levels)) == len(levels)


def _duckdb(frame: Any) -> Iterator[tuple[str, list[str]]]:
    """The levels of a relation's or a result's ENUMs, which a stream of its rows has lost."""
    rows = getattr(frame, "rows", None)
    for name, kind in zip(rows.columns, map(str, rows.types), strict=True) if rows is not None else ():
        if levels := levels_of(kind):
            yield str(name), list(levels)


def _polars(frame: Any) -> Iterator[tuple[str, list[Any]]]:
    for name, dtype in getattr(frame, "schema", {}).items():
        if type(dtype).__name__ == "Enum":
            yield str(name), list(dtype.categories)


def _arrow(frame: Any) -> Iterator[tuple[str, list[Any]]]:
    """The levels of a pyarrow table or batch; those of a stream are not known before it is read."""
    if _library(frame) != "pyarrow" or not hasattr(frame, "column"):
        return
    for place, field in enumerate(frame.schema):
        if not getattr(field.type, "ordered", False):
            continue
        column = frame.column(place)
        parts = column.unify_dictionaries().chunks if hasattr(column, "chunks") else [column]
        if parts:
            yield str(field.name), parts[0].dictionary.to_pylist()
