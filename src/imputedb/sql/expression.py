"""Typed questions to a syntax tree: what rooms outside of `sql` ask of one."""

from imputedb.algebra.column import Column
from imputedb.sql.ast import Tree, reference


def column_of(tree: Tree) -> Column | None:
    """The column of a relation that a bound reference means; None of a name that means something else.

    A query inside an expression has names of its own.
    """
    if "stored" not in tree:
        return None
    relation, name, *_ = tree["column_names"]
    return Column(relation, name, tree["stored"])


def bound(column: Column) -> Tree:
    """A bound reference to a column of a relation: the opposite of `column_of`."""
    return {**reference(column.relation, column.name), "stored": column.stored}


def is_call(tree: Tree) -> bool:
    """Whether an expression calls a function."""
    return tree.get("class") == "FUNCTION"


def function_of(tree: Tree) -> str:
    """The name of the function that an expression, or an item of FROM, calls, in lower case; empty of any other."""
    return str(tree.get("function_name", "")).lower()


def arguments_of(call: Tree) -> list[Tree]:
    """What a function is called with, in order."""
    return [part["expression"] for part in call["arguments"]]


def path_of(item: Tree) -> list[str]:
    """The parts of the name of a table in FROM, or of a function, that are written."""
    return [part for part in item["qualified_name"]["path"] if part]
