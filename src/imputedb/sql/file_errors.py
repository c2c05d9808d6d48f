"""What DuckDB says of a file that it cannot read, in one sentence that names the file and the line."""

import re

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
    """What DuckDB says, without the name of its class of errors."""
    return _KIND.sub("", message, count=1)


def of_file(message: str) -> str | None:
    """The sentence, given what DuckDB says; None where it is not of a file."""
    said = reason(message)
    if line := _BAD_LINE.search(said):
        return _of_line(said, line)
    if form := _UNKNOWN_FORM.search(said):
        return (
            f"{form[1]} has no form of CSV that fits all its lines: mend it, or say in read_csv(...) what it is, such "
            "as delim, quote, skip or columns, with ignore_errors = true to leave out lines that do not fit"
        )
    if absent := _NOT_THERE.search(said):
        return _of_column(absent[1], absent[2], absent[3])
    if other := _DIFFERENT.search(said):
        return _of_column(other[2], other[3], other[1])
    if any(said.startswith(begin) for begin in _OTHERS):
        return "; ".join(line for line in said.splitlines()[:2] if not line.startswith("LINE ") and line.strip())
    return None


def _of_column(file: str, column: str, other: str) -> str:
    return f'{file} has no column "{column}", which {other} has: union_by_name = true reads both'


def _of_line(said: str, line: re.Match[str]) -> str:
    file = _FILE.search(said)
    where = f"{file[1] if file else 'a file'}, line {line[1]}"
    what = line[3].strip().rstrip(".")
    shown = f" (the line is {line[2].strip()[:200]!r})" if line[2] is not None else ""
    way_out = "mend the line, or say in read_csv(...) the column's type or ignore_errors = true"
    if "not utf-8 encoded" in what:
        way_out = "say its encoding in read_csv(...), such as encoding='latin-1'"
    return f"{where}: {what}{shown}; {way_out}"
