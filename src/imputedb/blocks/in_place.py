"""Parquet files that miss nothing of what is read, told from what they say of themselves: they are read in place.

Then DuckDB passes over row groups and columns that a query does not need; other files are copied, all of them, once.
"""

from collections.abc import Iterator, Mapping, Sequence

from imputedb import duckdb_errors
from imputedb.blocks.files import VIRTUAL
from imputedb.blocks.reads import Read, Reads
from imputedb.engines.engine import Engine
from imputedb.errors import Error
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import arguments_of, function_of, is_call, is_text, options_of, path_of, text_of
from imputedb.sql.items import call_in, column_names_of, is_table, number_of, unnamed

_READERS = ("read_parquet", "parquet_scan")
_OPTIONS = ("filename", "file_row_number", "binary_as_string", "union_by_name")
"""Under which the columns of a file are those that it says of itself."""
_FLOATING = ("FLOAT", "DOUBLE")

_METADATA = """
    SELECT path_in_schema, sum(stats_null_count), bool_or(stats_null_count IS NULL), count(DISTINCT file_name),
        (SELECT count(DISTINCT file_name) FROM parquet_file_metadata($files) WHERE num_rows > 0)
    FROM parquet_metadata($files) GROUP BY path_in_schema
"""


def complete(engine: Engine, reads: Reads, whole: Tree, items: Sequence[Tree]) -> bool:
    """Whether nothing that a resolved statement reads is missing, neither of its files nor of stored tables."""
    if not all(map(_parquet, items)) or reads.dirty(whole):
        return False
    read = reads.of(whole)
    return all(_misses_nothing(engine, item, read.get(number_of(item), Read()).completed) for item in items)


def _misses_nothing(engine: Engine, item: Tree, columns: set[str]) -> bool:
    """Whether an item of FROM is a Parquet file, or several, that holds a value in every row of some columns."""
    files = _parquet(item)
    if files is None:
        return False
    if not columns:
        return True
    try:
        found = _counted(engine, files)
        wanted = {name for name in columns if name not in VIRTUAL or name in found}
        if not all(found.get(name.lower(), False) for name in wanted):
            return False
        return not _holds_nan(engine, item, wanted)
    except (Error, duckdb_errors.Refused):  # whoever reads the file says what is wrong with it
        return False


def _counted(engine: Engine, files: str | list[str]) -> Mapping[str, bool]:
    """Whether a column, by its name in lower case, has no NULL in any file."""
    rows = engine.fetched(_METADATA, {"files": files})
    return {name.lower(): nulls == 0 and not unknown and count == all_ for name, nulls, unknown, count, all_ in rows}


def _holds_nan(engine: Engine, item: Tree, columns: set[str]) -> bool:
    """Whether a floating column holds NaN, which is missing, and which files do not tell of."""
    plain = unnamed(item)
    described = engine.fetched(f"DESCRIBE {engine.text(t.select([t.star()], plain))}")
    floating = [name for name, kind, *_ in described if name in columns and kind in _FLOATING]
    if not floating:
        return False
    asked = [t.call("bool_or", t.call("isnan", t.reference(name))) for name in floating]
    return any(engine.rows(t.select(asked, plain))[0])


def _parquet(item: Tree) -> str | list[str] | None:
    """The names of the Parquet files that an item of FROM reads, given as literals; None of any other.

    None also of one that gives columns other names: then a name does not tell which column of the file is read.
    """
    if column_names_of(item):
        return None
    if is_table(item):
        name = path_of(item)[-1]
        return name if name.lower().endswith(".parquet") else None
    function = call_in(item)
    if function_of(function) not in _READERS:
        return None
    if not all(option in _OPTIONS for option in options_of(function)[1:]):
        return None
    names = list(_literals(arguments_of(function)[0]))
    return names if all(names) and names else None


def _literals(tree: Tree) -> Iterator[str]:
    """The texts of a literal or a list of them; an empty one of anything else."""
    if is_call(tree) and function_of(tree) == "list_value":
        for argument in arguments_of(tree):
            yield from _literals(argument)
    else:
        yield text_of(tree) if is_text(tree) else ""
