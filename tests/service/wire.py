"""A client of the Postgres door that sends what it is told to, message by message, and a door to talk to."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from imputedb.service.core import Core
from imputedb.service.postgres.server import PostgresServer
from imputedb.service.security.tokens import Credentials

SECONDS = 20


@contextmanager
def door(core: Core) -> Iterator[PostgresServer]:
    """The Postgres door of a core, at a port of its own."""
    credentials = Credentials(core.configuration.security, is_loopback=core.configuration.is_loopback)
    configured = core.configuration.model_copy(update={"postgres": "127.0.0.1:0"})
    found = PostgresServer(core, credentials, configured, MISTAKES.append)
    found.open()
    try:
        yield found
    finally:
        found.close(5)


MISTAKES: list[str] = []
"""Exceptions that were none of ours, by their names: a test at the end sees that there were none."""


def text(*words: str) -> bytes:
    return b"".join(word.encode() + b"\0" for word in words)


def message(kind: str, body: bytes = b"") -> bytes:
    return kind.encode() + struct.pack("!i", len(body) + 4) + body


def parse(sql: str, name: str = "", types: tuple[int, ...] = ()) -> bytes:
    return message("P", text(name, sql) + struct.pack("!H", len(types)) + b"".join(struct.pack("!i", t) for t in types))


def bind(
    *values: bytes | None, name: str = "", portal: str = "", forms: tuple[int, ...] = (), results: tuple[int, ...] = ()
) -> bytes:
    parts = [text(portal, name), struct.pack("!H", len(forms)), *(struct.pack("!h", f) for f in forms)]
    parts.append(struct.pack("!H", len(values)))
    parts += [struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value for value in values]
    parts += [struct.pack("!H", len(results)), *(struct.pack("!h", f) for f in results)]
    return message("B", b"".join(parts))


def describe(kind: str, name: str = "") -> bytes:
    return message("D", kind.encode() + text(name))


def execute(most: int = 0, portal: str = "") -> bytes:
    return message("E", text(portal) + struct.pack("!i", most))


SYNC = message("S")


class Client:
    """A connection, of which every byte is said."""

    def __init__(self, port: int, **parameters: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self.told: dict[str, str] = {}
        self.key = b""
        if parameters:
            self.start(**parameters)

    def start(self, **parameters: str) -> list[tuple[str, bytes]]:
        words = text(*(part for pair in parameters.items() for part in pair)) + b"\0"
        self.send(struct.pack("!ii", len(words) + 8, 3 << 16) + words)
        found = self.until("Z", "E")
        self.told = {one.split(b"\0")[0].decode(): one.split(b"\0")[1].decode() for kind, one in found if kind == "S"}
        self.key = next((one for kind, one in found if kind == "K"), b"")
        return found

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def take(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            piece = self.socket.recv(count - len(found))
            if not piece:
                raise EOFError
            found += piece
        return found

    def one(self) -> tuple[str, bytes]:
        kind = self.take(1).decode()
        return kind, self.take(struct.unpack("!i", self.take(4))[0] - 4)

    def until(self, *kinds: str) -> list[tuple[str, bytes]]:
        found = [self.one()]
        while found[-1][0] not in kinds:
            found.append(self.one())
        return found

    def ask(self, *messages: bytes) -> list[tuple[str, bytes]]:
        """Sends messages, and takes all up to the next ReadyForQuery."""
        self.send(b"".join(messages))
        return self.until("Z")

    def query(self, sql: str) -> list[tuple[str, bytes]]:
        return self.ask(message("Q", text(sql)))

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def kinds(found: list[tuple[str, bytes]]) -> str:
    """The letters of messages, those of notices left out."""
    return "".join(kind for kind, _ in found if kind != "N")


def state(found: list[tuple[str, bytes]]) -> str:
    """The SQLSTATE of the error among messages; nothing where there is none."""
    error = next((body for kind, body in found if kind == "E"), b"")
    return next((part[1:].decode() for part in error.split(b"\0") if part[:1] == b"C"), "")


def rows(found: list[tuple[str, bytes]]) -> list[tuple[bytes | None, ...]]:
    """The values of the rows among messages."""
    made = []
    for kind, body in found:
        if kind == "D":
            values, place = [], 2
            for _ in range(struct.unpack_from("!H", body)[0]):
                (length,) = struct.unpack_from("!i", body, place)
                values.append(None if length < 0 else body[place + 4 : place + 4 + length])
                place += 4 + max(0, length)
            made.append(tuple(values))
    return made


def tags(found: list[tuple[str, bytes]]) -> list[str]:
    return [body[:-1].decode() for kind, body in found if kind == "C"]
