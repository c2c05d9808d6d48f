"""Cross-fitting: predictions for each fold of rows by models that were fitted to the other folds."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.answers.unimputed.curves import classification, features, regression
from imputedb.errors import CannotImpute
from imputedb.imputers import checked
from imputedb.imputers.chained.blas import one_thread
from imputedb.imputers.chained.column_model import LEARN_ROWS, Matrix
from imputedb.imputers.chained.logistic import logistic
from imputedb.imputers.protocol import Imputer
from imputedb.imputers.random import keyed
from imputedb.imputers.rows import Cells, Rows
from imputedb.inference.doubly_robust import Flags, PartlyObserved, Vector
from imputedb.statistics.table import Kind

FOLDS = 5

LEAST = 0.01
"""Chances of being observed are no less: an observed row then speaks for a hundred at most."""

GONE_TOO = 0.5
"""Share of the rows where a quantity is missing; a predictor that is missing in more of them is left out."""

TARGET = Column("", "imputedb target")


@dataclass(frozen=True, eq=False)
class CrossFit:
    """Cross-fitted models of quantities (Chernozhukov et al. 2018): no row is predicted by a model fitted to it.

    Attributes:
        rows: predictors: no column that a quantity is computed from, unless it is complete.
        imputer: imputer for expected values, combined with a regression on splines; None for the regression alone.
        seed: key of the folds and of the imputer.
        clipped: number of probabilities that were raised to `LEAST`, by set of observed rows.
    """

    rows: Rows
    imputer: Imputer | None
    seed: int = 0
    clipped: list[int] = field(default_factory=list)
    _chances: dict[bytes, Vector] = field(default_factory=dict)
    _matrices: dict[frozenset[Column], Matrix] = field(default_factory=dict)

    @cached_property
    def folds(self) -> NDArray[np.int64]:
        """(n,) the fold of each row, by a hash of its key."""
        return (keyed(self.rows.keys, self.seed, "fold") % np.uint64(FOLDS)).astype(np.int64)

    def part(self, values: Vector, observed: Flags, permitted: Flags | None = None) -> PartlyObserved:
        """The quantity with predictions of both models.

        Args:
            values: the quantity.
            observed: (n,) whether it is observed.
            permitted: (n,) whether its value is one that a missing value may have. Rows with other values
                represent only themselves: neither model learns from them.

        Raises:
            CannotImpute: it is observed in no permitted row.
        """
        if observed.all():
            return PartlyObserved(values, observed, values, np.ones(len(values)))
        alone = np.zeros(len(values), bool) if permitted is None else observed & ~permitted
        training = observed & ~alone
        if not training.any():
            more = " with a value that its policy permits" if alone.any() else ""
            raise CannotImpute(f"the quantity is observed in no row{more}: nothing to learn from")
        rows = self._informative(observed)
        with one_thread():
            x = self._features(rows)
            expected, chance = self._expected(rows, x, values, training), self._chance(x, training, alone)
            return PartlyObserved(values, observed, np.where(alone, values, expected), np.where(alone, 1.0, chance))

    def _informative(self, observed: Flags) -> Rows:
        """The rows without predictors that are missing in most rows where the quantity is missing.

        Such a column does not help where it is needed, and if it is a copy of the quantity, errors would seem to be
        zero.
        """
        columns = {c: cells for c, cells in self.rows.columns.items() if cells.missing[~observed].mean() <= GONE_TOO}
        return Rows(columns, self.rows.keys)

    def _features(self, rows: Rows) -> Matrix:
        found = self._matrices.get(frozenset(rows.columns))
        if found is None:
            found = self._matrices[frozenset(rows.columns)] = features(rows)
        return found

    def _expected(self, rows: Rows, x: Matrix, values: Vector, observed: Flags) -> Vector:
        """(n,) expected values: a weighted mean of the imputer's and the regression's predictions.

        The weights minimise the squared error of observed rows in the other folds (stacking; Wolpert 1992; van der
        Laan, Polley & Hubbard 2007), none negative. Expected values are clipped to the observed range.
        """
        by_curves = self._by_curves(x, values, observed)
        by_imputer = by_curves if self.imputer is None else self._by_imputer(self.imputer, rows, values, observed)
        apart, wrong = by_curves - by_imputer, values - by_imputer
        found = np.empty(len(values))
        for fold in range(FOLDS):
            unseen = self.folds == fold
            training = observed & ~unseen
            square = float(apart[training] @ apart[training])
            share = float(np.clip(apart[training] @ wrong[training] / square, 0, 1)) if square > 0 else 0.0
            found[unseen] = (by_imputer + share * apart)[unseen]
        return np.clip(found, values[observed].min(), values[observed].max())

    def _by_curves(self, x: Matrix, values: Vector, observed: Flags) -> Vector:
        found = np.full(len(values), float(values[observed].mean()))
        for fold in range(FOLDS):
            unseen = self.folds == fold
            training = self._sample(observed & ~unseen)
            if len(training):
                found[unseen] = x[unseen] @ regression(x[training], values[training])
        return found

    def _by_imputer(self, imputer: Imputer, rows: Rows, values: Vector, observed: Flags) -> Vector:
        found = np.full(len(values), float(values[observed].mean()))
        for fold in range(FOLDS):
            unseen = self.folds == fold
            hidden = unseen | ~observed
            training = values[~hidden]
            if not unseen.any() or not len(training) or (training == training[0]).all():
                found[unseen] = training.mean() if len(training) else found[unseen]
                continue
            target = Cells(np.where(hidden, training[0], values), hidden, Kind.NUMBER)
            given = Rows({**rows.columns, TARGET: target}, rows.keys)
            filled = checked.imputed(imputer, given, [TARGET], self.seed)[0][TARGET]
            found[unseen] = filled.astype(np.float64)[unseen[hidden]]
        return found

    def _chance(self, x: Matrix, observed: Flags, alone: Flags) -> Vector:
        """(n,) the probability of being observed, at least `LEAST`, among the permitted rows."""
        key = np.packbits(observed).tobytes() + np.packbits(alone).tobytes()
        if key not in self._chances:
            found = np.ones(len(observed))
            for fold in range(FOLDS):
                unseen = self.folds == fold
                training = self._sample(~unseen & ~alone)
                labels = observed[training].astype(np.float64)
                found[unseen] = logistic(x[unseen] @ classification(x[training], labels))
            self.clipped.append(int(np.count_nonzero((found < LEAST) & ~alone)))
            self._chances[key] = np.maximum(found, LEAST)
        return self._chances[key]

    def _sample(self, rows: Flags) -> NDArray[np.intp]:
        """Positions of some rows, or of a random sample of them if they are many."""
        places = np.flatnonzero(rows)
        if len(places) <= LEARN_ROWS:
            return places
        return np.sort(places[np.argpartition(keyed(self.rows.keys[places], "taught"), LEARN_ROWS)[:LEARN_ROWS]])
