"""What asks about missingness, and so reads what is stored: IS NULL, COALESCE, and functions of our own."""

from imputedb.sql.ast import Tree, expressions, is_missing, is_reference, rewrite

IMPUTED, COUNT_OBSERVED = "imputed", "count_observed"

_ASKING_OPERATORS = {"OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "OPERATOR_COALESCE"}
_ASKING_FUNCTIONS = {"ifnull", "coalesce"}


_OF_ONE_ROW = {"first", "last", "arbitrary", "list", "array_agg", "arg_max_null", "arg_min_null"}
_OF_ONE_ROW_IN_WINDOWS = {*_OF_ONE_ROW, "first_value", "last_value"}
_NULL_SAFE = {"COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM"}


def extended(node: Tree) -> Tree:
    """A statement in which IMPUTED(x) and COUNT_OBSERVED(x) are written with what DuckDB knows.

    Both ask about what is stored: whether x is missing, and how many values of x are there.
    """

    def change(tree: Tree) -> Tree | None:
        name = str(tree.get("function_name", "")).lower()
        is_call = tree["class"] == "FUNCTION" or (tree["class"] == "WINDOW" and name == COUNT_OBSERVED)
        if not is_call or name not in (IMPUTED, COUNT_OBSERVED) or len(tree["arguments"]) != 1:
            return None
        argument = tree["arguments"][0]["expression"]
        shown = tree["alias"] or (f"{name}({argument['column_names'][-1]})" if is_reference(argument) else name)
        if name == IMPUTED:
            return {**is_missing(argument), "asks": True, "alias": shown}
        counted = {"function_name": "count", "qualified_name": {"path": ["count"]}, "asks": True}
        return {**tree, **counted, "alias": shown}

    result: Tree = rewrite(node, change)
    return result


def asks(node: Tree) -> bool:
    """Whether a node of an expression asks about the missingness of its arguments."""
    if "asks" in node:
        return bool(node["asks"])
    if node["type"] in _NULL_SAFE:
        return _is_null(node["left"]) or _is_null(node["right"])
    asking = node["class"] == "FUNCTION" and str(node["function_name"]).lower() in _ASKING_FUNCTIONS
    return asking or node["type"] in _ASKING_OPERATORS


def is_of_null(node: Tree) -> bool:
    """Whether a node asks whether something is NULL, and gives no other value in its place, as COALESCE does."""
    is_operator = node["type"] in ("OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", *_NULL_SAFE)
    return is_operator and not node.get("asks") and asks(node)


def passes_on(node: Tree) -> bool:
    """Whether an aggregate or a window gives values of its first argument as they are in some rows, NULL too.

    What has a NULL of its own where there is no such row, as LAG has, does not.
    """
    name = str(node["function_name"]).lower()
    if node["class"] == "WINDOW":
        return name in _OF_ONE_ROW_IN_WINDOWS and not node.get("ignore_nulls")
    return name in _OF_ONE_ROW


def pads(node: Tree) -> bool:
    """Whether a window gives values of other rows as they are, and NULL where there is no such row."""
    return node["class"] == "WINDOW" and str(node["function_name"]).lower() in ("lag", "lead", "nth_value")


def asks_of_elements(node: Tree) -> bool:
    """Whether a call asks, in a lambda, about the missingness of what it gives to it: the elements of a list."""
    lambdas = [one["expression"] for one in node["arguments"] if one["expression"]["class"] == "LAMBDA"]
    return any(names_in(one["lhs"]) & _asked(one["expr"]) for one in lambdas)


def _asked(tree: Tree) -> set[str]:
    """The names without a table that an expression asks about."""
    return {name for node in expressions(tree) if asks(node) for name in names_in(node)}


def names_in(tree: Tree) -> set[str]:
    """The first names of all references in an expression, in lower case."""
    return {str(node["column_names"][0]).lower() for node in expressions(tree) if is_reference(node)}


def _is_null(tree: Tree) -> bool:
    """Whether an expression is NULL as it is written, of whatever type."""
    while tree["class"] == "CAST":
        tree = tree["child"]
    return bool(tree["class"] == "CONSTANT" and tree["literal"]["kind"] == "NULL_LITERAL")
