"""Joint search over join orders and placements: the second half of the paper's Algorithm 2."""

from collections.abc import Iterator

from imputedb.algebra.column import Column, Columns
from imputedb.algebra.query import Query
from imputedb.algebra.relation import Drop, Impute, Scan
from imputedb.algebra.scalar import Scalar
from imputedb.imputers.protocol import Imputer
from imputedb.planning import cost
from imputedb.planning.candidate import Candidate, scanned
from imputedb.planning.frontier import Frontier, Pareto
from imputedb.planning.placement import placements
from imputedb.planning.problem import JoinPredicate, Problem, Source

EXACT_TABLES = 5
"""Up to so many tables the search is exact."""
SLACK = 0.1
"""How close to a kept sub-plan one need not be kept, with more tables."""


def plan(problem: Problem, slack: float | None = None) -> Frontier:
    """The Pareto frontier of the query's plans in penalty and time.

    Args:
        problem: query, statistics and imputers.
        slack: see `Pareto`; by default the search is exact up to `EXACT_TABLES` tables.
    """
    if slack is None:
        slack = 0.0 if len(problem.sources) <= EXACT_TABLES else SLACK
    joined = _joined(problem, slack)
    return Frontier(
        clean.answered(problem) for candidate in joined for clean in placements(candidate, problem.answering, problem)
    )


def accesses(source: Source, problem: Problem) -> Iterator[Candidate]:
    """The ways to read one source: filters are pushed down, with placements below them."""
    scan = scanned(source)
    if not source.filters:
        yield scan
        return
    for clean in placements(scan, source.examined, problem):
        yield clean.filtered(source)


def _joined(problem: Problem, slack: float) -> Pareto:
    """System R's dynamic programming over sets of tables, left-deep."""
    best: dict[int, Pareto] = {}
    for place, source in enumerate(problem.sources):
        best[1 << place] = Pareto(slack)
        for candidate in accesses(source, problem):
            best[1 << place].add(candidate)
    singles = list(best)
    layer = singles
    for _ in range(len(singles) - 1):
        following: dict[int, Pareto] = {}
        for tables in layer:
            for single in extensions(tables, singles, problem):
                kept = following.setdefault(tables | single, Pareto(slack))
                _join(best[tables], best[single], applicable(tables, single, problem), problem, kept)
        best |= following
        layer = list(following)
    return best[layer[0]]


def extensions(tables: int, singles: list[int], problem: Problem) -> list[int]:
    """The tables to join next: those connected by a predicate, or any others where there are none."""
    others = [single for single in singles if not single & tables]
    connected = [single for single in others if applicable(tables, single, problem)]
    return connected or others


def applicable(tables: int, single: int, problem: Problem) -> tuple[JoinPredicate, ...]:
    """The predicates that can be evaluated once `single` has been joined to `tables`."""
    both = tables | single
    return tuple(
        predicate
        for predicate in problem.joins
        if predicate.sources & single and predicate.sources & tables and not predicate.sources & ~both
    )


def _join(lefts: Pareto, rights: Pareto, predicates: tuple[JoinPredicate, ...], problem: Problem, out: Pareto) -> None:
    examined = 0
    for predicate in predicates:
        examined |= predicate.examined
    clean_rights = [clean for right in rights for clean in placements(right, examined, problem)]
    for left in lefts:
        for clean_left in placements(left, examined, problem):
            for clean_right in clean_rights:
                out.add(clean_left.joined(clean_right, predicates))


def base(problem: Problem) -> Frontier:
    """The baseline: every dirty column of every table is imputed (or dropped) at its scan, below the query."""
    imputer = problem.imputers[0] if problem.imputers else None
    accessed = [_complete_and_filter(source, problem, imputer) for source in problem.sources]
    singles = [1 << place for place in range(len(accessed))]
    tables, candidate = 1, accessed[0]
    while tables != (1 << len(accessed)) - 1:
        single = extensions(tables, singles, problem)[0]
        candidate = candidate.joined(accessed[single.bit_length() - 1], applicable(tables, single, problem))
        tables |= single
    return Frontier(iter([candidate.answered(problem)]))


def _complete_and_filter(source: Source, problem: Problem, imputer: Imputer | None) -> Candidate:
    dirty = frozenset(Column(source.scan.alias, name) for name in problem.statistics[source.scan.alias].dirty)
    candidate = _completed(source, problem, dirty, imputer)
    return candidate.filtered(source) if source.filters else candidate


def reading(scan: Scan, columns: Columns) -> Query:
    """The query that reads some columns of a table."""
    return Query((scan,), (), (), tuple(Scalar(column.name, frozenset((column,)), {}) for column in sorted(columns)))


def completing(problem: Problem) -> Frontier:
    """The ways to complete those columns of a single table that are read."""
    (source,) = problem.sources
    whole = problem.mask(frozenset(problem.columns))
    numbers = [number for number in range(len(problem.imputers)) if problem.suits(number, whole)]
    numbers = [one for one in numbers if problem.fits(one, whole, source.rows, source.attributes)]
    imputers: list[Imputer | None] = [problem.imputers[one] for one in numbers] if problem.imputers else [None]
    return Frontier(_completed(source, problem, frozenset(problem.columns), imputer) for imputer in imputers)


def _completed(source: Source, problem: Problem, columns: Columns, imputer: Imputer | None) -> Candidate:
    statistics = problem.statistics[source.scan.alias]
    missing = frozenset(c for c in columns if imputer is None or statistics.policy(c.name).action == "drop")
    candidate = scanned(source)
    if missing:
        rows = source.rows * (1 - max(statistics.missing_share(column.name) for column in missing))
        time = cost.filtering(source.rows, len(missing))
        candidate = Candidate(Drop(source.scan, missing), rows, 0, source.attributes, 1.0, 1, time)
    rest = columns - missing
    if rest and imputer is not None:
        penalty, time = problem.priced(imputer, rest, candidate.rows, source.attributes)
        relation = Impute(candidate.relation, rest, imputer.name, problem.own(rest))
        loss, placements = candidate.loss + penalty, candidate.placements + 1
        candidate = Candidate(relation, candidate.rows, 0, source.attributes, loss, placements, candidate.time + time)
    return candidate
