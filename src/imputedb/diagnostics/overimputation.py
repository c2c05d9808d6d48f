"""Overimputation: observed values are hidden, imputed, and compared with their true values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers import checked
from imputedb.imputers.protocol import Imputer, Progress
from imputedb.imputers.random import keyed
from imputedb.imputers.rows import Cells, Rows
from imputedb.inference.distribution import two_sided
from imputedb.statistics.table import Kind

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Overimputed:
    """The hidden cells of one column.

    Attributes:
        truth: (n,) true values; for categories all 1.
        mean: (n,) means of the imputations; for categories the share of draws with the true one.
        half: (n,) half widths of the intervals; for categories 0.
        lacking: (n,) number of other missing columns in the row.
        level: confidence level of the intervals.
        numeric: whether the column is numeric.
    """

    truth: Vector
    mean: Vector
    half: Vector
    lacking: NDArray[np.intp]
    level: float
    numeric: bool

    @property
    def covered(self) -> NDArray[np.bool_]:
        """(n,) whether the interval contains the true value."""
        return np.asarray(np.abs(self.truth - self.mean) <= self.half)

    @property
    def coverage(self) -> float:
        """Share of intervals that contain the true value; about `level` for a proper imputer. NaN for categories."""
        return float(self.covered.mean()) if self.numeric and len(self.truth) else float("nan")

    @property
    def bias(self) -> float:
        """Mean of imputed less true values; for categories minus the share of wrong values."""
        return float((self.mean - self.truth).mean()) if len(self.truth) else float("nan")

    @property
    def width(self) -> float:
        """Mean width of the intervals."""
        return float(2 * self.half.mean()) if len(self.half) else float("nan")

    def by_lacking(self) -> Mapping[int, tuple[int, float, float]]:
        """Cells, coverage and mean width by the number of other missing columns in the row."""
        found = {}
        for count in np.unique(self.lacking):
            mine = self.lacking == count
            found[int(count)] = (int(mine.sum()), float(self.covered[mine].mean()), float(2 * self.half[mine].mean()))
        return found


def overimpute(
    imputer: Imputer,
    rows: Rows,
    targets: Sequence[Column],
    seed: int = 0,
    *,
    m: int = 20,
    folds: int = 10,
    level: float = 0.9,
    progress: Progress | None = None,
) -> Mapping[Column, Overimputed]:
    """Hides the observed cells of targets fold by fold, and imputes them m times (Blackwell, Honaker & King 2017).

    Cells are assigned to folds by a hash of their rows' keys. The interval is a prediction interval for one more draw:
    mean +- t(m - 1) s sqrt(1 + 1/m).
    """
    parts: dict[Column, list[tuple[NDArray[np.intp], Vector, Vector]]] = {column: [] for column in targets}
    factor = two_sided(level, m - 1) * np.sqrt(1 + 1 / m)
    for fold in range(folds):
        hidden = {column: _fold(rows, column, seed, fold, folds) for column in targets}
        columns = dict(rows.columns)
        for column, places in hidden.items():
            cells = columns[column]
            missing = cells.missing.copy()
            missing[places] = True
            columns[column] = cells.like(cells.values, missing)
        wanted = [column for column in targets if len(hidden[column]) and not columns[column].missing.all()]
        draws = list(checked.draws(imputer, Rows(columns, rows.keys), wanted, seed, range(1, m + 1)))
        for column in wanted:
            spot = np.searchsorted(np.flatnonzero(columns[column].missing), hidden[column])
            values = np.array([draw[column][spot] for draw in draws])
            parts[column].append(_compared(rows.columns[column], hidden[column], values, float(factor)))
        if progress:
            progress((fold + 1) / folds)
    lacking = np.sum([cells.missing for cells in rows.columns.values()], axis=0)
    return {column: _together(rows.columns[column], parts[column], lacking, level) for column in targets}


def _fold(rows: Rows, column: Column, seed: int, fold: int, folds: int) -> NDArray[np.intp]:
    chosen = keyed(rows.keys, seed, column.name, "overimputed") % np.uint64(folds) == fold
    return np.flatnonzero(chosen & ~rows.columns[column].missing)


def _compared(
    cells: Cells, places: NDArray[np.intp], values: NDArray[np.generic], factor: float
) -> tuple[NDArray[np.intp], Vector, Vector]:
    if cells.kind in (Kind.CATEGORY, Kind.BOOLEAN):
        return places, (values == cells.values[places]).mean(axis=0), np.zeros(len(places))
    numbers = values.astype(np.float64)
    return places, numbers.mean(axis=0), factor * numbers.std(axis=0, ddof=1)


def _together(
    cells: Cells, parts: Sequence[tuple[NDArray[np.intp], Vector, Vector]], lacking: NDArray[np.intp], level: float
) -> Overimputed:
    numeric = cells.kind not in (Kind.CATEGORY, Kind.BOOLEAN)
    if not parts:
        none = np.zeros(0)
        return Overimputed(none, none, none, np.zeros(0, np.intp), level, numeric)
    places, mean, half = (np.concatenate([part[place] for part in parts]) for place in range(3))
    places = places.astype(np.intp)
    truth = cells.values[places].astype(np.float64) if numeric else np.ones(len(places))
    return Overimputed(truth, mean, half, lacking[places], level, numeric)
