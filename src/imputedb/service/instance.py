"""The database that is served: opened without access to anything else, and reopened when its file is replaced."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from imputedb.database import Database, connect
from imputedb.errors import Error, StorageError
from imputedb.models.model import Model
from imputedb.service.configuration import Configuration, Limits
from imputedb.service.sandbox.pool import Workers
from imputedb.service.sandbox.worker import Start, Worker
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
    """One open database file with a pool of sessions; after it is retired, it closes when its last session is returned.

    Attributes:
        database: the first session.
        stamp: fingerprint of the file, by which a replaced file is recognised.
        tables: columns and types by table.
        rows: number of rows by table.
        guard: check that statements only read.
        memory: DuckDB's memory limit in bytes.
        models: models that were read so far, by name.
    """

    def __init__(self, path: Path, configuration: Configuration) -> None:
        try:
            self.stamp = stamp(path)
        except OSError as error:
            raise StorageError(f"cannot open {path}: {error.strerror or error}") from error
        self.database: Database = connect(
            path,
            locked=True,
            config={"memory_limit": configuration.memory, "threads": configuration.threads, "TimeZone": "UTC"},
        )
        self.memory = _memory(self.database)
        self._workers = workers(path, self.memory, configuration) if configuration.sandbox else None
        self.guard = guard(self.database, configuration.limits)
        self.tables = self.database.tables()
        self.rows = {table: _count(self.database, table) for table in self.tables}
        self._lock = threading.Lock()
        self._idle: list[Database] = []
        self.models: dict[str, Model] = {}
        self._kept: list[Model] | None = None
        self._users = 0
        self._is_retired = False

    def lease(self) -> Lease:
        """A lease of an idle session, or of a new one."""
        with self._lock:
            self._users += 1
            session = self._idle.pop() if self._idle else None
        try:
            worker = None if self._workers is None else self._workers.take()
            return Lease(self, session or self.database.session(), worker)
        except BaseException:
            self.release_user()
            raise

    def return_session(self, session: Database, worker: Worker | None) -> None:
        """Returns a session to the pool, and its worker to the workers."""
        if self._workers is not None and worker is not None:
            self._workers.give_back(worker)
        with self._lock:
            self._idle.append(session)

    def release_user(self) -> None:
        """Counts one user less; the last user of a retired instance closes it."""
        with self._lock:
            self._users -= 1
            is_last = self._is_retired and not self._users
        if is_last:
            self._close()

    def retire(self) -> None:
        """Closes the instance as soon as it has no users."""
        with self._lock:
            self._is_retired = True
            is_unused = not self._users
        if is_unused:
            self._close()

    def _close(self) -> None:
        if self._workers is not None:
            self._workers.close()
        self.database.close()

    def listed_models(self, session: Database) -> list[Model]:
        """The current version of each kept model; they are read once."""
        if self._kept is None:
            self._kept = session.models()
        return self._kept

    def is_sound(self) -> bool:
        """Whether statements run; after a fatal error of DuckDB none does."""
        try:
            with self.database.session() as session:
                return session.execute("SELECT 1") == [(1,)]
        except Error:
            return False


class Lease:
    """A session in use, which also holds the rows of its answer.

    Attributes:
        instance: the instance that owns the session.
        session: the leased session.
        executor: what runs statements: the session, or a worker process of the sandbox.
    """

    def __init__(self, instance: Instance, session: Database, worker: Worker | None = None) -> None:
        self.instance = instance
        self.session = session
        self.executor: Database | Worker = session if worker is None else worker
        self._worker = worker
        self._lock = threading.Lock()
        self._is_ended = False

    @property
    def is_ended(self) -> bool:
        """Whether the session was returned."""
        return self._is_ended

    def model(self, name: str) -> Model:
        """A kept model. It is read once, since the file does not change while it is open.

        Raises:
            UnknownName: there is no such model.
        """
        models = self.instance.models
        found = models.get(name)
        if found is None:
            found = models[name] = self.session.model(name)
        return found

    def end(self) -> None:
        """Returns the session and releases the instance. Further calls have no effect."""
        with self._lock:
            is_over, self._is_ended = self._is_ended, True
        if not is_over:
            self.instance.return_session(self.session, self._worker)
            self.instance.release_user()


class Instances:
    """The current instance, reopened when the file is replaced.

    Requests under way finish on the instance that they began with.
    """

    def __init__(self, path: Path, configuration: Configuration, remark: Callable[[str], None]) -> None:
        self._path = path
        self._configuration = configuration
        self._remark = remark
        self._lock = threading.Lock()
        self._failed: Stamp | None = None
        self._now = Instance(path, configuration)

    def lease(self) -> Lease:
        """A session of the current file, or of the last file that could be opened."""
        try:
            there = stamp(self._path)
        except OSError:
            there = self._now.stamp
        with self._lock:
            if there not in (self._now.stamp, self._failed):
                self._reopen(there)
            return self._now.lease()

    def reopen_if_broken(self) -> bool:
        """Reopens the database where no statement runs any more; gives whether it works now."""
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

    @property
    def memory(self) -> int:
        """DuckDB's memory limit in bytes."""
        return self._now.memory

    def close(self) -> None:
        """Closes the database as soon as it has no users."""
        self._now.retire()


def stamp(path: Path) -> Stamp:
    """A fingerprint of a file: its inode, its size, and the time of its last change."""
    found = os.stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns


def guard(database: Database, limits: Limits) -> Guard:
    """The guard that admits tables, and the views and macros of the database that only read."""
    ((catalog,),) = database.execute("SELECT lower(current_database())")
    tables = frozenset(database.execute(_TABLES))
    allowed = Allowed(catalog, tables, nesting=limits.nesting, size=limits.statement_bytes)
    return Guard(allowed, database.execute(_MACROS), database.execute(_VIEWS))


def _count(database: Database, table: str) -> int:
    return int(database.execute(f"SELECT count(*) FROM {quoted(parts_of(table))}")[0][0])


def _memory(database: Database) -> int:
    """DuckDB's memory limit in bytes."""
    ((limit,),) = database.execute("SELECT current_setting('memory_limit')")
    number, _, unit = str(limit).partition(" ")
    return int(float(number) * _UNITS[unit])


def workers(path: Path, memory: int, configuration: Configuration) -> Workers:
    """The worker processes of a database, which share its memory limit."""
    return Workers(Start(path, memory // configuration.workers, configuration.threads), configuration.workers)


_UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
"""Units of DuckDB's memory limit, in bytes."""
