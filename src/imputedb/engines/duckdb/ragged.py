"""Text files that are no table: empty ones, and those whose lines have different numbers of values."""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import duckdb

from imputedb.engines.duckdb.paths import squeezing
from imputedb.errors import DataError
from imputedb.sql.paths import one_file

_DELIMITERS = ",;\t|"

_SNIFFED = (
    "SELECT Delimiter, SkipRows, list_transform(Columns, lambda c: c.name), coalesce(DateFormat, ''), HasHeader "
    "FROM sniff_csv(?, sample_size = -1, nullstr = ['', 'NA', 'N/A', 'NULL', 'NaN', '.', '?']"
)
"""Words are left out where it is told whether the first line has names: columns of numbers tell it."""


@dataclass(frozen=True, slots=True)
class Sniffed:
    """How DuckDB takes a file of text.

    Attributes:
        delimiter: between values.
        dates: their format; empty where there are none.
        header: whether the first line has names.
        skipped: lines above it.
    """

    delimiter: str
    dates: str
    header: bool
    skipped: int


def sniffed(connection: duckdb.DuckDBPyConnection, path: str, options: str, name: str) -> Sniffed | None:
    """How a file is read; None of one that Python of this version has no reader for.

    Refuses a file of which DuckDB would read a part of the lines, or each line as one text; it is called by its name.

    Raises:
        DataError: the file is empty, or its lines have different numbers of values; the message names a line.
    """
    if path.endswith(".zst"):
        return None  # Python of this version has no reader for it: what DuckDB makes of it has to do
    if not any(line.strip() for line in _lines(path)):
        raise DataError(f"{name} is empty: it has no line with a header or with values")
    asked = f"{_SNIFFED}{options}{squeezing(path)})"
    ((delimiter, skipped, columns, dates, header),) = connection.execute(asked, [one_file(path)]).fetchall()
    for line in islice(_lines(path), skipped):
        if _width(line, delimiter) > 1:
            raise DataError(_uneven(path, name, delimiter))
    if len(columns) == 1 and skipped == 0:
        for mark in _DELIMITERS:
            if _width(next(line for line in _lines(path) if line.strip()), mark) > 1:
                raise DataError(_uneven(path, name, mark))
    return Sniffed(delimiter, dates, header, skipped)


def _uneven(path: str, name: str, delimiter: str) -> str:
    first, *_ = widths = [
        (number, _width(line, delimiter)) for number, line in enumerate(islice(_lines(path), 10_000), 1) if line.strip()
    ]
    other = next((one for one in widths if one[1] != first[1]), None)
    where = f": line {first[0]} has {first[1]}, line {other[0]} has {other[1]}" if other else ""
    return f"the lines of {name} have different numbers of values{where}; mend the file, or load it with execute()"


def _width(line: str, delimiter: str) -> int:
    return len(next(csv.reader([line], delimiter=delimiter), []))


def _lines(path: str) -> Iterator[str]:
    opening = gzip.open if path.endswith(".gz") else open
    with opening(path, "rt", encoding="utf-8", errors="replace", newline="") as file:
        yield from file
