"""Rows that users hand in, as a model reads them, and with what it fills in."""

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imputedb.errors import DataError
from imputedb.imputers.rows import Array, Cells, Rows
from imputedb.models.feature import Feature
from imputedb.models.fitted import Fitted
from imputedb.statistics.table import Kind

EPOCH = date(1970, 1, 1)
SECOND = 1_000_000

Columns = dict[str, Sequence[object] | NDArray[Any]]


def columns(frame: Any) -> Columns:
    """The columns of a data frame (pandas, polars), an Arrow table, a dictionary of columns or a list of dictionaries.

    Raises:
        DataError: the object has no columns, or these differ in length.
    """
    if isinstance(frame, Mapping):
        found = {str(name): values for name, values in frame.items()}
    elif hasattr(frame, "to_pydict"):
        found = frame.to_pydict()
    elif hasattr(frame, "to_dict") and hasattr(frame, "get_column"):
        found = frame.to_dict(as_series=False)
    elif hasattr(frame, "columns") and hasattr(frame, "__getitem__"):
        found = {str(name): frame[name].to_numpy() for name in frame.columns}
    elif isinstance(frame, Sequence) and not isinstance(frame, str) and all(isinstance(row, Mapping) for row in frame):
        names = dict.fromkeys(str(name) for row in frame for name in row)
        found = {name: [row.get(name) for row in frame] for name in names}
    else:
        raise DataError(f"{type(frame).__name__} has no columns: give a data frame, a dictionary or a list of them")
    if len({len(values) for values in found.values()}) > 1:
        raise DataError("the columns differ in length")
    return found


def rows(model: Fitted, given: Columns, keys: Sequence[int] | NDArray[np.integer[Any]] | None) -> Rows:
    """The rows as a model reads them.

    Args:
        model: that is applied to them.
        given: their columns.
        keys: (n,) what draws are keyed by; their places unless they are given.

    Raises:
        DataError: a column that the model reads is absent, a value is none of its kind, or keys are too few.
    """
    absent = [one.column.name for one in model.features if one.column.name not in given]
    if absent:
        raise DataError(
            f"the model reads {', '.join(absent)}, which the rows do not have: give NULL where it is missing"
        )
    count = len(next(iter(given.values()), ()))
    numbers = np.arange(count, dtype=np.uint64) if keys is None else np.asarray(keys).astype(np.uint64)
    if len(numbers) != count:
        raise DataError(f"{len(numbers)} keys for {count} rows")
    cells = {one.column: _cells(one, given[one.column.name]) for one in model.features}
    return model.aligned(Rows(cells, numbers))


def completed(model: Fitted, given: Columns, at: Rows, values: Mapping[Any, Array]) -> Columns:
    """The columns with the values of missing cells in place of these."""
    found = dict(given)
    for column, array in values.items():
        feature, cells = model.feature(column), at.columns[column]
        whole = list(given[column.name])
        for place, value in zip(np.flatnonzero(cells.missing), np.ma.getdata(array).tolist(), strict=True):
            whole[place] = _value(feature, cells, value)
        found[column.name] = whole
    return found


def like(frame: Any, found: Columns) -> Any:
    """Columns in the form in which a frame was handed in."""
    if isinstance(frame, Mapping):
        return found
    if hasattr(frame, "to_pydict"):
        return type(frame).from_pydict(found)
    if hasattr(frame, "to_dict") and hasattr(frame, "get_column"):
        return type(frame)(found)
    if hasattr(frame, "columns"):
        return frame.assign(**found)
    return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]


def _cells(feature: Feature, values: Sequence[object] | NDArray[Any]) -> Cells:
    if isinstance(values, np.ndarray) and values.dtype.kind in "iufb" and feature.kind is not Kind.CATEGORY:
        missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)
        return Cells(_stored(feature, np.where(missing, 0, values) if missing.any() else values), missing, feature.kind)
    listed = values.tolist() if isinstance(values, np.ndarray) and values.dtype.kind != "M" else list(values)
    missing = np.fromiter((_is_missing(value) for value in listed), bool, len(listed))
    if feature.kind is Kind.CATEGORY:
        return _categories(feature, listed, missing)
    numbers = [0.0 if gone else _number(feature, value) for value, gone in zip(listed, missing, strict=True)]
    return Cells(_stored(feature, np.array(numbers)), missing, feature.kind)


def _stored(feature: Feature, numbers: Array) -> Array:
    """Numbers in the type in which tables have them."""
    if feature.kind is Kind.BOOLEAN:
        return numbers.astype(np.bool_)
    return numbers.astype(np.float64 if feature.kind is Kind.NUMBER else np.int64)


def _categories(feature: Feature, listed: Sequence[object], missing: NDArray[np.bool_]) -> Cells:
    named = feature.levels and isinstance(feature.levels[0], str)
    found = [None if gone else (str(v) if named else v) for v, gone in zip(listed, missing, strict=True)]
    places: dict[object, int] = {level: place for place, level in enumerate(feature.levels)}
    for value in found:
        if value is not None:
            places.setdefault(value, len(places))
    codes = np.array([0 if value is None else places[value] for value in found], np.int32)
    return Cells(codes, missing, Kind.CATEGORY, tuple(places), ordered=feature.ordered)


def _is_missing(value: object) -> bool:
    """Whether there is no value: None, NaN, NaT, or pandas' NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return (isinstance(value, float) and math.isnan(value)) or (isinstance(value, np.datetime64) and np.isnat(value))


def _number(feature: Feature, value: Any) -> float:
    """A value as imputers see it: days or microseconds since 1970 of dates, timestamps and durations."""
    try:
        match feature.kind:
            case Kind.DATE:
                day: Any = np.datetime64(value.date() if isinstance(value, datetime) else value, "D")
                return float(day.astype(np.int64))
            case Kind.TIMESTAMP:
                moment: Any = datetime.fromisoformat(value) if isinstance(value, str) else value
                return float(np.datetime64(moment, "us").astype(np.int64))
            case Kind.DURATION:
                return float(np.timedelta64(value, "us").astype(np.int64))
            case _:
                return float(value)
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        name = feature.type or feature.kind.value
        raise DataError(f"{value!r} is no value of {feature.column.name}, which is {name}") from error


def _value(feature: Feature, cells: Cells, value: Any) -> object:
    """A value that a model gives, as a person reads it."""
    match feature.kind:
        case Kind.CATEGORY:
            return cells.levels[int(value)]
        case Kind.BOOLEAN:
            return bool(value)
        case Kind.DATE:
            return EPOCH + timedelta(days=int(value))
        case Kind.TIMESTAMP:
            return datetime(1970, 1, 1) + timedelta(microseconds=int(value))  # as stored, without a zone
        case Kind.DURATION:
            return timedelta(microseconds=int(value))
        case Kind.INTEGER:
            return int(value)
        case _ if feature.type.startswith("DECIMAL("):
            places = int(feature.type.removesuffix(")").partition(",")[2])
            return Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
        case _:
            return float(value)
