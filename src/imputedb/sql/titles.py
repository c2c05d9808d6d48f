"""Names of outputs without alias: DuckDB's names, kept when the expressions are rewritten."""

from collections.abc import Callable, Sequence

from imputedb.sql.ast import Tree, parts

Titles = Callable[[Sequence[Tree]], Sequence[str]]
"""The names that DuckDB gives to expressions without an alias."""


def titled(select: Tree, is_changed: Callable[[Tree], bool], titles: Titles) -> Tree:
    """A SELECT in which items without alias that will be rewritten get their names as aliases.

    Args:
        select: syntax tree of the SELECT.
        is_changed: whether an item will be rewritten.
        titles: gives the names of expressions.
    """
    items = list(select["select_list"])
    unnamed = [n for n, item in enumerate(items) if not (item.get("alias") or _stars(item)) and is_changed(item)]
    for place, title in zip(unnamed, titles([items[n] for n in unnamed]) if unnamed else (), strict=True):
        items[place] = {**items[place], "alias": title}
    return {**select, "select_list": items}


def _stars(item: Tree) -> bool:
    """Whether an item gives one output per column, with the columns' names."""
    return item["class"] == "STAR" or (item["class"] != "SUBQUERY" and any(map(_stars, parts(item))))
