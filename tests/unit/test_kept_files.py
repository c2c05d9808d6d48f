"""Rows of text files that are kept between queries: read once, never stale, one meaning whatever is kept."""

import os
import time
from pathlib import Path

import pytest

import imputedb
from imputedb import Database
from imputedb.engines import cache
from imputedb.engines.duckdb import kept_files, text_files, text_items

QUERY = "SELECT count(*), sum(a), min(w) FROM 't.csv'"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The titles of files that are read; those of any size and age are kept."""
    found, create = list[str](), text_files.create

    def noted(engine: object, made: object, files: text_files.TextFiles) -> object:
        found.append(files.title)
        return create(engine, made, files)  # type: ignore[arg-type]

    monkeypatch.setattr(text_files, "create", noted)
    monkeypatch.setattr(kept_files, "LARGE", 0)
    monkeypatch.setattr(kept_files, "_SETTLED", 0)
    return found


@pytest.fixture
def folder(db: Database, tmp_path: Path) -> Path:
    write(tmp_path / "t.csv", 1)
    db.execute(f"SET file_search_path = '{tmp_path}'")
    return tmp_path


def write(path: Path, first: int) -> None:
    path.write_text(f"id,a,w\n1,{first},x\n2,NA,y\n3,3,z\n")


def held(db: Database) -> int:
    (use,) = [use for use in db.caches() if use.name == "rows of text files in FROM"]
    return use.entries


@pytest.mark.usefixtures("folder")
def test_a_file_is_read_once_and_says_the_same_again(db: Database, read: list[str]) -> None:
    db.execute("CREATE VIEW v AS FROM 't.csv'")
    first = db.sql(QUERY, imputer="mean")
    queries = [QUERY, QUERY.replace("'t.csv'", "v"), "WITH w AS (FROM 't.csv') SELECT count(*), sum(a), min(w) FROM w"]
    for query in queries:
        again = db.sql(query, imputer="mean")
        assert again.fetchall() == [(3, 6, "x")]
        assert again.report.notes == first.report.notes
    joined = "SELECT count(*) FROM 't.csv' p JOIN 't.csv' q ON p.a = q.a"
    assert db.sql(joined, imputer="mean").fetchall() == [(3,)]
    drawn = [db.sql(QUERY, imputer="hotdeck", m=5).fetchall() for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert read == ["t.csv"]
    assert db.sql("SHOW TABLES").fetchall() == [("v",)]


def test_a_file_that_has_changed_is_read_anew(db: Database, read: list[str], folder: Path) -> None:
    path = folder / "t.csv"
    for first in (1, 5):
        write(path, first)
        os.utime(path, ns=(7, 7))  # neither its size nor its time tells, the time of that change does
        assert db.sql(QUERY, imputer="mean").fetchall()[0][1] == 1.5 * (first + 3)
        time.sleep(0.02)
    assert (len(read), held(db)) == (2, 1)
    path.unlink()
    with pytest.raises(imputedb.Error, match=r"t\.csv"):
        db.sql(QUERY)


@pytest.mark.usefixtures("folder")
def test_options_and_settings_have_rows_of_their_own(db: Database, read: list[str]) -> None:
    text = "SELECT typeof(a) FROM read_csv('t.csv', nullstr = {}) LIMIT 1"
    assert [db.sql(text.format(null)).fetchall() for null in ("'NA'", "''")] == [[("BIGINT",)], [("VARCHAR",)]]
    db.execute("SET VARIABLE word = 'NA'")
    text = text.format("getvariable('word')")
    assert db.sql(text).fetchall() == [("BIGINT",)]
    db.execute("SET VARIABLE word = ''")
    assert db.sql(text).fetchall() == [("VARCHAR",)]
    assert len(read) == 4


def test_files_of_one_name_in_two_folders_are_two(
    db: Database, read: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for first in (1, 5):
        (tmp_path / str(first)).mkdir()
        write(tmp_path / str(first) / "t.csv", first)
    for first in (1, 5, 1):
        monkeypatch.chdir(tmp_path / str(first))
        assert db.sql(QUERY, imputer="mean").fetchall()[0][1] == 1.5 * (first + 3)
    assert len(read) == 2


@pytest.mark.usefixtures("folder")
def test_nothing_is_kept_of_a_transaction_and_what_is_outlives_it(db: Database, read: list[str]) -> None:
    for end in ("ROLLBACK", "COMMIT"):
        db.execute("BEGIN")
        assert db.sql(QUERY, imputer="mean").fetchall() == [(3, 6, "x")]
        db.execute(end)
        assert held(db) == 0
    db.sql(QUERY)
    db.execute("BEGIN")
    assert db.sql(QUERY, imputer="mean").fetchall() == [(3, 6, "x")]
    db.execute("ROLLBACK")
    assert db.sql(QUERY, imputer="mean").fetchall() == [(3, 6, "x")]
    assert len(read) <= 5


def test_a_file_that_changes_while_it_is_read_is_refused(
    db: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = text_items._made

    def changed(*given: object) -> object:
        found = made(*given)  # type: ignore[arg-type]
        write(folder / "t.csv", 12345)
        return found

    monkeypatch.setattr(text_items, "_made", changed)
    with pytest.raises(imputedb.DataError, match=r"t\.csv: the files in FROM have become others while they were read"):
        db.sql(QUERY)
    monkeypatch.undo()
    db.execute("RESET file_search_path")
    assert db.sql(f"SELECT sum(a) FROM '{folder / 't.csv'}'", imputer="mean").report.notes
    assert db.execute("SHOW TABLES") == []


@pytest.mark.usefixtures("read")
def test_what_is_kept_goes_where_memory_is_short(db: Database, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder / "u.csv", 2)
    db.sql(QUERY)
    assert held(db) == 1
    both = "SELECT count(*) FROM 't.csv' JOIN 'u.csv' USING (id)"
    with monkeypatch.context() as short:
        short.setattr(kept_files, "_SHORT", "SELECT true")
        for _ in range(2):
            assert db.sql(both).fetchall() == [(3,)]
        assert held(db) == 0
    assert db.sql(both).fetchall() == [(3,)]
    assert held(db) == 2
    db.execute("SET threads = 1")
    monkeypatch.setattr(cache, "BOUND", 50)
    for _ in range(3):
        assert db.sql(both).fetchall() == [(3,)]
        assert held(db) == 0
    assert not db._engine.temporary.lasting  # nothing is left of what was too large


@pytest.mark.usefixtures("folder", "read")
def test_a_statement_that_reads_the_catalog_finds_no_rows_of_files(db: Database) -> None:
    db.execute("CREATE VIEW v AS SELECT table_name FROM duckdb_tables(); PREPARE p AS FROM information_schema.tables")
    listings = ["SHOW ALL TABLES", "FROM duckdb_tables()", "FROM (SHOW TABLES)", "FROM v", "EXECUTE p"]
    for listing in [*listings, "SELECT relname FROM pg_class", "PRAGMA show_tables"]:
        db.sql(QUERY)
        assert held(db) == 1
        assert "imputedb" not in str(db.execute(listing)), listing
        assert held(db) == 0
    db.sql(QUERY)
    assert (db.execute("SELECT 1"), held(db)) == ([(1,)], 0)  # the view may be read by any statement
    db.execute("DROP VIEW v")
    db.sql(QUERY)
    assert (db.execute("SELECT 1"), held(db)) == ([(1,)], 1)
    db.execute("CREATE MACRO listed() AS TABLE FROM duckdb_tables()")
    assert (db.execute("SELECT 1"), held(db)) == ([(1,)], 0)
    db.execute("DROP MACRO TABLE listed")
    for end in ("ROLLBACK", "COMMIT"):
        db.sql(QUERY)
        db.execute("BEGIN")
        assert db.execute("SHOW TABLES") == []
        db.execute(end)
        assert db.execute("SHOW TABLES") == []


@pytest.mark.usefixtures("folder")
def test_small_files_are_not_kept(db: Database) -> None:
    db.sql(QUERY)
    assert (held(db), db.execute("SHOW TABLES")) == (0, [])


def test_a_text_that_is_a_value_is_no_file(db: Database) -> None:
    db.execute("CREATE TABLE t AS SELECT 'b.csv' AS s")
    for text in ("UPDATE t SET s = 'a.csv'", "DELETE FROM t WHERE s = 'b.csv'", "SET VARIABLE f = 'a.csv'"):
        assert not db.sql(text).report.notes


def test_coarse_times_settle_late(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: now)
    settled = [
        kept_files._is_settled([(9, then, then, 1, 1)]) for then in (now - 10**9, now - 10**9 + 1, now - 3 * 10**9)
    ]
    assert settled == [False, True, True]


def test_statements_of_duckdb_name_the_files_that_they_read(db: Database, folder: Path) -> None:
    db.execute(f"""
        CREATE TABLE k (id INTEGER, w TEXT); CREATE VIEW v AS FROM '{folder / "t.csv"}'; CREATE VIEW vv AS FROM v;
        CREATE MACRO m() AS TABLE FROM vv; PREPARE p AS UPDATE k SET w = (SELECT max(w) FROM v)
    """)
    for text in (
        "UPDATE k SET w = v.w FROM v WHERE k.id = v.id",
        "DELETE FROM k WHERE id IN (SELECT id FROM vv)",
        "MERGE INTO k USING v ON k.id = v.id WHEN MATCHED THEN UPDATE SET w = v.w",
        "SET VARIABLE most = (SELECT max(id) FROM m())",
        "EXPLAIN ANALYZE SELECT max(a) FROM v",
        "EXECUTE p",
    ):
        (note,) = db.sql(text).report.notes
        assert "t.csv" in note, text
        assert "reads the file alone" in note, text
