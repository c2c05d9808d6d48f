"""Names of outputs that have no alias: DuckDB calls them by their text, whatever is put in its place."""

from collections.abc import Callable, Sequence

from imputedb.sql.ast import Tree, parts

Titles = Callable[[Sequence[Tree]], Sequence[str]]
"""The names that DuckDB gives to expressions without an alias."""


def titled(select: Tree, is_changed: Callable[[Tree], bool], titles: Titles) -> Tree:
    """A SELECT whose items without an alias have their names as one, if they are to be changed.

    Args:
        select: its tree.
        is_changed: whether an item is.
        titles: the names.
    """
    items = list(select["select_list"])
    unnamed = [n for n, item in enumerate(items) if not (item.get("alias") or _stars(item)) and is_changed(item)]
    for place, title in zip(unnamed, titles([items[n] for n in unnamed]) if unnamed else (), strict=True):
        items[place] = {**items[place], "alias": title}
    return {**select, "select_list": items}


def _stars(item: Tree) -> bool:
    """Whether an item is given once for each of some columns, which name it."""
    return item["class"] == "STAR" or (item["class"] != "SUBQUERY" and any(map(_stars, parts(item))))
