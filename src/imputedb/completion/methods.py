"""The methods of a database about completed data sets, beside `impute`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from imputedb.engines.engine import Engine
from imputedb.imputers.protocol import Imputer, Progress
from imputedb.imputers.registry import the_one

if TYPE_CHECKING:
    from imputedb.completion.completed import Completed
    from imputedb.completion.sensitivity import Analysis, Sweep
    from imputedb.diagnostics.likelihood import Likelihood
    from imputedb.inference.scores import Scores


class Opened(Protocol):
    """What these methods need of a database: its engine."""

    _engine: Engine


def more(
    self: Opened,
    run: Completed | str | Path,
    cycles: int,
    *,
    imputer: str | Imputer | None = None,
    progress: Progress | None = None,
) -> Completed:
    """A run of completed data sets with further cycles, beside the old one: what asking for all at once gives.

    Args:
        run: as `impute` gave it, or its folder.
        cycles: how many more.
        imputer: that of the run, if it is one of your own.
        progress: told the share of the draws that are done.

    Raises:
        QueryError: the imputer is not the run's or runs no chains, or the rows have changed since.
        StorageError: there is no such run, or the folder cannot be written.
    """
    from imputedb.completion.continuing import furthered

    return furthered(self._engine, run, imputer, cycles, progress)


def sensitivity(
    self: Opened,
    source: str,
    column: str,
    shifts: Sequence[float],
    analysis: Analysis,
    *,
    by: str = "add",
    of: object = None,
    hypothesis: float = 0.0,
    m: int = 20,
    imputer: str | Imputer = "norm",
    seed: int = 0,
    level: float = 0.95,
    progress: Progress | None = None,
) -> Sweep:
    """An answer under departures from missing at random, and the shift at which it tips.

    Args:
        source: a table's name or a SELECT.
        column: whose imputed values depart from what the others say of them.
        shifts: sizes of the departure; 0 (or 1 for `times` and `odds`) is missing at random.
        analysis: completed columns to an estimate and its variance, such as `sensitivity.mean_of("income")` or
            `sensitivity.term_of("y ~ x", "x")` of `imputedb.completion`.
        by: `add` to numbers, `times` numbers, or the `odds` of a category `of`.
        of: the category whose odds are multiplied.
        hypothesis: the value of the estimate that p is about.
        m: draws a shift.
        imputer: one of the chained: norm, pmm, logistic, multinomial, ordered.
        seed: the same for all shifts.
        level: of confidence; the answer tips where p crosses 1 - level.
        progress: told the share of the shifts that is done.

    Raises:
        QueryError: the imputer is not chained, or there are no shifts.
        UnknownName: no such incomplete column or category.
    """
    from imputedb.completion.sensitivity import Question, asked

    question = Question(column, analysis, by, of, hypothesis, m, seed, level)
    with self._engine.callers_frames(source):
        return asked(self._engine, source, the_one(imputer, "departures need"), question, shifts, progress)


def pool_scores(
    self: Opened,
    source: str,
    formula: str,
    model: str = "ols",
    *,
    m: int = 20,
    folds: int = 5,
    imputer: str | Imputer = "pmm",
    seed: int = 0,
    progress: Progress | None = None,
) -> Scores:
    """How well a model predicts rows that it has not seen: pooled over draws, with imputation inside the folds.

    In each fold the imputer and the model learn from the other folds' rows alone, and the outcome of the fold's
    rows is hidden from the imputer. Rows that miss the outcome are learnt from, and not scored.

    Args:
        source: a table's name or a SELECT.
        formula: such as `ill ~ x + z`; its left side is a column of numbers, or of zeros and ones.
        model: of statsmodels, `ols`, `logit`, `probit`, `poisson`, ...
        m: draws a fold.
        folds: parts that are left out in turn.
        imputer: that draws.
        seed: of draws and folds.
        progress: told the share that is done.

    Raises:
        UnknownName: the outcome is no column.
        QueryError: the formula, the model, m, folds or the imputer are wrong.
        DataError: there are too few rows, or predictors stay incomplete; or statsmodels is not installed.
    """
    from imputedb.completion.fitting import Model
    from imputedb.completion.scoring import Scoring, scored

    one = the_one(imputer, "scores need")
    with self._engine.callers_frames(source):
        return scored(self._engine, Scoring(source, formula, Model(model), one, m, folds, seed), progress)


def likelihood(self: Opened, source: str, *, columns: Sequence[str] = (), level: float = 0.95) -> Likelihood:
    """Means, covariances, correlations and regressions of numbers by maximum likelihood, without draws (FIML).

    Assumed is that values are missing at random given the columns, and that relations are straight.

    Args:
        source: a table's name or a SELECT.
        columns: those that are normal together; all that are numbers unless given. More columns than a question
            needs make "missing at random" likelier.
        level: of the intervals' confidence.

    Raises:
        UnknownName: no such table, or no column of numbers of that name.
        DataError: a column does not vary, or columns determine one another.
    """
    from imputedb.completion.likely import of_source

    with self._engine.callers_frames(source):
        return of_source(self._engine, source, columns, level)
