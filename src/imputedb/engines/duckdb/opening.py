"""Opening a database, or saying why it cannot be opened."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from imputedb.errors import Busy, QueryError, StorageError
from imputedb.sql.paths import quoted

_OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


@dataclass(frozen=True, slots=True)
class Opening:
    """How a database is opened.

    Attributes:
        path: the file, or `:memory:`.
        read_only: whether nothing can be written to it.
        locked: whether statements can reach nothing else: no other file, no network, no setting.
        settings: of DuckDB that are locked then, names and values in SQL.
    """

    path: str
    read_only: bool = False
    locked: bool = False
    settings: tuple[tuple[str, str], ...] = ()


def opened(way: Opening) -> duckdb.DuckDBPyConnection:
    """A connection to a database file, made if there is none, or to one in memory.

    Raises:
        StorageError: the file is none of DuckDB's, is in use by another process, or cannot be read.
        QueryError: DuckDB has no such setting.
    """
    _check_kind(way.path)
    try:
        if way.locked:
            return _locked(way)
        connection = duckdb.connect(way.path, read_only=way.read_only, config=_OFFLINE)
    except duckdb.Error as error:
        raise _refused(way.path, error) from error
    return _set(connection)


def _locked(way: Opening) -> duckdb.DuckDBPyConnection:
    """A connection to a database in memory that a file is attached to for reading.

    DuckDB's own defences are settings of the instance, and whoever may set them may undo them: so they are set first,
    and locked. Without a folder for what does not fit into memory there is none that statements may write to.
    """
    if not Path(way.path).is_file():
        raise StorageError(f"cannot open {way.path}: there is no such file")
    connection = duckdb.connect(":memory:", config={**_OFFLINE, "temp_directory": ""})
    for setting, value in way.settings:
        try:
            connection.execute(f"SET GLOBAL {setting} = {value}")
        except duckdb.Error as error:
            raise QueryError(f"the setting {setting} cannot be {value}: {error}") from error
    name = quoted((Path(way.path).stem,))
    text = way.path.replace("'", "''")
    for statement in (
        f"ATTACH '{text}' AS {name} (READ_ONLY)",
        f"USE {name}",
        "SET GLOBAL python_enable_replacements = false",
        "SET GLOBAL enable_external_access = false",
        "SET GLOBAL lock_configuration = true",
    ):
        connection.execute(statement)
    return connection


def further(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Another connection to the same database, with temporary tables, settings and transactions of its own."""
    other = connection.cursor()
    ((is_locked, home),) = other.execute(
        "SELECT current_setting('lock_configuration'), "
        "(SELECT any_value(database_name) FROM duckdb_databases() WHERE path IS NOT NULL)"
    ).fetchall()
    if is_locked and home is not None:
        other.execute(f"USE {quoted((home,))}")
        return other
    return _set(other)


def _set(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    # variables of our own frames are no tables; not as configuration, which other connections would have to share
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET enable_progress_bar = false")  # it would be drawn into our standard output
    return connection


def _check_kind(path: str) -> None:
    """DuckDB would open a CSV or Parquet file as a database of one view; its statistics could not be kept."""
    if Path(path).is_dir():
        raise StorageError(f"{path} is a folder: name a file in it, such as {Path(path) / 'survey.duckdb'}")
    if not Path(path).is_file() or not Path(path).stat().st_size:
        return
    try:
        with open(path, "rb") as file:
            magic = file.read(12)[8:]
    except OSError as error:
        raise StorageError(f"cannot open {path}: {error.strerror}") from error
    if magic != b"DUCK":
        raise StorageError(f"{path} is not a DuckDB database: load it into one")


def _refused(path: str, error: duckdb.Error) -> StorageError:
    text = str(error).partition(": ")[2] or str(error)
    first = text.splitlines()[0]
    if "set lock" in text.lower() or "conflicting lock" in text.lower():
        return Busy(f"{path} is in use by another process: close it there, or open a copy")
    if "not a valid DuckDB database" in text:
        return StorageError(f"{path} is not a DuckDB database")
    if isinstance(error, duckdb.FatalException | duckdb.SerializationException | duckdb.InternalException):
        return StorageError(f"{path} is damaged: {first}")
    return StorageError(f"cannot open {path}: {first}")
