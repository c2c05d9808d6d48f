"""A fitted model: the functions that an imputer has learnt of some columns, for any rows."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from imputedb.algebra.column import Column
from imputedb.errors import DataError, QueryError, StorageError
from imputedb.imputers.chained.column_model import Matrix
from imputedb.imputers.chained.design import Part
from imputedb.imputers.order import labels
from imputedb.imputers.rows import Array, Rows
from imputedb.models import applying, chance, packing
from imputedb.models.drift import Bins, counted, index
from imputedb.models.feature import Feature
from imputedb.models.function import (
    CategoryTerm,
    Constant,
    Forest,
    JointNormal,
    MeanMatching,
    NumberTerm,
    PatternCases,
    ResidualDraw,
    Scores,
    Sum,
)
from imputedb.models.quality import Quality
from imputedb.models.target import FitSettings, Target
from imputedb.statistics.table import Kind

FORMAT = 1
"""Version of the format that `Fitted.dumped` writes."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted model: for each target, pure functions of one row.

    Attributes:
        settings: the settings of the fit.
        rows: the number of rows learnt from.
        features: all columns that are read or filled in.
        targets: the columns that are filled in, in the order in which they are drawn.
        bins: the distribution of each column at the fit, against which drift is measured.
    """

    settings: FitSettings
    rows: int
    features: tuple[Feature, ...]
    targets: tuple[Target, ...]
    bins: tuple[Bins, ...] = ()

    def feature(self, column: Column) -> Feature:
        """The feature of a column.

        Raises:
            DataError: the model has no such column.
        """
        for one in self.features:
            if one.column == column:
                return one
        raise DataError(f"the model has no column {column}; it has {', '.join(str(f.column) for f in self.features)}")

    def observed(self, column: Column) -> int:
        """Number of values of a column that were observed at the fit.

        Raises:
            DataError: the model has no such column.
        """
        place = self.features.index(self.feature(column))
        return next((int(one.counts[:-1].sum()) for one in self.bins if one.feature == place), self.rows)

    def aligned(self, rows: Rows) -> Rows:
        """The same rows, with the model's levels first, so that every category that it may give has a place."""
        columns = dict(rows.columns)
        for one in self.features:
            if one.column in columns:
                columns[one.column] = one.aligned(columns[one.column])
        return Rows(columns, rows.keys, rows.learn, rows.draws)

    def unseen(self, rows: Rows) -> Mapping[Column, int]:
        """By column, the number of cells with a category unknown to the model, which reads them as missing.

        Columns without such cells are left out.
        """
        counts = {one.column: one.unseen(rows.columns[one.column]) for one in self.features}
        return {column: count for column, count in counts.items() if count}

    def drift(self, rows: Rows) -> Mapping[Column, float | None]:
        """By column, the population stability index of rows against those of the fit.

        Missing values, numbers out of the observed range, and rare categories have bins of their own; a category
        unknown to the model counts as missing. None where there are no rows.
        """
        x = self._encoded(rows)
        return {self.features[one.feature].column: index(one.counts, counted(one, x[one.feature])) for one in self.bins}

    def values(self, rows: Rows, draw: int | None = None) -> Mapping[Column, Array]:
        """The values of the targets' missing cells, in row order, as `Imputer.impute` gives them.

        Categories are places among the levels of the given cells. The values of a row depend on its own cells, on its
        key and on the draw's number alone.

        Args:
            rows: any rows that have all columns of the model.
            draw: None for the best values given the observed ones; 1 to m for one of the draws. A draw is joint: each
                target is drawn given those before it.

        Raises:
            DataError: the rows lack a column of the model; or an imputed category is no level of the given cells, which
                `aligned` prevents.
            QueryError: the model has no draw of that number.
        """
        x = self._encoded(rows)
        if draw is None:
            return {self.features[t.feature].column: self._expected(t, rows, x) for t in self.targets}
        if not 1 <= draw <= self.settings.draws:
            raise QueryError(f"the model has draws 1 to {self.settings.draws}, no draw {draw}")
        called = labels(one.column for one in self.features)
        columns = [(t, self.features[t.feature].column) for t in self.targets]
        return {column: self._drawn(t, rows, x, draw, called[column]) for t, column in columns}

    def coarser(self, rows: Rows) -> Mapping[Column, int]:
        """By target, the number of missing cells that are predicted from fewer columns than their rows have.

        Linear functions exist for the patterns of missing columns seen at the fit. A row with another pattern uses the
        most accurate of these functions whose columns it has.
        """
        x = self._encoded(rows)
        found: dict[Column, int] = {}
        for target in self.targets:
            function = target.expected.centre if isinstance(target.expected, MeanMatching) else target.expected
            if isinstance(function, PatternCases):
                column = self.features[target.feature].column
                count = applying.coarser_count(function, x, np.flatnonzero(rows.columns[column].missing))
                found |= {column: count} if count else {}
        return found

    def dumped(self) -> bytes:
        """The model as bytes: JSON for its structure, arrays beside it."""
        return packing.packed(self, FORMAT, KINDS)

    @staticmethod
    def loaded(data: bytes) -> "Fitted":
        """The model in bytes that `dumped` wrote.

        Raises:
            StorageError: the bytes are no model, or one of a newer format.
        """
        found = packing.unpacked(data, FORMAT, KINDS)
        if not isinstance(found, Fitted):
            raise StorageError("these bytes are not a model of imputedb")
        return found

    def _encoded(self, rows: Rows) -> Matrix:
        absent = [str(one.column) for one in self.features if one.column not in rows.columns]
        if absent:
            raise DataError(f"the model reads {', '.join(absent)}, which the rows do not have")
        return np.stack([one.encoded(rows.columns[one.column]) for one in self.features])

    def _expected(self, target: Target, rows: Rows, x: Matrix) -> Array:
        one = self.features[target.feature]
        cells = rows.columns[one.column]
        missing = np.flatnonzero(cells.missing)
        if not len(missing):
            return cells.values[:0]
        best = applying.expected(target.expected, x, missing)
        return one.typed(best if one.classes else one.closed(best), cells)

    def _drawn(self, target: Target, rows: Rows, x: Matrix, draw: int, label: str) -> Array:
        """One draw of a target's missing values; the draw also replaces them in `x`, for the targets after it."""
        one = self.features[target.feature]
        cells = rows.columns[one.column]
        missing = np.flatnonzero(cells.missing | np.isnan(x[target.feature]))
        if not len(missing):
            return cells.values[:0]
        keys, what = rows.keys[missing], (self.settings.seed, draw, label)
        normal, uniform = chance.normal(keys, *what), chance.uniform(keys, *what)
        drawn = applying.drawn(target.drawn[draw - 1], x, missing, normal, uniform)
        if one.whole:
            drawn = np.floor(drawn + 0.5)
        x[target.feature, missing] = drawn
        return one.typed(drawn[cells.missing[missing]], cells)


KINDS: dict[str, type] = {
    "Fitted": Fitted,
    "How": FitSettings,
    "Target": Target,
    "Quality": Quality,
    "Bins": Bins,
    "Feature": Feature,
    "Column": Column,
    "Kind": Kind,
    "Part": Part,
    "slice": slice,
    "Constant": Constant,
    "Sum": Sum,
    "Slope": NumberTerm,
    "Steps": CategoryTerm,
    "Forest": Forest,
    "Scores": Scores,
    "Cases": PatternCases,
    "Joint": JointNormal,
    "Matched": MeanMatching,
    "Spread": ResidualDraw,
}
"""By name in the format, the types of all parts of a model."""
