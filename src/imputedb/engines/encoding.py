"""How values travel between DuckDB and NumPy: exact where imputers compute, restored to their own type afterwards."""

from imputedb.engines.profile import kind_of
from imputedb.sql import tree as t
from imputedb.sql.tree import Tree
from imputedb.statistics.statistics import Kind

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
_DAY = 86_400_000_000
EXACT = frozenset(["BOOLEAN", "FLOAT", "DOUBLE", *_INTEGERS, *(f"U{name}" for name in _INTEGERS)])
"""Types whose values are the same in an array."""


def encoded(tree: Tree, type_name: str) -> Tree:
    """A value as imputers see it: numbers, days or microseconds since 1970 or midnight, text of categories."""
    match kind_of(type_name):
        case Kind.NUMBER:
            return t.cast(tree, t.plain_type("DOUBLE"))
        case Kind.DATE:
            return t.call("date_diff", t.literal("day"), _epoch(), tree)
        case Kind.TIMESTAMP | Kind.DURATION:
            return t.call("epoch_us", tree)
        case Kind.CATEGORY:
            return t.cast(tree, t.plain_type("VARCHAR"))
        case _:
            return tree


def decoded(tree: Tree, type_name: str, type_tree: Tree) -> Tree:
    """A value that an imputer gave, in the column's own type."""
    match kind_of(type_name):
        case Kind.DATE:
            tree = t.call("+", _epoch(), t.cast(tree, t.plain_type("INTEGER")))
        case Kind.TIMESTAMP:
            microseconds = t.cast(tree, t.plain_type("BIGINT"))
            tree = t.call("make_timestamptz" if "ZONE" in type_name else "make_timestamp", microseconds)
        case Kind.DURATION:
            tree = _duration(t.cast(tree, t.plain_type("BIGINT")), type_name)
        case Kind.NUMBER if type_name == "UHUGEINT":
            tree = t.call("greatest", tree, t.number(0))
    return t.cast(tree, type_tree)


def _duration(microseconds: Tree, type_name: str) -> Tree:
    """Microseconds as an INTERVAL, or as a time of day, which has bounds."""
    if type_name == "INTERVAL":
        return t.call("to_microseconds", microseconds)
    within = t.call("greatest", t.number(0), t.call("least", microseconds, t.number(_DAY - 1)))
    midnight = t.cast(t.literal("00:00:00"), t.plain_type("TIME"))
    return t.arithmetic("+", midnight, t.call("to_microseconds", within))


def _epoch() -> Tree:
    return t.cast(t.literal("1970-01-01"), t.plain_type("DATE"))
