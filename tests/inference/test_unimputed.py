"""Doubly robust answers and bounds, asked for in SQL."""

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import imputedb
from imputedb.errors import CannotImpute, DataError, QueryError

N = 1500


@pytest.fixture(scope="module")
def db() -> Iterator[imputedb.Database]:
    """Pupils whose marks curve with what they know, and miss more where they know more."""
    with imputedb.connect() as found:
        rng = np.random.default_rng(0)
        known = rng.normal(size=N)
        school = np.array(["a", "b", "c"], object)[rng.integers(0, 3, N)]
        mark = 1 + known**2 + (school == "b") * 0.5 + rng.normal(size=N)
        gone = rng.random(N) < 1 / (1 + np.exp(0.5 - known))
        lost = school.copy()
        lost[rng.random(N) < 0.1] = None
        columns = {"id": np.arange(N), "known": known, "school": school}
        found.register("whole", {**columns, "lost": school, "mark": mark})
        found.register("t", {**columns, "lost": lost, "mark": np.where(gone, np.nan, mark)})
        found.register("schools", {"school": np.array(["a", "b", "c"], object), "size": np.array([10.0, 20.0, 30.0])})
        yield found


QUERIES = [
    "SELECT avg(mark), sum(mark), avg((mark > 2)::INT), avg(CASE WHEN mark > 2 THEN 1 ELSE 0 END) FROM t",
    "SELECT avg(mark) FILTER (WHERE school = 'b'), count(*) FILTER (WHERE mark > 2) FROM t",
    "SELECT school, avg(mark), sum(2 * mark + known) FROM t GROUP BY school ORDER BY school",
    "SELECT lost, avg(mark), count(*) FROM t GROUP BY lost ORDER BY lost",
    "SELECT school, avg(mark) AS m FROM t GROUP BY ALL ORDER BY school",
    "SELECT avg(mark), count(mark) FROM t WHERE mark > 1 AND known < 1",
    "SELECT size, avg(mark) FROM t JOIN schools ON t.school = schools.school WHERE known > 0 GROUP BY 1 ORDER BY 1",
]


@pytest.mark.parametrize("query", QUERIES)
def test_the_complete_tables_answer_is_within_four_errors(db: imputedb.Database, query: str) -> None:
    found = db.sql(query, method="aipw", interval="answer", imputer="norm")
    truth = db.execute(query.replace("FROM t", "FROM whole AS t"))
    assert len(found.estimates) == len(truth)
    for row, known, right in zip(found.fetchall(), found.estimates, truth, strict=True):
        for name, one in known.items():
            place = found.columns.index(name)
            number = right[[output for output in found.columns if output.rpartition("_")[2] not in PARTS].index(name)]
            assert row[place] == one.estimate
            assert abs(one.estimate - number) <= 4 * one.se + 1e-9 * abs(number)
            assert one.interval().low <= one.estimate <= one.interval().high


PARTS = ("se", "low", "high", "fmi")


def test_rows_come_as_they_are_asked_for(db: imputedb.Database) -> None:
    query = "SELECT school AS s, avg(mark) AS m FROM t GROUP BY school ORDER BY m DESC LIMIT 2"
    found = db.sql(query, method="aipw", level=0.9)
    assert found.columns == ["s", "m", "m_se", "m_low", "m_high", "m_fmi"]
    assert [row[0] for row in found.fetchall()] == ["b", "a"]
    assert found.fetchall()[0][1] > found.fetchall()[1][1]
    assert found.report.strategy == "aipw"
    assert not found.report.imputed
    assert found.plan.startswith("doubly robust")
    wide = db.sql(query, method="aipw", level=0.99).fetchall()[0]
    assert wide[3] < found.fetchall()[0][3]
    assert db.sql(query, method="aipw", level=0.9).fetchall() == found.fetchall()


def test_nothing_missing_is_duckdbs_answer(db: imputedb.Database) -> None:
    query = "SELECT school, avg(mark), sum(mark), count(*) FROM whole GROUP BY school ORDER BY school"
    found = db.sql(query, method="aipw", interval="answer")
    plain = db.execute(query)
    for row, right in zip(found.estimates, plain, strict=True):
        assert [one.estimate for one in row.values()] == pytest.approx(right[1:])
        assert all((one.se, one.fmi) == (0, 0) for one in row.values())
    for row, right in zip(db.sql(query, method="bounds").fetchall(), plain, strict=True):
        assert [row[1], row[3], row[5]] == pytest.approx(right[1:])
        assert row[1::2] == row[2::2]


def test_what_does_not_suit_is_refused_by_name(db: imputedb.Database) -> None:
    for query, words in {
        "SELECT median(mark) FROM t": "median",
        "SELECT 2 * avg(mark) FROM t": "none of AVG, SUM, COUNT",
        "SELECT mark FROM t": "not aggregated",
        "SELECT school, avg(mark) FROM t GROUP BY school HAVING avg(mark) > 1": "HAVING",
        "SELECT count(DISTINCT mark) FROM t": "different values",
        "SELECT avg(CASE WHEN mark > 1 THEN known END) FROM t": "NULL that means",
        "SELECT count(CASE WHEN mark > 1 THEN 1 END) FROM t": "NULL that means",
        "SELECT avg(a.mark) FROM t a JOIN t b ON a.school = b.school AND b.id < 10": "repeats rows",
        "SELECT avg(a.known) FROM t a JOIN t b ON a.mark = b.known": "misses values",
        "SELECT avg(m) FROM (SELECT avg(mark) AS m FROM t GROUP BY school)": "a query inside",
        "SELECT avg(mark) FROM t GROUP BY school ORDER BY max(known)": "ordered by",
        "SELECT school, lost, avg(mark) FROM t GROUP BY GROUPING SETS (school, lost)": "grouping sets",
    }.items():
        with pytest.raises(QueryError, match=words):
            db.sql(query, method="aipw")
    with pytest.raises(QueryError, match="no method 'luck'"):
        db.sql("SELECT avg(mark) FROM t", method="luck")  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="makes no draws"):
        db.sql("SELECT avg(mark) FROM t", method="aipw", m=20)
    with pytest.raises(QueryError, match="one imputer"):
        db.sql("SELECT avg(mark) FROM t", method="aipw", imputer=("tree", "norm"))
    with pytest.raises(QueryError, match="no intervals: bounds"):
        _ = db.sql("SELECT avg(mark) FROM t", method="bounds").estimates


def test_rows_like_none_that_is_observed_are_warned_of() -> None:
    with imputedb.connect() as db:
        x = np.random.default_rng(1).normal(size=600)
        db.register("t", {"id": np.arange(600), "x": x, "y": np.where(x > 0.5, np.nan, x)})
        found = db.sql("SELECT avg(y) FROM t", method="aipw", imputer="drop")
        assert "less than a chance of 0.01" in found.report.warnings[0]


def test_nothing_observed_is_refused() -> None:
    with imputedb.connect() as db:
        db.register("t", {"x": np.arange(20.0), "y": np.ma.masked_all(20, float)})
        with pytest.raises(CannotImpute):
            db.sql("SELECT avg(y) FROM t", method="aipw")
        with pytest.raises(DataError, match="RANGE"):
            db.sql("SELECT avg(y) FROM t", method="bounds")
        db.policy("t", "y", low=0, high=4)
        assert db.sql("SELECT avg(y) FROM t", method="bounds").fetchall() == [(0.0, 4.0)]


# -- bounds -----------------------------------------------------------------------------------------------------------

X = [1.0, None, 3.0, 5.0, None]
G = ["a", "a", None, "b", "b"]


def _every_way(db: imputedb.Database, query: str) -> list[tuple[object, ...]]:
    """The answers of all tables that the missing cells allow, at the ends and in between."""
    found = []
    for one, other, g in itertools.product([1.0, 2.0, 4.0, 5.0], [1.0, 3.0, 5.0], ["a", "b"]):
        x = np.array([1.0, one, 3.0, 5.0, other])
        db.register("filled", {"id": np.arange(5), "x": x, "g": np.array(["a", "a", g, "b", "b"], object)})
        found += db.execute(query.replace("FROM t", "FROM filled AS t"))
    return found


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    "what",
    ["avg(x)", "sum(10 - x)", "count(*)", "min(x)", "max(x)", "avg((x > 2)::INT)", "sum(x) FILTER (WHERE g = 'a')",
     "avg(CASE WHEN g = 'a' THEN 1 ELSE 0 END)", "count(*) FILTER (WHERE x >= 3)", "avg(id) FILTER (WHERE x > 2)",
     "avg(CASE WHEN x > 2 AND g = 'a' THEN 1 ELSE 0 END)"],
)  # fmt: skip
def test_bounds_are_those_of_every_way_to_fill_in(what: str) -> None:
    with imputedb.connect() as db:
        x = np.ma.masked_invalid(np.array([math.nan if v is None else v for v in X]))
        db.register("t", {"id": np.arange(5), "x": x, "g": np.array(G, object)})
        query = f"SELECT {what} AS v FROM t"
        answers = [float(row[0]) for row in _every_way(db, query) if row[0] is not None]  # type: ignore[arg-type]
        assert db.sql(query, method="bounds").fetchall() == [(pytest.approx(min(answers)), pytest.approx(max(answers)))]


def test_bounds_by_groups_that_may_be_missing() -> None:
    with imputedb.connect() as db:
        db.register("t", {"id": np.arange(5), "g": np.array(G, object)})
        found = db.sql("SELECT g, count(*) AS n, sum(id) AS s FROM t GROUP BY g ORDER BY g", method="bounds")
        assert found.columns == ["g", "n_low", "n_high", "s_low", "s_high"]
        assert found.fetchall() == [("a", 2.0, 3.0, 1.0, 3.0), ("b", 2.0, 3.0, 7.0, 9.0)]


def test_bounds_by_deviations_and_where_there_are_none(db: imputedb.Database) -> None:
    query = "SELECT avg(mark) AS m FROM t"
    (narrow,), (wide,) = (db.sql(query, method="bounds", deviations=k).fetchall() for k in (0, 3))
    observed = db.execute(query)[0][0]
    assert narrow == pytest.approx((observed, observed))
    assert wide[0] < observed < wide[1]
    for what in ("mark * mark", "1 / mark", "abs(mark)", "(mark = 2)::INT", "mark + mark"):
        with pytest.raises(QueryError, match="one way with"):
            db.sql(f"SELECT avg({what}) FROM t", method="bounds")


@pytest.mark.parametrize("column", ["d", "s"])
def test_bounds_of_what_is_no_number_are_refused_by_name(db: imputedb.Database, column: str) -> None:
    db.execute(
        "CREATE OR REPLACE TABLE odd AS SELECT DATE '2020-01-01' + i::INTEGER AS d, 'a' AS s, i FROM range(9) r(i)"
    )
    db.execute("INSERT INTO odd VALUES (NULL, NULL, 3)")
    with pytest.raises(QueryError, match=rf"max\(odd.{column}\) is of type .*, which is not a number"):
        db.sql(f"SELECT max({column}) FROM odd", method="bounds")


def test_a_value_that_cannot_be_read_is_a_query_error(db: imputedb.Database) -> None:
    db.execute("CREATE OR REPLACE TABLE odd AS SELECT 'a' AS s, CASE WHEN i > 3 THEN i END AS x FROM range(9) r(i)")
    with pytest.raises(QueryError, match="Could not convert string 'a'"):
        db.sql("SELECT max(s::INTEGER), avg(x) FROM odd", method="bounds")


@pytest.mark.parametrize("method", ["aipw", "bounds"])
def test_groups_of_nothing(db: imputedb.Database, method: str) -> None:
    db.execute("CREATE OR REPLACE TABLE odd(g VARCHAR, x DOUBLE)")
    assert db.sql("SELECT g, avg(x) FROM odd GROUP BY g", method=method).fetchall() == []
    db.execute("INSERT INTO odd VALUES (NULL, 1), (NULL, 2)")
    with pytest.raises(QueryError, match="what it groups by is observed in no row"):
        db.sql("SELECT g, avg(x) FROM odd GROUP BY g", method=method)


@pytest.mark.parametrize("method", ["aipw", "bounds"])
def test_order_by_all_and_by_a_quoted_name(db: imputedb.Database, method: str) -> None:
    everything = db.sql("SELECT school, count(*) FROM t GROUP BY school ORDER BY ALL DESC", method=method)
    assert [row[0] for row in everything.fetchall()] == ["c", "b", "a"]
    query = 'SELECT school, count(*) AS "the ""many""" FROM t GROUP BY school ORDER BY "the ""many"""'
    numbers = [row[1] for row in db.sql(query, method=method).fetchall()]
    assert numbers == sorted(numbers)


def test_a_range_holds_for_what_is_missing_in_doubly_robust_answers() -> None:
    """Values miss only between -1 and 1: who takes them for values like all observed ones is far off."""
    rng = np.random.default_rng(8)
    z = rng.normal(size=4000)
    x = 1.5 + z + rng.normal(size=4000)
    gone = (np.abs(x) < 1) & (rng.random(4000) < 1 / (1 + np.exp(-1 - z)))
    with imputedb.connect() as db:
        db.register("t", {"z": z, "x": np.where(gone, np.nan, x), "g": np.where(gone, None, np.rint(x).astype(str))})
        text = "SELECT avg(x) AS a, count(*) FILTER (WHERE x > 0) AS n FROM t"
        truth = {"a": x.mean(), "n": (x > 0).sum()}
        free = db.sql(text, method="aipw", interval="answer").estimates[0]
        db.policy("t", "x", low=-1, high=1)
        held = db.sql(text, method="aipw", interval="answer").estimates[0]
        for name, right in truth.items():
            assert abs(held[name].estimate - right) < 3 * held[name].se
            assert abs(free[name].estimate - right) > 5 * free[name].se
        total = held["a"].estimate * len(x) - x[~gone].sum()
        assert abs(total / gone.sum()) < 1
        with pytest.raises(QueryError, match="leave method out"):
            db.sql("SELECT avg(x) AS a FROM t WHERE g = '2'", method="aipw")
        db.policy("t", "x", low=50, high=60)
        with pytest.raises(CannotImpute, match="permits"):
            db.sql(text, method="aipw")


def test_bounds_keep_to_what_policies_permit() -> None:
    """Levels, codes and whole numbers within a RANGE, in aggregates, conditions and groups; by trying all fillings."""
    grades = ["low", "mid", "high", "top"]
    with imputedb.connect() as db:
        db.execute(f"CREATE TYPE grade AS ENUM ({', '.join(map(repr, grades))})")
        db.execute(
            "CREATE TABLE t AS SELECT i AS id, (CASE WHEN i % 3 = 0 THEN NULL ELSE ['low', 'mid', 'high', 'top']"
            "[1 + i % 4] END)::grade AS g, CASE WHEN i % 4 = 0 THEN NULL ELSE i % 5 END AS k FROM range(24) r(i)"
        )
        rows = db.execute("SELECT g::VARCHAR, k FROM t")
        text = (
            "SELECT count(*) FILTER (WHERE g = 'top') AS top, count(*) FILTER (WHERE g >= 'mid'::grade) AS mid, "
            "avg((g = 'low')::INT) AS low, count(*) FILTER (WHERE k > 3) AS k, sum(k) AS s, max(k) AS m FROM t"
        )

        def expected(levels: list[str], numbers: list[int]) -> list[float]:
            def reach(score: Callable[[str, int], float]) -> tuple[float, float]:
                by_row = [
                    [score(a, b) for a in (levels if g is None else [g]) for b in (numbers if k is None else [k])]
                    for g, k in rows
                ]
                return sum(map(min, by_row)), sum(map(max, by_row))

            observed = max(k for _, k in rows if k is not None)
            return [
                *reach(lambda g, _: g == "top"),
                *reach(lambda g, _: grades.index(g) >= 1),
                *(one / len(rows) for one in reach(lambda g, _: g == "low")),
                *reach(lambda _, k: k > 3),
                *reach(lambda _, k: k),
                *(max(observed, end) for end in (min(numbers), max(numbers))),
            ]

        for said, levels, numbers in (
            ({}, grades, [0, 1, 2, 3, 4]),
            ({"g": {"low": "mid", "high": "high"}, "k": {"low": 0.5, "high": 2.5}}, ["mid", "high"], [1, 2]),
            ({"g": {"values": ["low", "top"], "low": "mid"}, "k": {"values": [1, 4, 9], "high": 8}}, ["top"], [1, 4]),
            ({"g": {"high": "low"}, "k": {"low": 5, "high": 7}}, ["low"], [5, 6, 7]),
        ):
            for column in ("g", "k"):
                db.policy("t", column, **said.get(column, {}))
            found = db.sql(text, method="bounds").fetchall()[0]
            assert found == pytest.approx(expected(levels, numbers)), said
        groups = db.sql("SELECT g, count(*) AS n FROM t GROUP BY g ORDER BY g", method="bounds").fetchall()
        missing = sum(g is None for g, _ in rows)
        assert [high - low for _, low, high in groups] == [missing, 0, 0, 0]
        db.policy("t", "k", low=50)
        with pytest.raises(DataError, match="other end"):
            db.sql(text, method="bounds")


def holed(values: str) -> imputedb.Database:
    db = imputedb.connect()
    db.execute(f"CREATE TABLE t AS SELECT * FROM (VALUES {values}) AS v(id, x)")
    return db


@pytest.mark.parametrize("kind", ["INTEGER", "DOUBLE"])
def test_a_range_with_one_end_makes_no_condition_certain_at_the_other(kind: str) -> None:
    with holed("(1, 5), (2, 6), (3, NULL), (4, 8), (5, 7)") as db:
        db.execute(f"ALTER TABLE t ALTER x TYPE {kind}")
        for said, expected in (
            ({"low": 0}, {"x > 100": (0, 1), "100 < x": (0, 1), "x - 1 >= -1": (5, 5), "x < 0": (0, 0),
                          "NOT x < 0": (5, 5), "10 - x > 10": (0, 0), "2 * x > -1": (4, 5)}),
            ({"high": 9}, {"x > 100": (0, 0), "x < -100": (0, 1), "x <= 9": (5, 5), "-x >= -9": (5, 5)}),
            ({"low": 200}, {"x > 100": (1, 1), "x <= 150": (4, 4), "x < 300": (4, 5)}),
            ({"low": 2, "high": 100}, {"x <= 100": (5, 5), "CAST(x AS VARCHAR) > '10'": (4, 5)}),
        ):  # fmt: skip
            db.policy("t", "x", **said)  # type: ignore[arg-type]
            for condition, right in expected.items():
                found = db.sql(f"SELECT count(*) FROM t WHERE {condition}", method="bounds").fetchall()
                assert found == [right], (said, condition)


@pytest.mark.parametrize("kind", ["INTEGER", "VARCHAR"])
def test_rows_whose_only_permitted_key_is_in_no_group_are_not_lost(kind: str) -> None:
    with holed("(1, 3), (2, NULL), (3, 7)") as db:
        db.execute(f"ALTER TABLE t ALTER x TYPE {kind}")
        db.policy("t", "x", values=[100])
        text = "SELECT x, count(*) AS n FROM t GROUP BY x"
        with pytest.raises(QueryError, match=r"no bounds by t\.x"):
            db.sql(text, method="bounds")
        db.policy("t", "x", values=[7, 100])
        assert sorted(db.sql(text, method="bounds").fetchall())[0][1:] == (1, 1)
