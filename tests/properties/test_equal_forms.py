"""Equal forms of a question have equal intervals, to the last digits: the same draws answer each."""

import numpy as np
import pytest

import imputedb
from imputedb import Database

N = 240


@pytest.fixture(scope="module")
def table() -> Database:
    rng = np.random.default_rng(7)
    x = rng.normal(size=N)
    y = x + rng.normal(size=N)
    db = imputedb.connect()
    label = np.where(x + rng.normal(size=N) > 0, "u", "v").astype(object)
    label[rng.random(N) < 0.25] = None
    db.register(
        "t",
        {
            "id": np.arange(N),
            "k": np.arange(N) % 2,
            "x": x,
            "y": np.ma.masked_array(y, rng.random(N) < 0.3),
            "g": label,
        },
    )
    db.register("s", {"id": np.repeat(np.arange(N), 2), "v": np.ones(2 * N)})
    db.execute("CREATE VIEW seen AS SELECT * FROM t")
    return db


FORMS = {
    "a mean of a group that is observed": [
        "SELECT avg(y) AS a FROM t WHERE k = 1",
        "SELECT avg(y) FILTER (WHERE k = 1) AS a FROM t",
        "WITH c AS (SELECT * FROM t WHERE k = 1) SELECT avg(y) AS a FROM c",
        "SELECT avg(y) AS a FROM (SELECT y FROM t WHERE k = 1)",
        "SELECT avg(y) AS a FROM seen WHERE k = 1",
        "SELECT avg(CASE WHEN k = 1 THEN y END) AS a FROM t",
        "SELECT sum(y) / count(*) AS a FROM t WHERE k = 1",
        "SELECT avg(y) AS a FROM t GROUP BY k HAVING k = 1",
        "SELECT k, avg(y) AS a FROM t GROUP BY k ORDER BY k DESC",
        "SELECT 5 AS five, k, avg(y) AS a FROM t GROUP BY ALL ORDER BY k DESC",
        "SELECT k, avg(y) AS a FROM t GROUP BY GROUPING SETS ((k), ()) ORDER BY k DESC NULLS LAST",
        "SELECT k, avg(y) AS a FROM t GROUP BY ROLLUP (k) ORDER BY k DESC NULLS LAST",
        "SELECT avg(y) AS a FROM t WHERE k IN (1)",
        "SELECT avg(y) AS a FROM t WHERE id IN (SELECT id FROM t WHERE k = 1)",
        "SELECT avg(l.y) AS a FROM t l JOIN (SELECT DISTINCT id FROM s) r ON l.id = r.id WHERE k = 1",
        "SELECT avg(COLUMNS('^y$')) AS a FROM t WHERE k = 1",
        "SELECT avg(COLUMNS(* EXCLUDE (id, k, x, g))) AS a FROM t WHERE k = 1",
        "SELECT avg(*COLUMNS(lambda c: c = 'y')) AS a FROM t WHERE COLUMNS('^k$') = 1",
        "SELECT avg(y) FILTER (WHERE COLUMNS('^k$') = 1) AS a FROM t",
        'SELECT p."1" AS a FROM (PIVOT (SELECT k, y FROM t) ON k USING avg(y)) AS p',
        "FROM (SELECT k, y FROM t) PIVOT (avg(y) FOR k IN (0, 1)) AS p(b, a)",
        "SELECT avg(if(k = 1, y, NULL)) AS a FROM t",
    ],
    "a mean that may be a constant": [
        "SELECT avg(y) AS a FROM t WHERE k = 1",
        "SELECT coalesce(avg(y), 0) AS a FROM t WHERE k = 1",
        "SELECT CASE WHEN avg(y) IS NULL THEN 0 ELSE avg(y) END AS a FROM t WHERE k = 1",
        "SELECT if(count(*) < 5, NULL, avg(y)) AS a FROM t WHERE k = 1",
        "SELECT nullif(avg(y), 99) AS a FROM t WHERE k = 1",
        "SELECT greatest(avg(y), -99) AS a FROM t WHERE k = 1",
        "SELECT 2 * least(coalesce(avg(y), 0), 99) / 2 AS a FROM t WHERE k = 1",
    ],
    "a share that may be a constant": [
        "SELECT avg((y > 0.5)::INT) AS a FROM t",
        "SELECT coalesce(avg((y > 0.5)::INT), 0) AS a FROM t",
        "SELECT CASE WHEN count(*) > 5 THEN avg(CASE WHEN y > 0.5 THEN 1 ELSE 0 END) END AS a FROM t",
    ],
    "a mean through wrappers": [
        "SELECT avg(y) AS a FROM t WHERE k = 1",
        "SELECT a FROM (SELECT avg(y) AS a FROM t WHERE k = 1)",
        "SELECT * FROM (SELECT avg(y) AS a FROM t WHERE k = 1)",
        "SELECT b AS a FROM (SELECT avg(y) FROM t WHERE k = 1) AS s(b)",
        "WITH c AS (SELECT avg(y) AS b FROM t WHERE k = 1) SELECT b AS a FROM c",
        "WITH d AS (SELECT * FROM t), c(b) AS (SELECT avg(y) FROM d WHERE k = 1) SELECT b + 0 AS a FROM c",
        "SELECT b / 2 AS a FROM (SELECT 2 * avg(y) AS b FROM t WHERE k = 1) WHERE b > -100 LIMIT 1",
        "SELECT a FROM (SELECT * FROM (SELECT k, avg(y) AS a FROM t GROUP BY ALL)) WHERE k = 1",
        "SELECT k, a FROM (SELECT k, avg(y) AS a FROM t GROUP BY 1) ORDER BY k DESC",
        "SELECT k, a FROM (SELECT k, avg(y) AS a FROM t GROUP BY k ORDER BY k DESC)",
        "SELECT s / n AS a FROM (SELECT sum(y) AS s, count(*) AS n FROM t WHERE k = 1)",
    ],
    "a count": [
        "SELECT count(*) AS a FROM t WHERE y > 0.5",
        "SELECT count(*) FILTER (WHERE y > 0.5) AS a FROM t",
        "SELECT sum((y > 0.5)::INT) AS a FROM t",
        "SELECT sum(CASE WHEN y > 0.5 THEN 1 ELSE 0 END) AS a FROM t",
        "SELECT count(CASE WHEN y > 0.5 THEN 1 END) AS a FROM t",
        "SELECT count(*) AS a FROM (SELECT 1 FROM t WHERE y > 0.5)",
        "WITH c AS (SELECT y FROM t) SELECT count(*) AS a FROM c WHERE y > 0.5",
        "SELECT count_if(y > 0.5) AS a FROM t",
        "SELECT coalesce(sum(if(y > 0.5, 1, 0)), 0) AS a FROM t",
        "SELECT regr_count(y, x) AS a FROM t WHERE y > 0.5",
        "SELECT regr_count(x, if(y > 0.5, 1, NULL)) AS a FROM t",
        "SELECT sum(CASE WHEN y > 0.5 THEN 4 ELSE 0 END) / 4 AS a FROM t",
        "SELECT sum((y > 0.5)::INT * 4) / 4 AS a FROM t",
    ],
    "a count of all rows": ["SELECT count(*) AS a FROM t", "SELECT regr_count(y, x) AS a FROM t"],
    "a deviation": [
        "SELECT stddev(y) AS a FROM t WHERE k = 1",
        "SELECT sqrt(variance(y)) AS a FROM t WHERE k = 1",
        "SELECT exp(0.5 * ln(variance(y))) * 1.0 AS a FROM t WHERE k = 1",
    ],
    "a variance": [
        "SELECT variance(y) AS a FROM t",
        "SELECT stddev(y) ^ 2 AS a FROM t",
        "SELECT stddev(y) * stddev(y) AS a FROM t",
    ],
    "a share of what is left": [
        "SELECT avg((y <= 0.5)::INT) AS a FROM t",
        "SELECT 1 - avg((y > 0.5)::INT) AS a FROM t",
        "SELECT 1 - count(*) FILTER (WHERE y > 0.5) / count(*) AS a FROM t",
        "SELECT (100 - 100 * avg(CASE WHEN y > 0.5 THEN 1 ELSE 0 END)) / 100 AS a FROM t",
    ],
    "a count of what is left": [
        f"SELECT {N} - count(*) FILTER (WHERE y <= 0.5) AS a FROM t",
        "SELECT count(*) - count_if(y <= 0.5) AS a FROM t",
    ],
    "a count by its share": [
        "SELECT count(*) FILTER (WHERE y > 0.5) AS a FROM t",
        f"SELECT {N} * avg((y > 0.5)::INT) AS a FROM t",
        "SELECT avg((y > 0.5)::INT) * count(*) AS a FROM t",
    ],
    "a correlation": [
        "SELECT corr(y, x) AS a FROM t WHERE k = 1",
        "SELECT -corr(-y, x) AS a FROM t WHERE k = 1",
        "SELECT 0.5 * corr(y, x) / 0.5 AS a FROM t WHERE k = 1",
    ],
    "a slope": [
        "SELECT regr_slope(y, x) AS a FROM t WHERE k = 1",
        "SELECT regr_slope(y, x) FILTER (WHERE k = 1) AS a FROM t",
        "SELECT regr_slope(y, x) AS a FROM seen WHERE k = 1",
        "SELECT k, regr_slope(y, x) AS a FROM t GROUP BY k ORDER BY k DESC",
        "WITH c AS (SELECT * FROM t WHERE k = 1) SELECT regr_slope(y, x) AS a FROM c",
    ],
    "a mean of a group that misses values": [
        "SELECT avg(y) FILTER (WHERE g = 'u') AS a FROM t",
        "SELECT avg(CASE WHEN g = 'u' THEN y END) AS a FROM t",
        "SELECT g, avg(y) AS a FROM t GROUP BY g ORDER BY g",
        "SELECT avg(y) AS a FROM t GROUP BY g HAVING g = 'u'",
    ],
}


@pytest.mark.sampled(5)
@pytest.mark.parametrize("imputer", ["norm", "tree", "pmm"])
@pytest.mark.parametrize("form", list(FORMS))
def test_equal_forms_have_equal_intervals(table: Database, form: str, imputer: str) -> None:
    first, *others = FORMS[form]
    wanted = table.sql(first, m=10, imputer=imputer).estimates[0]["a"]
    for text in others:
        one = table.sql(text, m=10, imputer=imputer).estimates[0]["a"]
        assert (one.estimate, one.se, *one.interval()) == pytest.approx(
            (wanted.estimate, wanted.se, *wanted.interval()), rel=1e-9
        ), text


@pytest.mark.parametrize(
    "text",
    [
        "SELECT (SELECT avg(y) FROM t WHERE k = 1) AS a",
        "SELECT (SELECT avg(y) FROM t WHERE k = 1) + (SELECT 0) AS a",
    ],
)
def test_subqueries_of_one_number_have_the_interval_of_the_answer_alone(table: Database, text: str) -> None:
    wanted = table.sql("SELECT avg(y) AS a FROM t WHERE k = 1", m=10, interval="answer").estimates[0]["a"]
    one = table.sql(text, m=10, interval="answer").estimates[0]["a"]
    assert (one.estimate, *one.interval()) == pytest.approx((wanted.estimate, *wanted.interval()), rel=1e-9)
    result = table.sql(text, m=10)
    assert np.isnan(result.estimates[0]["a"].interval()).all()
    assert any("ask interval='answer'" in said for said in result.report.warnings)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT avg(a) AS a FROM (SELECT k, avg(y) AS a FROM t GROUP BY k)",
        "WITH c AS (SELECT k, sum(y) AS s, count(*) AS n FROM t GROUP BY ALL) SELECT sum(s) / sum(n) AS a FROM c",
        "SELECT count(*) FILTER (WHERE y > 0) AS a FROM (SELECT DISTINCT round(y) AS y FROM t)",
    ],
)
def test_groups_are_no_sample_of_a_population(table: Database, text: str) -> None:
    """Two groups of 120 rows each had an interval of one degree of freedom."""
    result = table.sql(text, m=10)
    assert np.isnan(result.estimates[0]["a"].interval()).all()
    assert any("groups, which nobody sampled" in said for said in result.report.warnings)
    answer = table.sql(text, m=10, interval="answer").estimates[0]["a"]
    assert np.isfinite(answer.interval()).all()


@pytest.mark.sampled(3)
@pytest.mark.parametrize("source", ["t", "t LEFT JOIN (SELECT 1 AS k, 2 AS w) AS d USING (k)"])
@pytest.mark.parametrize(
    ("group", "kept", "value"),
    [
        ("y > 0", "y > 0", True),
        ("y > 0", "NOT (y > 0)", False),
        ("y > 0", "h AND count(*) > 3", True),
        ("y BETWEEN 0 AND 1", "NOT h", False),
        ("y IN (0, 1) OR y > 1", "h", True),
        ("CASE WHEN y > 0 THEN 'u' ELSE 'l' END", "h = 'u'", "u"),
    ],
)
def test_having_of_a_group_keeps_its_row(table: Database, group: str, kept: str, value: object, source: str) -> None:
    """A comparison that is a group was taken apart, and its column asked for beside the groups: refused, or wrong."""
    for grouping in ("1", group, "ALL"):
        every = f"SELECT {group} AS h, count(*) AS n, avg(y) AS a FROM {source} GROUP BY {grouping}"
        wanted = [row for row in table.sql(every, m=3, imputer="norm").fetchall() if row[0] == value]
        found = table.sql(f"{every} HAVING {kept}", m=3, imputer="norm").fetchall()
        assert [row[0] for row in found] == [value]
        assert found[0][1:] == pytest.approx(wanted[0][1:], rel=1e-9)
