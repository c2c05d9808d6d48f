"""Answers as the door sends them: columns, and rows in the format that is wanted, some at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from imputedb.result import Result
from imputedb.service.core import Answer
from imputedb.service.errors import TooLarge
from imputedb.service.postgres.columns import TEXT, Carried, carried
from imputedb.service.postgres.formats import Malformed, columns, encode

PIECE = 5_000
"""Rows that are read at a time."""

Read = Callable[[int, int], list[bytes]]
"""So many rows after the first so many, each as a message."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of an answer.

    Attributes:
        names: of them.
        carried: their types.
    """

    names: Sequence[str]
    carried: Sequence[Carried]

    def described(self, formats: Sequence[int]) -> bytes:
        """The message that describes them."""
        told = zip(self.names, self.carried, self.each(formats), strict=True)
        return columns([(name, one.oid, one.size, one.modifier, form) for name, one, form in told])

    def each(self, formats: Sequence[int]) -> list[int]:
        """The format of each column: none stands for text, one for all.

        Raises:
            Malformed: there are as many formats as no rule has.
        """
        count = len(self.names)
        found = list(formats) * count if len(formats) == 1 else list(formats) or [TEXT] * count
        if len(found) != count or not set(found) <= {0, 1}:
            raise Malformed(f"there are {len(formats)} formats of {count} columns")
        return found


def columns_of(names: Sequence[str], types: Sequence[str], *, of_catalog: bool = False) -> Columns:
    """Columns of DuckDB's types.

    Raises:
        Uncarried: PostgreSQL has no such type.
    """
    return Columns(names, [carried(name, kind, of_catalog=of_catalog) for name, kind in zip(names, types, strict=True)])


@dataclass(slots=True)
class Rows:
    """The rows of an answer, in order, some at a time.

    Attributes:
        columns: of them.
        count: how many there are.
        ahead: those that are read, and not yet taken.
        read: reads further ones; None where there are none.
        taken: how many were taken.
        answer: what they are in; None where nothing is held.
        notices: sentences on how they came about, each with its severity.
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
        """Whether all were taken."""
        return self.taken >= self.count

    @property
    def left(self) -> int:
        """How many were not taken yet."""
        return self.count - self.taken

    def next(self, most: int) -> list[bytes]:
        """The next rows, so many or fewer; none at the end."""
        if not self.ahead and not self.is_over and self.read is not None:
            self.ahead = self.read(self.taken, PIECE)
        found, self.ahead = self.ahead[:most], self.ahead[most:]
        self.taken += len(found)
        return found

    def close(self) -> None:
        """Lets go of them."""
        self.ahead, self.read, self.count = [], None, self.taken
        if self.answer is not None:
            self.answer.close()
            self.answer = None


def form(formats: Sequence[int], role: str, expected: Columns | None) -> Callable[[Result, int, bool], Rows]:
    """A form of answers: rows in formats, of which as many are read as fit into a piece.

    Args:
        formats: of columns.
        role: of the caller, as it is named to him.
        expected: the columns that he was told of; None where he was told of none.
    """

    def made(result: Result, count: int, truncated: bool) -> Rows:
        if truncated:
            raise TooLarge(
                f"the answer has more than the {count:,} rows that role {role} may have: add LIMIT, or aggregate"
            )
        told = columns_of(result.columns, result.types)
        if expected is not None and [one.oid for one in expected.carried] != [one.oid for one in told.carried]:
            raise Changed("the columns are no longer those that were described: prepare the statement again")
        each = told.each(formats)

        def read(after: int, most: int) -> list[bytes]:
            items = [one.reading(f"c{n}", form) for n, (one, form) in enumerate(zip(told.carried, each, strict=True))]
            return packed(told, each, result.first(most, after, items))

        return Rows(told, count, read(0, PIECE), read, notices=notices(result))

    return made


class Changed(Malformed):
    """An answer with other columns than those that were described."""

    state = "0A000"


def notices(result: Result) -> list[tuple[str, str]]:
    """What is to be said of an answer: warnings, and what was imputed."""
    report = result.report
    told = (*map(str, report.warnings), *map(str, report.notes))
    said = [("WARNING" if place < len(report.warnings) else "NOTICE", one) for place, one in enumerate(told)]
    if report.strategy != "verbatim":
        said += [("NOTICE", str(one)) for one in report.sentences() if str(one) not in told]
    return said


def packed(columns: Columns, each: Sequence[int], rows: Sequence[Sequence[Any]]) -> list[bytes]:
    """Rows as messages."""
    kinds = list(zip(columns.carried, each, strict=True))

    def message(row: Sequence[Any]) -> bytes:
        cells = zip(row, kinds, strict=True)
        return encode("row", [None if value is None else one.bytes_of(value, form) for value, (one, form) in cells])

    return list(map(message, rows))


def listed(names: Sequence[str], types: Sequence[str], rows: Sequence[Sequence[Any]], formats: Sequence[int]) -> Rows:
    """Rows that are at hand, of texts and numbers."""
    told = columns_of(names, types)
    each = told.each(formats)
    return Rows(told, len(rows), packed(told, each, rows))
