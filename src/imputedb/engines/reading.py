"""Options for reading files and databases."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from imputedb import arguments
from imputedb.errors import QueryError


@dataclass(frozen=True, slots=True)
class Reading:
    """Options for reading files; those that are not given are detected.

    Attributes:
        na: words that mean a missing value in every column; None for the usual ones, where they cannot mean something
            else; empty for none.
        encoding: the encoding of text, such as `latin-1` or `cp1252`.
        delimiter: the separator of values.
        decimal: the decimal mark, `.` or `,`.
        dates: the format of dates, such as `%d/%m/%Y`.
        sheet: the sheet of a workbook.
        query: a query in a database's own SQL, whose rows are loaded; None for a table.
        password_file: a file whose first line is the password of a database account.

    Raises:
        QueryError: the format of dates has no part of a date, or the decimal mark is another.
    """

    na: Sequence[str] | None = None
    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    dates: str | None = None
    sheet: str | None = None
    query: str | None = None
    password_file: str | None = None

    def __post_init__(self) -> None:
        if self.decimal is not None:
            arguments.one_of("decimal", self.decimal, (".", ","))
        if self.dates is not None and not re.search(r"%-?[A-Za-z]", self.dates):
            raise QueryError(f"dates are {self.dates!r}, which is not a date format: give one such as '%d/%m/%Y'")
