"""Oracles O2, O3, O9 and the planner's regret, on problems without data."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imputedb.algebra.column import Column
from imputedb.algebra.query import Query
from imputedb.algebra.relation import Scan, Table
from imputedb.algebra.scalar import Scalar
from imputedb.planning.frontier import Frontier
from imputedb.planning.invariant import check
from imputedb.planning.problem import Problem
from imputedb.planning.search import base, plan
from imputedb.statistics.table import ColumnStatistics, Kind, Statistics
from tests.properties.exhaustive import every_plan
from tests.properties.problems import problems

ALPHAS = (0.0, 0.01, 0.25, 0.5, 0.75, 1.0)


@settings(max_examples=120, deadline=None)
@given(problems())
def test_regret_against_exhaustive_search_is_zero(problem: Problem) -> None:
    found, best = plan(problem), Frontier(every_plan(problem))
    for alpha in ALPHAS:
        ours, theirs = found.choose(alpha), best.choose(alpha)
        assert ours.time <= theirs.time * (1 + 1e-9)
        assert ours.penalty <= best.plans[0].penalty + alpha + 1e-9
    assert [p.penalty for p in found.plans] == pytest.approx([p.penalty for p in best.plans])


@settings(max_examples=150, deadline=None)
@given(problems(), st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_alpha_is_monotone(problem: Problem, alphas: list[float]) -> None:
    low, high = sorted(alphas)
    frontier = plan(problem)
    careful, hasty = frontier.choose(low), frontier.choose(high)
    assert hasty.time <= careful.time
    assert hasty.penalty >= careful.penalty
    assert frontier.choose(1.0).time == min(p.time for p in frontier.plans)
    assert frontier.choose(0.0).penalty == min(p.penalty for p in frontier.plans)


@settings(max_examples=150, deadline=None)
@given(problems())
def test_frontier_laws(problem: Problem) -> None:
    frontier = plan(problem)
    for one in frontier.plans:
        assert 0 <= one.penalty <= 1 + 1e-12
        for other in frontier.plans:
            if other is not one:
                assert not (other.penalty <= one.penalty and other.time <= one.time)
    points = list(frontier)
    assert points[0].low == 0.0
    for point, following in pairwise(points):
        assert point.high == following.low
        if point.low < min(point.high, 1):
            assert frontier.choose(point.low) is point.plan


@settings(max_examples=150, deadline=None)
@given(problems())
def test_every_plan_keeps_the_promise(problem: Problem) -> None:
    def dirty(scan: object) -> frozenset[Column]:
        alias = scan.alias  # type: ignore[attr-defined]
        return frozenset(Column(alias, name) for name in problem.statistics[alias].dirty)

    for candidate in [*plan(problem).plans, *base(problem).plans]:
        check(candidate.relation, dirty)
        assert candidate.dirty & problem.answering == 0


@settings(max_examples=60, deadline=None)
@given(problems(most_tables=4), st.floats(0.02, 0.3))
def test_approximation_is_within_its_bound(problem: Problem, slack: float) -> None:
    joins = len(problem.sources) - 1
    bound = (1 + slack) ** (2 * joins + 2)
    exact, near = plan(problem, slack=0.0), plan(problem, slack=slack)
    for one in exact.plans:
        assert any(p.penalty <= one.penalty * bound + 1e-12 and p.time <= one.time * bound for p in near.plans)


@settings(max_examples=150, deadline=None)
@given(problems())
def test_estimates_obey_cert(problem: Problem) -> None:
    """O9: a predicate never raises the estimate, a Drop never does, an Impute keeps it."""
    from imputedb.planning.candidate import scanned

    for source in problem.sources:
        scan = scanned(source)
        assert scan.filtered(source).rows <= scan.rows or not source.filters
        if scan.dirty:
            assert scan.dropped(scan.dirty, problem).rows <= scan.rows
            assert scan.imputed(scan.dirty, 0, problem).rows == scan.rows
            assert scan.imputed(scan.dirty, 0, problem).dirty == 0


@settings(max_examples=100, deadline=None)
@given(st.floats(1, 1e7), st.floats(1, 1e7), st.integers(1, 5), st.integers(6, 40), st.floats(0.01, 0.99))
def test_prices_are_monotone(a: float, b: float, targets: int, attributes: int, missing: float) -> None:
    from imputedb.imputers.hot_deck import HotDeck
    from imputedb.imputers.mean import Mean
    from imputedb.imputers.protocol import Work
    from imputedb.imputers.tree import Tree

    few, many = sorted((a, b))
    for imputer in (Tree(), Mean(), HotDeck()):
        small, large = (Work(rows, targets, attributes, missing, 0.5) for rows in (few, many))
        assert 0 < imputer.penalty(large) <= imputer.penalty(small) < 1
        assert imputer.time(small) <= imputer.time(large)
        assert math.isfinite(imputer.time(large))
        wider = Work(few, targets, attributes + 5, missing, 0.5)
        assert imputer.penalty(wider) <= imputer.penalty(small)


def test_a_column_is_priced_by_what_fills_it_in() -> None:
    """Columns with an imputer of their own were priced by the query's."""
    from dataclasses import replace

    from imputedb.imputers.mean import Mean
    from imputedb.imputers.tree import Tree
    from imputedb.statistics.policy import Policy

    known = {name: ColumnStatistics("INTEGER", Kind.INTEGER, 300, 50, "5", 0.4) for name in ("a", "b")}
    scan = Scan(Table("memory", "main", "t"), "t")
    columns = [Column("t", name) for name in ("a", "b")]
    shown = tuple(Scalar(str(c), frozenset((c,)), {}, name=str(c)) for c in columns)
    plain = Problem(Query((scan,), (), (), shown), {"t": Statistics(1000, known)}, (Tree(),))
    own = replace(plain, statistics={"t": Statistics(1000, known, {"a": Policy(imputer="mean")})})
    mean = replace(plain, imputers=(Mean(),))
    a, b = (plain.mask(frozenset((column,))) for column in columns)
    assert own.impute(0, a, 500.0, 7) == mean.impute(0, a, 500.0, 7) != plain.impute(0, a, 500.0, 7)
    assert own.impute(0, b, 500.0, 7) == plain.impute(0, b, 500.0, 7)
    (first, second), both = (mean.impute(0, a, 500.0, 7), plain.impute(0, b, 500.0, 7)), own.impute(0, a | b, 500.0, 7)
    assert both == pytest.approx(((first[0] + second[0]) / 2, first[1] + second[1]))
