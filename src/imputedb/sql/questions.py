"""Tests of missingness on keys of GROUP BY."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from imputedb.sql import ast as t
from imputedb.sql.ast import Tree, is_reference, rewrite, without_place
from imputedb.sql.passing import Passing

_CLAUSES = ("select_list", "having", "qualify", "modifiers")
"""The parts of a SELECT that stand above its GROUP BY."""


def grouped(node: Tree) -> bool:
    """Whether a SELECT has explicit groups."""
    return bool(node["group_expressions"]) or node["aggregate_handling"] == "FORCE_AGGREGATES"


def questioned_keys(node: Tree, passing: Passing, aggregates: Callable[[Tree], bool]) -> Tree:
    """A resolved SELECT with groups, in which keys that are only tested for missingness are grouped by stored values.

    A test of a key that is also shown sees completed values. With totals, such as those of ROLLUP, NULL is about
    these.

    Args:
        node: syntax tree of the SELECT.
        passing: passing of stored values.
        aggregates: whether an expression has an aggregate.
    """
    for place, (key, own) in enumerate(_keys(node, aggregates)):
        if key["class"] == "CONSTANT" or "origin" not in str(key):
            continue
        wanted = _same(key)
        found = [tree for tree in _above(node, own, passing) if _same(passing.completed(tree)) == wanted]
        tested = [tree for tree in found if _same(tree) != wanted]
        if not tested:
            continue
        shown = own is not None or len(tested) < len(found)
        if not shown and len(node["group_sets"]) < 2:
            keys = [tested[0] if n == place else one for n, one in enumerate(node["group_expressions"])]
            node = {**node, "group_expressions": keys}
            continue
        if len(node["group_sets"]) < 2:
            passing.note_expression(key, "GROUP BY")
        node = {**node, **{clause: _with(node[clause], tested, key) for clause in _CLAUSES}}
    return node


def _keys(node: Tree, aggregates: Callable[[Tree], bool]) -> Iterator[tuple[Tree, Tree | None]]:
    """The keys of GROUP BY, each with the item of the select list that it refers to by position or name, if any."""
    items = node["select_list"]
    by_alias = {str(item["alias"]).lower(): item for item in items if item.get("alias")}
    if not node["group_expressions"]:
        yield from ((item, item) for item in items if not aggregates(item))
    for key in node["group_expressions"]:
        text = str(key.get("literal", {}).get("text", ""))
        named = by_alias.get(str(key["column_names"][0]).lower()) if _is_bare(key) else None
        at_place = items[int(text) - 1] if key["class"] == "CONSTANT" and text.isdigit() else None
        item = named or at_place
        yield item or key, item


def _is_bare(key: Tree) -> bool:
    return is_reference(key) and "origin" not in key and len(key["column_names"]) == 1


def _above(node: Tree, own: Tree | None, passing: Passing) -> Iterator[Tree]:
    """The expressions above GROUP BY outside of aggregates, without the item that is the key itself."""
    for clause in _CLAUSES:
        for tree in t.parts(node[clause]):
            if tree is not own:
                yield from passing.by_row(tree)


def _with(tree: Any, tested: Sequence[Tree], key: Tree) -> Any:
    wanted = [_same(one) for one in tested]

    def change(node: Tree) -> Tree | None:
        return {**key, "alias": node.get("alias", "")} if _same(node) in wanted else None

    return rewrite(tree, change)


def _same(tree: Tree) -> str:
    """A text that is equal for copies of a resolved expression."""

    def change(node: Tree) -> Tree | None:
        if "origin" not in node:
            return None
        number, own, stored, place = node["origin"]
        return {"class": "COLUMN", "origin": [number, own.lower(), stored], "rest": node["column_names"][place + 1 :]}

    return repr(without_place(rewrite(tree, change)))
