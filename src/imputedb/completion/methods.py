"""The methods of `Database` for completed data sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from imputedb import arguments
from imputedb.engines.engine import Engine
from imputedb.errors import QueryError
from imputedb.imputers.protocol import Imputer, Progress
from imputedb.imputers.registry import Cycles, single_imputer
from imputedb.sql.parameters import Given

if TYPE_CHECKING:
    from imputedb.completion.completed import Completed
    from imputedb.completion.sensitivity import Analysis, Sweep
    from imputedb.diagnostics.likelihood import Likelihood
    from imputedb.inference.scores import Scores


class OpenDatabase(Protocol):
    """What these methods need of a database: its engine, and the resolution of texts with parameters."""

    _engine: Engine

    def _resolved(self, source: str, params: Given) -> str:
        """A table's name or a SELECT, with the values of its parameters inserted."""


def impute(
    self: OpenDatabase,
    source: str,
    out: str | Path,
    *,
    m: int | Literal["auto"] = 20,
    imputer: str | Imputer = "pmm",
    seed: int = 0,
    columns: Sequence[str] | None = None,
    flags: bool = True,
    long: bool = False,
    survival: tuple[str, str] | None = None,
    formula: str | None = None,
    model: str = "ols",
    cycles: Cycles = "auto",
    beside: bool = False,
    budget: float | None = None,
    contract: str | Path | None = None,
    report: str | Path | None = None,
    archive: bool = False,
    breaker: int | None = None,
    progress: Progress | None = None,
    params: Given = None,
) -> Completed:
    """Writes m completed copies of a table or of a SELECT's rows, with a manifest; they appear together or not at all.

    A run that was killed is continued; a run that exists already is not made again. The plain columns of a SELECT
    from one table keep their policies and declared missing values.

    Args:
        source: a table's name or a SELECT.
        out: folder; a new run replaces what readers see there when it is complete.
        m: number of completed data sets; `auto` chooses one (10 to 100), by ten of them, for which the Monte Carlo
            error of each mean is a tenth of its standard error, or 1 where nothing is missing.
        imputer: imputer to use: `pmm`, `norm`, `tree`, ..., or one of your own.
        seed: seed of the draws; equal seeds give equal runs.
        columns: columns to fill; by default all incomplete ones.
        flags: whether each filled column gets a boolean column `<column>__imputed`, which reports need.
        long: whether to write one Parquet file with `.imp` and `.id`, rather than one for each draw.
        survival: columns of time and event (0 or 1), whose Nelson-Aalen cumulative hazard becomes a predictor.
        formula: formula of a planned analysis, such as `y ~ x*z + I(x**2)`. Its columns are drawn compatibly with it,
            so that interactions and squares are estimated without bias; other columns are imputed given these.
        model: model of the formula, `ols` or `logit`.
        cycles: as in `sql`; the manifest's `convergence` has the diagnostics of the chains.
        beside: whether readers keep seeing the current run until this one is promoted.
        budget: limit of processor seconds; the run stops before the draw that would exceed it, and can be continued.
        contract: path of a TOML file with conditions on rows and run.
        report: path of a JSON file for the result of each condition of the contract, whether they hold or not.
        archive: whether the rows are kept beside the runs, so that `repeat` can make this run again.
        breaker: failures in a row after which no run is attempted for an hour; readers go on seeing the last good run,
            with a warning, and `FALLBACK.parquet` has the rows with what is missing marked.
        progress: called with the share of finished draws.
        params: values of the SELECT's parameters: a list for `?` and `$1`, a dictionary for `$name`.

    Raises:
        QueryError: the SELECT, m, the imputer or cycles are wrong.
        Beyond: the budget is spent, the contract is broken, the breaker is open, or the run was rolled back and not
            promoted since.
        StorageError: the folder cannot be written, or another process is writing into it.
    """
    from imputedb.completion.breaker import close, guarded
    from imputedb.completion.completing import Terms, complete
    from imputedb.completion.contract import read
    from imputedb.completion.request import requested

    folder = arguments.path("out", out)
    if report is not None and contract is None:
        raise QueryError("a report needs a contract: name one, or leave the report out")
    terms = Terms(None, beside, budget, None if contract is None else read(contract, report), archive)
    with self._engine.callers_frames(source):
        request = requested(
            self._resolved(source, params), m, imputer, seed, columns, flags, long, survival, formula, model, cycles
        )
        if breaker is not None:
            most = arguments.whole("the breaker", breaker, 1, example=" failures in a row")
            return guarded(
                self._engine,
                request.text,
                folder,
                most,
                lambda: complete(self._engine, request, folder, progress, terms),
            )
        made = complete(self._engine, request, folder, progress, terms)
        close(folder, made)
        return made


def impute_draws(
    self: OpenDatabase,
    source: str,
    out: str | Path,
    draws: Sequence[int],
    *,
    m: int = 20,
    imputer: str | Imputer = "pmm",
    seed: int = 0,
    columns: Sequence[str] | None = None,
    flags: bool = True,
    long: bool = False,
    survival: tuple[str, str] | None = None,
    formula: str | None = None,
    model: str = "ols",
    cycles: Cycles = "auto",
    progress: Progress | None = None,
    params: Given = None,
) -> str:
    """Writes some of m completed copies, while other processes may write others; returns the run's name.

    Readers see none of them until `impute` with the same arguments has made the missing draws and published the run.

    Args:
        draws: numbers of the draws, from 1 to m. All other arguments are those of `impute`.

    Raises:
        QueryError: a draw number is out of range; and as `impute`.
        StorageError: as `impute`.
    """
    from imputedb.completion.completing import draw_alone
    from imputedb.completion.request import requested

    folder = arguments.path("out", out)
    with self._engine.callers_frames(source):
        request = requested(
            self._resolved(source, params), m, imputer, seed, columns, flags, long, survival, formula, model, cycles
        )
        return draw_alone(self._engine, request, folder, draws, progress)


def more(
    self: OpenDatabase,
    run: Completed | str | Path,
    cycles: int,
    *,
    imputer: str | Imputer | None = None,
    progress: Progress | None = None,
) -> Completed:
    """A run with further cycles of its chains, beside the old one; it equals a run with all cycles from the start.

    Args:
        run: a run as `impute` returned it, or its folder.
        cycles: number of further cycles.
        imputer: imputer of the run, needed if it is one of your own.
        progress: called with the share of finished draws.

    Raises:
        QueryError: the imputer differs from that of the run, has no chains, or the rows have changed since.
        StorageError: there is no such run, or the folder cannot be written.
    """
    from imputedb.completion.continuing import resumed

    return resumed(self._engine, run, imputer, cycles, progress)


def sensitivity(
    self: OpenDatabase,
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
    """An estimate under departures from missing at random, and the shift at which its significance tips.

    Args:
        source: a table's name or a SELECT.
        column: column whose imputed values are shifted.
        shifts: sizes of the departure; 0 (or 1 for `times` and `odds`) is missing at random.
        analysis: function of completed columns to an estimate and its variance, such as
            `sensitivity.mean_of("income")` or `sensitivity.term_of("y ~ x", "x")`.
        by: `add` to numbers, `times` numbers, or the `odds` of the category `of`.
        of: category whose odds are multiplied.
        hypothesis: value of the null hypothesis.
        m: number of draws for each shift.
        imputer: a chained imputer: norm, pmm, logistic, multinomial, ordered.
        seed: seed of the draws, the same for all shifts.
        level: confidence level; the answer tips where p crosses 1 - level.
        progress: called with the share of finished shifts.

    Raises:
        QueryError: the imputer is not chained, or there are no shifts.
        UnknownName: no such incomplete column or category.
    """
    from imputedb.completion.sensitivity import Question, swept_points

    question = Question(column, analysis, by, of, hypothesis, m, seed, level)
    with self._engine.callers_frames(source):
        return swept_points(
            self._engine, source, single_imputer(imputer, "departures need"), question, shifts, progress
        )


def pool_scores(
    self: OpenDatabase,
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
    """Cross-validated scores of a model, pooled over draws, with imputation inside the folds.

    In each fold the imputer and the model learn only from the rows of the other folds, and the outcomes of the fold's
    rows are hidden from the imputer. Rows without an outcome serve for learning and are not scored.

    Args:
        source: a table's name or a SELECT.
        formula: formula such as `ill ~ x + z`; its outcome is a numeric column, or one of zeros and ones.
        model: model of statsmodels: `ols`, `logit`, `probit`, `poisson`, ...
        m: number of draws for each fold.
        folds: number of folds.
        imputer: imputer to use.
        seed: seed of draws and folds.
        progress: called with the share that is done.

    Raises:
        UnknownName: the outcome is not a column.
        QueryError: the formula, the model, m, folds or the imputer are wrong.
        DataError: there are too few rows, or predictors stay incomplete; or statsmodels is not installed.
    """
    from imputedb.completion.fitting import Model
    from imputedb.completion.scoring import Scoring, scored

    one = single_imputer(imputer, "scores need")
    with self._engine.callers_frames(source):
        return scored(self._engine, Scoring(source, formula, Model(model), one, m, folds, seed), progress)


def likelihood(self: OpenDatabase, source: str, *, columns: Sequence[str] = (), level: float = 0.95) -> Likelihood:
    """Means, covariances, correlations and regressions of numeric columns by maximum likelihood, without draws (FIML).

    Values are assumed to be missing at random given the columns, and relations to be linear.

    Args:
        source: a table's name or a SELECT.
        columns: columns of the joint normal distribution; by default all numeric ones. Columns beyond those of interest
            make the assumption of missing at random more plausible.
        level: confidence level of the intervals.

    Raises:
        UnknownName: no such table, or no numeric column of that name.
        DataError: a column is constant, or columns are linearly dependent.
    """
    from imputedb.completion.likely import of_source

    with self._engine.callers_frames(source):
        return of_source(self._engine, source, columns, level)
