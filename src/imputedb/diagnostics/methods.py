"""The methods of `Database` for the evaluation of imputers and the diagnosis of missingness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from imputedb.diagnostics import evaluation, holes, scanning
from imputedb.diagnostics.cell_intervals import CellIntervals, cell_intervals
from imputedb.diagnostics.evaluation import Evaluation, Pattern
from imputedb.diagnostics.holes import Holes, Mechanism
from imputedb.diagnostics.mcar import McarTest
from imputedb.diagnostics.missing import Flux
from imputedb.engines.engine import Engine
from imputedb.imputers.knn import KNN
from imputedb.imputers.protocol import Progress
from imputedb.imputers.registry import Choice, imputers_of, single_imputer
from imputedb.neighbours.metric import METRICS, MetricName
from imputedb.neighbours.tuning import KS, Scan

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class OpenDatabase(Protocol):
    """What these methods need of a database: its engine."""

    _engine: Engine


def evaluate(
    self: OpenDatabase,
    table: str,
    *,
    imputer: Choice = ("tree", "knn", "mean", "hotdeck"),
    share: float = 0.1,
    pattern: Pattern = "mcar",
    by: str | None = None,
    columns: Sequence[str] = (),
    seed: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """The evaluation of imputers on a table: observed cells are hidden, imputed and compared.

    Args:
        table: name of the table.
        imputer: imputers to compare.
        share: share of the cells to hide, or of the rows if `pattern` is `own`.
        pattern: `mcar` hides cells independently; `own` hides them in the table's patterns of missingness.
        by: column whose values make subgroups, each with its own error and bias.
        columns: columns to evaluate; by default those with missing values.
        seed: seed for hiding cells.
        progress: called with the share that is done.

    Raises:
        QueryError: the imputer, pattern or share is not valid, or there is no such table or column.
        DataError: nothing can be hidden.
    """
    with self._engine.callers_frames(table):
        return evaluation.evaluate(
            self._engine,
            table,
            imputers_of(imputer),
            share=share,
            pattern=pattern,
            by=by,
            columns=columns,
            seed=seed,
            progress=progress,
        )


def cells(
    self: OpenDatabase,
    table: str,
    column: str,
    *,
    level: float = 0.9,
    imputer: Choice = "tree",
    share: float = 0.3,
    seed: int = 0,
    progress: Progress | None = None,
) -> CellIntervals:
    """The interval of each imputed number of a column, or a set of categories, with measured coverage.

    Observed cells are hidden in the column's patterns of missingness. Half of them give the distribution of errors by
    pattern; the other half measures the coverage of the intervals (split-conformal prediction).

    Args:
        table: name of the table.
        column: column with the missing cells.
        level: confidence level of the intervals and sets.
        imputer: imputer to use.
        share: share of the rows that get missingness of other rows, below 0.5.
        seed: seed; equal seeds give equal answers.
        progress: called with the share that is done.

    Raises:
        QueryError: the level, share or imputer is not valid, or there is no such table or column.
        DataError: nothing is missing, or too few cells can be hidden.
    """
    one = single_imputer(imputer, "intervals of cells need")
    wishes: dict[str, Any] = {"level": level, "share": share, "seed": seed, "progress": progress}
    with self._engine.callers_frames(table):
        return cell_intervals(self._engine, table, column, one, **wishes)


def scan(
    self: OpenDatabase,
    table: str,
    *,
    imputer: KNN | None = None,
    ks: Sequence[int] = KS,
    metrics: Sequence[MetricName] = METRICS,
    columns: Sequence[str] = (),
    seed: int = 0,
) -> Scan:
    """The error of each number of neighbours and metric on hidden cells of a table, and the best choice.

    Args:
        table: name of the table.
        imputer: KNN imputer with all other settings; by default `KNN()`.
        ks: numbers of neighbours to try.
        metrics: metrics to try.
        columns: columns to evaluate; by default those with missing values.
        seed: seed for hiding cells.

    Raises:
        QueryError: there is no such table, column or metric, or a number is out of range.
    """
    with self._engine.callers_frames(table):
        return scanning.scan(self._engine, table, imputer, ks=ks, metrics=metrics, columns=columns, seed=seed)


def mcar(self: OpenDatabase, table: str) -> McarTest:
    """Little's test of whether a table's numeric columns are missing completely at random.

    Raises:
        DataError: no numeric column varies.
    """
    with self._engine.callers_frames(table):
        return holes.mcar(self._engine, table)


def flux(self: OpenDatabase, table: str) -> Mapping[str, Flux]:
    """Influx and outflux of each column: how well others can predict it, and how well it can predict others.

    Raises:
        DataError: the table has no row.
    """
    with self._engine.callers_frames(table):
        return holes.fluxes(self._engine, table)


def pictures(self: OpenDatabase, table: str) -> dict[str, Figure]:
    """Pictures of a table's missingness as matplotlib figures by name.

    `matrix` (rows and columns), `bars` (shares), `correlation` and `dendrogram` (what goes missing together), `sets`
    (columns that are missing together and no others: an UpSet plot).

    Raises:
        DataError: matplotlib is not installed, or the table has no row.
    """
    with self._engine.callers_frames(table):
        return holes.pictures(self._engine, table)


def ampute(
    self: OpenDatabase,
    table: str,
    into: str,
    *,
    share: float = 0.2,
    mechanism: Mechanism = "mcar",
    columns: Sequence[str] = (),
    seed: int = 0,
) -> dict[str, Holes]:
    """Copies a table and makes cells missing in the copy, to try methods where the truth is known.

    The copy has NULL wherever the table has a missing value, declared ones included.

    Args:
        table: name of the table to copy.
        into: name of the copy.
        share: share of the cells of each column that go missing, on average.
        mechanism: `mcar`, independently of all values; `mar`, by the row's other numbers; `mnar`, by the value itself.
        columns: columns in which cells go missing; by default all, or all numeric ones under `mar` and `mnar`.
        seed: seed; equal seeds give equal copies.

    Returns:
        By column the number of cells that were made missing (`made`), and of all missing cells (`missing`).

    Raises:
        QueryError: there is no such column or mechanism, or the share is out of range.
        DataError: under `mar` or `mnar` a column is not numeric, or the table `into` exists already.
    """
    with self._engine.callers_frames(table):
        return holes.ampute(self._engine, table, into, share, mechanism, columns, seed)
