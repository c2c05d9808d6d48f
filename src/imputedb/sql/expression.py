"""Typed questions to a syntax tree: what rooms outside of `sql` ask of one."""

from imputedb.algebra.column import Column
from imputedb.sql.ast import Tree


def column_of(tree: Tree) -> Column | None:
    """The column of a relation that a bound reference means; None of a name that means something else.

    A query inside an expression has names of its own.
    """
    if "stored" not in tree:
        return None
    relation, name, *_ = tree["column_names"]
    return Column(relation, name, tree["stored"])
