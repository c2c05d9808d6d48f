"""How files and databases are read: what a user says of them beside their names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from imputedb import arguments
from imputedb.errors import QueryError


@dataclass(frozen=True, slots=True)
class Reading:
    """What is said of files; what is left out is found out.

    Attributes:
        na: words that mean a missing value in every column; None for those that commonly do, where they cannot be
            something else; empty for none.
        encoding: of text, such as `latin-1` or `cp1252`.
        delimiter: between values.
        decimal: `.` or `,`.
        dates: the format of dates, such as `%d/%m/%Y`.
        sheet: of a workbook.
        query: whose rows are loaded from a database, in its own SQL; None for a table of it.
        password_file: whose first line is the password of an account of a database.

    Raises:
        QueryError: the format of dates names no part of a date, or decimals are written with another mark.
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
            raise QueryError(f"dates are {self.dates!r}, which is no format of dates: give one such as '%d/%m/%Y'")
