"""Temporary tables and views of imputedb, which the statements of one answer share."""

import itertools
import re
from collections.abc import Sequence
from contextlib import suppress

import duckdb

from imputedb.algebra.relation import Table
from imputedb.engines.duckdb.session import Session
from imputedb.engines.names import OURS, PREFIX
from imputedb.sql.paths import quoted
from imputedb.sql.tokens import string_literal

_COPY = re.compile(rf'(?:"?temp"?\."?main"?\.)?"?({PREFIX}copy_\d+)\b"?')
_TITLES = 100
"""Number of copies whose titles are kept, since errors of the last statements may name them."""


def is_ours(table: Table) -> bool:
    """Whether a table is one of imputedb's temporary ones."""
    return table.catalog == "temp" and re.fullmatch(OURS, table.name) is not None


class Temporary:
    """The temporary tables and views of one session.

    Attributes:
        lasting: names of those that stay until they are taken out of it, since calls to come may read them.
    """

    def __init__(self, session: Session) -> None:
        self.lasting: set[str] = set()
        self._session = session
        self._numbers = itertools.count(1)
        self._made: dict[str, str] = {}
        self._titles: dict[str, str] = {}

    def fresh(self, kind: str) -> str:
        """A name that no other table or view has."""
        return f"{PREFIX}{kind}_{next(self._numbers)}"

    def make(self, kind: str, name: str, columns: Sequence[str], text: str) -> None:
        """Creates a TABLE or VIEW of a query, with the given column names."""
        self._made[name] = kind
        names = ", ".join(quoted((column,)) for column in columns)
        self._session.rows(f"CREATE OR REPLACE TEMP {kind} {name}({names}) AS {text}")

    def unmake(self, kind: str, names: Sequence[str]) -> None:
        """Drops tables or views that `make` created, except for lasting ones."""
        with self._session.lock, suppress(duckdb.Error):
            for name in (name for name in names if name not in self.lasting):
                self._session.rows(f"DROP {self._made.get(name, kind)} IF EXISTS temp.{name}")
                self._made.pop(name, None)

    def tidy(self) -> None:
        """Drops all of them, at the end of a call."""
        for name, kind in list(self._made.items()):
            self.unmake(kind, [name])

    def rows(self, text: str, width: int) -> str:
        """Creates a table of a query, with columns c0, c1, ..., and returns its name."""
        name = self.fresh("rows")
        self.make("TABLE", name, [f"c{place}" for place in range(width)], text)
        return name

    def with_titles(self, text: str) -> str:
        """A message with titles in place of the names of copies; marks below the text are moved accordingly."""
        lines = text.split("\n")
        for place, line in enumerate(lines):
            under = lines[place + 1] if place + 1 < len(lines) else ""
            if under.strip() and set(under) <= {" ", "^"}:
                marked = under.lstrip()
                before = _COPY.sub(self._title, line[: len(under) - len(marked)])
                lines[place + 1] = " " * len(before) + marked
            lines[place] = _COPY.sub(self._title, line)
        return "\n".join(lines)

    def _title(self, found: re.Match[str]) -> str:
        return self._titles.get(found[1], found[0])

    def reserve(self, kind: str = "copy", title: str = "") -> str:
        """A name for a table that a statement will create; messages show the title instead."""
        name = self.fresh(kind)
        if title:
            self.set_title(name, title)
        self._made[name] = "TABLE"
        return name

    def set_title(self, name: str, title: str) -> None:
        """Gives a table the title by which messages call it."""
        self._titles.pop(name, None)
        self._titles[name] = string_literal(title)
        for old in list(self._titles)[:-_TITLES]:
            del self._titles[old]

    def copy(self, text: str, name: str | None = None) -> str:
        """Creates a table of a query, with the query's column names, and returns its name."""
        name = name or self.fresh("copy")
        self._made[name] = "TABLE"
        self._session.rows(f"CREATE OR REPLACE TEMP TABLE {name} AS {text}")
        return name

    def extend(self, name: str, text: str) -> None:
        """Inserts the rows of a query into such a table."""
        self._session.rows(f"INSERT INTO temp.{name} {text}")
