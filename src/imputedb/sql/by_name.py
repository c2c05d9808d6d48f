"""Columns by name: a common order for the queries of UNION BY NAME, and explicit names of outputs."""

from collections.abc import Iterator, Sequence
from typing import Any

from imputedb.sql import ast as t
from imputedb.sql.ast import Tree, is_reference
from imputedb.sql.scope import Definition


def united(every: Sequence[tuple[str, ...] | None]) -> tuple[str, ...] | None:
    """The columns of a UNION BY NAME: those of the first query, followed by new ones of each further query."""
    found: dict[str, str] = {}
    for columns in every:
        if columns is None:
            return None
        for name in columns:
            found.setdefault(name.lower(), name)
    return tuple(found.values())


def can_be_reordered(found: Definition) -> bool:
    """Whether the columns of a query may be reordered: their names are distinct, and each is one item."""
    columns = found.columns or ()
    return len(columns) == len({name.lower() for name in columns}) and _has_items(found)


def _has_items(found: Definition) -> bool:
    if found.parts:
        return all(map(_has_items, found.parts))
    return found.node["type"] == "SELECT_NODE" and len(found.node["select_list"]) == len(found.columns or ())


def reorder(found: Definition, columns: Sequence[str]) -> None:
    """Puts the columns of a query of UNION BY NAME into the order of the whole, with NULL for names that it lacks."""
    own = [name.lower() for name in found.columns or ()]
    _placed(found, [own.index(name.lower()) if name.lower() in own else None for name in columns], columns)


def _placed(found: Definition, places: Sequence[int | None], columns: Sequence[str]) -> None:
    own = found.columns or ()
    taken = {name.lower() for name in own}
    absent = [f"{name} (none)" if name.lower() in taken else name for name in columns]
    for part in found.parts:
        _placed(part, places, columns)
    _move_keys(found.node, [places.index(place) + 1 for place in range(len(own))])
    if not found.parts:
        items = found.node["select_list"]
        found.node["select_list"] = [
            t.named(t.literal(None), name) if place is None else items[place]
            for place, name in zip(places, absent, strict=True)
        ]
    found.columns = tuple(name if place is None else own[place] for place, name in zip(places, absent, strict=True))


def _move_keys(node: dict[str, Any], moved: Sequence[int]) -> None:
    """Updates the positions of outputs, counted from 1, in keys of ORDER BY and GROUP BY."""

    def key(tree: Tree) -> Tree:
        text = str(tree.get("literal", {}).get("text", ""))
        is_place = tree["class"] == "CONSTANT" and text.isdigit() and 0 < int(text) <= len(moved)
        return t.number(moved[int(text) - 1]) if is_place else tree

    def orders(one: Tree) -> Iterator[Tree]:
        if one["expression"]["class"] == "STAR":  # ORDER BY ALL, from left to right
            yield from ({**one, "expression": t.number(place)} for place in moved)
        else:
            yield {**one, "expression": key(one["expression"])}

    node["modifiers"] = [
        {**modifier, "orders": [new for one in modifier["orders"] for new in orders(one)]}
        if modifier["type"] == "ORDER_MODIFIER"
        else modifier
        for modifier in node["modifiers"]
    ]
    if node.get("group_expressions"):
        node["group_expressions"] = [key(tree) for tree in node["group_expressions"]]


def state_names(node: Tree, columns: Sequence[str]) -> None:
    """Adds explicit aliases to a query's columns, so that their names stay when their expressions are rewritten."""
    if node["type"] == "SET_OPERATION_NODE" and "BY_NAME" not in node["setop_type"]:
        state_names(node["children"][0], columns)
    if node["type"] == "SELECT_NODE":
        items = node["select_list"]
        same = [alias_of(item) == name for item, name in zip(items, columns, strict=True)]
        items[:] = [
            item if kept else {**item, "alias": name} for item, name, kept in zip(items, columns, same, strict=True)
        ]


def alias_of(item: Tree) -> str:
    """The alias of an item of a select list; empty where it has none."""
    return str(item.get("alias") or (item["column_names"][-1] if is_reference(item) else ""))
