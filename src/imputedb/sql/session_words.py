"""Session functions in a query, such as PostgreSQL's `user`, `version()` and `set_config(...)`.

In a query over the database's tables they are replaced by constants.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from imputedb.errors import Unplanned
from imputedb.sql.ast import Tree
from imputedb.sql.postgres import OIDS, SPECIAL, constant, nodes, path_of, title_of, type_name

SETTING = "set_config"


def with_constants(
    tree: Any, functions: Collection[str], columns: Collection[str], value: Callable[[Tree], Tree]
) -> Any:
    """A query in which session functions, and catalog functions of constants, are replaced by constants.

    Args:
        tree: syntax tree of the query.
        functions: names of catalog functions.
        columns: names that are columns in the query, even if they could be functions.
        value: gives the constant of an expression.
    """
    if isinstance(tree, list):
        return [with_constants(part, functions, columns, value) for part in tree]
    if not isinstance(tree, dict):
        return tree
    if _is_constant(tree, functions, columns):
        return {**value({**tree, "alias": ""}), "alias": tree["alias"]}
    is_call = tree.get("type") == "TABLE_FUNCTION"
    node = {
        key: part if is_call and key == "function" else with_constants(part, functions, columns, value)
        for key, part in tree.items()
    }
    for number, item in enumerate(tree.get("select_list") or ()):
        found = node["select_list"][number]
        if found != item and not item["alias"]:
            node["select_list"][number] = {**found, "alias": title_of(item)}
    return node


def _is_constant(node: Tree, functions: Collection[str], columns: Collection[str]) -> bool:
    match node.get("class"):
        case "FUNCTION" if not node["is_operator"]:
            given = [one["expression"] for one in node["arguments"]]
            return path_of(node)[-1] in functions and all(constant(one) is not None for one in given)
        case "CAST":
            return type_name(node["type_expr"]) in OIDS and constant(node["child"]) is not None
        case "COLUMN_REF" if len(node["column_names"]) == 1:
            name = str(node["column_names"][0]).lower()
            return name in SPECIAL and name not in columns
        case _:
            return False


def names_of_columns(tree: Tree, tables: Mapping[str, Collection[str]]) -> set[str]:
    """Names that are, or may be, columns in a query: of the tables that it reads, and its own aliases.

    Args:
        tree: syntax tree of the query.
        tables: columns by name of a table, as in the query.
    """
    found, read, is_all = set[str](), set[str](), False
    for node in nodes(tree):
        if node.get("type") == "BASE_TABLE":
            read.add(path_of(node)[-1])
        is_all |= node.get("type") == "TABLE_FUNCTION"
        found |= {str(name).lower() for name in (node.get("alias"), *(node.get("column_name_alias") or ())) if name}
    for name, columns in tables.items():
        if is_all or name.lower().rpartition(".")[2].strip('"') in read:
            found |= {column.lower() for column in columns}
    return found


def check_settings(tree: Tree) -> None:
    """Refuses a query with `set_config` anywhere but as an output.

    As an output it is applied once the query has rows; elsewhere it would depend on how often an expression is run.

    Raises:
        Unplanned: the query has it elsewhere.
    """
    outputs = {id(_within(item)) for item in tree.get("select_list") or ()} if tree["type"] == "SELECT_NODE" else set()
    for node in nodes(tree):
        if node.get("class") == "FUNCTION" and path_of(node)[-1] == SETTING and id(node) not in outputs:
            raise Unplanned(
                f"{SETTING} stands as an output of its own here: SELECT {SETTING}(name, value, is_local), or SET"
            )


def _within(item: Tree) -> Tree:
    return _within(item["child"]) if item.get("class") == "CAST" else item
