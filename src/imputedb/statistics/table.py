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
    """The statistics of one column: missing and distinct counts, centre, spread and histogram.

    `centre` is the value of the mean imputer, as an SQL literal of the column's type: the mean rounded to the type, or
    the most frequent value of categories and booleans. None where nothing is observed.
    `missing` counts cells to be imputed or dropped; `meant` counts NULLs with a meaning of their own.
    `nan`: whether the column may hold NaN, which counts as NULL.
    `coded`: whether its numbers are codes of categories, by their values (`codes.py`).
    `spread` is the coefficient of variation, standard deviation / |mean|, at most 1; for categories the share of
    values other than the most frequent one. Both are free of units.
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
        """The distance between neighbouring doubles at the column's whole numbers; 1 where doubles are exact."""
        whole = self.kind is Kind.INTEGER or self.type in ("HUGEINT", "UHUGEINT")
        if not whole or not isinstance(self.histogram, Quantiles):
            return 1.0
        return max(1.0, math.ulp(max(abs(self.histogram.bounds[0]), abs(self.histogram.bounds[-1]))))


@dataclass(frozen=True)
class Statistics:
    """The statistics of a table: rows and columns.

    `content` is a 64-bit fingerprint of the rows, independent of names and position; 0 for rows that a statement makes,
    in which nothing is missing.
    """

    rows: int
    columns: Mapping[str, ColumnStatistics]
    policies: Mapping[str, Policy] = field(default_factory=dict)
    content: int = 0

    def policy(self, name: str) -> Policy:
        """The policy of a column."""
        return self.policies.get(name, DEFAULT)

    @property
    def policy_texts(self) -> dict[str, str]:
        """The policy of each column that has one, as text."""
        return {name: str(policy) for name, policy in sorted(self.policies.items())}

    def rests_on(self, table: Table) -> tuple[Table, ...] | None:
        """The tables whose rows decide what is missing in one: itself; None for any, which a policy may read."""
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
        """The columns that others can be predicted from: no keys, constants or unstructured values."""
        return frozenset(name for name in self.columns if self._predicts(name))

    @cached_property
    def regressors(self) -> frozenset[str]:
        """The predictors for models: no category with more than `MANY_LEVELS` levels."""
        return frozenset(name for name in self.predictors if not self._has_many_levels(name))

    @cached_property
    def key(self) -> str | None:
        """The first column with a different value in every row; None where there is none."""
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
        return column.kind != Kind.OPAQUE and column.distinct > 1 and not self.identifies(name)

    def _has_many_levels(self, name: str) -> bool:
        return self.columns[name].kind is Kind.CATEGORY and self.columns[name].distinct > MANY_LEVELS

    def identifies(self, name: str) -> bool:
        """Whether a column only identifies rows: its values are all different, and no policy calls it a number.

        A policy does so with AS NUMERIC or AS ORDINAL, or by naming it among the PREDICTORS of another column.
        """
        column = self.columns[name]
        observed = self.rows - column.missing - column.meant
        if column.distinct != observed or column.kind not in (Kind.INTEGER, Kind.CATEGORY):
            return False
        is_number = self.policy(name).measure in ("numeric", "ordinal") or name in self._named_predictors
        return column.kind is Kind.CATEGORY or not is_number

    @cached_property
    def _named_predictors(self) -> frozenset[str]:
        return frozenset(name for policy in self.policies.values() for name in policy.predictors)

    def missing_share(self, name: str) -> float:
        """Share of the rows where a column is missing."""
        return self.columns[name].missing / self.rows if self.rows else 0.0
