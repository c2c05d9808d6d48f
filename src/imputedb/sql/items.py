"""Typed accessors of items of FROM in syntax trees, for code outside `sql`."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from imputedb.sql.ast import Tree, subquery


def kind_of_item(item: Tree) -> str:
    """The type of an item of FROM, or of a query, in DuckDB's terms."""
    return str(item.get("type", ""))


def is_table(item: Tree) -> bool:
    """Whether an item of FROM is a name: of a table, a view, a file or an entry of WITH."""
    return bool(item.get("type") == "BASE_TABLE")


def unqualified_tables(query: Tree) -> dict[int, str]:
    """The names of tables, views or files in a query without a schema, by their byte positions."""
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
    """Whether an item of FROM is a table function."""
    return bool(item.get("type") == "TABLE_FUNCTION")


def is_show(item: Tree) -> bool:
    """Whether an item of FROM is a SHOW, DESCRIBE or SUMMARIZE."""
    return bool(item.get("type") == "SHOW_REF")


def shows_schema(item: Tree) -> bool:
    """Whether a SHOW lists the tables of one schema."""
    return bool(item["show_type"] == "SHOW_FROM")


def is_join(item: Tree) -> bool:
    """Whether an item of FROM is a join."""
    return bool(item.get("type") == "JOIN")


def is_pivot(item: Tree) -> bool:
    """Whether an item of FROM is a PIVOT or UNPIVOT."""
    return bool(item.get("type") == "PIVOT")


def is_derived(item: Tree) -> bool:
    """Whether an item of FROM is a subquery."""
    return bool(item.get("type") == "SUBQUERY" and "class" not in item)


def is_of_another_time(item: Tree) -> bool:
    """Whether a table in FROM is read AT another version or time."""
    return bool(item["at_clause"])


def using_of(join: Tree) -> list[str]:
    """The columns of USING."""
    return [str(name) for name in join["using_columns"]]


def is_natural(join: Tree) -> bool:
    """Whether a join is NATURAL."""
    return bool(join["ref_type"] == "NATURAL")


def is_filtering(join: Tree) -> bool:
    """Whether a join is SEMI or ANTI, and gives rows of its left side only."""
    return join["join_type"] in ("SEMI", "ANTI")


def is_outer_join(item: Tree) -> bool:
    """Whether an item of FROM is an outer join, which adds NULLs for rows without a partner."""
    return is_join(item) and item["join_type"] not in ("INNER", "SEMI", "ANTI")


def sides_of_join(join: Tree) -> tuple[Tree, Tree]:
    """The two sides of a join."""
    return join["left"], join["right"]


def joined(join: Tree, change: Callable[[Tree], Tree], condition: Callable[[Any], Any]) -> Tree:
    """The same join with changed sides and a changed condition."""
    left, right = sides_of_join(join)
    return {**join, "left": change(left), "right": change(right), "condition": condition(join["condition"])}


def pivoted(item: Tree, change: Callable[[Tree], Tree]) -> Tree:
    """The same PIVOT of a changed item."""
    return {**item, "source": change(item["source"])}


def source_of_pivot(item: Tree) -> Tree:
    """The item of FROM that a PIVOT or UNPIVOT reads."""
    source: Tree = item["source"]
    return source


def call_in(item: Tree) -> Tree:
    """The call of a table function."""
    call: Tree = item["function"]
    return call


def inner_query(tree: Tree) -> Tree:
    """The query inside a derived table or a subquery expression."""
    node: Tree = tree["subquery"]["node"]
    return node


def with_inner_query(tree: Tree, node: Tree, **more: Any) -> Tree:
    """The same derived table or subquery expression with another query."""
    return {**tree, "subquery": {**tree["subquery"], "node": node}, **more}


def number_of(item: Tree) -> int:
    """The source number of a resolved item of FROM; -1 where it has none."""
    return int(item.get("number", -1))


def numbers_in(item: Tree) -> Iterator[int]:
    """The numbers of the sources that an item of FROM joins."""
    if is_join(item):
        for side in sides_of_join(item):
            yield from numbers_in(side)
    elif "number" in item:
        yield number_of(item)


def column_names_of(item: Tree) -> list[str]:
    """The column aliases of an item of FROM."""
    return list(item.get("column_name_alias") or ())


def without_alias(item: Tree) -> Tree:
    """An item of FROM without alias, column aliases and sample."""
    return {**item, "alias": "", "column_name_alias": [], "sample": None}


def in_place_of(item: Tree, other: Tree, *keys: str) -> Tree:
    """Another item of FROM in place of one, with its column aliases, its sample, and further parts."""
    kept = {key: item[key] for key in ("column_name_alias", "sample", *keys) if key in item}
    return {**other, **kept}


def derived_in_place_of(item: Tree, query: Tree, alias: str, columns: Sequence[str]) -> Tree:
    """A derived table in place of a name in FROM."""
    own = {"sample": item.get("sample"), "column_name_alias": column_names_of(item) or list(columns)}
    return {**subquery(query, alias), **own, "number": number_of(item)}
