"""Tables of the rows of text files in FROM, kept for queries to come as long as the files stay as they are."""

import os
import re
import time
from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import duckdb

from imputedb.algebra.relation import Table
from imputedb.engines import cache
from imputedb.engines.cache import LruCache
from imputedb.engines.duckdb import settings
from imputedb.engines.duckdb.session import Session
from imputedb.engines.duckdb.tables import Tables
from imputedb.engines.duckdb.temporary import Temporary
from imputedb.engines.engine import Held, Values
from imputedb.engines.entries import Shape
from imputedb.errors import StorageError
from imputedb.notes import Note
from imputedb.sql.paths import quoted
from imputedb.statistics.table import Statistics

LARGE = 1 << 20
"""Bytes of files whose rows are kept, at least: smaller ones are read in no time."""

_MOST = 64
"""Tables at most."""

_SETTLED, _SETTLED_COARSE = 50_000_000, 2_000_000_000
"""Nanoseconds since a file was last written, at least: a later write might not change its time; of coarse times."""

_SHORT = """
    SELECT sum(memory_usage_bytes) > parse_formatted_bytes(current_setting('memory_limit')) / 2 FROM duckdb_memory()
"""

_CATALOG = (
    r"(?i)\b(show|desc|describe|pragma|execute|export|database|duckdb_\w+|pg_\w+|sqlite_\w+|information_schema)\b"
)
"""Words without which a statement reads no catalog: listings, and what may hide one."""

_DEFINED = """
    SELECT bool_or(regexp_matches(text, $catalog)) FROM (
        SELECT sql AS text FROM duckdb_views() WHERE NOT internal
        UNION ALL SELECT macro_definition FROM duckdb_functions() WHERE NOT internal
    )
"""
"""Whether a view or a macro of the user's reads the catalog."""

Version = tuple[int, ...]


def version(path: str) -> Version:
    """What tells this state of a file from any other."""
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev


def _is_settled(versions: Sequence[Version]) -> bool:
    """Whether a later write of the files would change their times, which some file systems keep by two seconds."""
    times = [when for one in versions for when in one[1:3]]
    coarse = all(when % 1_000_000_000 == 0 for when in times)
    return max(times, default=0) + (_SETTLED_COARSE if coarse else _SETTLED) < time.time_ns()


@dataclass(frozen=True, slots=True, eq=False)
class KeptFile:
    """The rows of text files as a table.

    Attributes:
        table: temporary table of the rows.
        shape: its columns.
        statistics: its statistics.
        notes: notes on how the files were read.
        versions: states of the files, in order.
        state: state of settings and macros when they were read.
        bytes: memory that it takes, about.
    """

    table: Table
    shape: Shape
    statistics: Statistics
    notes: tuple[Note, ...]
    versions: tuple[Version, ...]
    state: object
    bytes: int


class KeptFiles:
    """The tables of text files that one session keeps.

    None is kept of files that were written a moment ago, nor of what is read in a transaction, which might undo it.
    All are dropped before a statement of the user's that may read the catalog, since no listing shows them.

    Attributes:
        cache: tables by files and options.
    """

    def __init__(self, session: Session, tables: Tables, temporary: Temporary) -> None:
        self.cache: LruCache[Hashable, KeptFile] = LruCache(
            "rows of text files in FROM",
            "files and options of their reader",
            "a file whose size or time has changed; SET and the like; short memory",
            _MOST,
            lambda kept: self._gone.append(kept.table.name),
            lambda kept: kept.bytes,
        )
        self._gone: list[str] = []
        self._read: tuple[object, bool] = (None, False)
        self._session = session
        self._tables = tables
        self._temporary = temporary
        session.tidying.append(self.settle)

    def recall(self, key: Hashable, versions: Sequence[Version]) -> KeptFile | None:
        """What is kept of files in these states; None where they have changed since, or nothing is."""
        found = self.cache.recall(key)
        if found and (found.versions != tuple(versions) or found.state != self._session.writes.definitions()):
            self.cache.drop(key)
            found = None
        if found is None:
            self.settle()
            return None
        self._temporary.set_title(found.table.name, found.table.shown)
        return found

    def keep(self, key: Hashable, table: Table, versions: Sequence[Version], notes: Sequence[Note]) -> None:
        """Keeps a table of files, if they are large and it fits."""
        few = sum(one[0] for one in versions) < LARGE
        if few or not _is_settled(versions) or self._session.transactions.is_any:
            return
        known = self._tables.adopted[table]
        size = self._bytes(table, known[0])
        if size > min(settings.room(self._session), cache.BOUND):
            return
        self._temporary.lasting.add(table.name)
        state = self._session.writes.definitions()
        self.cache.keep(key, KeptFile(table, *known, tuple(notes), tuple(versions), state, size))
        self.settle()

    def execute(self, text: str, values: Values = None) -> list[tuple[Any, ...]]:
        """The rows of the last of the user's statements, as `Session.execute` gives them.

        Raises:
            QueryError: DuckDB rejects one, with its reason.
            StorageError: the database cannot be written.
        """
        with self._session.lock:
            self._hide(text)
            return self._session.execute(text, values)

    def answered(self, text: str, values: Values = None) -> tuple[Held, list[str], list[str]]:
        """The rows of one of the user's statements, and their columns, as `Session.answered` gives them.

        Raises:
            QueryError: DuckDB rejects it, with its reason.
            StorageError: the database cannot be written.
        """
        with self._session.lock:
            self._hide(text)
            return self._session.answered(text, values)

    def settle(self) -> None:
        """Lets go of all tables where memory is short.

        Those that are gone are dropped once no call reads them, outside of transactions.
        """
        if self._session.transactions.is_any or not (self._gone or len(self.cache)):
            return
        with self._session.lock, suppress(duckdb.Error, StorageError):  # of a closed database nothing is left
            if self._session.rows(_SHORT)[0][0]:
                self._forget()
            for name in self._drop():
                self._gone.remove(name)

    def _hide(self, text: str) -> None:
        """Drops all tables before a statement that may read the catalog.

        What a transaction drops may come back, so that it is dropped again once that has ended.
        """
        if not (self._gone or len(self.cache)):
            return
        with suppress(duckdb.Error, StorageError):
            if re.search(_CATALOG, text) or self._is_catalog_read():
                self._forget()
                self._drop()

    def _is_catalog_read(self) -> bool:
        """Whether a view or a macro of the user's reads the catalog; remembered until one may have changed."""
        state = self._session.writes.state(())
        if self._read[0] != state:
            self._read = state, bool(self._session.rows(_DEFINED, {"catalog": _CATALOG})[0][0])
        return self._read[1]

    def _forget(self) -> None:
        for key in [key for key, _ in self.cache.items()]:
            self.cache.drop(key)

    def _drop(self) -> list[str]:
        """The names of the tables that were dropped: those that are gone and that no call reads."""
        names = [name for name in self._gone if self._tables.adopted_as(name) is None]
        self._temporary.lasting.difference_update(names)
        self._temporary.unmake("TABLE", names)
        return names

    def _bytes(self, table: Table, shape: Shape) -> int:
        texts = [f"strlen({quoted((name,))})" for name, kind in shape.types.items() if kind == "VARCHAR"]
        lengths = "".join(f" + coalesce(sum({one}), 0)" for one in texts)
        width = 8 * len(shape.types) + 8 * len(texts)
        return int(self._session.rows(f"SELECT count(*) * {width}{lengths} FROM {quoted(table.path)}")[0][0])
