"""The handshake: encryption, protocol version, authentication, and the first settings of a session."""

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
from imputedb.service.postgres.wire import Disconnected, Wire
from imputedb.service.request import Principal
from imputedb.service.security.rates import Rates
from imputedb.service.security.tokens import Credentials


class Unencrypted(Refusal):
    """An unencrypted connection where TLS is required."""

    state = "28000"


@dataclass(frozen=True, slots=True)
class Entrance:
    """What authentication needs.

    Attributes:
        credentials: known credentials.
        failures: wrong passwords by address.
        per_minute: number of these per minute after which an address has to wait.
        tls: TLS context; None without TLS.
        cancel: cancels the statement of the session with a number and a key.
    """

    credentials: Credentials
    failures: Rates
    per_minute: int
    tls: ssl.SSLContext | None
    cancel: Callable[[int, bytes], None]


async def greeted(
    entrance: Entrance, wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> tuple[Principal, Settings] | None:
    """The authenticated client and the settings of its session; None after a cancel request.

    Raises:
        Gone: the client has disconnected.
        Refusal: the client cannot be admitted.
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
        raise Malformed("this is not a valid startup message")
    if entrance.tls is not None and not is_encrypted:
        raise Unencrypted("connections must be encrypted: sslmode=require")
    parameters = _parameters(number, rest, wire)
    return await _known(entrance, wire, writer, parameters), _settings(parameters)


async def _encrypt(tls: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Continues the connection with TLS. Bytes that arrived before, unencrypted, must not be taken for a part of it.

    Reading is paused until TLS takes over, so that early bytes go to TLS, which refuses them.
    """
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    early = asyncio.ensure_future(reader.read(1))
    await asyncio.sleep(0)
    if early.done():
        raise Malformed("unencrypted data followed the request for encryption")
    early.cancel()
    await asyncio.gather(early, return_exceptions=True)
    writer.write(b"S")
    await writer.drain()
    try:
        await writer.start_tls(tls)
    except (OSError, ssl.SSLError, TimeoutError) as error:
        raise Disconnected from error


def _parameters(number: int, rest: bytes, wire: Wire) -> dict[str, str]:
    """The parameters of the startup message.

    Raises:
        Malformed: the protocol version is not supported, or the message is malformed.
    """
    if number >> 16 != VERSION >> 16:
        raise Malformed(f"protocol {number >> 16}.{number & 0xFFFF} is not supported: use 3.0")
    try:
        words = rest.decode().split("\0")
    except UnicodeDecodeError as error:
        raise Malformed("startup parameters are not valid UTF-8") from error
    if len(words) < 2 or words[-2:] != ["", ""] or len(words) % 2:
        raise Malformed("startup parameters must be pairs of names and values")
    parameters = dict(zip(words[0:-2:2], words[1:-2:2], strict=True))
    unknown = [name for name in parameters if name.startswith("_pq_.")]
    if number != VERSION or unknown:
        wire.put(encode("negotiate", VERSION & 0xFFFF, len(unknown), b"".join(map(text, unknown))))
    if not parameters.get("user"):
        raise Malformed("the startup message names no user")
    return {name: value for name, value in parameters.items() if name not in unknown}


def _settings(parameters: dict[str, str]) -> Settings:
    """The settings at the start of a session.

    Raises:
        Refusal: a setting cannot have its value.
    """
    settings = Settings(parameters["user"])
    others = ("user", "database", "options", "replication")
    given = {name: value for name, value in parameters.items() if name not in others}
    for name, value in {**given, **options(parameters.get("options", ""))}.items():
        settings.set(name, value.strip("'") if name == "client_encoding" else value)
    if parameters.get("replication", "false") not in ("false", "off", "0", "no"):
        raise Unknown("replication is not supported")
    settings.started()
    return settings


async def _known(entrance: Entrance, wire: Wire, writer: asyncio.StreamWriter, parameters: dict[str, str]) -> Principal:
    """The authenticated client.

    Raises:
        Refusal: the credentials are wrong, or too many attempts have failed.
    """
    try:
        found = entrance.credentials.principal(None)
    except Unauthenticated:
        found = await _proved(entrance, wire, writer, parameters["user"])
    wire.put(encode("authentication", 0, b""))
    return found


async def _proved(entrance: Entrance, wire: Wire, writer: asyncio.StreamWriter, user: str) -> Principal:
    address = str((writer.get_extra_info("peername") or ("?",))[0])
    exchange = Exchange(entrance.credentials, user)
    try:
        wire.put(encode("authentication", 10, text(MECHANISM) + b"\0"))
        data = decode((("mechanism", "text"), ("length", "int32"), ("data", "rest")), await _password(wire))
        if data["mechanism"] != MECHANISM:
            raise WrongPassword(f"only {MECHANISM} authentication is supported")
        wire.put(encode("authentication", 11, exchange.first(data["data"])))
        proof, found = exchange.last(await _password(wire))
    except (WrongPassword, Unauthenticated):
        entrance.failures.check(address, entrance.per_minute)  # a right password is accepted all the same
        entrance.failures.take(address, entrance.per_minute)
        raise
    wire.put(encode("authentication", 12, proof))
    return found


async def _password(wire: Wire) -> bytes:
    await wire.flush()
    kind, data = await wire.message()
    if kind != b"p":
        raise Malformed("a password message was expected")
    return data


def key() -> tuple[int, bytes]:
    """A new session number, and the secret key for cancelling its statements."""
    return secrets.randbits(31), secrets.token_bytes(4)
