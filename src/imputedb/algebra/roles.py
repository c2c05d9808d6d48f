"""What a query does with a column: one that decides which rows count, and in which group, or one that is averaged."""

from collections.abc import Iterable

from imputedb.algebra.column import NO_COLUMNS, Columns
from imputedb.algebra.relation import Aggregate, Filter, Join, Project, Relation
from imputedb.algebra.scalar import Scalar
from imputedb.algebra.walk import bottom_up

AVERAGES = frozenset({"avg", "mean", "favg", "sum", "fsum", "sum_no_overflow", "count", "count_star"})
"""Aggregates that expected values are good for: they are linear in their argument."""


def deciding(relation: Relation) -> Columns:
    """The columns read by filters, joins, groups, HAVING, QUALIFY, DISTINCT and aggregates that are no averages."""
    found = NO_COLUMNS
    for node in bottom_up(relation):
        match node:
            case Filter(_, predicates) | Join(_, _, predicates):
                found |= _reads(predicates)
            case Aggregate(_, groups, aggregates, having):
                uneven = [one for one in aggregates if str(one.tree.get("function_name", "")).lower() not in AVERAGES]
                found |= _reads([*groups, *uneven, *([having] if having else [])])
            case Project(_, outputs, qualify, distinct):
                found |= _reads([*(outputs if distinct else ()), *([qualify] if qualify else [])])
            case _:
                pass
    return found


def _reads(scalars: Iterable[Scalar]) -> Columns:
    return NO_COLUMNS.union(*(scalar.reads for scalar in scalars))
