"""What asks about missingness, and so reads what is stored: IS NULL, COALESCE, and functions of our own."""

from imputedb.sql.ast import Tree, expressions, is_missing, is_reference, rewrite

IMPUTED, COUNT_OBSERVED = "imputed", "count_observed"

_ASKING_OPERATORS = {"OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "OPERATOR_COALESCE"}
_ASKING_FUNCTIONS = {"ifnull", "coalesce"}


_NULL_SAFE = {"COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM"}


def extended(node: Tree) -> Tree:
    """A statement in which IMPUTED(x) and COUNT_OBSERVED(x) are written with what DuckDB knows.

    Both ask about what is stored: whether x is missing, and how many values of x are there.
    """

    def change(tree: Tree) -> Tree | None:
        name = str(tree.get("function_name", "")).lower()
        if tree["class"] != "FUNCTION" or name not in (IMPUTED, COUNT_OBSERVED) or len(tree["arguments"]) != 1:
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
