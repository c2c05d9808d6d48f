"""Loading of files, data frames and Arrow tables; a table is loaded whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from imputedb import duckdb_errors
from imputedb.algebra.relation import Table
from imputedb.engines.address import Address, address
from imputedb.engines.duckdb import foreign, forms, levels, text_files
from imputedb.engines.duckdb.databases import filling
from imputedb.engines.duckdb.frames import readable
from imputedb.engines.duckdb.missing_words import Missing, MissingWords
from imputedb.engines.duckdb.paths import check_columns, compression_option, files, partitions, skipped_folders
from imputedb.engines.reading import Reading
from imputedb.errors import DataError, StorageError, UnknownName
from imputedb.notes import Note, NoteKind
from imputedb.sql.paths import one_file, quoted
from imputedb.sql.tokens import string_literal
from imputedb.statistics.policy import DEFAULT

if TYPE_CHECKING:
    from imputedb.engines.duckdb.engine import DuckDB

_READERS = {
    ".parquet": "read_parquet(?)",
    ".json": "read_json_auto(?)",
    ".jsonl": "read_json_auto(?)",
    ".ndjson": "read_json_auto(?)",
}
KINDS = (*text_files.SUFFIXES, *_READERS, *foreign.KINDS)
"""Suffixes of the names of files that can be loaded."""


def load(
    engine: DuckDB, paths: Sequence[str], table: str | None, missing: Missing, reading: Reading, *, replace: bool
) -> list[str]:
    """Loads each file into a table named after it, or the files of one pattern into `table`; all or none.

    Raises:
        StorageError: a file cannot be read, or the database cannot be written.
        DataError: a file holds no table, the table exists already, or several files would become the same table.
        UnknownName: no file has a column for which missing values are declared.
    """
    if table and len(paths) > 1:
        raise DataError(
            f"{len(paths)} files cannot all become the one table {table}: give a pattern or a folder, or no table"
        )
    if engine.session.read_only:
        raise StorageError(f"{engine.session.path} is open for reading only: nothing can be loaded into it")
    places = [address(path, reading.password_file) for path in paths]
    if any(places):
        if len(paths) > 1:
            raise DataError("a table of a database must be loaded alone: load the others by another call")
        return [_from_database(engine, places[0], table, missing, reading, replace=replace)] if places[0] else []
    if reading.query is not None:
        raise DataError("a query can only be sent to a database, such as postgresql://...: files are loaded whole")
    named = [(table, files(path, KINDS)) for path in paths]
    if not table:
        named = [one for path, (_, found) in zip(paths, named, strict=True) for one in _tables_of(path, found)]
    names, wanted = [str(name) for name, _ in named], [some for _, some in named]
    if twice := next((name for place, name in enumerate(names) if name.lower() in map(str.lower, names[:place])), None):
        alike = [str(some[0]) for name, some in zip(names, wanted, strict=True) if name.lower() == twice.lower()]
        raise DataError(
            f"two of the files would be the table {twice}, {alike[0]} and {alike[1]}: load one of them alone as "
            "another table (--table), or partitions by the name of their folder"
        )
    left = set(missing)
    with _loading(engine, ", ".join(paths)):
        engine.session.remarks += [_passed_over(folder) for path in paths for folder in skipped_folders(path, KINDS)]
        for name, some in zip(names, wanted, strict=True):
            made = _place(engine, name)
            _drop_replaced(engine, made, replace=replace)
            left -= _filled(engine, made, some, missing, reading)
        if left:
            raise UnknownName(f"no column {sorted(left)[0]!r} in {', '.join(names)}")
    return names


def _tables_of(path: str, found: list[str]) -> list[tuple[str | None, list[str]]]:
    """The tables of a path, with their files: one table of all partitions of a folder, otherwise one of each file."""
    if partitions(path, KINDS):
        return [(Path(path).resolve().name, found)]
    return [(_plain(file).stem, [file]) for file in found]


def _passed_over(folder: str) -> Note:
    """The note that the files of a folder are not loaded."""
    words = (
        f"{folder} is passed over, as its name begins with {Path(folder).name[0]!r}: load its files by a pattern if "
        "they belong to the table"
    )
    return Note(NoteKind.READ_AS, folder, words)


def _from_database(
    engine: DuckDB, place: Address, table: str | None, missing: Missing, reading: Reading, *, replace: bool
) -> str:
    """Creates a table of one in a database, or of a query there, and returns its name."""
    name = table
    if name is None and place.system in ("Delta Lake", "Iceberg"):
        name = Path(place.path).resolve().stem
    if name is None and reading.query is not None:
        raise DataError("the rows of a query need the name of a table that they become: give one")
    with _loading(engine, place.shown), closing(filling.read(place, table, reading)) as rows:
        made = _place(engine, str(name))
        _drop_replaced(engine, made, replace=replace)
        filling.fill(engine, made, place, rows)
        engine.session.writes.record_definition()
        MissingWords(engine, made, missing, reading.na or (), forms.forms((), reading.dates)).declare()
    return str(name)


def _filled(engine: DuckDB, made: Table, some: Sequence[str], missing: Missing, reading: Reading) -> set[str]:
    """Creates a table of files, and returns its columns for which the user declares missing values."""
    suffix, words = _suffix(some), reading.na
    tried, every, declared = forms.PLAIN, True, dict[str, Sequence[object]]()
    if suffix in text_files.SUFFIXES:
        tried = text_files.create(engine, made, text_files.TextFiles(made.name, some, reading))
    elif suffix in _READERS:
        squeezed = {compression_option(file) for file in some} if suffix != ".parquet" else set()
        source = _READERS[suffix].removesuffix(")") + (squeezed.pop() if len(squeezed) == 1 else "") + ")"
        check_columns(engine.connection, source, some)
        given = [[one_file(file) for file in some]]
        engine.session.rows(f"CREATE TABLE {quoted(made.path)} AS FROM {source}", given)
        every = False  # these formats have types, so text stays text
    else:
        if len({tuple(part for part in Path(file).parts[:-1] if "=" in part) for file in some}) > 1:
            raise DataError(
                f"{some[0]} is in a partition, a column of text, Parquet and JSON alone: load it separately"
            )
        read = foreign.read(some, suffix, reading)
        frame = readable(made.name, read.frame)
        _create(engine, made, frame)
        engine.session.remarks += read.notes
        every, declared = read.texts, dict(read.missing)
        tried = forms.forms((), reading.dates) if read.texts else forms.PLAIN
        _comment(engine, made, read.comments)
    engine.session.writes.record_definition()
    here = {column for column in missing if _exists(engine, made, column)}
    declared = {**declared, **{column: missing[column] for column in here}}
    MissingWords(engine, made, declared, words if every or words else (), tried, every).declare()
    return here


def _comment(engine: DuckDB, made: Table, comments: Mapping[str, str]) -> None:
    for column, text in comments.items():
        engine.session.rows(f"COMMENT ON COLUMN {quoted((*made.path, column))} IS {string_literal(text)}")


def _suffix(some: Sequence[str]) -> str:
    """The common suffix of the files of one table.

    Raises:
        DataError: they are of several kinds, or of none that can be read.
    """
    suffixes = {_plain(file).suffix.lower(): file for file in some}
    kinds = {
        "text" if one in text_files.SUFFIXES else _READERS.get(one, foreign.KINDS.get(one, one)) for one in suffixes
    }
    if len(kinds) > 1:
        raise DataError(f"{' and '.join(list(suffixes.values())[:2])} are files of two kinds, and cannot be one table")
    suffix, file = next(iter(suffixes.items()))
    if suffix in (".zip", ".bz2", ".xz", ".7z", ".tar"):
        raise DataError(f"{file} is packed: unpack it first, or pack it as .gz or .zst, which are read as they are")
    if suffix not in KINDS:
        raise DataError(f"{file}: files end in {', '.join(KINDS)}; this one's kind is unknown")
    return suffix


def _place(engine: DuckDB, name: str) -> Table:
    """The path of a new table of a name, in the current schema."""
    catalog, schema = engine.session.rows("SELECT current_database(), current_schema()")[0]
    return Table(catalog, schema, name)


def _exists(engine: DuckDB, table: Table, column: str) -> bool:
    return column.lower() in (known.lower() for known in engine.tables.shape(table).types)


def register(
    engine: DuckDB,
    name: str,
    frame: Any,
    missing: Missing,
    na: Sequence[str] = (),
    *,
    replace: bool,
    kept: bool = False,
) -> None:
    """Copies a data frame, an Arrow table, or a dictionary of arrays into a table; a temporary one unless `kept`.

    Raises:
        DataError: the object is none of these.
    """
    with _loading(engine, name):
        made = _place(engine, name) if kept else Table("temp", "main", name)
        _drop_replaced(engine, made, replace=replace)
        read = readable(name, frame)
        _create(engine, made, read)
        MissingWords(engine, made, missing, na).declare()
        _unordered(engine, made, levels.nominal_numbers(read))


def _create(engine: DuckDB, made: Table, frame: Any) -> None:
    name, kind = f"imputedb_{secrets.token_hex(8)}", "TEMP TABLE" if made.catalog == "temp" else "TABLE"
    try:
        engine.connection.register(name, frame)
    except duckdb.Error as error:
        odd = _unreadable_column(engine, frame) or f"{type(frame).__name__} has no columns DuckDB knows"
        raise DataError(f"{made.name} cannot be read as a table: {odd.rstrip(': ')}") from error
    try:
        engine.session.rows(f"CREATE {kind} {quoted(made.path)} AS {_copied(engine, name, frame)}")
        for column, ordered in levels.levels_of_ordered_text(frame).items():
            values = ", ".join(map(string_literal, ordered))
            engine.session.rows(f"ALTER TABLE {quoted(made.path)} ALTER {quoted((column,))} TYPE ENUM ({values})")
    except (duckdb.NotImplementedException, duckdb.InvalidInputException) as error:
        locked = duckdb_errors.translated(error)
        if isinstance(locked, StorageError):
            raise locked from error
        raise DataError(f"{made.name} was not loaded: {_unreadable_column(engine, frame)}{_reason(error)}") from error
    finally:
        with suppress(duckdb.Error):
            engine.connection.unregister(name)


def _unordered(engine: DuckDB, made: Table, columns: Sequence[str]) -> None:
    """Declares columns of numbers to be nominal, unless a policy states their measure."""
    policies = engine.store.policies(made)
    for column in columns:
        policy = policies.get(column, DEFAULT)
        if policy.measure is None:
            engine.store.decide(made, column, policy.changed({"measure": "nominal"}))
    engine.session.writes.record_definition()


def _copied(engine: DuckDB, name: str, frame: Any) -> str:
    """The query that copies a frame; unordered text stays text where DuckDB would read it as an ENUM."""
    stand = levels.ordered_enums(frame)
    described = engine.session.rows(f"DESCRIBE FROM {name}")
    texts = [
        f"CAST({quoted((column,))} AS VARCHAR) AS {quoted((column,))}"
        for place, (column, kind, *_) in enumerate(described)
        if kind.startswith("ENUM(") and place not in stand
    ]
    return f"SELECT * REPLACE ({', '.join(texts)}) FROM {name}" if texts else f"FROM {name}"


def _unreadable_column(engine: DuckDB, frame: Any) -> str:
    """The first column that DuckDB cannot read, as the beginning of a sentence; empty if it reads all."""
    for column in getattr(frame, "column_names", getattr(frame, "columns", ())):
        with engine.connection.cursor() as connection:
            try:
                connection.register("one", frame.select([column]) if hasattr(frame, "select") else frame[[column]])
                connection.execute("FROM one LIMIT 1").fetchall()
            except Exception:  # libraries raise errors of any class
                return f"column {str(column)!r} of type {type(frame[column]).__name__} cannot be read: "
    return ""


def _plain(path: str) -> Path:
    """A path without the suffix of a compression."""
    return Path(path.removesuffix(".gz").removesuffix(".zst"))


@contextmanager
def _loading(engine: DuckDB, what: str) -> Iterator[None]:
    """A transaction around a load, with translated errors; a failed load leaves nothing behind."""
    with engine.lock, engine.session.writes.writing():
        try:
            with engine.session.transaction():  # the user's own where there is one
                yield
        except BaseException as error:
            engine.store.reread()
            engine.session.taken()
            raise _translated(what, error) from error
        finally:
            engine.session.writes.record_definition()


def _drop_replaced(engine: DuckDB, made: Table, *, replace: bool) -> None:
    """Drops the table that a new one replaces.

    Raises:
        DataError: it is not to be replaced, or a temporary table or view of its name would hide the new one.
    """
    there, meant = engine.tables.meant(made.path), engine.tables.meant((made.name,))
    if meant is not None and made.catalog != "temp" and meant.catalog == "temp":
        raise DataError(f"there is a temporary table or view {made.name}, which would hide it: give another name")
    if not isinstance(there, Table):
        return
    if not replace:
        raise DataError(f"there is a table {made.name} already: replace it, or give another name")
    engine.session.rows(f"DROP TABLE {quoted(there.path)}")
    engine.session.writes.record_definition()


def _translated(what: str, error: BaseException) -> BaseException:
    if not isinstance(error, duckdb.Error) or isinstance(error, duckdb.InterruptException):
        return error
    if isinstance(duckdb_errors.translated(error), StorageError):
        return duckdb_errors.translated(error)
    if isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException | duckdb.FatalException):
        return StorageError(f"{what} was not loaded: {_reason(error)}")
    return DataError(f"{what} was not loaded: {_reason(error)}")


def _reason(error: duckdb.Error) -> str:
    """DuckDB's error message, without the settings that its CSV reader lists."""
    of_file = duckdb_errors.of_file(str(error))
    if of_file:
        return of_file
    text = duckdb_errors.reason(str(error)).partition("\n\nLINE 1: ")[0]
    lines = [line.strip() for line in text.splitlines() if line.strip() and " = " not in line]
    return "; ".join(line for line in lines if not line.startswith("Possible Solution: Enable ignore errors"))
