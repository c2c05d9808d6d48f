"""Sensitivity analysis: an estimate under departures from missing at random, and the shift at which it tips."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from imputedb import arguments
from imputedb.completion import remarks
from imputedb.completion.formula import modelled
from imputedb.completion.source import Source, completed_columns, read, staged
from imputedb.engines.engine import Engine
from imputedb.errors import DataError, QueryError, UnknownName
from imputedb.imputers.chained.chained import Chained
from imputedb.imputers.chained.shift import Shift
from imputedb.imputers.protocol import Imputer, Progress
from imputedb.imputers.rows import Array
from imputedb.inference.rubin import Pooled, pooled
from imputedb.notes import Note

Analysis = Callable[[Mapping[str, Array]], tuple[float, float]]
"""A function of completed columns by name (categories as text) that gives an estimate and its variance."""

BISECTIONS = 10


@dataclass(frozen=True, slots=True)
class Point:
    """The estimate under one shift.

    Attributes:
        shift: size of the departure of imputed values.
        pooled: pooled estimate.
        p_value: p-value of the hypothesis.
    """

    shift: float
    pooled: Pooled
    p_value: float


@dataclass(frozen=True, slots=True)
class Sweep:
    """The estimates under departures from missing at random, and the tipping points.

    Attributes:
        column: column whose imputed values are shifted.
        by: `add`, `times` or `odds`.
        points: one for each shift, in their order.
        tipping: shifts at which p crosses 1 - level, nearest to missing at random first; empty where none does.
        level: confidence level.
        hypothesis: value of the null hypothesis.
        notes: notes that policies require.
        assumption: statement of the assumption behind each estimate.
    """

    column: str
    by: str
    points: tuple[Point, ...]
    tipping: tuple[float, ...]
    level: float
    hypothesis: float = 0.0
    notes: tuple[Note, ...] = ()
    assumption: str = field(
        default="each answer holds if values of the column that are missing differ by its shift, "
        "and by nothing else, from observed ones alike in all predictors"
    )

    def __str__(self) -> str:
        head = f"{self.column}, {self.by}"
        lines = [f"{head:>24}  {'estimate':>10}  {'low':>10}  {'high':>10}  {'p':>8}"]
        for point in self.points:
            low, high = point.pooled.interval(self.level)
            numbers = f"{point.pooled.estimate:10.4g}  {low:10.4g}  {high:10.4g}  {point.p_value:8.4f}"
            lines.append(f"{point.shift:>24g}  {numbers}")
        tips = ", ".join(f"{tip:.4g}" for tip in self.tipping) or "nowhere on this grid"
        return "\n".join([*lines, f"tipping point: {tips}", self.assumption])


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """The question of a sensitivity analysis.

    Attributes:
        column: column whose imputed values are shifted.
        analysis: estimate and variance from a completed data set.
        by: `add` to a number, `times` a number, or the `odds` of a category.
        of: category whose odds are multiplied.
        hypothesis: value of the null hypothesis.
        m: number of draws for each point.
        seed: seed of the draws, the same for all points, so that these differ by their shifts alone.
        level: confidence level.
    """

    column: str
    analysis: Analysis
    by: str = "add"
    of: object = None
    hypothesis: float = 0.0
    m: int = 20
    seed: int = 0
    level: float = 0.95

    def __post_init__(self) -> None:
        if not callable(self.analysis):
            raise QueryError(f"the analysis is {arguments.shown(self.analysis)}; it is a function of completed columns")
        self.shift(1.0)
        checked = {
            "hypothesis": arguments.real("the hypothesis", self.hypothesis, example="such as 0"),
            "m": arguments.draws(self.m, 2),
            "seed": arguments.seed(self.seed),
            "level": arguments.share("level", self.level),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def shift(self, size: float) -> Shift:
        """The departure of a given size."""
        match self.by:
            case "add":
                return Shift(add=size)
            case "times":
                return Shift(times=size)
            case "odds":
                return Shift(odds={self.of: size})
            case _:
                raise QueryError(f"no departure by {self.by!r}: use add, times or odds")


def swept_points(
    engine: Engine,
    text: str,
    imputer: Imputer,
    question: Question,
    shifts: Sequence[float],
    progress: Progress | None = None,
) -> Sweep:
    """The sensitivity analysis of a table, or of the rows of a SELECT.

    Raises:
        QueryError: the imputer is not chained; and as `sweep`.
        UnknownName: no such table; and as `sweep`.
    """
    if not isinstance(imputer, Chained):
        raise QueryError(
            f"departures act inside a chain, which {imputer.name} does not have: use norm, pmm or logistic"
        )
    with engine.lock:
        return sweep(read(engine, staged(engine, text)), imputer, question, shifts, progress)


def sweep(
    source: Source, imputer: Chained, question: Question, shifts: Sequence[float], progress: Progress | None = None
) -> Sweep:
    """The estimates under each shift; the shifts at which p crosses 1 - level are found by bisection.

    Departures are applied within the chain, so that they affect columns imputed from this one (van Buuren
    2018, section 9.2).

    Raises:
        UnknownName: no such column among the incomplete ones, or no such category.
        QueryError: there are no shifts, or `by` is unknown.
    """
    shifts = [
        arguments.real("a shift", one, example="such as -2")
        for one in arguments.listed("shifts", shifts, example="such as [0, -1, -2, -5]")
    ]
    if not shifts:
        raise QueryError("a sweep needs shifts, such as [0, -1, -2, -5]")
    names = [column.name for column in source.targets]
    if question.column not in names:
        policy = source.policies.get(question.column)
        why = f" that is filled in ({policy})" if policy else ""
        raise UnknownName(f"no incomplete column {question.column!r}{why}; there are {', '.join(names) or 'none'}")
    notes = tuple(remarks.shares(source))
    request, report = source.request(imputer, question.seed), progress or (lambda _: None)
    own = request.filler(next(column for column in source.targets if column.name == question.column))
    if own is not imputer:
        raise QueryError(
            f"the policy of {question.column} imputes it by {own.name}: departures act in a chain of {imputer.name}"
        )
    points = []
    for count, size in enumerate(shifts, 1):
        points.append(_point(source, imputer, question, size))
        report(count / len(shifts))
    alpha = 1 - question.level
    tips = [
        _bisected(source, imputer, question, a, b, alpha)
        for a, b in pairwise(points)
        if (a.p_value < alpha) != (b.p_value < alpha)
    ]
    neutral = 0.0 if question.by == "add" else 1.0
    ordered = tuple(sorted(tips, key=lambda tip: abs(tip - neutral)))
    return Sweep(question.column, question.by, tuple(points), ordered, question.level, question.hypothesis, notes=notes)


def _point(source: Source, imputer: Chained, question: Question, size: float) -> Point:
    departing = imputer.with_deltas({question.column: question.shift(size)})
    draws = source.request(departing, question.seed).draws(range(1, question.m + 1))
    answers = [_pair(question.analysis(completed_columns(source, values))) for values in draws]
    one = pooled([estimate for estimate, _ in answers], [variance for _, variance in answers])
    return Point(size, one, replace(one, estimate=one.estimate - question.hypothesis).p_value)


def _pair(answer: Any) -> tuple[float, float]:
    """The result of an analysis as an estimate and its variance, after a check."""
    try:
        first, second = answer
    except (TypeError, ValueError):
        shown = arguments.shown(answer)
        raise QueryError(f"the analysis gives {shown}: it must give an estimate and its variance") from None
    return first, second


def _bisected(source: Source, imputer: Chained, question: Question, a: Point, b: Point, alpha: float) -> float:
    for _ in range(BISECTIONS):
        middle = _point(source, imputer, question, (a.shift + b.shift) / 2)
        if (middle.p_value < alpha) == (a.p_value < alpha):
            a = middle
        else:
            b = middle
    return (a.shift + b.shift) / 2


def mean_of(column: str) -> Analysis:
    """An analysis: the mean of a column's values, with variance s^2 / n."""

    def analysis(columns: Mapping[str, Array]) -> tuple[float, float]:
        if column not in columns:
            raise UnknownName(f"no column {column!r}; there are {', '.join(columns)}")
        values = columns[column].astype(np.float64)
        values = values[~np.isnan(values)]
        return float(values.mean()), float(values.var(ddof=1) / len(values))

    return analysis


def term_of(formula: str, term: str, model: str = "ols") -> Analysis:
    """An analysis: a coefficient of a formula, by statsmodels.

    Raises:
        DataError: statsmodels is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise DataError("formulas need statsmodels: pip install 'imputedb[models]'") from error

    def analysis(columns: Mapping[str, Array]) -> tuple[float, float]:
        fit: Any = modelled(model, formula, pd.DataFrame(dict(columns))).fit(**({} if model == "ols" else {"disp": 0}))
        if term not in fit.params:
            raise UnknownName(f"no term {term!r} in {formula}; there are {', '.join(map(str, fit.params.index))}")
        return float(fit.params[term]), float(fit.cov_params().loc[term, term])

    return analysis
