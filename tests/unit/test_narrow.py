"""Rows that cannot matter need no values, and leaving them out changes no answer."""

import pytest

import imputedb
from imputedb.blocks import block
from imputedb.database import Database

MADE = """
    CREATE TABLE t AS SELECT i AS id, CASE WHEN hash(i) % 4 > 0 THEN (hash(i + 1) % 10)::INTEGER END AS a,
        CASE WHEN hash(i + 2) % 5 > 0 THEN (hash(i + 3) % 8)::INTEGER END AS b, (hash(i + 4) % 3)::INTEGER AS c
    FROM range(6000) r(i);
    CREATE TABLE few AS SELECT i * 20 AS id, i AS w FROM range(300) r(i);
"""


@pytest.fixture
def made(db: Database) -> Database:
    for statement in MADE.split(";"):
        if statement.strip():
            db.execute(statement)
    return db


def test_what_another_condition_decides_needs_no_value(made: Database) -> None:
    report = made.sql("SELECT count(*) FROM t WHERE a > 5 AND b = 2", imputer="hotdeck").report
    missing, decided = made.execute("SELECT count(*), count(*) FILTER (WHERE b <> 2) FROM t WHERE a IS NULL")[0]
    assert report.imputed["t.a"] == missing - decided
    assert report.avoided["t.a"] == decided


def test_a_row_without_a_partner_needs_no_value(made: Database) -> None:
    report = made.sql("SELECT sum(w) FROM t JOIN few USING (id) WHERE a > 5", imputer="hotdeck").report
    needed = made.execute("SELECT count(*) FROM t JOIN few USING (id) WHERE a IS NULL")[0][0]
    assert report.imputed["t.a"] == needed < 100


@pytest.mark.parametrize("imputer", ["hotdeck", "tree"])
@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*), sum(id) FROM t WHERE a > 5 AND b = 2",
        "SELECT c, sum(a), sum(b) FROM t WHERE a + b > 7 AND b < 3 AND c = 1 GROUP BY c",
        "SELECT count(*) FROM t WHERE a BETWEEN 2 AND 4 AND (b = 2 OR c = 0)",
    ],
)
def test_leaving_them_out_changes_no_answer(
    made: Database, query: str, imputer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spared = made.sql(query, imputer=imputer, seed=3)
    monkeypatch.setattr(block, "reduced", lambda relation, *_: relation)
    with imputedb.connect() as other:
        for statement in MADE.split(";"):
            if statement.strip():
                other.execute(statement)
        whole = other.sql(query, imputer=imputer, seed=3)
        assert sum(spared.report.imputed.values()) < sum(whole.report.imputed.values())
        if imputer == "hotdeck":  # a tree learns from fewer cells where fewer are to be filled in
            assert spared.fetchall() == whole.fetchall()
