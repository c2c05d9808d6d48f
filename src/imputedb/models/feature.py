"""A column as a model reads it: numbers that mean the same whatever table its cells come from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.errors import DataError
from imputedb.imputers.rows import Array, Cells
from imputedb.statistics.table import Kind

Vector = NDArray[np.float64]

NAMED = (Kind.CATEGORY, Kind.BOOLEAN)
"""Kinds whose values are names, without distances."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A column as a model reads it.

    Attributes:
        column: the column.
        type: its SQL type.
        kind: the kind of its values.
        levels: the categories known to the model, in their order; empty for other kinds.
        ordered: whether that order is declared.
        low: the smallest observed number; for categories, the smallest code.
        high: the largest observed number or code.
    """

    column: Column
    type: str
    kind: Kind
    levels: tuple[object, ...]
    ordered: bool
    low: float
    high: float

    @property
    def classes(self) -> int:
        """Number of categories, 2 of booleans, 0 of numbers."""
        if self.kind is Kind.BOOLEAN:
            return 2
        return len(self.levels) if self.kind is Kind.CATEGORY else 0

    @property
    def whole(self) -> bool:
        """Whether all values are whole numbers: integers, days, microseconds."""
        return self.kind in (Kind.INTEGER, Kind.DATE, Kind.TIMESTAMP, Kind.DURATION)

    def closed(self, values: Vector) -> Vector:
        """Predicted numbers clipped to the observed range; rounded half up where the column holds whole numbers."""
        within = np.minimum(np.maximum(values, self.low), self.high)
        return np.asarray(np.floor(within + 0.5) if self.whole else within)

    def encoded(self, cells: Cells) -> Vector:
        """(n,) cells as numbers, categories as places among the levels; NaN where missing.

        Infinities and categories unknown to the model count as missing.
        """
        values = cells.values
        if len(values) == 1:
            return np.array([self._one(values[0], cells)])
        if self.kind is Kind.CATEGORY and cells.levels != self.levels:
            table = np.array([*self._places(cells.levels), np.nan])
            places = np.where(cells.missing, len(cells.levels), cells.values.astype(np.intp))
            return np.asarray(table[places])
        numbers = values.astype(np.float64)
        numbers[cells.missing | ~np.isfinite(numbers)] = np.nan
        return numbers

    def _one(self, value: np.generic, cells: Cells) -> float:
        """The number of a single cell, ten times as fast as by arrays."""
        if cells.missing[0]:
            return math.nan
        if self.kind is Kind.CATEGORY and cells.levels != self.levels:
            level = cells.levels[int(value.item())]
            return float(self.levels.index(level)) if level in self.levels else math.nan
        number = float(value.item())
        return number if math.isfinite(number) else math.nan

    def unseen(self, cells: Cells) -> int:
        """Number of cells that hold a category unknown to the model."""
        if self.kind is not Kind.CATEGORY or cells.levels == self.levels:
            return 0
        return int(np.count_nonzero(np.isnan(self.encoded(cells)) & ~cells.missing))

    def typed(self, values: Vector, cells: Cells) -> Array:
        """The model's numbers in the type of some cells: whole numbers rounded, categories by the cells' levels.

        Raises:
            DataError: a category has no place there; `Fitted.aligned` gives cells that have a place for each.
        """
        if self.kind is Kind.CATEGORY and cells.levels != self.levels:
            known = {level: place for place, level in enumerate(cells.levels)}
            table = np.array([known.get(level, -1) for level in self.levels], np.intp)
            places = table[values.astype(np.intp)]
            if len(places) and places.min() < 0:
                level = self.levels[int(values[places.argmin()])]
                raise DataError(f"{level!r} is imputed, but is not a level of these cells of {self.column}")
            return places.astype(cells.values.dtype)
        dtype = cells.values.dtype
        if dtype.kind in "iu":
            limit = np.iinfo(str(dtype))
            within = np.clip(np.floor(values + 0.5), float(limit.min), np.nextafter(float(limit.max), 0))
            return np.asarray(within).astype(dtype)
        return values.astype(dtype)

    def aligned(self, cells: Cells) -> Cells:
        """The same cells, with the model's levels first and levels unknown to it after them."""
        if self.kind is not Kind.CATEGORY or cells.levels == self.levels:
            return cells
        known = set(self.levels)
        levels = (*self.levels, *(level for level in cells.levels if level not in known))
        places = {level: place for place, level in enumerate(levels)}
        table = np.array([places[level] for level in cells.levels] or [0], cells.values.dtype)
        codes = table[np.where(cells.missing, 0, cells.values).astype(np.intp)]
        return Cells(codes, cells.missing, cells.kind, levels, ordered=cells.ordered)

    def _places(self, levels: Sequence[object]) -> list[float]:
        known = {level: float(place) for place, level in enumerate(self.levels)}
        return [known.get(level, float("nan")) for level in levels]


def feature(column: Column, type_name: str, cells: Cells, learn: NDArray[np.bool_]) -> Feature:
    """The feature of a column, as observed in the rows to learn from."""
    seen = cells.values[learn & ~cells.missing].astype(np.float64)
    seen = seen[np.isfinite(seen)]
    low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 0.0)
    return Feature(column, type_name, cells.kind, cells.levels, cells.ordered, low, high)
