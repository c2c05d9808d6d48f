"""Parquet files that are read where they are: the same answers as of copies of them, and of tables, nothing copied."""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import imputedb
from imputedb.engines.duckdb import copies, fetching

ROWS = """
    SELECT range AS id, 'g' || range % 5 AS part, CASE WHEN hash(range) % 6 > 0 THEN range % 40 + 0.5 END AS x,
           CASE WHEN hash(range, 1) % 7 > 0 THEN range % 40 * 2 + CAST(hash(range, 2) % 9 AS DOUBLE) END AS y,
           CASE WHEN hash(range, 3) % 8 > 0 THEN 'k' || range % 3 END AS k
    FROM range(3000)
"""
QUERIES = (
    "SELECT part, round(avg(y), 6), count(*), min(k) FROM {t} GROUP BY part ORDER BY part",
    "SELECT id, x, y, k FROM {t} WHERE y > 30 ORDER BY id LIMIT 40",
    "SELECT * FROM {t} ORDER BY id LIMIT 5",
    "SELECT a.id, b.y FROM {t} a JOIN {t} b ON a.id = b.id + 1 WHERE a.x < 9 ORDER BY a.id LIMIT 30",
    "SELECT k, round(sum(y), 6) FROM (SELECT k, y FROM {t} WHERE id % 2 = 0) GROUP BY k ORDER BY k",
    "SELECT id, (SELECT max(y) FROM {t} b WHERE b.part = a.part) FROM {t} a WHERE x > 39 ORDER BY id LIMIT 9",
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    with imputedb.connect() as db:
        db.execute(f"COPY ({ROWS}) TO '{folder}/one.parquet' (FORMAT parquet, ROW_GROUP_SIZE 2048)")
        db.execute(f"COPY ({ROWS}) TO '{folder}/parts' (FORMAT parquet, PARTITION_BY (part))")
    return folder


@pytest.fixture
def db() -> Iterator[imputedb.Database]:
    with imputedb.connect() as found:
        yield found


def in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads files of any size where they are."""
    monkeypatch.setattr(copies, "COPIED", 0)
    monkeypatch.setattr(copies.Temporary, "copy", None)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", ["one.parquet", "parts/**/*.parquet"])
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_answers_are_those_of_copies(
    db: imputedb.Database, files: Path, name: str, alpha: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [query.format(t=f"read_parquet('{files}/{name}')") for query in QUERIES]
    copied = [db.sql(text, alpha=alpha, seed=1).fetchall() for text in texts]
    in_place(monkeypatch)
    for text, wanted in zip(texts, copied, strict=True):
        assert db.sql(text, alpha=alpha, seed=1).fetchall() == wanted, text


def test_many_draws_and_kept_values_are_those_of_copies(
    db: imputedb.Database, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = QUERIES[0].format(t=f"'{files}/one.parquet'")
    wanted = [db.sql(text, m=3, seed=1).fetchall(), db.sql(text, fit="table").fetchall()]
    in_place(monkeypatch)
    assert [db.sql(text, m=3, seed=1).fetchall(), db.sql(text, fit="table").fetchall()] == wanted


def test_a_star_shows_the_columns_of_the_file_alone(
    db: imputedb.Database, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_place(monkeypatch)
    found = db.sql(f"SELECT * FROM '{files}/one.parquet' WHERE y > 3 LIMIT 1")
    assert [name.lower() for name in found.columns] == ["id", "part", "x", "y", "k"]
    found = db.sql(f"SELECT *, filename FROM '{files}/one.parquet' WHERE y > 3 LIMIT 1")
    assert found.columns[-1] == "filename"


def test_files_that_have_changed_are_looked_at_anew(
    db: imputedb.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_place(monkeypatch)
    path = tmp_path / "f.parquet"
    text = f"SELECT count(y), avg(y) FROM '{path}'"
    for low in (0, 1000):
        db.execute(f"COPY (SELECT CASE WHEN i % 4 > 0 THEN i END AS y FROM range({low}, {low} + 400) r(i)) TO '{path}'")
        os.utime(path, ns=(low, low))
        (row,) = db.sql(text).fetchall()
        assert row[0] == 400
        assert low < row[1] < low + 400


def test_files_with_row_ids_of_their_own_are_copied(
    db: imputedb.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "COPIED", 0)
    path = tmp_path / "f.parquet"
    db.execute(f"COPY (SELECT 7 AS rowid, CASE WHEN i % 4 > 0 THEN i END AS y FROM range(400) r(i)) TO '{path}'")
    assert db.sql(f"SELECT min(rowid), count(y) FROM '{path}'").fetchall() == [(7, 400)]


def test_a_copy_of_completed_rows_is_written_from_files_in_place(
    db: imputedb.Database, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_place(monkeypatch)
    db.sql(f"COPY (SELECT * FROM '{files}/one.parquet') TO '{tmp_path}/out.parquet' (FORMAT parquet)")
    assert db.execute(f"SELECT count(*), count(y), count(k) FROM '{tmp_path}/out.parquet'") == [(3000, 3000, 3000)]


@pytest.mark.parametrize("name", ["file_row_number", "File_Index", "filename", "c0", "file"])
def test_columns_are_called_what_tells_rows_of_files_apart(
    db: imputedb.Database, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = f"SELECT part, id, x, y, id % 7 AS {name} FROM ({ROWS})"
    db.execute(f"COPY ({rows}) TO '{tmp_path}/one.parquet' (FORMAT parquet)")
    text = f"SELECT sum(y), count(*), sum(CAST({name} AS INTEGER)) FROM '{tmp_path}/one.parquet' WHERE {name} <> 3"
    wanted = db.sql(text, seed=1).fetchall()
    in_place(monkeypatch)
    assert db.sql(text, seed=1).fetchall() == wanted


@pytest.mark.sampled(3)
@pytest.mark.parametrize("folder", ["part", "file_index", "filename"])
@pytest.mark.parametrize("asked", [{}, {"m": 3}, {"fit": "table"}])
def test_filters_that_leave_files_out_read_the_rows_of_the_others(
    db: imputedb.Database, tmp_path: Path, folder: str, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = f"SELECT 'g' || id % 3 AS {folder}, id % 3 * 1000 + x AS x, id % 3 * 1000 + y AS y FROM ({ROWS})"
    db.execute(f"COPY ({rows}) TO '{tmp_path}/all' (FORMAT parquet, PARTITION_BY ({folder}))")
    text = f"SELECT min(y), max(y), sum(x), count(*) FROM '{tmp_path}/all/*/*.parquet' WHERE {folder} = 'g2'"
    wanted = db.sql(text, seed=1, **asked).fetchall()
    assert wanted[0][0] >= 2000
    in_place(monkeypatch)
    assert db.sql(text, seed=1, **asked).fetchall() == wanted


def test_files_of_several_columns_are_read_by_name(
    db: imputedb.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part, name, rows in ((0, "file_row_number", 900), (1, "g", 0), (2, "file_index", 1300)):
        text = f"SELECT part, id, x, y, id % 7 AS {name} FROM ({ROWS}) WHERE id < {rows}"
        db.execute(f"COPY ({text}) TO '{tmp_path}/{part}.parquet' (FORMAT parquet)")
    text = f"SELECT sum(y), sum(x), count(*) FROM read_parquet('{tmp_path}/*.parquet', union_by_name = true)"
    wanted = db.sql(text, seed=1).fetchall()
    in_place(monkeypatch)
    assert db.sql(text, seed=1).fetchall() == wanted


def test_files_named_twice_and_names_given_by_options_are_copied(
    db: imputedb.Database, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"'{files}/one.parquet'"
    items = (f"read_parquet([{path}, {path}])", f"read_parquet({path}, filename = 'file_index')")
    texts = [f"SELECT sum(y), count(*) FROM {item}" for item in items]
    wanted = [db.sql(text, seed=1).fetchall() for text in texts]
    monkeypatch.setattr(copies, "COPIED", 0)
    assert [db.sql(text, seed=1).fetchall() for text in texts] == wanted


def test_a_file_that_grows_while_it_is_read_is_told(
    db: imputedb.Database, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_place(monkeypatch)
    for name in ("a", "b"):
        db.execute(f"COPY (SELECT * FROM ({ROWS}) LIMIT 900) TO '{tmp_path}/{name}.parquet'")
    make = copies.Temporary.make

    def grown(self: copies.Temporary, kind: str, name: str, columns: Sequence[str], text: str) -> None:
        make(self, kind, name, columns, text)
        shutil.copy(files / "one.parquet", tmp_path / "a.parquet")
        monkeypatch.setattr(copies.Temporary, "make", make)

    monkeypatch.setattr(copies.Temporary, "make", grown)
    with pytest.raises(imputedb.Error, match="have become others"):
        db.sql(f"SELECT count(*), avg(y) FROM '{tmp_path}/*.parquet'", m=3)


@pytest.mark.parametrize("keeps", [False, True])
def test_a_file_that_becomes_another_meanwhile_is_refused(
    db: imputedb.Database, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, keeps: bool
) -> None:
    in_place(monkeypatch)
    one, other = tmp_path / "one.parquet", tmp_path / "other.parquet"
    shutil.copy(files / "one.parquet", one)
    query = QUERIES[0].format(t=f"'{one}'")
    text = f"COPY ({query}) TO '{tmp_path}/o.csv'" if keeps else query
    asked = db.sql(text, imputer="mean")
    name = "answered" if keeps else "held"
    work = getattr(fetching, name)

    def replacing(connection: Any, text: str, *given: Any) -> Any:
        if "avg" in text:  # another file of as many bytes, in the middle of the statement
            shutil.copy(files / "one.parquet", other)
            os.replace(other, one)
        return work(connection, text, *given)

    monkeypatch.setattr(fetching, name, replacing)
    (tmp_path / "o.csv").unlink(missing_ok=True)
    with pytest.raises(imputedb.DataError, match="have become others while they were read: ask again"):
        db.sql(text, imputer="mean")
    assert not (tmp_path / "o.csv").exists()
    monkeypatch.setattr(fetching, name, work)
    assert db.sql(text, imputer="mean").fetchall() == asked.fetchall()
