"""Parquet files that an item of FROM reads."""

from collections.abc import Collection

from imputedb.sql.ast import Tree
from imputedb.sql.expression import arguments_of, function_of, options_of, path_of
from imputedb.sql.items import call_in, is_table, is_table_function
from imputedb.sql.reading_functions import texts_in

_READERS = ("read_parquet", "parquet_scan")


def parquet_files(item: Tree, options: Collection[str] | None = None) -> list[str]:
    """The names and patterns of the Parquet files of an item of FROM; empty for any other item.

    Args:
        item: name of a file, or a function call with literals.
        options: options that the call may have; any by default.
    """
    if is_table(item):
        name = path_of(item)[-1]
        return [name] if name.lower().endswith(".parquet") else []
    function = call_in(item) if is_table_function(item) else item
    if function_of(function) not in _READERS or not arguments_of(function):
        return []
    if options is not None and not all(option in options for option in options_of(function)[1:]):
        return []
    names = list(texts_in(arguments_of(function)[0]))
    return names if all(names) else []
