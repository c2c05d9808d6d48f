"""Queries beside whoever else writes: each runs once beside sessions, and sees one state beside connections."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import imputedb
from imputedb import Database

ROWS = "CREATE TABLE t AS SELECT i AS k, CASE WHEN i % 3 > 0 THEN i * 1.0 END AS x FROM range(90) AS r(i)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.duckdb"


@pytest.fixture
def db(path: Path) -> Iterator[Database]:
    with imputedb.connect(path) as db:
        db.execute(ROWS)
        db.execute("CREATE SEQUENCE numbers; CREATE TABLE other (a INTEGER)")
        yield db


def test_beside_a_session_that_writes_a_query_moves_its_sequence_once(db: Database) -> None:
    with db.session() as other:

        def progress(_: float) -> None:
            worker = threading.Thread(target=other.execute, args=("INSERT INTO other VALUES (1)",))
            worker.start()
            worker.join()

        query = "SELECT nextval('numbers'), avg(x) FROM t"
        found = [db.sql(query, progress=progress).fetchall()[0][0] for _ in range(5)]
        written = other.sql("SELECT count(*) FROM other").fetchall()[0][0]
    assert found == [1, 2, 3, 4, 5]
    assert written, "nothing was written meanwhile, and nothing is tested"


def test_beside_a_connection_that_writes_an_answer_is_of_one_state(db: Database, path: Path) -> None:
    foreign = imputedb.connect(path)
    done = []

    def progress(_: float) -> None:
        if not done:
            done.append(foreign.execute("DELETE FROM t WHERE k < 45"))

    count, average = db.sql("SELECT count(*), avg(x) FROM t", progress=progress, imputer="tree").fetchall()[0]
    foreign.close()
    assert done
    assert count == db.sql("SELECT count(*) FROM t").fetchall()[0][0]
    assert average == db.sql("SELECT avg(x) FROM t", imputer="tree").fetchall()[0][0]
