"""Files of text: CSV and its kin, in any encoding, with decimal commas and dates as they are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imputedb.algebra.relation import Table
from imputedb.engines.duckdb import decimals, forms, ragged
from imputedb.engines.duckdb.encodings import as_utf8
from imputedb.engines.duckdb.forms import Form
from imputedb.engines.duckdb.paths import squeezing
from imputedb.engines.duckdb.ragged import Sniffed
from imputedb.engines.reading import Reading
from imputedb.notes import Note, NoteKind
from imputedb.sql.paths import one_file, quoted
from imputedb.statistics.words import BESIDE_NUMBERS

if TYPE_CHECKING:
    from imputedb.engines.duckdb.engine import DuckDB

_NAMES = 5
"""Columns of which a remark says that their name is another one's too."""

SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".dat")

_MANY_DIGITS = 100_000
"""Rows of a file that are looked at for numbers of more digits than a DOUBLE has."""


def create(engine: DuckDB, made: Table, paths: Sequence[str], reading: Reading) -> tuple[Form, ...]:
    """Makes a table of files of text; the forms that its columns of text may have.

    Raises:
        DataError: a file holds no table, or is not of its encoding.
    """
    options = _options(reading)
    with as_utf8(paths, reading.encoding) as (readable, said):
        names = dict(zip(readable, paths, strict=True))
        engine.session.remarks += said
        sniffed = [ragged.sniffed(engine.connection, path, options, names[path]) for path in readable]
        first = next((one for one in sniffed if one is not None), None)
        if first is not None:
            options += f", header = {first.header}"
        _read(engine, made, readable, options)
        numbers = _numbers(engine, made, reading, readable, options, first)
        _remark_on_dates(engine, made, {one.dates for one in sniffed if one} if reading.dates is None else set())
        if first is not None:
            _remark_on_digits(engine, made, readable, f"{options}, skip = {first.skipped}")
        if first is not None and first.header:
            _remark_on_names(engine, made, readable[0], f"{_options(reading)}, skip = {first.skipped}")
    return forms.forms(numbers, reading.dates)


def _options(reading: Reading) -> str:
    wanted = {"delim": reading.delimiter, "decimal_separator": reading.decimal, "dateformat": reading.dates}
    stated = {name: value.replace("'", "''") for name, value in wanted.items() if value is not None}
    return "".join(f", {name} = '{value}'" for name, value in stated.items())


def _read(engine: DuckDB, made: Table, paths: Sequence[str], options: str) -> None:
    text = f"CREATE TABLE {quoted(made.path)} AS FROM read_csv(?, sample_size = -1{options}{_squeezing(paths)})"
    engine.connection.execute(text, [[one_file(path) for path in paths]])
    engine.session.changed()


def _squeezing(paths: Sequence[str]) -> str:
    squeezed = {squeezing(path) for path in paths}
    return squeezed.pop() if len(squeezed) == 1 else ""


def _numbers(
    engine: DuckDB, made: Table, reading: Reading, paths: Sequence[str], options: str, first: Sniffed | None
) -> tuple[Form, ...]:
    """The forms of numbers with points and commas; columns of which nobody can tell are read anew, as text."""
    if reading.decimal is not None:
        return decimals.stated(reading.decimal)
    words = BESIDE_NUMBERS if reading.na is None else [word.strip().lower() for word in reading.na]
    skipped = f", skip = {first.skipped}" if first else ""
    source = f"read_csv(?, all_varchar = true, sample_size = -1{options}{skipped}{_squeezing(paths)})"
    delimiter = first.delimiter if first else reading.delimiter or ","
    found = decimals.marks(engine, made, words, delimiter, source, [one_file(path) for path in paths])
    types = engine.tables.shape(made).types
    doubtful = [name for name in found.doubtful if types[name] == "DOUBLE"] if found.unclear else []
    if doubtful:
        engine.connection.execute(f"DROP TABLE {quoted(made.path)}")
        engine.session.changed()
        texts = ", ".join("'" + name.replace("'", "''") + "': 'VARCHAR'" for name in doubtful)
        _read(engine, made, paths, f"{options}, types = {{{texts}}}")
    return found.forms()


def _remark_on_dates(engine: DuckDB, made: Table, formats: set[str]) -> None:
    """Says in which order dates were read, where another order would give other days."""
    doubtful = [one for one in formats if one and not one.startswith("%Y")]
    if not doubtful:
        return
    types = engine.tables.shape(made).types
    for column in (name for name, kind in types.items() if kind in ("DATE", "TIMESTAMP")):
        text = f"SELECT coalesce(max(day({quoted((column,))})), 13) FROM {quoted(made.path)}"
        if "%y" in doubtful[0] or engine.connection.execute(text).fetchall()[0][0] <= 12:
            words = (
                f"{made.name}.{column}: its dates are read as {doubtful[0]}, and may be of another order: "
                "state it with dates='%m/%d/%Y', say, or --dates"
            )
            engine.session.remarks.append(Note(NoteKind.READ_AS, f"{made.name}.{column}", words))


def _remark_on_names(engine: DuckDB, made: Table, path: str, options: str) -> None:
    """Says which columns are called otherwise than in the file, where several have a name there."""
    text = f"FROM read_csv(?, all_varchar = true, header = false{options}{_squeezing([path])}) LIMIT 1"
    (written,) = engine.connection.execute(text, [one_file(path)]).fetchall()
    called = [str(name or "").strip() for name in written]
    again = [place for place, name in enumerate(called) if name and name.lower() in map(str.lower, called[:place])]
    names = list(engine.tables.shape(made).types)
    for place in again[:_NAMES] if len(names) == len(called) else ():
        column = f"{made.name}.{names[place]}"
        words = (
            f"{column}: several columns of the file are called {called[place]!r}; this is the one at place {place + 1}"
        )
        engine.session.remarks.append(Note(NoteKind.READ_AS, column, words))


def _remark_on_digits(engine: DuckDB, made: Table, paths: Sequence[str], options: str) -> None:
    """Says of numbers that they are rounded, where a file has more digits than a DOUBLE."""
    columns = [name for name, kind in engine.tables.shape(made).types.items() if kind == "DOUBLE"]
    if not columns:
        return
    digits = "regexp_replace(regexp_replace({x}, '[eE].*$', ''), '^[-+0.]+|\\D', '', 'g')"
    endless = "(isinf(TRY_CAST({x} AS DOUBLE)) AND NOT contains(lower({x}), 'inf'))"
    lost = f"length({digits}) > 17 OR {endless}"
    parts = [f"count(*) FILTER ({lost.format(x=quoted((name,)))})" for name in columns]
    text = f"SELECT {', '.join(parts)} FROM (FROM read_csv(?, all_varchar = true{options}) LIMIT {_MANY_DIGITS})"
    counts = engine.connection.execute(text, [[one_file(path) for path in paths]]).fetchall()[0]
    for name, count in zip(columns, counts, strict=True):
        if count:
            words = (
                f"{made.name}.{name}: numbers of more than 17 digits are rounded, and beyond 1.8e308 infinite "
                f"({count:,} of the first {_MANY_DIGITS:,})"
            )
            engine.session.remarks.append(Note(NoteKind.READ_AS, f"{made.name}.{name}", words))
