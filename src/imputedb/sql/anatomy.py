"""Properties of any node of DuckDB's syntax trees, for code that lists what a statement may contain."""

from imputedb.sql.ast import Tree

NAMED = ("FUNCTION", "WINDOW_AGGREGATE")
"""The types of nodes that call a function by its name."""


def type_in(node: Tree) -> str | None:
    """The type of a node; None for a node without one, such as the list of entries of WITH."""
    found = node.get("type")
    return found if isinstance(found, str) else None


def names_in_with(node: Tree) -> list[str]:
    """The names of the entries of a query's WITH, as written."""
    return [str(entry["key"]) for entry in (node.get("cte_map") or {}).get("map", ())]


def name_of_recursion(node: Tree) -> str | None:
    """The name by which a recursive query refers to itself; None for any other node."""
    return str(node.get("cte_name", "")) if type_in(node) == "RECURSIVE_CTE_NODE" else None


def call_in_from(node: Tree) -> Tree | None:
    """The function call of a table function in FROM; None for any other node."""
    found: Tree | None = node["function"] if type_in(node) == "TABLE_FUNCTION" else None
    return found


def path_named(node: Tree) -> tuple[str, ...]:
    """The path of the table or function that a node names, as written."""
    path = (node.get("qualified_name") or {}).get("path") or (node.get("function_name") or node.get("table_name"),)
    return tuple(map(str, path))


def describes_query(node: Tree) -> bool:
    """Whether a SHOW or DESCRIBE has a query as its argument, not a name."""
    return node.get("query") is not None
