"""Rows of files and of other FROM items as tables for one statement: copied, or read in place."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import duckdb

from imputedb.algebra.relation import Table
from imputedb.engines.cache import OF_STRUCTURE
from imputedb.engines.duckdb.kept_files import KeptFiles, Version, version
from imputedb.engines.duckdb.session import Session
from imputedb.engines.duckdb.sharing import SessionCache
from imputedb.engines.duckdb.statements import SyntaxTrees
from imputedb.engines.duckdb.statistics import Gathering
from imputedb.engines.duckdb.tables import Tables
from imputedb.engines.duckdb.temporary import Temporary
from imputedb.engines.duckdb.text_items import TextItem
from imputedb.engines.entries import Shape
from imputedb.errors import DataError
from imputedb.sql import ast as t
from imputedb.sql import parse
from imputedb.sql.ast import Tree
from imputedb.sql.parquet_files import parquet_files
from imputedb.statistics.table import Statistics

COPIED = 200_000
"""Largest number of cells of Parquet files that are copied; larger files are read in place by every statement."""

_ROW_ID = "rowid"
_OPTIONS = ("file_row_number", "binary_as_string", "union_by_name", "hive_partitioning", "hive_types")
"""Options under which each row still reports its file's name beside the file's columns."""
_CHANGED = "the files in FROM have become others while they were read: ask again"
_FOOTERS = "SELECT file_name, num_rows FROM parquet_file_metadata($files)"


@dataclass(frozen=True, slots=True)
class _ParquetFile:
    """A Parquet file that is read in place.

    Attributes:
        name: the file's name, as its rows report it.
        rows: the number of its rows.
        version: identifies the present contents of the file.
    """

    name: str
    rows: int
    version: Version


@dataclass(frozen=True, slots=True)
class Copies:
    """Tables over FROM items, for the statements of one session.

    Attributes:
        text_item: gives the text files of an item that are read in the way they are loaded; None for other items.
        kept: cache of the tables of such files.
        read: by table name, the files that the table reads in place.
    """

    session: Session
    texts: SyntaxTrees
    tables: Tables
    gathering: Gathering
    temporary: Temporary
    memory: SessionCache
    text_item: Callable[[Tree], TextItem | None]
    kept: KeptFiles
    read: dict[str, tuple["_ParquetFile", ...]] = field(default_factory=dict)

    def copied(self, item: Tree, virtual: Sequence[str] = ()) -> Table:
        """A temporary table or view of the rows of an item, registered with its statistics.

        It has the columns that a star shows, and the `virtual` ones, which a star of the table does not show.
        """
        with self.session.lock:
            if not virtual and (found := self.text_item(item)) is not None:
                return self._loaded(found)
            text = self.texts.text(t.select([t.star(), *map(t.reference, virtual)], item))
            names, types = parse.shape(self.session.connection, text)
            columns = dict(zip(names, types, strict=True))
            files = self._read_in_place(item, columns)
            if not files:
                return self._adopted(Table("temp", "main", self.temporary.copy(text)), virtual)
            table = Table("temp", "main", self.temporary.fresh("file"))
            rows = self._with_row_ids(item, files, len(names) - len(virtual), virtual)
            self.temporary.make("VIEW", table.name, [*names, _ROW_ID], rows)
            for name in self.read.keys() - {one.name for one in self.tables.adopted}:
                del self.read[name]
            self.read[table.name] = files
            self.tables.adopt(table, columns, self._file_statistics(table, columns, (text, files)), (*virtual, _ROW_ID))
            return table

    def _loaded(self, item: TextItem) -> Table:
        """The table of files of text, kept or made; remarks are the same.

        Raises:
            DataError: a file has changed while it was read.
        """
        versions, remarks = item.versions(), self.session.remarks
        known = self.kept.recall(item.key, versions) if item.is_constant else None
        if known is not None:
            remarks += known.notes
            self.tables.adopt(known.table, known.shape.types, known.statistics)
            return known.table
        before = len(remarks)
        table = self._adopted(item.made(), ())
        if item.versions() != versions:
            self.temporary.unmake("TABLE", [table.name])
            self.tables.disown(table.name)
            del remarks[before:]
            raise DataError(f"{item.files.title}: {_CHANGED}")
        if item.is_constant:
            self.kept.keep(item.key, table, versions, remarks[before:])
        return table

    def _adopted(self, table: Table, virtual: Sequence[str]) -> Table:
        names, types = parse.shape(self.session.connection, f"FROM temp.{table.name}")
        columns = dict(zip(names, types, strict=True))
        self.tables.adopt(table, columns, self.gathering.profiled(table, Shape(columns)), virtual)
        return table

    def check(self, tables: Collection[Table]) -> None:
        """Raises an error if files that these tables read in place have changed since the tables were made.

        Raises:
            DataError: a file has another size or time, is another file, or is gone.
        """
        for file in (file for table in tables for file in self.read.get(table.name, ())):
            try:
                same = version(file.name) == file.version
            except OSError:
                same = False
            if not same:
                raise DataError(f"{file.name}: {_CHANGED}")

    def _with_row_ids(self, item: Tree, files: Sequence[_ParquetFile], shown: int, virtual: Sequence[str]) -> str:
        """The rows of Parquet files with numbers from 0, in the order in which they come.

        A file is identified by its name, since its place among the files read changes where a filter has left some out.
        The columns that give file and row number may share names with columns of the file, its folder or an option. The
        first `shown` columns are therefore renamed.
        """
        named = {**item, "alias": "file", "column_name_alias": [f"c{place}" for place in range(shown)]}
        ends = list(accumulate(file.rows for file in files))
        place = t.call("list_position", _list(t.literal(file.name) for file in files), t.reference("filename"))
        first, end = (t.call("list_extract", _list(map(t.number, rows)), place) for rows in ([0, *ends[:-1]], ends))
        number = t.arithmetic("+", first, t.cast(t.reference("file_row_number"), t.plain_type("BIGINT")))
        beyond = t.compared("COMPARE_GREATERTHANOREQUALTO", number, end)
        row_id = t.coalesce(t.null_where(beyond, number), t.call("error", t.literal(_CHANGED)))
        return self.texts.text(t.select([t.star(), *map(t.reference, virtual), row_id], named))

    def _file_statistics(self, table: Table, columns: dict[str, str], key: object) -> Statistics:
        """The statistics of files, gathered once for each version of these."""
        name = ("statistics of files", key)
        found: Statistics | None = self.memory.recall(name)
        if found is None:
            found = self.gathering.profiled(table, Shape(columns))
            self.memory.keep(name, found, tables=OF_STRUCTURE)
        return found

    def _read_in_place(self, item: Tree, columns: dict[str, str]) -> tuple[_ParquetFile, ...]:
        """The Parquet files of an item that are read in place; empty where it is copied.

        An item is copied if it is small, if the system cannot tell sizes and times of its files, if it names a file
        twice, or if a column's name conflicts.
        """
        names = parquet_files(item, _OPTIONS)
        if not names or _ROW_ID in map(str.lower, columns):
            return ()
        try:
            found = self.session.rows(_FOOTERS, {"files": names})
            files = tuple(_ParquetFile(name, rows, version(name)) for name, rows in found)
        except (duckdb.Error, OSError):
            return ()
        few = sum(file.rows for file in files) * len(columns) <= COPIED
        return () if few or len({file.name for file in files}) < len(files) else files


def _list(values: Iterable[Tree]) -> Tree:
    return t.call("list_value", *values)
