"""What an answer will look like is told as it then is."""

from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb.errors import QueryError

QUERIES: list[tuple[str, dict[str, Any]]] = [
    ("SELECT * FROM t", {}),
    ("SELECT g, avg(x) AS a, count(*) AS n FROM t GROUP BY g", {}),
    ("SELECT g, avg(x) AS a, count(*) AS n FROM t GROUP BY g", {"m": 3}),
    ("SELECT g, max(d), sum(x) FROM t GROUP BY g HAVING avg(x) > 0 ORDER BY 1", {"m": 3}),
    ("SELECT id, x FROM t WHERE x > 0", {"m": 3}),
    ("SELECT id, likelihood() AS p FROM t WHERE x > 0", {"m": 3}),
    ("SELECT avg(x) AS a FROM t", {"method": "aipw"}),
    ("SELECT g, avg(x) AS a FROM t GROUP BY g", {"method": "bounds"}),
    ("SELECT avg(x) AS a FROM t", {"method": "ml"}),
    ("SELECT count(*) FROM t a, t b WHERE a.id = b.id AND a.x < b.x", {"m": 2}),
    ("SELECT 1 AS one, 'a', NULL", {}),
    ("SELECT IMPUTED(x), x IS NULL FROM t", {}),
    ("SHOW TABLES", {}),
    ("DESCRIBE t; -- a remark", {}),
    ("SUMMARIZE t", {}),
]


@pytest.fixture(scope="module")
def db() -> Any:
    rng = np.random.default_rng(3)
    with imputedb.connect() as found:
        x = np.ma.masked_array(rng.normal(size=60), rng.random(60) < 0.2)
        days = np.datetime64("2020-01-01") + np.arange(60)
        found.register("t", {"id": np.arange(60), "g": rng.integers(0, 3, 60), "x": x, "d": days})
        yield found


@pytest.mark.parametrize(("text", "more"), QUERIES)
def test_columns_are_those_of_the_answer(db: imputedb.Database, text: str, more: dict[str, Any]) -> None:
    told = db.describe(text, **more)
    found = db.sql(text, **more)
    assert (list(told.columns), list(told.types)) == (found.columns, found.types)


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("SELECT * FROM t WHERE x > $1 AND id = $2", {"1": "DOUBLE", "2": "BIGINT"}),
        ("SELECT id FROM t WHERE d BETWEEN ? AND ? LIMIT ?", {"1": "DATE", "2": "DATE", "3": "BIGINT"}),
        ("SELECT x + $1 AS y FROM t", {"1": "DOUBLE"}),
        ("SELECT $1 AS y", {"1": "VARCHAR"}),
        ("SELECT $1 || 'a', id FROM t WHERE id < $2", {"1": "VARCHAR", "2": "BIGINT"}),
        ("SELECT $1::INTEGER + 1", {"1": "INTEGER"}),
        ("SELECT $1 = x + $2 FROM t WHERE d < $3", {"1": "DOUBLE", "2": "DOUBLE", "3": "DATE"}),
    ],
)
def test_types_of_parameters_are_told(db: imputedb.Database, text: str, types: dict[str, str]) -> None:
    told = dict(db.describe(text).parameters)
    assert told == types


def test_many_parameters_are_asked_of_together(db: imputedb.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    fetched = db._engine.fetched
    monkeypatch.setattr(db._engine, "fetched", lambda text, *more: asked.append(text) or fetched(text, *more))
    terms = " AND ".join(f"x + ${n} > 0 AND 'a' || ${n + 1} <> 'b'" for n in range(1, 60, 2))
    told = db.describe(f"SELECT id FROM t WHERE {terms}").parameters
    assert [told[str(n)] for n in range(1, 61)] == ["DOUBLE", "VARCHAR"] * 30
    assert len(asked) < 12


def test_types_that_are_given_hold(db: imputedb.Database) -> None:
    told = db.describe("SELECT $1 + 1 AS a, $2 AS b", {"1": "DECIMAL(10,2)", "2": "DATE"})
    assert list(told.types) == ["DECIMAL(13,2)", "DATE"]


def test_only_queries_are_described(db: imputedb.Database) -> None:
    with pytest.raises(QueryError, match="only a query"):
        db.describe("CREATE TABLE u AS SELECT 1")
    with pytest.raises(QueryError, match="parameters"):
        db.describe("SELECT $1", {"1": 3})  # type: ignore[dict-item]
