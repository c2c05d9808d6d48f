"""The ways in: files, data frames, Arrow. A table is loaded whole or not at all."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from imputedb.engines import declarations
from imputedb.engines.duckdb import DuckDB
from imputedb.errors import DataError, StorageError, UnknownName

Missing = Mapping[str, Sequence[object]]
"""Values that mean a missing one, by column."""

_READERS = {
    ".csv": "read_csv(?, sample_size = -1)",
    ".tsv": "read_csv(?, sample_size = -1)",
    ".txt": "read_csv(?, sample_size = -1)",
    ".parquet": "read_parquet(?)",
    ".json": "read_json_auto(?)",
    ".jsonl": "read_json_auto(?)",
    ".ndjson": "read_json_auto(?)",
}
_FRAME = "imputedb_frame"
_NARROWER = ("BIGINT", "DOUBLE", "DATE", "TIMESTAMP", "BOOLEAN")


def load(engine: DuckDB, paths: Sequence[str], table: str | None, missing: Missing, *, replace: bool) -> list[str]:
    """Loads files into a table each, named after the file unless `table` says otherwise; all of them or none.

    Raises:
        StorageError: a file cannot be read, or the database cannot be written.
        DataError: a file holds no table, the table is there already, or it would be that of several files.
        UnknownName: no file has a column for which missing values are declared.
    """
    if table and len(paths) > 1:
        raise DataError(f"{len(paths)} files cannot all become the one table {table}")
    if engine.session.read_only:
        raise StorageError(f"{engine.session.path} is open for reading only: nothing can be loaded into it")
    names = [table or Path(path).stem for path in paths]
    left = set(missing)
    with _whole(engine, ", ".join(paths)):
        for name, path in zip(names, paths, strict=True):
            _make_room(engine, name, replace=replace)
            source = _source(path)
            if isinstance(source, str):
                engine.connection.execute(f"CREATE TABLE {_quoted(name)} AS FROM {source}", [path])
            else:
                _create(engine, name, source, "TABLE")
            engine.session.changed()
            here = {column for column in missing if _has(engine, name, column)}
            left -= here
            _declare(engine, name, {column: missing[column] for column in here})
        if left:
            raise UnknownName(f"no column {sorted(left)[0]!r} in {', '.join(names)}")
    return names


def _has(engine: DuckDB, name: str, column: str) -> bool:
    return column.lower() in (known.lower() for known in engine.shapes()[engine.tables.named(name)].types)


def register(engine: DuckDB, name: str, frame: Any, missing: Missing, *, replace: bool, kept: bool = False) -> None:
    """Copies a data frame, an Arrow table, or a dictionary of arrays into a table, a temporary one unless it is kept.

    Raises:
        DataError: the object is none of these.
    """
    with _whole(engine, name):
        _make_room(engine, name, replace=replace, catalog=None if kept else "temp")
        _create(engine, name, frame, "TABLE" if kept else "TEMP TABLE")
        _declare(engine, name, missing)


def _create(engine: DuckDB, name: str, frame: Any, kind: str) -> None:
    try:
        engine.connection.register(_FRAME, frame)
    except duckdb.Error as error:
        raise DataError(
            f"{name} cannot be read as a table: {type(frame).__name__} has no columns DuckDB knows"
        ) from error
    try:
        engine.connection.execute(f"CREATE {kind} {_quoted(name)} AS FROM {_FRAME}")
    finally:
        engine.connection.unregister(_FRAME)


def _source(path: str) -> Any:
    """The reader's call for a file, or its columns where DuckDB has no reader for it."""
    if not Path(path).is_file():
        raise StorageError(f"no file {path}")
    suffix = Path(path.removesuffix(".gz")).suffix.lower()
    if suffix in _READERS:
        return _READERS[suffix]
    if suffix == ".xpt":
        return _sas(path)
    raise DataError(f"{path}: files end in {', '.join([*_READERS, '.xpt'])}; this one's kind is unknown")


def _sas(path: str) -> Any:
    try:
        import pyreadstat
    except ImportError as error:
        raise DataError("SAS transport files need one more package: pip install 'imputedb[sas]'") from error
    try:
        columns, _ = pyreadstat.read_xport(path, output_format="dict")
    except Exception as error:
        raise StorageError(f"{path} is not a SAS transport file: {error}") from error
    return {name: _sas_column(values) for name, values in columns.items()}


def _sas_column(values: Sequence[Any]) -> Any:
    """SAS knows only doubles and text: whole numbers become integers again, what is missing is masked."""
    missing = np.array([value is None or value != value for value in values], bool)
    known = [value for value in values if value is not None and value == value]
    if not known or not all(isinstance(value, int | float) for value in known):
        return np.array([None if gone else v for v, gone in zip(values, missing, strict=True)], object)
    whole = all(float(value).is_integer() and abs(value) < 2**53 for value in known)
    numbers = np.array([0.0 if gone else v for v, gone in zip(values, missing, strict=True)], np.float64)
    return np.ma.masked_array(numbers.astype(np.int64) if whole else numbers, missing)


@contextmanager
def _whole(engine: DuckDB, what: str) -> Iterator[None]:
    """A transaction around a load; translated errors, and nothing left of it when it fails."""
    with engine.lock:
        try:
            engine.connection.execute("BEGIN")
            yield
            engine.connection.execute("COMMIT")
        except BaseException as error:
            with suppress(duckdb.Error):
                engine.connection.execute("ROLLBACK")
            engine.store.reread()
            raise _translated(what, error) from error
        finally:
            engine.session.changed()


def _make_room(engine: DuckDB, name: str, *, replace: bool, catalog: str | None = None) -> None:
    """Drops the table of a name when it is to be replaced; temporary ones only make room for temporary ones."""
    there = engine.tables.names().get(name.lower())
    if there is None or (catalog == "temp") != (there.catalog == "temp"):
        return
    if not replace:
        raise DataError(f"there is a table {name} already: replace it, or give another name")
    engine.connection.execute(f"DROP TABLE {'.'.join(map(_quoted, there.path))}")
    engine.store.undeclare(there)
    engine.session.changed()


def _translated(what: str, error: BaseException) -> BaseException:
    if not isinstance(error, duckdb.Error):
        return error
    text = str(error).partition(": ")[2] or str(error)
    first = next((line for line in text.splitlines() if line.strip()), text)
    if isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException | duckdb.FatalException):
        return StorageError(f"{what} was not loaded: {first}")
    return DataError(f"{what} was not loaded: {first}")


def _declare(engine: DuckDB, name: str, missing: Missing) -> None:
    """Declares values missing; a text column that holds nothing else but them becomes what the rest of it is."""
    engine.session.changed()
    table = engine.tables.named(name)
    types = engine.shapes()[table].types
    for column, values in missing.items():
        found = next((known for known in types if known.lower() == column.lower()), None)
        if found is None:
            raise UnknownName(f"no column {column!r} in {name}; there are {', '.join(types)}")
        texts = [str(value) for value in values]
        kind = types[found]
        if kind == "VARCHAR" and (narrower := _narrower(engine, name, found, texts)):
            _retype(engine, name, found, narrower, texts)
            engine.session.changed()
            kind = narrower
        declarations.declare(engine, table, found, [text for text in texts if _fits(engine, text, kind)])


def _fits(engine: DuckDB, text: str, kind: str) -> bool:
    return bool(engine.connection.execute(f"SELECT TRY_CAST(? AS {kind}) IS NOT NULL", [text]).fetchall()[0][0])


def _narrower(engine: DuckDB, table: str, column: str, codes: list[str]) -> str | None:
    for kind in _NARROWER:
        text = (
            f"SELECT count(*), count(*) FILTER (TRY_CAST({_quoted(column)} AS {kind}) IS NULL) FROM {_quoted(table)} "
            f"WHERE {_quoted(column)} IS NOT NULL AND NOT list_contains(?, {_quoted(column)})"
        )
        values, unfit = engine.connection.execute(text, [codes]).fetchall()[0]
        if values and not unfit:
            return kind
    return None


def _retype(engine: DuckDB, table: str, column: str, kind: str, codes: list[str]) -> None:
    """Codes that are text in a column of numbers become NULL: the narrower type cannot hold them."""
    texts = ", ".join("'" + code.replace("'", "''") + "'" for code in codes)
    engine.connection.execute(
        f"ALTER TABLE {_quoted(table)} ALTER COLUMN {_quoted(column)} SET DATA TYPE {kind} "
        f"USING CASE WHEN {_quoted(column)} IN ({texts}) THEN TRY_CAST({_quoted(column)} AS {kind}) "
        f"ELSE CAST({_quoted(column)} AS {kind}) END"
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
