"""Fetched arrays to the cells that imputers read, and imputed values back to arrays for the engine."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.imputer import Array, Cells
from imputedb.statistics.statistics import Kind


def cells(values: Array, kind: Kind) -> Cells:
    """The cells of a fetched column: a plain or masked array of numbers, or of text for categories."""
    missing = np.ma.getmaskarray(values)
    data = np.ma.getdata(values)
    if kind is Kind.CATEGORY:
        codes, levels = _encoded(data, missing)
        return Cells(codes, missing, kind, levels)
    return Cells(data, missing, kind)


def _encoded(data: Array, missing: NDArray[np.bool_]) -> tuple[Array, tuple[object, ...]]:
    observed = data[~missing].tolist()
    levels = tuple(sorted(set(observed)))
    places: Mapping[object, int] = {level: place for place, level in enumerate(levels)}
    codes = np.zeros(len(data), np.int32)
    codes[~missing] = [places[value] for value in observed]
    return codes, levels


def lacking(values: Array) -> NDArray[np.bool_]:
    """(n,) where a column for the engine holds nothing."""
    if values.dtype == object:
        return np.array([value is None for value in values], bool)
    return np.ma.getmaskarray(values)


def only(values: Array, places: NDArray[np.bool_]) -> Array:
    """The values at some places, nothing at the others."""
    if values.dtype == object:
        chosen: Array = np.full(len(values), None, dtype=object)
        np.copyto(chosen, values, where=places)
        return chosen
    return np.ma.masked_array(np.ma.getdata(values), ~places | np.ma.getmaskarray(values))


def patch(values: Array, places: NDArray[np.intp], like: Cells, rows: int) -> Array:
    """(rows,) an array that holds imputed values at the places of their rows, categories as text; not masked ones."""
    gone = np.ma.getmaskarray(values)
    if gone.any():
        whole = patch(np.ma.getdata(values)[~gone], places[~gone], like, rows)
        filled = np.zeros(rows, bool)
        filled[places[~gone]] = True
        return only(whole, filled)
    values = np.ma.getdata(values)
    if like.kind is Kind.CATEGORY:
        whole = np.full(rows, None, dtype=object)
        whole[places] = np.array(like.levels, dtype=object)[values.astype(np.intp)]
        return whole
    whole = np.zeros(rows, values.dtype)
    whole[places] = values
    return whole
