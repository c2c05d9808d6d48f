"""Draws inside the plan: complete data equals DuckDB, draws together equal single ones, the first stay the first."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import imputedb
from imputedb import Database, draws, uncertainty
from imputedb.errors import CannotImpute
from imputedb.result import Result
from tests.properties.queries import Case, cases
from tests.properties.test_answers import bag, loaded, plain

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


PARTS = ("se", "low", "high", "fmi")


def own_columns(result: Result, *more: str) -> list[tuple[Any, ...]]:
    """The rows without what draws add to them."""
    parts = {f"{name}_{part}" for name in result.columns for part in PARTS} | set(more)
    kept = [place for place, name in enumerate(result.columns) if name not in parts]
    return [tuple(row[place] for place in kept) for row in result.fetchall()]


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(cases(missing=False), st.sampled_from(("population", "answer")))
def test_complete_data_equals_duckdb_with_nothing_missing(case: Case, interval: Any) -> None:
    expected = plain(case)
    if expected is None:
        return
    with loaded(case) as db:
        result = db.sql(case.query, m=3, interval=interval)
        if result.report.m == 1:
            assert (result.columns, result.types) == expected[:2]
            assert bag(result.fetchall()) == bag(expected[2])
            return
        numbers = [tuple(float(v) if _is_number(v) else v for v in row) for row in expected[2]]
        mine = [tuple(float(v) if _is_number(v) else v for v in row) for row in own_columns(result, "in_draws")]
        if " LIMIT " not in case.query or "ORDER BY ALL" in case.query:
            assert bag(mine) == bag(numbers)
        for row in result.estimates:
            for one in row.values():
                assert one.fmi == 0 or math.isinf(one.estimate)
                if interval == "answer" and math.isfinite(one.estimate):
                    assert one.interval() == (one.estimate, one.estimate)


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, (int, float))


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(cases(missing=True), st.sampled_from((0.0, 0.5, 1.0)), st.sampled_from(("tree", "norm", "mean", "hotdeck")))
def test_draws_together_are_draws_one_by_one(case: Case, alpha: float, imputer: str) -> None:
    if plain(case) is None:
        return
    with loaded(case) as db:
        seen: list[list[float]] = []
        results = []
        for cells, m in ((draws.CELLS, 4), (1, 4), (draws.CELLS, 2)):
            with pytest.MonkeyPatch.context() as patch:
                drawn: list[float] = []

                def told(pool: Any, drawn: list[float] = drawn) -> Any:
                    def pooled(numbers: Any, *rest: Any) -> Any:
                        drawn.extend(numbers[:2].tolist() if len(numbers) in (2, 4) else [])
                        return pool(numbers, *rest)

                    return pooled

                patch.setattr(draws, "CELLS", cells)
                patch.setattr(uncertainty, "estimated", told(uncertainty.estimated))
                patch.setattr(uncertainty, "unbounded", told(uncertainty.unbounded))
                try:
                    results.append(db.sql(case.query, m=m, alpha=alpha, imputer=imputer, seed=7))
                except CannotImpute:  # a column of nothing but infinities
                    return
                seen.append(drawn)
        together, apart, few = results
        if together.report.m == 1:
            return
        if " LIMIT " not in case.query or "ORDER BY ALL" in case.query:
            assert bag(own_columns(together)) == bag(own_columns(apart))
        if all(one.share == 1 for result in (together, few) for row in result.estimates for one in row.values()):
            assert np.allclose(sorted(seen[0]), sorted(seen[2]), rtol=1e-9, equal_nan=True)
        for row in together.estimates:
            for one in row.values():
                low, high = one.interval()
                near = 1e-9 * (1 + abs(one.estimate))
                assert math.isnan(low) or low - near <= one.estimate <= high + near
                assert math.isnan(one.fmi) or 0 <= one.fmi <= 1
                assert 0 < one.share <= 1


@pytest.mark.parametrize("imputer", ["tree", "norm", "pmm", "hotdeck"])
def test_one_seed_gives_one_answer_whatever_the_threads(people: Database, imputer: str) -> None:
    query = (
        "SELECT sex, avg(height), median(pulse), count(*) FROM person JOIN exam USING (id) WHERE age > 10 GROUP BY sex"
    )
    first = people.sql(query, m=3, imputer=imputer, seed=5).fetchall()
    for threads in (1, 2):
        people.execute(f"SET threads = {threads}")
        again = people.sql(query, m=3, imputer=imputer, seed=5).fetchall()
        assert bag(again) == bag(first)
    assert people.sql(query, m=3, imputer=imputer, seed=6).fetchall() != first


def test_a_stored_row_has_one_value_in_a_draw_however_often_it_is_joined() -> None:
    with imputedb.connect() as db:
        n = 200
        rng = np.random.default_rng(0)
        area = np.ma.masked_array(rng.normal(10, 3, 20), np.arange(20) < 8)
        db.register("place", {"place": np.arange(20), "area": area})
        db.register("person", {"id": np.arange(n), "place": np.arange(n) % 20, "age": rng.integers(1, 80, n)})
        query = "SELECT place.place, max(area) - min(area) AS spread FROM person JOIN place USING (place) GROUP BY ALL"
        rows = db.sql(query, m=4, imputer="tree", interval="answer")
        assert len(rows) == 20
        assert {row["spread"].estimate for row in rows.estimates} == {0.0}


def test_a_draw_that_shares_no_row_with_others_learns_from_its_own() -> None:
    with imputedb.connect() as db:
        rng = np.random.default_rng(1)
        place, area = np.arange(20), rng.normal(10, 3, 20)
        db.register("place", {"place": place, "area": np.ma.masked_array(area, np.arange(20) % 2 == 0)})
        income = area.repeat(30) * 10 + rng.normal(0, 1, 600)
        db.register("person", {"place": place.repeat(30), "income": np.ma.masked_array(income, rng.random(600) < 0.3)})
        query = (
            "SELECT avg(income) AS income FROM person JOIN place USING (place) WHERE area > 0 AND place.place % 2 = 0"
        )
        answers = []
        for cells in (draws.CELLS, 1):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(draws, "CELLS", cells)
                answers.append(db.sql(query, m=4, imputer="norm", interval="answer").fetchall())
        assert bag(answers[0]) == bag(answers[1])


@pytest.mark.parametrize("imputer", ["norm", "tree"])
def test_what_a_join_repeats_is_no_more_evidence(imputer: str) -> None:
    errors = []
    for people in (1, 30):
        with imputedb.connect() as db:
            rng = np.random.default_rng(4)
            place, wealth = np.arange(60), rng.normal(0, 1, 60)
            area = np.ma.masked_array(50 + 5 * wealth + rng.normal(0, 5, 60), rng.random(60) < 0.4)
            db.register("place", {"place": place, "wealth": wealth, "area": area})
            db.register("person", {"id": np.arange(60 * people), "place": place.repeat(people)})
            query = "SELECT avg(area) AS area FROM person JOIN place USING (place)"
            (row,) = db.sql(query, m=40, imputer=imputer, interval="answer").estimates
            errors.append(row["area"].se)
    assert 0.7 < errors[1] / errors[0] < 1.4  # learnt from repetitions, 0.65 with norm and 0.3 with trees
