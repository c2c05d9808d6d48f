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
    assert cursor.rowcount == 2
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


def test_a_statement_without_rows_says_how_many_it_has_changed(path: Path) -> None:
    with dbapi.connect(path) as connection:
        cursor = connection.cursor()
        for text, count in {
            "INSERT INTO t VALUES (7, 1.0), (8, 2.0)": 2,
            "UPDATE t SET x = 1 WHERE id > 5": 2,
            "DELETE FROM t WHERE id = 8": 1,
            "WITH c AS (SELECT 9 AS id) INSERT INTO t SELECT id, NULL FROM c": 1,
            "CREATE TABLE u AS SELECT * FROM t": 8,
            "CREATE TABLE v (a INT)": -1,
            "ALTER TABLE v ADD COLUMN b INT": -1,
            "DROP TABLE v": -1,
            "SET threads = 1": -1,
        }.items():
            cursor.execute(text)
            assert (cursor.rowcount, cursor.description) == (count, None), text
            for fetch in (cursor.fetchone, cursor.fetchmany, cursor.fetchall):
                with pytest.raises(dbapi.Error, match="no answer"):
                    fetch()
        cursor.execute("INSERT INTO u VALUES (10, 1) RETURNING id")
        assert (cursor.rowcount, cursor.fetchall()) == (1, [(10,)])
        assert cursor.execute('SELECT 3 AS "Count"').fetchall() == [(3,)]
        assert cursor.executemany("UPDATE t SET x = ? WHERE id = ?", iter([(1, 0), (2, 1), (3, 99)])).rowcount == 2
        with pytest.raises(dbapi.ProgrammingError, match="rows are 3"):
            cursor.executemany("SELECT 1", 3)  # type: ignore[arg-type]


def test_transactions_may_be_ended_in_sql(path: Path) -> None:
    connection = dbapi.connect(path)
    cursor = connection.cursor()
    for begin, end, left in (
        ("BEGIN", "ROLLBACK", 6),
        ("/* */ begin transaction", "COMMIT;", 5),
        ("SELECT 1", "abort", 5),
    ):
        cursor.execute(begin)
        cursor.execute("DELETE FROM t WHERE id = 0")
        cursor.execute(end)
        assert cursor.description is None
        getattr(connection, "commit" if "R" in end else "rollback")()  # of nothing
        with imputedb.connect(path) as other:
            assert other.sql("SELECT count(*) FROM t").fetchall() == [(left,)]
    cursor.execute("SELECT 1")
    with pytest.raises(dbapi.ProgrammingError, match="a transaction is open"):
        cursor.execute("START TRANSACTION")
    assert cursor.execute("SELECT 2").fetchone() == (2,)
    connection.rollback()
    cursor.execute("DELETE FROM t")
    with pytest.raises(dbapi.ProgrammingError):
        cursor.execute("SELECT error('x')")
    with pytest.raises(dbapi.OperationalError, match="COMMIT has kept nothing"):
        connection.commit()
    assert cursor.execute("SELECT count(*) FROM t").fetchone() == (5,)
    connection.close()


def test_types_are_compared_with_those_of_columns() -> None:
    kinds = {"STRING": ("'a'", "uuid()"), "BINARY": ("'a'::BLOB",), "NUMBER": ("1", "1.5", "true", "2::UTINYINT"),
             "DATETIME": ("DATE '2020-01-01'", "now()", "TIME '10:00:00'", "INTERVAL 1 DAY"),
             "ROWID": ("1::BIGINT",)}  # fmt: skip
    cursor = dbapi.connect().cursor()
    for name, values in kinds.items():
        for value in values:
            ((_, kind, *_),) = cursor.execute(f"SELECT {value}").description or ()
            assert kind == getattr(dbapi, name)
            assert getattr(dbapi, name) == kind
            assert all(kind != getattr(dbapi, other) for other in kinds if other not in (name, "ROWID", "NUMBER"))
    day, moment = dbapi.Date(2020, 1, 2), dbapi.Timestamp(2020, 1, 2, 3, 4, 5)
    given = (day, moment, dbapi.Time(3, 4, 5), dbapi.Binary(b"\x00a"), None)
    assert cursor.execute("SELECT ?, ?, ?, ?, ?", given).fetchone() == given
    assert dbapi.DateFromTicks(86400 * 3).year == dbapi.TimestampFromTicks(86400 * 3).year == 1970
    assert dbapi.TimeFromTicks(86400 * 3 + 61).second == 1
    assert len({dbapi.STRING, dbapi.NUMBER, dbapi.STRING}) == 2


def test_each_refusal_of_duckdb_has_its_name(path: Path) -> None:
    cursor = dbapi.connect(path).cursor()
    for text, kind in {
        "SELECT CAST('a' AS INT)": dbapi.DataError,
        "SELECT 9223372036854775807 + 1": dbapi.DataError,
        "CREATE TABLE n (a INT NOT NULL)": None,
        "INSERT INTO n VALUES (NULL)": dbapi.IntegrityError,
        "SELECT nothing()": dbapi.ProgrammingError,
        "ALTER SCHEMA main RENAME TO other": dbapi.Error,
    }.items():
        if kind is None:
            cursor.execute(text)
            cursor.connection.commit()
            continue
        with pytest.raises(kind):
            cursor.execute(text)
        cursor.connection.rollback()


def test_nothing_closed_can_be_used(path: Path) -> None:
    connection = dbapi.connect(path)
    cursor, other = connection.cursor(), connection.cursor()
    cursor.execute("SELECT 1")
    cursor.close()
    cursor.close()
    calls = (lambda one: one.execute("SELECT 1"), lambda one: one.executemany("SELECT ?", [(1,)]),
             lambda one: one.fetchone(), lambda one: one.fetchmany(), lambda one: one.fetchall(), next)  # fmt: skip
    for call in calls:
        with pytest.raises(dbapi.InterfaceError):
            call(cursor)
    connection.close()
    for call in calls:
        with pytest.raises(dbapi.InterfaceError):
            call(other)
    for end in (connection.commit, connection.rollback, connection.cursor):
        with pytest.raises(dbapi.InterfaceError):
            end()


def test_a_wish_that_queries_do_not_have_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(dbapi.ProgrammingError, match=r"'nope'; there are .*imputer"):
        dbapi.connect(tmp_path / "new.duckdb", nope=1)
    assert not (tmp_path / "new.duckdb").exists()
    dbapi.connect(m=2, seed=1, imputer="mean").close()
