"""Categories of data frames: which stand in an order, and which do not."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imputedb.statistics.measure import levels_of

Levels = Mapping[str, Sequence[str]]


def ordered(frame: Any) -> Levels:
    """By column the levels, in their order, of text that is ordered and that DuckDB reads as mere text.

    These are an ENUM of another connection of DuckDB, an Enum of polars, and a dictionary of Arrow that says it is
    ordered, as an ordered factor of R becomes.
    Levels of which one is no text, or stands there twice, make no ENUM, and are left as DuckDB reads them.
    """
    library = _library(frame)
    found = dict(_polars(frame) if library == "polars" else _duckdb(frame) if library == "imputedb" else _arrow(frame))
    return {name: levels for name, levels in found.items() if _named(levels)}


def stand(frame: Any) -> set[int]:
    """The places of columns that DuckDB reads as ENUMs and whose categories stand in an order.

    These are ordered Categoricals of pandas. Of unordered ones, and of NumPy's text, it makes ENUMs too, whose levels
    are in an order that says nothing.
    """
    if _library(frame) != "pandas" or not hasattr(frame, "columns"):
        return set()
    return {place for place, dtype in enumerate(frame.dtypes) if getattr(dtype, "ordered", False)}


def unordered(frame: Any) -> list[str]:
    """The columns of numbers that are categories in no order, whatever they look like: Categoricals of pandas."""
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
    """Of a relation or a result, whose rows are read as a stream that has lost them."""
    rows = getattr(frame, "rows", None)
    for name, kind in zip(rows.columns, map(str, rows.types), strict=True) if rows is not None else ():
        if levels := levels_of(kind):
            yield str(name), list(levels)


def _polars(frame: Any) -> Iterator[tuple[str, list[Any]]]:
    for name, dtype in getattr(frame, "schema", {}).items():
        if type(dtype).__name__ == "Enum":
            yield str(name), list(dtype.categories)


def _arrow(frame: Any) -> Iterator[tuple[str, list[Any]]]:
    """Of a table or a batch of pyarrow; a stream has levels only once it is read."""
    if _library(frame) != "pyarrow" or not hasattr(frame, "column"):
        return
    for place, field in enumerate(frame.schema):
        if not getattr(field.type, "ordered", False):
            continue
        column = frame.column(place)
        parts = column.unify_dictionaries().chunks if hasattr(column, "chunks") else [column]
        if parts:
            yield str(field.name), parts[0].dictionary.to_pylist()
