"""Conversion of users' values to a model's cells, and of its numbers to users' values."""

import math
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imputedb.errors import DataError
from imputedb.imputers.rows import Array, Cells
from imputedb.models.feature import Feature
from imputedb.statistics.table import Kind

EPOCH = date(1970, 1, 1)
MIDNIGHT = datetime(1970, 1, 1)  # timestamps as they are stored, without a zone

_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_INTEGERS = frozenset({*_WHOLE, *(f"U{name}" for name in _WHOLE)})

Given = Sequence[object] | NDArray[Any]


def cells(feature: Feature, values: Given, codes: Collection[str] = ()) -> Cells:
    """A column as the model reads it.

    Args:
        feature: the model's feature.
        values: (n,) the values; None, NaN, NaT, pandas' NA and masked ones are missing.
        codes: the texts of values declared to mean a missing one.

    Raises:
        DataError: a value is not of the column's type.
    """
    if isinstance(values, np.ndarray) and _is_plain(feature, values) and not codes:
        return _numbers(feature, np.ma.getdata(values), np.ma.getmaskarray(values))
    listed = _listed(feature, values)
    missing = np.fromiter((is_missing(value) or (bool(codes) and _text(value) in codes) for value in listed), bool)
    if feature.kind is Kind.CATEGORY:
        return _categories(feature, listed, missing)
    numbers = [0.0 if absent else number_of(feature, value) for value, absent in zip(listed, missing, strict=True)]
    return Cells(_stored(feature, np.array(numbers, np.float64)), missing, feature.kind)


def value(feature: Feature, at: Cells, number: Any) -> object:
    """A number that a model gives, as a Python value of the column's type."""
    if feature.type in _INTEGERS and feature.kind is not Kind.CATEGORY:
        return math.floor(float(number) + 0.5) if isinstance(number, float) else int(number)
    match feature.kind:
        case Kind.CATEGORY:
            return at.levels[int(number)]
        case Kind.BOOLEAN:
            return bool(number)
        case Kind.DATE:
            return EPOCH + timedelta(days=int(number))
        case Kind.TIMESTAMP:
            moment = MIDNIGHT + timedelta(microseconds=int(number))
            return moment.replace(tzinfo=UTC) if "TIME ZONE" in feature.type else moment
        case Kind.DURATION:
            span = timedelta(microseconds=int(number))
            return (MIDNIGHT + span).time() if feature.type.startswith("TIME") else span
        case _ if feature.type.startswith("DECIMAL("):
            places = int(feature.type.removesuffix(")").partition(",")[2])
            return Decimal(repr(float(number))).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
        case _ if feature.type == "FLOAT":
            return float(np.float32(number))
        case _:
            return float(number)


def _is_plain(feature: Feature, values: Array) -> bool:
    """Whether an array holds numbers that need no conversion."""
    return values.dtype.kind in "iufb" and feature.kind in (Kind.NUMBER, Kind.INTEGER, Kind.BOOLEAN)


def _numbers(feature: Feature, values: Array, mask: NDArray[np.bool_]) -> Cells:
    missing = mask | ~np.isfinite(values) if values.dtype.kind == "f" else mask.copy()
    return Cells(_stored(feature, np.where(missing, 0, values)), missing, feature.kind)


def _listed(feature: Feature, values: Given) -> list[object]:
    """The values as a list, None where one is masked."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "mM":
        unit = "us" if feature.kind is not Kind.DATE else "D"
        array = np.ma.getdata(values).astype(f"{values.dtype.kind}8[{unit}]")
        return [None if absent else one for one, absent in zip(array, np.ma.getmaskarray(values), strict=True)]
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(values)
        return [None if absent else one for one, absent in zip(values.data.tolist(), mask, strict=True)]
    listed = values.tolist() if isinstance(values, np.ndarray) else list(values)
    return [one.as_py() if hasattr(one, "as_py") else one for one in listed]


def _text(given: object) -> str:
    """A value as text, whole numbers without a point."""
    return str(int(given)) if isinstance(given, float) and given.is_integer() else str(given)


def _stored(feature: Feature, numbers: Array) -> Array:
    """Numbers in the type that tables have for them."""
    if feature.kind is Kind.BOOLEAN:
        return numbers.astype(np.bool_)
    return numbers.astype(np.float64 if feature.kind is Kind.NUMBER else np.int64)


def _categories(feature: Feature, listed: Sequence[object], missing: NDArray[np.bool_]) -> Cells:
    named = bool(feature.levels) and isinstance(feature.levels[0], str)
    found = [None if absent else (str(v) if named else v) for v, absent in zip(listed, missing, strict=True)]
    places: dict[object, int] = {level: place for place, level in enumerate(feature.levels)}
    for one in found:
        if one is not None:
            places.setdefault(one, len(places))
    codes = np.array([0 if one is None else places[one] for one in found], np.int32)
    return Cells(codes, missing, Kind.CATEGORY, tuple(places), ordered=feature.ordered)


def is_missing(given: object) -> bool:
    """Whether a value is missing: None, NaN, NaT, pandas' NA, or masked."""
    if given is None or given is np.ma.masked or type(given).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(given, np.datetime64 | np.timedelta64):
        return bool(np.isnat(given))
    return isinstance(given, float | np.floating) and math.isnan(given)


def number_of(feature: Feature, given: Any) -> float:
    """A value as imputers see it.

    Dates are days and timestamps microseconds since 1970; durations and times of day are microseconds.

    Raises:
        DataError: it is not of the column's type.
    """
    try:
        found = _parsed_number(feature, given)
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _wrong_type(feature, given) from error
    if not math.isfinite(found) and (feature.kind is not Kind.NUMBER or isinstance(given, str)):
        raise _wrong_type(feature, given)
    return found


def _parsed_number(feature: Feature, given: Any) -> float:
    match feature.kind:
        case Kind.DATE:
            day: Any = np.datetime64(given.date() if isinstance(given, datetime) else given, "D")
            return float(day.astype(np.int64))
        case Kind.TIMESTAMP:
            moment: Any = datetime.fromisoformat(given) if isinstance(given, str) else given
            if isinstance(moment, datetime) and moment.tzinfo is not None:
                moment = moment.astimezone(UTC).replace(tzinfo=None)
            return float(np.datetime64(moment, "us").astype(np.int64))
        case Kind.DURATION if feature.type.startswith("TIME"):
            clock = time.fromisoformat(given) if isinstance(given, str) else given
            return ((clock.hour * 60 + clock.minute) * 60 + clock.second) * 1e6 + clock.microsecond
        case Kind.DURATION:
            return float(np.timedelta64(given, "us").astype(np.int64))
        case _:
            return float(given)


def _wrong_type(feature: Feature, given: object) -> DataError:
    name = feature.type or feature.kind.value
    return DataError(f"{given!r} is not a value of {feature.column.name}, which is {name}")
