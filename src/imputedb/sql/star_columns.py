"""Expansion of COLUMNS(...), as in DuckDB: one expression for each column."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from imputedb.sql import ast as t
from imputedb.sql.ast import Tree, parts, rewrite, without_place
from imputedb.sql.scope import Catalog, Frame, Source, starred


def per_column(tree: Tree, frame: Frame, catalog: Catalog) -> list[Tree] | None:
    """The expressions of an expression with COLUMNS(...), one for each column; None for any other.

    Columns given as arguments (`*COLUMNS`) make one call, those in a FILTER one condition. If only DuckDB can determine
    the columns, the expression is left unchanged.
    """
    if not frame.known or not _has_star(tree):
        return None
    shown = _Shown(frame, catalog)
    try:
        whole = shown.filtered(shown.spliced(tree))
        stars = list(_stars(whole))
        if not stars:
            return [{**whole, "alias": tree.get("alias") or next(iter(catalog.titles([whole])))}]
        return list(shown.copies(whole, stars))
    except _Unknown:
        return None


class _Unknown(Exception):  # never leaves this file
    """Columns that only DuckDB can determine."""


class _Shown:
    """The expansion of the stars of one block."""

    def __init__(self, frame: Frame, catalog: Catalog) -> None:
        self._frame = frame
        self._catalog = catalog

    def spliced(self, tree: Tree) -> Tree:
        """The expression with columns given as arguments (`*COLUMNS`) expanded."""

        def change(node: Tree) -> Tree | None:
            for key in ("arguments", "children"):
                given = node.get(key)
                if given and any(_is_unpacked(_expression(one)) for one in given):
                    return {**node, key: [part for one in given for part in self._unpacked(one)]}
            return node if node["class"] in ("SUBQUERY", "STAR") else None

        found: Tree = rewrite(tree, change)
        return found

    def _unpacked(self, given: Tree) -> Iterator[Tree]:
        """One argument, or one for each column of its star."""
        tree = _expression(given)
        if not _is_unpacked(tree):
            yield self._put(given, self.spliced(tree))
            return
        (inner,) = tree["children"]
        stars = list(_stars(inner))
        for copy in self.copies(inner, stars):
            yield self._put(given, {**copy, "alias": ""})

    @staticmethod
    def _put(given: Tree, tree: Tree) -> Tree:
        return {**given, "expression": tree} if "expression" in given else tree

    def filtered(self, tree: Tree) -> Tree:
        """The expression with stars in FILTER expanded to one condition."""

        def change(node: Tree) -> Tree | None:
            if node["class"] in ("SUBQUERY", "STAR"):
                return node
            condition = node.get("filter")
            if not condition or not _has_star(condition):
                return None
            every = [{**one, "alias": ""} for one in self.copies(condition, list(_stars(condition)))]
            inside = {key: rewrite(part, change) for key, part in node.items() if key != "filter"}
            return {**inside, "filter": t.all_of(every)}

        found: Tree = rewrite(tree, change)
        return found

    def copies(self, tree: Tree, stars: Sequence[Tree]) -> Iterator[Tree]:
        """The expression, once for each column of its stars, which must be equal."""
        star = stars[0]
        if any(without_place(one) != without_place(star) for one in stars) or _has_hidden_star(tree):
            raise _Unknown
        if not (star["columns"] or star["expr"]):  # `* LIKE 'x%'`, whose condition contains it
            raise _Unknown
        alias = str(tree.get("alias") or "")
        names = self._named(star, alias)
        for value, name in self._columns(star, names):
            made: Tree = rewrite(tree, partial(_in_place, value=value))
            yield {**made, "alias": names.get(name.lower(), name) if "\\" in alias else alias or name}

    def _named(self, star: Tree, alias: str) -> Mapping[str, str]:
        """The columns of a star with an expression, in lower case, each with the alias made from its name."""
        if not star["expr"]:
            return {}
        named = list(dict.fromkeys(name for source in self._frame.sources for name in _visible(source)))
        empty = t.subquery(t.select([t.named(t.literal(None), name) for name in named], None), "")
        texts = [
            self._catalog.described(t.subquery(t.select([{**star, "alias": one}], empty), "")) for one in ("", alias)
        ]
        plain, aliased = texts
        if not plain or not aliased:
            raise _Unknown
        return {name.lower(): other for name, other in zip(plain, aliased, strict=True)}

    def _columns(self, star: Tree, names: Mapping[str, str]) -> Iterator[tuple[Tree, str]]:
        """The expression for each column of a star, with the column's name."""
        only = str(star["relation_name"]).lower()
        if star["qualified_exclude_list"] or (only and all(s.alias.lower() != only for s in self._frame.sources)):
            raise _Unknown
        for source, name, replacement, other in starred(star, self._frame):
            if star["expr"] and name.lower() not in names:
                continue
            yield (self._path(source, name) if replacement is None else replacement), other or name

    def _path(self, source: Source, name: str) -> Tree:
        """A reference to a column; one merged by an outer join is unqualified."""
        merged = self._frame.outer and name.lower() in self._frame.merged
        if source.alias and not merged:
            return t.reference(source.alias, name)
        if not merged and sum(name.lower() in map(str.lower, s.names or ()) for s in self._frame.sources) > 1:
            raise _Unknown
        return t.reference(name)


def _expression(given: Tree) -> Tree:
    """The expression of a function argument or of an operand."""
    found: Tree = given.get("expression", given)
    return found


def _is_unpacked(tree: Tree) -> bool:
    """Whether an expression gives columns as arguments: `*COLUMNS(...)`."""
    return bool(tree.get("type") == "OPERATOR_UNPACK")


def _in_place(node: Tree, value: Tree) -> Tree | None:
    if node["class"] == "STAR":
        return {**value, "alias": node.get("alias", "")}
    return node if node["class"] == "SUBQUERY" else None


def _stars(tree: Tree) -> Iterator[Tree]:
    """The stars in an expression, outside of subqueries."""
    if tree["class"] == "STAR":
        yield tree
    elif tree["class"] != "SUBQUERY":
        for part in parts(tree):
            yield from _stars(part)


def _has_star(tree: Tree) -> bool:
    return next(_stars(tree), None) is not None


def _has_hidden_star(tree: Tree) -> bool:
    """Whether a star has another meaning than one column each: in a window's FILTER or arguments."""
    if tree["class"] in ("STAR", "SUBQUERY"):
        return False
    own: Tree = tree.get("filter_expr") or {"class": ""}
    return _is_unpacked(tree) or _has_star(own) or any(map(_has_hidden_star, parts(tree)))


def _visible(source: Source) -> Iterator[str]:
    return (name for name in source.names or () if source.visible and name not in source.virtual)
