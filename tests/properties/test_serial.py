"""Threads side by side: what eight of them ask and write at random is what some order, one after another, gives."""

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import sleep
from typing import Any

import pytest

import imputedb
from imputedb import Database

THREADS, STEPS = 8, 1

QUESTIONS: Sequence[tuple[str, dict[str, Any]]] = (
    ("SELECT max(c.n), count(*), avg(t.x), sum(t.y) FROM t, clock c", {"imputer": "mean"}),
    ("SELECT max(c.n), t.g, avg(t.x), count(*) FROM t, clock c GROUP BY t.g ORDER BY ALL", {"imputer": "norm"}),
    ("SELECT max(c.n), count(*), min(t.y) FROM t, clock c WHERE t.x > 2 OR t.y < 3", {"imputer": "hotdeck"}),
    ("SELECT max(c.n), avg(t.x), sum(t.y) FROM t, clock c WHERE t.y > 1", {"imputer": "tree"}),
    ("SELECT max(c.n), avg(t.x) FROM t, clock c", {"imputer": "norm", "m": 3}),
    ("SELECT max(c.n), count(*), avg(u.v) FROM t JOIN u USING (id), clock c WHERE t.x >= 2", {"imputer": "knn"}),
    (
        "WITH q AS (SELECT x, y FROM t WHERE x > 1) SELECT max(c.n), avg(q.y), count(*) FROM q, clock c",
        {"imputer": "mean"},
    ),
    ("SELECT max(c.n), count(*) FROM t, clock c WHERE t.x > (SELECT avg(v) FROM u)", {"imputer": "mean"}),
)
"""Each says at which moment it has been answered: the clock is moved by every write."""

TABLES = (
    "CREATE TABLE clock AS SELECT 0 AS n",
    """CREATE TABLE t AS SELECT i::INTEGER AS id, i % 3 AS g, CASE WHEN i % 4 > 0 THEN i % 7 / 2 END AS x,
           CASE WHEN i % 5 > 0 THEN i % 6 + 0.25 END::DOUBLE AS y FROM range(60) r(i)""",
    "CREATE TABLE u AS SELECT i::INTEGER id, CASE WHEN i % 3 > 0 THEN i % 5 END::DOUBLE v FROM range(0, 90, 2) r(i)",
)


@dataclass
class Seen:
    """What threads have written, by moment, and what they have been answered."""

    writes: dict[int, str] = field(default_factory=dict)
    answers: list[tuple[int, str]] = field(default_factory=list)
    failed: list[BaseException] = field(default_factory=list)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("seed", range(2))
def test_answers_and_writes_are_those_of_a_serial_order(seed: int, tmp_path: Path) -> None:
    seen = Seen()
    with _made(tmp_path / "together.duckdb") as db:
        threads = [threading.Thread(target=_at_work, args=(db, seed * THREADS + n, seen)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not seen.failed, seen.failed
    assert sorted(seen.writes) == list(range(1, len(seen.writes) + 1))
    with _made(tmp_path / "alone.duckdb") as db:
        for moment in range(len(seen.writes) + 1):
            if moment:
                db.execute("UPDATE clock SET n = n + 1")
                db.sql(seen.writes[moment])
            for place, text in {one for one in seen.answers if _moment(one[1]) == moment}:
                assert text == _asked(db, place), (QUESTIONS[place], moment)


def _made(path: Path) -> Database:
    db = imputedb.connect(path)
    for text in (*TABLES, "SET threads = 1"):  # else DuckDB adds numbers up in the order of its own threads
        db.execute(text)
    return db


def _moment(text: str) -> int:
    """The first cell of the first row: the clock, as a number of either kind."""
    return int(float(text.removeprefix("[(").partition(",")[0]))


def _asked(db: Database, place: int) -> str:
    text, how = QUESTIONS[place]
    return str(db.sql(text, seed=1, **how).fetchall())


def _at_work(db: Database, seed: int, seen: Seen) -> None:
    r = random.Random(seed)
    try:
        with db.session() as mine:
            for _ in range(STEPS):
                if r.random() < 0.3:
                    _write(mine, r, seen)
                else:
                    place = r.randrange(len(QUESTIONS))
                    seen.answers.append((place, _asked(mine, place)))
    except BaseException as error:
        seen.failed.append(error)


def _write(mine: Database, r: random.Random, seen: Seen) -> None:
    """One write, and sometimes a question in its transaction, which sees it; tried again where another came before."""
    text, place = _statement(r), r.choice((None, r.randrange(len(QUESTIONS))))
    while True:
        mine.execute("BEGIN")
        try:
            mine.execute("UPDATE clock SET n = n + 1")
            mine.sql(text)
            ((moment,),) = mine.execute("SELECT n FROM clock")
            inside = [] if place is None else [(place, _asked(mine, place))]
            mine.execute("COMMIT")
        except imputedb.Error as error:
            if "onflict" not in str(error):
                raise
            mine.execute("ROLLBACK")
            sleep(r.random() / 50)
            continue
        seen.writes[moment] = text
        seen.answers += inside
        return


def _statement(r: random.Random) -> str:
    number, value = r.randrange(60), r.choice(("NULL", str(r.randrange(8))))
    return r.choice(
        (
            f"INSERT INTO t VALUES ({100 + number}, {number % 3}, {value}, {number % 6})",
            f"UPDATE t SET x = {value} WHERE id = {number}",
            f"DELETE FROM t WHERE id = {number}",
            f"UPDATE u SET v = {value} WHERE id % 7 = {number % 7}",
            f"CREATE IMPUTATION POLICY ON t(x) RANGE 0 TO {4 + number}",
        )
    )
