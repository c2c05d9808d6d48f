"""The database that is served: opened so that nothing else can be reached, and opened anew where it was swapped."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from imputedb.database import Database, connect
from imputedb.errors import Error, StorageError
from imputedb.models.model import Model
from imputedb.service.configuration import Configuration, Limits
from imputedb.service.security.statements import Allowed, Guard
from imputedb.sql.paths import parts_of, quoted

_TABLES = (
    "SELECT lower(schema_name), lower(table_name) FROM duckdb_tables() "
    "WHERE database_name = current_database() AND NOT internal AND schema_name <> 'imputedb'"
)

_VIEWS = (
    "SELECT lower(schema_name), lower(view_name), rtrim(sql, '; ') FROM duckdb_views() "
    "WHERE database_name = current_database() AND NOT internal AND schema_name <> 'imputedb'"
)

_MACROS = (
    "SELECT function_name, function_type = 'table_macro', macro_definition FROM duckdb_functions() "
    "WHERE database_name = current_database() AND NOT internal AND macro_definition IS NOT NULL"
)

Stamp = tuple[int, int, int]


class Instance:
    """One opening of the file, with sessions that are lent to requests; closed when the last has ended.

    Attributes:
        database: the first session.
        stamp: what tells the file from another of its name.
        tables: columns and types by table.
        rows: their number by table.
        guard: of statements.
        models: those that were read, by name.
    """

    def __init__(self, path: Path, configuration: Configuration) -> None:
        try:
            self.stamp = stamp(path)
        except OSError as error:
            raise StorageError(f"cannot open {path}: {error.strerror or error}") from error
        self.database: Database = connect(
            path, locked=True, config={"memory_limit": configuration.memory, "threads": configuration.threads}
        )
        self.guard = guard(self.database, configuration.limits)
        self.tables = self.database.tables()
        self.rows = {table: _count(self.database, table) for table in self.tables}
        self._lock = threading.Lock()
        self._idle: list[Database] = []
        self.models: dict[str, Model] = {}
        self._kept: list[Model] | None = None
        self._users = 0
        self._is_retired = False

    def take(self) -> Lease:
        """Lends a session."""
        with self._lock:
            self._users += 1
            session = self._idle.pop() if self._idle else None
        try:
            return Lease(self, session or self.database.session())
        except BaseException:
            self.left()
            raise

    def give_back(self, session: Database) -> None:
        """Takes a session back that is as it was lent."""
        with self._lock:
            self._idle.append(session)

    def left(self) -> None:
        """One user less; the last one of an instance that is retired closes it."""
        with self._lock:
            self._users -= 1
            is_last = self._is_retired and not self._users
        if is_last:
            self.database.close()

    def retire(self) -> None:
        """Closes it, once nobody uses it."""
        with self._lock:
            self._is_retired = True
            is_unused = not self._users
        if is_unused:
            self.database.close()

    def kept(self, session: Database) -> list[Model]:
        """The current version of each kept model, read once."""
        if self._kept is None:
            self._kept = session.models()
        return self._kept

    def is_sound(self) -> bool:
        """Whether statements run: after a fatal error of DuckDB's none does."""
        try:
            with self.database.session() as session:
                return session.execute("SELECT 1") == [(1,)]
        except Error:
            return False


class Lease:
    """A session in use, and the rows of its answer.

    Attributes:
        instance: whose session it is.
        session: that is lent.
    """

    def __init__(self, instance: Instance, session: Database) -> None:
        self.instance = instance
        self.session = session
        self._lock = threading.Lock()
        self._is_ended = False

    @property
    def is_ended(self) -> bool:
        """Whether the session was given back."""
        return self._is_ended

    def model(self, name: str) -> Model:
        """A kept model, read once: the file does not change while it is open.

        Raises:
            UnknownName: there is no such model.
        """
        models = self.instance.models
        found = models.get(name)
        if found is None:
            found = models[name] = self.session.model(name)
        return found

    def end(self) -> None:
        """Gives the session back, and lets go of the instance; once, however often it is asked to."""
        with self._lock:
            is_over, self._is_ended = self._is_ended, True
        if not is_over:
            self.instance.give_back(self.session)
            self.instance.left()


class Instances:
    """The instance that requests use now.

    A file that another was put in place of is opened as it is now; requests under way go on with what they began with.
    """

    def __init__(self, path: Path, configuration: Configuration, remark: Callable[[str], None]) -> None:
        self._path = path
        self._configuration = configuration
        self._remark = remark
        self._lock = threading.Lock()
        self._failed: Stamp | None = None
        self._now = Instance(path, configuration)

    def take(self) -> Lease:
        """A session of the file as it is now, or of the last one that could be opened."""
        try:
            there = stamp(self._path)
        except OSError:
            there = self._now.stamp
        with self._lock:
            if there not in (self._now.stamp, self._failed):
                self._reopen(there)
            return self._now.take()

    def mend(self) -> bool:
        """Opens the database anew where no statement runs any more; whether there is one that works."""
        with self._lock:
            return self._now.is_sound() or self._reopen(self._now.stamp)

    def _reopen(self, there: Stamp) -> bool:
        try:
            opened = Instance(self._path, self._configuration)
        except Error as error:
            self._failed = there
            self._remark(f"the database cannot be opened anew, the last one that could be is served: {error}")
            return False
        before, self._now, self._failed = self._now, opened, None
        before.retire()
        self._remark("the database was opened anew")
        return True

    def close(self) -> None:
        """Closes the database once nobody uses it."""
        self._now.retire()


def stamp(path: Path) -> Stamp:
    """What tells a file from another of its name: its number, its size, and the time of its last change."""
    found = os.stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns


def guard(database: Database, limits: Limits) -> Guard:
    """Tells statements that only read: tables, and views and macros whose bodies do so too, but none of our own."""
    ((catalog,),) = database.execute("SELECT lower(current_database())")
    tables = frozenset(database.execute(_TABLES))
    allowed = Allowed(catalog, tables, nesting=limits.nesting, size=limits.statement_bytes)
    return Guard(allowed, database.execute(_MACROS), database.execute(_VIEWS))


def _count(database: Database, table: str) -> int:
    return int(database.execute(f"SELECT count(*) FROM {quoted(parts_of(table))}")[0][0])
