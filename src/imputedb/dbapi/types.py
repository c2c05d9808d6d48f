"""The types of PEP 249: kinds of columns, and constructors of values."""

from dataclasses import dataclass
from datetime import date, datetime, time


@dataclass(frozen=True, slots=True)
class Type:
    """A kind of columns, which equals the types of such columns in `Cursor.description`.

    Attributes:
        names: names of DuckDB's types, without parameters in parentheses.
    """

    names: frozenset[str]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Type):
            return self.names == other.names
        if not isinstance(other, str):
            return False
        name, _, within = other.partition("(")
        return name in self.names and within[-1:] in ("", ")")  # a longer ending is that of a list type

    def __hash__(self) -> int:
        return hash(self.names)


_WHOLE = "TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT BIGNUM"
STRING = Type(frozenset({"VARCHAR", "ENUM", "JSON", "UUID", "BIT"}))
BINARY = Type(frozenset({"BLOB"}))
NUMBER = Type(frozenset({*_WHOLE.split(), "FLOAT", "DOUBLE", "DECIMAL", "BOOLEAN"}))
_MOMENTS = ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE")
DATETIME = Type(frozenset({"DATE", "TIME", "TIME_NS", "TIME WITH TIME ZONE", *_MOMENTS, "INTERVAL"}))
ROWID = Type(frozenset({"BIGINT"}))

Date, Time, Timestamp, Binary = date, time, datetime, bytes
DateFromTicks, TimestampFromTicks = date.fromtimestamp, datetime.fromtimestamp


def TimeFromTicks(ticks: float) -> time:  # noqa: N802
    """The local time of day at so many seconds since the beginning of 1970."""
    return datetime.fromtimestamp(ticks).time()
