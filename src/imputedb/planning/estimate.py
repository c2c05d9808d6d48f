"""The planner's estimates for each operator of a finished plan, for display."""

from dataclasses import dataclass
from typing import assert_never

from imputedb.algebra.column import Columns
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
from imputedb.algebra.scalar import AllOf, Scalar
from imputedb.algebra.walk import aliases
from imputedb.planning import cost
from imputedb.planning.problem import Problem
from imputedb.statistics.cardinality import dropped, filtered, joined
from imputedb.statistics.selectivity import UNKNOWN, selectivity


@dataclass(frozen=True, slots=True)
class Estimate:
    """Estimated rows of an operator's output, and the milliseconds that it adds."""

    rows: float
    ms: float


def estimates(relation: Relation, problem: Problem) -> dict[int, Estimate]:
    """The estimate of each operator of a plan, by `id`."""
    found: dict[int, Estimate] = {}
    _estimate(relation, problem, found)
    if isinstance(relation, Aggregate | Project | Sort | Limit):  # overhead of the whole statement
        top = found[id(relation)]
        found[id(relation)] = Estimate(top.rows, top.ms + cost.stating(len(problem.sources)))
    return found


def _estimate(relation: Relation, problem: Problem, found: dict[int, Estimate]) -> float:
    match relation:
        case Scan(_, alias):
            estimate = Estimate(float(problem.statistics[alias].rows), 0.0)
        case Staged(origin=origin):
            return _estimate(origin, problem, found)
        case Filter(below, predicates):
            rows = _estimate(below, problem, found)
            estimate = Estimate(filtered(rows, _share(predicates, problem)), cost.filtering(rows, len(predicates)))
        case Join(left, right, predicates):
            sides = _estimate(left, problem, found), _estimate(right, problem, found)
            out = joined(*sides, _share(predicates, problem))
            estimate = Estimate(out, cost.joining(*sides, out))
        case Drop(below, columns):
            rows = _estimate(below, problem, found)
            estimate = Estimate(dropped(rows, _shares(columns, problem)), cost.filtering(rows, len(columns)))
        case Impute(below, columns, imputer):
            rows = _estimate(below, problem, found)
            model = next(one for one in problem.imputers if one.name == imputer)
            estimate = Estimate(rows, problem.priced(model, columns, rows, _attributes(relation, problem))[1])
        case Aggregate(below, groups):
            rows = _estimate(below, problem, found)
            estimate = Estimate(min(rows, _groups(groups, problem)), cost.answering(rows))
        case Project(below) | Sort(below) | Limit(below):
            estimate = Estimate(_estimate(below, problem, found), 0.0)
        case _:
            assert_never(relation)
    found[id(relation)] = estimate
    return estimate.rows


def _share(predicates: tuple[Scalar, ...], problem: Problem) -> float:
    return selectivity(AllOf(tuple(predicate.condition for predicate in predicates)), problem.lookup)


def _shares(columns: Columns, problem: Problem) -> list[float]:
    return [problem.statistics[column.relation].missing_share(column.name) for column in columns]


def _attributes(impute: Impute, problem: Problem) -> int:
    return sum(max(1, len(problem.statistics[alias].predictors)) for alias in aliases(impute))


def _groups(groups: tuple[Scalar, ...], problem: Problem) -> float:
    """Distinct values are multiplied; an expression counts as the columns that it reads, or as a third of the rows."""
    count = 1.0
    for group in groups:
        for column in group.reads:
            count *= max(1, problem.lookup(column)[0].distinct)
        if not group.reads:
            count *= 1 / UNKNOWN
    return count
