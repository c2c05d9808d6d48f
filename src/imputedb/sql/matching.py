"""Questions of NULL on the nullable side of outer joins: about the match, or about what is stored of rows that matched.

`orders.key IS NULL` after a LEFT JOIN asks whether an order matched. Where a SELECT settles elsewhere which rows
matched (it asks about another column, or has a condition that no padded row fulfils), it would ask that twice: there a
question about any column that the join does not compare is about what is stored.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from imputedb.sql import ast as t
from imputedb.sql.ast import Tree, is_reference
from imputedb.sql.missingness import asks, is_of_null
from imputedb.sql.scope import Frame, Source, found_in
from imputedb.sql.strictness import is_strict

_CLAUSES = ("select_list", "where_clause", "group_expressions", "having", "qualify", "modifiers")


class Matching:
    """What settles, in one statement, which rows of the nullable sides of its outer joins matched.

    Args:
        sources: of the statement, by number.
    """

    def __init__(self, sources: Mapping[int, Source]) -> None:
        self._sources = sources
        self._settled: dict[int, set[frozenset[str]]] = {}

    def compare(self, condition: Tree | None, equal: Sequence[Sequence[Tree]], *, inner: bool) -> None:
        """Notes which columns a join compares, and what an inner one settles about joins below it."""
        for node in t.expressions([condition, equal]):
            if "origin" in node and not node["origin"][2]:
                self._sources[node["origin"][0]].compared.add(node["origin"][1].lower())
        if inner:
            for tree in [*(one for both in equal for one in both), *filter(_excludes, _conjuncts(condition))]:
                self._settle(self._resolved(tree))

    def pad(self, sources: Sequence[Source]) -> None:
        """Notes that a join may put NULLs in place of the rows of some sources."""
        for source in sources:
            source.nullable = True
            self._settled.pop(source.number, None)

    def look(self, node: Tree, frame: Frame) -> None:
        """Notes what the clauses of a SELECT, whose names are not told yet, settle."""
        aliases = {str(item["alias"]).lower(): item for item in node["select_list"] if item.get("alias")}
        found = [part for clause in _CLAUSES for tree in t.parts([node[clause]]) for part in _by_row(tree)]
        conditions = [tree for part in [node["where_clause"], *found] for tree in _conjuncts(part) if _excludes(tree)]
        for tree in [*filter(is_of_null, found), *conditions]:
            self._settle(self._shown(tree, frame, aliases))

    def about_stored(self, node: Tree, frame: Frame) -> bool:
        """Whether a question of NULL is about what is stored although a join may have put NULLs there."""
        asked = self.padded(node, frame)
        return bool(asked) and not any(self._about_match(number, name) for number, name in asked)

    def doubtful(self, node: Tree, frame: Frame) -> Iterator[tuple[Source, str]]:
        """The columns of which a question does not say whether it is about the match: no join compares them."""
        for number, name in sorted(self.padded(node, frame)):
            if name.lower() not in self._sources[number].compared and self._about_match(number, name):
                yield self._sources[number], name

    def padded(self, node: Tree, frame: Frame) -> set[tuple[int, str]]:
        """The columns on nullable sides that an expression, whose names are not told yet, shows."""
        return set(self._shown(node, frame, {}))

    def _about_match(self, number: int, name: str) -> bool:
        compared = name.lower() in self._sources[number].compared
        return compared or all(name.lower() in group for group in self._settled.get(number, ()))

    def _settle(self, columns: Iterable[tuple[int, str]]) -> None:
        """Notes that a question or a condition on some columns tells whether a row matched."""
        groups: dict[int, set[str]] = {}
        for number, name in columns:
            groups.setdefault(number, set()).add(name.lower())
        for number, group in groups.items():
            self._settled.setdefault(number, set()).add(frozenset(group))

    def _shown(self, tree: Tree, frame: Frame, aliases: Mapping[str, Tree]) -> Iterator[tuple[int, str]]:
        for node in _by_row(tree):
            if is_reference(node):
                yield from self._meant(node["column_names"], frame, aliases)

    def _meant(self, path: Sequence[str], frame: Frame, aliases: Mapping[str, Tree]) -> Iterator[tuple[int, str]]:
        around: Frame | None = frame
        while around is not None:
            found = found_in(path, around)
            if isinstance(found, tuple):
                source, name, _ = found
                yield from self._behind(source, (source.column(name) or (name, name))[1])
            if found is not None:
                return
            around = around.parent
        name = path[0].lower()
        if len(path) == 1 and name in aliases:
            yield from self._shown(aliases[name], frame, {})
        elif len(path) == 1 and (meant := frame.aliases.get(name)) is not None:  # its names are told already
            yield from self._resolved(meant)

    def _behind(self, source: Source, own: str) -> Iterator[tuple[int, str]]:
        """A column of a source itself, if that is padded, and those of padded ones in its query that it shows."""
        if source.nullable:
            yield source.number, own
        definition = source.definition
        place = definition.place(own) if definition else None
        if definition is not None and place is not None:
            item = None if definition.children else definition.item(place)
            yield from self._resolved(item) if item is not None else ()

    def _resolved(self, tree: Tree) -> Iterator[tuple[int, str]]:
        for node in _by_row(tree):
            if "origin" in node and not node["origin"][2]:
                yield from self._behind(self._sources[node["origin"][0]], node["origin"][1])


def _by_row(tree: Tree) -> Iterator[Tree]:
    """An expression and those in it, without what queries in it hold."""
    yield tree
    if tree["class"] != "SUBQUERY":
        for part in t.parts(tree):
            yield from _by_row(part)


def _conjuncts(tree: Tree | None) -> list[Tree]:
    if tree is None:
        return []
    return list(tree["children"]) if tree["type"] == "CONJUNCTION_AND" else [tree]


def _excludes(tree: Tree) -> bool:
    """Whether a condition is not fulfilled where any column that it reads is NULL."""
    compares = tree["class"] in ("COMPARISON", "BETWEEN") and not asks(tree)
    within = [node for node in t.expressions(tree) if node["class"] in ("CONJUNCTION", "SUBQUERY")]
    return compares and not within and is_strict(tree, lambda _: True)
