"""Draws inside the plan: complete data equals DuckDB, draws together equal single ones, the first stay the first."""

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import imputedb
from imputedb import Database
from imputedb.answers.multiple import draws
from imputedb.errors import CannotImpute
from imputedb.result import Result
from imputedb.sql.generate import DRAW
from tests.properties.amount import examples
from tests.properties.queries import Case, cases
from tests.properties.test_answers import bag, loaded, plain

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


PARTS = ("se", "low", "high", "fmi")


def own_columns(result: Result, *more: str) -> list[tuple[Any, ...]]:
    """The rows without what draws add to them."""
    parts = {f"{name}_{part}" for name in result.columns for part in PARTS} | set(more)
    kept = [place for place, name in enumerate(result.columns) if name not in parts]
    return [tuple(row[place] for place in kept) for row in result.fetchall()]


@settings(max_examples=examples(12), deadline=None, suppress_health_check=SLOW)
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


def one_by_one(patch: pytest.MonkeyPatch) -> None:
    """Lets each draw run alone, and aggregates its rows in one go."""
    patch.setattr(draws, "CELLS", 1)
    patch.setattr(draws.Draws, "_together", lambda *_: None)


def told(seen: list[Counter[tuple[Any, ...]]]) -> Any:
    """What gives the numbers of all draws, and notes those of the first two."""
    numbers = draws.Draws.numbers

    def noting(self: draws.Draws) -> Any:
        found = numbers(self)
        shown = [found[name].tolist() for name in found if name == DRAW or name.startswith("e")]
        seen.append(bag([row for row in zip(*shown, strict=True) if row[0] < 2]))
        return found

    return noting


@settings(max_examples=examples(12), deadline=None, suppress_health_check=SLOW)
@given(
    cases(missing=True),
    st.sampled_from((0.0, 0.5, 1.0)),
    st.sampled_from(("tree", "norm", "pmm", "knn", "mean", "hotdeck")),
)
def test_draws_together_are_draws_one_by_one(case: Case, alpha: float, imputer: str) -> None:
    """One by one each draw runs alone, and its rows are aggregated in one go rather than combined from parts."""
    if plain(case) is None:
        return
    with loaded(case) as db:
        seen: list[Counter[tuple[Any, ...]]] = []
        results = []
        for alone, m in ((False, 4), (True, 4), (False, 2)):
            with pytest.MonkeyPatch.context() as patch:
                if alone:
                    one_by_one(patch)
                patch.setattr(draws.Draws, "numbers", told(seen))
                try:
                    results.append(db.sql(case.query, m=m, alpha=alpha, imputer=imputer, seed=7))
                except CannotImpute:  # a column of nothing but infinities
                    return
        together, apart, _ = results
        if together.report.m == 1:
            return
        if " LIMIT " not in case.query or "ORDER BY ALL" in case.query:
            assert bag(own_columns(together)) == bag(own_columns(apart))
        assert seen[0] == seen[1] == seen[2]
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


def test_bootstraps_give_one_answer_to_the_last_bit(db: Database) -> None:
    db.execute("CREATE TABLE t AS SELECT i % 4 AS g, CASE WHEN i % 5 > 0 THEN sin(i) END AS x FROM range(120) r(i)")
    found = [db.sql("SELECT g, median(x) FROM t GROUP BY g ORDER BY g", m=5, seed=1).fetchall() for _ in range(30)]
    assert len(set(map(str, found))) == 1


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
        for alone in (False, True):
            with pytest.MonkeyPatch.context() as patch:
                if alone:
                    one_by_one(patch)
                answers.append(db.sql(query, m=4, imputer="norm", interval="answer").fetchall())
        assert bag(answers[0]) == bag(answers[1])


@pytest.mark.sampled(2)
@pytest.mark.parametrize("imputer", ["norm", "tree"])
def test_what_a_join_repeats_is_no_more_evidence(imputer: str) -> None:
    """Variances over four tables: a standard error of 40 draws is off by a tenth by chance."""
    variances = np.zeros(2)
    for seed, (turn, people) in itertools.product((4, 5, 6, 7), enumerate((1, 30))):
        with imputedb.connect() as db:
            rng = np.random.default_rng(seed)
            place, wealth = np.arange(60), rng.normal(0, 1, 60)
            area = np.ma.masked_array(50 + 5 * wealth + rng.normal(0, 5, 60), rng.random(60) < 0.4)
            db.register("place", {"place": place, "wealth": wealth, "area": area})
            db.register("person", {"id": np.arange(60 * people), "place": place.repeat(people)})
            query = "SELECT avg(area) AS area FROM person JOIN place USING (place)"
            (row,) = db.sql(query, m=40, imputer=imputer, interval="answer").estimates
            variances[turn] += row["area"].se ** 2
    assert (
        0.7 < np.sqrt(variances[1] / variances[0]) < 1.4
    )  # learnt from repetitions, 0.65 with norm and 0.3 with trees


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        ("count(DISTINCT k)", 7),
        ("sum(DISTINCT k)", 21),
        ("length(string_agg(DISTINCT k::VARCHAR, ','))", 13),
        ("first(id::DOUBLE ORDER BY k DESC, id)", 6),
        ("max(k, 2)[2]", 6),
        ("mode(k * 0.0::DOUBLE)", 0),
    ],
)
def test_what_cannot_be_combined_from_parts_is_aggregated_in_one_go(aggregate: str, expected: float) -> None:
    """Some rows count in every draw, others in some; each k and the first ids are among both."""
    with imputedb.connect() as db:
        rng = np.random.default_rng(0)
        x = rng.integers(0, 5, 500)
        gone = (rng.random(500) < 0.4) & (np.arange(500) >= 7)
        x[:7] = 4
        db.register("p", {"id": np.arange(500), "k": np.arange(500) % 7, "x": np.ma.masked_array(x, gone)})
        query = f"SELECT {aggregate} AS told, count(*) AS n FROM p WHERE x > 1"
        (row,) = db.sql(query, m=4, imputer="hotdeck", interval="answer").estimates
        assert row["told"].estimate == expected
        assert row["n"].pooled.between > 0


@pytest.mark.parametrize("imputer", ["norm", "tree", "pmm"])
def test_what_rows_of_other_draws_miss_does_not_change_a_draw(imputer: str) -> None:
    """Where rows are kept by drawn values, columns are modelled in an order that other draws' rows have no say in."""
    with imputedb.connect() as db:
        rng = np.random.default_rng(5)
        n = 300
        place = rng.integers(0, 40, n)
        area, tax = rng.normal(10, 3, 40), rng.normal(0, 1, 40)
        age = rng.normal(40, 10, n)
        income = age + area[place] * 5 + rng.normal(0, 3, n)
        gone = rng.random((2, n)) < 0.25
        hidden = rng.random((2, 40)) < 0.5
        db.register(
            "person",
            {"place": place, "age": np.ma.masked_array(age, gone[0]), "income": np.ma.masked_array(income, gone[1])},
        )
        db.register(
            "place",
            {
                "place": np.arange(40),
                "area": np.ma.masked_array(area, hidden[0]),
                "tax": np.ma.masked_array(tax, hidden[1]),
            },
        )
        query = "SELECT avg(income), avg(age) FROM person JOIN place USING (place) WHERE area > 9 AND tax > 0"
        seen: list[Counter[tuple[Any, ...]]] = []
        for alone, m in ((False, 8), (True, 8), (False, 3)):
            with pytest.MonkeyPatch.context() as patch:
                if alone:
                    one_by_one(patch)
                patch.setattr(draws.Draws, "numbers", told(seen))
                db.sql(query, m=m, imputer=imputer, interval="answer")
        assert seen[0] == seen[1] == seen[2]


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "text",
    [
        "SELECT g, avg(x), stddev(x), corr(x, y), regr_slope(y, x), sum(x) FROM t GROUP BY g ORDER BY g",
        "SELECT avg(t.x), sum(t.x), regr_slope(t.x, p.z), corr(t.x, p.z) FROM t JOIN p ON t.c = p.c",
        "SELECT p.k, avg(t.x), var_samp(t.x), avg(p.z) FROM t JOIN p ON t.c = p.c GROUP BY p.k ORDER BY p.k",
    ],
)
def test_the_number_of_threads_decides_nothing_to_the_last_bit(text: str) -> None:
    """States of aggregates are combined, and influences added up, in an order or exactly."""
    rng, n, found = np.random.default_rng(0), 3000, set()
    x, z = rng.lognormal(size=n) * 1e3, rng.normal(size=200)
    gone, lost = rng.random(n) < 0.3, rng.random(200) < 0.2
    rows = {"g": rng.integers(0, 5, n), "c": rng.integers(0, 200, n), "y": x * rng.normal(size=n)}
    for threads in (1, 2, 4, 8) * 2:
        with imputedb.connect() as db:
            db.register("t", {**rows, "x": np.ma.masked_array(x, gone)}, keep=True)
            db.register(
                "p", {"c": np.arange(200), "k": np.arange(200) % 7, "z": np.ma.masked_array(z, lost)}, keep=True
            )
            db.execute(f"SET threads = {threads}")
            answer = db.sql(text, m=5, imputer="norm", seed=1)
            told = [(key, one.pooled) for key, one in answer.by_group.items()]
            found.add(repr((answer.fetchall(), told)))
    assert len(found) == 1
