"""The rows that a plan drops for missing values, among those that the query's other conditions keep."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from imputedb.algebra.column import Column, Columns
from imputedb.algebra.query import Query
from imputedb.algebra.relation import Drop, Filter, Join, Relation
from imputedb.algebra.scalar import OPAQUE, Scalar
from imputedb.algebra.walk import bottom_up
from imputedb.planning.problem import Problem
from imputedb.sql import ast as t
from imputedb.sql.expression import column_of
from imputedb.sql.strictness import is_strict


@dataclass(frozen=True, slots=True)
class Considered:
    """Rows that may pass all conditions, and the columns for which some of them are dropped.

    Attributes:
        rows: joined and filtered stored tables.
        columns: a row is dropped if one of these is missing.
    """

    rows: Relation
    columns: tuple[Column, ...]


def considered(plan: Relation, problem: Problem) -> Iterator[Considered]:
    """The rows that a plan may drop in part; tables that are joined only on missing values are considered separately.

    A condition on a missing value keeps the row, since it may hold.
    """
    absent: Columns = frozenset().union(*(node.columns for node in bottom_up(plan) if isinstance(node, Drop)))
    missing = frozenset(problem.columns)
    sure = [predicate for predicate in problem.query.joins if not predicate.reads & missing]
    left = [scan.alias for scan in problem.query.sources]
    while left:
        together = _connected(left[0], sure)
        left = [alias for alias in left if alias not in together]
        columns = tuple(sorted(column for column in absent if column.relation in together))
        if columns:
            yield Considered(_joined(problem.query, together, sure, missing), columns)


def _connected(start: str, predicates: Sequence[Scalar]) -> frozenset[str]:
    found = frozenset({start})
    while True:
        further = found.union(*(one.relations for one in predicates if one.relations & found))
        if further == found:
            return found
        found = further


def _joined(query: Query, together: frozenset[str], sure: Sequence[Scalar], missing: Columns) -> Relation:
    scans = [scan for scan in query.sources if scan.alias in together]
    rows: Relation = scans[0]
    for scan in scans[1:]:
        rows = Join(rows, scan, ())
    local = [predicate for scan in scans for predicate in query.filters_of(scan.alias)]
    joins = [predicate for predicate in sure if predicate.relations <= together]
    predicates = tuple(_unless_false(predicate, predicate.reads & missing) for predicate in local)
    return Filter(rows, (*joins, *predicates)) if joins or predicates else rows


def _unless_false(predicate: Scalar, missing: Columns) -> Scalar:
    """The condition that another one is true, or unknown because it reads a missing value of some columns."""
    if not missing:
        return predicate
    conditions = [t.not_refused(dict(predicate.tree))]

    def unsure(read: t.Tree) -> bool:
        column = column_of(read)
        return column is not None and column._replace(stored=False) in missing

    if not is_strict(dict(predicate.tree), unsure):
        conditions += [t.is_missing(t.reference(column.relation, column.name)) for column in sorted(missing)]
    tree = t.any_of(conditions)
    assert tree
    return replace(predicate, text=f"{predicate.text} IS NOT FALSE", tree=tree, condition=OPAQUE)
