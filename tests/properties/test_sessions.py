"""Sessions: each with its own transactions, settings and temporary tables, side by side, over shared caches."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import Database, QueryError, StorageError

QUERY = "SELECT g, avg(x), count(*) FROM t WHERE y > 4 GROUP BY g ORDER BY g"


@pytest.fixture(params=["memory", "file"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    path = ":memory:" if request.param == "memory" else tmp_path / "a.duckdb"
    rng = np.random.default_rng(0)
    with imputedb.connect(path) as db:
        x = np.ma.masked_array(rng.normal(3, 1, 400), rng.random(400) < 0.3)
        columns = {"id": np.arange(400), "g": np.arange(400) % 3, "x": x, "y": rng.normal(5, 1, 400)}
        db.register("t", columns, keep=True)
        yield db


def test_sessions_share_what_is_cached(db: Database) -> None:
    def misses() -> int:
        return sum(use.misses for use in db.caches() if use.name.startswith("columns of stored"))

    found = db.sql(QUERY, seed=1).fetchall()
    before = misses()
    with db.session() as other:
        assert other.sql(QUERY, seed=1).fetchall() == found
    assert misses() == before


def test_each_has_its_own_temporary_tables_settings_and_frames(db: Database) -> None:
    with db.session() as other:
        db.execute("CREATE TEMP TABLE mine AS SELECT 1 AS a, NULL::INT AS b UNION ALL SELECT 3, 4")
        other.execute("CREATE TEMP TABLE mine AS SELECT 2 AS a, 7 AS b UNION ALL SELECT 4, NULL")
        query = "SELECT sum(a), sum(b) FROM mine"
        assert db.sql(query, imputer="mean").fetchall() == [(4, 8)]
        assert other.sql(query, imputer="mean").fetchall() == [(6, 14)]
        other.register("frame", {"a": np.arange(3)})
        assert "frame" in other.tables()
        assert "frame" not in db.tables()
        other.execute("CREATE SCHEMA apart; CREATE TABLE apart.t AS SELECT 9 AS x; SET search_path = 'apart'")
        assert other.sql("SELECT x FROM t").fetchall() == [(9,)]
        assert db.sql("SELECT count(*) FROM t").fetchall() == [(400,)]


def test_a_transaction_is_seen_once_it_is_committed(db: Database) -> None:
    count = "SELECT count(*), sum(x) FROM t WHERE x > 1"
    with db.session() as other:
        before = db.sql(count, imputer="mean").fetchall()
        other.execute("BEGIN")
        other.execute("UPDATE t SET x = 0 WHERE g = 1")
        inside = other.sql(count, imputer="mean").fetchall()
        assert inside != before
        assert db.sql(count, imputer="mean").fetchall() == before
        assert other.sql(count, imputer="mean").fetchall() == inside
        other.execute("COMMIT")
        assert db.sql(count, imputer="mean").fetchall() == inside
        db.execute("BEGIN")
        assert db.sql(count, imputer="mean").fetchall() == inside
        other.execute("DELETE FROM t WHERE g = 2")
        assert db.sql(count, imputer="mean").fetchall() == inside
        db.execute("ROLLBACK")
        assert db.sql(count, imputer="mean").fetchall() == other.sql(count, imputer="mean").fetchall() != inside


def test_policies_are_of_the_database(db: Database) -> None:
    with db.session() as other:
        other.sql("CREATE IMPUTATION POLICY ON t(x) KEEP")
        assert db.sql("SELECT count(x) FROM t", imputer="mean").fetchall()[0][0] < 400
        other.execute("BEGIN")
        other.sql("CREATE IMPUTATION POLICY ON t(x) IMPUTE")
        assert db.sql("SELECT count(x) FROM t", imputer="mean").fetchall()[0][0] < 400
        other.execute("ROLLBACK")
        assert other.sql("SELECT count(x) FROM t", imputer="mean").fetchall()[0][0] < 400
        db.sql("DROP IMPUTATION POLICY ON t(x)")
        assert other.sql("SELECT count(x) FROM t", imputer="mean").fetchall() == [(400,)]


def test_readers_run_side_by_side(db: Database) -> None:
    """One reader waits in the middle of its call until the other has answered."""
    answered = threading.Event()
    reached = threading.Event()

    def wait(*_: object) -> None:
        reached.set()
        assert answered.wait(60)

    with db.session() as other:
        one = threading.Thread(target=lambda: other.sql(QUERY, imputer="knn", progress=wait))
        one.start()
        assert reached.wait(60)
        found = db.sql(QUERY, imputer="knn").fetchall()
        answered.set()
        one.join()
        assert other.sql(QUERY, imputer="knn").fetchall() == found


def test_the_first_closes_the_others(db: Database) -> None:
    other = db.session()
    kept = other.sql(QUERY)
    db.close()
    with pytest.raises(StorageError, match="closed"):
        other.sql(QUERY)
    with pytest.raises(StorageError, match="closed"):
        kept.fetchall()
    with pytest.raises(StorageError, match="closed"):
        db.session()
    other.close()


def test_a_statement_is_interrupted_from_another_thread(db: Database) -> None:
    raised: list[BaseException] = []
    other = db.session()

    def endless() -> None:
        try:
            other.execute("SELECT count(*) FROM range(100000000) a, range(100000) b WHERE a.range % 7 = b.range % 11")
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=endless)
    thread.start()
    while thread.is_alive():
        other.interrupt()
        thread.join(0.05)
    assert isinstance(raised[0], QueryError)
    assert other.sql("SELECT 1").fetchall() == [(1,)]


def _concurrently(works: list[Callable[[], None]]) -> None:
    errors: list[BaseException] = []

    def caught(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=caught, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_answers_are_those_of_some_moment(db: Database) -> None:
    """Seven threads ask and write; every answer is the one of a state that the table had."""
    _steps(db, range(0))
    writes, question = 5, "SELECT max(step), count(*), sum(v), sum(g) FROM steps"
    seen: list[tuple[Any, ...]] = []

    def write() -> None:
        with db.session() as mine:
            for step in range(1, writes + 1):
                _step(mine, step)

    def read(query: str, imputer: str) -> Callable[[], None]:
        def reading() -> None:
            with db.session() as mine:
                for _ in range(4):
                    seen.extend((imputer, *row) for row in mine.sql(query, imputer=imputer).fetchall())

        return reading

    _concurrently([write, *[read(question, "mean")] * 4, *[read(question, "norm")] * 2])
    fresh = {}
    for step in range(writes + 1):
        with imputedb.connect() as apart:
            _steps(apart, range(1, step + 1))
            for imputer in ("mean", "norm"):
                fresh[imputer, step] = apart.sql(question, imputer=imputer).fetchall()[0]
    assert {imputer for imputer, *_ in seen} == {"mean", "norm"}
    for imputer, *row in seen:
        assert tuple(row) == fresh[imputer, row[0]], (imputer, row)


def _steps(db: Database, steps: range) -> None:
    db.execute("CREATE TABLE steps(step INT, v DOUBLE, g INT)")
    db.execute("INSERT INTO steps VALUES (0, 1.5, 0), (0, NULL, 1)")
    for step in steps:
        _step(db, step)


def _step(db: Database, step: int) -> None:
    gap = "NULL" if step % 3 else "7.25"
    db.execute(f"INSERT INTO steps VALUES ({step}, {2**step}, {step % 4}), ({step}, {gap}, 2)")


def test_what_a_cell_is_like_is_asked_of_the_sessions_own_rows(db: Database) -> None:
    rows = "SELECT range AS id, CASE WHEN range % 4 > 0 THEN {} + range END AS x, range AS y FROM range(40)"
    with db.session() as other:
        db.execute(f"CREATE TEMP TABLE mine AS {rows.format(0)}")
        other.execute(f"CREATE TEMP TABLE mine AS {rows.format(1000)}")
        assert db.why("mine", "x", 8).value < 100
        assert other.why("mine", "x", 8).value > 1000
        mine = db.why("t", "x", int(np.flatnonzero(_missing(db))[0])).value
        other.execute("BEGIN; UPDATE t SET x = x + 5000")
        assert other.why("t", "x", int(np.flatnonzero(_missing(db))[0])).value > 1000
        assert db.why("t", "x", int(np.flatnonzero(_missing(db))[0])).value == mine
    assert db.why("t", "x", int(np.flatnonzero(_missing(db))[0])).value == mine


def _missing(db: Database) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.array([x is None for (x,) in db.execute("SELECT x FROM t ORDER BY id")])


def test_a_session_of_a_session_outlives_it(db: Database) -> None:
    one = db.session()
    two = one.session()
    one.close()
    assert two.sql(QUERY).fetchall() == db.sql(QUERY).fetchall()
    two.close()


def test_what_a_call_uses_cannot_ask_another_session(db: Database) -> None:
    with db.session() as other:
        with pytest.raises(QueryError, match="in the middle of a call"):
            db.sql(QUERY, imputer="knn", progress=lambda *_: other.sql("SELECT 1"))
        assert other.sql("SELECT 1").fetchall() == [(1,)]


def test_policies_in_a_transaction_after_a_query(tmp_path: Path) -> None:
    with imputedb.connect(tmp_path / "f.duckdb") as db:
        db.execute("CREATE TABLE v AS SELECT CASE WHEN range % 4 > 0 THEN range END AS d FROM range(40)")
        db.execute("BEGIN")
        db.execute("INSERT INTO v VALUES (1000)")
        db.sql("SELECT avg(d) FROM v", imputer="mean")
        db.policy("v", "d", low=0)
        db.execute("COMMIT")
        assert db.execute("SELECT max(d) FROM v") == [(1000,)]
        assert db.policies()
