"""Expressions that choose a branch by an aggregate: near the threshold their error is that of the choice too."""

from collections.abc import Iterator

import numpy as np
import pytest

import imputedb
from imputedb import Database


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=400)
    x += 5.02 - x.mean()
    missing = rng.random(400) < 0.2
    rows = ", ".join(f"({n}, {'NULL' if gone else value})" for n, (value, gone) in enumerate(zip(x, missing)))  # noqa: B905
    with imputedb.connect() as db:
        db.execute(f"CREATE TABLE t AS SELECT id, x::DOUBLE AS x FROM (VALUES {rows}) v(id, x)")
        yield db


def _error(db: Database, expression: str) -> float | None:
    ((_, error, *_),) = db.sql(f"SELECT {expression} AS a FROM t", m=3, imputer="hotdeck").fetchall()
    return float(error) if error is not None else None


NEAR = {
    "CASE WHEN avg(x) > 5 THEN avg(x) ELSE 0 END": 2.3,
    "if(avg(x) BETWEEN 5 AND 9, 2 * avg(x), 0)": 4.6,
    "CASE WHEN avg(x) > 5 THEN 10 ELSE avg(x) END": 2.3,
    "2 * CASE WHEN NOT avg(x) <= 5 THEN avg(x) ELSE 0 END + 1": 4.6,
    "CASE WHEN random() > 0.5 THEN avg(x) ELSE 0 END": 2.5,
    "greatest(avg(x), 5.05)": 0.03,
}


@pytest.mark.parametrize("expression", NEAR)
def test_near_a_threshold_the_error_is_that_of_replications(db: Database, expression: str) -> None:
    found = _error(db, expression)
    assert found is not None
    assert NEAR[expression] / 2 < found < NEAR[expression] * 2


FAR = (
    *("CASE WHEN avg(x) > 4 THEN avg(x) ELSE 0 END", "greatest(avg(x), 1, 2)", "least(avg(x), sum(x))"),
    *("if(count(*) > 399, avg(x), 0)", "coalesce(avg(x), 0)", "nullif(avg(x), 5)", "abs(avg(x))"),
    *("CASE WHEN avg(x) < 4 OR sum(x) < 0 THEN 0 ELSE avg(x) END", "avg(x)"),
)


def test_far_from_it_the_error_is_that_of_the_branch(db: Database) -> None:
    shown = ", ".join(f"{one} AS a{n}" for n, one in enumerate(FAR))
    (row,) = db.sql(f"SELECT {shown} FROM t", m=3, imputer="hotdeck").fetchall()
    errors = row[1::5]
    assert errors == pytest.approx([errors[-1]] * len(FAR), rel=0.01)


def test_by_group_and_where_nothing_tells(db: Database) -> None:
    choice = "CASE WHEN avg(x) > 5 THEN avg(x) ELSE 0 END"
    found = db.sql(f"SELECT id < 4 AS few, {choice} AS a FROM t GROUP BY id < 4", m=2, imputer="hotdeck")
    assert all(row[2] is None or row[2] > 0.5 for row in found)
    assert _error(db, "CASE WHEN max(x) > 5 THEN avg(x) ELSE 0 END") is None
