"""Parquet files without missing values in the read columns, by their metadata, which are read in place.

DuckDB can then skip row groups and columns that a query does not need. All other files are copied completely, once.
"""

from collections.abc import Mapping, Sequence

from imputedb import duckdb_errors
from imputedb.blocks.files import VIRTUAL
from imputedb.blocks.reads import Read, Reads
from imputedb.engines.engine import Engine
from imputedb.errors import Error
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.items import column_names_of, number_of, without_alias
from imputedb.sql.parquet_files import parquet_files

_OPTIONS = ("filename", "file_row_number", "binary_as_string", "union_by_name")
"""Under which the columns of a file are those that it says of itself."""
_FLOATING = ("FLOAT", "DOUBLE")

_METADATA = """
    SELECT path_in_schema, sum(stats_null_count), bool_or(stats_null_count IS NULL), count(DISTINCT file_name),
        (SELECT count(DISTINCT file_name) FROM parquet_file_metadata($files) WHERE num_rows > 0)
    FROM parquet_metadata($files) GROUP BY path_in_schema
"""


def complete(engine: Engine, reads: Reads, whole: Tree, items: Sequence[Tree]) -> bool:
    """Whether nothing that a resolved statement reads is missing, in files or in stored tables."""
    if not all(map(_parquet, items)) or reads.dirty(whole):
        return False
    read = reads.of(whole)
    return all(_misses_nothing(engine, item, read.get(number_of(item), Read()).completed) for item in items)


def _misses_nothing(engine: Engine, item: Tree, columns: set[str]) -> bool:
    """Whether an item of FROM is one or more Parquet files without NULL in some columns."""
    files = _parquet(item)
    if not files:
        return False
    if not columns:
        return True
    try:
        found = _counted(engine, files)
        wanted = {name for name in columns if name not in VIRTUAL or name in found}
        if not all(found.get(name.lower(), False) for name in wanted):
            return False
        return not _holds_missing(engine, item, wanted, columns - wanted)
    except (Error, duckdb_errors.Refused):  # reading the file raises the error
        return False


def _counted(engine: Engine, files: list[str]) -> Mapping[str, bool]:
    """By lower-case column name, whether it has no NULL in any file."""
    rows = engine.fetched(_METADATA, {"files": files})
    return {name.lower(): nulls == 0 and not unknown and count == all_ for name, nulls, unknown, count, all_ in rows}


def _holds_missing(engine: Engine, item: Tree, columns: set[str], unsaid: set[str]) -> bool:
    """Whether a floating-point column has NaN, which metadata do not show, or a partition's value is NULL.

    Partitions may have names of columns that all files have, such as `filename`; a star then includes these `unsaid`.
    """
    plain = without_alias(item)
    described = engine.fetched(f"DESCRIBE {engine.text(t.select([t.star()], plain))}")
    floating = [name for name, kind, *_ in described if name in columns and kind in _FLOATING]
    shown = [name for name, *_ in described if name.lower() in unsaid]
    if not floating and not shown:
        return False
    tests = [t.call("isnan", t.reference(name)) for name in floating]
    tests += [t.is_missing(t.reference(name)) for name in shown]
    return any(engine.rows(t.select([t.call("bool_or", one) for one in tests], plain))[0])


def _parquet(item: Tree) -> list[str]:
    """The names of the Parquet files of an item of FROM, given as literals; empty for any other.

    Also empty where columns are renamed, so that a name does not identify a column of the file.
    """
    return [] if column_names_of(item) else parquet_files(item, _OPTIONS)
