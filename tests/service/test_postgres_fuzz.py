"""Frames that no client sends: the door answers or hangs up, in time, keeps nothing, and serves the next one.

`IMPUTEDB_FRAMES` says how many; a few thousand unless given.
"""

from __future__ import annotations

import os
import random
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from imputedb.service.core import Core
from imputedb.service.postgres.server import PostgresServer
from tests.service.conftest import configuration
from tests.service.wire import (
    MISTAKES,
    SYNC,
    Client,
    bind,
    describe,
    door,
    execute,
    kinds,
    message,
    parse,
    text,
)

FRAMES = int(os.environ.get("IMPUTEDB_FRAMES", "3000"))
START = struct.pack("!ii", 22, 3 << 16) + text("user", "ann", "a", "b") + b"\0"
RIGHT = [
    message("Q", text("SELECT 1; SELECT 'a'")),
    message("Q", text("BEGIN; DECLARE c CURSOR FOR SELECT * FROM range(9); FETCH 3 FROM c; COMMIT")),
    message("Q", text("SET imputedb.alpha = 0.5; SHOW ALL; RESET ALL")),
    message("Q", text("COPY (SELECT 1, 'a') TO STDOUT (FORMAT csv)")),
    parse("SELECT $1::int + 1, $2", types=(23, 25)) + bind(b"7", b"x") + describe("P") + execute(1) + SYNC,
    parse("SELECT 1.5::decimal(9,2), [1, 2], DATE '2020-01-01'") + bind(results=(1,)) + execute() + SYNC,
    parse("SELECT 1", "s") + describe("S", "s") + message("C", b"S" + text("s")) + SYNC,
    message("H") + message("d", b"x") + message("f", text("no")) + message("F", b"\0\0\0\1") + SYNC,
]
WORDS = (
    "SELECT * FROM person WHERE height > 170 AND sex = 'f' ORDER BY id LIMIT 3;",
    "SELECT c.oid::regclass, 'a'::regtype FROM pg_catalog.pg_class c WHERE relkind = ANY('{r,v}') AND oid > 5;",
    "FETCH 3 FROM c; DECLARE c CURSOR FOR SELECT 1; COPY (SELECT 1) TO STDOUT WITH CSV HEADER; SET x TO 'y', 'z';",
    "SHOW ALL; BEGIN; ROLLBACK TO a; SAVEPOINT a; DEALLOCATE ALL; E'a\\nb' $1 $$ 1.5e3 \"a\" information_schema.tables",
)
INTERESTING = (b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"'", b"$", b";", b"E", b"\x80\0")


@pytest.fixture(scope="module")
def at(served: Path) -> Iterator[PostgresServer]:
    core = Core(served, configuration(idle_seconds=2.0, roles={"reader": {"per_minute": 10**6}}), lambda _: None)
    MISTAKES.clear()
    with door(core) as found:
        yield found
    core.close()


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Some bytes of a message changed, left out, doubled or put in."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(found) + 1)
        match rng.randrange(5):
            case 0:
                found[place : place + rng.randint(1, 4)] = rng.choice(INTERESTING)
            case 1:
                del found[place : place + rng.randint(1, 8)]
            case 2:
                found[place:place] = rng.randbytes(rng.randint(1, 6))
            case 3:
                found[place:place] = found[place : place + rng.randint(1, 20)]
            case _ if place < len(found):
                found[place] ^= 1 << rng.randrange(8)
    return bytes(found)


def test_mutated_frames_are_answered_or_refused_in_time(at: PostgresServer) -> None:
    rng = random.Random(7)
    sent, before = 0, len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    while sent < FRAMES:
        client = Client(at.port)
        with suppress(OSError, EOFError):
            client.send(mutated(rng, START) if rng.random() < 0.05 else START)
            for _ in range(rng.randint(5, 60)):
                client.send(mutated(rng, rng.choice(RIGHT)) if rng.random() < 0.7 else rng.choice(RIGHT))
                sent += 1
            client.socket.shutdown(1)
            client.socket.settimeout(20)
            while client.socket.recv(65536):
                pass
        client.close()
    assert not MISTAKES
    last = time.monotonic() + 20
    while at.connections and time.monotonic() < last:
        time.sleep(0.02)
    assert at.connections == 0
    with Client(at.port, user="ann") as other:
        assert kinds(other.query("SELECT 1")) == "TDCZ"
    if before:
        assert len(os.listdir("/proc/self/fd")) <= before + 8


def test_mutated_statements_are_answered_or_refused(at: PostgresServer) -> None:
    rng = random.Random(11)
    words = " ".join(WORDS).split(" ")
    with Client(at.port, user="ann") as client:
        for _ in range(FRAMES // 20):
            asked = " ".join(rng.choices(words, k=rng.randint(1, 12)))
            assert kinds(client.query(asked))[-1] == "Z"
            client.query("ROLLBACK; RESET ALL")
    assert not MISTAKES
