"""Tables made of the rows of other systems."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import duckdb

from imputedb.algebra.relation import Table
from imputedb.engines.address import Address
from imputedb.engines.duckdb.databases import lakes, mysql, postgres, sqlite
from imputedb.engines.duckdb.databases.rows import DECIMAL_DIGITS, Rows
from imputedb.engines.reading import Reading
from imputedb.errors import DataError, StorageError
from imputedb.notes import Note, NoteKind
from imputedb.sql.paths import quoted
from imputedb.sql.tokens import string_literal
from imputedb.statistics.words import BESIDE_NUMBERS

if TYPE_CHECKING:
    from imputedb.engines.duckdb.engine import DuckDB

_DIGITS = (
    "max(length(regexp_extract({0}, '^-?0*([0-9]*)', 1))), "
    "coalesce(max(length(regexp_extract({0}, '[.]([0-9]+)', 1))), 0), "
    "coalesce(bool_or({0} LIKE '%Inf%'), false)"
)
"""Largest numbers of digits before and after the point of a column's numbers, and whether one is infinite."""


def read(address: Address, table: str | None, reading: Reading) -> Rows:
    """The rows of a table or a query of a database, or of a table that is a folder.

    Raises:
        DataError: there is no such table, the query is refused, or a query is asked of a folder.
        StorageError: the database cannot be reached or read.
    """
    if address.system in ("Delta Lake", "Iceberg"):
        if reading.query is not None:
            raise DataError(f"{address.path} is a table, and answers no query: leave it out, and ask what is loaded")
        return (lakes.read_delta if address.system == "Delta Lake" else lakes.read_iceberg)(address)
    if address.system == "SQLite":
        return sqlite.read(address, table, reading.query, BESIDE_NUMBERS if reading.na is None else reading.na)
    return (postgres.read if address.system == "PostgreSQL" else mysql.read)(address, table, reading.query)


def fill(engine: DuckDB, made: Table, address: Address, rows: Rows) -> None:
    """Creates a table of rows, reading them as a stream.

    Raises:
        StorageError: the stream ends before the last row.
    """
    name = f"imputedb_{secrets.token_hex(8)}"
    outputs = ", ".join(f"{made_of} AS {quoted((column,))}" for column, made_of in rows.columns.items())
    engine.connection.register(name, rows.frame)
    try:
        engine.session.rows(f"CREATE TABLE {quoted(made.path)} AS SELECT {outputs} FROM {name}")
    except (duckdb.InvalidInputException, duckdb.IOException) as error:
        message = str(error).partition("\n")[0]
        reason = address.without_secrets(message.rpartition("ERROR:")[2].strip())
        raise StorageError(f"{address.shown} could not be read to its end: {reason}") from error
    finally:
        with suppress(duckdb.Error):
            engine.connection.unregister(name)
    engine.session.remarks += rows.notes
    for column, labels in rows.levels.items():
        texts = ", ".join(map(string_literal, labels))
        _retype(engine, made, column, f"ENUM ({texts})", f"{quoted((column,))}")
    for column, kind in rows.tried.items():
        _try(engine, made, column, kind)
    _widen(engine, made, rows.decimals)


def _retype(engine: DuckDB, made: Table, column: str, kind: str, made_of: str) -> None:
    changed = f"ALTER TABLE {quoted(made.path)} ALTER {quoted((column,))} TYPE {kind} USING CAST({made_of} AS {kind})"
    engine.session.rows(changed)


def _try(engine: DuckDB, made: Table, column: str, kind: str) -> None:
    """Converts a column of text to a type of dates or times, if every value can be."""
    named = quoted((column,))
    text = f"SELECT count({named}) = count(TRY_CAST({named} AS {kind})) FROM {quoted(made.path)}"
    if engine.session.rows(text)[0][0]:
        _retype(engine, made, column, kind, named)


def _widen(engine: DuckDB, made: Table, columns: Sequence[str]) -> None:
    """Converts numbers that came as text to decimals of the width they need; to doubles where that is too wide."""
    for column in columns:
        named = quoted((column,))
        text = f"SELECT {_DIGITS.format(named)} FROM {quoted(made.path)}"
        before, behind, endless = engine.session.rows(text)[0]
        if not endless and max((before or 0) + behind, 1) <= DECIMAL_DIGITS:
            _retype(engine, made, column, f"DECIMAL({max((before or 0) + behind, 1)}, {behind})", named)
            continue
        _retype(engine, made, column, "DOUBLE", named)
        why = "some of its numbers are infinite" if endless else f"its numbers need more than {DECIMAL_DIGITS} digits"
        words = f"{made.name}.{column}: {why}: they are floating ones, of 15 to 17 digits"
        engine.session.remarks += [Note(NoteKind.READ_AS, column, words)]
