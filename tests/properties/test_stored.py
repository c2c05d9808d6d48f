"""Statements that read missing values work on the answer to their query, or say that they read what is stored."""

from collections.abc import Iterator

import pytest

import imputedb
from imputedb import Database
from imputedb.notes import NoteKind

ROWS = "SELECT * FROM (VALUES (0, 1::DOUBLE, 2::DOUBLE), (1, NULL, 3.0), (2, 3.0, NULL), (3, 5.0, 7.0)) v(id, x, y)"
FILLED = "SELECT id, coalesce(x, 3) AS x, coalesce(y, 4) AS y FROM v"
"""The same rows with the means of their columns in place of NULL."""

SET = "ON r.id = s.id WHEN MATCHED THEN UPDATE SET x = s.x"
MERGES = (
    f"MERGE INTO r USING (SELECT id, x FROM t WHERE y > 2) AS s {SET}",
    f"WITH s AS (SELECT id, x FROM t WHERE y > 2) MERGE INTO r USING s {SET}",
    f"WITH q AS (SELECT * FROM t), s AS (SELECT id, x FROM q WHERE y > 2) MERGE INTO r AS r USING s {SET}",
    f"WITH q AS (SELECT id, x FROM t WHERE y > 2) MERGE INTO r USING q s {SET}",
    f"WITH q AS (SELECT * FROM t) MERGE INTO r USING (SELECT id, x FROM q WHERE y > 2) AS s {SET}",
    'WITH "S s"(id, x) AS (SELECT id, x FROM t WHERE y > 2) MERGE INTO r USING "s S" AS s '
    "ON r.id = s.id WHEN MATCHED THEN UPDATE SET x = s.x RETURNING r.id",
    "WITH RECURSIVE s AS (SELECT id, x, y FROM t WHERE id = 0 UNION ALL SELECT t.id, t.x, t.y FROM s JOIN t "
    "ON t.id = s.id + 1) MERGE INTO r USING s USING (id) WHEN MATCHED AND s.y > 2 THEN UPDATE SET x = s.x",
)
READING = {
    "UPDATE r SET x = (SELECT avg(x) FROM t)": "t.x",
    "UPDATE r SET x = t.x FROM t WHERE t.id = r.id": "t.x",
    "DELETE FROM r WHERE id IN (SELECT id FROM seen WHERE y > 2)": "t.y",
    "WITH s AS (SELECT id FROM t WHERE y > 2) DELETE FROM r WHERE id IN (SELECT id FROM s)": "t.y",
    f"MERGE INTO r USING t AS s {SET}": "t.x",
    "WITH s AS (SELECT id, y FROM t) MERGE INTO r USING s ON r.id = s.id AND EXISTS (FROM s) "
    "WHEN MATCHED THEN UPDATE SET x = s.y": "t.y",
    "SET VARIABLE least = (SELECT avg(y) FROM t)": "t.y",
    "UPDATE t SET y = 0 WHERE x > 2": "t.x",
    "UPDATE r SET x = o.x FROM other.main.t o WHERE o.id = r.id": "other.main.t.x",
    "UPDATE r SET x = b FROM t AS q(a, b, c) WHERE a = r.id": "t.x, t.y",
    "WITH q(a, b, c) AS (FROM t) UPDATE r SET x = q.b FROM q WHERE q.a = r.id": "t.x, t.y",
    "UPDATE r SET x = called.b FROM called WHERE called.a = r.id": "t.x, t.y",
    "MERGE INTO r USING t USING (id) WHEN MATCHED THEN UPDATE": "t.x, t.y",
    "SET VARIABLE most = (SELECT max(COLUMNS('y')) FROM t)": "t.x, t.y",
    "UPDATE t SET id = 2 WHERE id < 1 RETURNING *": "t.x, t.y",
}
SILENT = (
    "UPDATE t SET x = 2, y = 3 WHERE id = 1",
    "UPDATE t SET y = 3 WHERE y IS NULL",
    "DELETE FROM t WHERE x IS NOT NULL",
    "DELETE FROM r WHERE x > 2",
    "SET threads = 1",
    "SET VARIABLE y = 1",
)


@pytest.fixture
def db() -> Iterator[Database]:
    with imputedb.connect() as db:
        db.execute(f"CREATE TABLE t AS {ROWS}; CREATE VIEW seen AS SELECT * FROM t; ATTACH ':memory:' AS other")
        db.execute("CREATE VIEW called(a, b, c) AS FROM t")
        db.execute(f"CREATE TABLE other.t AS {ROWS}; CREATE TABLE r AS SELECT id, 0.0 AS x FROM t")
        yield db


@pytest.mark.parametrize("text", MERGES)
def test_a_merge_works_on_the_answer_to_its_source(db: Database, text: str) -> None:
    db.sql(text, imputer="mean")
    merged = db.execute("FROM r ORDER BY id")
    db.execute(
        f"CREATE OR REPLACE TABLE r AS SELECT id, CASE WHEN y > 2 THEN x ELSE 0 END AS x FROM ({FILLED}) v".replace(
            "FROM v", f"FROM ({ROWS})"
        )
    )
    assert merged == db.execute("FROM r ORDER BY id")


@pytest.mark.parametrize("text", READING)
def test_statements_of_duckdb_say_what_they_read_as_stored(db: Database, text: str) -> None:
    (note,) = db.sql(text).report.notes
    assert (note.kind, note.subject) == (NoteKind.NOT_IMPUTED, READING[text])


@pytest.mark.parametrize("text", SILENT)
def test_statements_that_read_nothing_missing_say_nothing(db: Database, text: str) -> None:
    assert db.sql(text).report.notes == ()
