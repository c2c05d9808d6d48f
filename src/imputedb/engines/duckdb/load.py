"""The ways in: files, data frames, Arrow. A table is loaded whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from imputedb import duckdb_errors
from imputedb.algebra.relation import Table
from imputedb.engines.duckdb import declarations, levels, ragged
from imputedb.engines.duckdb.frames import readable
from imputedb.engines.duckdb.paths import files, squeezing
from imputedb.errors import DataError, StorageError, UnknownName
from imputedb.sql.paths import one_file, quoted
from imputedb.statistics.policy import DEFAULT

if TYPE_CHECKING:
    from imputedb.engines.duckdb.engine import DuckDB

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
_TEXTS = (".csv", ".tsv", ".txt")
_NARROWER = {
    "BIGINT": r"regexp_full_match(trim({value}), '[+-]?\d+')",
    "DOUBLE": (
        "(length(regexp_replace(regexp_replace({value}, '[eE].*$', ''), '^[-+0.]+|\\D', '', 'g')) <= 15 "
        "OR CAST(TRY_CAST({value} AS DOUBLE) AS VARCHAR) = {value})"
    ),
    "DATE": "TRY_CAST({value} AS TIMESTAMP_NS) = CAST(TRY_CAST({value} AS DATE) AS TIMESTAMP_NS)",
    "TIMESTAMP": (
        "NOT regexp_matches({value}, ':.*([+-]\\d\\d(:?\\d\\d)?|[zZ]|[A-Za-z]{{3,}})$') "
        "AND NOT regexp_matches({value}, '\\.\\d{{6}}\\d*[1-9]')"
    ),
    "BOOLEAN": "true",
}
"""Types that a column of text may become, each with the condition under which a value of it comes back exactly."""


def load(engine: DuckDB, paths: Sequence[str], table: str | None, missing: Missing, *, replace: bool) -> list[str]:
    """Loads files into a table each, named after the file, or those of one pattern into `table`; all or none.

    Raises:
        StorageError: a file cannot be read, or the database cannot be written.
        DataError: a file holds no table, the table is there already, or it would be that of several files.
        UnknownName: no file has a column for which missing values are declared.
    """
    if table and len(paths) > 1:
        raise DataError(f"{len(paths)} files cannot all become the one table {table}")
    if engine.session.read_only:
        raise StorageError(f"{engine.session.path} is open for reading only: nothing can be loaded into it")
    found = [files(path) for path in paths]
    wanted = found if table else [[file] for some in found for file in some]
    names = [table or _plain(file).stem for file, *_ in wanted]
    if twice := next((name for place, name in enumerate(names) if name.lower() in map(str.lower, names[:place])), None):
        raise DataError(f"two of the files would be the table {twice}: load one of them as another table")
    left = set(missing)
    with _whole(engine, ", ".join(paths)):
        for name, some in zip(names, wanted, strict=True):
            made = _place(engine, name)
            _make_room(engine, made, replace=replace)
            source = _source(engine, some)
            if isinstance(source, str):
                given = [[one_file(file) for file in some]]
                engine.connection.execute(f"CREATE TABLE {quoted(made.path)} AS FROM {source}", given)
            else:
                _create(engine, made, source)
            engine.session.changed()
            here = {column for column in missing if _has(engine, made, column)}
            left -= here
            _declare(engine, made, {column: missing[column] for column in here})
            if _plain(some[0]).suffix.lower() in _TEXTS:
                _name_words(engine, made)
        if left:
            raise UnknownName(f"no column {sorted(left)[0]!r} in {', '.join(names)}")
    return names


def _place(engine: DuckDB, name: str) -> Table:
    """Where a table of a name is made: in the schema that DuckDB makes tables in now."""
    catalog, schema = engine.session.rows("SELECT current_database(), current_schema()")[0]
    return Table(catalog, schema, name)


def _has(engine: DuckDB, table: Table, column: str) -> bool:
    return column.lower() in (known.lower() for known in engine.tables.shape(table).types)


def register(engine: DuckDB, name: str, frame: Any, missing: Missing, *, replace: bool, kept: bool = False) -> None:
    """Copies a data frame, an Arrow table, or a dictionary of arrays into a table, a temporary one unless it is kept.

    Raises:
        DataError: the object is none of these.
    """
    with _whole(engine, name):
        made = _place(engine, name) if kept else Table("temp", "main", name)
        _make_room(engine, made, replace=replace)
        read = readable(name, frame)
        _create(engine, made, read)
        _declare(engine, made, missing)
        _unordered(engine, made, levels.unordered(read))


def _create(engine: DuckDB, made: Table, frame: Any) -> None:
    name, kind = f"imputedb_{secrets.token_hex(8)}", "TEMP TABLE" if made.catalog == "temp" else "TABLE"
    try:
        engine.connection.register(name, frame)
    except duckdb.Error as error:
        odd = _odd(engine, frame) or f"{type(frame).__name__} has no columns DuckDB knows"
        raise DataError(f"{made.name} cannot be read as a table: {odd.rstrip(': ')}") from error
    try:
        engine.connection.execute(f"CREATE {kind} {quoted(made.path)} AS {_copied(engine, name, frame)}")
        for column, ordered in levels.ordered(frame).items():
            values = ", ".join("'" + level.replace("'", "''") + "'" for level in ordered)
            engine.connection.execute(f"ALTER TABLE {quoted(made.path)} ALTER {quoted((column,))} TYPE ENUM ({values})")
    except (duckdb.NotImplementedException, duckdb.InvalidInputException) as error:
        locked = duckdb_errors.translated(error)
        if isinstance(locked, StorageError):
            raise locked from error
        raise DataError(f"{made.name} was not loaded: {_odd(engine, frame)}{_reason(error)}") from error
    finally:
        with suppress(duckdb.Error):
            engine.connection.unregister(name)


def _unordered(engine: DuckDB, made: Table, columns: Sequence[str]) -> None:
    """Says of numbers that they are categories in no order, unless something was said of them."""
    said = engine.store.policies(made)
    for column in columns:
        policy = said.get(column, DEFAULT)
        if policy.measure is None:
            engine.store.decide(made, column, policy.changed({"measure": "nominal"}))
    engine.session.changed()


def _copied(engine: DuckDB, name: str, frame: Any) -> str:
    """The query that copies a frame: text of which DuckDB makes an ENUM stays text where its values have no order."""
    stand = levels.stand(frame)
    described = engine.connection.execute(f"DESCRIBE FROM {name}").fetchall()
    texts = [
        f"CAST({quoted((column,))} AS VARCHAR) AS {quoted((column,))}"
        for place, (column, kind, *_) in enumerate(described)
        if kind.startswith("ENUM(") and place not in stand
    ]
    return f"SELECT * REPLACE ({', '.join(texts)}) FROM {name}" if texts else f"FROM {name}"


def _odd(engine: DuckDB, frame: Any) -> str:
    """The first column that DuckDB cannot read, as the beginning of a sentence."""
    for column in getattr(frame, "column_names", getattr(frame, "columns", ())):
        with engine.connection.cursor() as connection:
            try:
                connection.register("one", frame.select([column]) if hasattr(frame, "select") else frame[[column]])
                connection.execute("FROM one LIMIT 1").fetchall()
            except Exception:  # whatever the library of the frame says of it
                return f"column {str(column)!r} of type {type(frame[column]).__name__} cannot be read: "
    return ""


def _plain(path: str) -> Path:
    """The path without the mark of a compression."""
    return Path(path.removesuffix(".gz").removesuffix(".zst"))


def _source(engine: DuckDB, some: Sequence[str]) -> Any:
    """The reader's call for files of one table, or their columns where DuckDB has no reader for them."""
    suffixes = {_plain(file).suffix.lower(): file for file in some}
    if len({_READERS.get(suffix, suffix) for suffix in suffixes}) > 1:
        raise DataError(f"{' and '.join(list(suffixes.values())[:2])} are files of two kinds, and cannot be one table")
    suffix = next(iter(suffixes))
    for file in some if suffix in _TEXTS else ():
        ragged.check(engine.connection, file)
    if suffix in _READERS:
        squeezed = {squeezing(file) for file in some} if suffix != ".parquet" else set()
        return _READERS[suffix].removesuffix(")") + (squeezed.pop() if len(squeezed) == 1 else "") + ")"
    if suffix == ".xpt":
        return _sas(some)
    raise DataError(f"{some[0]}: files end in {', '.join([*_READERS, '.xpt'])}; this one's kind is unknown")


def _sas(some: Sequence[str]) -> Any:
    try:
        import pyreadstat
    except ImportError as error:
        raise DataError("SAS transport files need one more package: pip install 'imputedb[sas]'") from error
    read: dict[str, list[Any]] = {}
    for file in some:
        try:
            columns, _ = pyreadstat.read_xport(file, output_format="dict")
        except Exception as error:
            raise StorageError(f"{file} is not a SAS transport file: {error}") from error
        if read and read.keys() != columns.keys():
            other = sorted(read.keys() ^ columns.keys())[0]
            raise DataError(f"{some[0]} and {file} have different columns: one of them has no {other}")
        for name, values in columns.items():
            read.setdefault(name, []).extend(values)
    return {name: _sas_column(values) for name, values in read.items()}


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
    with engine.lock, engine.session.writing():
        try:
            with engine.session.transaction():  # the user's own where there is one
                yield
        except BaseException as error:
            engine.store.reread()
            raise _translated(what, error) from error
        finally:
            engine.session.changed()


def _make_room(engine: DuckDB, made: Table, *, replace: bool) -> None:
    """Drops the table that is where another is to be made."""
    there = engine.tables.meant(made.path)
    if not isinstance(there, Table):
        return
    if not replace:
        raise DataError(f"there is a table {made.name} already: replace it, or give another name")
    engine.connection.execute(f"DROP TABLE {quoted(there.path)}")
    engine.session.changed()


def _translated(what: str, error: BaseException) -> BaseException:
    if not isinstance(error, duckdb.Error):
        return error
    if isinstance(duckdb_errors.translated(error), StorageError):
        return duckdb_errors.translated(error)
    if isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException | duckdb.FatalException):
        return StorageError(f"{what} was not loaded: {_reason(error)}")
    return DataError(f"{what} was not loaded: {_reason(error)}")


def _reason(error: duckdb.Error) -> str:
    """What DuckDB says, without the settings that its reader of CSV lists after an empty line."""
    of_file = duckdb_errors.of_file(str(error))
    if of_file:
        return of_file
    text = duckdb_errors.reason(str(error)).partition("\n\nLINE 1: ")[0]
    lines = [line.strip() for line in text.splitlines() if line.strip() and " = " not in line]
    return "; ".join(line for line in lines if not line.startswith("Possible Solution: Enable ignore errors"))


def _declare(engine: DuckDB, table: Table, missing: Missing) -> None:
    """Declares values missing; a text column that holds nothing else but them becomes what the rest of it is."""
    engine.session.changed()
    declarations.prune(engine, table)
    types = engine.tables.shape(table).types
    for column, values in missing.items():
        found = next((known for known in types if known.lower() == column.lower()), None)
        if found is None:
            raise UnknownName(f"no column {column!r} in {table.name}; there are {', '.join(types)}")
        texts = [str(value) for value in values]
        if types[found] == "VARCHAR" and (narrower := _narrower(engine, table, found, texts)):
            _retype(engine, table, found, narrower, texts)
            engine.session.changed()
            texts = [text for text in texts if _fits(engine, text, narrower)]
        declarations.declare(engine, table, found, texts)


_WORDS = ("na", "n/a", "#n/a", "nan", "null", "none", "nil", ".", "-", "--", "?", "\\n")
"""What stands for a missing number in files of text, in lower case."""


def _name_words(engine: DuckDB, table: Table) -> None:
    """Remarks on columns that would be of numbers, were it not for words that look like a missing one."""
    columns = [name for name, kind in engine.tables.shape(table).types.items() if kind == "VARCHAR"]
    if not columns:
        return
    parts = []
    for name in columns:
        value = quoted((name,))
        word, number = f"list_contains($words, lower(trim({value})))", f"TRY_CAST({value} AS DOUBLE) IS NOT NULL"
        parts.append(
            f"count(*) FILTER ({number}), count({value}) FILTER (NOT ({number}) AND NOT {word}), "
            f"list(DISTINCT {value}) FILTER (NOT ({number}) AND {word})"
        )
    given = {"words": list(_WORDS)}
    row = engine.connection.execute(f"SELECT {', '.join(parts)} FROM {quoted(table.path)}", given).fetchall()[0]
    for place, name in enumerate(columns):
        numbers, others, words = row[3 * place : 3 * place + 3]
        if numbers and words and not others:
            engine.session.remarks.append(
                f"{table.name}.{name} is text, for {', '.join(map(repr, sorted(words)))} beside numbers: where that "
                "means a missing value, declare it missing"
            )


def _fits(engine: DuckDB, text: str, kind: str) -> bool:
    return bool(engine.connection.execute(f"SELECT TRY_CAST(? AS {kind}) IS NOT NULL", [text]).fetchall()[0][0])


def _narrower(engine: DuckDB, table: Table, column: str, codes: list[str]) -> str | None:
    value = quoted((column,))
    for kind, exact in _NARROWER.items():
        fits = f"TRY_CAST({value} AS {kind}) IS NOT NULL AND {exact.format(value=value)}"
        text = (
            f"SELECT count(*), count(*) FILTER (NOT coalesce({fits}, false)) FROM {quoted(table.path)} "
            f"WHERE {value} IS NOT NULL AND NOT list_contains(?, {value})"
        )
        values, unfit = engine.connection.execute(text, [codes]).fetchall()[0]
        if values and not unfit:
            return kind
    return None


def _retype(engine: DuckDB, table: Table, column: str, kind: str, codes: list[str]) -> None:
    """Codes that are text in a column of numbers become NULL: the narrower type cannot hold them."""
    texts = ", ".join("'" + code.replace("'", "''") + "'" for code in codes)
    value = quoted((column,))
    engine.connection.execute(
        f"ALTER TABLE {quoted(table.path)} ALTER COLUMN {value} SET DATA TYPE {kind} "
        f"USING CASE WHEN {value} IN ({texts}) THEN TRY_CAST({value} AS {kind}) ELSE CAST({value} AS {kind}) END"
    )
