"""Fallbacks for cells without neighbours."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imputedb.neighbours.column import Attribute
from imputedb.neighbours.search import Ints
from imputedb.neighbours.settings import Settings
from imputedb.neighbours.whole import middles

Array = NDArray[np.generic]
Flags = NDArray[np.bool_]


def fallback_values(
    attribute: Attribute, rows: Ints, settings: Settings, groups: Ints | None
) -> Iterator[tuple[str, Flags, Array]]:
    """For each fallback in turn, the rows that it fills and their values.

    Yields:
        The fallback, (r,) True for the rows that it fills, and their values.
    """
    left = np.ones(len(rows), bool)
    for stage in settings.fallback:
        if stage == "group":
            if groups is None:
                continue
            there, values = _of_groups(attribute, rows, groups)
        else:
            observed = attribute.values[attribute.observed]
            there = np.full(len(rows), len(observed) > 0)
            values = np.zeros(len(rows), attribute.values.dtype)
            if len(observed):
                values[:] = centre(observed, graded=attribute.averages, mean=stage == "mean")
        here = left & there
        if here.any():
            yield stage, here, values[here]
            left &= ~here


def _of_groups(attribute: Attribute, rows: Ints, groups: Ints) -> tuple[Flags, Array]:
    there = np.zeros(len(rows), bool)
    values = np.zeros(len(rows), attribute.values.dtype)
    observed = attribute.observed
    for group in np.unique(groups[rows]):
        donors = attribute.values[observed & (groups == group)]
        if group >= 0 and len(donors):
            here = groups[rows] == group
            there |= here
            values[here] = centre(donors, graded=attribute.averages)
    return there, values


def centre(observed: Array, *, graded: bool, mean: bool = False) -> Any:
    """The median of observed values, or for categories the mode; the mean on request. Rounded for integers."""
    if not graded:
        values, counts = np.unique(observed, return_counts=True)
        return values[np.argmax(counts)]
    return middles(observed[None, :], lambda numbers: (np.mean if mean else np.median)(numbers, axis=1))[0]
