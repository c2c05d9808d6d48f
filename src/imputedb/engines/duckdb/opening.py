"""Opening a database, or saying why it cannot be opened."""

from pathlib import Path

import duckdb

from imputedb.errors import StorageError

_OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


def opened(path: str, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """A connection to a database file, made if there is none, or to one in memory.

    Raises:
        StorageError: the file is none of DuckDB's, is in use by another process, or cannot be read.
    """
    _check_kind(path)
    try:
        connection = duckdb.connect(path, read_only=read_only, config=_OFFLINE)
    except duckdb.Error as error:
        raise _refused(path, error) from error
    return _set(connection)


def further(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Another connection to the same database, with temporary tables, settings and transactions of its own."""
    return _set(connection.cursor())


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
        return StorageError(f"{path} is in use by another process: close it there, or open a copy")
    if "not a valid DuckDB database" in text:
        return StorageError(f"{path} is not a DuckDB database")
    if isinstance(error, duckdb.FatalException | duckdb.SerializationException | duckdb.InternalException):
        return StorageError(f"{path} is damaged: {first}")
    return StorageError(f"cannot open {path}: {first}")
