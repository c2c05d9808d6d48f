"""Text files such as CSV, in any encoding, with decimal commas and various formats of dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from imputedb.algebra.relation import Table
from imputedb.engines.duckdb import decimals, forms, ragged
from imputedb.engines.duckdb.encodings import as_utf8
from imputedb.engines.duckdb.forms import TextForm
from imputedb.engines.duckdb.paths import check_columns, compression_option
from imputedb.engines.duckdb.ragged import TextDialect
from imputedb.engines.reading import Reading
from imputedb.notes import Note, NoteKind
from imputedb.sql.paths import one_file, quoted
from imputedb.sql.tokens import string_literal
from imputedb.statistics.words import BESIDE_NUMBERS

if TYPE_CHECKING:
    from imputedb.engines.duckdb.engine import DuckDB

_NAMES = 5
"""Largest number of columns with duplicate names that are noted."""

SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".dat")

_MANY_DIGITS = 100_000
"""Number of rows of a file that are examined for numbers with more digits than a DOUBLE has."""

OF_TYPES = ("types", "dtypes", "column_types", "all_varchar")
"""DuckDB's options that state the types of columns."""
_OF_ROWS = ("filename", "store_rejects", "rejects_table", "rejects_scan", "rejects_limit")
"""DuckDB's options that do not concern the format of a file."""


@dataclass(frozen=True, slots=True)
class TextFiles:
    """Text files that become one table, and how they are read.

    Attributes:
        title: the name of the table in messages.
        paths: the paths of the files.
        reading: the user's options for reading them.
        stated: DuckDB's own options for them, as SQL.
        rows: the number of rows examined to detect their format; -1 for all.
        most: the number of bytes examined for their encoding; None for all.
    """

    title: str
    paths: Sequence[str]
    reading: Reading
    stated: Mapping[str, str] = field(default_factory=dict)
    rows: int = -1
    most: int | None = None

    def options(self, *without: str, **more: str) -> str:
        """The options of DuckDB's reader: stated ones and, for others, those in `more`."""
        every = {"sample_size": str(self.rows), **more, **self._of_reading(), **self.stated}
        return "".join(f", {name} = {value}" for name, value in every.items() if name not in without)

    def call(self, paths: Sequence[str], options: str) -> str:
        """A call of DuckDB's reader; ? stands for the paths."""
        squeezed = {compression_option(path) for path in paths}
        return f"read_csv(?{options}{squeezed.pop() if len(squeezed) == 1 else ''})"

    def as_text(self, paths: Sequence[str], **known: str) -> str:
        """The same with all columns as text."""
        given = {**self._of_reading(), **self.stated, "sample_size": str(self.rows), **known}
        without = {*OF_TYPES, *_OF_ROWS, *({"sep"} if "delim" in known else ())}  # two names of one option
        found = "".join(f", {name} = {value}" for name, value in given.items() if name not in without)
        return self.call(paths, f", all_varchar = true{found}")

    def _of_reading(self) -> dict[str, str]:
        wanted = {
            "delim": self.reading.delimiter,
            "decimal_separator": self.reading.decimal,
            "dateformat": self.reading.dates,
        }
        return {name: string_literal(value) for name, value in wanted.items() if value is not None}


def create(engine: DuckDB, made: Table, files: TextFiles) -> tuple[TextForm, ...]:
    """Creates a table of text files, and returns the forms that its columns of text may have.

    Raises:
        DataError: a file holds no table, or is not in its encoding.
        QueryError: there is no such encoding, or an option does not suit a file.
    """
    with as_utf8(files.paths, files.reading.encoding, files.most) as (readable, notes):
        names = dict(zip(readable, files.paths, strict=True))
        engine.session.remarks += notes
        options = files.options(*_OF_ROWS, nullstr=ragged.WORDS)
        checks = ragged.FileChecks.under_options(files.stated)
        sniffed = [ragged.text_dialect(engine.connection, path, options, names[path], checks) for path in readable]
        first = ragged.one_form({names[path]: one for path, one in zip(readable, sniffed, strict=True)})
        if ragged.is_on(files.stated, "hive_partitioning", default="true"):
            check_columns(engine.connection, files.call(readable[:1], files.options(**first.options)), readable)
        known, skipped = first.options, {"skip": str(first.skipped)}
        _read(engine, made, files, readable, known)
        numbers = _numbers(engine, made, files, readable, known, first)
        if "dateformat" not in files.options():
            _remark_on_dates(engine, made, files.title, {one.dates for one in sniffed})
        _remark_on_digits(engine, made, files, readable, first.as_text)
        _remark_on_short_lines(engine, files, readable, first)
        _remark_on_header(engine, made, files, first)
        if first.header and "names" not in files.stated:
            _remark_on_names(engine, made, files, readable[0], skipped)
    return forms.forms(numbers, files.reading.dates)


def _read(
    engine: DuckDB, made: Table, files: TextFiles, paths: Sequence[str], known: Mapping[str, str], types: str = ""
) -> None:
    kind = "TEMP TABLE" if made.catalog == "temp" else "TABLE"
    call = files.call(paths, f"{files.options(**known)}{types}")
    text = f"CREATE {kind} {quoted(made.path)} AS FROM {call}"
    engine.session.rows(text, [[one_file(path) for path in paths]])


def _numbers(
    engine: DuckDB,
    made: Table,
    files: TextFiles,
    paths: Sequence[str],
    known: Mapping[str, str],
    first: TextDialect,
) -> tuple[TextForm, ...]:
    """The forms of numbers with points and commas; ambiguous columns are read again, as text."""
    reading = files.reading
    if reading.decimal is not None:
        return decimals.stated(reading.decimal)
    words = BESIDE_NUMBERS if reading.na is None else [word.strip().lower() for word in reading.na]
    looked_at = f" LIMIT {files.rows}" if files.rows > 0 else ""
    source = f"(FROM {files.as_text(paths, **first.as_text)}{looked_at})"
    found = decimals.marks(engine, made, words, first.delimiter, source, [one_file(path) for path in paths])
    types = forms.types(engine, made)
    doubtful = [name for name in found.doubtful if types[name] == "DOUBLE"] if found.unclear else []
    if "%y" in first.dates and "dateformat" not in files.options():
        doubtful += [name for name, kind in types.items() if kind in ("DATE", "TIMESTAMP")]
    if doubtful and not set(OF_TYPES) & set(files.stated):
        engine.session.rows(f"DROP TABLE {quoted(made.path)}")
        texts = ", ".join(f"{string_literal(name)}: 'VARCHAR'" for name in doubtful)
        _read(engine, made, files, paths, known, f", types = {{{texts}}}")
    return found.forms()


def _remark_on_dates(engine: DuckDB, made: Table, title: str, formats: set[str]) -> None:
    """Notes the order in which dates were read, where another order would give other days."""
    doubtful = [one for one in formats if one and not one.startswith("%Y")]
    if not doubtful:
        return
    types = forms.types(engine, made)
    for column in (name for name, kind in types.items() if kind in ("DATE", "TIMESTAMP")):
        text = f"SELECT coalesce(max(day({quoted((column,))})), 13) FROM {quoted(made.path)}"
        if "%y" in doubtful[0] or engine.session.rows(text)[0][0] <= 12:
            words = (
                f"{title}.{column}: its dates are read as {doubtful[0]}, and may be of another order: "
                "state it with dates='%m/%d/%Y', say, or --dates (dateformat of read_csv)"
            )
            engine.session.remarks.append(Note(NoteKind.READ_AS, f"{title}.{column}", words))


def _remark_on_names(engine: DuckDB, made: Table, files: TextFiles, path: str, skipped: Mapping[str, str]) -> None:
    """Notes columns that are renamed, because several share a name in the file."""
    known = {"header": "false", "hive_partitioning": "false", "sample_size": "2048", **skipped}
    text = f"FROM {files.as_text([path], **known)} LIMIT 1"
    (written,) = engine.session.rows(text, [one_file(path)])
    called = [str(name or "").strip() for name in written]
    again = [place for place, name in enumerate(called) if name and name.lower() in map(str.lower, called[:place])]
    names = list(forms.types(engine, made))
    for place in again[:_NAMES] if len(names) >= len(called) else ():
        column = f"{files.title}.{names[place]}"
        words = (
            f"{column}: several columns of the file are called {called[place]!r}; this is the one at place {place + 1}"
        )
        engine.session.remarks.append(Note(NoteKind.READ_AS, column, words))


def _remark_on_header(engine: DuckDB, made: Table, files: TextFiles, first: TextDialect) -> None:
    """Notes that the first line may hold values, if all columns are text and one has its name as a value."""
    types = forms.types(engine, made)
    if not first.header or set(types.values()) != {"VARCHAR"} or {"header", "names"} & set(files.stated):
        return
    held = ", ".join(f"coalesce(bool_or({quoted((name,))} = {string_literal(name)}), false)" for name in types)
    found = engine.session.rows(f"SELECT {held} FROM {quoted(made.path)}")[0]
    for name in [name for name, is_held in zip(types, found, strict=True) if is_held][:1]:
        words = (
            f"{files.title}: its first line is taken for names of columns, but {name!r} is a value below it too: where "
            "it holds values, read it by read_csv(..., header = false)"
        )
        engine.session.remarks.append(Note(NoteKind.READ_AS, files.title, words))


def _remark_on_short_lines(engine: DuckDB, files: TextFiles, paths: Sequence[str], first: TextDialect) -> None:
    """Notes the number of lines that are padded with NULL, where the query asks for that."""
    if not ragged.is_on(files.stated, "null_padding"):
        return
    short, looked_at = ragged.short_lines(engine.connection, paths, first)
    if short:
        words = (
            f"{files.title}: {short:,} of the first {looked_at:,} lines have fewer values than others, and are filled "
            "up with NULL as null_padding has it, which counts as missing"
        )
        engine.session.remarks.append(Note(NoteKind.READ_AS, files.title, words))


def _remark_on_digits(
    engine: DuckDB, made: Table, files: TextFiles, paths: Sequence[str], known: Mapping[str, str]
) -> None:
    """Notes that numbers are rounded, where a file has more digits than a DOUBLE."""
    columns = [name for name, kind in forms.types(engine, made).items() if kind == "DOUBLE"]
    if not columns:
        return
    digits = "regexp_replace(regexp_replace({x}, '[eE].*$', ''), '^[-+0.]+|\\D', '', 'g')"
    endless = "(isinf(TRY_CAST({x} AS DOUBLE)) AND NOT contains(lower({x}), 'inf'))"
    lost = f"length({digits}) > 17 OR {endless}"
    parts = [f"count(*) FILTER ({lost.format(x=quoted((name,)))})" for name in columns]
    most = files.rows if 0 < files.rows < _MANY_DIGITS else _MANY_DIGITS
    text = f"SELECT {', '.join(parts)} FROM (FROM {files.as_text(paths, **known)} LIMIT {most})"
    counts = engine.session.rows(text, [[one_file(path) for path in paths]])[0]
    for name, count in zip(columns, counts, strict=True):
        if count:
            words = (
                f"{files.title}.{name}: numbers of more than 17 digits are rounded, and beyond 1.8e308 infinite "
                f"({count:,} of the first {most:,})"
            )
            engine.session.remarks.append(Note(NoteKind.READ_AS, f"{files.title}.{name}", words))
