"""Numbers as texts that DuckDB reads as values of a type."""

import re
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from imputedb.statistics.table import Kind

_BITS = {
    f"{sign}{name}": bits
    for name, bits in {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64, "HUGEINT": 128}.items()
    for sign in ("", "U")
}
_MOMENTS = 2**63 - 1025
"""Microseconds before and after 1970 that every 64-bit type holds, and that doubles hold too."""
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


def type_range(type_name: str) -> tuple[Decimal, Decimal] | None:
    """The smallest and the largest value of an integer or decimal type; None for other types."""
    if type_name in _BITS:
        bits = _BITS[type_name]
        low, high = (0, 2**bits - 1) if type_name.startswith("U") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        return Decimal(low), Decimal(high)
    found = _DECIMAL.fullmatch(type_name)
    if found is None:
        return None
    width, scale = map(int, found.groups())
    digits = (9,) * width
    return Decimal((1, digits, -scale)), Decimal((0, digits, -scale))


def _within(value: float, type_name: str) -> str:
    """The text of a number, clipped to the range of its type, beyond which the nearest double may lie."""
    known = type_range(type_name)
    if known is None:
        return repr(value)
    near = Decimal(value)
    if type_name in _BITS and abs(value) < 2.0**53:
        return str(round(value))
    if not all(abs(near) < abs(end) * Decimal("0.99") for end in known if end):
        return format(max(known[0], min(near, known[1])), "f")
    return format(near, "f") if type_name in _BITS else repr(value)


def literal(value: float, kind: Kind, type_name: str) -> str:
    """The text of a number: in days for dates, in seconds for timestamps, times and durations."""
    match kind:
        case Kind.INTEGER:
            return _within(value, type_name)
        case Kind.DATE:
            return str(np.datetime64(round(value), "D"))
        case Kind.TIMESTAMP:
            microseconds = max(
                -_MOMENTS, min(round(value * 1e6), _MOMENTS // (1000 if type_name == "TIMESTAMP_NS" else 1))
            )
            moment = str(np.datetime64(microseconds, "us")).replace("T", " ").removesuffix(".000000")
            return f"{moment}+00:00" if "ZONE" in type_name else moment
        case Kind.DURATION:
            return _duration(round(value * 1e6), type_name)
        case _:
            return _within(value, type_name)


def _duration(microseconds: int, type_name: str) -> str:
    if type_name == "INTERVAL":
        return f"{max(-_MOMENTS, min(microseconds, _MOMENTS))} microseconds"
    moment = (datetime.min + timedelta(microseconds=microseconds)).time().isoformat()
    return f"{moment}+00:00" if "ZONE" in type_name else moment
