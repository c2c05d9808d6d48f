"""Columns and sets of them."""

from typing import NamedTuple


class Column(NamedTuple):
    """A column of one relation of a query, by the relation's alias and the column's own name.

    A column is read *completed* (missing values are imputed, or their rows dropped) unless `stored` is set. A test of
    missingness, such as `x IS NULL` or `COALESCE(x, 0)`, reads the stored value.
    """

    relation: str
    name: str
    stored: bool = False

    def __str__(self) -> str:
        return f"{self.relation}.{self.name}"


Columns = frozenset[Column]
"""A set of columns: the dirty ones, the targets of an Impute, the ones an expression reads."""

NO_COLUMNS: Columns = frozenset()


def listed(columns: Columns) -> str:
    """The columns in order, as plans show them."""
    return ", ".join(str(column) for column in sorted(columns))
