"""Removal of unread outputs of nested queries before planning."""

from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.bind import Functions
from imputedb.sql.examined import Examined
from imputedb.sql.flatten import mentions
from imputedb.sql.subqueries import nodes
from imputedb.sql.varying import is_aggregate


def prune(whole: Tree, known: Examined, functions: Functions) -> None:
    """Replaces unread outputs of nested queries by NULL, or by COUNT(*) where they are aggregates.

    The resolved tree is changed in place, since definitions refer to their queries by identity.
    """
    for node in list(nodes(whole)):
        if node.get("type") != "SELECT_NODE" or node is whole:
            continue
        uses = known.outputs.get(id(node), ())
        items, sorting = node["select_list"], _names_of(node["modifiers"])
        for place, (item, use) in enumerate(zip(list(items), uses, strict=False)):
            if use is None and _may_go(item, functions) and _name(item).lower() not in sorting:
                items[place] = _instead(item, functions)


def _may_go(item: Tree, functions: Functions) -> bool:
    """Whether an output may be removed: it affects neither the number of rows nor random numbers."""
    return item["class"] not in ("STAR", "CONSTANT") and not mentions(item, functions.single)


def _names_of(modifiers: Tree) -> set[str]:
    """Unqualified names in ORDER BY and DISTINCT ON, in lower case; there outputs take precedence over columns."""
    return {str(one["column_names"][0]).lower() for one in t.expressions(modifiers) if _is_bare(one)}


def _is_bare(node: Tree) -> bool:
    return t.is_reference(node) and len(node["column_names"]) == 1


def _name(item: Tree) -> str:
    return str(item.get("alias") or (item["column_names"][-1] if t.is_reference(item) else ""))


def _instead(item: Tree, functions: Functions) -> Tree:
    none = t.call("count_star") if is_aggregate(item, functions.aggregates) else t.literal(None)
    return t.named(none, _name(item))
