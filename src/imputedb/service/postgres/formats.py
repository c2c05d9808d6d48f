"""The messages of PostgreSQL's protocol 3.0 as data, and functions that decode and encode them.

Fields are `text` (ended by a zero byte), `byte`, `int16`, `int32`, `rest` (bytes to the end), and lists that follow
their length as an int16: `int16s`, `int32s`, `values` (each with its own length, -1 for NULL).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from imputedb.service.errors import Refusal

FRONTEND: Mapping[bytes, tuple[str, tuple[tuple[str, str], ...]]] = {
    b"Q": ("query", (("text", "text"),)),
    b"P": ("parse", (("statement", "text"), ("text", "text"), ("types", "int32s"))),
    b"B": (
        "bind",
        (
            ("portal", "text"),
            ("statement", "text"),
            ("formats", "int16s"),
            ("values", "values"),
            ("results", "int16s"),
        ),
    ),
    b"D": ("describe", (("kind", "byte"), ("name", "text"))),
    b"C": ("close", (("kind", "byte"), ("name", "text"))),
    b"E": ("execute", (("portal", "text"), ("most", "int32"))),
    b"S": ("sync", ()),
    b"H": ("flush", ()),
    b"X": ("terminate", ()),
    b"F": ("function", (("data", "rest"),)),
    b"p": ("password", (("data", "rest"),)),
    b"d": ("copied", (("data", "rest"),)),
    b"c": ("copy_done", ()),
    b"f": ("copy_failed", (("reason", "text"),)),
}
"""Messages of clients by their type byte: name and fields."""

BACKEND: Mapping[str, tuple[bytes, tuple[str, ...]]] = {
    "authentication": (b"R", ("int32", "rest")),
    "parameter": (b"S", ("text", "text")),
    "key": (b"K", ("int32", "rest")),
    "ready": (b"Z", ("byte",)),
    "parse_complete": (b"1", ()),
    "bind_complete": (b"2", ()),
    "close_complete": (b"3", ()),
    "no_data": (b"n", ()),
    "parameters": (b"t", ("int32s",)),
    "suspended": (b"s", ()),
    "empty": (b"I", ()),
    "complete": (b"C", ("text",)),
    "columns": (b"T", ("int16", "rest")),
    "row": (b"D", ("values",)),
    "error": (b"E", ("rest",)),
    "notice": (b"N", ("rest",)),
    "negotiate": (b"v", ("int32", "int32", "rest")),
    "copy_out": (b"H", ("byte", "int16s")),
    "copy_data": (b"d", ("rest",)),
    "copy_end": (b"c", ()),
}
"""Messages of the server by name: type byte and fields."""

SSL, GSS, CANCEL = 80877103, 80877104, 80877102
"""Request codes in place of a protocol version in the first message."""

VERSION = 3 << 16

_INT16, _INT32, _COUNT = struct.Struct("!h"), struct.Struct("!i"), struct.Struct("!H")


class Malformed(Refusal):
    """A message that violates the protocol."""

    state = "08P01"


def decode(fields: Sequence[tuple[str, str]], data: bytes) -> dict[str, Any]:
    """The fields of a message by name.

    Raises:
        Malformed: the message is too short or too long, or its text is not UTF-8.
    """
    found: dict[str, Any] = {}
    place = 0
    try:
        for name, kind in fields:
            found[name], place = _read(kind, data, place)
    except (struct.error, ValueError) as error:
        raise Malformed(f"the field {name} of a message cannot be read") from error
    if place != len(data):
        raise Malformed("a message is longer than its fields")
    return found


def _read(kind: str, data: bytes, place: int) -> tuple[Any, int]:
    match kind:
        case "text":
            end = data.index(b"\0", place)
            return data[place:end].decode(), end + 1
        case "byte":
            return _cut(data, place, 1), place + 1
        case "int16":
            return _INT16.unpack_from(data, place)[0], place + 2
        case "int32":
            return _INT32.unpack_from(data, place)[0], place + 4
        case "int16s" | "int32s" | "values":
            (count,), place = _COUNT.unpack_from(data, place), place + 2
            one = {"int16s": "int16", "int32s": "int32", "values": "value"}[kind]
            found = []
            for _ in range(count):
                value, place = _read(one, data, place)
                found.append(value)
            return found, place
        case "value":
            (length,), place = _INT32.unpack_from(data, place), place + 4
            if length < 0:
                return None, place
            return _cut(data, place, length), place + length
        case _:
            return data[place:], len(data)


def _cut(data: bytes, place: int, length: int) -> bytes:
    if place + length > len(data):
        raise ValueError("the message ends early")
    return data[place : place + length]


def encode(name: str, *values: Any) -> bytes:
    """A message of the server."""
    first, fields = BACKEND[name]
    body = b"".join(_written(kind, value) for kind, value in zip(fields, values, strict=True))
    return first + _INT32.pack(len(body) + 4) + body


def _written(kind: str, value: Any) -> bytes:
    match kind:
        case "text":
            return text(value)
        case "int16":
            return _INT16.pack(value)
        case "int32":
            return _INT32.pack(value)
        case "int16s":
            return _COUNT.pack(len(value)) + b"".join(map(_INT16.pack, value))
        case "int32s":
            return _COUNT.pack(len(value)) + b"".join(map(_INT32.pack, value))
        case "values":
            parts = [_COUNT.pack(len(value))]
            for one in value:
                parts += [b"\xff\xff\xff\xff"] if one is None else [_INT32.pack(len(one)), one]
            return b"".join(parts)
        case _:
            return bytes(value)


def text(value: str) -> bytes:
    """A text with its terminating zero byte."""
    return value.encode("utf-8", "replace").replace(b"\0", b"?") + b"\0"


_FIELD = struct.Struct("!ihihih")


def columns(fields: Sequence[tuple[str, int, int, int, int]]) -> bytes:
    """The RowDescription message: of each column the name, the type's oid and size, the type modifier, the format."""
    parts = [text(name) + _FIELD.pack(0, 0, oid, size, modifier, form) for name, oid, size, modifier, form in fields]
    return encode("columns", len(fields), b"".join(parts))


def error_response(kind: str, severity: str, state: str, message: str, hint: str = "", routine: str = "") -> bytes:
    """An ErrorResponse or a NoticeResponse with its SQLSTATE and PostgreSQL's name of the routine."""
    fields = {"S": severity, "V": severity, "C": state, "M": message, "H": hint, "R": routine}
    body = b"".join(key.encode() + text(one) for key, one in fields.items() if one)
    return encode(kind, body + b"\0")
