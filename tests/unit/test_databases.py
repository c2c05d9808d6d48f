"""Tables of databases that are loaded: nothing of them changes on the way, and nobody sees a password."""

import datetime
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import Database, DataError, QueryError, StorageError
from tests.cli.command import run
from tests.servers import mariadb, postgresql, psql

SECRET = "p@ss:w/rd"


def _said(*arguments: object) -> tuple[int, str]:
    """The exit code of a command, and what it says on standard error."""
    done = run(*map(str, arguments))
    return done.returncode, done.stderr


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server of PostgreSQL with some tables."""
    pytest.importorskip("adbc_driver_postgresql")
    with postgresql() as place:
        psql(
            place,
            """
            CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
            CREATE TABLE visits (id bigint PRIMARY KEY, n numeric(12, 3), u numeric, d double precision, t text,
                b boolean, dt date, ts timestamp, tz timestamptz, iv interval, by bytea, uu uuid, j jsonb, e mood,
                a int[], net inet, m money, o oid);
            INSERT INTO visits VALUES (1, 123456789.125, '12345678901234567890.123456789', 0.1, 'NA', true,
                '2020-01-02', '2020-01-02 03:04:05.678', '2020-01-02 03:04:05+02', '1 day 2 hours', '\\xdead',
                'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": 1}', 'ok', '{1,NULL}', '10.0.0.1', '$1234.56',
                4294967295);
            INSERT INTO visits (id) VALUES (2);
            INSERT INTO visits (id, n, u, d, dt, ts, tz) VALUES
                (3, 'NaN', 'NaN', 'NaN', 'infinity', '-infinity', 'infinity'),
                (4, -0.001, -7, '-infinity', '0044-03-15 BC', '0044-03-15 12:00 BC', '2020-01-02');
            CREATE SCHEMA other; CREATE TYPE other.mood AS ENUM ('x', 'sad');
            CREATE TABLE "Odd Name" (x int); INSERT INTO "Odd Name" VALUES (1), (NULL);
            CREATE TABLE wide (x numeric); INSERT INTO wide VALUES (1e39), (0.5);
            """,
        )
        yield f"postgresql://tester@/postgres?host={place}"


def test_values_of_postgresql_are_what_they_were(server: str) -> None:
    with imputedb.connect() as db:
        assert db.load(server, table="visits") == ["visits"]
        types = dict(row[:2] for row in db.execute("DESCRIBE visits"))
        assert types["n"] == "DECIMAL(12,3)"
        assert types["u"] == "DECIMAL(29,9)"
        assert types["e"] == "ENUM('sad', 'ok', 'happy')"
        first = db.execute("FROM visits WHERE id = 1")[0]
        assert first[1:7] == (Decimal("123456789.125"), Decimal("12345678901234567890.123456789"), 0.1, "NA", True,
                              datetime.date(2020, 1, 2))  # fmt: skip
        assert first[-3:] == ("10.0.0.1/32", Decimal("1234.56"), 4294967295)
        assert db.execute("SELECT count(n), count(u), count(dt) FROM visits") == [(2, 2, 3)]
        moments = "dt::VARCHAR, ts::VARCHAR, isinf(tz)"
        assert db.execute(f"SELECT {moments} FROM visits WHERE id > 2 ORDER BY id") == [
            ("infinity", "-infinity", True),
            ("0044-03-15 (BC)", "0044-03-15 (BC) 12:00:00", False),
        ]
        assert db.execute("SELECT u::VARCHAR FROM visits WHERE id = 4") == [("-7.000000000",)]


def test_what_postgresql_is_asked(server: str) -> None:
    with imputedb.connect() as db:
        db.load(server, table="Odd Name")
        assert db.sql('SELECT count(*), count_observed(x) FROM "Odd Name"').fetchall() == [(2, 1)]
        db.load(server, query="SELECT id, d FROM visits WHERE id < 3 -- some\n;", table="early")
        assert db.execute("SELECT count(*) FROM early") == [(2,)]
        with pytest.warns(UserWarning, match="more than 38 digits"):
            db.load(server, table="wide")
        for named, problem in (
            ({}, 'needs the name of a table, or a query; it has "Odd Name", visits, wide'),
            ({"table": "nope"}, "has no table nope"),
            ({"query": "SELECT 1"}, "need the name of a table"),
            ({"query": "SELECT 1 AS a, 2 AS A", "table": "t"}, "two columns are called"),
            ({"query": "SELECT * FROM nope", "table": "t"}, 'relation "nope" does not exist$'),
            ({"query": "DELETE FROM visits RETURNING id", "table": "t"}, "syntax error"),
            ({"query": "SELECT setval('s', 1)", "table": "t"}, "does not exist"),
            ({"table": "visits", "password_file": "/nope"}, "cannot be read"),
        ):
            with pytest.raises(imputedb.Error, match=problem):
                db.load(server, **named)
        with pytest.raises(StorageError, match="read to its end: division by zero"):
            db.load(server, query="SELECT 10 / (90000 - i) AS x FROM generate_series(1, 100000) i", table="t")
        assert "t" not in db.tables()


def test_a_password_is_seen_nowhere(server: str, tmp_path: Path) -> None:
    """Neither in messages nor, by the command, in the list of processes."""
    away = server.replace("tester@", "tester:" + "p%40ss%3Aw%2Frd" + "@").replace("host=", "host=/nope")
    with imputedb.connect() as db, pytest.raises(StorageError, match="cannot be reached") as raised:
        db.load(away, table="visits")
    assert SECRET not in str(raised.value)
    assert "p%40ss" not in str(raised.value)
    code, problem = _said("load", tmp_path / "a.db", away, "--table", "visits")
    assert code
    assert "--password-file" in problem
    assert not (tmp_path / "a.db").exists()
    (tmp_path / "word").write_text(SECRET + "\n")
    code, problem = _said("load", tmp_path / "a.db", server, "--table", "visits", "--password-file", tmp_path / "word")
    assert (code, problem.splitlines()[-1].partition(" from ")[0]) == (0, "visits: 4 rows")
    assert SECRET.encode() not in (tmp_path / "a.db").read_bytes()


@pytest.fixture
def sqlite(tmp_path: Path) -> Path:
    path = tmp_path / "survey.sqlite"
    with sqlite3.connect(path) as made:
        made.executescript(
            """
            CREATE TABLE t (id INTEGER PRIMARY KEY, r REAL, mix NUMERIC, code TEXT, d DATE, odd DATE, ts DATETIME,
                b BOOLEAN, bytes BLOB, empty INT);
            INSERT INTO t VALUES (1, 0.1, 1, '01234', '2020-01-02', '2020-01-02', '2020-01-02 03:04:05', 1,
                x'00ff', NULL), (2, NULL, 'NA', '99999', NULL, 'soon', NULL, 0, NULL, NULL), (3, 9e999, 2.5, NULL, NULL,
                NULL, NULL, NULL, NULL, NULL);
            CREATE TABLE pure (x); INSERT INTO pure VALUES (0.1), ('word');
            CREATE VIEW v AS SELECT id, b FROM t;
            """
        )
    made.close()
    return path


def test_values_of_sqlite_are_what_they_were(sqlite: Path) -> None:
    with imputedb.connect() as db:
        with pytest.warns(UserWarning, match="mix holds 1 words among 2 numbers"):
            db.load(str(sqlite), table="t")
        types = [row[1] for row in db.execute("DESCRIBE t")]
        assert types == [
            "BIGINT",
            "DOUBLE",
            "DOUBLE",
            "VARCHAR",
            "DATE",
            "VARCHAR",
            "TIMESTAMP",
            "BOOLEAN",
            "BLOB",
            "BIGINT",
        ]
        moment = datetime.datetime(2020, 1, 2, 3, 4, 5)
        assert db.execute("FROM t")[0] == (
            *(1, 0.1, 1.0, "01234", datetime.date(2020, 1, 2), "2020-01-02", moment, True, b"\x00\xff", None),
        )
        assert db.execute("SELECT mix, r FROM t WHERE id > 1") == [(None, None), (2.5, float("inf"))]
        with pytest.warns(UserWarning, match="holds 2 texts among 2 numbers|holds 1 texts among 2 numbers"):
            db.load(str(sqlite), table="t", replace=True, na=[])
        assert [mix for (mix,) in db.execute("SELECT mix FROM t")] == ["1", "NA", "2.5"]
        with pytest.warns(UserWarning, match="pure: x|x holds 1 texts among 1 numbers"):
            db.load(str(sqlite), table="pure")
        assert float(str(db.execute("FROM pure")[0][0])) == 0.1
        db.load(f"sqlite:///{sqlite}", query="SELECT b, count(*) AS n FROM v GROUP BY b", table="counts")
        assert sorted(db.execute("SELECT n FROM counts")) == [(1,), (1,), (1,)]


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ({}, "needs the name of a table, or a query; it has pure, t, v"),
        ({"table": "nope"}, "has no table nope"),
        ({"query": "SELECT nope FROM t", "table": "x"}, "no such column: nope"),
        ({"query": "DELETE FROM t", "table": "x"}, "syntax error"),
        ({"query": "SELECT 1; SELECT 2", "table": "x"}, "syntax error"),
        ({"query": "SELECT 1 AS a"}, "need the name of a table"),
        ({"table": "t", "password_file": "x"}, "takes no password"),
    ],
)
def test_what_sqlite_refuses(sqlite: Path, named: dict[str, Any], problem: str) -> None:
    with imputedb.connect() as db:
        with pytest.raises(DataError, match=problem):
            db.load(str(sqlite), **named)
        assert not db.tables()


def test_what_is_no_database(tmp_path: Path, people: Database) -> None:
    (tmp_path / "broken").write_bytes(b"SQLite format 3\0" + b"x" * 600)
    with pytest.raises(StorageError, match="cannot be read as a database of SQLite"):
        people.load(str(tmp_path / "broken"), table="t")
    with pytest.raises(StorageError, match="unable to open database file"):
        people.load("sqlite:///no/such.sqlite", table="t")
    (tmp_path / "a.csv").write_text("x\n1\n")
    with pytest.raises(DataError, match="a query can only be sent to a database"):
        people.load(str(tmp_path / "a.csv"), query="SELECT 1")
    with pytest.raises(DataError, match="loaded alone"):
        people.load(str(tmp_path / "broken"), str(tmp_path / "a.csv"))


def test_numbers_of_sqlite_keep_every_digit(tmp_path: Path) -> None:
    """Whole and floating numbers of any bits, of which those that are no number are missing."""
    bits = np.random.default_rng(0).integers(-(2**63), 2**63, 5_000, dtype=np.int64)
    whole, floating = bits.tolist(), [*bits.view(np.float64).tolist(), 0.1, -0.0, 5e-324, float("inf")]
    path = tmp_path / "numbers"
    with sqlite3.connect(path) as made:
        made.executescript("CREATE TABLE i (x); CREATE TABLE f (x REAL)")
        made.executemany("INSERT INTO i VALUES (?)", [(one,) for one in whole])
        made.executemany("INSERT INTO f VALUES (?)", [(one,) for one in floating])
    made.close()
    with imputedb.connect() as db:
        db.load(str(path), table="i")
        db.load(str(path), table="f")
        assert [x for (x,) in db.execute("FROM i")] == whole
        assert [x for (x,) in db.execute("FROM f")] == [None if one != one else one for one in floating]


@pytest.fixture(scope="module")
def maria() -> Iterator[Path]:
    driver = pytest.importorskip("pymysql")
    with mariadb() as socket:
        connection = driver.connect(unix_socket=str(socket), user="root", autocommit=True)
        with connection.cursor() as cursor:
            for text in (
                "CREATE DATABASE d",
                f"CREATE USER ann@localhost IDENTIFIED BY '{SECRET}'",
                "GRANT ALL ON d.* TO ann@localhost",
                "USE d",
                "SET sql_mode = ''",
                "CREATE TABLE v (id BIGINT UNSIGNED, ti TINYINT, n DECIMAL(12, 3), d DOUBLE, s VARCHAR(20), dt DATE, "
                "dtt DATETIME(6), tm TIME, y YEAR, e ENUM('lo', 'it''s', 'hi'), b BLOB, un INT UNSIGNED)",
                "INSERT INTO v VALUES (18446744073709551615, -1, 123456789.125, 0.1, 'é', '2020-01-02', "
                "'2020-01-02 03:04:05.678901', '-100:10:10', 2020, 'it''s', x'00ff', 4294967295)",
                "INSERT INTO v (id, dt, e) VALUES (2, '0000-00-00', 'no level')",
            ):
                cursor.execute(text)
        connection.close()
        yield socket


def test_values_of_mysql_are_what_they_were(maria: Path, tmp_path: Path) -> None:
    (tmp_path / "word").write_text(SECRET)
    place = f"mysql://ann@localhost/d?unix_socket={maria}"
    given: dict[str, Any] = {"password_file": str(tmp_path / "word")}
    with imputedb.connect() as db:
        with pytest.warns(UserWarning, match="0000-00-00 are NULL"):
            db.load(place, table="v", **given)
        types = [row[1] for row in db.execute("DESCRIBE v")]
        assert types == [
            *("UBIGINT", "TINYINT", "DECIMAL(12,3)", "DOUBLE", "VARCHAR", "DATE", "TIMESTAMP", "INTERVAL", "SMALLINT"),
            *("ENUM('lo', 'it''s', 'hi')", "BLOB", "UINTEGER"),
        ]
        (row, missing) = db.execute("FROM v")
        assert row[:5] == (18446744073709551615, -1, Decimal("123456789.125"), 0.1, "é")
        assert row[6:8] == (datetime.datetime(2020, 1, 2, 3, 4, 5, 678901), -datetime.timedelta(hours=100, seconds=610))
        assert row[8:] == (2020, "it's", b"\x00\xff", 4294967295)
        assert missing == (2, *[None] * 11)
        for named, problem in (
            ({}, "it has v"),
            ({"query": "DELETE FROM v", "table": "x"}, "READ ONLY"),
            ({"query": "SELECT nope FROM v", "table": "x"}, "Unknown column"),
            ({"query": "SET @x = 1", "table": "x"}, "has no rows"),
        ):
            with pytest.raises(DataError, match=problem):
                db.load(place, **named, **given)
        with pytest.warns(UserWarning, match="e: the order of its levels"):
            db.load(place, query="SELECT e, SUM(un) AS s, CAST(1 AS DECIMAL(65, 30)) AS d FROM v GROUP BY 1",
                    table="q", **given)  # fmt: skip
        assert [row[1] for row in db.execute("DESCRIBE q")][1:] == ["DECIMAL(32,0)", "DECIMAL(31,30)"]
        with pytest.raises(StorageError, match="SSL"):
            db.load(f"{place}&ssl-mode=REQUIRED", table="v", **given)
        with pytest.raises(StorageError, match="Access denied"):
            db.load(place.replace("ann@", "ann:wrong@"), table="v")


def test_tables_of_delta_lake(tmp_path: Path) -> None:
    delta = pytest.importorskip("deltalake")
    pa = pytest.importorskip("pyarrow")
    rows = pa.table({"id": [1, 2, 3], "x": [1.5, None, 2.5], "p": ["a", "b", "a"]})
    delta.write_deltalake(str(tmp_path / "visits"), rows, partition_by=["p"])
    delta.DeltaTable(str(tmp_path / "visits")).delete("id = 1")
    with imputedb.connect() as db:
        assert db.load(str(tmp_path / "visits")) == ["visits"]
        assert sorted(db.execute("SELECT id, x, p FROM visits")) == [(2, None, "b"), (3, 2.5, "a")]
        with pytest.raises(DataError, match="answers no query"):
            db.load(str(tmp_path / "visits"), query="SELECT 1")
        (tmp_path / "visits" / "_delta_log" / "00000000000000000000.json").write_text("{")
        with pytest.raises(StorageError, match="cannot be read as a table of Delta Lake"):
            db.load(str(tmp_path / "visits"), table="v")


def test_tables_of_iceberg(tmp_path: Path) -> None:
    catalogs = pytest.importorskip("pyiceberg.catalog")
    pa = pytest.importorskip("pyarrow")
    rows = pa.table({"id": [1, 2], "x": [1.5, None]})
    place = {"uri": f"sqlite:///{tmp_path}/catalog.db", "warehouse": f"file://{tmp_path}"}
    catalog = catalogs.load_catalog("here", type="sql", **place)
    catalog.create_namespace("s")
    table = catalog.create_table("s.visits", schema=rows.schema)
    table.append(rows)
    table.append(rows.slice(1))
    catalog.close()
    with imputedb.connect() as db:
        assert db.load(table.location().removeprefix("file://")) == ["visits"]
        assert sorted(db.execute("SELECT id, x FROM visits")) == [(1, 1.5), (2, None), (2, None)]


def test_passwords_in_addresses_are_refused_by_the_command(tmp_path: Path) -> None:
    for address in ("mysql://ann:word@host/d", "postgresql://host/d?user=a&password=word"):
        code, problem = _said("load", tmp_path / "a.db", address, "--table", "t")
        assert code
        assert "--password-file" in problem
        assert "word@" not in problem


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ann:ge/heim@localhost:1/d",
        "mysql://ann:ge/heim@localhost:1/d",
        "mysql://ann:geheim@[x/d",
        "postgresql://ann:ge#heim@localhost:1/d",
        "postgresql://ann:geheim@h@localhost:1/d/e",
        "postgresql+psycopg2://ann:geheim@localhost:1/d",
        "postgresql://localhost:1/d?sslpassword=geheim",
        "postgresql://ann:a%67eheim@localhost:1/d",
        "mysql://ann:geheim%zz@localhost:1/d",
        "mysql://ann:geheim@localhost:port/d",
        "mysql://localhost:1/d?passwd=geheim",
        "oracle://ann:geheim@localhost:1/d",
    ],
)
def test_no_form_of_an_address_shows_its_password(address: str, tmp_path: Path) -> None:
    with imputedb.connect() as db, pytest.raises((DataError, StorageError)) as raised:
        db.load(address, table="t")
    assert "heim" not in str(raised.value)
    code, problem = _said("load", tmp_path / "a.db", address, "--table", "t")
    assert code == 1
    assert "heim" not in problem


def test_what_a_server_of_mysql_is_asked_to_do() -> None:
    with imputedb.connect() as db:
        for options, problem in (("ssl-mod=REQUIRED", "no option 'ssl-mod'"), ("ssl-mode=MAYBE", "ssl-mode is")):
            with pytest.raises(DataError, match=problem):
                db.load(f"mysql://ann@localhost:1/d?{options}", table="t")


def test_a_folder_is_no_lake_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata" / "info.json").write_text("{}")
    (tmp_path / "a.csv").write_text("x\n1\n")
    with imputedb.connect() as db:
        assert db.load(str(tmp_path)) == ["a"]


def test_a_query_is_text() -> None:
    with imputedb.connect() as db, pytest.raises(QueryError):
        db.load("postgresql://host/d", query=5)  # type: ignore[arg-type]
