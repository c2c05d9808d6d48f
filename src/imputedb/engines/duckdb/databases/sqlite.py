"""Tables and queries of SQLite, whose columns may hold values of several types."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imputedb.engines.address import Address
from imputedb.engines.duckdb.databases.rows import Rows, check_distinct
from imputedb.engines.duckdb.packages import package
from imputedb.errors import DataError, Error, StorageError
from imputedb.notes import Note, NoteKind
from imputedb.sql.paths import quoted
from imputedb.sql.tokens import string_literal

_MOMENTS = {"date": "DATE", "datetime": "TIMESTAMP", "timestamp": "TIMESTAMP", "time": "TIME"}
"""Declared column types for dates and times, and DuckDB's names for them; SQLite stores their values as text."""

_EXACT = 2**53
"""Largest integer below which every integer is a double too."""

_TOGETHER = 20_000
"""Number of rows in a record batch."""

_SCANNED = 250
"""Number of columns whose values are counted in one query; SQLite allows 2,000 outputs."""

_EMPTY = {"int": "int64", "real": "float64", "floa": "float64", "doub": "float64"}
"""Arrow types of columns without values, by words in their declared types."""


def read(address: Address, table: str | None, query: str | None, words: Sequence[str]) -> Rows:
    """The rows of a table or a query; `words` mean a missing value where they occur among numbers.

    Raises:
        DataError: there is no such table, SQLite refuses the query, or two columns share a name.
        StorageError: the file cannot be read.
    """
    arrow = package("pyarrow", "databases", "databases of SQLite")
    try:
        path = Path(address.path).absolute()
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
        connection.text_factory = _text
        connection.execute("BEGIN")  # columns are examined and then read in one state
        connection.execute("SELECT count(*) FROM sqlite_schema")
    except sqlite3.Error as error:
        raise StorageError(f"{address.path} cannot be read as a database of SQLite: {error}") from error
    try:
        text = query if query is not None else f"SELECT * FROM {quoted((_named(connection, address, table),))}"
        return _rows(arrow, connection, text.strip().rstrip(";"), address.path, words)
    except (sqlite3.Error, sqlite3.Warning) as error:
        connection.close()
        raise DataError(f"{address.path}: {error}") from error
    except Error:
        connection.close()
        raise


def _text(held: bytes) -> str:
    return held.decode("utf-8", "replace")


def _named(connection: sqlite3.Connection, address: Address, table: str | None) -> str:
    known = [
        str(name)
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
            "ORDER BY 1"
        )
    ]
    there = ", ".join(known) or "none"
    if table is None:
        raise DataError(f"{address.path} needs the name of a table, or a query; it has {there}")
    if found := next((one for one in known if one.lower() == table.lower()), None):
        return found
    raise DataError(f"{address.path} has no table {table}; it has {there}")


def _rows(arrow: Any, connection: sqlite3.Connection, text: str, file: str, words: Sequence[str]) -> Rows:
    connection.execute(f"CREATE TEMP VIEW imputedb_rows AS SELECT * FROM (\n{text}\n)")
    declared = {
        str(name): str(kind).lower() for _, name, kind, *_ in connection.execute("PRAGMA table_info(imputedb_rows)")
    }
    check_distinct([one[0] for one in connection.execute("SELECT * FROM imputedb_rows LIMIT 0").description])
    columns = list(_columns(connection, declared, words))
    sent = ", ".join(one.sent for one in columns)
    schema = arrow.schema([(f"c{place}", getattr(arrow, one.type)()) for place, one in enumerate(columns)])
    cursor = connection.execute(f"SELECT {sent} FROM imputedb_rows")

    def batches() -> Iterator[Any]:
        while some := cursor.fetchmany(_TOGETHER):
            values = zip(zip(*some, strict=True), schema.types, strict=True)
            yield arrow.record_batch([arrow.array(held, kind) for held, kind in values], schema=schema)

    made = {one.name: one.made.format(f"c{place}") for place, one in enumerate(columns)}
    tried = {one.name: one.moment for one in columns if one.moment}
    notes = [Note(NoteKind.READ_AS, one.name, f"{file}: {one.name} {one.note}") for one in columns if one.note]
    frame = arrow.RecordBatchReader.from_batches(schema, batches())
    return Rows(frame, made, tried=tried, notes=notes, close=connection.close)


@dataclass(frozen=True, slots=True)
class _Column:
    """A column, and the way to read it.

    Attributes:
        name: the column's name.
        sent: the SQLite expression to fetch.
        type: Arrow's name for the type of the fetched values.
        made: the DuckDB expression of the column, with {} for the fetched value.
        moment: DuckDB's type of dates or times that its texts become if all of them can.
        note: a note for the user, as the end of a sentence.
    """

    name: str
    sent: str
    type: str
    made: str = "{}"
    moment: str | None = None
    note: str = ""


def _columns(connection: sqlite3.Connection, declared: Mapping[str, str], words: Sequence[str]) -> Iterator[_Column]:
    """Columns with types by the values that they hold, since SQLite does not enforce declared types."""
    names, listed = list(declared), ", ".join(string_literal(one.lower()) for one in words)
    for some in (names[at : at + _SCANNED] for at in range(0, len(names), _SCANNED)):
        counts = ", ".join(
            f"total(typeof({one}) = 'integer'), total(typeof({one}) = 'real'), total(typeof({one}) = 'text'), "
            f"total(typeof({one}) = 'text' AND lower(trim({one})) IN ({listed})), total(typeof({one}) = 'blob'), "
            f"min(iif(typeof({one}) = 'integer', {one}, NULL)), max(iif(typeof({one}) = 'integer', {one}, NULL))"
            for one in (quoted((name,)) for name in some)
        )
        (found,) = connection.execute(f"SELECT {counts} FROM imputedb_rows").fetchall()
        for place, name in enumerate(some):
            yield _column(name, declared[name], *found[7 * place : 7 * place + 7])


def _column(
    name: str,
    declared: str,
    integers: float,
    reals: float,
    texts: float,
    marks: float,
    blobs: float,
    least: int,
    most: int,
) -> _Column:
    named, numbers = quoted((name,)), integers + reals
    if blobs:
        note = "holds bytes beside other values: all are bytes" if numbers or texts else ""
        return _Column(name, f"CAST({named} AS BLOB)", "binary", note=note)
    if texts and (texts > marks or not numbers):
        text = f"CASE typeof({named}) WHEN 'real' THEN printf('%!.17g', {named}) ELSE CAST({named} AS TEXT) END"
        note = f"holds {int(texts):,} texts among {int(numbers):,} numbers: all are text" if numbers else ""
        moment = None if numbers else _MOMENTS.get(declared.partition("(")[0].strip())
        return _Column(name, text, "string", moment=moment, note=note)
    note = (
        f"holds {int(texts):,} words among {int(numbers):,} numbers: they are NULL (na=[] keeps them)" if texts else ""
    )
    given = f"iif(typeof({named}) = 'text', NULL, {named})" if texts else named
    if reals:
        wide = integers and max(-least, most) > _EXACT
        wide_note = f"holds whole numbers beyond {_EXACT} among others: they lose their last digits" if wide else ""
        note = "; it ".join(filter(None, [note, wide_note]))
        return _Column(name, f"CAST({given} AS REAL)", "float64", note=note)
    if integers:
        truth = declared.startswith("bool") and least >= 0 and most <= 1
        return _Column(name, given, "int64", made="CAST({} AS BOOLEAN)" if truth else "{}", note=note)
    affinity = next((kind for word, kind in _EMPTY.items() if word in declared), "string")
    return _Column(name, named, affinity)
