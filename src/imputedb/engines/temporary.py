"""Temporary tables and views of ours: what statements read of each other, and the answers that results read."""

import itertools
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

import duckdb

from imputedb.engines.session import Session

PREFIX = "imputedb_"
"""Of the names of all of them."""


class Temporary:
    """The temporary tables and views of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._numbers = itertools.count(1)
        self._discarded: deque[str] = deque()

    def fresh(self, kind: str) -> str:
        """A name that no other table or view has."""
        return f"{PREFIX}{kind}_{next(self._numbers)}"

    def make(self, kind: str, name: str, columns: Sequence[str], text: str) -> None:
        """Makes a TABLE or VIEW of a query, its columns under the given names."""
        quoted = ", ".join('"' + column.replace('"', '""') + '"' for column in columns)
        self._session.rows(f"CREATE OR REPLACE TEMP {kind} {name}({quoted}) AS {text}")

    def unmake(self, kind: str, names: Sequence[str]) -> None:
        """Lets go of what `make` made."""
        with self._session.lock, suppress(duckdb.Error):
            for name in names:
                self._session.rows(f"DROP {kind} IF EXISTS temp.{name}")

    def answer(self, text: str, width: int) -> str:
        """Runs a query and keeps its rows under the name that is returned, its columns named c0, c1, ..."""
        with self._session.lock:
            name = self._discarded.popleft() if self._discarded else self.fresh("answer")
            columns = ", ".join(f"c{place}" for place in range(width))
            try:
                self._session.rows(f"CREATE OR REPLACE TEMP TABLE {name}({columns}) AS {text}")
            except BaseException:
                self._discarded.append(name)
                raise
            return name

    def extend(self, name: str, text: str) -> None:
        """Adds the rows of a query to those of an answer."""
        self._session.rows(f"INSERT INTO temp.{name} {text}")

    def discard(self, name: str) -> None:
        """Lets go of an answer, when the next one takes its place: callers may be garbage collectors in the middle of
        anything."""
        self._discarded.append(name)

    def collect(self) -> None:
        """Drops discarded answers, but for one whose name the next answer takes."""
        with self._session.lock, suppress(duckdb.Error):
            while len(self._discarded) > 1:
                self._session.rows(f"DROP TABLE IF EXISTS temp.{self._discarded.popleft()}")
