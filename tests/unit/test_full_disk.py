"""A disk that is full: what could not be written is said, and the file that was there before is whole."""

import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import imputedb
from imputedb import Database


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow beyond some bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


Write = Callable[[Database, Path], object]
WRITES: dict[str, Write] = {
    "COPY a query": lambda db, path: db.sql(f"COPY (SELECT * FROM t) TO '{path}' (FORMAT csv)", imputer="mean"),
    "COPY Parquet": lambda db, path: db.sql(f"COPY (SELECT * FROM t) TO '{path}' (FORMAT parquet)", imputer="mean"),
    "write csv": lambda db, path: db.sql("SELECT * FROM t", imputer="mean").write(str(path), "csv"),
    "write parquet": lambda db, path: db.sql("SELECT * FROM t", imputer="mean").write(str(path), "parquet"),
    "policies": lambda db, path: db.export_policies(path),
}


@pytest.fixture
def table(db: Database) -> Database:
    x = np.ma.masked_array(np.random.default_rng(0).normal(size=5000), np.arange(5000) % 3 == 0)
    db.register("t", {"id": np.arange(5000), "x": x, **{f"c{n}": np.arange(5000) for n in range(12)}})
    for n in range(12):
        db.policy("t", f"c{n}", low=-(10.0**12), high=10.0**12)
    return db


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_the_file_that_was_there_is_whole(table: Database, tmp_path: Path, write: Write) -> None:
    path = tmp_path / "kept.file"
    path.write_bytes(b"what was there before")
    with full_disk(), pytest.raises(imputedb.Error):
        write(table, path)
    assert path.read_bytes() == b"what was there before"
    assert [one.name for one in tmp_path.iterdir()] == ["kept.file"]
    write(table, path)
    assert path.stat().st_size > 300


def test_a_run_that_was_there_is_whole(table: Database, tmp_path: Path) -> None:
    run = table.impute("t", tmp_path / "run", m=1, imputer="mean")
    before = run.frame(1)
    with full_disk(), pytest.raises(imputedb.Error):
        table.impute("t", tmp_path / "run", m=1, imputer="mean", seed=9)
    assert imputedb.completed(tmp_path / "run").frame(1).equals(before)
