"""What clients of PostgreSQL do through the door, each as its users do it; one that is not installed is passed over."""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from imputedb.service.core import Core
from imputedb.service.postgres.server import PostgresServer
from tests.service.conftest import configuration
from tests.service.wire import MISTAKES, door

VALUES: list[tuple[str, Any]] = [
    ("true", True),
    ("(-7)::SMALLINT", -7),
    ("42", 42),
    ("9007199254740993", 9007199254740993),
    ("170141183460469231731687303715884105727", Decimal("170141183460469231731687303715884105727")),
    ("0.5::FLOAT", 0.5),
    ("0.1::DOUBLE", 0.1),
    ("'-inf'::DOUBLE", -math.inf),
    ("12345.6700::DECIMAL(12, 4)", Decimal("12345.6700")),
    ("-0.001::DECIMAL(12, 3)", Decimal("-0.001")),
    ("0::DECIMAL(12, 3)", Decimal("0.000")),
    ("100000000::DECIMAL(12, 0)", Decimal(100000000)),
    ("'räksmörgås, \"{x}\"'", 'räksmörgås, "{x}"'),
    ("''", ""),
    ("DATE '1999-12-31'", date(1999, 12, 31)),
    ("TIME '01:02:03.5'", time(1, 2, 3, 500000)),
    ("TIMESTAMP '1969-07-20 20:17:40.25'", datetime(1969, 7, 20, 20, 17, 40, 250000)),
    ("TIMESTAMPTZ '2024-02-29 12:00:00+02'", datetime(2024, 2, 29, 10, tzinfo=UTC)),
    ("INTERVAL '3 days -04:05:06.7'", timedelta(days=3, hours=-4, minutes=-5, seconds=-6, milliseconds=-700)),
    ("'5a1c1b36-7c4e-4f64-8a1c-1f6b2a1d0c11'::UUID", UUID("5a1c1b36-7c4e-4f64-8a1c-1f6b2a1d0c11")),
    ("'\\x00\\xFFa'::BLOB", b"\x00\xffa"),
    ("NULL", None),
    ("[1, NULL, 3]", [1, None, 3]),
    ("['a', '{b,\"c\\', NULL, '', 'null']", ["a", '{b,"c\\', None, "", "null"]),
    ("[0.5::DOUBLE]", [0.5]),
    ("[true, NULL]", [True, None]),
    ("[DATE '2000-01-01']", [date(2000, 1, 1)]),
    ("[]::INTEGER[]", []),
]
"""Expressions, and what a client makes of each."""


@pytest.fixture(scope="module")
def at(served: Path) -> Iterator[PostgresServer]:
    core = Core(served, configuration(), lambda _: None)
    MISTAKES.clear()
    with door(core) as found:
        yield found
    core.close()
    assert not MISTAKES


# -- psql -------------------------------------------------------------------------------------------------------------


def psql(at: PostgresServer, *commands: str, code: int = 0, more: tuple[str, ...] = ()) -> tuple[str, str]:
    if shutil.which("psql") is None:
        pytest.skip("psql is not installed")
    asked = [part for one in commands for part in ("-c", one)]
    target = f"host=127.0.0.1 port={at.port} user=ann dbname=survey connect_timeout=10"
    found = subprocess.run(
        ["psql", "-X", "-A", "-t", *more, target, *asked], capture_output=True, text=True, timeout=60
    )
    assert found.returncode == code, found
    return found.stdout, found.stderr


def test_psql_asks_and_is_told_what_was_imputed(at: PostgresServer) -> None:
    shown, said = psql(at, "SELECT count(*), avg(weight) > 0 FROM person", "SHOW imputedb.m")
    assert shown == "300|t\n1\n"
    assert "NOTICE:  imputed 67 of person.weight" in said
    shown, _ = psql(at, "COPY (SELECT 1, NULL) TO STDOUT CSV")
    assert shown == "1,\n"
    _, said = psql(at, "SELECT * FROM persn", code=1)
    assert "did you mean person" in said


def test_psql_gives_wishes_at_the_start(at: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c imputedb.m=3 -c imputedb.seed=5")
    shown, _ = psql(at, "SELECT avg(weight) AS w FROM person")
    assert shown.count("|") == 4


def test_psql_reads_rows_in_parts(at: PostgresServer) -> None:
    shown, _ = psql(at, "SELECT * FROM range(7000)", more=("-v", "FETCH_COUNT=1000"))
    assert len(shown.split()) == 7000


# -- psycopg ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def connection(at: PostgresServer) -> Iterator[Any]:
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    with psycopg.connect(host="127.0.0.1", port=at.port, user="ann", dbname="survey", connect_timeout=10) as found:
        yield found


@pytest.mark.parametrize("binary", [False, True])
def test_psycopg_reads_every_type(connection: Any, *, binary: bool) -> None:
    cursor = connection.cursor(binary=binary)
    for text, wanted in VALUES:
        assert cursor.execute(f"SELECT {text} AS v").fetchone() == (wanted,), text
    row = cursor.execute("SELECT 'nan'::DOUBLE, 'nan'::FLOAT, 'infinity'::DOUBLE").fetchone()
    assert (math.isnan(row[0]), math.isnan(row[1]), row[2]) == (True, True, math.inf)
    assert cursor.execute("""SELECT '{"a": [1, null]}'::JSON""").fetchone() == ({"a": [1, None]},)


def test_psycopg_is_not_told_of_moments_that_there_are_not(connection: Any) -> None:
    psycopg = pytest.importorskip("psycopg")
    for text in ("'infinity'::TIMESTAMP", "'-infinity'::DATE", "DATE '0044-03-15 (BC)'", "TIMESTAMP '290000-01-01'"):
        for binary in (False, True):
            with pytest.raises(psycopg.DataError):  # Python has no such moment
                connection.cursor(binary=binary).execute(f"SELECT {text}").fetchone()
            connection.rollback()
    with pytest.raises(psycopg.Error, match="nanoseconds"):
        connection.execute("SELECT '2020-01-01 00:00:00.123456789'::TIMESTAMP_NS")


PARAMETERS: list[tuple[Any, str]] = [
    (True, "BOOLEAN"), (7, "INTEGER"), (2**40, "BIGINT"), (-0.1, "DOUBLE"), (Decimal("-12.5"), "DECIMAL(9,2)"),
    (Decimal("0.0001"), "DECIMAL(9,4)"), ("ö'x", "VARCHAR"), (b"\x00\xff", "BLOB"), (date(1999, 1, 2), "DATE"),
    (time(1, 2, 3, 4), "TIME"), (datetime(1980, 1, 2, 3, 4, 5, 6), "TIMESTAMP"),
    (datetime(1980, 1, 2, 3, 4, 5, tzinfo=UTC), "TIMESTAMPTZ"), (timedelta(days=-2, seconds=5), "INTERVAL"),
    (UUID(int=7), "UUID"), (None, "INTEGER"), ([1, None, 2], "INTEGER[]"), (["a,", None, '"'], "VARCHAR[]"),
]  # fmt: skip


@pytest.mark.parametrize("sign", ["%s", "%b", "%t"])
def test_psycopg_gives_parameters_in_both_formats(connection: Any, sign: str) -> None:
    for value, kind in PARAMETERS:
        if sign == "%b" and isinstance(value, str):
            continue
        found = connection.execute(f"SELECT {sign}::{kind}", [value]).fetchone()
        assert found == (value,), (value, kind)


def test_psycopg_asks_as_the_library_does(connection: Any, served: Path) -> None:
    import imputedb

    text = "SELECT sex, avg(weight) AS w, count(*) AS n FROM person WHERE height > {} GROUP BY sex ORDER BY sex"
    connection.execute("SET imputedb.m = 3")
    for prepare in (False, True):
        cursor = connection.execute(text.format("%s"), [170.0], prepare=prepare)
        with imputedb.connect(served, read_only=True) as db:
            wanted = db.sql(text.format("?"), [170.0], m=3)
            assert [one.name for one in cursor.description] == wanted.columns
            assert cursor.fetchall() == wanted.fetchall()


def test_psycopg_pages_through_a_cursor_of_the_server(connection: Any) -> None:
    with connection.cursor(name="paged") as cursor:
        cursor.execute("SELECT * FROM range(%s) ORDER BY 1", [12_000])
        assert [row[0] for row in cursor.fetchmany(10)] == list(range(10))
        assert [row[0] for row in cursor] == list(range(10, 12_000))


def test_psycopg_copies_out_and_pipelines(connection: Any) -> None:
    with connection.cursor().copy("COPY (SELECT * FROM range(3)) TO STDOUT") as copy:
        assert [row[0] for row in copy.rows()] == ["0", "1", "2"]
    with connection.pipeline():
        found = [connection.execute("SELECT %s + 1", [n]) for n in range(20)]
    assert [one.fetchone()[0] for one in found] == list(range(1, 21))


def test_psycopg_rolls_back_what_has_failed(connection: Any) -> None:
    psycopg = pytest.importorskip("psycopg")
    with pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT * FROM nix")
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        connection.execute("SELECT 1")
    connection.rollback()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("DELETE FROM person")
    connection.rollback()
    with connection.transaction():
        assert connection.execute("SELECT 1").fetchone() == (1,)
