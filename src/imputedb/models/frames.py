"""Conversion of users' rows to those that a model reads, and of its values to the users' form."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imputedb.errors import DataError, QueryError
from imputedb.imputers.rows import Array, Rows
from imputedb.models import chance
from imputedb.models import values as conversion
from imputedb.models.fitted import Fitted
from imputedb.models.values import Given

Columns = dict[str, Given]
Keys = Sequence[int] | NDArray[np.integer[Any]] | None
Codes = Mapping[str, tuple[str, ...]]


def columns(frame: Any, names: Sequence[str] = ()) -> Columns:
    """The columns of a data frame (pandas, polars), an Arrow table, a dictionary of columns or a list of dictionaries.

    Args:
        frame: the object.
        names: names of the columns of an empty list, which has none of its own.

    Raises:
        DataError: the object has no columns, or these differ in length.
    """
    try:
        found = _columns(frame) or {name: [] for name in names if isinstance(frame, Sequence) and not frame}
        lengths = {len(values) for values in found.values()}
        flat = all(np.ndim(values) == 1 for values in found.values() if isinstance(values, np.ndarray))
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise _no_columns(frame) from error
    if not flat or any(isinstance(values, str | bytes) for values in found.values()):
        raise DataError("a column is a list or an array of one value a row")
    if len(lengths) > 1:
        raise DataError("the columns differ in length")
    return found


def rows(model: Fitted, given: Columns, keys: Keys, salt: int, codes: Codes) -> Rows:
    """The rows as a model reads them.

    Args:
        model: the fitted model.
        given: the columns of the rows.
        keys: (n,) whole numbers that draws are keyed by; None for the places of the rows.
        salt: 64 bits that tell tables apart.
        codes: by column, the texts of values declared to mean a missing one.

    Raises:
        DataError: a column that the model reads is absent, or a value is not of its kind.
        QueryError: the keys are not one whole number for each row.
    """
    absent = [one.column.name for one in model.features if one.column.name not in given]
    if absent:
        names = ", ".join(absent)
        raise DataError(f"the model reads {names}, which the rows do not have: give None where a value is missing")
    numbers = _keys(keys, len(next(iter(given.values()), ())))
    cells = {
        one.column: conversion.cells(one, given[one.column.name], codes.get(one.column.name, ()))
        for one in model.features
    }
    return model.aligned(Rows(cells, chance.keys(numbers, salt)))


def completed(model: Fitted, given: Columns, at: Rows, filled: Mapping[Any, Array]) -> dict[str, list[object]]:
    """The target columns, with values in place of the missing ones."""
    found = {}
    for column, array in filled.items():
        feature, cells = model.feature(column), at.columns[column]
        raw = given[column.name]
        whole = list(np.ma.getdata(raw)) if isinstance(raw, np.ndarray) else list(raw)
        for place, number in zip(np.flatnonzero(cells.missing), np.ma.getdata(array).tolist(), strict=True):
            whole[place] = conversion.value(feature, cells, number)
        found[column.name] = [
            one.item() if isinstance(one, np.generic) and one.dtype.kind in "iufb" else one for one in whole
        ]
    return found


def like(frame: Any, found: Mapping[str, list[object]]) -> Any:
    """A frame of the same kind with some columns replaced; these keep their types where the values fit."""
    if isinstance(frame, Mapping):
        return {**{str(name): values for name, values in frame.items()}, **found}
    if hasattr(frame, "to_pydict"):
        for name, values in found.items():
            place = frame.schema.get_field_index(name)
            array = _arrow(values, frame.schema.field(place).type)
            frame = frame.set_column(place, frame.schema.field(place).with_type(array.type), array)
        return frame
    if hasattr(frame, "get_column"):
        return frame.with_columns([_polars(frame, name, values) for name, values in found.items()])
    if hasattr(frame, "columns"):
        return frame.assign(**{name: _pandas(frame, name, values) for name, values in found.items()})
    return [{**row, **{name: values[place] for name, values in found.items()}} for place, row in enumerate(frame)]


def _columns(frame: Any) -> Columns:
    if isinstance(frame, Mapping):
        return {str(name): values for name, values in frame.items()}
    if hasattr(frame, "to_pydict"):
        return dict(frame.to_pydict())
    if hasattr(frame, "get_column"):
        return dict(frame.to_dict(as_series=False))
    if isinstance(frame, Sequence) and not isinstance(frame, str) and all(isinstance(row, Mapping) for row in frame):
        names = dict.fromkeys(str(name) for row in frame for name in row)
        return {name: [row.get(name) for row in frame] for name in names}
    if hasattr(frame, "assign") and len(set(map(str, frame.columns))) == len(frame.columns):
        return {str(name): frame[name].to_numpy() for name in frame.columns}
    raise TypeError


def _no_columns(frame: object) -> DataError:
    return DataError(
        f"{type(frame).__name__} has no columns that can be read: give a data frame of pandas or polars, an Arrow "
        "table, a dictionary of columns or a list of dictionaries"
    )


def _keys(keys: Keys, count: int) -> NDArray[np.uint64]:
    if keys is None:
        return np.arange(count, dtype=np.uint64)
    try:
        found = np.asarray(keys)
        numbers = found.astype(np.uint64) if found.dtype.kind in "iu" else None
    except (TypeError, ValueError, OverflowError):
        numbers = None
    if numbers is None or numbers.shape != (count,):
        raise QueryError(f"keys are {count} whole numbers below 2**64, one a row")
    return numbers


def _arrow(values: list[object], kind: Any) -> Any:
    import pyarrow

    return pyarrow.array(values, None if str(kind) == "null" else kind)


def _polars(frame: Any, name: str, values: list[object]) -> Any:
    series = frame.get_column(name)
    return type(series)(name, values, dtype=None if str(series.dtype) == "Null" else series.dtype, strict=False)


def _pandas(frame: Any, name: str, values: list[object]) -> Any:
    series = frame[name]
    made = type(series)(values, index=frame.index, name=name)
    try:
        return made.astype(series.dtype)
    except (TypeError, ValueError):
        return made
