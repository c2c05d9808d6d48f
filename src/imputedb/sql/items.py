"""Typed questions to items of FROM: what rooms outside of `sql` ask of a syntax tree."""

from collections.abc import Callable, Sequence
from typing import Any

from imputedb.sql.ast import Tree, subquery


def kind_of_item(item: Tree) -> str:
    """The kind of an item of FROM, or of a query, as DuckDB names it."""
    return str(item.get("type", ""))


def is_table(item: Tree) -> bool:
    """Whether an item of FROM is a name: of a table, a view, a file or an entry of WITH."""
    return bool(item.get("type") == "BASE_TABLE")


def unqualified_tables(query: Tree) -> dict[int, str]:
    """The names of tables, views or files in a query that have no schema before them, by the byte where each stands."""
    found, left = dict[int, str](), list[Any]([query])
    while left:
        one = left.pop()
        if isinstance(one, dict):
            if is_table(one) and not one["schema_name"] and not one["catalog_name"]:
                found[int(one["query_location"])] = str(one["table_name"])
            left += one.values()
        elif isinstance(one, list):
            left += one
    return found


def is_table_function(item: Tree) -> bool:
    """Whether an item of FROM calls a function."""
    return bool(item.get("type") == "TABLE_FUNCTION")


def is_join(item: Tree) -> bool:
    """Whether an item of FROM joins two others."""
    return bool(item.get("type") == "JOIN")


def is_pivot(item: Tree) -> bool:
    """Whether an item of FROM is PIVOT or UNPIVOT of another."""
    return bool(item.get("type") == "PIVOT")


def is_derived(item: Tree) -> bool:
    """Whether an item of FROM is a query."""
    return bool(item.get("type") == "SUBQUERY" and "class" not in item)


def is_of_another_time(item: Tree) -> bool:
    """Whether a name in FROM is read AT another version or time."""
    return bool(item["at_clause"])


def using_of(join: Tree) -> list[str]:
    """The columns of USING."""
    return [str(name) for name in join["using_columns"]]


def is_natural(join: Tree) -> bool:
    """Whether a join is NATURAL."""
    return bool(join["ref_type"] == "NATURAL")


def is_filtering(join: Tree) -> bool:
    """Whether a join gives rows of its left side alone: SEMI or ANTI."""
    return join["join_type"] in ("SEMI", "ANTI")


def sides_of_join(join: Tree) -> tuple[Tree, Tree]:
    """The two items of FROM that a join joins."""
    return join["left"], join["right"]


def joined(join: Tree, change: Callable[[Tree], Tree], condition: Callable[[Any], Any]) -> Tree:
    """The same join of changed items and under a changed condition."""
    left, right = sides_of_join(join)
    return {**join, "left": change(left), "right": change(right), "condition": condition(join["condition"])}


def pivoted(item: Tree, change: Callable[[Tree], Tree]) -> Tree:
    """The same PIVOT of a changed item."""
    return {**item, "source": change(item["source"])}


def call_in(item: Tree) -> Tree:
    """The call of an item of FROM that calls a function."""
    call: Tree = item["function"]
    return call


def inner_query(tree: Tree) -> Tree:
    """The query inside an item of FROM, or inside an expression."""
    node: Tree = tree["subquery"]["node"]
    return node


def with_inner_query(tree: Tree, node: Tree, **more: Any) -> Tree:
    """The same item of FROM, or expression, of another query."""
    return {**tree, "subquery": {**tree["subquery"], "node": node}, **more}


def number_of(item: Tree) -> int:
    """The number of the source that a resolved item of FROM is; -1 of what is none."""
    return int(item.get("number", -1))


def column_names_of(item: Tree) -> list[str]:
    """The names that an item of FROM gives its columns."""
    return list(item.get("column_name_alias") or ())


def unnamed(item: Tree) -> Tree:
    """An item of FROM without names of its own, and of all its rows."""
    return {**item, "alias": "", "column_name_alias": [], "sample": None}


def in_place_of(item: Tree, other: Tree, *keys: str) -> Tree:
    """Another item of FROM in the place of one: with its names of columns and its sample, and further parts."""
    kept = {key: item[key] for key in ("column_name_alias", "sample", *keys) if key in item}
    return {**other, **kept}


def derived_in_place_of(item: Tree, query: Tree, alias: str, columns: Sequence[str]) -> Tree:
    """A query in the place of a name in FROM that means it."""
    own = {"sample": item.get("sample"), "column_name_alias": column_names_of(item) or list(columns)}
    return {**subquery(query, alias), **own, "number": number_of(item)}
