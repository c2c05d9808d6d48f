"""Validation of imputed values against the type of their column."""

from typing import Any

import numpy as np

from imputedb.algebra.column import Column
from imputedb.errors import CannotImpute, ExtensionError
from imputedb.imputers.protocol import (
    Imputer,
    follows_order,
)
from imputedb.imputers.rows import Array, Cells
from imputedb.statistics.table import Kind

LARGE = 1e140
"""Magnitude above which sums of squares may overflow a double."""


def column_values(imputer: Imputer, column: Column, cells: Cells, given: Any) -> Array:
    """The checked values of one column; masked values are allowed only from imputers that follow the order of rows."""
    if not follows_order(imputer) or not np.ma.isMaskedArray(given):
        return checked_values(imputer.name, column, cells, given)
    return np.ma.masked_array(checked_values(imputer.name, column, cells, np.ma.getdata(given)), np.ma.getmask(given))


def checked_values(name: str, column: Column, cells: Cells, given: Any) -> Array:
    """The values of a column's missing cells, checked and converted to the column's type.

    Raises:
        ExtensionError: there are too few or too many values, they are of another type, or not finite.
    """
    who = f"imputer {name} gives {column}"
    if given is None:
        raise ExtensionError(f"imputer {name} gives nothing for {column}: it gives a value for each missing cell")
    try:
        missing, values = bool(np.ma.getmaskarray(given).any()), np.asarray(given)
    except ValueError as error:
        raise ExtensionError(f"{who} what is not an array: {error}") from error
    if missing:
        raise ExtensionError(f"{who} values that are missing")
    count = int(np.count_nonzero(cells.missing))
    if values.shape != (count,):
        shape = f"{len(values):,}" if values.ndim == 1 else f"an array of shape {values.shape}"
        raise ExtensionError(f"{who} {shape} values for {count:,} missing cells")
    wanted = cells.values.dtype
    if values.dtype == wanted and wanted.kind in "iub" and cells.kind is not Kind.CATEGORY:
        return values
    if not count:
        return values.astype(wanted) if values.dtype.kind in "biuf" else np.zeros(0, wanted)
    if cells.kind is Kind.CATEGORY:
        return _categories(who, cells, values)
    if values.dtype.kind not in {"f": "fiu", "i": "iu", "u": "iu", "b": "b"}.get(wanted.kind, wanted.kind):
        way = ": round them" if values.dtype.kind == "f" and wanted.kind in "iu" else ""
        raise ExtensionError(f"{who} values of type {values.dtype}; the column's are {wanted}{way}")
    if wanted.kind == "f":
        return _finite(who, cells, values)
    bounds: Any = np.iinfo(wanted)
    if values.min() < bounds.min or values.max() > bounds.max:
        raise ExtensionError(f"{who} {values.min()} to {values.max()}, which {wanted} does not hold")
    return values.astype(wanted)


def _categories(who: str, cells: Cells, values: Array) -> Array:
    if values.dtype.kind not in "iu":
        raise ExtensionError(
            f"{who} values of type {values.dtype}; categories are positions in its levels, whole numbers"
        )
    low, high = int(values.min()), int(values.max())
    if low < 0 or high >= len(cells.levels):
        raise ExtensionError(f"{who} category {low if low < 0 else high}; there are 0 to {len(cells.levels) - 1}")
    return values.astype(cells.values.dtype, copy=False)


def _finite(who: str, cells: Cells, values: Array) -> Array:
    """The numbers, unless one is infinite or NaN although the observed values are not."""
    found = values.astype(cells.values.dtype, copy=False)
    odd = found[~np.isfinite(found)]
    if len(odd):
        observed = cells.values[~cells.missing]
        unknown = odd[np.isnan(odd) | ~np.isin(odd, observed)]
        if len(unknown):
            largest = float(np.abs(observed[np.isfinite(observed)]).max(initial=0.0))
            if largest > LARGE:
                raise CannotImpute(
                    f"{who} {unknown[0]}: its values, up to {largest:.3g}, are too large to compute with; divide the "
                    "column by a power of ten"
                )
            raise ExtensionError(f"{who} {unknown[0]} for {len(unknown):,} of {len(found):,} missing cells")
    return found
