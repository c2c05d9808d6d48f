"""DuckDB's errors as imputedb's: reason and place for a query, name and line for a file."""

import re

import duckdb

from imputedb.errors import DataError, Error, Interrupted, QueryError, SqlSyntaxError, StorageError, UnknownName

Refused = duckdb.Error
"""What DuckDB raises, whatever it is."""

OutOfMemory = duckdb.OutOfMemoryException
Unreadable = duckdb.IOException
Unconverted = duckdb.InvalidInputException
Violated, Unfit, Unsupported, Failed = (
    duckdb.IntegrityError,
    duckdb.DataError,
    duckdb.NotSupportedError,
    duckdb.OperationalError,
)
"""What DuckDB takes a refusal for, as PEP 249 divides them."""

CLOSED = "the database is closed: read results before closing it"
"""What is said of a database, whatever is asked of it once it is closed."""

_PLACE = re.compile(r"LINE \d+: ")
_BAD_LINE = re.compile(r"CSV Error on Line: (\d+)\n(?:Original Line: (.*)\n)?(.*)")
_FILE = re.compile(r"^ *file = (.*)$", re.MULTILINE)
_UNKNOWN_FORM = re.compile(r'Error when sniffing file "(.*?)"\.')
_DIFFERENT = re.compile(r'Main file schema: (.*)\nCurrent file: (.*)\nColumn with name: "(.*)" is missing')
_NOT_THERE = re.compile(
    r'file "(.*?)": schema mismatch in glob: column "(.*?)" was read from the original file "(.*?)"'
)
_KIND = re.compile(r"^[A-Z][A-Za-z ]* (?:Error|Exception): ")
_OTHERS = (
    "Failed to read file",
    "Malformed JSON in file",
    "Footer length error in file",
    "No magic bytes found at end of file",
    "Schema mismatch between globbed files",
)


def reason(message: str) -> str:
    """The message without the name of DuckDB's error class."""
    return _KIND.sub("", message, count=1)


def of_file(message: str) -> str | None:
    """A message about a file as a sentence; None for any other message."""
    text = reason(message)
    if line := _BAD_LINE.search(text):
        return _of_line(text, line)
    if form := _UNKNOWN_FORM.search(text):
        return (
            f"{form[1]} has no form of CSV that fits all its lines: mend it, or say in read_csv(...) what it is, such "
            "as delim, quote, skip or columns, with ignore_errors = true to leave out lines that do not fit"
        )
    if absent := _NOT_THERE.search(text):
        return _of_column(absent[1], absent[2], absent[3])
    if other := _DIFFERENT.search(text):
        return _of_column(other[2], other[3], other[1])
    if any(text.startswith(begin) for begin in _OTHERS):
        return "; ".join(line for line in text.splitlines()[:2] if not line.startswith("LINE ") and line.strip())
    return None


def _of_column(file: str, column: str, other: str) -> str:
    return f'{file} has no column "{column}", which {other} has: union_by_name = true reads both'


def _of_line(text: str, line: re.Match[str]) -> str:
    file = _FILE.search(text)
    where = f"{file[1] if file else 'a file'}, line {line[1]}"
    what = line[3].strip().rstrip(".")
    shown = f" (the line is {line[2].strip()[:200]!r})" if line[2] is not None else ""
    way_out = "mend the line, or say in read_csv(...) the column's type or ignore_errors = true"
    if "not utf-8 encoded" in what:
        way_out = "say its encoding in read_csv(...), such as encoding='latin-1'"
    return f"{where}: {what}{shown}; {way_out}"


def as_ours(error: duckdb.Error) -> Error:
    """imputedb's error for a DuckDB error: storage, memory, or a rejected statement."""
    reason = (str(error).partition(": ")[2] or str(error)).partition("\n")[0]
    match error:
        case duckdb.OutOfMemoryException():
            return DataError(f"out of memory: {reason}")
        case duckdb.IOException() | duckdb.FatalException() | duckdb.InternalException():
            return StorageError(reason)
        case _:
            return translated(error)


def translated(error: duckdb.Error) -> QueryError | DataError:
    """imputedb's error for a statement that DuckDB rejects: with reason and place, for a file with name and line."""
    file = of_file(str(error))
    if file:
        return DataError(file)
    message = _OF_TEXT.sub(_FOR_TEXT, _tidy(reason(str(error))))
    locked = _LOCKED.search(message)
    if locked:
        return StorageError(f"database {locked[1]} is open for reading only: nothing can be written into it")
    match error:
        case duckdb.ConnectionException() if "closed" in message:
            return StorageError(CLOSED)
        case duckdb.InterruptException():
            return Interrupted("interrupted by another thread")
        case duckdb.ParserException():
            return SqlSyntaxError(message)
        case duckdb.CatalogException():
            return UnknownName(message)
        case duckdb.BinderException() if "not found" in message or "does not have a column" in message:
            return UnknownName(message)
        case _:
            return QueryError(message)


def _tidy(message: str) -> str:
    """The reason, a suggested name as a question, and the place in the text."""
    lines = [line.rstrip() for line in message.splitlines() if line.strip() and not line.startswith("\t")]
    place = next((number for number, line in enumerate(lines) if _PLACE.match(line)), len(lines))
    text = "\n".join(line for line in lines[:place] if not line.strip().startswith("Candidate functions"))
    for hint in ("Candidate bindings", "Candidate tables"):
        before, found, names = text.partition(f"{hint}: ")
        if found:
            nearest = names.lstrip(": ").split(", ")[0].splitlines()[0]
            text = f"{before.rstrip().rstrip('!')}; did you mean {nearest}?"
    text = _HIDDEN.sub("", text.replace("!\nDid you mean", "; did you mean"))
    shown = [line[len("LINE 1: ") :] for line in lines[place : place + 2]]
    return "\n".join([text, *shown])


_LOCKED = re.compile('on database "([^"]*)" which is attached in read-only mode')
_OF_TEXT = re.compile(r"No function matches the given name and argument types '(\w+)\(VARCHAR\)'\.[^\n]*")
_FOR_TEXT = (
    r"\1 is of numbers, and this is text: `profile` names the words in a column of numbers, and loading with na=[...] "
    "takes them for missing ones; CAST reads text as numbers"
)
_HIDDEN = re.compile(r"""; did you mean "?(imputedb|pg_|duckdb_|sqlite_|information_schema|__duckdb)[^?]*\?""")
"""Hints at tables that are ours, or DuckDB's own, and no user has heard of."""
