"""Tables and queries of MySQL and MariaDB."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from imputedb.engines.address import Address
from imputedb.engines.duckdb.databases.rows import DECIMAL_DIGITS, Rows, check_distinct
from imputedb.engines.duckdb.packages import package
from imputedb.errors import DataError, Error, StorageError
from imputedb.notes import Note, NoteKind

_SECONDS = 10
"""Time limit in seconds for a server to answer at first."""

_TOGETHER = 20_000
"""Number of rows in a record batch."""

_OPTIONS = {
    **dict.fromkeys(("socket", "unix_socket"), "unix_socket"),
    **{name: name.replace("-", "_") for name in ("ssl-mode", "ssl-ca", "ssl-cert", "ssl-key")},
}
"""Options of an address, named as in MySQL's own programs, and the driver's names for them."""

_MODES: dict[str, dict[str, Any]] = {
    "DISABLED": {"ssl_disabled": True},
    "PREFERRED": {},
    "REQUIRED": {"ssl": {"check_hostname": False}},
    "VERIFY_CA": {"ssl_verify_cert": True},
    "VERIFY_IDENTITY": {"ssl_verify_cert": True, "ssl_verify_identity": True},
}
"""Security modes of a connection, named as in MySQL's own programs."""

_UNSIGNED, _ENUM, _BINARY = 32, 256, 63
"""The flags of an unsigned column and of an ENUM, and the character set of a column of bytes."""

_DECIMALS = ("DECIMAL", "NEWDECIMAL")

_INTEGERS = {"TINY": 8, "SHORT": 16, "INT24": 32, "LONG": 32, "LONGLONG": 64}
_MOMENTS = {
    "DATE": "date32",
    "NEWDATE": "date32",
    "DATETIME": "timestamp",
    "TIMESTAMP": "timestamp",
    "TIME": "duration",
}


def read(address: Address, table: str | None, query: str | None) -> Rows:
    """The rows of a table or a query.

    Raises:
        DataError: the table or the query is refused by the server, or two of its columns share a name.
        StorageError: the server cannot be reached.
    """
    driver = package("pymysql", "databases", "databases of MySQL")
    arrow = package("pyarrow", "databases", "databases of MySQL")
    try:
        connection = driver.connect(**_account(address), charset="utf8mb4", connect_timeout=_SECONDS, autocommit=True)
    except (driver.MySQLError, OSError, RuntimeError) as error:
        raise StorageError(f"{address.shown} cannot be reached: {_reason(address, error)}") from error
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION READ ONLY")
            cursor.execute("SET SESSION time_zone = '+00:00'")
            name = _named(cursor, address, table) if query is None else ""
            levels = _levels(cursor, name) if name else {}
        stream = connection.cursor(_cursor(driver))
        stream.execute(f"SELECT * FROM {_quoted(name)}" if query is None else query.strip().rstrip(";"))
        if stream.description is None:
            raise DataError(f"{address.shown}: the query has no rows")
        return _rows(arrow, driver, stream, address, levels, connection)
    except driver.MySQLError as error:
        connection.close()
        raise DataError(f"{address.shown}: {_reason(address, error)}") from error
    except Error:
        connection.close()
        raise


def _cursor(driver: Any) -> Any:
    """A cursor class that streams rows, gives the server's description of columns, and can be left early."""

    class Stream(driver.cursors.SSCursor):  # type: ignore[misc]  # the driver has no types
        def fields(self) -> Sequence[Any]:
            fields: Sequence[Any] = self._result.fields
            return fields

        def leave(self) -> None:
            self._result.unbuffered_active = False  # otherwise the remaining rows are read first

    return Stream


def _account(address: Address) -> dict[str, Any]:
    """The driver's arguments for a server and an account; MySQL's own configuration files supply what is left out."""
    options = dict(address.options)
    found: dict[str, Any] = {
        "host": address.host or None,
        "port": address.port,
        "user": address.user or None,
        "password": address.password,
        "database": address.path or None,
        "read_default_file": next((str(one) for one in (Path.home() / ".my.cnf",) if one.is_file()), None),
    }
    for name, value in options.items():
        if name not in _OPTIONS:
            raise DataError(f"{address.shown} knows no option {name!r}; there are {', '.join(_OPTIONS)}")
        found[_OPTIONS[name]] = value
    mode = found.pop("ssl_mode", "PREFERRED").upper()
    if mode not in _MODES:
        raise DataError(f"ssl-mode is {mode!r}; there are {', '.join(_MODES)}")
    found |= _MODES[mode]
    return {name: value for name, value in found.items() if value is not None}


def _reason(address: Address, error: Exception) -> str:
    return address.without_secrets(str(error.args[-1] if error.args else error))


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _named(cursor: Any, address: Address, table: str | None) -> str:
    """The table of a name, in the database of the address.

    Raises:
        DataError: there is no such table, or none is named.
    """
    cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = database() ORDER BY 1")
    known = [str(name) for (name,) in cursor.fetchall()]
    there = ", ".join(known) or "none"
    if table is None:
        raise DataError(f"{address.shown} needs the name of a table, or a query; it has {there}")
    found = table if table in known else next((one for one in known if one.lower() == table.lower()), None)
    if found is None:
        raise DataError(f"{address.shown} has no table {table}; it has {there}")
    return found


def _levels(cursor: Any, table: str) -> dict[str, list[str]]:
    """The levels of the ENUM columns of a table, by column."""
    cursor.execute(
        "SELECT column_name, column_type FROM information_schema.columns "
        "WHERE table_schema = database() AND table_name = %s AND data_type = 'enum'",
        (table,),
    )
    return {
        str(name): [one.replace("''", "'") for one in re.findall(r"'((?:[^']|'')*)'", str(kind))]
        for name, kind in cursor.fetchall()
    }


def _rows(
    arrow: Any, driver: Any, stream: Any, address: Address, levels: Mapping[str, Sequence[str]], connection: Any
) -> Rows:
    kinds: dict[int, str] = {}
    for name, code in vars(driver.constants.FIELD_TYPE).items():
        if isinstance(code, int):
            kinds.setdefault(code, name)  # a type's other names come later
    names = [str(one[0]) for one in stream.description]
    check_distinct(names)
    types = [_type(arrow, kinds.get(field.type_code, ""), field) for field in stream.fields()]
    schema = arrow.schema([(f"c{place}", kind) for place, kind in enumerate(types)])
    wide = [
        name
        for name, field, kind in zip(names, stream.fields(), types, strict=True)
        if kinds.get(field.type_code) in _DECIMALS and arrow.types.is_string(kind)
    ]
    notes = [
        Note(NoteKind.READ_AS, name, f"{name}: the order of its levels is told of a table alone, not of a query")
        for name, field in zip(names, stream.fields(), strict=True)
        if field.flags & _ENUM and name not in levels
    ]

    def close() -> None:
        stream.leave()
        connection.close()

    def batches() -> Iterator[Any]:
        try:
            while some := stream.fetchmany(_TOGETHER):
                columns = zip(names, zip(*some, strict=True), types, strict=True)
                arrays = [
                    arrow.array(_values(arrow, values, kind, name, notes), kind) for name, values, kind in columns
                ]
                yield arrow.record_batch(arrays, schema=schema)
        except driver.MySQLError as error:
            raise DataError(f"{address.shown}: {_reason(address, error)}") from error

    frame = arrow.RecordBatchReader.from_batches(schema, batches())
    made = {
        name: f"nullif(c{place}, '')" if name in levels and "" not in levels[name] else f"c{place}"  # no value of it
        for place, name in enumerate(names)
    }
    return Rows(frame, made, levels, decimals=wide, notes=notes, close=close)


def _type(arrow: Any, kind: str, field: Any) -> Any:
    """The Arrow type of a column."""
    if kind in _INTEGERS:
        return getattr(arrow, f"{'u' if field.flags & _UNSIGNED else ''}int{_INTEGERS[kind]}")()
    if kind == "YEAR":
        return arrow.int16()
    if kind in ("FLOAT", "DOUBLE"):
        return arrow.float32() if kind == "FLOAT" else arrow.float64()
    if kind in _DECIMALS:
        scale = field.scale
        digits = field.length - (scale > 0) - (not field.flags & _UNSIGNED)
        return arrow.decimal128(digits, scale) if digits <= DECIMAL_DIGITS else arrow.string()
    if kind in _MOMENTS:
        made = getattr(arrow, _MOMENTS[kind])
        return made() if kind.endswith("DATE") else made("us")
    if kind in ("BIT", "GEOMETRY") or (field.charsetnr == _BINARY and kind != "JSON"):
        return arrow.binary()
    return arrow.string()


def _values(arrow: Any, values: Sequence[Any], kind: Any, name: str, notes: list[Note]) -> Sequence[Any]:
    """Values for an Arrow array; invalid dates such as 0000-00-00 become NULL."""
    if arrow.types.is_temporal(kind) and not arrow.types.is_duration(kind):
        odd = sum(value is not None and not isinstance(value, date | datetime) for value in values)
        if odd and not any(one.subject == name for one in notes):
            words = f"{name}: dates such as 0000-00-00 are NULL"
            notes.append(Note(NoteKind.READ_AS, name, words))
        return [value if isinstance(value, date | datetime) else None for value in values] if odd else values
    if arrow.types.is_string(kind):
        return [value if value is None or isinstance(value, str) else _as_text(value) for value in values]
    return values


def _as_text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
