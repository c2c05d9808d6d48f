"""Conditions that may be asked of rows before they are imputed: those proved strict in the columns that miss."""

from collections.abc import Callable

from imputedb.sql.ast import Tree, expressions, is_reference, parts
from imputedb.sql.functions import STRICT

Unsure = Callable[[Tree], bool]
"""Whether a reference reads a value that may be missing."""

_STRICT_CLASSES = {"COMPARISON", "CONJUNCTION", "BETWEEN", "COLLATE", "CAST"}
_NULL_SAFE = {"COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM"}
_STRICT_OPERATORS = {"OPERATOR_NOT", "COMPARE_IN", "COMPARE_NOT_IN"}


def is_strict(tree: Tree, unsure: Unsure) -> bool:
    """Whether an expression whose value is known before some columns are filled in keeps it, whatever they get.

    It holds of an expression that reads none of the columns, and of a column itself: it is NULL where it is missing. It
    passes upwards through functions that are NULL wherever an argument is (a closed list), and through comparisons,
    BETWEEN, IN, AND, OR and NOT, which follow Kleene's logic: a result that is not NULL rests on known values alone.
    Of all else, such as CASE, COALESCE, IS TRUE, lists, lambdas and subqueries, nothing is assumed.
    """
    if not _reads(tree, unsure) or is_reference(tree):
        return True
    return _is_transparent(tree) and all(is_strict(part, unsure) for part in parts(tree))


def _reads(tree: Tree, unsure: Unsure) -> bool:
    return any(is_reference(node) and unsure(node) for node in expressions(tree))


def _is_transparent(tree: Tree) -> bool:
    """Whether what a node makes of its parts is known only where enough of them are."""
    match tree["class"]:
        case "FUNCTION":
            return str(tree["function_name"]).lower() in STRICT and not tree.get("distinct")
        case "OPERATOR":
            return tree["type"] in _STRICT_OPERATORS
        case kind:
            return kind in _STRICT_CLASSES and tree["type"] not in _NULL_SAFE
