"""COPY into folders: all of it or nothing."""

from pathlib import Path

import pytest

import imputedb

PARTS = "COPY (SELECT k, {} AS x FROM t) TO 'parts' (FORMAT parquet, PARTITION_BY (k){})"


@pytest.fixture
def db(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with imputedb.connect() as db:
        db.execute("CREATE TABLE t AS FROM (VALUES ('a', 1.0), ('b', NULL), ('a', 3.0), ('b', 4.0)) v(k, x)")
        yield db


def _files() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(Path().rglob("*")) if path.is_file()}


def _count(db) -> list[tuple[object, ...]]:
    return db.execute("SELECT count(*), count(x) FROM 'parts/*/*.parquet'")


@pytest.mark.parametrize("option", [", OVERWRITE", ", OVERWRITE_OR_IGNORE", ", APPEND", ", OVERWRITE true"])
def test_a_copy_that_fails_changes_nothing_of_a_folder(db, option: str) -> None:
    db.sql(PARTS.format("x", ""))
    before = _files()
    assert _count(db) == [(4, 4)]
    with pytest.raises(imputedb.QueryError, match="halfway"):
        db.sql(PARTS.format("CASE WHEN x > 3 THEN error('halfway') ELSE x END", option))
    assert _files() == before
    assert [path.name for path in Path().iterdir()] == ["parts"]


def test_a_folder_is_replaced_added_to_or_refused(db) -> None:
    Path("parts").mkdir()
    db.sql(PARTS.format("x", ""))
    with pytest.raises(imputedb.StorageError, match="not empty"):
        db.sql(PARTS.format("x", ""))
    db.sql(PARTS.format("x", ", APPEND"))
    assert _count(db) == [(8, 8)]
    db.sql(PARTS.format("x", ", OVERWRITE_OR_IGNORE"))
    assert _count(db) == [(8, 8)]
    shown = db.sql(PARTS.format("x", ", OVERWRITE, RETURN_FILES"))
    assert _count(db) == [(4, 4)]
    assert all(name.startswith("parts/") and Path(name).is_file() for name in shown.fetchall()[0][1])
    assert [path.name for path in Path().iterdir()] == ["parts"]


@pytest.mark.parametrize(
    "text", ["COPY (SELECT error('no') FROM t) TO 'o.csv'", "COPY (SELECT x FROM t) TO 'no/o.csv'"]
)
def test_a_refused_copy_leaves_nothing(db, text: str) -> None:
    with pytest.raises(imputedb.Error):
        db.sql(text)
    assert not list(Path().iterdir())
