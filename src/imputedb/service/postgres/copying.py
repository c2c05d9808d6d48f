"""COPY (query) TO STDOUT: rows as lines of text, as CSV, or in PostgreSQL's binary format."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from imputedb.service.postgres import simple
from imputedb.service.postgres.columns import BINARY, TEXT
from imputedb.service.postgres.commands import Copy, Statement
from imputedb.service.postgres.formats import decode, encode
from imputedb.service.postgres.portals import Portal

if TYPE_CHECKING:
    from imputedb.service.postgres.session import Session

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_ESCAPES = ((b"\\", b"\\\\"), (b"\n", b"\\n"), (b"\r", b"\\r"), (b"\t", b"\\t"))

Line = Callable[[Sequence[bytes | None]], bytes]


async def copied(session: Session, one: Copy) -> None:
    """Sends the rows of a query in a format of COPY."""
    session.check_alive()
    form = BINARY if one.format == "binary" else TEXT
    portal = Portal(Statement(one.text), formats=[form])
    await simple.run(session, portal)
    assert portal.rows is not None  # as of every query that is answered
    rows, line = portal.rows, _line(one)
    try:
        session.wire.put(encode("copy_out", bytes([form]), [form] * len(rows.columns.names)))
        if one.format == "binary":
            session.wire.put(encode("copy_data", _SIGNATURE))
        elif one.header:
            session.wire.put(encode("copy_data", line([name.encode() for name in rows.columns.names])))
        while piece := await session.taken(rows, rows.count):
            lines = [encode("copy_data", line(_fields(row))) for row in piece]
            session.wire.put(b"".join(lines))
            await session.sent()
        if one.format == "binary":
            session.wire.put(encode("copy_data", struct.pack("!h", -1)))
        session.wire.put(encode("copy_end"))
        session.wire.put(encode("complete", f"COPY {rows.taken}"))
    finally:
        rows.close()


def _fields(row: bytes) -> list[bytes | None]:
    found: list[bytes | None] = decode((("values", "values"),), row[5:])["values"]
    return found


def _line(one: Copy) -> Line:
    """A function that formats a row."""
    delimiter, null = one.delimiter.encode(), one.null.encode()
    quote, escape = one.quote.encode(), one.escape.encode()

    def text(values: Sequence[bytes | None]) -> bytes:
        return delimiter.join(null if value is None else _escaped(value, delimiter) for value in values) + b"\n"

    def csv(values: Sequence[bytes | None]) -> bytes:
        fields = [null if value is None else _quoted(value, delimiter, null, quote, escape) for value in values]
        return delimiter.join(fields) + b"\n"

    def binary(values: Sequence[bytes | None]) -> bytes:
        parts = [struct.pack("!h", len(values))]
        for value in values:
            parts += [b"\xff\xff\xff\xff"] if value is None else [struct.pack("!i", len(value)), value]
        return b"".join(parts)

    return {"text": text, "csv": csv, "binary": binary}[one.format]


def _escaped(value: bytes, delimiter: bytes) -> bytes:
    for sign, written in _ESCAPES:
        value = value.replace(sign, written)
    return value if delimiter == b"\t" else value.replace(delimiter, b"\\" + delimiter)


def _quoted(value: bytes, delimiter: bytes, null: bytes, quote: bytes, escape: bytes) -> bytes:
    if value != null and not any(sign in value for sign in (delimiter, quote, b"\n", b"\r")) and value != b"\\.":
        return value
    if escape != quote:
        value = value.replace(escape, escape * 2)
    return quote + value.replace(quote, escape + quote) + quote
