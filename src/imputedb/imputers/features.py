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


def taken(given: Cells, order: NDArray[np.intp]) -> Cells:
    """The cells of some rows, in the order given."""
    return Cells(given.values[order], given.missing[order], given.kind, given.levels)


def patch(values: Array, places: NDArray[np.intp], like: Cells, rows: int) -> Array:
    """(rows,) an array that holds imputed values at the places of their rows, categories as text."""
    if like.kind is Kind.CATEGORY:
        whole = np.full(rows, None, dtype=object)
        whole[places] = np.array(like.levels, dtype=object)[values.astype(np.intp)]
        return whole
    whole = np.zeros(rows, values.dtype)
    whole[places] = values
    return whole
