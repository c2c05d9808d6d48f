"""Values in PostgreSQL's text and binary formats: encoders of Python values, and decoders of parameters."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from uuid import UUID

from imputedb.service.postgres.formats import Malformed

_INT2, _INT4, _INT8 = struct.Struct("!h"), struct.Struct("!i"), struct.Struct("!q")
_FLOAT4, _FLOAT8 = struct.Struct("!f"), struct.Struct("!d")
_SPAN, _DIGITS = struct.Struct("!qii"), struct.Struct("!HhHH")
_BEGIN, _BEGIN_UTC = datetime(2000, 1, 1), datetime(2000, 1, 1, tzinfo=UTC)
_POSITIVE, _NEGATIVE, _NAN = 0x0000, 0x4000, 0xC000
_SPECIAL = {_NAN: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}
_WIDTH = 38
"""Maximum number of digits of DuckDB's DECIMAL."""


def encoded(value: object) -> bytes:
    """A text in UTF-8.

    Raises:
        Malformed: the text holds a zero byte, which clients would take for its end.
    """
    found = str(value).encode("utf-8", "replace")
    if b"\0" in found:
        raise Malformed("a text holds a zero byte, which PostgreSQL's protocol has no text of: encode() it")
    return found


def raw(value: object) -> bytes:
    """Bytes, unchanged."""
    assert isinstance(value, bytes | bytearray | memoryview)
    return bytes(value)


def boolean(value: object) -> bytes:
    """One byte."""
    return b"\1" if value else b"\0"


def int2(value: object) -> bytes:
    """Two bytes."""
    return _INT2.pack(value)


def int4(value: object) -> bytes:
    """Four bytes."""
    return _INT4.pack(value)


def int8(value: object) -> bytes:
    """Eight bytes."""
    return _INT8.pack(value)


def uint4(value: object) -> bytes:
    """Four bytes, without a sign."""
    return struct.pack("!I", value)


def float4(value: object) -> bytes:
    """Four bytes."""
    return _FLOAT4.pack(value)


def float8(value: object) -> bytes:
    """Eight bytes."""
    return _FLOAT8.pack(value)


def uuid(value: object) -> bytes:
    """The sixteen bytes of a UUID's text."""
    return UUID(str(value)).bytes


def interval(value: object) -> bytes:
    """An interval in bytes, from a list of months, days and microseconds."""
    assert isinstance(value, list | tuple)
    months, days, microseconds = value
    return _SPAN.pack(microseconds, days, months)


def numeric(value: object) -> bytes:
    """A decimal number, given as text, in groups of four digits."""
    sign, digits, exponent = Decimal(str(value)).as_tuple()
    if not isinstance(exponent, int):
        return _DIGITS.pack(0, 0, _NAN, 0)
    scale = max(0, -exponent)
    text = "".join(map(str, digits)) + "0" * max(0, exponent)
    whole, part = (text[:-scale].lstrip("0"), text[-scale:].rjust(scale, "0")) if scale else (text.lstrip("0"), "")
    whole = whole.rjust(-(-len(whole) // 4) * 4, "0")
    part = part.ljust(-(-len(part) // 4) * 4, "0")
    groups = [int((whole + part)[place : place + 4]) for place in range(0, len(whole) + len(part), 4)]
    weight = len(whole) // 4 - 1
    while groups and groups[0] == 0:
        groups, weight = groups[1:], weight - 1
    while groups and groups[-1] == 0:
        groups.pop()
    head = _DIGITS.pack(len(groups), weight if groups else 0, _NEGATIVE if sign and groups else _POSITIVE, scale)
    return head + b"".join(map(struct.Struct("!H").pack, groups))


def array(oid: int, items: Sequence[bytes | None]) -> bytes:
    """An array in the binary format."""
    head = struct.pack("!iii", 1 if items else 0, int(None in items), oid)
    parts = [head, struct.pack("!ii", len(items), 1)] if items else [head]
    for one in items:
        parts += [_INT4.pack(-1)] if one is None else [_INT4.pack(len(one)), one]
    return b"".join(parts)


def vector(value: object) -> bytes:
    """A vector of small integers in the binary format."""
    assert isinstance(value, list | tuple)
    return array(21, [int2(one) for one in value])


def array_text(items: Sequence[object]) -> bytes:
    """An array in the text format."""
    return b"{" + b",".join(b"NULL" if one is None else _item(str(one)) for one in items) + b"}"


def _item(text: str) -> bytes:
    if text and text.lower() != "null" and not any(sign in '{}",\\' or sign.isspace() for sign in text):
        return encoded(text)
    return encoded('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')


# -- parameters -------------------------------------------------------------------------------------------------------


def _numeric(data: bytes) -> Decimal:
    """A decimal number, computed exactly, without the rounding of a decimal context."""
    count, weight, sign, scale = _DIGITS.unpack_from(data)
    if sign in _SPECIAL:
        return Decimal(_SPECIAL[sign])
    groups = struct.unpack(f"!{count}H", data[8:])
    if sign not in (_POSITIVE, _NEGATIVE) or any(group > 9999 for group in groups):
        raise ValueError("no number")
    shift = 4 * (_signed(weight) - count + 1) if count else 0
    digits = "".join(f"{group:04}" for group in groups).lstrip("0")
    while shift < -scale and digits.endswith("0"):  # groups have four digits, whatever the scale
        digits, shift = digits[:-1], shift + 1
    digits, shift = (digits + "0" * (shift + scale), -scale) if 0 <= shift + scale <= _WIDTH else (digits, shift)
    return _narrow(Decimal((int(sign == _NEGATIVE), tuple(map(int, digits or "0")), shift)))


def _narrow(number: Decimal) -> Decimal:
    """A decimal number that fits DuckDB's DECIMAL; DuckDB would silently turn a wider one into a DOUBLE."""
    _, digits, exponent = number.as_tuple()
    if isinstance(exponent, int) and (len(digits) + max(0, exponent) > _WIDTH or -exponent > _WIDTH):
        raise Malformed(f"a numeric of more than {_WIDTH} digits as a parameter is not read: send a float8, or fewer")
    return number


def _signed(number: int) -> int:
    return number - 65536 if number > 32767 else number


def _moment(data: bytes) -> datetime:
    return _BEGIN + timedelta(microseconds=_INT8.unpack(data)[0])


def _moment_utc(data: bytes) -> datetime:
    return _BEGIN_UTC + timedelta(microseconds=_INT8.unpack(data)[0])


def _day(data: bytes) -> date:
    return _BEGIN.date() + timedelta(days=_INT4.unpack(data)[0])


def _time(data: bytes) -> time:
    return (_BEGIN + timedelta(microseconds=_INT8.unpack(data)[0])).time()


def _span(data: bytes) -> timedelta:
    microseconds, days, months = _SPAN.unpack(data)
    if months:
        raise Malformed(
            "an interval of months as a parameter is not read: write it in the statement, INTERVAL '1 month'"
        )
    return timedelta(days=days, microseconds=microseconds)


def _text(data: bytes) -> str:
    return data.decode()


def _json(data: bytes) -> str:
    return data[data[:1] == b"\1" :].decode()  # jsonb begins with a version byte


_BINARY: Mapping[int, Callable[[bytes], object]] = {
    16: lambda data: data != b"\0",
    21: lambda data: _INT2.unpack(data)[0],
    23: lambda data: _INT4.unpack(data)[0],
    20: lambda data: _INT8.unpack(data)[0],
    26: lambda data: struct.unpack("!I", data)[0],
    700: lambda data: _FLOAT4.unpack(data)[0],
    701: lambda data: _FLOAT8.unpack(data)[0],
    1700: _numeric,
    1082: _day,
    1083: _time,
    1114: _moment,
    1184: _moment_utc,
    1186: _span,
    2950: lambda data: UUID(bytes=data),
    17: bytes,
    3802: _json,
    **dict.fromkeys((0, 25, 1043, 1042, 19, 18, 114, 705), _text),
}
"""Decoders of the binary format by oid."""


def _truth(text: str) -> bool:
    known = {"t": True, "true": True, "1": True, "on": True, "yes": True, "f": False, "false": False, "0": False}
    found = {**known, "off": False, "no": False}.get(text.strip().lower())
    if found is None:
        raise ValueError(text)
    return found


_TEXT: Mapping[int, Callable[[str], object]] = {
    16: _truth,
    **dict.fromkeys((21, 23, 20, 26), int),
    700: float,
    701: float,
    1700: lambda text: _narrow(Decimal(text)),
    1082: date.fromisoformat,
    1083: time.fromisoformat,
    1114: lambda text: datetime.fromisoformat(text).replace(tzinfo=None),
    1184: lambda text: _aware(datetime.fromisoformat(text)),
    2950: UUID,
    17: lambda text: bytes.fromhex(text[2:]) if text[:2] == "\\x" else text.encode(),
}
"""Decoders of the text format by oid; texts of other types stay unchanged."""

_ELEMENTS = {1000: 16, 1005: 21, 1007: 23, 1016: 20, 1021: 700, 1022: 701, 1231: 1700, 1009: 25, 1015: 25, 1182: 1082,
             1115: 1114, 1185: 1184, 2951: 2950, 1003: 19, 1028: 26, 1002: 18}  # fmt: skip
"""The oid of the elements by the oid of the array type."""


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def parameter(oid: int, data: bytes | None, *, is_binary: bool) -> object:
    """The value of a parameter.

    Raises:
        Malformed: the bytes are not a value of the type, or the type is not supported.
    """
    if data is None:
        return None
    try:
        if oid in _ELEMENTS:
            element = _ELEMENTS[oid]
            items = _array_items(data) if is_binary else split_array(data.decode())
            return [parameter(element, one, is_binary=is_binary) for one in items]
        if is_binary:
            if oid not in _BINARY:
                raise Malformed(f"the binary format of type {oid} is not supported: send text")
            return _BINARY[oid](data)
        return _TEXT.get(oid, str)(data.decode())
    except (ValueError, OverflowError, struct.error, InvalidOperation) as error:
        raise Malformed(f"the value of a parameter is not valid for type {oid}") from error


def _array_items(data: bytes) -> list[bytes | None]:
    dimensions, _, _ = struct.unpack_from("!iii", data)
    if dimensions == 0:
        return []
    if dimensions != 1:
        raise Malformed("arrays of several dimensions are not supported")
    count, _ = struct.unpack_from("!ii", data, 12)
    found: list[bytes | None] = []
    place = 20
    for _ in range(min(count, len(data))):
        (length,) = _INT4.unpack_from(data, place)
        found.append(None if length < 0 else data[place + 4 : place + 4 + length])
        place += 4 + max(0, length)
    return found


def split_array(text: str) -> list[bytes | None]:
    """The elements of a one-dimensional array in the text format.

    Raises:
        ValueError: the text is not such an array.
    """
    if text[:1] != "{" or text[-1:] != "}":
        raise ValueError("no array")
    found: list[bytes | None] = []
    letters, piece, is_quoted, inside = iter(text[1:-1]), "", False, False
    for letter in letters:
        if letter == "\\":
            piece += next(letters, "")
        elif letter == '"':
            inside, is_quoted = not inside, True
        elif letter == "," and not inside:
            found.append(_element(piece, is_quoted=is_quoted))
            piece, is_quoted = "", False
        elif letter in "{}" and not inside:
            raise ValueError("several dimensions")
        else:
            piece += letter
    return [*found, _element(piece, is_quoted=is_quoted)] if text != "{}" else []


def _element(piece: str, *, is_quoted: bool) -> bytes | None:
    return (
        None if not is_quoted and piece.strip().lower() == "null" else (piece if is_quoted else piece.strip()).encode()
    )
