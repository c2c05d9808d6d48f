"""Strict conditions, which can be evaluated before imputation."""

from collections.abc import Callable

from imputedb.sql.ast import Tree, expressions, is_reference, parts
from imputedb.sql.functions import STRICT

Unsure = Callable[[Tree], bool]
"""Whether a reference reads a value that may be missing."""

_STRICT_CLASSES = {"COMPARISON", "CONJUNCTION", "BETWEEN", "COLLATE", "CAST"}
_NULL_SAFE = {"COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM"}
_STRICT_OPERATORS = {"OPERATOR_NOT", "COMPARE_IN", "COMPARE_NOT_IN"}


def is_strict(tree: Tree, unsure: Unsure) -> bool:
    """Whether a non-NULL value of an expression stays the same after some columns are imputed.

    This holds for an expression that reads none of the columns, and for a column itself, which is NULL where missing.
    It is inherited by functions that are NULL if any argument is (a closed list), and by comparisons, BETWEEN, IN, AND,
    OR and NOT, which follow Kleene's logic: a result that is not NULL depends on known values only. Nothing is assumed
    of all others, such as CASE, COALESCE, IS TRUE, lists, lambdas and subqueries.
    """
    if not _reads(tree, unsure) or is_reference(tree):
        return True
    return _is_transparent(tree) and all(is_strict(part, unsure) for part in parts(tree))


def _reads(tree: Tree, unsure: Unsure) -> bool:
    return any(is_reference(node) and unsure(node) for node in expressions(tree))


def _is_transparent(tree: Tree) -> bool:
    """Whether the value of a node is known only if enough of its operands are."""
    match tree["class"]:
        case "FUNCTION":
            return str(tree["function_name"]).lower() in STRICT and not tree.get("distinct")
        case "OPERATOR":
            return tree["type"] in _STRICT_OPERATORS
        case kind:
            return kind in _STRICT_CLASSES and tree["type"] not in _NULL_SAFE
