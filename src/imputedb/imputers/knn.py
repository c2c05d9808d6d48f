"""The nearest neighbours imputer."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from imputedb import arguments
from imputedb.algebra.column import Column
from imputedb.errors import CannotImpute, QueryError
from imputedb.imputers.earlier import CLOCK, blocks
from imputedb.imputers.order import by_key, by_name, in_original_order, named, training_rows
from imputedb.imputers.protocol import Progress, Work, apart
from imputedb.imputers.random import keyed
from imputedb.imputers.rows import Array, Cells, Rows
from imputedb.neighbours import cost, impute
from imputedb.neighbours.column import Attribute, Measure
from imputedb.neighbours.metric import Floats, Lacking, MetricName, Scaling
from imputedb.neighbours.search import Ints
from imputedb.neighbours.settings import Aggregate, Settings, Stage, Uniforms, Way
from imputedb.neighbours.tuning import KS, Folds, Scan, scanned
from imputedb.neighbours.votes import Weighting
from imputedb.notes import Note, NoteKind
from imputedb.statistics.table import Kind

DEFAULT_K = 20


@dataclass(frozen=True, slots=True)
class KNN:
    """The k nearest rows (Troyanskaya et al. 2001), over columns of all types by Gower's distance.

    1. Rows are compared by values that both have observed; imputed values are not used.
    2. A missing cell takes the mean of its column over the k nearest rows that have it, rounded for integers; for
       categories and booleans the mode.
    3. A cell without a neighbour takes the first `fallback` that applies; the report's notes have their number.

    Columns have the names of the database (`weight`), qualified where needed (`exams.weight`).

    Defaults are those with the least error on hidden cells of real tables (decisions/neighbours.md).

    Warning: means of neighbours vary less than values; use `mode="draw"` where the spread matters. Where the value
    itself causes missingness, neighbours have the same bias.

    Attributes:
        k: number of neighbours for each cell, or `chosen` by errors on hidden cells.
        metric: `gower`, `euclidean`, `manhattan` or `cosine`.
        scaling: `range`, `robust`, `deviation` or `none`; by default that of the metric.
        lacking: whether a coordinate that a donor lacks counts with the `expected` difference, or is `ignored`.
        aggregate: `mean`, `median` or `mode`, for numbers.
        weighting: `distance` or `uniform`.
        weights: weights of columns, 1 by default; None for equal weights; or `learnt` for each target.
        measures: how differences of columns are measured, if not by type: `numeric`, `log`, `ordinal`, `nominal`,
            `asymmetric`.
        group: column whose value donors must share.
        before: column of times; only earlier rows are donors, so that nothing leaks from the future.
        fallback: `group`, `column`, `mean`, in the order in which they are tried.
        mode: `predict`, or `draw` for draws of all targets.
        search: `auto`, `exact` or `approximate`.
        recall: share of exact neighbours that an approximate search must find on a sample.
    """

    k: int | Literal["chosen"] = DEFAULT_K
    metric: MetricName = "gower"
    scaling: Scaling | None = "robust"
    lacking: Lacking = "expected"
    aggregate: Aggregate = "mean"
    weighting: Weighting = "uniform"
    weights: tuple[tuple[str, float], ...] | Literal["learnt"] | None = "learnt"
    measures: tuple[tuple[str, str], ...] = ()
    group: str | None = None
    before: str | None = None
    fallback: tuple[Stage, ...] = ("group", "column")
    mode: Literal["predict", "draw"] = "predict"
    search: Way = "auto"
    recall: float = 0.97

    name = "knn"
    takes_donors = True
    uses_predictors = True
    averages_donors = True

    def __post_init__(self) -> None:
        self.settings([])
        arguments.one_of("mode", self.mode, ("predict", "draw"))
        for name, given in (("group", self.group), ("before", self.before)):
            if given is not None:
                arguments.text(name, given, example="the name of a column")
        for column, measure in _pairs("measures", self.measures):
            if measure not in [one.value for one in Measure]:
                known = ", ".join(known.value for known in Measure)
                raise QueryError(f"no measure {arguments.shown(measure)} for {column}; there are {known}")
        if self.weights is not None and self.weights != "learnt":
            for column, weight in _pairs("weights", self.weights):
                if arguments.real(f"the weight of {column}", weight, example="such as 2") < 0:
                    raise QueryError(f"the weight of {column} is {weight}; it may not be negative")

    def time(self, work: Work) -> float:
        """A search of every incomplete row among all rows, exact or approximate (decisions/neighbours.md)."""
        cells = work.rows * min(work.missing, 1.0) * work.targets
        lacking = work.rows * (1 - (1 - min(work.missing, 1.0)) ** work.targets)
        queries = cells if self.weights == "learnt" else lacking
        k = DEFAULT_K if self.k == "chosen" else self.k
        searching = cost.searching_ms(queries, work.rows, work.attributes, work.missing)
        return float(searching + cost.aggregating_ms(cells, work.rows, work.attributes, work.targets, k))

    def penalty(self, work: Work) -> float:
        """x / (1 + x) for x = |C| / |Attr| times the measured share of variance left unexplained."""
        loss = work.targets / work.attributes * cost.unexplained(work.rows, work.attributes)
        return float(loss / (1 + loss))

    def impute(
        self,
        rows: Rows,
        targets: Sequence[Column],
        seed: int,
        progress: Progress | None = None,
        *,
        drawn: Collection[Column] = (),
        draw: int = 0,
    ) -> Mapping[Column, Array]:
        """The neighbours' values."""
        return self.impute_with_notes(rows, targets, seed, progress, drawn=drawn, draw=draw)[0]

    def impute_with_notes(
        self,
        rows: Rows,
        targets: Sequence[Column],
        seed: int,
        progress: Progress | None = None,
        *,
        drawn: Collection[Column] = (),
        draw: int = 0,
    ) -> tuple[Mapping[Column, Array], list[Note]]:
        """The neighbours' values, and notes on fallbacks and recall.

        Raises:
            UnknownName: a column of a setting is not among the columns of the rows.
            CannotImpute: a cell has no neighbour, and no fallback applies.
        """
        values: dict[Column, Array] = {}
        sentences: list[Note] = []
        for some, draws in apart(targets, targets if self.mode == "draw" else drawn):
            filled, notes = self._with_notes(rows.given(values), some, seed, progress, draw if draws else None)
            values |= filled
            sentences += notes
        return values, sentences

    def _with_notes(
        self, rows: Rows, targets: Sequence[Column], seed: int, progress: Progress | None, draw: int | None
    ) -> tuple[Mapping[Column, Array], list[Note]]:
        order = by_name(rows.columns)
        stored = rows
        rows, turn = by_key(rows)  # ties and bootstraps depend on keys, not on the order of rows
        attributes = [self.attribute(column, rows.columns[column]) for column in order]
        wanted = [order.index(column) for column in targets]
        uniform = uniforms(rows, seed, draw or 0)
        groups, times = self.groups(rows), self.times(rows)
        settings, warnings = self.settings(order), list[Note]()
        if self.k == "chosen":
            best = self.scan(rows, targets, seed)
            settings = replace(settings, k=best.k)
            words = f"k is {best.k}: error {best.errors[best.metric, best.k]:.3f} of hidden cells"
            warnings.append(Note(NoteKind.TUNED, "k", words))
        filled = impute.fill(
            attributes,
            wanted,
            settings,
            uniform,
            groups=groups,
            times=times,
            draw=draw is not None,
            is_donor=rows.learn,
            progress=progress,
        )
        for place, flags in filled.left.items():
            if flags.any():
                raise CannotImpute(
                    f"{int(flags.sum()):,} cells of {order[place]} have no neighbour and none of the fallbacks "
                    f"{', '.join(self.fallback) or '(none)'} stands in for them: add 'column' to them"
                )
        cells = sum(len(values) for values in filled.values.values())
        warnings += impute.notes(filled, {place: order[place] for place in wanted}, cells)
        empty = {place: attributes[place].values[:0] for place in wanted}
        values = {order[place]: {**empty, **filled.values}[place] for place in wanted}
        return {c: in_original_order(stored.columns[c].missing, turn, v) for c, v in values.items()}, warnings

    def scan(
        self,
        rows: Rows,
        targets: Sequence[Column],
        seed: int = 0,
        *,
        ks: Sequence[int] = KS,
        metrics: Sequence[MetricName] | None = None,
    ) -> Scan:
        """The error of each k and metric on hidden observed cells, with all other settings as here.

        Where rows have times (`CLOCK`), each is predicted from earlier ones, as `earlier` predicts missing cells.
        """
        rows = training_rows(rows)
        times = rows.columns.get(CLOCK)
        if times is not None:
            rows = replace(rows, columns={c: cells for c, cells in rows.columns.items() if c != CLOCK})
        order = by_name(rows.columns)
        return scanned(
            [self.attribute(column, rows.columns[column]) for column in order],
            [order.index(column) for column in targets],
            self.settings(order),
            np.argsort(uniforms(rows, seed)("order"), kind="stable"),
            ks=ks,
            metrics=metrics,
            groups=self.groups(rows),
            times=self.times(rows),
            folds=None if times is None else _timely(rows, times, order),
        )

    def settings(self, order: Sequence[Column]) -> Settings:
        """The settings of the search, for columns in this order."""
        weights: tuple[float, ...] | Literal["learnt"] | None = None
        if self.weights == "learnt":
            weights = "learnt"
        elif self.weights and order:
            given = {named(name, order): weight for name, weight in self.weights}
            weights = tuple(given.get(column, 1.0) for column in order)
        return Settings(
            DEFAULT_K if self.k == "chosen" else self.k,
            self.metric,
            self.scaling,
            self.lacking,
            self.aggregate,
            self.weighting,
            weights,
            self.fallback,
            self.search,
            self.recall,
        )

    def named_columns(self) -> list[str]:
        """The names of the columns that restrict donors, unqualified."""
        return [name.rpartition(".")[2] for name in (self.group, self.before) if name]

    def attribute(self, column: Column, cells: Cells) -> Attribute:
        """A column as a coordinate: ordinal where it has an order, else nominal, unless declared."""
        declared = {name: measure for name, measure in self.measures if _matches(name, column)}
        measure = _measure(cells)
        if declared:
            measure = Measure(next(iter(declared.values())))
        return Attribute(cells.values, cells.missing, measure, cells.kind is Kind.CATEGORY)

    def groups(self, rows: Rows) -> Ints | None:
        """(n,) the code of each row's group, negative where unknown; None without groups."""
        if self.group is None:
            return None
        cells = rows.columns[named(self.group, list(rows.columns))]
        codes = np.unique(cells.values, return_inverse=True)[1].astype(np.int64)
        return np.where(cells.missing, -1, codes)

    def times(self, rows: Rows) -> Floats | None:
        """(n,) the time of each row, NaN where unknown; None without a condition on time.

        Raises:
            QueryError: the column holds no times or numbers.
        """
        if self.before is None:
            return None
        column = named(self.before, list(rows.columns))
        cells = rows.columns[column]
        if cells.kind is Kind.BOOLEAN or (cells.kind is Kind.CATEGORY and not cells.ordered):
            raise QueryError(f"{column} does not put rows in order: before is of numbers, dates or timestamps")
        return np.where(cells.missing, np.nan, cells.values.astype(np.float64))


def _measure(cells: Cells) -> Measure:
    if cells.kind is Kind.CATEGORY and cells.ordered:
        return Measure.ORDINAL
    return Measure.NOMINAL if cells.kind in (Kind.CATEGORY, Kind.BOOLEAN) else Measure.NUMERIC


def _pairs(name: str, given: object) -> tuple[tuple[str, object], ...]:
    """Settings of single columns, as pairs of a name and a value."""
    example = f"{name}=(('age', ...), ...)"
    pairs = () if isinstance(given, str) else arguments.listed(name, given, example=example)
    if (isinstance(given, str) and given) or not all(
        isinstance(one, tuple) and len(one) == 2 and isinstance(one[0], str) for one in pairs
    ):
        raise QueryError(f"{name} are {arguments.shown(given)}; give pairs of a column and what holds of it: {example}")
    return pairs  # type: ignore[return-value]


def _timely(rows: Rows, times: Cells, order: Sequence[Column]) -> Folds:
    """For hidden rows, the rows that are earlier."""

    def folds(target: int, hidden: Ints) -> Iterator[tuple[Ints, Ints]]:
        flags = np.zeros(len(rows.keys), bool)
        flags[hidden] = True
        cells = rows.columns[order[target]]
        column = {order[target]: cells.like(cells.values, flags)}
        return blocks(Rows(column, rows.keys), [order[target]], times)

    return folds


def uniforms(rows: Rows, seed: int, draw: int = 0) -> Uniforms:
    """Uniform numbers in [0, 1) by row, keyed by the row's key, the seed, the draw and their use."""

    def uniform(what: str) -> Floats:
        return np.asarray((keyed(rows.keys, seed, draw, what) >> np.uint64(11)).astype(np.float64) * 2.0**-53)

    return uniform


def _matches(name: str, column: Column) -> bool:
    return name.lower() in (str(column).lower(), column.name.lower())
