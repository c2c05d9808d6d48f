"""Checks of text files: empty ones, and those whose lines have different numbers of values."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import TextIOWrapper
from itertools import islice, takewhile
from typing import Any

import duckdb

from imputedb import duckdb_errors
from imputedb.engines.duckdb.paths import compression_option, decompressed
from imputedb.errors import DataError, QueryError
from imputedb.sql.paths import one_file
from imputedb.sql.tokens import string_literal

csv.field_size_limit(max(csv.field_size_limit(), 1 << 30))  # DuckDB reads longer values than Python's 131,072

_DELIMITERS = ",;\t|"
_FIRST = "FROM read_csv(?, columns = {'line': 'VARCHAR'}, auto_detect = false, delim = '\x01', quote = '', escape = ''"
_EXCELS = re.compile(r'\ufeff?"?sep=."?\s*', re.IGNORECASE)
_COMMENTS = 100
"""Largest number of comment lines at the top that are skipped."""
_LINES = 10_000
"""Number of lines of a file whose values are counted."""
_SAMPLE = 2048
"""Number of rows that DuckDB looks at where it has only line ends to detect."""

SWITCHES = ("ignore_errors", "null_padding", "strict_mode", "union_by_name", "hive_partitioning")
"""DuckDB's boolean options that affect which checks and notes apply."""

_SNIFFED = (
    "SELECT Delimiter, SkipRows, list_transform(Columns, lambda c: c.type), coalesce(DateFormat, ''), HasHeader, "
    "replace(Quote, '(empty)', ''), replace(Escape, '(empty)', '') "
    "FROM sniff_csv(?"
)
WORDS = "['', 'NA', 'N/A', 'NULL', 'NaN', '.', '?']"
"""Texts ignored when a header is detected, which columns of numbers reveal."""


_WAYS = {
    "delimiter": "between values",
    "skipped": "lines above the table",
    "above": "lines of comments",
    "header": "whether the first line has names",
}


@dataclass(frozen=True, slots=True)
class TextDialect:
    """The dialect of a text file, as DuckDB detects it.

    Attributes:
        delimiter: the separator of values.
        dates: the format of dates; empty without dates.
        header: whether the first line has column names.
        skipped: the number of lines above it.
        quoting: the quote and its escape, both empty without quotes; None where files of one table differ in them.
        above: how many of these DuckDB would not skip itself: comments, and Excel's line that states the delimiter.
    """

    delimiter: str
    dates: str
    header: bool
    skipped: int
    quoting: tuple[str, str] | None
    above: int = 0

    @property
    def options(self) -> dict[str, str]:
        """Options for DuckDB's reader."""
        skip = {"skip": str(self.above), "delim": string_literal(self.delimiter)} if self.above else {}
        return {"header": str(self.header), **skip}

    @property
    def as_text(self) -> dict[str, str]:
        """Options for DuckDB's reader of the same lines as text, which leave it nothing to detect but line ends."""
        stated = {"header": str(self.header), "skip": str(self.skipped), "delim": string_literal(self.delimiter)}
        if self.quoting is None:
            return stated
        quote, escape = map(string_literal, self.quoting)
        return {**stated, "quote": quote, "escape": escape, "sample_size": str(_SAMPLE)}


@dataclass(frozen=True, slots=True)
class FileChecks:
    """The checks that apply to a file.

    Attributes:
        skipped: whether DuckDB skips lines that have values.
        single: whether DuckDB reads lines of several values as one value each.
    """

    skipped: bool = True
    single: bool = True

    @classmethod
    def under_options(cls, options: Mapping[str, str]) -> "FileChecks":
        """The checks under some options of DuckDB's reader, which may state what happens to such lines."""
        loose = any(is_on(options, name) for name in ("ignore_errors", "null_padding"))
        strict = is_on(options, "strict_mode", default="true")
        return cls(strict and not loose and "skip" not in options, not loose and {"delim", "sep"}.isdisjoint(options))


def is_on(options: Mapping[str, str], name: str, default: str = "false") -> bool:
    """Whether one of the SWITCHES is true among DuckDB's options, whose values are `true` or `false`."""
    return options.get(name, default) == "true"


def text_dialect(
    connection: duckdb.DuckDBPyConnection, path: str, options: str, name: str, checks: FileChecks
) -> TextDialect:
    """The dialect of a file, which messages call by `name`.

    Raises an error for a file of which DuckDB would read only some lines, or each line as one text.

    Raises:
        DataError: the file is empty, or its lines have different numbers of values; the message names a line.
        QueryError: an option does not suit the file.
    """
    if not any(line.strip() for line in _lines(connection, path)):
        raise DataError(f"{name} is empty: it has no line with a header or with values")
    query = f"{_SNIFFED}{options}{compression_option(path)}"
    try:
        found = connection.execute(f"{query})", [one_file(path)]).fetchall()[0]
    except (duckdb.BinderException, duckdb.ParserException) as error:  # a stated option that does not suit the file
        words = duckdb_errors.reason(str(error)).splitlines()[0].replace("sniff_csv", "read_csv")
        raise QueryError(f"{name} cannot be read: {words}") from error
    above = _skipped_lines(connection, path) if checks.skipped else 0
    if above:
        below = connection.execute(f"{query}, skip = {above})", [one_file(path)]).fetchall()[0]
        above = above if _typed(below) > _typed(found) or _EXCELS.fullmatch(next(_lines(connection, path))) else 0
        found = below if above else found
    delimiter, skipped, columns, dates, header, *quoting = found
    for line in islice(_lines(connection, path), above, skipped if checks.skipped else 0):
        if _width(line, delimiter) > 1:
            raise DataError(_uneven(connection, path, name, delimiter))
    if len(columns) == 1 and skipped == 0 and checks.single:
        for mark in _DELIMITERS:
            if _width(next(line for line in _lines(connection, path) if line.strip()), mark) > 1:
                raise DataError(_uneven(connection, path, name, mark))
    return TextDialect(delimiter, dates, header, skipped, (quoting[0], quoting[1]), above)


def one_form(forms: Mapping[str, TextDialect]) -> TextDialect:
    """The common dialect of the files of one table, given by their names.

    Raises:
        DataError: a file differs from the first; the message names it and the difference.
    """
    (first, form), *others = forms.items()
    for name, other in others:
        for what in ("delimiter", "skipped", "above", "header"):
            one, two = getattr(form, what), getattr(other, what)
            if one != two:
                raise DataError(
                    f"{first} and {name} are written in two ways ({_WAYS[what]}: {one!r} and {two!r}) and would lose "
                    "rows as one table: read each by a read_csv(...) or load of its own, and join them by UNION ALL "
                    "BY NAME"
                )
    used = {one.quoting for one in forms.values()} - {("", "")} or {("", "")}
    return replace(form, quoting=used.pop() if len(used) == 1 else None)


def _skipped_lines(connection: duckdb.DuckDBPyConnection, path: str) -> int:
    """Number of lines at the top that are comments, or Excel's statement of the delimiter."""
    lines = list(islice(_lines(connection, path), _COMMENTS))
    return 1 if _EXCELS.fullmatch(lines[0]) else sum(1 for _ in takewhile(lambda line: line.startswith("#"), lines))


def _typed(found: Sequence[Any]) -> int:
    """Number of detected columns that are not text."""
    return sum(kind != "VARCHAR" for kind in found[2])


def short_lines(connection: duckdb.DuckDBPyConnection, paths: Sequence[str], form: TextDialect) -> tuple[int, int]:
    """Among the first lines of files, the number of those with fewer values than others, and the number of all."""
    widths = Counter[int]()
    for path in paths:
        lines = islice(_lines(connection, path), form.skipped, form.skipped + _LINES)
        records = _records(lines, form.delimiter)
        widths.update(len(record) for record in records if record)
    return widths.total() - widths[max(widths, default=0)], widths.total()


def _uneven(connection: duckdb.DuckDBPyConnection, path: str, name: str, delimiter: str) -> str:
    lines = enumerate(islice(_lines(connection, path), _LINES), 1)
    first, *_ = widths = [(number, _width(line, delimiter)) for number, line in lines if line.strip()]
    other = next((one for one in widths if one[1] != first[1]), None)
    where = f": line {first[0]} has {first[1]}, line {other[0]} has {other[1]}" if other else ""
    return (
        f"the lines of {name} have different numbers of values{where}; mend the file, or say in read_csv(...) what "
        "becomes of them: null_padding = true fills them up, ignore_errors = true leaves them out"
    )


def _width(line: str, delimiter: str) -> int:
    return len(next(_records([line], delimiter), []))


def _records(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    """The values of lines; quotes are interpreted where the delimiter is one character."""
    if len(delimiter) == 1:
        return csv.reader(lines, delimiter=delimiter)
    whole = (line.rstrip("\r\n") for line in lines)
    return (line.split(delimiter) if delimiter else [line] for line in whole if line)


def _lines(connection: duckdb.DuckDBPyConnection, path: str) -> Iterator[str]:
    if path.endswith(".zst"):  # Python of this version has no reader for it
        rows = connection.execute(f"{_FIRST}{compression_option(path)}) LIMIT {_LINES}", [one_file(path)]).fetchall()
        yield from (f"{line or ''}\n" for (line,) in rows)
        return
    with decompressed(path) as file, TextIOWrapper(file, encoding="utf-8", errors="replace", newline="") as text:
        yield from text
