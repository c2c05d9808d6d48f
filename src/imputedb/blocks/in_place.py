"""Parquet files that miss nothing of what is read, told from what they say of themselves: they are read in place.

Then DuckDB passes over row groups and columns that a query does not need; other files are copied, all of them, once.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imputedb import duckdb_errors
from imputedb.blocks.files import VIRTUAL
from imputedb.blocks.reads import Read, Reads
from imputedb.engines.engine import Engine
from imputedb.errors import Error
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import function_of, is_call

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
    return all(_misses_nothing(engine, item, read.get(item["number"], Read()).completed) for item in items)


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
    plain = {**item, "column_name_alias": [], "sample": None}
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
    if item.get("column_name_alias"):
        return None
    if item["type"] == "BASE_TABLE":
        name = str(item["table_name"])
        return name if name.lower().endswith(".parquet") else None
    function = item["function"]
    if function_of(function) not in _READERS:
        return None
    first, *options = function["arguments"]
    if not all(_option(one) in _OPTIONS for one in options):
        return None
    names = list(_literals(first["expression"]))
    return names if all(names) and names else None


def _option(argument: Mapping[str, Any]) -> str:
    """The name of an option, given as `name := value` or as `name = value`."""
    named = argument["expression"].get("left", {}).get("column_names", [""])
    return str(argument["name"] or named[-1]).lower()


def _literals(tree: Tree) -> Iterator[str]:
    """The texts of a literal or a list of them; an empty one of anything else."""
    if tree.get("class") == "CONSTANT":
        literal = tree.get("literal", {})
        yield str(literal.get("text", "")) if literal.get("kind") == "STRING" else ""
        return
    if is_call(tree) and tree.get("function_name") == "list_value":
        for argument in tree["arguments"]:
            yield from _literals(argument["expression"])
        return
    yield ""
