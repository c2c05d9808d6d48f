"""The methods of a database about how well imputers do."""

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
from imputedb.imputers.registry import Choice, chosen, the_one
from imputedb.neighbours.metric import METRICS, MetricName
from imputedb.neighbours.tuning import KS, Scan

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Opened(Protocol):
    """What these methods need of a database: its engine."""

    _engine: Engine


def evaluate(
    self: Opened,
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
    """How well imputers fill in a table: observed cells are hidden, filled and compared.

    Args:
        table: the table.
        imputer: those to compare.
        share: of the cells that are hidden, or of the rows where `pattern` is `own`.
        pattern: `mcar` hides cells one by one; `own` as they go missing together in the table.
        by: a column whose values make subgroups, for each of which error and bias are told.
        columns: those to judge by; those with missing values unless given.
        seed: one seed hides the same cells.
        progress: told the share that is done.

    Raises:
        QueryError: no imputer, pattern or share of that kind; or no table or column of that name.
        DataError: nothing can be hidden.
    """
    with self._engine.callers_frames(table):
        return evaluation.evaluate(
            self._engine,
            table,
            chosen(imputer),
            share=share,
            pattern=pattern,
            by=by,
            columns=columns,
            seed=seed,
            progress=progress,
        )


def cells(
    self: Opened,
    table: str,
    column: str,
    *,
    level: float = 0.9,
    imputer: Choice = "tree",
    share: float = 0.3,
    seed: int = 0,
    progress: Progress | None = None,
) -> CellIntervals:
    """An interval for each imputed number of a column, or a set of categories, with measured coverage.

    Observed cells are hidden in the patterns in which the column goes missing. Half of them say how far values are
    off, by pattern; the other half measures how often intervals hold the truth (split-conformal prediction).

    Args:
        table: the table.
        column: whose missing cells are asked about.
        level: of the intervals and sets.
        imputer: that fills in.
        share: of the rows that are laid over with missingness, below 0.5.
        seed: one seed, one answer.
        progress: told the share that is done.

    Raises:
        QueryError: no level, share or imputer of that kind; or no table or column of that name.
        DataError: nothing is missing, or too few cells can be hidden.
    """
    one = the_one(imputer, "intervals of cells need")
    wishes: dict[str, Any] = {"level": level, "share": share, "seed": seed, "progress": progress}
    with self._engine.callers_frames(table):
        return cell_intervals(self._engine, table, column, one, **wishes)


def scan(
    self: Opened,
    table: str,
    *,
    imputer: KNN | None = None,
    ks: Sequence[int] = KS,
    metrics: Sequence[MetricName] = METRICS,
    columns: Sequence[str] = (),
    seed: int = 0,
) -> Scan:
    """The error of every number of neighbours and metric on hidden cells of a table, and the best of them.

    Args:
        table: the table.
        imputer: everything else that neighbours are found by; `KNN()` unless given.
        ks: the numbers of neighbours.
        metrics: the metrics.
        columns: those to judge by; those with missing values unless given.
        seed: one seed hides the same cells.

    Raises:
        QueryError: no table, column, number or metric of that kind.
    """
    with self._engine.callers_frames(table):
        return scanning.scan(self._engine, table, imputer, ks=ks, metrics=metrics, columns=columns, seed=seed)


def mcar(self: Opened, table: str) -> McarTest:
    """Little's test of whether a table's numbers are missing completely at random.

    Raises:
        DataError: no column of numbers varies.
    """
    with self._engine.callers_frames(table):
        return holes.mcar(self._engine, table)


def flux(self: Opened, table: str) -> Mapping[str, Flux]:
    """Influx and outflux of each column of a table: how far others help it, and it helps others.

    Raises:
        DataError: the table has no row.
    """
    with self._engine.callers_frames(table):
        return holes.fluxes(self._engine, table)


def pictures(self: Opened, table: str) -> dict[str, Figure]:
    """Pictures of what a table lacks, before anything is imputed, as figures of matplotlib by name.

    `matrix` (rows and columns), `bars` (shares), `correlation` and `dendrogram` (what goes missing together), `sets`
    (columns that are missing together, and nothing else: an UpSet plot).

    Raises:
        DataError: matplotlib is not installed.
    """
    with self._engine.callers_frames(table):
        return holes.pictures(self._engine, table)


def ampute(
    self: Opened,
    table: str,
    into: str,
    *,
    share: float = 0.2,
    mechanism: Mechanism = "mcar",
    columns: Sequence[str] = (),
    seed: int = 0,
) -> dict[str, Holes]:
    """Copies a table and makes holes into the copy, to try methods where the truth is known.

    The copy has NULL wherever the table misses a value, a declared code of missing ones included.

    Args:
        table: that is copied.
        into: the name of the copy.
        share: of the cells of each column that go missing, on average.
        mechanism: `mcar`, whoever it is; `mar`, by the row's other numbers; `mnar`, by the value itself.
        columns: with holes; all unless given, all of numbers under `mar` and `mnar`.
        seed: one seed, one table.

    Returns:
        By column how many holes were made (`made`), and how many cells miss a value in all (`missing`).

    Raises:
        QueryError: no such column or mechanism, a share that is none, or `into` is there already.
        DataError: under `mar` and `mnar` a column is not of numbers.
    """
    with self._engine.callers_frames(table):
        return holes.ampute(self._engine, table, into, share, mechanism, columns, seed)
