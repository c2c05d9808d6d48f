"""Early filters: rows that operators above will reject are not imputed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import assert_never

from imputedb.algebra.column import Column, Columns
from imputedb.algebra.relation import (
    Aggregate,
    Drop,
    Filter,
    Impute,
    Join,
    Limit,
    Project,
    Relation,
    Scan,
    Sort,
    Staged,
)
from imputedb.algebra.scalar import Equal, Scalar
from imputedb.algebra.walk import aliases, scans
from imputedb.imputers import checked
from imputedb.imputers.protocol import Work
from imputedb.planning import cost
from imputedb.planning.invariant import check
from imputedb.planning.problem import Problem
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import bound, column_of
from imputedb.sql.strictness import is_strict

FEW = 0.8
"""Share of the rows that may matter, or that find a partner, above which telling them apart must pay in time."""

Reading = Callable[[Scan, str], Tree]
"""A stored column of a table as an expression, NULL where it is missing."""


def reduced(relation: Relation, problem: Problem, reading: Reading, source: Callable[[Scan], Tree]) -> Relation:
    """The plan with a filter below each Impute that rejects rows which cannot pass the conditions above.

    Conditions above are evaluated on stored values. A row for which a condition is false, whatever its missing values
    are, need not be imputed; one for which it is unknown must be. With `a > 5 AND b = 2`, a missing `a` is not imputed
    where b is 3. Only strict conditions are used (`sql.strictness`). Rows without a join partner are not imputed
    either.
    """
    return _Reduction(problem, reading, source).below(relation, ())


class _Reduction:
    def __init__(self, problem: Problem, reading: Reading, source: Callable[[Scan], Tree]) -> None:
        self._problem = problem
        self._reading = reading
        self._source = source

    def below(self, relation: Relation, above: Sequence[Scalar]) -> Relation:
        """A relation whose output must pass some conditions above it."""
        match relation:
            case Scan() | Staged():
                return relation
            case Impute(below, columns, imputer):
                inner = self.below(below, above)
                return replace(relation, input=self._kept(inner, columns, above, imputer))
            case Drop(below):
                return replace(relation, input=self.below(below, above))
            case Filter(below, predicates):
                return replace(relation, input=self.below(below, [*above, *predicates]))
            case Join(left, right, predicates):
                both = [*above, *predicates]
                partners = self._partners(left, right, predicates), self._partners(right, left, predicates)
                lefts, rights = self.below(left, [*both, *partners[0]]), self.below(right, [*both, *partners[1]])
                return replace(relation, left=lefts, right=rights)
            case Aggregate() | Project() | Sort() | Limit():
                return replace(relation, input=self.below(relation.input, above))
            case _:
                assert_never(relation)

    def _kept(self, relation: Relation, columns: Columns, above: Sequence[Scalar], imputer: str) -> Relation:
        here = aliases(relation)
        dirty = check(relation, self._dirty)
        applied = _applied(relation)
        usable = [p for p in above if p.reads and p.relations <= here and p not in applied]
        decisive = [p for p in usable if _decides_early(p, columns, dirty)]
        if isinstance(relation, Scan) and not self._is_worthwhile(relation, columns, decisive, imputer):
            return relation
        return Filter(relation, tuple(_possible(p, dirty) for p in decisive)) if decisive else relation

    def _is_worthwhile(self, scan: Scan, columns: Columns, decisive: Sequence[Scalar], imputer: str) -> bool:
        """Whether the values that need not be imputed are many, or cost more than finding the rows."""
        statistics = self._problem.statistics[scan.alias]
        one = next(known for known in self._problem.imputers if known.name == imputer)
        left = 1.0
        for predicate in decisive:
            left *= self._problem.passing(predicate)
        if left < FEW:
            return True
        missing = sum(statistics.missing_share(column.name) for column in columns) / len(columns)
        attributes = max(len(statistics.predictors), len(columns) + 1)
        whole = Work(float(statistics.rows), len(columns), attributes, missing, 0.0)
        spared = checked.timed(one, whole) - checked.timed(one, replace(whole, missing=missing * left))
        return spared > cost.identifying(statistics.rows)

    def _dirty(self, scan: Scan) -> Columns:
        return frozenset(Column(scan.alias, name) for name in self._problem.statistics[scan.alias].dirty)

    def _partners(self, rows: Relation, others: Relation, predicates: Sequence[Scalar]) -> list[Scalar]:
        """Conditions that a row has a join partner, for joins in which many rows have none."""
        found = []
        for predicate in predicates:
            condition = predicate.condition
            if not isinstance(condition, Equal):
                continue
            mine, theirs = condition.left, condition.right
            if mine.relation not in aliases(rows):
                mine, theirs = theirs, mine
            scan = next((scan for scan in scans(others) if scan.alias == theirs.relation), None)
            if scan is not None and mine.relation in aliases(rows) and self._few(mine, theirs):
                found.append(self._has_partner(mine, theirs, scan))
        return found

    def _few(self, mine: Column, theirs: Column) -> bool:
        ours, others = (self._problem.statistics[column.relation] for column in (mine, theirs))
        clean = mine.name not in ours.dirty and theirs.name not in others.dirty
        distinct = ours.columns[mine.name].distinct
        return clean and others.columns[theirs.name].distinct < FEW * distinct

    def _has_partner(self, mine: Column, theirs: Column, scan: Scan) -> Scalar:
        among = t.select([self._reading(scan, theirs.name)], self._source(scan))
        tree = t.among(bound(mine._replace(stored=False)), among)
        return Scalar(f"{mine} in {theirs}", frozenset((mine,)), tree)


def _applied(relation: Relation) -> set[Scalar]:
    """The conditions that a relation's rows have passed."""
    match relation:
        case Filter(below, predicates):
            return {*predicates, *_applied(below)}
        case Join(left, right, predicates):
            return {*predicates, *_applied(left), *_applied(right)}
        case Impute(below) | Drop(below):
            return _applied(below)
        case _:
            return set()


def _decides_early(predicate: Scalar, columns: Columns, dirty: Columns) -> bool:
    """Whether a condition may decide before imputation: it must not read all columns to impute, and must be strict.

    The result for a row with missing values must then hold for any values of these.
    """
    return not columns <= predicate.reads and is_strict(predicate.tree, lambda node: column_of(node) in dirty)


def _possible(predicate: Scalar, dirty: Columns) -> Scalar:
    """The condition that a strict condition is not false, whatever the missing values are."""
    unsure = predicate.reads & dirty
    if not unsure:
        return predicate

    def change(node: Tree) -> Tree | None:
        return {**node, "stored": True} if t.is_reference(node) and column_of(node) in unsure else None

    tree = t.not_refused(t.rewrite(predicate.tree, change))
    reads = frozenset(column._replace(stored=True) if column in unsure else column for column in predicate.reads)
    return Scalar(f"possibly {predicate.text}", reads, tree)
