"""Tables and queries of PostgreSQL, read through its ADBC driver.

The driver changes the meaning of some types: money becomes cents, addresses become bytes, infinite dates become early
ones. The server therefore sends values as text, unless their type is known to arrive unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from imputedb.engines.address import Address
from imputedb.engines.duckdb.databases.rows import DECIMAL_DIGITS, Rows, check_distinct
from imputedb.engines.duckdb.packages import package
from imputedb.errors import DataError, Error, StorageError
from imputedb.sql.paths import quoted

_KNOWN = frozenset(
    (
        *("int2", "int4", "int8", "float4", "float8", "text", "varchar", "bpchar", "name", "bool", "bytea"),
        *("time", "interval", "uuid", "json", "jsonb"),
    )
)
"""Types whose values, and arrays of them, arrive unchanged."""

_ENDLESS = {"date": "DATE", "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMPTZ"}
"""Types with infinite values, and DuckDB's names for them."""

_SECONDS = "10"
"""Time limit in seconds for a server to answer at first."""


def read(address: Address, table: str | None, query: str | None) -> Rows:
    """The rows of a table or a query.

    Raises:
        DataError: the table or the query is refused by the server, or two of its columns share a name.
        StorageError: the server cannot be reached.
    """
    driver = package("adbc_driver_postgresql.dbapi", "databases", "databases of PostgreSQL")
    package("pyarrow", "databases", "databases of PostgreSQL")
    try:
        connection = driver.connect(address.uri({"connect_timeout": _SECONDS}), autocommit=True)
    except driver.Error as error:
        raise StorageError(f"{address.shown} cannot be reached: {_reason(address, error)}") from error
    try:
        with closing(connection.cursor()) as cursor:
            cursor.execute("SET default_transaction_read_only = on")
        text = query if query is not None else f"SELECT * FROM {_named(connection, address, table)}"
        return _rows(connection, text.strip().rstrip(";"))
    except driver.Error as error:
        connection.close()
        raise DataError(f"{address.shown}: {_reason(address, error)}") from error
    except Error:
        connection.close()
        raise


def _reason(address: Address, error: Exception) -> str:
    """The server's error message in one line, without the query and the password."""
    text = str(error).partition("Query was:")[0].partition(". SQLSTATE:")[0]
    text = text.partition("ERROR:")[2] or text.partition("[libpq]")[2] or text
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("LINE ")]
    return address.without_secrets("; ".join(line for line in lines if line != "^"))


def _named(connection: Any, address: Address, table: str | None) -> str:
    """The table of a name, in the server's spelling.

    Raises:
        DataError: there is no such table, or none is named.
    """
    known = [
        str(name)
        for (name,) in _fetched(
            connection,
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relkind = ANY('{r,v,m,p,f}') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' "
            "ORDER BY 1",
        )
    ]
    if table is None:
        raise DataError(f"{address.shown} needs the name of a table, or a query; it has {', '.join(known) or 'none'}")
    if found := next((one for one in (quoted((table,)), table, table.lower()) if one in known), None):
        return found
    raise DataError(f"{address.shown} has no table {table}; it has {', '.join(known) or 'none'}")


def _fetched(connection: Any, text: str) -> list[tuple[Any, ...]]:
    with closing(connection.cursor()) as cursor:
        cursor.execute(text)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _rows(connection: Any, text: str) -> Rows:
    with closing(connection.cursor()) as cursor:
        cursor.execute(f"SELECT * FROM (\n{text}\n) AS q LIMIT 0")
        schema = cursor.fetch_record_batch().schema
    check_distinct(schema.names)
    kinds = {field.name: _kind(field) for field in schema}
    levels = _levels(connection, text, kinds)
    sent, made, decimals = [], {}, []
    for place, (name, (kind, modifier)) in enumerate(kinds.items()):
        outputs, made[name] = _column(f"q.{quoted((name,))}", f"c{place}", kind, modifier)
        sent += outputs
        if kind in ("numeric", "money") and made[name] == f"c{place}":
            decimals.append(name)
    cursor = connection.cursor()
    cursor.execute(f"SELECT {', '.join(sent)} FROM (\n{text}\n) AS q")

    def close() -> None:
        cursor.close()  # until here it is held: it ends its stream with it
        connection.close()

    return Rows(cursor.fetch_record_batch(), made, levels, decimals=decimals, close=close)


def _kind(field: Any) -> tuple[str, int]:
    """The server's type of a column, and its type modifier."""
    about: Mapping[bytes, bytes] = field.metadata or {}
    return about.get(b"POSTGRESQL:type", b"").decode(), int(about.get(b"POSTGRESQL:typmod", b"-1"))


def _column(given: str, name: str, kind: str, modifier: int) -> tuple[list[str], str]:
    """The expressions that the server sends for a column, and DuckDB's expression for the column."""
    if kind in _ENDLESS:
        finite = f"CASE WHEN isfinite({given}) THEN {given} END AS {name}"
        endless = f"CASE WHEN NOT isfinite({given}) THEN {given}::text END AS {name}e"
        return [finite, endless], f"coalesce({name}, CAST({name}e AS {_ENDLESS[kind]}))"
    if kind == "oid":
        return [f"{given}::int8 AS {name}"], name
    if kind == "money":
        return [f"{given}::numeric::text AS {name}"], name
    if kind == "numeric":
        precision, scale = ((modifier - 4) >> 16) & 0xFFFF, (modifier - 4) & 0x7FF
        if modifier >= 4 and precision <= DECIMAL_DIGITS and scale <= precision:
            return [f"nullif({given}, 'NaN')::text AS {name}"], f"CAST({name} AS DECIMAL({precision}, {scale}))"
        return [f"nullif({given}, 'NaN')::text AS {name}"], name
    if kind.removeprefix("_") in _KNOWN:
        return [f"{given} AS {name}"], name
    return [f"{given}::text AS {name}"], name


def _levels(connection: Any, text: str, kinds: Mapping[str, tuple[str, int]]) -> dict[str, Sequence[str]]:
    """The levels of the ENUM columns of a query, by column.

    Of types that share a name in several schemas, the column's own is taken.
    """
    known = {kind for (kind,) in _fetched(connection, "SELECT typname FROM pg_type WHERE typtype = 'e'")}
    names = [name for name, (kind, _) in kinds.items() if kind in known]
    if not names:
        return {}
    # a NULL of a type identifies it where there is no row
    labels_of = ", ".join(f"enum_range((SELECT {quoted((name,))} FROM q LIMIT 0))::text[]" for name in names)
    ((*labels,),) = _fetched(connection, f"WITH q AS (\n{text}\n) SELECT {labels_of}")
    return {name: [str(label) for label in some] for name, some in zip(names, labels, strict=True)}
