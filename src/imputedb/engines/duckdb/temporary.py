"""Temporary tables and views of ours: what the statements that make one answer read of each other."""

import itertools
import re
from collections.abc import Sequence
from contextlib import suppress

import duckdb

from imputedb.algebra.relation import Table
from imputedb.engines.duckdb.session import Session
from imputedb.engines.names import OURS, PREFIX

_COPY = re.compile(rf'(?:"?temp"?\."?main"?\.)?"?({PREFIX}copy_\d+)\b"?')
_TITLES = 100
"""Copies whose titles are kept: those of the last statements, whose errors may name them."""


def is_ours(table: Table) -> bool:
    """Whether a table is one of ours."""
    return table.catalog == "temp" and re.fullmatch(OURS, table.name) is not None


class Temporary:
    """The temporary tables and views of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._numbers = itertools.count(1)
        self._made: dict[str, str] = {}
        self._titles: dict[str, str] = {}

    def fresh(self, kind: str) -> str:
        """A name that no other table or view has."""
        return f"{PREFIX}{kind}_{next(self._numbers)}"

    def make(self, kind: str, name: str, columns: Sequence[str], text: str) -> None:
        """Makes a TABLE or VIEW of a query, its columns under the given names."""
        self._made[name] = kind
        quoted = ", ".join('"' + column.replace('"', '""') + '"' for column in columns)
        self._session.rows(f"CREATE OR REPLACE TEMP {kind} {name}({quoted}) AS {text}")

    def unmake(self, kind: str, names: Sequence[str]) -> None:
        """Lets go of what `make` made."""
        with self._session.lock, suppress(duckdb.Error):
            for name in names:
                self._session.rows(f"DROP {self._made.get(name, kind)} IF EXISTS temp.{name}")
                self._made.pop(name, None)

    def tidy(self) -> None:
        """Lets go of all of them: the call that has made them is over."""
        for name, kind in list(self._made.items()):
            self.unmake(kind, [name])

    def rows(self, text: str, width: int) -> str:
        """Makes a table of a query, its columns named c0, c1, ..., of the name that is returned."""
        name = self.fresh("rows")
        self.make("TABLE", name, [f"c{place}" for place in range(width)], text)
        return name

    def titled(self, text: str) -> str:
        """A message with the titles of what was copied in place of the names of copies, marks of places below them."""
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

    def reserved(self, kind: str = "copy", title: str = "") -> str:
        """The name of a table that a statement is going to make; messages call it by its title."""
        name = self.fresh(kind)
        if title:
            self._titles[name] = "'" + title.replace("'", "''") + "'"
            for old in list(self._titles)[:-_TITLES]:
                del self._titles[old]
        self._made[name] = "TABLE"
        return name

    def copy(self, text: str, name: str | None = None) -> str:
        """Makes a table of a query, its columns named as the query names them, of the name that is returned."""
        name = name or self.fresh("copy")
        self._made[name] = "TABLE"
        self._session.rows(f"CREATE OR REPLACE TEMP TABLE {name} AS {text}")
        return name

    def extend(self, name: str, text: str) -> None:
        """Adds the rows of a query to those of such a table."""
        self._session.rows(f"INSERT INTO temp.{name} {text}")
