"""Tables in memory, of any library, as objects that DuckDB reads by column."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from imputedb.errors import DataError


class _Stream:
    """Rows of another connection, as a stream that this one reads.

    Attributes:
        rows: the relation or the result with the rows.
    """

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.rows.__arrow_c_stream__(requested_schema)


def readable(what: str, frame: Any) -> Any:
    """A table in a form that DuckDB reads: data frames and streams unchanged, records and dictionaries as arrays.

    Args:
        what: its name, for messages.
        frame: a data frame, an Arrow table, a relation of DuckDB, a result, a dictionary of columns, a list of
            dictionaries, or a structured array.

    Raises:
        DataError: it is no table, or a column of it cannot be read; the message names the column.
    """
    if frame is None:
        raise DataError(f"{what} is None: give a table, such as a data frame or a dictionary of columns")
    if isinstance(frame, Mapping):
        return _columns(what, frame)
    if isinstance(frame, np.ndarray):
        return _fields(what, frame)
    if isinstance(frame, Sequence) and not isinstance(frame, str | bytes):
        return _columns(what, _records(what, frame))
    if _library(frame) == "pandas" and hasattr(frame, "dtypes"):
        columns = frame if hasattr(frame, "columns") else frame.to_frame("value" if frame.name is None else frame.name)
        return _pandas(_indexed(what, columns))
    if hasattr(type(frame), "__arrow_c_stream__") and _library(frame) in ("imputedb", "duckdb"):
        return _Stream(frame)
    return frame


def _library(value: Any) -> str:
    return type(value).__module__.partition(".")[0]


def _fields(what: str, frame: Any) -> Any:
    if frame.dtype.names and frame.ndim == 1:
        return _columns(what, {name: frame[name] for name in frame.dtype.names})
    if frame.ndim != 1:
        raise DataError(
            f"{what} is an array of {frame.ndim} dimensions, whose columns have no names: give a dictionary, such as "
            "{'a': array[:, 0], 'b': array[:, 1]}"
        )
    return _columns(what, {"column0": frame})


def _records(what: str, rows: Sequence[Any]) -> Mapping[str, Any]:
    if not rows or not all(isinstance(row, Mapping) for row in rows):
        raise DataError(f"{what} is a list: a table is a list of dictionaries, a value by the name of each column")
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _columns(what: str, columns: Mapping[Any, Any]) -> Any:
    if not columns:
        raise DataError(f"{what} has no columns")
    arrays = {str(name): _array(what, str(name), values) for name, values in columns.items()}
    sizes = {name: len(values) for name, values in arrays.items()}
    first = next(iter(sizes))
    for name, size in sizes.items():
        if size != sizes[first]:
            raise DataError(f"{what}: column {first!r} has {sizes[first]} values, and {name!r} has {size}")
    if any(_library(values) == "pandas" for values in arrays.values()):
        import pandas as pd

        frame = pd.DataFrame({name: _series(values) for name, values in arrays.items()})
        return _pandas(frame)
    return arrays


def _series(values: Any) -> Any:
    """A column for a pandas data frame, aligned by place and not by index."""
    if hasattr(values, "reset_index"):
        return values.reset_index(drop=True)
    if isinstance(values, np.ma.MaskedArray):
        return _objects(
            [None if missing else v for v, missing in zip(values.data, np.ma.getmaskarray(values), strict=True)]
        )
    return values


def _array(what: str, name: str, values: Any) -> Any:
    if _library(values) == "pandas" and hasattr(values, "to_numpy"):
        return values
    if not isinstance(values, np.ndarray):
        values = _given(what, name, values)
    if values.ndim != 1:
        raise DataError(f"{what}: column {name!r} is an array of {values.ndim} dimensions: give one for each column")
    return _native(what, name, values)


def _given(what: str, name: str, values: Any) -> Any:
    """A list of values as an array: of numbers where none is missing, else of objects, whose type DuckDB infers."""
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        raise DataError(f"{what}: column {name!r} is {values!r}: give a list or an array of its values")
    values = [_plain(value) for value in values]
    kinds = {type(value) for value in values}
    if kinds and kinds <= {int, float}:
        array = np.array(values)
        if array.dtype.kind == ("f" if float in kinds else "i"):  # integers beyond 64 bits would become inexact
            return array
    return _objects(_of_one_kind(what, name, values))


def _plain(value: Any) -> Any:
    """A NumPy number or boolean as Python's, since DuckDB would take it for text."""
    if isinstance(value, np.longdouble):
        return float(value)
    return value.item() if isinstance(value, np.bool_ | np.number) and not isinstance(value, np.timedelta64) else value


def _of_one_kind(what: str, name: str, values: Sequence[Any]) -> Sequence[Any]:
    kinds = {type(value) for value in values}
    if bool in kinds and kinds & {int, float} and str not in kinds:
        raise DataError(f"{what}: column {name!r} has True or False beside numbers: give values of one kind")
    return values


def _objects(values: Sequence[Any]) -> Any:
    array = np.empty(len(values), object)
    for place, value in enumerate(values):
        array[place] = value
    return array


def _texts(values: list[bytes]) -> list[bytes] | list[str]:
    """NumPy's bytes as text; unchanged where some are not UTF-8."""
    try:
        return [value.decode() for value in values]
    except UnicodeDecodeError:
        return values


def _native(what: str, name: str, values: Any) -> Any:
    """An array of a type that DuckDB knows, in this machine's byte order."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind in "cV":
        raise DataError(f"{what}: column {name!r} has values of type {values.dtype}, which no column can hold")
    if kind == "S":
        return _masked(values, _objects(_texts(list(np.ma.getdata(values)))))
    if kind == "f" and size > 8:
        return values.astype(np.float64)
    if kind in "Mm":
        return _moments(values)
    if kind == "O":
        plain = [_plain(value) for value in np.ma.getdata(values)]
        return _masked(values, _objects(_of_one_kind(what, name, plain)))
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))


def _moments(values: Any) -> Any:
    """Timestamps and durations in units that DuckDB knows: dates for days and longer, otherwise microseconds."""
    unit = np.datetime_data(values.dtype)[0]
    if unit in ("s", "ms", "us", "ns") and values.dtype.isnative:
        return values
    if values.dtype.kind == "M" and unit in ("Y", "M", "W", "D"):
        return _masked(values, np.ma.getdata(values).astype("datetime64[D]").astype(object))
    return values.astype(f"{values.dtype.kind}8[us]")


def _masked(values: Any, objects: Any) -> Any:
    objects[np.ma.getmaskarray(values)] = None
    return objects


def _indexed(what: str, frame: Any) -> Any:
    """A pandas data frame with its index among its columns, where the index carries information.

    That is an index with a name, or of anything but whole numbers, such as timestamps and labels. It is called `index`
    unless it has a name.
    """
    index = getattr(frame, "index", None)
    if index is None or not hasattr(frame, "reset_index") or not hasattr(frame, "columns"):
        return frame
    levels = [index.get_level_values(place) for place in range(index.nlevels)]
    names = [name for name in index.names if name is not None]
    if not names and all(level.dtype.kind in "iu" for level in levels):
        return frame
    for name in names:
        if name in frame.columns or names.count(name) > 1:
            raise DataError(f"{what}: its index and a column are both named {name!r}: rename one, or drop the index")
    return frame.reset_index()


def _pandas(frame: Any) -> Any:
    """A pandas data frame with sparse columns made dense, and periods made timestamps."""
    changed = {}
    for place, dtype in enumerate(getattr(frame, "dtypes", ()) if hasattr(frame, "columns") else ()):
        column = frame.iloc[:, place]
        name = str(frame.columns[place])
        match type(dtype).__name__:
            case "SparseDtype":
                changed[place] = column.sparse.to_dense()
            case "PeriodDtype":
                changed[place] = column.dt.to_timestamp()
            case "IntervalDtype":
                raise DataError(f"column {name!r} holds intervals, which no column can hold: give both ends")
            case _ if isinstance(dtype, np.dtype) and (dtype.kind in "cV" or not dtype.isnative):
                changed[place] = _native("the frame", name, column.to_numpy())
    if not changed:
        return frame
    import pandas as pd

    parts = [
        pd.Series(changed.get(place, frame.iloc[:, place])).reset_index(drop=True) for place in range(frame.shape[1])
    ]
    made = pd.concat(parts, axis=1)
    made.columns = frame.columns
    return made
