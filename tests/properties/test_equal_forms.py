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
        "SELECT k, avg(y) AS a FROM t GROUP BY GROUPING SETS ((k), ()) ORDER BY k DESC NULLS LAST",
        "SELECT k, avg(y) AS a FROM t GROUP BY ROLLUP (k) ORDER BY k DESC NULLS LAST",
        "SELECT avg(y) AS a FROM t WHERE k IN (1)",
        "SELECT avg(y) AS a FROM t WHERE id IN (SELECT id FROM t WHERE k = 1)",
        "SELECT avg(l.y) AS a FROM t l JOIN (SELECT DISTINCT id FROM s) r ON l.id = r.id WHERE k = 1",
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
