"""A bound SELECT block, before planning."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from imputedb.algebra.column import NO_COLUMNS, Columns
from imputedb.algebra.relation import (
    Aggregate,
    Limit,
    Project,
    Relation,
    Scan,
    Sort,
    SortKey,
)
from imputedb.algebra.scalar import Scalar


@dataclass(frozen=True)
class Query:
    """A SELECT block over base tables joined by inner joins.

    `filters` read at most one source, `joins` at least two. `groups` is None without aggregation. For columns in
    `deciding` single values are drawn too (`sql.examined`): predictions vary less than true values, so that too few or
    too many of them would pass a filter.
    """

    sources: tuple[Scan, ...]
    filters: tuple[Scalar, ...]
    joins: tuple[Scalar, ...]
    outputs: tuple[Scalar, ...]
    groups: tuple[Scalar, ...] | None = None
    aggregates: tuple[Scalar, ...] = ()
    having: Scalar | None = None
    qualify: Scalar | None = None
    order: tuple[SortKey, ...] = ()
    limit: tuple[str, Mapping[str, Any]] | None = None
    grouping: Mapping[str, Any] = field(default_factory=dict)
    distinct: Mapping[str, Any] | None = None
    deciding: Columns = NO_COLUMNS

    @cached_property
    def answering(self) -> Columns:
        """The columns read above the joins: by groups, aggregates, outputs, HAVING, QUALIFY and ORDER BY."""
        scalars = [*self.outputs, *(self.groups or ()), *self.aggregates, *(key.scalar for key in self.order)]
        scalars += [scalar for scalar in (self.having, self.qualify) if scalar is not None]
        return frozenset().union(*(scalar.reads for scalar in scalars))

    @cached_property
    def reads(self) -> Columns:
        """All columns that the query examines."""
        return self.answering.union(*(scalar.reads for scalar in (*self.filters, *self.joins)))

    def filters_of(self, alias: str) -> tuple[Scalar, ...]:
        """The filters on one source; conditions without columns belong to the first source."""
        first = self.sources[0].alias
        return tuple(f for f in self.filters if f.relations == {alias} or (not f.relations and alias == first))

    def answer(self, rows: Relation) -> Relation:
        """The operators above the joins: aggregation, projection, order, limit."""
        relation = rows
        if self.groups is not None:
            relation = Aggregate(relation, self.groups, self.aggregates, self.having, self.grouping)
        relation = Project(relation, self.outputs, self.qualify, self.distinct)
        if self.order:
            relation = Sort(relation, self.order)
        if self.limit is not None:
            relation = Limit(relation, *self.limit)
        return relation
