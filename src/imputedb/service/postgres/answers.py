"""Answers of the Postgres interface: columns, and rows in the requested format, some at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from imputedb.result import Result
from imputedb.service.core import Answer
from imputedb.service.errors import TooLarge
from imputedb.service.postgres.columns import TEXT, WireType, wire_type
from imputedb.service.postgres.formats import Malformed, columns, encode

PIECE = 5_000
"""Number of rows that are read at a time."""

Read = Callable[[int, int], list[bytes]]
"""A function that gives a number of rows after an offset, each as a message."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of an answer.

    Attributes:
        names: names of the columns.
        carried: their PostgreSQL types.
    """

    names: Sequence[str]
    wire_type: Sequence[WireType]

    def described(self, formats: Sequence[int]) -> bytes:
        """The RowDescription message of the columns."""
        fields = zip(self.names, self.wire_type, self.each(formats), strict=True)
        return columns([(name, one.oid, one.size, one.modifier, form) for name, one, form in fields])

    def check(self, expected: Columns | None) -> None:
        """Refuses columns that differ from those that were described to the client; None where none were described.

        Raises:
            Changed: a name, a type or its modifier differs.
        """
        if expected is not None and (list(expected.names), expected.wire_type) != (list(self.names), self.wire_type):
            raise ColumnsChanged(
                "cached plan must not change result type: the columns are no longer those that were described; "
                "prepare the statement again"
            )

    def each(self, formats: Sequence[int]) -> list[int]:
        """The format of each column; an empty sequence stands for text, a single format for all columns.

        Raises:
            Malformed: the number of formats is neither 0, nor 1, nor that of the columns.
        """
        count = len(self.names)
        found = list(formats) * count if len(formats) == 1 else list(formats) or [TEXT] * count
        if len(found) != count or not set(found) <= {0, 1}:
            raise Malformed(f"there are {len(formats)} formats of {count} columns")
        return found


def columns_of(names: Sequence[str], types: Sequence[str], *, of_catalog: bool = False) -> Columns:
    """The columns of an answer, from DuckDB's types.

    Raises:
        Uncarried: PostgreSQL has no type for a column.
    """
    return Columns(
        names, [wire_type(name, kind, of_catalog=of_catalog) for name, kind in zip(names, types, strict=True)]
    )


@dataclass(slots=True)
class Rows:
    """The rows of an answer, read in order and in pieces.

    Attributes:
        columns: columns of the answer.
        count: number of rows.
        ahead: rows that were read and not yet taken.
        read: function that reads further rows; None where all were read.
        taken: number of rows that were taken.
        answer: answer that holds the rows; None where nothing is held.
        notices: notices about the answer, each with its severity.
    """

    columns: Columns
    count: int
    ahead: list[bytes]
    read: Read | None = None
    taken: int = 0
    answer: Answer | None = None
    notices: list[tuple[str, str]] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Whether all rows were taken."""
        return self.taken >= self.count

    @property
    def left(self) -> int:
        """Number of rows that were not taken yet."""
        return self.count - self.taken

    def next(self, most: int) -> list[bytes]:
        """The next rows, at most so many; none at the end."""
        if not self.ahead and not self.is_over and self.read is not None:
            self.ahead = self.read(self.taken, PIECE)
        found, self.ahead = self.ahead[:most], self.ahead[most:]
        self.taken += len(found)
        return found

    def close(self) -> None:
        """Releases the rows and the answer that holds them."""
        self.ahead, self.read, self.count = [], None, self.taken
        if self.answer is not None:
            self.answer.close()
            self.answer = None


def form(formats: Sequence[int], role: str, expected: Columns | None) -> Callable[[Result, int, bool], Rows]:
    """A formatter of answers: rows in the requested formats, read piece by piece.

    Args:
        formats: formats of the columns, as the client sent them.
        role: name of the caller's role, for messages.
        expected: the columns that were described to the client; None where none were.
    """

    def made(result: Result, count: int, truncated: bool) -> Rows:
        if truncated:
            raise TooLarge(
                f"the answer has more than the {count:,} rows that role {role} may have: add LIMIT, or aggregate"
            )
        header = columns_of(result.columns, result.types)
        header.check(expected)
        each = header.each(formats)

        def read(after: int, most: int) -> list[bytes]:
            items = [
                one.reading(f"c{n}", form) for n, (one, form) in enumerate(zip(header.wire_type, each, strict=True))
            ]
            return packed(header, each, result.first(most, after, items))

        return Rows(header, count, read(0, PIECE), read, notices=notices(result))

    return made


class ColumnsChanged(Malformed):
    """An answer whose columns differ from those that were described to the client.

    Attributes:
        routine: PostgreSQL's routine, by which drivers (JDBC, asyncpg) know that preparing the statement again helps.
    """

    state = "0A000"
    routine = "RevalidateCachedQuery"


def notices(result: Result) -> list[tuple[str, str]]:
    """The notices of an answer with their severities: warnings, notes, and what was imputed."""
    report = result.report
    remarks = (*map(str, report.warnings), *map(str, report.notes))
    messages = [("WARNING" if place < len(report.warnings) else "NOTICE", one) for place, one in enumerate(remarks)]
    if report.strategy != "verbatim":
        messages += [("NOTICE", str(one)) for one in report.sentences() if str(one) not in remarks]
    return messages


def packed(columns: Columns, each: Sequence[int], rows: Sequence[Sequence[Any]]) -> list[bytes]:
    """Rows as DataRow messages."""
    kinds = list(zip(columns.wire_type, each, strict=True))

    def message(row: Sequence[Any]) -> bytes:
        cells = zip(row, kinds, strict=True)
        return encode("row", [None if value is None else one.bytes_of(value, form) for value, (one, form) in cells])

    return list(map(message, rows))


def listed(names: Sequence[str], types: Sequence[str], rows: Sequence[Sequence[Any]], formats: Sequence[int]) -> Rows:
    """Rows of texts and numbers that are in memory already."""
    header = columns_of(names, types)
    each = header.each(formats)
    return Rows(header, len(rows), packed(header, each, rows))
