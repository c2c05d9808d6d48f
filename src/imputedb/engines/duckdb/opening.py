"""Opening of databases, with errors that say why one cannot be opened."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from imputedb.errors import Busy, QueryError, StorageError
from imputedb.sql.paths import quoted
from imputedb.sql.tokens import string_literal

_OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


@dataclass(frozen=True, slots=True)
class Opening:
    """The options for opening a database.

    Attributes:
        path: the file, or `:memory:`.
        read_only: whether nothing can be written to it.
        locked: whether statements are confined to it: no other file, no network, no setting.
        settings: names and values, in SQL, of DuckDB settings that are locked then.
    """

    path: str
    read_only: bool = False
    locked: bool = False
    settings: tuple[tuple[str, str], ...] = ()


def connection_of(way: Opening) -> duckdb.DuckDBPyConnection:
    """A connection to a database file, which is created if there is none, or to a database in memory.

    Raises:
        StorageError: the file is not a DuckDB database, is in use by another process, or cannot be read.
        QueryError: DuckDB has no such setting.
    """
    _check_kind(way.path)
    try:
        if way.locked:
            return _read_only_connection(way)
        connection = duckdb.connect(way.path, read_only=way.read_only, config=_OFFLINE)
    except duckdb.Error as error:
        raise _refused(way.path, error) from error
    return _set(connection)


def _read_only_connection(way: Opening) -> duckdb.DuckDBPyConnection:
    """A connection to a database in memory, with a file attached for reading.

    DuckDB's own restrictions are settings of the instance, and whoever may change settings may undo them. They are
    therefore set first, and then locked. Statements cannot write temporary data to disk, as no folder for it is set.
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
    for statement in (
        f"ATTACH {string_literal(way.path)} AS {name} (READ_ONLY)",
        f"USE {name}",
        "SET GLOBAL python_enable_replacements = false",
        "SET GLOBAL enable_external_access = false",
        "SET GLOBAL lock_configuration = true",
    ):
        connection.execute(statement)
    return connection


def another_connection(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
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
    # variables of our own frames are no tables; a configuration would have to be shared by other connections
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET enable_progress_bar = false")  # it would be drawn into our standard output
    return connection


def _check_kind(path: str) -> None:
    """Refuses files of other formats, such as CSV and Parquet.

    DuckDB would open these as a database of one view, in which statistics could not be stored.
    """
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
        raise StorageError(
            f"{path} is not a DuckDB database: load it into one, as `imputedb load NEW.duckdb {path}` does"
        )


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
