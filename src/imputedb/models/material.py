"""The rows that a model is fitted to, as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Matrix
from imputedb.imputers.protocol import Progress
from imputedb.imputers.rows import Rows
from imputedb.models.feature import Feature
from imputedb.models.target import FitSettings
from imputedb.models.training_data import TrainingData, training_data


@dataclass(frozen=True, eq=False)
class Material:
    """The training data of all targets.

    Attributes:
        rows: the rows, in the order of their keys.
        features: the columns.
        x: (features, n) the rows as numbers, NaN where a value is missing.
        places: the places of the targets among the features, in the order in which they are drawn.
        settings: the settings of the fit.
    """

    rows: Rows
    features: Sequence[Feature]
    x: Matrix
    places: Sequence[int]
    settings: FitSettings

    @cached_property
    def missing(self) -> NDArray[np.bool_]:
        """(features, n) whether a value is missing."""
        return np.isnan(self.x)

    def targets_before(self, place: int) -> Sequence[int]:
        """Places of the targets that are drawn before one."""
        return self.places[: self.places.index(place)]

    def missing_patterns(self, place: int, given: Sequence[int] = ()) -> NDArray[np.bool_]:
        """(g, features) what is missing in the rows that miss a target; features in `given` count as present."""
        gaps = self.missing[:, self.missing[place]].T.copy()
        gaps[:, list(given)] = False
        return gaps

    def observed(self, place: int) -> NDArray[np.float64]:
        """The observed values of a target."""
        return np.asarray(self.x[place][~self.missing[place]])

    def training_data(
        self, place: int, given: Sequence[int] = (), *, own: bool = False, watch: Progress | None = None
    ) -> TrainingData:
        """The training data of a target, with the missing values of rows that miss it, and its own too if `own`."""
        gaps, what = self.missing_patterns(place, given), (self.settings.seed, self.features[place].column.name)
        return training_data(
            self.features, self.x, self.x[place], place, self.rows.keys, gaps, *what, own=own, watch=watch
        )
