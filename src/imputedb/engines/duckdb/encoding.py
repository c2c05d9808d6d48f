"""Conversion of values between DuckDB and NumPy: exact where imputers compute, then back to the column's type."""

from decimal import Decimal

from imputedb.engines.duckdb.profile import in_microseconds, kind_of
from imputedb.engines.duckdb.value_texts import type_range
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.statistics.table import Kind

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
_DAY = 86_400_000_000
_NANOSECONDS = -((2**63 - 1) // 1000), (2**63 - 1) // 1000
"""The first and the last nanosecond timestamp, in microseconds since 1970."""
_MICROSECONDS = -9_223_372_022_400_000_000, 9_223_372_036_854_000_000
"""The first and the last microsecond timestamp, in microseconds since 1970, to the second."""
EXACT = frozenset(["BOOLEAN", "FLOAT", "DOUBLE", *_INTEGERS, *(f"U{name}" for name in _INTEGERS)])
"""Types whose values arrays hold exactly."""


def encoded(tree: Tree, type_name: str) -> Tree:
    """A value in the encoding of imputers: numbers, days or microseconds since 1970 or midnight, text of categories."""
    match kind_of(type_name):
        case Kind.NUMBER:
            return t.cast(tree, t.plain_type("DOUBLE"))
        case Kind.DATE:
            return t.call("date_diff", t.literal("day"), _epoch(), tree)
        case Kind.TIMESTAMP:
            return t.call("epoch_us", in_microseconds(tree, type_name))
        case Kind.DURATION:
            return t.call("epoch_us", tree)
        case Kind.CATEGORY:
            return t.cast(tree, t.plain_type("VARCHAR"))
        case _:
            return tree


def decoded(tree: Tree, type_name: str, type_tree: Tree) -> Tree:
    """An imputer's value, converted to the column's own type."""
    match kind_of(type_name):
        case Kind.DATE:
            tree = t.call("+", _epoch(), t.cast(tree, t.plain_type("INTEGER")))
        case Kind.TIMESTAMP:
            microseconds = t.cast(tree, t.plain_type("BIGINT"))
            first, last = _NANOSECONDS if type_name == "TIMESTAMP_NS" else _MICROSECONDS
            microseconds = t.call("greatest", t.number(first), t.call("least", microseconds, t.number(last)))
            tree = t.call("make_timestamptz" if "ZONE" in type_name else "make_timestamp", microseconds)
        case Kind.DURATION:
            tree = _duration(t.cast(tree, t.plain_type("BIGINT")), type_name)
        case Kind.NUMBER if (known := type_range(type_name)) is not None:
            return _within(tree, known, type_tree)
    return t.cast(tree, type_tree)


def _within(tree: Tree, known: tuple[Decimal, Decimal], type_tree: Tree) -> Tree:
    """A number in its type, clipped to the type's range; the ends of a range may have no exact double.

    The number is a double, or the text of a column's centre where nothing is observed.
    """
    value = t.cast(tree, t.plain_type("DOUBLE"))
    low, high = (t.cast(t.literal(format(end, "f")), type_tree) for end in known)
    least, most = (t.cast(t.literal(repr(float(end))), t.plain_type("DOUBLE")) for end in known)
    below = t.where(t.compared("COMPARE_LESSTHANOREQUALTO", value, least), low, t.cast(tree, type_tree))
    return t.where(t.compared("COMPARE_GREATERTHANOREQUALTO", value, most), high, below)


def _duration(microseconds: Tree, type_name: str) -> Tree:
    """Microseconds as an INTERVAL, or as a time of day, clipped to one day."""
    if type_name == "INTERVAL":
        return t.call("to_microseconds", microseconds)
    within = t.call("greatest", t.number(0), t.call("least", microseconds, t.number(_DAY - 1)))
    midnight = t.cast(t.literal("00:00:00"), t.plain_type("TIME"))
    return t.arithmetic("+", midnight, t.call("to_microseconds", within))


def _epoch() -> Tree:
    return t.cast(t.literal("1970-01-01"), t.plain_type("DATE"))
