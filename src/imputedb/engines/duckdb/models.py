"""Kept models, stored in the database of their tables, in the schema `imputedb`."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import duckdb

from imputedb.algebra.relation import Table
from imputedb.engines.duckdb.metadata import MetadataStore
from imputedb.engines.duckdb.session import Session
from imputedb.engines.names import SCHEMA
from imputedb.engines.record import Record
from imputedb.errors import StorageError, UnknownName
from imputedb.sql.paths import quoted

FORMAT = 1
"""Version of the rows; a database with a larger one was written by a newer imputedb."""

_TEMPORARY = "temp.main.imputedb_models"

_PLACES = (
    "SELECT database_name FROM duckdb_tables() WHERE (schema_name = ? AND table_name = 'models') "
    "OR (database_name = 'temp' AND table_name = 'imputedb_models') ORDER BY ALL"
)
"""A query for the databases that keep models."""

_COLUMNS = (
    "name VARCHAR, version INTEGER, is_current BOOLEAN, schema_name VARCHAR, table_name VARCHAR, definition VARCHAR, "
    "content BLOB, sha256 VARCHAR, format INTEGER, PRIMARY KEY (name, version)"
)


class Models:
    """The kept models of all attached databases, under the transactions of one session."""

    def __init__(self, session: Session, store: MetadataStore) -> None:
        self._session = session
        self._store = store
        self._read: tuple[object, tuple[Record, ...]] | None = None

    def records(self) -> tuple[Record, ...]:
        """All versions of all models, by name and version.

        Raises:
            StorageError: a record is damaged, or was written by a newer version of imputedb.
        """
        state = self._session.state()
        if self._read is None or self._read[0] != state:
            found = [record for catalog in self._catalogs() for record in self._in(catalog)]
            self._read = (state, tuple(sorted(found, key=lambda one: (one.name, one.version))))
        return self._read[1]

    def current(self) -> tuple[Record, ...]:
        """The current version of each model."""
        return tuple(record for record in self.records() if record.is_current)

    def named(self, name: str, version: int | None = None) -> Record:
        """A version of a model, by default the current one.

        Raises:
            UnknownName: there is no such model or version.
        """
        mine = self.versions(name)
        if not mine:
            names = ", ".join(dict.fromkeys(record.name for record in self.records()))
            raise UnknownName(f"no imputation model {name!r}; there {f'are {names}' if names else 'is none'}")
        found = next((one for one in mine if (one.is_current if version is None else one.version == version)), None)
        if found is None:
            raise UnknownName(
                f"model {name} has no version {version}; it has {', '.join(str(m.version) for m in mine)}"
            )
        return found

    def versions(self, name: str) -> list[Record]:
        """All versions of a model, the first one first; empty where there is no model of that name.

        Where several databases have a model of that name, the opened database takes precedence.
        """
        mine = [record for record in self.records() if record.name.lower() == name.lower()]
        catalogs = sorted({record.table.catalog for record in mine}, key=lambda one: (one != self._session.home, one))
        return [record for record in mine if record.table.catalog == catalogs[0]]

    def purged(self, name: str) -> bool:
        """Removes a model whose records cannot be read; returns whether there was one."""
        try:
            self.records()
        except StorageError:
            with self._writing():
                missing = [self._purged_from(catalog, name) for catalog in self._catalogs()]
            return any(missing)
        return False

    def _purged_from(self, catalog: str, name: str) -> bool:
        place = self._place(catalog)
        try:
            rows = self._session.rows(f"DELETE FROM {place} WHERE lower(name) = lower(?) RETURNING name", [name])
        except duckdb.Error as error:
            raise StorageError(f"{place} is damaged: DROP TABLE {place} by `execute`") from error
        return bool(rows)

    def content(self, record: Record) -> bytes:
        """The functions of a model as bytes.

        Raises:
            StorageError: they differ from what was written.
        """
        place = self._place(record.table.catalog)
        text = f"SELECT content FROM {place} WHERE name = ? AND version = ? AND sha256 = ?"
        rows = self._session.rows(text, [record.name, record.version, record.digest])
        found = bytes(rows[0][0]) if rows and rows[0][0] is not None else b""
        if hashlib.sha256(found).hexdigest() != record.digest:
            raise StorageError(
                f"model {record.title} is damaged, its hash differs: REFRESH IMPUTATION MODEL {record.name}"
            )
        return found

    def add(self, record: Record, content: bytes) -> None:
        """Stores a version, as the current one if its record says so.

        Raises:
            StorageError: the database is open for reading only.
        """
        self._store.check_writable(record.table.catalog)
        place = self._place(record.table.catalog)
        with self._writing():
            if record.table.catalog != "temp":
                self._session.rows(f"CREATE SCHEMA IF NOT EXISTS {place.rpartition('.')[0]}")
            temporary = "TEMP " if record.table.catalog == "temp" else ""
            self._session.rows(f"CREATE {temporary}TABLE IF NOT EXISTS {place.removeprefix('temp.main.')} ({_COLUMNS})")
            if record.is_current:
                self._session.rows(f"UPDATE {place} SET is_current = false WHERE name = ?", [record.name])
            table, digest = record.table, record.digest
            values = [
                record.name,
                record.version,
                record.is_current,
                table.schema,
                table.name,
                record.dumped(),
                content,
                digest,
                FORMAT,
            ]
            self._session.rows(f"INSERT INTO {place} VALUES ({', '.join('?' * len(values))})", values)

    def drop(self, records: Sequence[Record]) -> None:
        """Removes some versions."""
        with self._writing():
            for one in records:
                place = self._place(one.table.catalog)
                self._session.rows(f"DELETE FROM {place} WHERE name = ? AND version = ?", [one.name, one.version])

    def make_current(self, record: Record) -> None:
        """Makes a version the one that queries use."""
        place = self._place(record.table.catalog)
        with self._writing():
            self._session.rows(
                f"UPDATE {place} SET is_current = (version = ?) WHERE name = ?", [record.version, record.name]
            )

    def rename(self, name: str, after: str) -> None:
        """Renames a model, in all its versions."""
        with self._writing():
            for one in self.versions(name)[:1]:
                place = self._place(one.table.catalog)
                self._session.rows(f"UPDATE {place} SET name = ? WHERE name = ?", [after, one.name])

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._session.lock, self._session.writes.writing(), self._session.transaction():
            yield

    def _catalogs(self) -> list[str]:
        try:
            rows = self._session.rows(_PLACES, [SCHEMA])
        except duckdb.IOException:  # a database is broken; the error is raised where it is read
            return []
        return [str(name) for (name,) in rows]

    def _place(self, catalog: str) -> str:
        return _TEMPORARY if catalog == "temp" else quoted((catalog, SCHEMA, "models"))

    def _in(self, catalog: str) -> list[Record]:
        text = (
            f"SELECT name, version, is_current, schema_name, table_name, sha256, definition, format "
            f"FROM {self._place(catalog)}"
        )
        try:
            rows = self._session.rows(text)
        except (duckdb.BinderException, duckdb.ConversionException) as error:
            place = self._place(catalog)
            raise StorageError(
                f"{place} is damaged: DROP TABLE {place} by `execute`, and create the models again"
            ) from error
        newer = next((row for row in rows if row[-1] is None or row[-1] > FORMAT), None)
        if newer is not None:
            raise StorageError(
                f"model {newer[0]}@{newer[1]} is of format {newer[-1]}, this version of imputedb reads {FORMAT}: "
                "take a newer one"
            )
        return [
            Record.of(name, version, current, Table(catalog, schema, table), digest, definition)
            for name, version, current, schema, table, digest, definition, _ in rows
        ]
