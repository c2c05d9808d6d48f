"""Whatever is written, by whatever statement or connection, no answer rests on what a table held before."""

import random
from pathlib import Path

import pytest

import imputedb
from imputedb import Database
from imputedb.engines.cache import CacheUse
from tests.properties.amount import examples

COLUMNS = "columns of stored tables, as imputers read them"

QUERIES = (
    "SELECT avg(x), sum(y), count(*) FROM t",
    "SELECT g, avg(y) FROM t WHERE x > 3 GROUP BY g ORDER BY g",
    "SELECT avg(t.x + u.v) FROM t JOIN u USING (g)",
    "SELECT avg(v) FROM u",
    "SELECT avg(x) FROM t WHERE y < (SELECT max(v) FROM u)",
)

WRITES = (
    "INSERT INTO t SELECT range % 3, range, NULL FROM range({n})",
    "INSERT INTO main.t (g, x) VALUES (1, {n})",
    "UPDATE t SET x = x + {n} WHERE g = 1",
    "UPDATE t SET y = NULL WHERE x > {n}",
    "DELETE FROM t WHERE x = {n}",
    "DELETE FROM u WHERE v > 3 * {n}",
    "INSERT INTO u VALUES (2, {n}), (0, NULL) RETURNING v",
    "MERGE INTO u USING (SELECT {n} AS v) AS s ON u.v = s.v WHEN MATCHED THEN DELETE "
    "WHEN NOT MATCHED THEN INSERT VALUES (1, s.v)",
    "COPY u FROM '{file}'",
    "COPY t TO '{other}'",
    "WITH w AS (SELECT {n} AS v) INSERT INTO u SELECT 2, v FROM w",
    "ALTER TABLE t RENAME COLUMN y TO z; ALTER TABLE t RENAME COLUMN z TO y",
    "ALTER TABLE u ALTER v TYPE DOUBLE",
    "CREATE OR REPLACE TABLE u AS SELECT g, v + {n} AS v FROM u",
    "BEGIN; UPDATE t SET x = NULL WHERE g = 2; ROLLBACK",
    "BEGIN; UPDATE t SET x = NULL WHERE g = 2 AND x > {n}; COMMIT",
    "TRUNCATE u; INSERT INTO u VALUES (0, {n}), (1, NULL), (2, 5)",
    "SELECT count(*) FROM t",
    "SET threads = 2",
    "PREPARE p AS INSERT INTO u VALUES (1, $1)",
    "PREPARE p AS UPDATE t SET x = $1 WHERE g = 0 AND y IS NULL; EXECUTE p({n})",
    "EXPLAIN ANALYZE UPDATE t SET x = {n} WHERE g = 2 AND x > {n}",
    "EXPLAIN ANALYZE CREATE OR REPLACE TABLE u AS SELECT g, v - {n} AS v FROM u",
    "PREPARE p AS UPDATE u SET v = v + $1; EXPLAIN ANALYZE EXECUTE p({n})",
    "CREATE OR REPLACE TABLE w AS SELECT 1 AS a; CREATE TRIGGER tr AFTER INSERT ON w FOR EACH STATEMENT "
    "UPDATE t SET x = x + {n} WHERE g = 0; INSERT INTO w VALUES (2); DROP TABLE w",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql("
    "'WITH w AS (UPDATE u SET v = v + 1 RETURNING v) SELECT count(*) FROM w'))",
    "CREATE TEMP TABLE IF NOT EXISTS other AS FROM t; INSERT INTO other FROM t",
)


def test_answers_follow_every_write(tmp_path: Path) -> None:
    chance = random.Random(5)
    path = tmp_path / "a.duckdb"
    file, other = tmp_path / "u.csv", tmp_path / "t.csv"
    file.write_text("g,v\n1,7\n2,\n")
    with imputedb.connect(path) as db, imputedb.connect(path) as foreign:
        db.execute(
            "CREATE TABLE t AS SELECT range % 3 AS g, CASE WHEN range % 4 > 0 THEN range END AS x, "
            "CASE WHEN range % 5 > 1 THEN 2.5 * range END AS y FROM range(40)"
        )
        db.execute("CREATE TABLE u AS SELECT range % 3 AS g, CASE WHEN range % 3 > 0 THEN range END AS v FROM range(9)")
        for turn in range(examples(12)):
            write = chance.choice(WRITES).format(n=chance.randrange(2, 30), file=file, other=other)
            if "TEMP" not in write and chance.random() < 0.2:
                foreign.execute(write)
            elif ";" not in write and chance.random() < 0.5:
                db.sql(write, imputer="mean")
            else:
                db.execute(write)
            query = chance.choice(QUERIES)
            answer = db.sql(query, imputer="mean")
            with imputedb.connect(path) as fresh:
                anew = fresh.sql(query, imputer="mean")
                assert answer.fetchall() == anew.fetchall(), (turn, write, query)
                assert answer.report.imputed == anew.report.imputed, (turn, write, query)


def _use(db: Database, name: str) -> CacheUse:
    (found,) = [use for use in db.caches() if use.name == name]
    return found


@pytest.mark.parametrize("path", [":memory:", "file.duckdb"])
def test_a_write_to_another_table_makes_nothing_stale(path: str, tmp_path: Path) -> None:
    query = "SELECT avg(x) FROM t WHERE y > 2"
    with imputedb.connect(path if path == ":memory:" else tmp_path / path) as db:
        db.execute("CREATE TABLE t AS SELECT range AS y, CASE WHEN range % 3 > 0 THEN range END AS x FROM range(50)")
        db.execute("CREATE TABLE log(text VARCHAR)")
        db.sql(query)
        before = [_use(db, name) for name in (COLUMNS, "statistics")]
        db.execute("INSERT INTO log VALUES ('a')")
        db.sql("INSERT INTO log SELECT 'b'")
        first = db.sql(query).fetchall()
        columns, known = _use(db, COLUMNS), _use(db, "statistics")
        assert (columns.misses, columns.entries) == (before[0].misses, before[0].entries)
        assert columns.hits > before[0].hits
        assert known.misses == before[1].misses
        db.execute("UPDATE t SET x = 1000 WHERE y = 4")
        assert db.sql(query).fetchall() != first
        assert _use(db, COLUMNS).misses > columns.misses


def test_caches_say_what_they_hold() -> None:
    with imputedb.connect() as db:
        db.execute("CREATE TABLE t AS SELECT range AS y, CASE WHEN range % 3 > 0 THEN range END AS x FROM range(50)")
        db.sql("SELECT avg(x) FROM t")
        found = {use.name: use for use in db.caches()}
        db.sql("SELECT avg(x) FROM t", imputer="tree", fit="table")
        db.sql("SELECT avg(x) FROM t", imputer="tree", fit="table", m=2)
        by_name = {use.name for use in db.caches() if use.key == "name"}
    assert not {name for name in by_name if not name.startswith(("macro", "integer division"))}
    plans = found["plans"]
    assert (plans.entries, plans.bound, plans.bytes) == (1, 256, None)
    assert "a write to any table" in plans.invalidated
    columns = found[COLUMNS]
    assert (columns.bytes or 0) >= 50 * 8
    assert all(use.entries <= use.bound for use in found.values())


def test_a_policy_may_read_another_table_by_a_macro() -> None:
    with imputedb.connect() as db:
        db.execute("CREATE TABLE t AS SELECT range AS y, CASE WHEN range % 3 > 0 THEN range END AS x FROM range(30)")
        db.execute("CREATE TABLE u AS SELECT 5 AS a")
        db.execute("CREATE MACRO g(v) AS v < (SELECT max(a) FROM u)")
        try:
            db.sql("CREATE IMPUTATION POLICY ON t(x) STRUCTURAL WHEN (g(y))")
        except imputedb.QueryError:
            return
        before = db.sql("SELECT count(x) FROM t", imputer="mean").fetchall()
        db.execute("UPDATE u SET a = 20")
        after = db.sql("SELECT count(x) FROM t", imputer="mean").fetchall()
        assert (before, after) == ([(28,)], [(23,)])


def test_other_connections_are_seen_wherever_the_program_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    with imputedb.connect("a.duckdb") as db:
        db.execute("CREATE TABLE t AS SELECT range AS y, CASE WHEN range % 3 > 0 THEN range END AS x FROM range(30)")
        monkeypatch.chdir(tmp_path / "elsewhere")
        query = "SELECT avg(x) FROM t"
        before = db.sql(query, imputer="mean").fetchall()
        with imputedb.connect(tmp_path / "a.duckdb") as other:
            other.execute("UPDATE t SET x = 5000 WHERE y < 5")
            after = other.sql(query, imputer="mean").fetchall()
        assert db.sql(query, imputer="mean").fetchall() == after != before
