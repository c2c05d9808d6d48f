"""Tests of missingness, which read stored values: IS NULL, COALESCE, and imputedb's own functions."""

from imputedb.sql.ast import Tree, expressions, is_missing, is_reference, rewrite

IMPUTED, COUNT_OBSERVED = "imputed", "count_observed"

_MISSINGNESS_OPERATORS = {"OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "OPERATOR_COALESCE"}
_MISSINGNESS_FUNCTIONS = {"ifnull", "coalesce"}


_OF_ONE_ROW = {"first", "last", "arbitrary", "list", "array_agg", "arg_max_null", "arg_min_null"}
_OF_ONE_ROW_IN_WINDOWS = {*_OF_ONE_ROW, "first_value", "last_value"}
_NULL_SAFE = {"COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM"}


def extended(node: Tree) -> Tree:
    """A statement with IMPUTED(x) and COUNT_OBSERVED(x) expressed in DuckDB's functions.

    Both read stored values: whether x is missing, and how many values of x are observed.
    """

    def change(tree: Tree) -> Tree | None:
        name = str(tree.get("function_name", "")).lower()
        is_call = tree["class"] == "FUNCTION" or (tree["class"] == "WINDOW" and name == COUNT_OBSERVED)
        if not is_call or name not in (IMPUTED, COUNT_OBSERVED) or len(tree["arguments"]) != 1:
            return None
        argument = tree["arguments"][0]["expression"]
        shown = tree["alias"] or (f"{name}({argument['column_names'][-1]})" if is_reference(argument) else name)
        if name == IMPUTED:
            return {**is_missing(argument), "tests_missingness": True, "alias": shown}
        counted = {"function_name": "count", "qualified_name": {"path": ["count"]}, "tests_missingness": True}
        return {**tree, **counted, "alias": shown}

    result: Tree = rewrite(node, change)
    return result


def tests_missingness(node: Tree) -> bool:
    """Whether a node tests the missingness of its arguments, as IS NULL and COALESCE do."""
    if "tests_missingness" in node:
        return bool(node["tests_missingness"])
    if node["type"] in _NULL_SAFE:
        return _is_null(node["left"]) or _is_null(node["right"])
    is_function = node["class"] == "FUNCTION" and str(node["function_name"]).lower() in _MISSINGNESS_FUNCTIONS
    return is_function or node["type"] in _MISSINGNESS_OPERATORS


def is_of_null(node: Tree) -> bool:
    """Whether a node tests for NULL without replacing it, unlike COALESCE."""
    is_operator = node["type"] in ("OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", *_NULL_SAFE)
    return is_operator and not node.get("tests_missingness") and tests_missingness(node)


def passes_on(node: Tree) -> bool:
    """Whether an aggregate or a window returns values of its first argument unchanged, NULLs included.

    Functions that return NULL of their own where there is no row, such as LAG, are excluded.
    """
    name = str(node["function_name"]).lower()
    if node["class"] == "WINDOW":
        return name in _OF_ONE_ROW_IN_WINDOWS and not node.get("ignore_nulls")
    return name in _OF_ONE_ROW


def pads(node: Tree) -> bool:
    """Whether a window returns values of other rows unchanged, and NULL where there is no such row."""
    return node["class"] == "WINDOW" and str(node["function_name"]).lower() in ("lag", "lead", "nth_value")


def tests_elements(node: Tree) -> bool:
    """Whether a call has a lambda that tests elements of a list for missingness."""
    lambdas = [one["expression"] for one in node["arguments"] if one["expression"]["class"] == "LAMBDA"]
    return any(names_in(one["lhs"]) & _tested_names(one["expr"]) for one in lambdas)


def _tested_names(tree: Tree) -> set[str]:
    """The unqualified names that an expression tests for missingness."""
    return {name for node in expressions(tree) if tests_missingness(node) for name in names_in(node)}


def names_in(tree: Tree) -> set[str]:
    """The first parts of all references in an expression, in lower case."""
    return {str(node["column_names"][0]).lower() for node in expressions(tree) if is_reference(node)}


def _is_null(tree: Tree) -> bool:
    """Whether an expression is a literal NULL of any type."""
    while tree["class"] == "CAST":
        tree = tree["child"]
    return bool(tree["class"] == "CONSTANT" and tree["literal"]["kind"] == "NULL_LITERAL")
