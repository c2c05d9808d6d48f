"""Trees of nested queries: traversal, and replacement of tables by views."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imputedb.algebra.relation import Table
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.generate import stored_name

TEMP = ("temp", "main")
"""Where temporary tables and views are."""

CLAUSES = ("select_list", "where_clause", "group_expressions", "having", "qualify", "modifiers")
"""The parts of a SELECT that hold expressions."""


@dataclass(frozen=True, slots=True)
class View:
    """A completed table as one item of FROM reads it: its name, the item's alias, the columns shown as stored too, and
    whether its row ids are a column."""

    name: str
    alias: str
    stored: tuple[str, ...]
    row_ids: bool = False


def nodes(tree: Any) -> Iterator[Tree]:
    """Every node of a tree, expressions and others, in preorder."""
    waiting: list[Any] = [tree] if isinstance(tree, dict | list) else []
    while waiting:  # nested generators would take quadratic time on a deep tree
        part = waiting.pop()
        if type(part) is dict:
            yield part
            part = part.values()
        for below in reversed(part):
            if below and (type(below) is dict or type(below) is list):
                waiting.append(below)  # noqa: PERF401 -- a list of them takes half as long again


def reading_views(tree: Any, shown: Mapping[int, View]) -> Any:
    """The tree with tables replaced by their completed views, and tests of missingness over stored values."""
    if isinstance(tree, list):
        return [reading_views(part, shown) for part in tree]
    if not isinstance(tree, dict):
        return tree
    if tree.get("type") == "BASE_TABLE" and tree.get("number") in shown:
        view = shown[tree["number"]]
        kept = {key: tree[key] for key in ("number", "sample", "column_name_alias")}
        return {**t.table((*TEMP, view.name), view.alias), **kept, "at_clause": None}
    if "origin" in tree and tree["origin"][0] in shown:
        return _reread(tree, shown[tree["origin"][0]])
    if tree.get("class") == "STAR":
        hidden = {
            stored_name(n) for number in tree.get("reads_all", ()) if number in shown for n in shown[number].stored
        }
        hidden |= {"rowid"} if any(n in shown and shown[n].row_ids for n in tree.get("reads_all", ())) else set()
        tree = {**tree, "exclude_list": [*tree.get("exclude_list", ()), *sorted(hidden)]} if hidden else tree
    return {key: reading_views(part, shown) if isinstance(part, (dict, list)) else part for key, part in tree.items()}


def alias_of(item: Tree) -> str:
    """DuckDB's qualifier of a file's columns."""
    if item["alias"]:
        return str(item["alias"])
    return Path(item["table_name"]).stem if item["type"] == "BASE_TABLE" else str(item["function"]["function_name"])


def everything(table: Table, node: Tree) -> Tree:
    """`SELECT * FROM table`, in place of a query."""
    read = t.select([t.star()], t.table(table.path, ""))
    return {**read, **{key: node[key] for key in ("first_source", "last_source", "closed")}}


def _reread(tree: Tree, view: View) -> Tree:
    """A reference to a column of a completed view, qualified by its alias; to the stored column for tests."""
    _, name, stored, place = tree["origin"]
    column = stored_name(name) if stored and name in view.stored else tree["column_names"][place]
    qualified = [view.alias] if place else []
    return {**tree, "column_names": [*qualified, column, *tree["column_names"][place + 1 :]]}


def standing(node: Tree) -> Tree:
    """A query as a statement of its own; a recursive one needs its WITH."""
    if node["type"] != "RECURSIVE_CTE_NODE":
        return node
    value = {"aliases": node["aliases"], "query_node": {**node, "cte_map": {"map": []}}}
    kept = {"key_targets": node["key_targets"], "materialized": "CTE_MATERIALIZE_DEFAULT"}
    entry = {"key": node["cte_name"], "value": {**value, **kept}}
    read = t.select([t.star()], t.table((node["cte_name"],), ""))
    return {**read, "cte_map": {"map": [*node["cte_map"]["map"], entry]}}
