"""One attached database that DuckDB has invalidated: the others go on."""

import resource
import signal
from contextlib import suppress
from pathlib import Path

import pytest

import imputedb
from imputedb import Database


@pytest.fixture
def invalidated(db: Database, tmp_path: Path) -> Database:
    """A database beside one whose file could not be written any more."""
    db.execute("CREATE TABLE t AS SELECT * FROM (VALUES (1.0), (2.0), (NULL)) v(x)")
    db.execute(f"ATTACH '{tmp_path}/a.db' AS a; CREATE TABLE a.q AS SELECT range AS i FROM range(100000); CHECKPOINT a")
    db.execute("INSERT INTO a.q SELECT range FROM range(50000)")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        for text in ("INSERT INTO a.q SELECT range FROM range(500000)", "CHECKPOINT a"):
            with suppress(imputedb.Error):
                db.execute(text)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    with pytest.raises(imputedb.Error, match="invalidated"):
        db.execute("SELECT count(*) FROM a.q")
    return db


def test_queries_of_other_databases_are_answered(invalidated: Database) -> None:
    assert invalidated.sql("SELECT 42").fetchall() == [(42,)]
    assert invalidated.sql("SELECT avg(x), count(*) FROM t", imputer="mean").fetchall() == [(1.5, 3)]
    assert invalidated.profile("t")[0].rows == 3


def test_what_needs_all_of_them_says_so(invalidated: Database) -> None:
    for ask in (invalidated.tables, invalidated.profile, lambda: invalidated.sql("SELECT mine(x) FROM t")):
        with pytest.raises(imputedb.Error):
            ask()
    with pytest.raises(imputedb.StorageError, match="detach it"):
        invalidated.tables()
    invalidated.execute("DETACH a")
    assert list(invalidated.tables()) == ["t"]
