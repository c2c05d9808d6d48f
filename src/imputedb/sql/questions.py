"""Questions about missingness put to many columns, by COLUMNS(...), and to the keys of GROUP BY."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from imputedb.sql import ast as t
from imputedb.sql.ast import Tree, expressions, is_reference, rewrite, without_place
from imputedb.sql.missingness import asks
from imputedb.sql.passing import Passing
from imputedb.sql.scope import Catalog, Frame

_CLAUSES = ("select_list", "having", "qualify", "modifiers")
"""The parts of a SELECT that stand above its GROUP BY."""


def questioned_columns(tree: Tree, frame: Frame, catalog: Catalog) -> list[Tree] | None:
    """An expression with COLUMNS(...) that asks about missingness, once for each column; None of any other.

    One whose columns only DuckDB can tell, or which is given as arguments or stands in a FILTER, is left as it is.
    """
    stars = [node for node in expressions(tree) if node["class"] == "STAR" and (node["columns"] or node["expr"])]
    if not stars or not frame.known or frame.merged or "\\" in str(tree.get("alias", "")) or _is_spliced(tree):
        return None
    if all(_same(star) != _same(stars[0]) for star in stars) or not any(_asks_columns(n) for n in expressions(tree)):
        return None
    shown = _columns(stars[0], frame, catalog)
    if shown is None:
        return None
    return [_for_column(tree, path) for path in shown]


def _is_spliced(tree: Tree) -> bool:
    """Whether columns are given as arguments, or stand where all of them make one condition."""
    inside = [node for node in expressions(tree) if node["class"] == "SUBQUERY" or node["type"] == "OPERATOR_UNPACK"]
    filters = [node["filter"] for node in expressions(tree) if node.get("filter")]
    return any(node["class"] == "STAR" for node in expressions([inside, filters]))


def _asks_columns(node: Tree) -> bool:
    return asks(node) and any(below["class"] == "STAR" for below in expressions(node))


def _columns(star: Tree, frame: Frame, catalog: Catalog) -> list[list[str]] | None:
    """The paths of the columns that COLUMNS(...) means; None where their names do not tell them apart."""
    named = [(source, name) for source in frame.sources if source.visible for name in source.names or ()]
    named = [(source, name) for source, name in named if name not in source.virtual]
    paths = {name.lower(): [*([source.alias] if source.alias else []), name] for source, name in named}
    if len(paths) < len(named) or star["replace_list"] or star["rename_list"] or star["relation_name"]:
        return None
    empty = t.select([t.named(t.literal(None), name) for _, name in named], None)
    found = catalog.described(t.subquery(t.select([star], t.subquery(empty, "")), ""))
    return None if found is None else [paths[name.lower()] for name in found]


def _for_column(tree: Tree, path: Sequence[str]) -> Tree:
    made: Tree = rewrite(tree, lambda node: t.reference(*path) if node["class"] == "STAR" else None)
    return {**made, "alias": made.get("alias") or path[-1]}


def grouped(node: Tree) -> bool:
    """Whether a SELECT says what it groups by."""
    return bool(node["group_expressions"]) or node["aggregate_handling"] == "FORCE_AGGREGATES"


def questioned_keys(node: Tree, passing: Passing, aggregates: Callable[[Tree], bool]) -> Tree:
    """A resolved SELECT that groups, with keys that are only asked about grouped by what is stored.

    A question about a key that is also shown sees the key, completed; where there are totals, as those of ROLLUP,
    NULL is about them.

    Args:
        node: its tree.
        passing: knows what is stored.
        aggregates: whether an expression holds an aggregate.
    """
    for place, (key, own) in enumerate(_keys(node, aggregates)):
        if key["class"] == "CONSTANT" or "origin" not in str(key):
            continue
        wanted = _same(key)
        found = [tree for tree in _above(node, own, passing) if _same(passing.completed(tree)) == wanted]
        asked = [tree for tree in found if _same(tree) != wanted]
        if not asked:
            continue
        shown = own is not None or len(asked) < len(found)
        if not shown and len(node["group_sets"]) < 2:
            keys = [asked[0] if n == place else one for n, one in enumerate(node["group_expressions"])]
            node = {**node, "group_expressions": keys}
            continue
        if len(node["group_sets"]) < 2:
            passing.note_expression(key, "GROUP BY")
        node = {**node, **{clause: _with(node[clause], asked, key) for clause in _CLAUSES}}
    return node


def _keys(node: Tree, aggregates: Callable[[Tree], bool]) -> Iterator[tuple[Tree, Tree | None]]:
    """The keys of GROUP BY, each with the item of the select list that it is, if it is one by its place or name."""
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
    """The expressions above GROUP BY that no aggregate is given, without an item that is the key itself."""
    for clause in _CLAUSES:
        for tree in t.parts(node[clause]):
            if tree is not own:
                yield from passing.by_row(tree)


def _with(tree: Any, asked: Sequence[Tree], key: Tree) -> Any:
    wanted = [_same(one) for one in asked]

    def change(node: Tree) -> Tree | None:
        return {**key, "alias": node.get("alias", "")} if _same(node) in wanted else None

    return rewrite(tree, change)


def _same(tree: Tree) -> str:
    """What two writings of one resolved expression have in common."""

    def change(node: Tree) -> Tree | None:
        if "origin" not in node:
            return None
        number, own, stored, place = node["origin"]
        return {"class": "COLUMN", "origin": [number, own.lower(), stored], "rest": node["column_names"][place + 1 :]}

    return repr(without_place(rewrite(tree, change)))
