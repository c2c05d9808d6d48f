"""Short functions of few columns, fitted to a sample and used by several statements."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from imputedb.algebra.column import Column
from imputedb.imputers.chained.blas import one_thread
from imputedb.imputers.order import by_key, by_name
from imputedb.imputers.protocol import Progress
from imputedb.imputers.rows import Rows
from imputedb.models.feature import feature
from imputedb.models.fitted import Fitted
from imputedb.models.learning import fit
from imputedb.models.material import Material
from imputedb.models.screening import screened
from imputedb.models.target import FitSettings
from imputedb.notes import Note, NoteKind

LEAVES = 64
"""Largest number of leaves in the trees of a function (decisions/models.md)."""

SCREENED = 10_000
"""Largest number of rows by which predictors are selected."""


@dataclass(frozen=True, slots=True)
class SampledModel:
    """A model of one column that was fitted to a sample.

    Attributes:
        fitted: the model.
        candidate_count: the number of candidate predictors.
        lost_share: the share of what all candidates explain that the selected ones do not, measured on hidden cells.
    """

    fitted: Fitted
    candidate_count: int
    lost_share: float

    def note(self, column: Column, rows: int) -> Note:
        """The note of an answer on a column that is imputed in this way."""
        columns = f"{self.predictor_count} of {self.candidate_count} columns"
        words = f" is imputed by a function of {columns}, learnt from a sample of "
        return Note(NoteKind.SAMPLED, column, column, f"{words}{self.fitted.rows:,} of {rows:,} rows")

    @property
    def predictor_count(self) -> int:
        """Number of predictors that are read."""
        return len(self.fitted.features) - 1


def fit_on_sample(
    rows: Rows, target: Column, types: Mapping[Column, str], settings: FitSettings, progress: Progress | None = None
) -> SampledModel:
    """A model of one column, of the columns that predict it best.

    Args:
        rows: a sample.
        target: the column.
        types: the SQL types of all columns.
        settings: the family of functions, the number of draws, the seed.
        progress: a callback that is given the share done.

    Raises:
        CannotImpute: no value of the target is observed.
    """
    order = by_name(rows.columns)
    rows = by_key(rows)[0]
    columns = [target]
    given_up = 0.0
    if settings.method != "mean":
        some = rows.at(np.arange(min(len(rows.keys), SCREENED)))
        features = [feature(c, types.get(c, ""), some.columns[c], np.ones(len(some.keys), bool)) for c in order]
        x = np.stack([one.encoded(some.columns[one.column]) for one in features])
        place = order.index(target)
        with one_thread():
            found = screened(Material(some, features, x, [place], settings).training_data(place), settings.seed)
        columns += [order[one] for one in found.places]
        given_up = found.lost_share
    few = replace(rows, columns={column: rows.columns[column] for column in columns})
    fitted = fit(few, [target], types, replace(settings, sample=len(rows.keys), leaves=LEAVES), progress)
    return SampledModel(fitted, len(order) - 1, given_up)
