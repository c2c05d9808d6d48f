"""Sessions of the Postgres door: commands as they are written, savepoints, COPY, what is held and let go of."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imputedb.service.core import Core
from imputedb.service.postgres import reading
from imputedb.service.postgres.server import PostgresServer
from tests.service.conftest import configuration
from tests.service.test_postgres import until
from tests.service.wire import (
    SYNC,
    Client,
    bind,
    describe,
    door,
    execute,
    kinds,
    message,
    parse,
    rows,
    state,
    tags,
    text,
)


@pytest.fixture(scope="module")
def core(served: Path) -> Iterator[Core]:
    found = Core(served, configuration(limits={"statements": 40}), lambda _: None)
    yield found
    found.close()


@pytest.fixture(scope="module")
def at(core: Core) -> Iterator[PostgresServer]:
    with door(core) as found:
        yield found


@pytest.fixture
def client(at: PostgresServer) -> Iterator[Client]:
    with Client(at.port, user="ann", database="survey") as found:
        yield found


MALFORMED = [
    "SET foo", "SET", "SET =", "SET foo =", "SET seed = 1 2", "SET a. = 1", "SET LOCAL", "SET TRANSACTION", "RESET",
    "RESET a b", "SHOW", "SHOW a b", "DISCARD", "DISCARD nix", "DEALLOCATE", "DEALLOCATE a b", "CLOSE", "CLOSE a b",
    "BEGIN NONSENSE FOO", "START", "COMMIT NONSENSE", "ROLLBACK 1", "ROLLBACK TO", "SAVEPOINT", "SAVEPOINT a b",
    "RELEASE", "DECLARE", "DECLARE c", "DECLARE c CURSOR FOR", "DECLARE c NONSENSE CURSOR FOR SELECT 1", "FETCH",
    "FETCH 1 2 FROM c", "MOVE", "COPY", "COPY person", "COPY person TO", "COPY (SELECT 1 TO STDOUT",
    "COPY person TO STDOUT (FORMAT)", "COPY person TO STDOUT (", "COPY person TO STDOUT (NULL)", "LISTEN",
    "COPY person TO STDOUT WITH", "COPY person TO STDOUT DELIMITER", "COPY person TO STDOUT (FORMAT csv) x",
]  # fmt: skip


@pytest.mark.parametrize("statement", MALFORMED)
def test_a_command_that_is_not_written_as_it_must_be_is_a_syntax_error(client: Client, statement: str) -> None:
    found = client.query(f"SELECT 1; {statement}; SELECT 2")
    assert (kinds(found), state(found)) == ("EZ", "42601")
    assert statement.split()[0].encode() in found[0][1]
    assert state(client.ask(parse(statement), SYNC)) == "42601"


@pytest.mark.parametrize(
    ("statement", "state_of_it"),
    [
        ("COMMIT PREPARED 'x'", "0A000"),
        ("ROLLBACK PREPARED 'x'", "0A000"),
        ("BEGIN READ WRITE", "0A000"),
        ("SET TRANSACTION READ WRITE", "0A000"),
        ("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", "0A000"),
        ("SET default_transaction_read_only = off", "22023"),
        ("SET transaction_read_only TO 'false'", "22023"),
        ("SAVEPOINT a", "25P01"),
        ("COPY person TO STDOUT (ENCODING 'latin1')", "0A000"),
        ("COPY person TO STDOUT (DELIMITER 'ab')", "0A000"),
        ("COPY person TO STDOUT (ESCAPE 'x')", "0A000"),
        ("COPY person TO STDOUT (FORMAT csv, FORCE_QUOTE *)", "0A000"),
        ("COPY person TO STDOUT (FORMAT csv, DELIMITER '\"')", "0A000"),
    ],
)
def test_what_there_is_not_is_refused_by_name(client: Client, statement: str, state_of_it: str) -> None:
    assert state(client.query(statement)) == state_of_it


@pytest.mark.parametrize(
    ("asked", "lines"),
    [
        ("(SELECT 1 AS a, 2) /* c */ TO STDOUT", [b"1\t2\n"]),
        ("(SELECT (1) AS a -- to stdout\n) TO STDOUT", [b"1\n"]),
        (r"(SELECT 1 AS a, 2) TO STDOUT (DELIMITER E'\x01')", [b"1\x012\n"]),
        ("(SELECT 1 AS a, 'q,\"' AS b) TO STDOUT (FORMAT csv, ESCAPE '!')", [b'1,"q,!""\n']),
        ("(SELECT '!\"' AS b) TO STDOUT CSV HEADER QUOTE AS '\"' ESCAPE AS '!'", [b"b\n", b'"!!!""\n']),
        ("(SELECT NULL AS b) TO STDOUT WITH NULL AS 'nix'", [b"nix\n"]),
        ("(SELECT 1 AS b) TO STDOUT (ENCODING 'utf-8', HEADER false)", [b"1\n"]),
    ],
)
def test_options_of_copy_are_heeded(client: Client, asked: str, lines: list[bytes]) -> None:
    assert [body for kind, body in client.query(f"COPY {asked}") if kind == "d"] == lines


def seed(client: Client) -> bytes | None:
    return rows(client.query("SHOW imputedb.seed"))[0][0]


def test_savepoints_keep_settings_and_cursors(client: Client) -> None:
    client.query("BEGIN; SET imputedb.seed = 1; SAVEPOINT a; SET imputedb.seed = 2; SAVEPOINT b")
    client.query("SET imputedb.seed = 3; DECLARE c CURSOR FOR SELECT 1")
    client.query("ROLLBACK TO b")
    assert seed(client) == b"2"
    assert state(client.query("FETCH c")) == "34000"
    client.query("ROLLBACK TO SAVEPOINT a")
    assert seed(client) == b"1"
    assert state(client.query("ROLLBACK TO b")) == "3B001"
    assert client.query("ROLLBACK TO a")[-1] == ("Z", b"T")
    assert tags(client.query("RELEASE SAVEPOINT a")) == ["RELEASE"]
    found = client.query("RELEASE a")
    assert (state(found), found[-1]) == ("3B001", ("Z", b"E"))
    client.query("ROLLBACK")
    assert seed(client) == b"0"


def users(core: Core) -> int:
    return core.instances._now._users


@pytest.mark.parametrize("rest", ["", "; SELECT 1"])
def test_what_fails_holds_nothing(core: Core, client: Client, rest: str) -> None:
    many = "SELECT * FROM range(12000) t(x) ORDER BY x"
    late = "SELECT CASE WHEN x = 8000 THEN chr(0) ELSE 'a' END AS t FROM range(12000) t(x) ORDER BY x"
    client.query("BEGIN")
    client.query(f"DECLARE c CURSOR FOR {many}{rest}")
    assert state(client.query(f"DECLARE c CURSOR FOR {many}{rest}")) == "42P03"
    client.query("ROLLBACK")
    assert state(client.query(late + rest))
    client.query(f"COPY ({late}) TO STDOUT{rest}")
    client.ask(parse(many), bind(), execute(), SYNC)
    until(lambda: users(core) == 0)


def test_a_client_who_goes_amid_his_answer_holds_nothing(core: Core, at: PostgresServer) -> None:
    for asked in (
        f"SELECT '{'x' * 1000}' FROM range(12000)",
        f"COPY (SELECT '{'x' * 1000}' FROM range(12000)) TO STDOUT",
    ):
        with Client(at.port, user="ann") as client:
            client.send(message("Q", text(asked)))
            assert kinds([client.one()]) in "TH"
        until(lambda: at.connections == 0)
        until(lambda: users(core) == 0)


def test_long_texts_are_read_beside_the_loop(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    real = reading.tokens

    def seen(told: str) -> Any:
        threads.append(threading.current_thread().name)
        return real(told)

    monkeypatch.setattr(reading, "tokens", seen)
    monkeypatch.setattr(reading, "split", lambda told: [told])
    long = f"SELECT {'(' * 3000}1{')' * 3000}"
    client.query(long)
    client.ask(parse(long), SYNC)
    assert threads
    assert "imputedb-postgres" not in threads


def test_statements_of_a_text_are_bounded(client: Client) -> None:
    assert len(tags(client.query("SET jit = on;" * 40))) == 40
    found = client.query("SET jit = on;" * 41)
    assert (kinds(found), state(found)) == ("EZ", "54000")


LONG = f"SELECT x, '{'x' * 1000}' FROM range(60000) t(x)"


@pytest.mark.parametrize("asked", [LONG, f"COPY ({LONG}) TO STDOUT"])
@pytest.mark.parametrize("by", ["key", "time"])
def test_an_answer_that_is_being_sent_is_ended(at: PostgresServer, client: Client, asked: str, by: str) -> None:
    if by == "time":
        client.query("SET statement_timeout = '1s'")
    client.send(message("Q", text(asked)))
    assert kinds([client.one()]) in "TH"
    if by == "time":
        time.sleep(1.2)
    else:
        with Client(at.port) as other:
            other.send(struct.pack("!ii", 16, 80877102) + client.key)
            with pytest.raises((EOFError, ConnectionError)):
                other.take(1)
    found = client.until("Z")
    assert (state(found), len(found) < 60_000) == ("57014", True)
    client.query("RESET statement_timeout")
    assert rows(client.query("SELECT 1")) == [(b"1",)]


def test_cursors_keep_no_more_than_the_role_may_have(served: Path) -> None:
    core = Core(served, configuration(roles={"reader": {"rows": 100}}), lambda _: None)
    with door(core) as own, Client(own.port, user="ann") as client:
        client.query("DECLARE a CURSOR WITH HOLD FOR SELECT * FROM range(60)")
        asked = "DECLARE b CURSOR WITH HOLD FOR SELECT * FROM range(60)"
        assert state(client.query(asked)) == "54000"
        assert state(client.ask(parse("SELECT * FROM range(60)"), bind(), execute(5), SYNC)) == "54000"
        assert len(rows(client.query("SELECT * FROM range(100)"))) == 100
        client.query("FETCH 30 FROM a")
        assert tags(client.query(asked)) == ["DECLARE CURSOR"]
        client.query("CLOSE ALL")
        for number in range(10):
            assert tags(client.query(f"DECLARE h{number} CURSOR WITH HOLD FOR SELECT 1")) == ["DECLARE CURSOR"]
        assert state(client.query("DECLARE h CURSOR WITH HOLD FOR SELECT 1")) == "54000"
    core.close()


def test_descriptions_and_catalog_statements_are_counted_and_bounded(served: Path) -> None:
    bounds = {"roles": {"reader": {"per_minute": 4}}, "limits": {"parameters": 3}}
    core = Core(served, configuration(**bounds), lambda _: None)
    with door(core) as own, Client(own.port, user="ann") as one:
        many = "SELECT count(*) FROM {} WHERE 'a' IN ($1, $2, $3, $4)"
        for table in ("person", "pg_class"):
            assert state(one.ask(parse(many.format(table)), describe("S"), SYNC)) == "54000", table
        assert rows(one.query("SELECT count(*) FROM pg_class WHERE relname = 'person'")) == [(b"1",)]
        assert state(one.ask(parse("SELECT 1"), describe("S"), SYNC)) == ""
        for left in (
            one.query("SELECT 1"),
            one.query("SELECT version()"),
            one.ask(parse("TABLE person"), describe("S"), SYNC),
        ):
            assert state(left) == "53400"
    core.close()


def test_limits_of_time_and_error_are_set_for_what_follows(client: Client) -> None:
    client.query("SET imputedb.m = 5; SET imputedb.error = 0.9")
    told = client.ask(parse("SELECT avg(weight) AS w FROM person"), describe("S"), bind(), execute(), SYNC)
    assert kinds(told) == "1tT2DCZ"
    assert state(client.query("SET imputedb.alpha = 0.5; SELECT avg(weight) FROM person")) == "42000"
    client.query("RESET ALL; SET imputedb.m = 5")
    assert kinds(client.query("SELECT avg(weight) AS w FROM person WITHIN 60000 MS ERROR 90 %")) == "TDCZ"
    for wrong in ("within_ms = 0", "within_ms = 'soon'", "error = 2"):
        assert state(client.query(f"SET imputedb.{wrong}")) == "22023"
    assert state(client.query("SELECT 1 WITHIN 5 MS WITHIN 6 MS")) == "42000"
    client.query("RESET ALL")


def test_lists_of_the_catalog_are_described_before_they_run(client: Client) -> None:
    for listing in ("SHOW TABLES", "DESCRIBE person", "SUMMARIZE person"):
        told = client.ask(parse(listing), describe("S"), bind(), describe("P"), execute(), SYNC)
        assert kinds(told).startswith("1tT2TD"), listing
        assert told[2][1] == told[4][1], listing
