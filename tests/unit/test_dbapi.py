"""Python's database interface, PEP 249."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import imputedb
from imputedb import dbapi


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with imputedb.connect(tmp_path / "a.duckdb") as db:
        db.register("t", {"id": np.arange(6), "x": np.ma.masked_array(np.arange(6.0), np.arange(6) == 2)}, keep=True)
    return tmp_path / "a.duckdb"


def test_the_module_says_what_it_is() -> None:
    assert (dbapi.apilevel, dbapi.threadsafety, dbapi.paramstyle) == ("2.0", 1, "qmark")
    for kind in (dbapi.DataError, dbapi.OperationalError, dbapi.IntegrityError, dbapi.InternalError,
                 dbapi.ProgrammingError, dbapi.NotSupportedError):  # fmt: skip
        assert issubclass(kind, dbapi.DatabaseError)
    assert issubclass(dbapi.DatabaseError, dbapi.Error)
    assert issubclass(dbapi.InterfaceError, dbapi.Error)
    assert not issubclass(dbapi.InterfaceError, dbapi.DatabaseError)
    assert issubclass(dbapi.Warning, Exception)


def test_rows_come_one_after_another(path: Path) -> None:
    with dbapi.connect(path, imputer="mean") as connection, connection.cursor() as cursor:
        assert (cursor.description, cursor.rowcount, cursor.arraysize) == (None, -1, 1)
        cursor.execute("SELECT id, x FROM t WHERE id >= ? ORDER BY id", [1])
        assert [column[0] for column in cursor.description or ()] == ["id", "x"]
        assert cursor.rowcount == 5
        assert cursor.fetchone() == (1, 1.0)
        assert cursor.fetchmany() == [(2, 2.6)]
        cursor.arraysize = 2
        assert cursor.fetchmany() == [(3, 3.0), (4, 4.0)]
        assert list(cursor) == [(5, 5.0)]
        assert (cursor.fetchone(), cursor.fetchmany(3), cursor.fetchall()) == (None, [], [])
        assert cursor.result is not None
        assert cursor.result.report.imputed == {"t.x": 1}


def test_transactions_are_committed_or_taken_back(path: Path) -> None:
    count = "SELECT count(*) FROM t"
    connection = dbapi.connect(path)
    cursor = connection.cursor()
    cursor.executemany("INSERT INTO t VALUES (?, ?)", [(7, 1.0), (8, None)])
    assert cursor.rowcount == -1
    connection.rollback()
    assert cursor.execute(count).fetchone() == (6,)
    cursor.executemany("INSERT INTO t VALUES ($1, $2)", [(7, 1.0), (8, None)])
    connection.commit()
    cursor.execute("DELETE FROM t")
    connection.close()
    with imputedb.connect(path) as db:
        assert db.sql(count).fetchall() == [(8,)]
    connection = dbapi.connect(path)
    with suppress(ZeroDivisionError), connection:
        connection.cursor().execute("DELETE FROM t")
        raise ZeroDivisionError
    assert connection.cursor().execute(count).fetchone() == (8,)
    connection.close()


def test_errors_are_named_as_the_interface_names_them(path: Path, tmp_path: Path) -> None:
    connection = dbapi.connect(path)
    cursor = connection.cursor()
    for text, kind in {
        "SELEC 1": dbapi.ProgrammingError,
        "SELECT nothing FROM t": dbapi.ProgrammingError,
        "SELECT 1; SELECT 2": dbapi.NotSupportedError,
    }.items():
        with pytest.raises(kind):
            cursor.execute(text)
        connection.rollback()
    cursor.execute("CREATE TABLE u (i INTEGER PRIMARY KEY)")
    connection.commit()
    cursor.execute("INSERT INTO u VALUES (1)")
    with pytest.raises(dbapi.IntegrityError):
        cursor.execute("INSERT INTO u VALUES (1)")
    connection.rollback()
    for size in (-1, 1.5, True, "x"):
        with pytest.raises(dbapi.ProgrammingError):
            cursor.fetchmany(size)  # type: ignore[arg-type]
    with pytest.raises(dbapi.InterfaceError, match="no answer"):
        connection.cursor().fetchone()
    cursor.close()
    with pytest.raises(dbapi.InterfaceError, match="cursor is closed"):
        cursor.execute("SELECT 1")
    connection.close()
    connection.close()
    with pytest.raises(dbapi.InterfaceError, match="connection is closed"):
        connection.cursor()
    with pytest.raises(dbapi.OperationalError):
        dbapi.connect(tmp_path / "none" / "a.duckdb")


def test_arrow_columns_that_cannot_be_read_are_named() -> None:
    pa = pytest.importorskip("pyarrow")
    with imputedb.connect() as db, pytest.raises(imputedb.DataError, match="column 'half'"):
        db.register("t", pa.table({"a": [1, 2], "half": pa.array(np.array([1, 2], np.float16))}))
