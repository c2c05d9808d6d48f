"""Fetched arrays to the cells that imputers read, and imputed values back to arrays for the engine."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from imputedb.errors import CannotImpute
from imputedb.imputers.imputer import Array, Cells
from imputedb.statistics.policy import Policy
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


def allowed(values: Array, like: Cells, policy: Policy) -> Array:
    """Imputed values within the bounds, and among the values, that a policy allows.

    Raises:
        CannotImpute: none of the allowed categories is observed.
    """
    if like.kind is Kind.CATEGORY:
        return _among(values, like, policy.values) if policy.values else values
    if policy.values:
        known = np.sort(np.array([float(value) for value in policy.values]))
        nearest = np.abs(values.astype(np.float64)[:, None] - known).argmin(axis=1)
        chosen: Array = known[nearest].astype(values.dtype)
        return chosen
    if policy.low is None and policy.high is None:
        return values
    whole = np.issubdtype(values.dtype, np.integer)
    low = None if policy.low is None else np.ceil(policy.low) if whole else policy.low
    high = None if policy.high is None else np.floor(policy.high) if whole else policy.high
    return np.clip(values, low, high).astype(values.dtype)


def _among(codes: Array, like: Cells, names: Sequence[str]) -> Array:
    """Codes of categories, those that are not allowed replaced by the most frequent one that is."""
    usable = np.array([str(level) in names for level in like.levels])
    counts = np.bincount(like.values[~like.missing].astype(np.intp), minlength=len(usable)) * usable
    if not counts.any():
        raise CannotImpute(f"none of the allowed values {', '.join(names)} is observed: allow others")
    kept: Array = np.where(usable[codes.astype(np.intp)], codes, counts.argmax()).astype(codes.dtype)
    return kept


def only(values: Array, places: NDArray[np.bool_]) -> Array:
    """The values at some places, nothing at the others."""
    if values.dtype == object:
        chosen: Array = np.full(len(values), None, dtype=object)
        np.copyto(chosen, values, where=places)
        return chosen
    return np.ma.masked_array(values, ~places)


def patch(values: Array, places: NDArray[np.intp], like: Cells, rows: int) -> Array:
    """(rows,) an array that holds imputed values at the places of their rows, categories as text."""
    if like.kind is Kind.CATEGORY:
        whole = np.full(rows, None, dtype=object)
        whole[places] = np.array(like.levels, dtype=object)[values.astype(np.intp)]
        return whole
    whole = np.zeros(rows, values.dtype)
    whole[places] = values
    return whole
