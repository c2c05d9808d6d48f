"""PostgreSQL types for DuckDB's types: oids, sizes, and the SQL that reads values in the text or the binary format."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from imputedb.service.errors import Refusal
from imputedb.service.postgres import values

TEXT, BINARY = 0, 1
"""The format codes of values."""

_DAYS = "DATE '2000-01-01'"
_MICROSECONDS = 946_684_800_000_000
"""Microseconds from 1970-01-01 to 2000-01-01, PostgreSQL's epoch."""


class UnsupportedType(Refusal):
    """A type of DuckDB without a counterpart in PostgreSQL's protocol."""

    state = "0A000"


@dataclass(frozen=True, slots=True)
class Type:
    """A type of PostgreSQL.

    Attributes:
        name: name in PostgreSQL.
        oid: object identifier of the type.
        size: bytes of a value; -1 where it varies.
        array: object identifier of the array type.
        text: template of SQL that reads the value `{}` as text.
        binary: template of SQL that reads the value `{}` for the binary format.
        packed: function that packs what `binary` reads into bytes.
        letter: category, as in pg_type.
    """

    name: str
    oid: int
    size: int
    array: int
    text: str
    binary: str
    packed: Callable[[object], bytes]
    letter: str


_CAST = "CAST({} AS VARCHAR)"
_FLOATING = (
    "CASE WHEN isnan({0}) THEN 'NaN' WHEN isinf({0}) THEN CASE WHEN {0} > 0 THEN 'Infinity' ELSE '-Infinity' END "
    "ELSE CAST({0} AS VARCHAR) END"
)
_ERA = "replace(CAST({} AS VARCHAR), ' (BC)', ' BC')"
_DATED = "regexp_replace(CAST({} AS VARCHAR), '^([0-9-]+) \\(BC\\)(.*)$', '\\1\\2 BC')"  # 0044-03-15 (BC) 01:00:00
_WHOLE_MICROSECONDS = (
    "CASE WHEN epoch_ns({0}) % 1000 <> 0 THEN error('a moment in nanoseconds has no value in PostgreSQL: "
    "CAST(... AS TIMESTAMP) rounds it') ELSE CAST({0} AS TIMESTAMP) END"
)
_IN_UTC = (
    "CASE WHEN isinf({0}) THEN CAST({0} AS VARCHAR) ELSE " + _DATED.format("timezone('UTC', {0})") + " || '+00' END"
)
_SPAN = "replace(CAST({} AS VARCHAR), 'month', 'mon')"
_SPAN_PARTS = (
    "[12 * datepart('year', {0}) + datepart('month', {0}), datepart('day', {0}), 3600000000 * datepart('hour', {0}) "
    "+ 60000000 * datepart('minute', {0}) + datepart('microseconds', {0})]"
)
_MOMENT = (
    "CASE WHEN isinf({0}) THEN CASE WHEN {0} > '2000-01-01' THEN 9223372036854775807 "
    f"ELSE -9223372036854775808 END ELSE epoch_us({{0}}) - {_MICROSECONDS} END"
)
_DAY = (
    f"CASE WHEN isinf({{0}}) THEN CASE WHEN {{0}} > {_DAYS} THEN 2147483647 ELSE -2147483648 END "
    f"ELSE {{0}} - {_DAYS} END"
)


def _plain(name: str, oid: int, size: int, array: int, letter: str, packed: Callable[[object], bytes]) -> Type:
    return Type(name, oid, size, array, _CAST, "{}", packed, letter)


def _texts(name: str, oid: int, array: int, letter: str) -> Type:
    return Type(name, oid, -1, array, _CAST, _CAST, values.encoded, letter)


BOOL = Type("bool", 16, 1, 1000, "CASE WHEN {0} THEN 't' WHEN NOT {0} THEN 'f' END", "{}", values.boolean, "B")
INT2 = _plain("int2", 21, 2, 1005, "N", values.int2)
INT4 = _plain("int4", 23, 4, 1007, "N", values.int4)
INT2VECTOR = Type("int2vector", 22, -1, 1006, "array_to_string({}, ' ')", "{}", values.vector, "A")
OID = _plain("oid", 26, 4, 1028, "N", values.uint4)
INT8 = _plain("int8", 20, 8, 1016, "N", values.int8)
FLOAT4 = Type("float4", 700, 4, 1021, _FLOATING, "{}", values.float4, "N")
FLOAT8 = Type("float8", 701, 8, 1022, _FLOATING, "{}", values.float8, "N")
NUMERIC = Type("numeric", 1700, -1, 1231, _CAST, _CAST, values.numeric, "N")
VARCHAR = _texts("text", 25, 1009, "S")
JSON = _texts("json", 114, 199, "U")
UUID = Type("uuid", 2950, 16, 2951, _CAST, _CAST, values.uuid, "U")
BYTEA = Type("bytea", 17, -1, 1001, "'\\x' || lower(hex({}))", "{}", values.raw, "U")
DATE = Type("date", 1082, 4, 1182, _ERA, _DAY, values.int4, "D")
TIME = Type("time", 1083, 8, 1183, _CAST, "epoch_us({})", values.int8, "D")
TIMESTAMP = Type("timestamp", 1114, 8, 1115, _DATED, _MOMENT, values.int8, "D")
TIMESTAMPTZ = Type("timestamptz", 1184, 8, 1185, _IN_UTC, _MOMENT, values.int8, "D")
INTERVAL = Type("interval", 1186, 16, 1187, _SPAN, _SPAN_PARTS, values.interval, "T")
_NANOSECONDS = replace(TIMESTAMP, text=_DATED.format(_WHOLE_MICROSECONDS), binary=_MOMENT.format(_WHOLE_MICROSECONDS))
_SECONDS = replace(TIMESTAMP, binary=_MOMENT.format("CAST({0} AS TIMESTAMP)"))

OF_DUCKDB = {
    "BOOLEAN": BOOL, "TINYINT": INT2, "UTINYINT": INT2, "SMALLINT": INT2, "USMALLINT": INT4, "INTEGER": INT4,
    "UINTEGER": INT8, "BIGINT": INT8, "UBIGINT": NUMERIC, "HUGEINT": NUMERIC, "UHUGEINT": NUMERIC, "BIGNUM": NUMERIC,
    "DECIMAL": NUMERIC, "FLOAT": FLOAT4, "DOUBLE": FLOAT8, "VARCHAR": VARCHAR, "ENUM": VARCHAR, '"NULL"': VARCHAR,
    "JSON": JSON, "UUID": UUID, "BLOB": BYTEA, "DATE": DATE, "TIME": TIME, "TIMESTAMP": TIMESTAMP,
    "TIMESTAMP_S": _SECONDS, "TIMESTAMP_MS": _SECONDS, "TIMESTAMP_NS": _NANOSECONDS,
    "TIMESTAMP WITH TIME ZONE": TIMESTAMPTZ, "INTERVAL": INTERVAL,
}  # fmt: skip
"""PostgreSQL types by the name of DuckDB's type, without its parameters."""

NAMED = {
    one.name: one
    for one in (
        BOOL, INT2, INT4, INT8, FLOAT4, FLOAT8, NUMERIC, VARCHAR, JSON, UUID, BYTEA, DATE, TIME, TIMESTAMP, TIMESTAMPTZ,
        INTERVAL,
    )
}  # fmt: skip
"""PostgreSQL types in which values are sent, by name."""

DUCKDB = {
    16: "BOOLEAN", 21: "SMALLINT", 23: "INTEGER", 20: "BIGINT", 26: "UINTEGER", 700: "FLOAT", 701: "DOUBLE",
    1700: "DECIMAL(38,10)", 25: "VARCHAR", 1043: "VARCHAR", 1042: "VARCHAR", 19: "VARCHAR", 18: "VARCHAR",
    114: "JSON", 3802: "JSON", 2950: "UUID", 17: "BLOB", 1082: "DATE", 1083: "TIME", 1114: "TIMESTAMP",
    1184: "TIMESTAMP WITH TIME ZONE", 1186: "INTERVAL",
}  # fmt: skip
"""DuckDB types by the oid of PostgreSQL's type, for parameters whose type a client states."""


@dataclass(frozen=True, slots=True)
class WireType:
    """The PostgreSQL type of a column.

    Attributes:
        type: type of the values, or of the elements of lists.
        is_list: whether the values are lists.
        modifier: type modifier, precision and scale of decimals; -1 for all others.
    """

    type: Type
    is_list: bool = False
    modifier: int = -1

    @property
    def oid(self) -> int:
        """Object identifier of the type."""
        return self.type.array if self.is_list else self.type.oid

    @property
    def size(self) -> int:
        """Bytes of a value; -1 where it varies."""
        return -1 if self.is_list else self.type.size

    def reading(self, column: str, form: int) -> str:
        """SQL that reads a column in a format."""
        template = self.type.binary if form == BINARY else self.type.text
        if not self.is_list:
            return template.replace("{0}", column).replace("{}", column)
        inner = template.replace("{0}", "x").replace("{}", "x")
        return column if inner == "x" else f"list_transform({column}, lambda x: {inner})"

    def bytes_of(self, value: object, form: int) -> bytes:
        """The bytes of a value, read by the SQL of `reading`, in a format."""
        if self.is_list:
            return self._array(value, form)
        return self.type.packed(value) if form == BINARY else values.encoded(value)

    def _array(self, value: object, form: int) -> bytes:
        assert isinstance(value, list | tuple)
        if form == BINARY:
            return values.array(self.type.oid, [None if one is None else self.type.packed(one) for one in value])
        return values.array_text(value)


def wire_type(name: str, type_name: str, *, of_catalog: bool = False) -> WireType:
    """The PostgreSQL type of a column of DuckDB's type. In the catalog unsigned integers are oids.

    Raises:
        Uncarried: PostgreSQL has no such type; the message names the column and a cast that helps.
    """
    element = re.sub(r"\[\d*\]$", "", type_name)
    base, _, rest = element.partition("(")
    found = OF_DUCKDB.get(base if not rest or rest.endswith(")") else element)
    if of_catalog and type_name == "USMALLINT[]":
        return WireType(INT2VECTOR)
    if of_catalog and base == "UINTEGER":
        found = OID
    if found is None:
        raise UnsupportedType(
            f"column {name} is of type {type_name}, of which PostgreSQL's protocol has no values: "
            f"select to_json({name}) or CAST({name} AS VARCHAR) instead"
        )
    modifier = -1
    if base == "DECIMAL":
        width, _, scale = rest.rstrip(")").partition(",")
        modifier = ((int(width) << 16) | int(scale)) + 4
    return WireType(found, element != type_name, modifier)
