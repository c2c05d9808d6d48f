"""WITHIN and ERROR: how they are read, and what answers keep to them."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import QueryError
from imputedb.algebra.column import Column
from imputedb.answers.multiple.precision import draws_for, expected, half_width
from imputedb.imputers.rows import Rows
from imputedb.inference.estimate import Estimate
from imputedb.inference.rubin import Pooled
from imputedb.sql import parse
from imputedb.sql.budget import Limits, limited

QUERY = "SELECT g, avg(x) AS mean FROM t WHERE y > 20 GROUP BY g ORDER BY g"


class Slow:
    """An imputer that says it is fast, and is not.

    Attributes:
        ended: whether it was let finish.
    """

    name = "slow"
    uses_predictors = False

    def __init__(self) -> None:
        self.ended = False

    def time(self, work: Any) -> float:  # noqa: ARG002
        return 1e-9

    def penalty(self, work: Any) -> float:  # noqa: ARG002
        return 0.01

    def impute(
        self,
        rows: Rows,
        targets: Sequence[Column],
        seed: int,  # noqa: ARG002
        progress: Any = None,
        *,
        drawn: Any = (),  # noqa: ARG002
        draw: int = 0,  # noqa: ARG002
    ) -> Mapping[Column, Any]:
        for step in range(9000):
            time.sleep(0.01)
            progress(step / 9000)
        self.ended = True
        return {c: np.zeros(int(rows.columns[c].missing.sum())) for c in targets}


@pytest.fixture
def db() -> Iterator[imputedb.Database]:
    with imputedb.connect() as found:
        found.execute(
            "CREATE TABLE t AS SELECT i AS id, i % 3 AS g, CASE WHEN i % 5 > 0 THEN i * 1.5 + (i * 7) % 11 END AS x, "
            "CASE WHEN i % 7 > 0 THEN i + (i * 3) % 13 END AS y FROM range(600) r(i)"
        )
        yield found


@pytest.mark.parametrize(
    ("text", "left", "within_ms", "error"),
    [
        ("SELECT 1 WITHIN 200 MS", "SELECT 1", 200, None),
        ("SELECT a FROM t LIMIT 5 within 1.5 ms ;", "SELECT a FROM t LIMIT 5", 1.5, None),
        ("SELECT a FROM t ERROR 2 %", "SELECT a FROM t", None, 0.02),
        ("SELECT a FROM t ERROR 2% WITHIN 1e3ms -- soon", "SELECT a FROM t", 1000, 0.02),
        ("SELECT 'é' WITHIN 7 MS", "SELECT 'é'", 7, None),
        ("SELECT 'WITHIN 200 MS'", "SELECT 'WITHIN 200 MS'", None, None),
        ("SELECT 1 -- WITHIN 200 MS", "SELECT 1 -- WITHIN 200 MS", None, None),
        ("SELECT error % 2 FROM t", "SELECT error % 2 FROM t", None, None),
        ("WITHIN 200 MS", "WITHIN 200 MS", None, None),
        ("SELECT 1 WITHIN -200 MS", "SELECT 1 WITHIN -200 MS", None, None),
    ],
)
def test_limits_are_cut_off(text: str, left: str, within_ms: float | None, error: float | None) -> None:
    assert limited(text) == (left, Limits(within_ms, error))


@pytest.mark.parametrize(
    "text", ["SELECT 1 WITHIN 0 MS", "SELECT 1 ERROR 0 %", "SELECT 1 ERROR 100 %", "SELECT 1 WITHIN 1 MS WITHIN 2 MS"]
)
def test_limits_that_nothing_keeps_are_refused(db: imputedb.Database, text: str) -> None:
    with pytest.raises(QueryError):
        db.sql(text)


@pytest.mark.parametrize("given", [{"within_ms": 0}, {"within_ms": float("inf")}, {"error": 0}, {"error": 2}])
def test_arguments_that_nothing_keeps_are_refused(db: imputedb.Database, given: dict[str, float]) -> None:
    with pytest.raises(QueryError, match=next(iter(given))):
        db.sql(QUERY, **given)


def test_with_time_enough_the_answer_is_the_best(db: imputedb.Database) -> None:
    found = db.sql(f"{QUERY} WITHIN 100000 MS")
    assert found.fetchall() == db.sql(QUERY).fetchall()
    budget = found.report.budget
    assert budget is not None
    assert budget.within_ms == 100000
    assert not budget.cut_over
    assert budget.predicted_ms is not None
    assert budget.predicted_ms > 0
    assert budget.reached_ms is not None
    assert budget.reached_ms > 0
    assert db.sql(QUERY).report.budget is None


def test_a_plan_that_takes_too_long_is_ended_and_the_fastest_one_answers(db: imputedb.Database) -> None:
    slow = Slow()
    found = db.sql(f"{QUERY} WITHIN 3000 MS", imputer=slow)
    assert not slow.ended
    assert found.report.budget is not None
    assert found.report.budget.cut_over
    assert any("fastest" in note for note in found.report.notes)
    assert found.fetchall() == db.sql(QUERY, alpha=1, imputer="tree").fetchall()
    for _ in range(3):  # each of its plans, until they are known to take longer
        again = db.sql(f"{QUERY} WITHIN 3000 MS", imputer=slow)
    assert again.report.budget is not None
    assert not again.report.budget.cut_over
    assert again.fetchall() == found.fetchall()


def test_rows_that_are_kept_are_kept_once_where_a_plan_was_ended(db: imputedb.Database) -> None:
    db.execute("CREATE TABLE out (g BIGINT, mean DOUBLE)")
    found = db.sql(f"INSERT INTO out {QUERY} WITHIN 3000 MS", imputer=Slow())
    assert found.report.budget is not None
    assert found.report.budget.cut_over
    assert db.execute("FROM out ORDER BY g") == db.sql(QUERY, alpha=1).fetchall()


def test_in_a_transaction_the_answer_cuts_over_and_the_transaction_goes_on(db: imputedb.Database) -> None:
    db.execute("BEGIN")
    db.execute("INSERT INTO t VALUES (1000, 1, NULL, 3)")
    found = db.sql(f"{QUERY} WITHIN 3000 MS", imputer=Slow())
    assert found.report.budget is not None
    assert found.report.budget.cut_over
    assert db.execute("SELECT count(*) FROM t") == [(601,)]
    db.execute("ROLLBACK")
    assert db.execute("SELECT count(*) FROM t") == [(600,)]


def test_where_only_one_plan_is_left_it_answers_and_says_that_it_is_late(db: imputedb.Database) -> None:
    found = db.sql("SELECT avg(x) FROM t WITHIN 0.001 MS", imputer="drop")
    assert found.fetchall() == db.sql("SELECT avg(x) FROM t", imputer="drop").fetchall()
    assert any("more than the 0.001 it was given" in warning for warning in found.report.warnings)


@pytest.mark.parametrize("within_ms", [0.001, 1000.0])
def test_an_answer_that_is_late_says_why(db: imputedb.Database, within_ms: float) -> None:
    """Planning took the time, or no plan is faster, or the plan took longer than expected: whatever the plan is."""
    for text in (
        QUERY,
        "SELECT avg(x) FROM t",
        "SELECT max(y) FROM t WHERE x > 3",
        "SELECT x FROM t ORDER BY 1 LIMIT 3",
    ):
        for imputer in ("drop", "mean", "tree,mean"):
            report = db.sql(text, imputer=imputer.split(","), within_ms=within_ms).report
            late = [one for one in report.warnings if "it was given" in one]
            assert report.budget is not None
            assert bool(late) == (report.budget.reached_ms > within_ms)  # type: ignore[operator]
            assert all("given: planning took" in one or "expected to take" in one for one in late)
            if within_ms < 1:
                assert report.budget.short


def test_a_new_text_asks_duckdb_for_what_is_new_in_it(db: imputedb.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts of expressions are written once, wherever in a statement they stand."""
    texts, asked = parse._texts, list[int]()

    def watched(connection: Any, statements: Sequence[str]) -> list[str]:
        asked.append(len(statements))
        return texts(connection, statements)

    monkeypatch.setattr(parse, "_texts", watched)
    db.sql("SELECT avg(x), count(*) FROM t WHERE y > 1", imputer="mean")
    asked.clear()
    db.sql("SELECT  avg(x),  count(*)  FROM t WHERE y > 2", imputer="mean")
    assert asked == [1, 1, 1], "the condition, what is counted, and what is run"


def test_names_of_columns_are_those_of_what_is_written(db: imputedb.Database) -> None:
    for item in (
        "x + 1",
        "x  +  1",
        "', \"query_location\": 5'",
        "x /2",
        "max(x) FILTER (y > 3)",
        "(SELECT 1 AS a)",
        "(SELECT 1 AS b)",
    ):
        for spaces in ("", "  "):
            text = f"SELECT {spaces}{item} FROM t"
            assert db.sql(text, imputer="mean").columns == [row[0] for row in db.execute(f"DESCRIBE {text}")]


def test_an_error_is_reached_with_as_many_draws_as_it_takes(db: imputedb.Database) -> None:
    wide = db.sql("SELECT avg(x) AS mean FROM t WHERE y > 20 ERROR 40 %", imputer="norm")
    assert wide.report.m == 20
    budget = wide.report.budget
    assert budget is not None
    assert budget.reached_error is not None
    assert budget.reached_error <= 0.4
    ((estimate, _se, low, high, _fmi),) = wide.fetchall()
    assert (high - low) / 2 / estimate == pytest.approx(budget.reached_error)
    narrow = db.sql(
        "SELECT avg(x) AS mean FROM t WHERE y > 20",
        imputer="norm",
        error=budget.reached_error * 0.999,
        interval="answer",
    )
    assert narrow.report.budget is not None
    assert narrow.report.budget.reached_error is not None
    assert narrow.report.budget.reached_error <= budget.reached_error


def test_an_error_that_no_plan_has_is_said_with_the_best_there_is(db: imputedb.Database) -> None:
    found = db.sql("SELECT avg(x) AS mean FROM t ERROR 0.01 %", imputer="norm")
    budget = found.report.budget
    assert budget is not None
    assert budget.reached_error is not None
    assert budget.reached_error > 1e-4
    said = f"the plan with the least penalty answers, whose error is {budget.reached_error:.3g}"
    assert any(said in warning for warning in found.report.warnings)


def test_where_no_plan_has_the_error_the_narrowest_interval_does_not_choose(db: imputedb.Database) -> None:
    query = "SELECT avg(x) AS mean FROM t"
    found = db.sql(f"{query} ERROR 0.01 %", imputer=["norm", "mean"])
    assert found.report.methods == {"t.x": "norm"}
    narrow = db.sql(f"{query} ERROR 0.01 %", imputer="mean").report.budget
    assert narrow is not None
    assert found.report.budget is not None
    assert narrow.reached_error is not None
    assert found.report.budget.reached_error is not None
    assert narrow.reached_error < found.report.budget.reached_error


def test_plans_that_drop_rows_are_not_taken_for_an_error(db: imputedb.Database) -> None:
    found = db.sql("SELECT avg(x) AS mean FROM t WHERE y > 20 ERROR 40 %", imputer="norm")
    assert found.report.dropped == 0
    assert found.report.imputed


@pytest.mark.parametrize("alpha", [0.01, 1.0])
def test_an_alpha_beside_an_error_is_refused(db: imputedb.Database, alpha: float) -> None:
    """It would drop rows, or take narrow intervals around worse values, and no interval would show it."""
    for text, more in (
        (f"{QUERY} ERROR 50 %", {}),
        (QUERY, {"error": 0.5}),
        (f"CREATE TABLE k AS {QUERY} ERROR 5 %", {}),
    ):
        with pytest.raises(QueryError, match="leave alpha out"):
            db.sql(text, alpha=alpha, imputer="norm", **more)  # type: ignore[arg-type]


def test_rows_of_an_answer_within_an_error_are_kept_once(db: imputedb.Database) -> None:
    db.execute("CREATE TABLE out (mean DOUBLE, se DOUBLE, low DOUBLE, high DOUBLE, fmi DOUBLE)")
    found = db.sql("INSERT INTO out SELECT avg(x) AS mean FROM t ERROR 40 %", imputer="norm")
    assert db.execute("FROM out") == db.sql("SELECT avg(x) AS mean FROM t", imputer="norm", m=20).fetchall()
    assert found.report.budget is not None
    assert found.report.budget.reached_error is not None


def test_an_error_needs_intervals(db: imputedb.Database) -> None:
    with pytest.raises(QueryError, match="numbers with intervals"):
        db.sql("SELECT x FROM t ERROR 2 %")
    with pytest.raises(QueryError, match="'aipw'"):
        db.sql("SELECT avg(x) FROM t ERROR 2 %", method="aipw")


def test_limits_stand_behind_queries_alone(db: imputedb.Database) -> None:
    for text in ("DROP TABLE t WITHIN 5 MS", "SHOW IMPUTATION MODELS WITHIN 5 MS", "PREPARE p AS SELECT 1 WITHIN 5 MS"):
        with pytest.raises(QueryError, match="only permitted at the end of a query"):
            db.sql(text)
    assert db.execute("SELECT count(*) FROM t") == [(600,)]
    db.sql("PREPARE p AS SELECT avg(x) AS mean FROM t")
    assert db.sql("EXECUTE p WITHIN 100000 MS").report.budget is not None


def test_a_session_has_limits_of_its_own(db: imputedb.Database) -> None:
    assert db.sql("SET imputedb.within_ms = 100000").fetchall() == [("imputedb.within_ms", "100000.0")]
    found = db.sql(QUERY).report.budget
    assert found is not None
    assert found.within_ms == 100000
    stated = db.sql(f"{QUERY} WITHIN 90000 MS", within_ms=95000).report.budget
    assert stated is not None
    assert stated.within_ms == 90000
    with db.session() as other:
        assert other.sql(QUERY).report.budget is None
    db.sql("RESET imputedb.within_ms;")
    assert db.sql(QUERY).report.budget is None
    for wrong in (
        "SET imputedb.within = 3",
        "SET imputedb.within_ms",
        "SET imputedb.within_ms = 0",
        "RESET imputedb.x",
    ):
        with pytest.raises(QueryError):
            db.sql(wrong)


def test_explain_shows_the_plan_that_the_time_is_enough_for(db: imputedb.Database) -> None:
    db.sql(QUERY)
    assert "alpha 0\n" in db.explain(f"{QUERY} WITHIN 100000 MS").text
    assert "δ" in db.explain(f"{QUERY} WITHIN 0.001 MS").text
    assert db.frontier(f"{QUERY} WITHIN 1 MS") is not None


def test_half_widths_of_more_draws_are_those_of_rubins_rules() -> None:
    one = Estimate(Pooled(10.0, 0.01, 0.04, 5))
    low, high = one.interval()
    assert half_width([one]) == (high - low) / 20
    more = Estimate(Pooled(10.0, 0.01, 0.04, 50))
    assert expected([one], 50) == half_width([more])
    assert draws_for([one], expected([one], 20), 1000) == 20
    assert draws_for([one], expected([one], 1000) / 2, 1000) < 1000  # out of reach: more are not worth their time
    assert half_width([Estimate(Pooled(0.0, 0.01, 0.04, 5))]) == float("inf")
    assert half_width([Estimate(Pooled(0.0, 0.0, 0.0, 5))]) == 0


def test_flags_stand_beside_limits(db: imputedb.Database) -> None:
    found = db.sql("SELECT id, x FROM t ORDER BY id LIMIT 3 WITHIN 100000 MS", flags=True)
    assert found.columns[-1] == "x__imputed"
    assert found.report.budget is not None


def test_flags_stand_beside_parameters_and_comments(db: imputedb.Database) -> None:
    query = "SELECT id + ? AS i, x FROM t WHERE id < ? ORDER BY id"
    found = db.sql(f"-- before;\n{query}; -- behind", [10, 6], flags=True)
    assert found.columns == ["i", "x", "i__imputed", "x__imputed"]
    assert [row[0] for row in found.fetchall()] == [10, 11, 12, 13, 14, 15]
    assert [row[3] for row in found.fetchall()] == [True, False, False, False, False, True]
    assert [row[:2] for row in found.fetchall()] == db.sql(query, [10, 6]).fetchall()
    with pytest.raises(QueryError, match=r"no value for the parameter \$2"):
        db.sql(query, [10], flags=True)


@pytest.mark.parametrize("query", ["SELECT avg(x) FROM t ERROR 5 %", "SELECT avg(id) FROM t ERROR 5 %"])
def test_an_error_beside_an_imputer_that_draws_nothing_is_refused(db: imputedb.Database, query: str) -> None:
    with pytest.raises(QueryError, match="imputes nothing"):
        db.sql(query, imputer="drop")
    with pytest.raises(QueryError, match="imputes nothing"):
        db.sql(query.partition(" ERROR")[0], imputer="drop", error=0.05, m=5)
    db.sql("SET imputedb.error = 0.05")
    with pytest.raises(QueryError, match="imputes nothing"):
        db.sql(query.partition(" ERROR")[0], imputer="drop")
    db.sql("RESET imputedb.error")
    assert db.sql(query.replace("ERROR 5 %", "WITHIN 90000 MS"), imputer="drop").fetchall()


def test_an_error_of_no_number_is_refused(db: imputedb.Database) -> None:
    for shown in ("sign(avg(x))", "avg(x) > 0", "avg(x)::VARCHAR"):
        with pytest.raises(QueryError, match="this query shows none"):
            db.sql(f"SELECT {shown} FROM t ERROR 5 %", imputer="norm")
        assert db.sql(f"SELECT {shown}, avg(x) FROM t ERROR 90 %", imputer="norm").fetchall()
    assert db.sql("SELECT id, avg(x) FROM t WHERE id < 0 GROUP BY id ERROR 5 %", imputer="norm").fetchall() == []


CONTRARY = {
    "one draw within an error": ({"m": 1, "error": 0.5}, "leave m out, or the error"),
    "one draw, an ERROR behind": ({"m": 1}, "leave m out, or the error"),
    "flags within an error": ({"flags": True, "error": 0.5}, "flags describe single values"),
    "alpha without plans": ({"method": "bounds", "alpha": 0.5}, "leave alpha out"),
    "clusters of no sample": ({"m": 2, "clusters": "g", "interval": "answer"}, "leave one out"),
    "precision of given draws": ({"m": 3, "precision": 0.2}, "m='auto'"),
    "precision of one draw": ({"precision": 0.2}, "m='auto'"),
}


@pytest.mark.parametrize("case", CONTRARY.values(), ids=CONTRARY)
def test_wishes_that_contradict_each_other_are_refused(case: tuple[dict[str, Any], str]) -> None:
    wishes, words = case
    with imputedb.connect() as db:
        db.execute("CREATE TABLE t AS SELECT i % 3 AS g, CASE WHEN i % 4 > 0 THEN i END AS x FROM range(40) r(i)")
        behind = " ERROR 50 %" if set(wishes) == {"m"} else ""
        if "flags" in wishes:
            db.sql("SET imputedb.error = 0.5")
            with pytest.raises(QueryError, match=r"RESET imputedb\.error"):
                db.sql("SELECT id FROM (SELECT 1 AS id)", flags=True)
            db.sql("RESET imputedb.error")
        with pytest.raises(QueryError, match=words):
            db.sql(f"SELECT avg(x) AS a FROM t{behind}", **wishes)
        found = db.sql("SELECT avg(x) AS a FROM t", interval="answer", level=0.9).report
        assert [note.subject for note in found.notes if note.kind.name == "UNPOOLED"] == ["interval and level"]
        assert "a_low" in db.sql("SELECT avg(x) AS a FROM t ERROR 90 %", imputer="mean").columns
