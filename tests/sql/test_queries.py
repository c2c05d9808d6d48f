"""Queries of every shape, a line of `queries.sql` each, alone and inside of others: all answer, and as DuckDB does.

On complete data, rows, names and types are DuckDB's. Where values are missing, names and types are too; and with the
mean of each column in place of what is missing, a plan gives what completing every table first gives.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import duckdb
import pytest

import imputedb
from imputedb import Database

QUERIES = (Path(__file__).parent / "queries.sql").read_text().splitlines()

COMPLETE = """
CREATE TABLE t(id INTEGER, g VARCHAR, x INTEGER, y DOUBLE, d DATE, b BOOLEAN);
INSERT INTO t VALUES (1,'a',10,1.5,'2020-01-01',true),(2,'a',20,2.5,'2020-01-02',false),
(3,'b',30,3.5,'2020-01-03',true),(4,'b',20,4.5,'2020-02-01',true),
(5,'c',50,5.5,'2020-02-02',false),(6,'c',10,1.5,'2020-03-01',true);
CREATE TABLE u(id INTEGER, x INTEGER, z DOUBLE, g VARCHAR);
INSERT INTO u VALUES (1,10,100.5,'a'),(2,20,200.5,'b'),(3,30,100.5,'b'),(7,70,700.5,'c'),(4,10,400.5,'a');
CREATE TABLE w(id INTEGER, s STRUCT(a INTEGER, b VARCHAR), l INTEGER[], m MAP(VARCHAR, INTEGER), v INTEGER);
INSERT INTO w VALUES (1,{'a':1,'b':'p'},[1,2,3],MAP{'k':1},5),(2,{'a':2,'b':'q'},[4],MAP{'k':2},6),
(3,{'a':3,'b':'p'},[],MAP{'j':3},7);
CREATE VIEW vt AS SELECT id, g, x * 2 AS x2 FROM t;
"""
HOLES = """
UPDATE t SET x = NULL WHERE id = 3;
UPDATE t SET y = NULL WHERE id IN (2, 5);
UPDATE t SET g = NULL WHERE id = 4;
UPDATE t SET d = NULL WHERE id = 6;
UPDATE t SET b = NULL WHERE id = 1;
UPDATE u SET x = NULL WHERE id = 2;
UPDATE u SET z = NULL WHERE id = 7;
UPDATE u SET g = NULL WHERE id = 3;
UPDATE w SET v = NULL WHERE id = 2;
"""
AROUND = {
    "alone": "{}",
    "derived": "SELECT * FROM ({}) around",
    "with": "WITH around AS ({}) SELECT * FROM around",
    "counted": "SELECT count(*) FROM ({})",
    "twice": "WITH around AS ({}) SELECT a.*, b.* FROM around a POSITIONAL JOIN around b",
}

Rows = list[tuple[object, ...]]


@pytest.fixture(scope="module")
def complete() -> Iterator[Database]:
    with imputedb.connect() as db:
        db.execute(COMPLETE)
        yield db


@pytest.fixture(scope="module")
def incomplete() -> Iterator[Database]:
    with imputedb.connect() as db:
        db.execute(COMPLETE + HOLES)
        yield db


def bag(rows: Rows) -> Counter[str]:
    return Counter(repr([round(v, 9) if isinstance(v, float) else v for v in row]) for row in rows)


def plain(db: Database, query: str) -> tuple[list[str], list[str], Rows] | None:
    """DuckDB's names, types and rows; None where it rejects the query."""
    connection = db._engine.connection.cursor()
    try:
        relation = connection.sql(query)
        if relation is None:  # PIVOT, which is several statements
            return None
        return relation.columns, [str(kind) for kind in relation.types], relation.fetchall()
    except duckdb.Error:
        return None


def texts(around: str) -> Iterator[str]:
    """The queries alone; or half of them, for each `around` another half, inside of it."""
    for query in QUERIES:
        inside = crc32(f"{around} {query}".encode()) % 2 == 0 and not query.startswith(("PIVOT", "UNPIVOT"))
        if around == "alone" or inside:
            yield AROUND[around].format(query)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("around", AROUND)
def test_complete_data_equals_duckdb(complete: Database, around: str) -> None:
    wrong, seen = [], 0
    for text in texts(around):
        expected = plain(complete, text)
        if expected is not None:
            result = complete.sql(text)
            seen += 1
            if (result.columns, result.types, bag(result.fetchall())) != (*expected[:2], bag(expected[2])):
                wrong.append(text)
    assert not wrong
    assert seen > 0.97 * len(list(texts(around)))


@pytest.mark.sampled(4)
@pytest.mark.parametrize("around", AROUND)
def test_missing_values_answer_as_over_completed_tables(incomplete: Database, around: str) -> None:
    """O6, and that nothing is refused."""
    wrong = []
    for text in texts(around):
        expected = plain(incomplete, text)
        if expected is None:
            continue
        try:
            planned = incomplete.sql(text, imputer="mean")
            base = incomplete.sql(text, imputer="mean", strategy="base")
        except imputedb.Error as error:
            wrong.append(f"{text}: {error}")
            continue
        shape = (planned.columns, planned.types)
        if shape != expected[:2] or bag(planned.fetchall()) != bag(base.fetchall()):
            wrong.append(text)
    assert not wrong


@pytest.mark.sampled(2)
def test_several_draws_answer(incomplete: Database) -> None:
    wrong = []
    for text in texts("alone"):
        try:
            incomplete.sql(text, m=2, imputer="hotdeck").fetchall()
        except imputedb.Error as error:
            wrong.append(f"{text}: {error}")
    assert not wrong


def test_equal_imputed_values_are_said_to_be_why_a_subquery_gives_two_rows(db: Database) -> None:
    db.execute("CREATE TABLE u AS SELECT * FROM (VALUES (1, 1.0), (2, 2.0), (3, 3.0), (4, NULL)) v(id, z)")
    with pytest.raises(imputedb.QueryError, match="Imputed values may be equal"):
        db.sql("SELECT (SELECT id FROM u WHERE z = 2)", imputer="mean")
    with pytest.raises(imputedb.QueryError, match="Imputed values may be equal"):
        db.sql("SELECT * FROM (SELECT (SELECT id FROM u WHERE z = 2) AS id LIMIT 1)", imputer="mean")


def test_a_star_is_blamed_only_where_there_is_one(incomplete: Database) -> None:
    for text in (
        "SELECT * FROM t WHERE x > (SELECT avg(x) FROM t)",
        "SELECT g, sum(x) FROM t GROUP BY g HAVING sum(x) > (SELECT avg(x) FROM u)",
        "SELECT id FROM t WHERE x IN (SELECT * FROM (SELECT x FROM u))",
    ):
        assert not [note for note in incomplete.sql(text, imputer="mean").report.notes if "star" in note], text
    noted = incomplete.sql("SELECT * LIKE 'x%' FROM t", imputer="mean").report.notes
    assert any("COLUMNS(...) or a star" in note for note in noted)
