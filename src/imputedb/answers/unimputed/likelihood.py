"""Means, variances, correlations and regression lines of a query by maximum likelihood, without imputation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import NO_COLUMNS
from imputedb.answers.unimputed.quantity import Aggregate
from imputedb.answers.unimputed.rows import Quantities
from imputedb.diagnostics.likelihood import Likelihood, Likely, likelihood
from imputedb.engines.engine import Engine
from imputedb.errors import DataError, QueryError
from imputedb.notes import Note, NoteKind, Question
from imputedb.planning.problem import Problem
from imputedb.sql import ast as t
from imputedb.statistics.table import Kind

KINDS = (
    *("avg", "var_samp", "var_pop", "stddev_samp", "stddev_pop"),
    *("corr", "covar_samp", "covar_pop", "regr_slope", "regr_intercept"),
)

MOST = 8
"""Maximum number of jointly normal columns, including those that a query names."""

_NORMAL = (Kind.INTEGER, Kind.NUMBER)

Vector = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class AnsweredQuantity:
    """The groups of a query, and an estimate for each aggregate.

    Attributes:
        keys: texts of the groups' keys; one empty key without groups.
        estimates: estimates by group and output; None where the output is a key.
        notes: notes on the assumptions, and on the columns that they are about.
    """

    keys: list[tuple[str | None, ...]]
    estimates: list[list[Likely | None]]
    notes: tuple[Note, ...]


@dataclass(eq=False)
class LikelihoodAnswer:
    """A query with aggregates, answered by the normal distribution of maximum likelihood (FIML).

    1. The arguments of the aggregates, and at most `MOST` further numeric columns that are correlated with them, are
       assumed to be jointly normal within each group.
    2. Their means and covariances are estimated by EM, errors by the observed information (`diagnostics.likelihood`).
    3. Aggregates are functions of these: a mean, a regression line, a correlation.

    Warning: values must be missing at random given these columns. Means and regression lines are robust to other
    distributions; the errors of variances and correlations are not.

    Attributes:
        engine: engine that holds the rows.
        problem: query with its statistics.
        level: confidence level.
    """

    engine: Engine
    problem: Problem
    level: float = 0.95
    _named: dict[str, Vector] = field(default_factory=dict)

    def answered(self) -> AnsweredQuantity:
        """The estimates.

        Raises:
            QueryError: the query is not supported; the message says why.
        """
        found = Quantities(self.engine, self.problem, KINDS)
        found.check_rows_stand_alone()
        self._check_policies()
        keys, codes, unsure = found.keys
        _refuse(unsure is not None, "it groups by a column that misses values")
        aggregates = {p: one for p, one in enumerate(found.outputs) if isinstance(one, Aggregate)}
        for place in aggregates:
            for text, values in zip(self._texts(aggregates[place]), self._arguments(found, place), strict=True):
                self._named[text] = values
        columns = self._beside(found)
        table: list[list[Likely | None]] = [[None] * len(found.outputs) for _ in keys]
        fits: dict[tuple[int, bytes], Likelihood] = {}
        for place, output in aggregates.items():
            inside, maybe = found.conditions(place)
            _refuse(maybe is not None, f"a condition of {output.text} reads a column that misses values")
            for group, key in enumerate(keys):
                rows = inside & (codes == group)
                name = (group, np.packbits(rows).tobytes())
                if name not in fits:
                    fits[name] = self._fit(columns, rows, key)
                table[group][place] = _of(output.kind, self._texts(output), fits[name])
        return AnsweredQuantity(keys, table, self._notes(columns))

    def _check_policies(self) -> None:
        """Refuses columns with a policy that a joint normal distribution cannot respect."""
        for column in sorted(self.problem.columns):
            policy = self.problem.statistics[column.relation].policy(column.name)
            clauses = [
                clause
                for clause, given in (
                    ("RANGE", policy.low is not None or policy.high is not None),
                    ("VALUES", policy.values),
                    ("PREDICTORS", policy.predictors),
                    ("EXCLUDE", policy.exclude),
                    ("BEFORE", policy.before),
                    ("WEIGHT", policy.weight),
                    ("CLUSTER", policy.cluster),
                    ("PARTITION BY ... ORDER BY", policy.order),
                    (f"IMPUTER {policy.imputer}", policy.imputer),
                )
                if given
            ]
            names = ", ".join(clauses)
            _refuse(bool(clauses), f"the policy of {column} says {names}, of which maximum likelihood knows nothing")

    def _arguments(self, found: Quantities, place: int) -> Sequence[Vector]:
        """The numbers of each argument, NaN where missing."""
        output = found.outputs[place]
        assert isinstance(output, Aggregate)
        numbers = []
        for text, one in zip(self._texts(output), found.values(place), strict=True):
            values = np.where(one.observed, one.values, np.nan)
            seen = np.unique(values[~np.isnan(values)])
            _refuse(
                bool(one.reads) and len(seen) <= 2,
                f"{text} has {len(seen)} values, which are not normally distributed numbers",
            )
            numbers.append(values)
        return numbers

    def _texts(self, output: Aggregate) -> list[str]:
        """The texts of the arguments, each of which is one of the normal columns."""
        texts = [self.engine.text(t.select([t.named(one, "")], None)) for one in output.arguments]
        return [text.removeprefix("SELECT ") for text in texts]

    def _beside(self, found: Quantities) -> Mapping[str, Vector]:
        """The named numbers, and further columns in descending order of their largest correlation with one of these."""
        rows = found.predictors(NO_COLUMNS)
        several = len({column.relation for column in rows.columns}) > 1
        others: dict[str, Vector] = {}
        for column, cells in rows.columns.items():
            name = str(column) if several else column.name
            values = np.where(cells.missing, np.nan, cells.values.astype(np.float64)) if cells.kind in _NORMAL else None
            if values is not None and not any(_same(values, one) for one in self._named.values()):
                others[name] = values
        related = sorted(others, key=lambda name: (-self._related(others[name]), name))
        few = [name for name in related if self._related(others[name]) < 1 - 1e-9]
        return {**self._named, **{name: others[name] for name in few[: max(0, MOST - len(self._named))]}}

    def _related(self, values: Vector) -> float:
        """The largest absolute correlation with a named number, over rows where both are observed."""
        return max((abs(_correlation(values, one)) for one in self._named.values()), default=0.0)

    def _fit(self, columns: Mapping[str, Vector], rows: Flags, key: Sequence[str | None]) -> Likelihood:
        of = f" in group {', '.join(map(str, key))}" if key else ""
        _refuse(bool(rows.sum() < 3), f"there are {rows.sum()} rows{of}")
        varying = {name: values[rows] for name, values in columns.items()}
        kept = [name for name, values in varying.items() if name in self._named or _varies(values)]
        try:
            return likelihood(np.column_stack([varying[name] for name in kept]), kept, self.level)
        except DataError as error:
            raise QueryError(f"no likeliest answer{of} of {', '.join(kept)}: {error}") from error

    def _notes(self, columns: Mapping[str, Vector]) -> tuple[Note, ...]:
        names = ", ".join(columns)
        words = (
            f"maximum likelihood, no draws: {names} are taken to be normal together and missing at random "
            "given one another; errors are by the observed information"
        )
        return (Note(NoteKind.NORMAL, names, words),)


def answerable(question: Question) -> None:
    """Refuses questions for which maximum likelihood has no interval.

    Raises:
        QueryError: the interval is about the answer.
    """
    _refuse(question != "population", "method 'ml' has intervals for a population alone")


def _of(kind: str, names: Sequence[str], fit: Likelihood) -> Likely:
    one, *others = names
    count = fit.rows
    formulas: Mapping[str, Callable[[], Likely]] = {
        "avg": lambda: fit.average(one),
        "var_pop": lambda: fit.covary(one, one),
        "var_samp": lambda: fit.covary(one, one).times(count / (count - 1)),
        "stddev_pop": lambda: fit.deviation(one),
        "stddev_samp": lambda: fit.deviation(one).times((count / (count - 1)) ** 0.5),
        "corr": lambda: fit.correlation(one, *others),
        "covar_pop": lambda: fit.covary(one, *others),
        "covar_samp": lambda: fit.covary(one, *others).times(count / (count - 1)),
        "regr_slope": lambda: fit.regression(one, others)[others[0]],
        "regr_intercept": lambda: fit.regression(one, others)["(Intercept)"],
    }
    return formulas[kind]()


def _varies(values: Vector) -> bool:
    seen = values[~np.isnan(values)]
    return len(seen) > 2 and bool(np.ptp(seen) > 0)


def _same(a: Vector, b: Vector) -> bool:
    return bool(np.array_equal(a, b, equal_nan=True))


def _correlation(a: Vector, b: Vector) -> float:
    both = ~np.isnan(a) & ~np.isnan(b)
    if both.sum() < 3 or not np.ptp(a[both]) or not np.ptp(b[both]):
        return 0.0
    return float(np.corrcoef(a[both], b[both])[0, 1])


def _refuse(wrong: bool, why: str) -> None:
    if wrong:
        raise QueryError(f"no such answer to this query: {why}")
