"""Tests of missingness on columns of nested queries: these get further outputs with stored values."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imputedb.algebra.relation import Table
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree, expressions, rewrite
from imputedb.sql.expression import with_results
from imputedb.sql.flatten import mentions
from imputedb.sql.functions import PICKING
from imputedb.sql.missingness import names_in, pads, passes_on, tests_missingness
from imputedb.sql.scope import Catalog, Definition, Source

Meaning = Callable[..., Tree]
"""What a reference to a column of a source means."""

_ONCE = "a window, a subquery, unnest, random or the like"

_PASSING_MODIFIERS = {"ORDER_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER"}


@dataclass(frozen=True, slots=True)
class Seen:
    """The outputs that were looked at, each by the identity of its query and its place.

    If it is loose, rows that an outer join may pad with NULLs, and the values that MAX and its like pick, count too.
    """

    loose: bool = False
    outputs: set[tuple[int, int]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class UnseenTest:
    """A test of missingness that sees completed values, because stored ones cannot be passed on.

    Attributes:
        column: name of the tested column, as the test has it.
        where: SQL construct that prevents passing stored values on.
        behind: base table columns whose values it shows.
    """

    column: str
    where: str
    behind: frozenset[tuple[Table, str]]


class Passing:
    """Passing of stored values to one statement's tests of missingness; `unseen` has the tests without them.

    Args:
        sources: sources of the statement, by number.
        catalog: meanings of names.
        meaning: resolves a reference to a column.
    """

    def __init__(self, sources: Mapping[int, Source], catalog: Catalog, meaning: Meaning) -> None:
        self.unseen: dict[UnseenTest, None] = {}
        self._sources = sources
        self._catalog = catalog
        self._meaning = meaning

    def extra(self, source: Source, own: str, *, explicit: bool) -> str | None:
        """The output of a nested query with the stored values of another output; None where it cannot have one.

        Args:
            source: source of the nested query.
            own: the query's name of the tested output.
            explicit: whether the test is IMPUTED or COUNT_OBSERVED, for which NULLs of an outer join are not missing.
        """
        definition = source.definition
        place = definition.place(own) if definition else None
        if definition is None or place is None:
            self.note(source, own)
            return None
        if (place, explicit) not in definition.extra:
            if not self._passes(definition, place, explicit):
                self.note(source, own)
                return None
            shown = own.rsplit(" (stored)", 1)[0]
            name, count = f"{shown} (stored)", 1
            while name.lower() in _names(definition):
                name, count = f"{shown} (stored {count})", count + 1
            self._pass(definition, place, name, explicit)
            definition.extra[place, explicit] = name
        return definition.extra[place, explicit]

    def stored(self, tree: Any, *, explicit: bool) -> Any:
        """An expression over stored values; aggregates, windows and queries in it are unchanged."""

        def change(node: Tree) -> Tree | None:
            if node.get("derives"):
                return {**node["children"][0], "alias": node.get("alias", "")}
            if node["class"] == "SUBQUERY" or self._computes(node):
                return node
            if node["class"] == "CASE" and not explicit:
                return with_results(node, lambda when: when, lambda one: rewrite(one, change))
            if not self._changes(node, explicit):
                self._note_reference(node)
                return None
            number, _, _, place = node["origin"]
            bare = {key: part for key, part in node.items() if key != "origin"}
            return self._meaning(bare, self._sources[number], node["column_names"][place], stored=True, place=place)

        return rewrite(tree, change)

    def question(self, tree: Tree, *, explicit: bool) -> Tree:
        """An expression for a test of missingness: over stored values, or unchanged where these cannot be passed on."""
        if self.can_be_stored(tree, explicit=explicit):
            found: Tree = self.stored(tree, explicit=explicit)
            return found
        for node in self.by_row(tree):
            self._note_reference(node)
        return tree

    def _note_reference(self, node: Tree) -> None:
        if "origin" in node and not node["origin"][2] and not self._sources[node["origin"][0]].nullable:
            source = self._sources[node["origin"][0]]
            self.note(source, node["origin"][1], _ONCE if source.table else "")

    def completed(self, tree: Tree) -> Tree:
        """An expression over completed values, with tests of stored values undone."""

        def change(node: Tree) -> Tree | None:
            if "origin" not in node:
                return None
            number, own, stored, place = node["origin"]
            source, bare = self._sources[number], {key: part for key, part in node.items() if key != "origin"}
            if stored:
                return self._meaning(bare, source, node["column_names"][place], stored=False, place=place)
            definition = source.definition
            added = {name: at for (at, _), name in definition.extra.items()} if definition else {}
            if own not in added or definition is None or definition.columns is None:
                return None
            shown = definition.columns[added[own]]
            path = [*node["column_names"][:place], shown, *node["column_names"][place + 1 :]]
            return {**node, "column_names": path, "origin": [number, shown, False, place]}

        found: Tree = rewrite(tree, change)
        return found

    def can_be_stored(self, tree: Tree, *, explicit: bool) -> bool:
        """Whether an expression may differ over stored values, and may be evaluated a second time."""
        if tree["class"] == "STAR" or mentions(tree, self._catalog.single):
            return False
        return any(node.get("derives") or self._changes(node, explicit) for node in self.by_row(tree))

    def note(self, source: Source, own: str, where: str = "") -> None:
        """Records that a test of a source's column sees completed values."""
        behind = frozenset(self._behind(source, own, Seen()))
        if behind:
            self.unseen[UnseenTest(own, where or _where(source), behind)] = None

    def note_names(self, tree: Any, sources: Sequence[Source], where: str) -> None:
        """Records the same for tests in unresolved expressions."""
        names = {str(name) for node in expressions(tree) if tests_missingness(node) for name in names_in(node)}
        for source, name in ((source, name) for source in sources for name in sorted(names)):
            found = source.column(name)
            if found:
                self.note(source, found[1], where)

    def note_expression(self, tree: Tree, where: str) -> None:
        """Records that a test of an expression sees completed values."""
        behind = frozenset(self._behind_expressions(self._shown(tree), Seen()))
        if behind:
            named = t.is_reference(tree) and str(tree["column_names"][-1])
            self.unseen[UnseenTest(named or str(tree.get("alias") or "an expression"), where, behind)] = None

    def behind(self, source: Source, own: str) -> frozenset[tuple[Table, str]]:
        """The base table columns whose completed values, row by row, a source's column may show."""
        return frozenset(self._behind(source, own, Seen(loose=True)))

    def behind_expression(self, tree: Tree) -> frozenset[tuple[Table, str]]:
        """The same for an expression, such as a subquery."""
        return frozenset(self._behind_expressions(self._shown(tree, picked=True), Seen(loose=True)))

    def _shown(self, tree: Tree, *, picked: bool = False) -> Iterator[Tree]:
        """The expressions whose values are shown, through subqueries, aggregates and windows that pass values on."""
        if tree["class"] == "SUBQUERY":
            below = t.parts(tree["subquery"]["node"].get("select_list", ()))
        elif self._computes(tree):
            is_picking = picked and str(tree["function_name"]).lower() in PICKING
            below = t.parts(tree["arguments"][:1]) if passes_on(tree) or pads(tree) or is_picking else iter(())
        else:
            yield tree
            below = t.parts(tree)
        for part in below:
            yield from self._shown(part, picked=picked)

    def by_row(self, tree: Tree) -> Iterator[Tree]:
        """The subexpressions that are computed row by row."""
        if tree["class"] == "SUBQUERY" or self._computes(tree):
            return
        yield tree
        for part in t.parts(tree):
            yield from self.by_row(part)

    def _computes(self, node: Tree) -> bool:
        """Whether a node is an aggregate or a window."""
        is_function = node["class"] == "FUNCTION" and not node.get("tests_missingness")
        is_aggregate = is_function and str(node["function_name"]).lower() in self._catalog.aggregates
        return is_aggregate or node["class"] == "WINDOW"

    def _changes(self, node: Tree, explicit: bool) -> bool:
        """Whether a node is a column whose stored value may differ."""
        if "origin" not in node or node["origin"][2]:
            return False
        number, own, _, _ = node["origin"]
        source = self._sources[number]
        if source.nullable and not explicit:  # there NULL means that nothing matched
            return False
        if source.table is not None:
            return True
        place = source.definition.place(own) if source.definition else None
        return place is not None and self._passes(source.definition, place, explicit)

    def _passes(self, definition: Definition | None, place: int, explicit: bool) -> bool:
        """Whether stored values of an output can be passed on; for UNION ALL, of at least one part."""
        if definition is None:
            return False
        if (place, explicit) not in definition.passes:
            definition.passes[place, explicit] = self._can_pass(definition, place, explicit)
        return definition.passes[place, explicit]

    def _can_pass(self, definition: Definition, place: int, explicit: bool) -> bool:
        if definition.parts:
            placed = list(_placed(definition, place))
            can = all(self._passes(part, at, explicit) or _is_plain(part, at) for part, at in placed)
            return (
                can
                and len(placed) == len(definition.parts)
                and any(self._passes(part, at, explicit) for part, at in placed)
            )
        item = definition.item(place) if definition.by_row else None
        return item is not None and self.can_be_stored(item, explicit=explicit)

    def _pass(self, definition: Definition, place: int, name: str, explicit: bool) -> None:
        """Adds an output with the stored values of another; a part that computes the output adds it unchanged."""
        for part, at in _placed(definition, place):
            self._pass(part, at, name, explicit)
        if not definition.parts:
            added = definition.node["select_list"][place]
            if self._passes(definition, place, explicit):
                added = self.stored(added, explicit=explicit)
            else:
                self._note_item(definition, place, name)
            definition.node["select_list"].append({**added, "alias": name})
        assert definition.columns is not None
        if "united" in definition.node:
            definition.node["united"] = [*definition.node["united"], name]
        definition.columns = (*definition.columns, name)

    def _note_item(self, definition: Definition, place: int, name: str) -> None:
        behind = frozenset(self._behind_query(definition, place, Seen()))
        if behind:
            self.unseen[UnseenTest(name.rsplit(" (stored", 1)[0], _putting_together(definition), behind)] = None

    def _behind(self, source: Source, own: str, seen: Seen) -> Iterator[tuple[Table, str]]:
        """The base table columns whose values a source's column may show."""
        if source.table is not None:
            yield source.table, own
        elif source.definition is None:
            yield from self._behind_item(source, own, seen)
        elif (place := source.definition.place(own)) is not None:
            yield from self._behind_query(source.definition, place, seen)

    def _behind_item(self, source: Source, own: str, seen: Seen) -> Iterator[tuple[Table, str]]:
        """The same for other items of FROM: for PIVOT the grouping columns, for UNPIVOT all."""
        inside = [self._sources[number] for number in source.item.get("reads_all", ())]
        shown = [(one, by) for one in inside for name, by in (one.names or {}).items() if name.lower() == own.lower()]
        if not shown and source.item.get("unpivot_names"):
            shown = [(one, by) for one in inside for by in (one.names or {}).values()]
        for one, by in shown:
            yield from self._behind(one, by, seen)
        if not inside:
            yield from self._behind_expressions(expressions(source.item), seen)

    def _behind_query(self, definition: Definition, place: int, seen: Seen) -> Iterator[tuple[Table, str]]:
        if (id(definition), place) in seen.outputs:
            return
        seen.outputs.add((id(definition), place))
        for child, at in _placed(definition, place):
            yield from self._behind_query(child, at, seen)
        for child in definition.children:
            if child.columns is None:  # its column names are unknown
                for item in child.node.get("select_list", ()):
                    yield from self._behind_expressions(self._shown(item, picked=seen.loose), seen)
        item = None if definition.children else definition.item(place)
        if item is not None:
            yield from self._behind_expressions(self._shown(item, picked=seen.loose), seen)

    def _behind_expressions(self, found: Iterator[Tree], seen: Seen) -> Iterator[tuple[Table, str]]:
        for node in found:
            if "origin" not in node or node["origin"][2]:
                continue
            source = self._sources[node["origin"][0]]
            if seen.loose or not source.nullable:
                yield from self._behind(source, node["origin"][1], seen)


def is_by_values(modifier: Tree) -> bool:
    """Whether a modifier combines rows by their values, as DISTINCT without ON does."""
    if modifier["type"] == "DISTINCT_MODIFIER":
        return not modifier["distinct_on_targets"]
    return modifier["type"] not in _PASSING_MODIFIERS


def _placed(definition: Definition, place: int) -> Iterator[tuple[Definition, int]]:
    """The parts of a set operation, with the position of an output in each."""
    united = definition.node.get("united")
    for child in definition.children:
        at = child.place(united[place]) if united else place
        if at is not None and at < len(child.columns or ()):
            yield child, at


def _names(definition: Definition) -> set[str]:
    """The names of a query's outputs and of its parts' outputs, in lower case."""
    found = {name.lower() for name in definition.columns or ()}
    return found.union(*map(_names, definition.children))


def _is_plain(part: Definition, place: int) -> bool:
    """Whether an output of a SELECT may be evaluated twice."""
    item = part.item(place)
    return item is not None and all(node["class"] != "SUBQUERY" for node in expressions(item))


def _where(source: Source) -> str:
    """The SQL construct that keeps a test from a source's stored values."""
    if source.definition is not None:
        return _putting_together(source.definition)
    if source.table is not None:
        return "COLUMNS(...)"
    return "UNPIVOT" if source.item.get("unpivot_names") else "PIVOT" if source.item.get("pivots") else "a function"


def _putting_together(definition: Definition) -> str:
    """The SQL construct that combines rows of a query."""
    node = definition.node
    match node.get("type"):
        case "SET_OPERATION_NODE":
            return str(node["setop_type"]).replace("_", " ") + (" ALL" if node["setop_all"] else "")
        case "RECURSIVE_CTE_NODE":
            return "a recursive query"
    grouped = node.get("group_expressions") or node.get("aggregate_handling") == "FORCE_AGGREGATES"
    distinct = any(map(is_by_values, node.get("modifiers", ())))
    return "GROUP BY" if grouped else "DISTINCT" if distinct else _ONCE
