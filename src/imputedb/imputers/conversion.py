"""Conversion of fetched arrays to cells for imputers, and of imputed values to arrays for the engine."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.rows import Array, Cells
from imputedb.statistics.measure import Measured
from imputedb.statistics.table import Kind


def cells(values: Array, measured: Measured) -> Cells:
    """The cells of a fetched column: a plain or masked array of numbers, or of text for categories."""
    missing = np.ma.getmaskarray(values)
    data = np.ma.getdata(values)
    if measured.kind is not Kind.CATEGORY:
        return Cells(data, missing, measured.kind)
    codes, levels = _numbered(data, missing) if data.dtype != object else _encoded(data, missing, measured.levels)
    return Cells(codes, missing, Kind.CATEGORY, levels, ordered=measured.ordered)


def _numbered(data: Array, missing: NDArray[np.bool_]) -> tuple[Array, tuple[object, ...]]:
    """Whole numbers as codes of categories, in the order of the numbers."""
    levels, places = np.unique(data[~missing], return_inverse=True)
    codes = np.zeros(len(data), np.int32)
    codes[~missing] = places
    return codes, tuple(levels.tolist())


def _encoded(data: Array, missing: NDArray[np.bool_], declared: tuple[str, ...]) -> tuple[Array, tuple[object, ...]]:
    """Texts as codes of their levels: declared ones in their order, followed by all others in theirs."""
    observed = data[~missing].tolist()
    levels = (*declared, *sorted(set(observed).difference(declared)))
    places: Mapping[object, int] = {level: place for place, level in enumerate(levels)}
    codes = np.zeros(len(data), np.int32)
    codes[~missing] = [places[value] for value in observed]
    return codes, levels


def named(codes: Array, like: Cells) -> Array:
    """The levels of codes: texts, or numbers where the levels are numbers."""
    places = codes.astype(np.intp)
    if like.levels and not isinstance(like.levels[0], str):
        return np.array(like.levels)[places]
    return np.array(like.levels, dtype=object)[places]


def missing(values: Array) -> NDArray[np.bool_]:
    """(n,) where a column for the engine has no value."""
    if values.dtype == object:
        return np.array([value is None for value in values], bool)
    return np.ma.getmaskarray(values)


def size(values: Array) -> int:
    """The size of a column for the engine in bytes, for texts approximately."""
    return int(values.nbytes) * (8 if values.dtype == object else 1)


def joined(arrays: Sequence[Array]) -> Array:
    """The concatenation of columns for the engine."""
    if len(arrays) == 1:
        return arrays[0]
    if any(np.ma.isMaskedArray(one) for one in arrays):
        found: Array = np.ma.concatenate(arrays)  # type: ignore[no-untyped-call]
        return found
    return np.concatenate(arrays)


def values_at(values: Array, places: NDArray[np.bool_]) -> Array:
    """The values at some positions, with no value at the others."""
    if values.dtype == object:
        chosen: Array = np.full(len(values), None, dtype=object)
        np.copyto(chosen, values, where=places)
        return chosen
    return np.ma.masked_array(np.ma.getdata(values), ~places | np.ma.getmaskarray(values))


def patch(values: Array, places: NDArray[np.intp], like: Cells, rows: int) -> Array:
    """(rows,) an array of imputed values at the positions of their rows, categories as text, without masked values."""
    absent = np.ma.getmaskarray(values)
    if absent.any():
        filled = np.zeros(rows, bool)
        filled[places[~absent]] = True
        return values_at(patch(np.ma.getdata(values)[~absent], places[~absent], like, rows), filled)
    values = np.ma.getdata(values)
    if like.kind is Kind.CATEGORY:
        values = named(values, like)
    whole: Array = np.full(rows, None, dtype=object) if values.dtype == object else np.zeros(rows, values.dtype)
    whole[places] = values
    return whole
