"""The handshake: encryption, version, who it is, and what the session begins with."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from imputedb.service.errors import Refusal, Unauthenticated
from imputedb.service.postgres.authentication import MECHANISM, Exchange, WrongPassword
from imputedb.service.postgres.formats import CANCEL, GSS, SSL, VERSION, Malformed, decode, encode, text
from imputedb.service.postgres.settings import Settings, Unknown, options
from imputedb.service.postgres.wire import Gone, Wire
from imputedb.service.request import Principal
from imputedb.service.security.rates import Rates
from imputedb.service.security.tokens import Credentials


class Unencrypted(Refusal):
    """The door speaks encrypted only."""

    state = "28000"


@dataclass(frozen=True, slots=True)
class Entrance:
    """What decides who comes in.

    Attributes:
        credentials: of clients.
        failures: wrong passwords by address.
        per_minute: of these, before an address has to wait.
        tls: of encrypted connections; None where there are none.
        secret: of this process.
        cancel: ends the statement of the session that has a number and a key.
        database: the name of the database, as it is shown.
    """

    credentials: Credentials
    failures: Rates
    per_minute: int
    tls: ssl.SSLContext | None
    secret: bytes
    cancel: Callable[[int, bytes], None]
    database: str


async def greeted(
    entrance: Entrance, wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> tuple[Principal, Settings] | None:
    """Who has come in, and the settings of the session; None of one who only wanted another's statement cancelled.

    Raises:
        Gone: the client goes.
        Refusal: nobody comes in like this.
    """
    is_encrypted = False
    for _ in range(3):
        number, rest = await wire.first()
        if number == CANCEL:
            if len(rest) >= 8:
                entrance.cancel(int.from_bytes(rest[:4]), rest[4:])
            return None
        if number == SSL and entrance.tls is not None and not is_encrypted:
            await _encrypt(entrance.tls, reader, writer)
            is_encrypted = True
        elif number in (SSL, GSS):
            writer.write(b"N")
            await writer.drain()
        else:
            break
    else:
        raise Malformed("this is no beginning of a session")
    if entrance.tls is not None and not is_encrypted:
        raise Unencrypted("connections are encrypted here: sslmode=require")
    told = _parameters(number, rest, wire)
    return await _known(entrance, wire, writer, told), _settings(told)


async def _encrypt(tls: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Goes on encrypted. What came before its time, unencrypted, must not be taken for a part of it.

    Nothing is read from here until encryption reads: what comes in between goes to it, which refuses it.
    """
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    early = asyncio.ensure_future(reader.read(1))
    await asyncio.sleep(0)
    if early.done():
        raise Malformed("data came behind the wish to be encrypted, before it was granted")
    early.cancel()
    await asyncio.gather(early, return_exceptions=True)
    writer.write(b"S")
    await writer.drain()
    try:
        await writer.start_tls(tls)
    except (OSError, ssl.SSLError, TimeoutError) as error:
        raise Gone from error


def _parameters(number: int, rest: bytes, wire: Wire) -> dict[str, str]:
    """What the client says of itself.

    Raises:
        Malformed: it speaks another version, or says nothing.
    """
    if number >> 16 != VERSION >> 16:
        raise Malformed(f"protocol {number >> 16}.{number & 0xFFFF} is not spoken here: 3.0 is")
    try:
        words = rest.decode().split("\0")
    except UnicodeDecodeError as error:
        raise Malformed("parameters are no UTF-8") from error
    if len(words) < 2 or words[-2:] != ["", ""] or len(words) % 2:
        raise Malformed("parameters do not come in pairs")
    told = dict(zip(words[0:-2:2], words[1:-2:2], strict=True))
    unknown = [name for name in told if name.startswith("_pq_.")]
    if number != VERSION or unknown:
        wire.put(encode("negotiate", VERSION & 0xFFFF, len(unknown), b"".join(map(text, unknown))))
    if not told.get("user"):
        raise Malformed("the client names no user")
    return {name: value for name, value in told.items() if name not in unknown}


def _settings(told: dict[str, str]) -> Settings:
    """What the session begins with.

    Raises:
        Refusal: a setting cannot have its value.
    """
    settings = Settings(told["user"])
    given = {
        **{name: value for name, value in told.items() if name not in ("user", "database", "options", "replication")}
    }
    for name, value in {**given, **options(told.get("options", ""))}.items():
        settings.set(name, value.strip("'") if name == "client_encoding" else value)
    if told.get("replication", "false") not in ("false", "off", "0", "no"):
        raise Unknown("nothing is replicated here")
    settings.started()
    return settings


async def _known(entrance: Entrance, wire: Wire, writer: asyncio.StreamWriter, told: dict[str, str]) -> Principal:
    """Who the client is.

    Raises:
        Refusal: nobody who is known, or too often.
    """
    try:
        found = entrance.credentials.principal(None)
    except Unauthenticated:
        found = await _proved(entrance, wire, writer, told["user"])
    wire.put(encode("authentication", 0, b""))
    return found


async def _proved(entrance: Entrance, wire: Wire, writer: asyncio.StreamWriter, user: str) -> Principal:
    address = str((writer.get_extra_info("peername") or ("?",))[0])
    exchange = Exchange(entrance.credentials, user, entrance.secret)
    try:
        wire.put(encode("authentication", 10, text(MECHANISM) + b"\0"))
        data = decode((("mechanism", "text"), ("length", "int32"), ("data", "rest")), await _password(wire))
        if data["mechanism"] != MECHANISM:
            raise WrongPassword(f"only {MECHANISM} is spoken here")
        wire.put(encode("authentication", 11, exchange.first(data["data"])))
        proof, found = exchange.last(await _password(wire))
    except (WrongPassword, Unauthenticated):
        entrance.failures.check(address, entrance.per_minute)  # a right one is let in all the same
        entrance.failures.take(address, entrance.per_minute)
        raise
    wire.put(encode("authentication", 12, proof))
    return found


async def _password(wire: Wire) -> bytes:
    await wire.flush()
    kind, data = await wire.message()
    if kind != b"p":
        raise Malformed("a password was to come")
    return data


def key() -> tuple[int, bytes]:
    """The number of a session, and the key by which its statements can be cancelled."""
    return secrets.randbits(31), secrets.token_bytes(4)
