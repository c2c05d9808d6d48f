"""Text files in FROM, read as `load` reads them, so that a query finds the same values in them as in the table."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import duckdb

from imputedb.algebra.relation import Table
from imputedb.engines.duckdb import encodings, ragged, text_files
from imputedb.engines.duckdb.forms import TextForm
from imputedb.engines.duckdb.kept_files import Version, version
from imputedb.engines.duckdb.missing_words import MissingWords, QueryFile
from imputedb.engines.duckdb.paths import check_partitions, compression_option
from imputedb.engines.duckdb.text_files import TextFiles
from imputedb.engines.reading import Reading
from imputedb.errors import StorageError
from imputedb.notes import Note, NoteKind
from imputedb.sql.ast import Tree
from imputedb.sql.csv_files import columns_of_types, csv_files
from imputedb.sql.expression import function_of
from imputedb.sql.paths import quoted
from imputedb.sql.subqueries import nodes
from imputedb.sql.tokens import string_literal

if TYPE_CHECKING:
    from imputedb.engines.duckdb.engine import DuckDB

WHOLE = 1 << 24
"""Size in bytes up to which files are examined in whole to detect their format."""

LOOKED_AT = 20_480
"""Rows of larger files that are looked at, as many as by DuckDB itself."""

_CONSTANT = {"", "list_value", "struct_pack", "row"}
"""Functions in options that give the same in every statement."""

_LEFT = ("columns", "auto_detect", "all_varchar", "compression", "store_rejects", "rejects_table", "rejects_scan")
"""Options under which DuckDB alone reads files: they state every column's type, or leave tables behind."""


@dataclass(frozen=True, slots=True)
class TextItem:
    """Files of text that an item of FROM reads as `load` reads them.

    Attributes:
        engine: engine whose session reads them.
        name: first name or pattern of the item.
        files: files, and how they are read.
        types: option that states the types of columns; None where there is none.
        is_constant: whether its options mean the same in every statement.
    """

    engine: DuckDB
    name: str
    files: TextFiles
    types: Tree | None
    is_constant: bool

    @property
    def key(self) -> Hashable:
        """What tells these files and options from any other."""
        files = self.files
        paths, stated = tuple(map(os.path.abspath, files.paths)), tuple(sorted(files.stated.items()))
        return (files.title, self.name, paths, stated, files.reading.encoding)

    def versions(self) -> tuple[Version, ...]:
        """The states of the files.

        Raises:
            StorageError: one is gone.
        """
        try:
            return tuple(map(version, self.files.paths))
        except OSError as error:
            raise StorageError(f"{self.files.title} cannot be read: {error}") from error

    def made(self) -> Table:
        """A temporary table of their rows, with remarks on what was made of them.

        Raises:
            DataError: a file holds no table, or is not of its encoding.
        """
        remarks = self.engine.session.remarks
        before = len(remarks)
        try:
            return self._made()
        except BaseException:
            del remarks[before:]
            raise

    def _made(self) -> Table:
        engine, files = self.engine, self.files
        made = Table("temp", "main", engine.temporary.reserve(title=files.title), files.title)
        tried = _made(engine, made, files)
        left = () if self.types is None else columns_of_types(self.types)
        again = f"read_csv({string_literal(self.name)}" + "".join(
            f", {name} = {value}" for name, value in files.stated.items()
        )
        if left is not None:
            words = None if files.reading.na is None else ()
            MissingWords(engine, made, {}, words, tried, True, left, QueryFile(files.title, again)).declare()
        return made


def text_item(engine: DuckDB, item: Tree) -> TextItem | None:
    """The files of text of an item of FROM.

    None of what is left to DuckDB: other items, files that lie elsewhere, those of which the query says all.
    """
    found = csv_files(item)
    if found is None:
        return None
    stated = _stated(engine, found.options)
    paths = _paths(engine, found.names)
    left = [name for name in _LEFT if name in stated and not _is_redundant(engine, name, stated[name], paths)]
    if left:
        _remark_on_left(engine, found.names[0], left[0], stated)
        return None
    stated = {name: value for name, value in stated.items() if name not in _LEFT}
    if "hive_partitioning" not in stated:
        check_partitions(paths)
    encoding = _value(engine, stated.pop("encoding"), "VARCHAR") if "encoding" in stated else None
    is_moved = "filename" in stated and (encoding or any(encodings.found_out(path, WHOLE) for path in paths))
    if not paths or is_moved:  # rows of a copy would report the copy's name
        return None
    reading = Reading(na=() if "nullstr" in stated else None, encoding=encoding)
    first = os.path.basename(found.names[0])
    title = first if len(found.names) == 1 else f"{first} and others"
    types = next((found.options[name] for name in text_files.OF_TYPES if name in stated), None)
    called = {function_of(part) for option in found.options.values() for part in nodes(option)}
    return TextItem(engine, found.names[0], TextFiles(title, paths, reading, stated), types, called <= _CONSTANT)


def _is_redundant(engine: DuckDB, option: str, value: str, paths: Sequence[str]) -> bool:
    """Whether an option states what holds without it."""
    match option:
        case "all_varchar":
            return _value(engine, value, "BOOLEAN") is False
        case "auto_detect":
            return _value(engine, value, "BOOLEAN") is True
        case "compression":
            said, kinds = str(_value(engine, value, "VARCHAR")).lower(), {compression_option(path) for path in paths}
            return said == "auto" or kinds == {"" if said == "none" else f", compression = '{said}'"}
    return False


def _remark_on_left(engine: DuckDB, name: str, option: str, stated: Mapping[str, str]) -> None:
    """Says what an option means for words that stand for a missing value, unless these are stated too."""
    if "nullstr" in stated:
        return
    words = (
        f"{name}: as {option} is stated, the file is read as DuckDB reads it: words such as NA are text, unless "
        "nullstr = ['', 'NA'] of read_csv(...) makes them NULL"
    )
    engine.session.remarks.append(Note(NoteKind.READ_AS, name, words))


def _stated(engine: DuckDB, options: Mapping[str, Tree]) -> dict[str, str]:
    """DuckDB's options as SQL; boolean ones are evaluated to `true` or `false`."""
    stated = dict(zip(options, engine.written(list(options.values())), strict=True))
    known = {name: _value(engine, stated[name], "BOOLEAN") for name in ragged.SWITCHES if name in stated}
    return {**stated, **{name: str(value).lower() for name, value in known.items() if value is not None}}


def _value(engine: DuckDB, text: str, kind: str) -> Any:
    """The value of an option; None unless it has its type, in which case DuckDB refuses it."""
    return engine.session.rows(f"SELECT TRY_CAST(({text}) AS {kind})")[0][0]


def _paths(engine: DuckDB, names: Sequence[str]) -> list[str]:
    """The files of names and patterns; empty where statements may not read files, or one is not local."""
    allowed = "SELECT current_setting('enable_external_access')"
    if any("://" in name for name in names) or not engine.session.rows(allowed)[0][0]:
        return []
    found = [[path for (path,) in engine.session.rows("SELECT file FROM glob(?)", [name])] for name in names]
    every = [path for some in found for path in some]
    return every if all(found) and all(map(os.path.isfile, every)) else []


def _made(engine: DuckDB, made: Table, files: TextFiles) -> tuple[TextForm, ...]:
    """Creates the table; the format of large files is detected from their first rows, or from all if that fails."""
    files = _with_rejects(engine, files)
    in_whole = sum(map(os.path.getsize, files.paths)) <= WHOLE
    if in_whole or engine.session.in_transaction or "sample_size" in files.stated:
        tried = text_files.create(engine, made, files)
    else:
        before = len(engine.session.remarks)
        try:
            tried = text_files.create(engine, made, replace(files, rows=LOOKED_AT, most=WHOLE))
            words = f"{files.title}: how it is written was told from its first {LOOKED_AT:,} rows"
            engine.session.remarks.append(Note(NoteKind.READ_AS, files.title, words))
        except duckdb.Error:  # later rows have another format
            del engine.session.remarks[before:]
            engine.session.rows(f"DROP TABLE IF EXISTS {quoted(made.path)}")
            tried = text_files.create(engine, made, files)
    _remark_on_rejects(engine, files)
    return tried


def _with_rejects(engine: DuckDB, files: TextFiles) -> TextFiles:
    """The files, with a table of skipped lines where the query allows lines to be skipped."""
    if not ragged.is_on(files.stated, "ignore_errors"):
        return files
    if ragged.is_on(files.stated, "union_by_name"):
        words = f"{files.title}: lines that do not fit are left out, as ignore_errors has it; union_by_name counts none"
        engine.session.remarks.append(Note(NoteKind.READ_AS, files.title, words))
        return files
    tables = {name: string_literal(engine.temporary.reserve("rows")) for name in ("rejects_table", "rejects_scan")}
    return replace(files, stated={**files.stated, "store_rejects": "true", **tables})


def _remark_on_rejects(engine: DuckDB, files: TextFiles) -> None:
    """Notes the lines that were skipped."""
    tables = [files.stated[name].strip("'") for name in ("rejects_table", "rejects_scan") if name in files.stated]
    if not tables:
        return
    text = f"SELECT count(DISTINCT (file_id, line)), min(line), arg_min(csv_line, line) FROM temp.{tables[0]}"
    count, line, shown = engine.session.rows(text)[0]
    engine.temporary.unmake("TABLE", tables)
    if count:
        words = (
            f"{files.title}: {count:,} lines do not fit and are left out, as ignore_errors has it, such as line "
            f"{line}: {str(shown)[:80]!r}"
        )
        engine.session.remarks.append(Note(NoteKind.READ_AS, files.title, words))
