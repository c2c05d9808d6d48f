"""The Postgres door, message by message: sessions, both protocols, transactions, limits."""

from __future__ import annotations

import select
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from imputedb import connect
from imputedb.service.core import Core
from imputedb.service.postgres.server import PostgresServer
from tests.service.conftest import configuration
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

FOREVER = "SELECT count(*) FROM range(100000000) a, range(100000) b"


@pytest.fixture(scope="module")
def at(served: Path) -> Iterator[PostgresServer]:
    core = Core(served, configuration(), lambda _: None)
    with door(core) as found:
        yield found
    core.close()


@pytest.fixture
def client(at: PostgresServer) -> Iterator[Client]:
    with Client(at.port, user="ann", database="survey") as found:
        yield found


def test_a_session_begins_with_what_clients_must_know(client: Client) -> None:
    assert client.told["server_version"] == "15.0"
    assert client.told["client_encoding"] == client.told["server_encoding"] == "UTF8"
    assert client.told["standard_conforming_strings"] == client.told["integer_datetimes"] == "on"
    assert client.told["DateStyle"].startswith("ISO")
    assert len(client.key) == 8


def test_encryption_that_there_is_not_is_declined(at: PostgresServer) -> None:
    with Client(at.port) as client:
        for number in (80877103, 80877104):
            client.send(struct.pack("!ii", 8, number))
            assert client.take(1) == b"N"
        assert kinds(client.start(user="ann"))[-1] == "Z"


@pytest.mark.parametrize(
    ("first", "state_of_it"),
    [
        (struct.pack("!ii", 9, 2 << 16) + b"\0", "08P01"),
        (struct.pack("!ii", 9, 3 << 16) + b"\0", "08P01"),
        (b"GET / HTTP/1.1\r\n\r\n", "08P01"),
        (struct.pack("!ii", 8, 80877103) * 4, "08P01"),
        (struct.pack("!ii", 28, 3 << 16) + b"user\0ann\0client_enc\0", "08P01"),
    ],
)
def test_what_is_no_beginning_is_refused(at: PostgresServer, first: bytes, state_of_it: str) -> None:
    with Client(at.port) as client:
        client.send(first)
        if struct.pack("!i", 80877103) in first:
            assert client.take(3) == b"NNN"
        assert state([client.one()]) == state_of_it
        with pytest.raises((EOFError, ConnectionError)):
            client.one()


def test_a_newer_version_is_told_what_is_spoken(at: PostgresServer) -> None:
    with Client(at.port) as client:
        words = text("user", "ann", "_pq_.command_tag", "x") + b"\0"
        client.send(struct.pack("!ihh", len(words) + 8, 3, 2) + words)
        assert kinds(client.until("Z"))[0] == "v"


@pytest.mark.parametrize(("option", "why"), [("client_encoding", "LATIN1"), ("nothing_known", "1")])
def test_settings_that_cannot_be_end_the_beginning(at: PostgresServer, option: str, why: str) -> None:
    with Client(at.port) as client:
        assert kinds(client.start(user="ann", **{option: why}))[-1] == "E"


def test_several_statements_are_answered_one_after_the_other(client: Client) -> None:
    found = client.query("SELECT 1 AS a; SELECT 'x' AS b, NULL; SET imputedb.alpha = 0.5; SHOW imputedb.alpha")
    assert kinds(found) == "TDCTDCCTDCZ"
    assert rows(found) == [(b"1",), (b"x", None), (b"0.5",)]
    assert tags(found) == ["SELECT 1", "SELECT 1", "SET", "SHOW"]


def test_the_first_error_ends_a_text(client: Client) -> None:
    found = client.query("SELECT 1; SELECT * FROM nix; SELECT 2")
    assert kinds(found) == "TDCEZ"
    assert state(found) == "42P01"
    assert kinds(client.query("")) == kinds(client.query(" ; -- nothing")) == "IZ"


def test_transactions_fail_and_end(client: Client) -> None:
    assert client.query("BEGIN")[-1] == ("Z", b"T")
    assert client.query("SELEC 1")[-1] == ("Z", b"E")
    found = client.query("SELECT 1")
    assert (state(found), found[-1]) == ("25P02", ("Z", b"E"))
    assert state(client.ask(parse("SELECT 1"), SYNC)) == "25P02"
    assert tags(client.query("COMMIT")) == ["ROLLBACK"]
    assert client.query("SELECT 1")[-1] == ("Z", b"I")
    assert tags(client.query("START TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1; COMMIT")) == [
        "BEGIN", "SELECT 1", "COMMIT",
    ]  # fmt: skip
    assert client.query("BEGIN; SAVEPOINT a; SELEC")[-1] == ("Z", b"E")
    assert client.query("ROLLBACK TO SAVEPOINT a")[-1] == ("Z", b"T")
    assert client.query("ROLLBACK")[-1] == ("Z", b"I")


def test_settings_follow_the_transaction(client: Client) -> None:
    client.query("BEGIN; SET imputedb.seed = 5; SET application_name = 'x'")
    found = client.query("ROLLBACK")
    assert ("S", text("application_name", "")) in found
    assert rows(client.query("SHOW imputedb.seed")) == [(b"0",)]
    client.query("BEGIN; SET LOCAL imputedb.seed = 7")
    assert rows(client.query("SHOW imputedb.seed")) == [(b"7",)]
    client.query("COMMIT")
    assert rows(client.query("SHOW imputedb.seed")) == [(b"0",)]


@pytest.mark.parametrize(
    ("statement", "state_of_it"),
    [
        ("SET imputedb.alpha = 2", "22023"),
        ("SET imputedb.nix = 2", "42704"),
        ("SET imputedb.m = 'many'", "22023"),
        ("SET threads = 8", "42704"),
        ("SET search_path TO secret", "22023"),
        ("SET server_version = '1'", "22023"),
        ("SET ROLE admin", "42501"),
        ("SHOW nix", "42704"),
        ("SET", "42601"),
        ("DECLARE c CURSOR FOR SELECT 1", "25P01"),
        ("FETCH 1 FROM nix", "34000"),
        ("CLOSE nix", "34000"),
        ("DEALLOCATE nix", "26000"),
        ("COPY person FROM STDIN", "42501"),
        ("COPY person TO '/tmp/x'", "42501"),
        ("INSERT INTO person SELECT * FROM person", "42501"),
        ("CREATE TABLE a AS SELECT 1", "42501"),
        ("SELECT * FROM read_csv('/etc/passwd')", "42501"),
        ("WITH x AS (DELETE FROM person RETURNING *) SELECT * FROM x", "42501"),
        ("ATTACH '/tmp/x.db'", "42501"),
        ("PRAGMA database_list", "42501"),
        ("EXPLAIN ANALYZE INSERT INTO person SELECT * FROM person", "42501"),
        ("SELECT * FROM imputedb.models", "42501"),
        ("SELECT nix FROM person", "42703"),
        ("SELECT {'a': 1} AS s", "0A000"),
        ("SELECT [[1]] AS s", "0A000"),
        ("SELECT chr(0) || 'a'", "08P01"),
    ],
)
def test_what_is_not_done_is_told_by_its_state(client: Client, statement: str, state_of_it: str) -> None:
    found = client.query(statement)
    assert state(found) == state_of_it, found
    assert kinds(client.query("SELECT 1")) == "TDCZ"


def test_statements_are_described_before_they_run(client: Client) -> None:
    found = client.ask(
        parse("SELECT id, weight FROM person WHERE height > $1 AND sex = $2 ORDER BY id"), describe("S"), SYNC
    )
    assert kinds(found) == "1tTZ"
    assert struct.unpack("!Hii", found[1][1]) == (2, 701, 25)
    found = client.ask(bind(struct.pack("!d", 180.0), b"f", forms=(1, 0), results=(1, 0)), execute(2), execute(1), SYNC)
    assert kinds(found) == "2DDsDsZ"
    assert struct.unpack("!q", rows(found)[0][0] or b"")
    assert b"." in (rows(found)[0][1] or b"")
    assert state(client.ask(execute(), SYNC)) == "34000"


def test_a_prepared_statement_of_other_columns_than_described_is_to_be_prepared_again(tmp_path: Path) -> None:
    """Whatever has changed, a name or the places of a decimal, when another file took the served one's place."""
    path = tmp_path / "a.duckdb"
    for number, column in enumerate(("cost DECIMAL(9, 2)", "price DECIMAL(9, 2)", "price DECIMAL(9, 3)")):
        with connect(tmp_path / str(number)) as db:
            db.execute(f"CREATE TABLE t ({column})")
    (tmp_path / "0").rename(path)
    core = Core(path, configuration(), lambda _: None)
    with door(core) as found, Client(found.port, user="ann") as client:
        client.ask(parse("SELECT * FROM t", "first"), describe("S", "first"), SYNC)
        for number, name in ((1, "first"), (2, "second")):
            assert kinds(client.ask(bind(name=name), execute(), SYNC)) == "2CZ"
            (tmp_path / str(number)).rename(path)
            changed = client.ask(bind(name=name), execute(), SYNC)
            assert state(changed) == "0A000"
            assert b"cached plan must not change result type" in changed[1][1]
            assert b"RRevalidateCachedQuery\0" in changed[1][1]
            client.ask(parse("SELECT * FROM t", "second"), describe("S", "second"), SYNC)
    core.close()


def test_parameters_are_described_for_statements_alone(client: Client) -> None:
    assert kinds(client.ask(parse("SELECT 1"), bind(), describe("P"), execute(), SYNC)) == "12TDCZ"
    assert (
        kinds(client.ask(parse("SET imputedb.seed = 1"), describe("S"), bind(), describe("P"), execute(), SYNC))
        == "1tn2nCZ"
    )
    assert kinds(client.ask(parse(""), bind(), execute(), SYNC)) == "12IZ"


def test_after_an_error_all_is_passed_over_until_sync(client: Client) -> None:
    found = client.ask(parse("SELEC"), bind(), describe("P"), execute(), SYNC)
    assert (kinds(found), state(found)) == ("EZ", "42601")
    assert state(client.ask(bind(name="nix"), SYNC)) == "26000"
    assert state(client.ask(parse("SELECT $1"), bind(), SYNC)) == "08P01"
    assert state(client.ask(parse("SELECT 1; SELECT 2"), SYNC)) == "42601"
    assert [state(client.ask(parse(one), SYNC)) for one in ("UPDATE EXTENSIONS", "DROP TABLE person")] == ["42501"] * 2
    client.ask(parse("SELECT 1", "s"), SYNC)
    assert state(client.ask(parse("SELECT 1", "s"), SYNC)) == "42P05"
    assert kinds(client.ask(message("C", b"S" + text("s")), parse("SELECT 1", "s"), SYNC)) == "31Z"


def test_cursors_are_fetched_and_live_as_long_as_their_transaction(client: Client) -> None:
    client.query("BEGIN; DECLARE c CURSOR FOR SELECT * FROM range(12000) ORDER BY 1")
    assert [int(one[0] or 0) for one in rows(client.query("FETCH 2 FROM c"))] == [0, 1]
    assert tags(client.query("MOVE 5000 FROM c")) == ["MOVE 5000"]
    found = client.query("FETCH ALL FROM c")
    assert [int(one[0] or 0) for one in rows(found)] == list(range(5002, 12000))
    assert kinds(client.query("FETCH NEXT FROM c")) == "TCZ"
    client.query("COMMIT")
    assert state(client.query("FETCH 1 FROM c")) == "34000"
    client.query("DECLARE h CURSOR WITH HOLD FOR SELECT 1")
    assert rows(client.query("FETCH FORWARD 1 IN h")) == [(b"1",)]
    assert tags(client.query("CLOSE h")) == ["CLOSE CURSOR"]


def test_copy_writes_lines(client: Client) -> None:
    asked = "(SELECT 1 AS a, NULL AS b, e'x\\ty\\\\' AS c UNION ALL SELECT 2, 'q,\"', '' ORDER BY 1)"
    lines = [body for kind, body in client.query(f"COPY {asked} TO STDOUT") if kind == "d"]
    assert lines == [b"1\t\\N\tx\\ty\\\\\n", b'2\tq,"\t\n']
    lines = [body for kind, body in client.query(f"COPY {asked} TO STDOUT WITH (FORMAT csv, HEADER)") if kind == "d"]
    assert lines == [b"a,b,c\n", b"1,,x\ty\\\n", b'2,"q,""",""\n']
    found = client.query("COPY person (id, sex) TO STDOUT CSV")
    assert (kinds(found)[0], tags(found)) == ("H", ["COPY 300"])
    found = client.query("COPY (SELECT 7 AS a) TO STDOUT (FORMAT binary)")
    assert b"".join(body for kind, body in found if kind == "d")[19:] == struct.pack("!hiih", 1, 4, 7, -1)


def test_what_was_done_to_missing_values_is_told(client: Client) -> None:
    found = client.query("SELECT avg(weight) AS w FROM person")
    assert any(kind == "N" and b"imputed 67 of person.weight" in body for kind, body in found)
    client.query("SET client_min_messages = error")
    assert "N" not in [kind for kind, _ in client.query("SELECT avg(weight) AS w FROM person")]
    client.query("SET imputedb.m = 3")
    head = client.query("SELECT avg(weight) AS w FROM person")[0][1]
    assert all(name in head for name in (b"w_se\0", b"w_low\0", b"w_high\0", b"w_fmi\0"))


def test_a_statement_is_cancelled_by_its_key_alone(at: PostgresServer, client: Client) -> None:
    for key in (client.key[:4] + b"\0\0\0\0", client.key):
        client.send(message("Q", text(FOREVER))) if key != client.key else None
        time.sleep(0.2)
        with Client(at.port) as other:
            other.send(struct.pack("!ii", 16, 80877102) + key)
            with pytest.raises((EOFError, ConnectionError)):
                other.take(1)
        if key != client.key:
            assert not select.select([client.socket], [], [], 0.3)[0]
    assert state(client.until("Z")) == "57014"
    assert rows(client.query("SELECT 1")) == [(b"1",)]


def test_a_statement_ends_in_time(client: Client) -> None:
    client.query("SET statement_timeout = '100ms'")
    assert state(client.query(FOREVER)) == "57014"


def test_a_client_who_goes_ends_his_statement(served: Path) -> None:
    core = Core(served, configuration(workers=1), lambda _: None)
    with door(core) as own:
        client = Client(own.port, user="ann")
        client.send(message("Q", text(FOREVER)))
        until(lambda: core.admission.running == 1)
        client.close()
        until(lambda: core.admission.running == 0)
        until(lambda: own.connections == 0)
    core.close()


def until(holds: object, seconds: float = 15) -> None:
    last = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < last
        time.sleep(0.02)


def test_what_is_too_much_is_refused(served: Path) -> None:
    bounds = {"limits": {"body_bytes": 5000, "statement_bytes": 4000}, "roles": {"reader": {"rows": 10}}}
    core = Core(served, configuration(connections=2, **bounds), lambda _: None)
    with door(core) as own, Client(own.port, user="ann") as client:
        assert state(client.query("SELECT * FROM range(11)")) == "54000"
        assert len(rows(client.query("SELECT * FROM range(10)"))) == 10
        assert state(client.query(f"SELECT '{'x' * 4000}'")) == "54000"
        with Client(own.port, user="ann"), Client(own.port) as third:
            assert state([third.one()]) == "53300"
        client.send(message("Q", b"x" * 6000))
        assert state([client.one()]) == "54000"
        with pytest.raises((EOFError, ConnectionError)):
            client.one()
    core.close()


def test_slow_and_idle_clients_are_let_go_of(served: Path) -> None:
    core = Core(served, configuration(idle_seconds=0.3, session_seconds=0.6), lambda _: None)
    with door(core) as own:
        for greeting, data in ({}, b""), ({"user": "ann"}, b"Q\0\0\0\x20SELECT"), ({"user": "ann"}, b""):
            with Client(own.port, **greeting) as client:
                client.send(data)
                with pytest.raises((EOFError, ConnectionError)):
                    client.take(1)
        until(lambda: own.connections == 0)
    core.close()


def test_the_end_of_the_service_is_told(served: Path) -> None:
    core = Core(served, configuration(), lambda _: None)
    for _ in range(30):  # at once, so that some sessions are in the middle of a word
        with door(core) as own:
            clients = [Client(own.port, user="ann") for _ in range(3)]
        for client in clients:
            assert state([client.one()]) == "57P01"
            client.close()
    core.close()
