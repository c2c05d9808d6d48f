"""Settings under which texts are read otherwise: what the catalog holds, and what we write, means what it did."""

import numpy as np
import pytest

import imputedb
from imputedb import Database

QUERIES = [
    ("SELECT g, avg(x), sum(x), stddev(x), corr(x, z) FROM t GROUP BY g ORDER BY g", {"m": 4}),
    ("SELECT avg(x), sum(x), count(*) FROM t", {"m": 4, "weights": "z + 1"}),
    ("SELECT avg(x) FROM t", {"method": "aipw"}),
    ("SELECT avg(x), sum(x) FROM t", {"method": "bounds"}),
    ("SELECT sum(half(x)), avg(half(z)) FROM t", {}),
    ("SELECT sum(y), max(y) FROM v", {}),
    ("SELECT * FROM (SELECT weighted_avg(x, z) AS w, sum(q) FROM t, rows_of(7)) q", {}),
    ("SELECT id FROM t WHERE half(x) > 3.4 ORDER BY half(x), id LIMIT 9", {}),
]


@pytest.fixture(scope="module")
def both() -> tuple[Database, Database]:
    """The same data, views and macros; in the second, `/` between whole numbers is set to mean `//` afterwards."""
    rng = np.random.default_rng(0)
    x, z, g = rng.integers(0, 50, 200), rng.integers(1, 9, 200), rng.integers(0, 3, 200)
    rows = {"id": np.arange(200), "g": g, "x": np.ma.masked_array(x, rng.random(200) < 0.3), "z": z}
    found = (imputedb.connect(), imputedb.connect())
    for db in found:
        db.register("t", rows, keep=True)
        db.execute("CREATE MACRO half(a) AS a / 2; CREATE VIEW v AS SELECT id, x / 7 AS y, g FROM t")
        db.execute("CREATE MACRO rows_of(a) AS TABLE SELECT x / a AS q FROM t WHERE id < a")
    found[1].execute("SET integer_division = true")
    return found


@pytest.mark.parametrize(("query", "asked"), QUERIES)
def test_divisions_stay_what_they_were_written_as(
    both: tuple[Database, Database], query: str, asked: dict[str, object]
) -> None:
    usual, whole = (db.sql(query, seed=3, **asked) for db in both)
    assert (whole.columns, whole.types, whole.fetchall()) == (usual.columns, usual.types, usual.fetchall())


def test_a_division_of_a_query_is_one_of_whole_numbers_where_that_is_set(both: tuple[Database, Database]) -> None:
    _, whole = both
    found = whole.sql("SELECT z / 2, sum(half(x)) FROM t GROUP BY ALL ORDER BY 1", imputer="mean")
    assert found.types == ["BIGINT", "DOUBLE"]
    assert [row[0] for row in found] == [0, 1, 2, 3, 4]


def test_a_text_of_one_setting_is_not_recalled_under_another() -> None:
    """The texts of trees are remembered; divisions in them are written by the setting under which they are read."""
    with imputedb.connect() as db:
        db.execute("CREATE TABLE t AS SELECT i AS id, CASE WHEN i % 4 > 0 THEN i END AS x FROM range(40) r(i)")
        db.execute("CREATE VIEW v AS SELECT id, x / 7 AS y FROM t; CREATE MACRO half(a) AS a / 2")
        for query in ("SELECT sum(y) FROM v", "SELECT sum(half(x)) FROM t"):
            found = []
            for setting in ("false", "true", "false"):
                db.execute(f"SET integer_division = {setting}")
                found += db.sql(query, imputer="mean").fetchall()
            assert len(set(found)) == 1, query
