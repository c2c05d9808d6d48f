"""Statistics of stored tables."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from imputedb.algebra.relation import Table
from imputedb.statistics.histogram import Histogram, Quantiles
from imputedb.statistics.kind import Kind as Kind
from imputedb.statistics.policy import DEFAULT, Policy

MANY_LEVELS = 1000
"""Categories with more distinct values than this predict nothing that is worth their cost."""


@dataclass(frozen=True, slots=True)
class ColumnStatistics:
    """One column: its missing and distinct counts, its centre, its spread and its histogram.

    `centre` is what the mean imputer fills in, as SQL text of a literal of the column's type: the mean rounded to
    the type, or the most frequent value of categories and booleans. None where nothing is observed.
    `missing` counts what is to be imputed or dropped; NULLs that mean something of their own are `meant`.
    `nan`: whether it may hold NaN, which is read as NULL.
    `coded`: whether numbers are codes of categories, by their values (`codes.py`).
    `spread` is the coefficient of variation, standard deviation / |mean|, bounded by 1; for categories the share of
    values that are not the most frequent one. Both are free of units.
    """

    type: str
    kind: Kind
    missing: int
    distinct: int
    centre: str | None = None
    spread: float = 0.0
    histogram: Histogram | None = None
    meant: int = 0
    coded: bool = False
    nan: bool = True

    @property
    def step(self) -> float:
        """How far apart doubles are that whole numbers of the column are imputed as; 1 where these are exact."""
        whole = self.kind is Kind.INTEGER or self.type in ("HUGEINT", "UHUGEINT")
        if not whole or not isinstance(self.histogram, Quantiles):
            return 1.0
        return max(1.0, math.ulp(max(abs(self.histogram.bounds[0]), abs(self.histogram.bounds[-1]))))


@dataclass(frozen=True)
class Statistics:
    """A table: its rows and its columns.

    `content` is a number of 64 bits that tells its rows from those of any other table, whatever it is called and
    wherever it comes in; 0 of rows that a statement makes, of which nothing is missing.
    """

    rows: int
    columns: Mapping[str, ColumnStatistics]
    policies: Mapping[str, Policy] = field(default_factory=dict)
    content: int = 0

    def policy(self, name: str) -> Policy:
        """What was said about a column."""
        return self.policies.get(name, DEFAULT)

    @property
    def said(self) -> dict[str, str]:
        """What was said about columns, in words."""
        return {name: str(policy) for name, policy in sorted(self.policies.items())}

    def rests_on(self, table: Table) -> tuple[Table, ...] | None:
        """The tables whose rows decide what misses in one: itself; None for any, which a policy's text may read."""
        return None if any(text for policy in self.policies.values() for text in policy.texts) else (table,)

    @cached_property
    def dirty(self) -> frozenset[str]:
        """The columns with at least one missing value."""
        return frozenset(name for name, column in self.columns.items() if column.missing)

    @cached_property
    def without_nan(self) -> frozenset[str]:
        """The columns that hold no NaN."""
        return frozenset(name for name, column in self.columns.items() if not column.nan)

    @cached_property
    def predictors(self) -> frozenset[str]:
        """The columns others can be predicted from: neither keys, nor constants, nor values without structure."""
        return frozenset(name for name in self.columns if self._predicts(name))

    @cached_property
    def regressors(self) -> frozenset[str]:
        """The predictors that models are given: no category with more than `MANY_LEVELS` levels."""
        return frozenset(name for name in self.predictors if not self._has_many_levels(name))

    @cached_property
    def key(self) -> str | None:
        """A column that tells every row from every other, the first one in order; None where there is none."""
        return next((name for name in self.columns if self.is_key(name)), None)

    def is_key(self, name: str) -> bool:
        """Whether a column has a different value in every row."""
        column = self.columns[name]
        return (
            self.rows > 0
            and column.missing + column.meant == 0
            and column.distinct == self.rows
            and column.kind != Kind.NUMBER
        )

    def _predicts(self, name: str) -> bool:
        column = self.columns[name]
        return column.kind != Kind.OPAQUE and column.distinct > 1 and not self._identifies(column)

    def _has_many_levels(self, name: str) -> bool:
        return self.columns[name].kind is Kind.CATEGORY and self.columns[name].distinct > MANY_LEVELS

    def _identifies(self, column: ColumnStatistics) -> bool:
        observed = self.rows - column.missing - column.meant
        return column.distinct == observed and column.kind in (Kind.INTEGER, Kind.CATEGORY)

    def missing_share(self, name: str) -> float:
        """Share of the rows where a column is missing."""
        return self.columns[name].missing / self.rows if self.rows else 0.0
