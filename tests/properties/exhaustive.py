"""Every plan of a query that Algorithm 2 can make, with no pruning and no memory: what the planner is measured by."""

from collections.abc import Iterator

from imputedb.planning.candidate import Candidate
from imputedb.planning.placement import placements
from imputedb.planning.problem import Problem
from imputedb.planning.search import accesses, applicable, extensions


def every_plan(problem: Problem) -> Iterator[Candidate]:
    singles = [1 << place for place in range(len(problem.sources))]
    for first, source in zip(singles, problem.sources, strict=True):
        for start in accesses(source, problem):
            for joined in _joined(start, first, singles, problem):
                for clean in placements(joined, problem.answering, problem):
                    yield clean.answered(problem)


def _joined(plan: Candidate, tables: int, singles: list[int], problem: Problem) -> Iterator[Candidate]:
    if tables == (1 << len(singles)) - 1:
        yield plan
        return
    for single in extensions(tables, singles, problem):
        predicates = applicable(tables, single, problem)
        examined = 0
        for predicate in predicates:
            examined |= predicate.examined
        for left in placements(plan, examined, problem):
            for right in accesses(problem.sources[single.bit_length() - 1], problem):
                for clean in placements(right, examined, problem):
                    yield from _joined(left.joined(clean, predicates), tables | single, singles, problem)
