"""Tests for NULL on the nullable side of outer joins: about the match, or about stored values of matched rows.

`orders.key IS NULL` after a LEFT JOIN tests whether an order matched. If a SELECT already determines elsewhere which
rows matched (by a test of another column, or a condition that no padded row fulfils), a test of a column that the join
does not compare is about stored values.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from imputedb.sql import ast as t
from imputedb.sql.ast import Tree, is_reference
from imputedb.sql.missingness import is_of_null, tests_missingness
from imputedb.sql.scope import Frame, Source, found_in
from imputedb.sql.strictness import is_strict

_CLAUSES = ("select_list", "where_clause", "group_expressions", "having", "qualify", "modifiers")


class Matching:
    """What determines, in one statement, which rows of the nullable sides of outer joins matched.

    Args:
        sources: sources of the statement, by number.
    """

    def __init__(self, sources: Mapping[int, Source]) -> None:
        self._sources = sources
        self._settled: dict[int, set[frozenset[str]]] = {}

    def compare(self, condition: Tree | None, equal: Sequence[Sequence[Tree]], *, inner: bool) -> None:
        """Records the columns that a join compares, and which joins below an inner join its condition decides."""
        for node in t.expressions([condition, equal]):
            if "origin" in node and not node["origin"][2]:
                self._sources[node["origin"][0]].compared.add(node["origin"][1].lower())
        if inner:
            for tree in [*(one for both in equal for one in both), *filter(_excludes, _conjuncts(condition))]:
                self._settle(self._resolved(tree))

    def pad(self, sources: Sequence[Source]) -> None:
        """Marks sources as nullable: a join may pad their rows with NULLs."""
        for source in sources:
            source.nullable = True
            self._settled.pop(source.number, None)

    def record_clauses(self, node: Tree, frame: Frame) -> None:
        """Records which matches the clauses of an unresolved SELECT decide."""
        aliases = {str(item["alias"]).lower(): item for item in node["select_list"] if item.get("alias")}
        found = [part for clause in _CLAUSES for tree in t.parts([node[clause]]) for part in _by_row(tree)]
        conditions = [tree for part in [node["where_clause"], *found] for tree in _conjuncts(part) if _excludes(tree)]
        for tree in [*filter(is_of_null, found), *conditions]:
            self._settle(self._shown(tree, frame, aliases))

    def about_stored(self, node: Tree, frame: Frame) -> bool:
        """Whether a test for NULL is about stored values, although an outer join may have padded rows."""
        padded = self.padded(node, frame)
        return bool(padded) and not any(self._about_match(number, name) for number, name in padded)

    def doubtful(self, node: Tree, frame: Frame) -> Iterator[tuple[Source, str]]:
        """The columns for which it is unclear whether a test is about the match, since no join compares them."""
        for number, name in sorted(self.padded(node, frame)):
            if name.lower() not in self._sources[number].compared and self._about_match(number, name):
                yield self._sources[number], name

    def padded(self, node: Tree, frame: Frame) -> set[tuple[int, str]]:
        """The columns of nullable sources that an unresolved expression may show."""
        return set(self._shown(node, frame, {}))

    def _about_match(self, number: int, name: str) -> bool:
        compared = name.lower() in self._sources[number].compared
        return compared or all(name.lower() in group for group in self._settled.get(number, ()))

    def _settle(self, columns: Iterable[tuple[int, str]]) -> None:
        """Records that a test or a condition on some columns decides whether a row matched."""
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
        elif len(path) == 1 and (meant := frame.aliases.get(name)) is not None:  # its names are resolved already
            yield from self._resolved(meant)

    def _behind(self, source: Source, own: str) -> Iterator[tuple[int, str]]:
        """A column itself if its source is nullable, and the nullable columns that it shows from a nested query."""
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
    """An expression and its subexpressions, without those of subqueries."""
    yield tree
    if tree["class"] != "SUBQUERY":
        for part in t.parts(tree):
            yield from _by_row(part)


def _conjuncts(tree: Tree | None) -> list[Tree]:
    if tree is None:
        return []
    return list(tree["children"]) if tree["type"] == "CONJUNCTION_AND" else [tree]


def _excludes(tree: Tree) -> bool:
    """Whether a condition is not true if any column that it reads is NULL."""
    compares = tree["class"] in ("COMPARISON", "BETWEEN") and not tests_missingness(tree)
    within = [node for node in t.expressions(tree) if node["class"] in ("CONJUNCTION", "SUBQUERY")]
    return compares and not within and is_strict(tree, lambda _: True)
