"""Any node of DuckDB's syntax trees, whatever it is: for whoever lists what a statement may hold."""

from imputedb.sql.ast import Tree

NAMED = ("FUNCTION", "WINDOW_AGGREGATE")
"""The types of nodes that call a function by its name."""


def type_in(node: Tree) -> str | None:
    """The type of a node; None of one that has none, such as a list of the entries of WITH."""
    found = node.get("type")
    return found if isinstance(found, str) else None


def names_in_with(node: Tree) -> list[str]:
    """The names that a query's WITH gives, as they are written."""
    return [str(entry["key"]) for entry in (node.get("cte_map") or {}).get("map", ())]


def name_of_recursion(node: Tree) -> str | None:
    """The name by which a recursive query reads itself; None of any other node."""
    return str(node.get("cte_name", "")) if type_in(node) == "RECURSIVE_CTE_NODE" else None


def call_in_from(node: Tree) -> Tree | None:
    """The call of a function in FROM; None of any other node."""
    found: Tree | None = node["function"] if type_in(node) == "TABLE_FUNCTION" else None
    return found


def path_named(node: Tree) -> tuple[str, ...]:
    """The path of the table or function that a node names, as it is written."""
    path = (node.get("qualified_name") or {}).get("path") or (node.get("function_name") or node.get("table_name"),)
    return tuple(map(str, path))


def tells_of_query(node: Tree) -> bool:
    """Whether a SHOW or DESCRIBE is of a query, and not of what has a name."""
    return node.get("query") is not None
