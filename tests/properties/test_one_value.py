"""A cell has one value in a statement, however many blocks of it read its table."""

import numpy as np
import pytest

import imputedb
from imputedb import Database

N = 60


@pytest.fixture(scope="module")
def db() -> Database:
    rng = np.random.default_rng(5)
    x = rng.normal(size=N)
    y = x + rng.normal(size=N)
    z = y + rng.normal(size=N)
    db = imputedb.connect()
    gone = {"y": (rng.random(N) < 0.4) | (y > 1), "z": rng.random(N) < 0.3}
    masked = {"y": np.ma.masked_array(y, gone["y"]), "z": np.ma.masked_array(z, gone["z"])}
    db.register("t", {"id": np.arange(N), "k": np.arange(N) % 3, "x": x, **masked})
    db.execute("CREATE VIEW seen AS SELECT * FROM t")
    return db


DIFFERENT = (
    "t a JOIN (SELECT id, y FROM t WHERE z > 0 LIMIT 30) b USING (id) WHERE a.y <> b.y",
    "t a JOIN (SELECT id, y + 0 AS y FROM seen ORDER BY z LIMIT 30) b USING (id) WHERE a.y <> b.y",
    "t a LEFT JOIN (SELECT DISTINCT ON (id) id, y FROM t ORDER BY id, z) b USING (id) WHERE a.y <> b.y",
    "t a JOIN (UNPIVOT (SELECT id, y, z FROM t) ON y, z INTO NAME n VALUE v) b ON a.id = b.id AND n = 'y' WHERE y <> v",
    "t a JOIN (SELECT id, y, rank() OVER (ORDER BY z) AS r FROM t QUALIFY r < 30) b USING (id) WHERE a.y <> b.y",
)
"""What joins a table with rows of itself, where no two values may differ."""

FOUND = {
    "y = (SELECT max(y) FROM t WHERE z > 0)": 1,
    "z > 0 AND y >= (SELECT max(y) FROM t WHERE z > 0)": 1,
    "y IN (SELECT min(y) FROM t WHERE z > 0 GROUP BY k)": 3,
    "y IN (SELECT any_value(y) FROM t WHERE z > 0 GROUP BY k)": 3,
    "(k, y) IN (SELECT k, arg_max(y, z) FROM t GROUP BY k)": 3,
    "y = (SELECT quantile_disc(y, 0.5) FROM t WHERE z > 0)": 1,
    "(id, y) IN (SELECT id, y FROM t WHERE z > 0 ORDER BY id LIMIT 5)": 5,
}
"""Conditions that name values of rows, with how many rows have one of them at least."""


@pytest.mark.parametrize("imputer", ["norm", "tree"])
@pytest.mark.parametrize("text", DIFFERENT)
def test_rows_of_a_table_agree_with_themselves(db: Database, text: str, imputer: str) -> None:
    assert db.sql(f"SELECT count(*) FROM {text}", imputer=imputer).fetchall() == [(0,)]


@pytest.mark.parametrize("text", DIFFERENT[::2])
def test_rows_of_a_draw_agree_with_themselves(db: Database, text: str) -> None:
    (row,) = db.sql(f"SELECT count(*) AS n FROM {text}", imputer="norm", m=3).estimates
    assert row["n"].estimate == 0


@pytest.mark.parametrize("condition", FOUND)
def test_values_that_a_subquery_picks_are_found(db: Database, condition: str) -> None:
    [(rows,)] = db.sql(f"SELECT count(*) FROM t WHERE {condition}", imputer="norm").fetchall()
    assert rows >= FOUND[condition]
    (row,) = db.sql(f"SELECT count(*) AS n FROM t WHERE {condition}", imputer="norm", m=2).estimates
    assert row["n"].estimate >= FOUND[condition]
