"""Rows are found again by their ids, however a table numbers them and whether its columns are kept or not."""

from pathlib import Path

import numpy as np
import pytest

import imputedb
from imputedb import kernel
from imputedb.database import Database
from imputedb.execution import columns
from imputedb.imputers.rows import Cells
from imputedb.statistics.table import Kind

QUERY = "SELECT a.x, a.g, count(*), avg(b.x) FROM t a JOIN u b ON a.id = b.id WHERE a.x > 2 GROUP BY ALL ORDER BY ALL"
N = 9000


def filled(db: Database, extra: str = "") -> None:
    text = """
        CREATE TABLE {name} AS SELECT i AS id, {extra} (hash(i + {seed}) % 7)::INTEGER AS z,
            CASE WHEN hash(i * 3 + {seed}) % 5 > 0 THEN z + (hash(i * 7 + {seed}) % 3)::INTEGER END AS x,
            CASE WHEN hash(i * 5 + {seed}) % 9 > 0 THEN 'level ' || z END AS g
        FROM range({n}) r(i)
    """
    for seed, name in enumerate("tu"):
        db.execute(text.format(name=name, extra=extra, seed=seed, n=N))


def answer(db: Database) -> list[tuple[object, ...]]:
    return db.sql(QUERY, seed=5).fetchall()


@pytest.fixture
def expected() -> list[tuple[object, ...]]:
    with imputedb.connect() as db:
        filled(db)
        return answer(db)


def test_large_tables_are_read_by_row_id(monkeypatch: pytest.MonkeyPatch, expected: list[tuple[object, ...]]) -> None:
    monkeypatch.setattr(columns, "WHOLE", 0)
    with imputedb.connect() as db:
        filled(db)
        assert answer(db) == expected


def test_columns_without_ranks(monkeypatch: pytest.MonkeyPatch, expected: list[tuple[object, ...]]) -> None:
    monkeypatch.setattr(kernel, "MOST_RANKED", 0)
    with imputedb.connect() as db:
        filled(db)
        assert answer(db) == expected


def test_some_cells_of_some_cells() -> None:
    whole = Cells(np.arange(10) * 1.5, np.arange(10) % 3 == 0, Kind.NUMBER)
    some = whole.at(np.array([7, 2, 9, 2])).at(np.array([3, 0]))
    assert some.values.tolist() == [3.0, 10.5]
    assert some.missing.tolist() == [False, False]
    assert isinstance(some.predicting(), kernel.Cells)
    whole.lasting = True
    picked = some.predicting()
    assert isinstance(picked, kernel.RankedRows)
    assert picked.places.tolist() == [2, 7]


def test_row_ids_with_gaps(expected: list[tuple[object, ...]], tmp_path: Path) -> None:
    with imputedb.connect(str(tmp_path / "gaps.duckdb")) as db:
        filled(db)
        for name in "tu":
            db.execute(f"INSERT INTO {name} FROM {name}")
            db.execute(f"DELETE FROM {name} WHERE rowid < {N}")
        assert answer(db) == expected


def test_a_column_named_rowid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another column is another table to random numbers; whole or by row id it is one, and means are as without it."""
    found = []
    for whole in (columns.WHOLE, 0):
        monkeypatch.setattr(columns, "WHOLE", whole)
        with imputedb.connect() as db:
            filled(db, extra="'x' AS RowId,")
            found += [answer(db), db.sql(QUERY, imputer="mean").fetchall()]
    with imputedb.connect() as db:
        filled(db)
        assert found[1] == db.sql(QUERY, imputer="mean").fetchall()
    assert found[:2] == found[2:]


def test_what_is_kept_is_forgotten_when_something_is_written() -> None:
    with imputedb.connect() as db:
        db.register("t", {"id": np.arange(100), "x": np.ma.masked_array(np.ones(100), np.arange(100) < 50)})
        assert db.sql("SELECT sum(x) FROM t").fetchall() == [(100.0,)]
        db.execute("UPDATE t SET x = 2 WHERE x = 1")
        assert db.sql("SELECT sum(x) FROM t").fetchall() == [(200.0,)]
