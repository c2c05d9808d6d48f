"""Stored tables and columns in SQL, with row ids, and NULL wherever a value is missing."""

from collections.abc import Callable

from imputedb.algebra.relation import Table
from imputedb.engines.entries import Shape
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.generate import ROW

FLOATING = ("FLOAT", "DOUBLE")
"""Types that hold NaN."""


def source(table: Table, shape: Shape, alias: str) -> Tree:
    """A table as an item of FROM; with numbers as row ids where one of its columns is named `rowid`."""
    if not _hides_row_ids(shape):
        return t.table(table.path, alias)
    return t.subquery(t.select([t.star(), t.numbered(ROW)], t.table(table.path, "")), alias)


def row_ids(shape: Shape, alias: str) -> Tree:
    """The row ids of an item that `source` gives."""
    return t.reference(alias, ROW if _hides_row_ids(shape) else "rowid")


def stored(shape: Shape, column: str, alias: str, type_tree: Callable[[str], Tree]) -> Tree:
    """A stored column, NULL where it holds NaN or a value declared to mean a missing one."""
    reference = t.reference(alias, column)
    kind, codes = shape.types[column], shape.missing.get(column, ())
    may_be_nan = kind in FLOATING and column not in shape.without_nan
    means_missing = [t.call("isnan", reference)] if may_be_nan else []
    if codes:
        values = [t.cast(t.literal(code), type_tree(kind)) for code in codes]
        means_missing.append(t.operator("COMPARE_IN", reference, *values))
    condition = t.any_of(means_missing)
    return t.null_where(condition, reference) if condition else reference


def _hides_row_ids(shape: Shape) -> bool:
    return any(name.lower() == "rowid" for name in shape.types)
