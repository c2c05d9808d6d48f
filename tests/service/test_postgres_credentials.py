"""Who comes in by the Postgres door: tokens as passwords by SCRAM-SHA-256, encrypted or not at all."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from imputedb.errors import QueryError, StorageError
from imputedb.service.configuration import load
from imputedb.service.core import Core, Done
from imputedb.service.postgres import startup
from imputedb.service.postgres.server import PostgresServer
from imputedb.service.postgres.wire import Disconnected, Reader
from imputedb.service.security import tokens
from tests.service.conftest import configuration
from tests.service.wire import Client, door, state

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    path = tmp_path_factory.mktemp("tokens") / "tokens.toml"
    given = {name: tokens.added(path, name, role) for name, role in (("ada", "analyst"), ("old", "reader"))}  # type: ignore[arg-type]
    before = tokens.read(path)
    tokens.write(path, {**before, "old": tokens.Token("old", "reader", before["old"].digest)})
    return path, given


@pytest.fixture(scope="module")
def core(served: Path, known: tuple[Path, dict[str, str]]) -> Iterator[Core]:
    found = Core(served, configuration(security={"tokens": known[0], "failures_per_minute": 5}), lambda _: None)
    yield found
    found.close()


@pytest.fixture
def at(core: Core) -> Iterator[PostgresServer]:
    with door(core) as found:
        yield found


def connected(at: PostgresServer, user: str, password: str, **more: str) -> None:
    with psycopg.connect(
        host="127.0.0.1", port=at.port, user=user, password=password, connect_timeout=10, **more
    ) as it:
        assert it.execute("SELECT 1").fetchone() == (1,)


def test_a_token_is_a_password_and_its_name_the_user(
    at: PostgresServer, core: Core, known: tuple[Path, dict[str, str]]
) -> None:
    seen: list[Done] = []
    core.observers.append(seen.append)
    connected(at, "ada", known[1]["ada"])
    core.observers.clear()
    assert {(one.principal.name, one.principal.role) for one in seen} == {("token:ada", "analyst")}
    assert {one.request.door for one in seen if one.request} == {"postgres"}


def test_nobody_else_comes_in_and_too_many_wrong_ones_wait(
    at: PostgresServer, known: tuple[Path, dict[str, str]]
) -> None:
    said = set()
    for user, password in (("ada", known[1]["old"]), ("old", known[1]["old"]), ("nobody", known[1]["ada"])):
        with pytest.raises(psycopg.OperationalError) as caught:
            connected(at, user, password)
        said.add(str(caught.value).replace(user, "USER").partition("FATAL")[2])
    assert len(said) == 1  # whether there is such a user is not told
    for _ in range(3):
        with pytest.raises(psycopg.OperationalError) as caught:
            connected(at, "ada", "imp_wrong")
    assert "too many wrong credentials" in str(caught.value)
    connected(at, "ada", known[1]["ada"])


def test_what_is_no_exchange_is_refused(at: PostgresServer) -> None:
    for sent in (
        b"Q\0\0\0\x06a\0",
        b"p\0\0\0\x06a\0",
        b"p\0\0\0\x16SCRAM-SHA-256\0\xff\xff\xff\xff",
        b"p\0\0\0\x0bPLAIN\0\0",
    ):
        with Client(at.port) as client:
            words = b"user\0ada\0\0"
            client.send((len(words) + 8).to_bytes(4) + (3 << 16).to_bytes(4) + words)
            assert client.one()[0] == "R"
            client.send(sent)
            client.send(b"\0" * 40)
            assert state([client.one()]) in ("08P01", "28P01", "53400")


def test_tokens_that_are_dropped_or_over_are_none(tmp_path: Path, served: Path) -> None:
    path = tmp_path / "tokens.toml"
    text = tokens.added(path, "eve", "reader", days=1)
    assert text not in path.read_text()
    assert "SCRAM" not in repr(tokens.read(path))
    before = tokens.read(path)["eve"]
    tokens.write(
        path, {"eve": tokens.Token("eve", "reader", before.digest, before.expires.replace(year=2020), before.verifier)}
    )  # type: ignore[union-attr]
    core = Core(served, configuration(security={"tokens": path}), lambda _: None)
    with door(core) as own, pytest.raises(psycopg.OperationalError, match="token has expired"):
        connected(own, "eve", text)
    core.close()


@pytest.mark.parametrize("change", ["dropped", "anew", "role", "over"])
def test_a_session_ends_with_its_token(tmp_path: Path, served: Path, change: str) -> None:
    path = tmp_path / "tokens.toml"
    text = tokens.added(path, "eve", "reader", days=1)
    tokens.added(path, "ada", "analyst")
    core = Core(served, configuration(security={"tokens": path}), lambda _: None)
    with door(core) as own:
        target = {"host": "127.0.0.1", "port": own.port, "user": "eve", "password": text, "connect_timeout": 10}
        with psycopg.connect(**target, autocommit=True) as it:
            assert it.execute("SELECT 1").fetchone() == (1,)
            own._entrance.credentials.reload()
            assert it.execute("SELECT 1").fetchone() == (1,)
            known = tokens.read(path)
            eve = known["eve"]
            tokens.dropped(path, "eve")
            if change == "anew":
                tokens.added(path, "eve", "reader")
            elif change != "dropped":
                late = eve.expires.replace(year=2020) if change == "over" and eve.expires else eve.expires
                role = "analyst" if change == "role" else "reader"
                tokens.write(path, {**known, "eve": tokens.Token("eve", role, eve.digest, late, eve.verifier)})
            own._entrance.credentials.reload()
            with pytest.raises(psycopg.OperationalError) as caught:
                it.execute("SHOW imputedb.m")
            assert caught.value.sqlstate == "28000"
            assert it.closed
    core.close()


def test_what_comes_unencrypted_is_no_part_of_what_is_encrypted(certified: tuple[Path, Path]) -> None:
    certificate, key = certified
    inside, outside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(certificate))
    inside.load_cert_chain(certificate, key)
    outside.check_hostname = False

    async def tried() -> bytes:
        loop, taken = asyncio.get_running_loop(), asyncio.Queue[bytes]()
        sent = asyncio.Event()

        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            drain = writer.drain

            async def slowly() -> None:
                await drain()
                await sent.wait()
                await asyncio.sleep(0.02)

            writer.drain = slowly  # type: ignore[method-assign]
            try:
                await startup._encrypt(inside, reader, writer)
                await taken.put(await reader.read(100))
            except Disconnected:
                await taken.put(b"")
            writer.close()

        def protocol() -> asyncio.StreamReaderProtocol:
            reader = Reader()
            return asyncio.StreamReaderProtocol(reader, lambda _, writer: greet(reader, writer), loop=loop)

        server = await loop.create_server(protocol, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.read(1) == b"S"
        writer.write(b"injected")
        await writer.drain()
        sent.set()
        with suppress(OSError):
            await writer.start_tls(outside)
            writer.write(b"encrypted")
        found = await taken.get()
        writer.close()
        server.close()
        return found

    assert asyncio.run(asyncio.wait_for(tried(), 20)) == b""


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    try:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
             "-keyout", str(key), "-out", str(certificate)],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip
    except OSError:
        pytest.skip("openssl is not installed")
    return certificate, key


def test_encrypted_alone_where_there_is_a_certificate(certified: tuple[Path, Path], served: Path) -> None:
    certificate, key = certified
    tls = {"certificate": certificate, "key": key}
    core = Core(served, configuration(tls=tls), lambda _: None)
    with door(core) as own:
        connected(own, "ann", "", sslmode="verify-ca", sslrootcert=str(certificate))
        with pytest.raises(psycopg.OperationalError, match="sslmode=require"):
            connected(own, "ann", "", sslmode="disable")
        with Client(own.port) as client:
            client.send(b"\0\0\0\x08" + (80877103).to_bytes(4) + b"\0\0\0\x20user")
            assert state([client.one()]) == "08P01"
    core.close()


def test_whoever_can_reach_the_door_has_to_show_who_he_is() -> None:
    with pytest.raises(QueryError, match=r"0\.0\.0\.0:5433 can be reached"):
        load(None, postgres="0.0.0.0:5433")
    with pytest.raises(QueryError, match="postgres is 'x'"):
        load(None, postgres="x")


def test_an_address_in_use_is_told(served: Path) -> None:
    core = Core(served, configuration(), lambda _: None)
    with door(core) as own:
        other = PostgresServer(
            core, None, core.configuration.model_copy(update={"postgres": f"127.0.0.1:{own.port}"}), print
        )  # type: ignore[arg-type]
        with pytest.raises(StorageError, match="in use"):
            other.open()
    core.close()
