"""The uses of columns in one SELECT block, expression by expression."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Protocol

from imputedb.sql.ast import Tree, expressions, is_reference, parts
from imputedb.sql.flatten import multiplying
from imputedb.sql.functions import COUNTS, LINEAR, MULTIPLYING, PASSING_WINDOWS
from imputedb.sql.scope import Source
from imputedb.sql.varying import LIMITS, Misses, Varying, aliases_of, is_aggregate, is_grouped, is_resolved, meant


class Use(IntEnum):
    """The use of a column's values, in ascending order; of those that are counted it matters whether they are NULL."""

    SHOWN = 1
    COUNTED = 2
    AVERAGED = 3
    DECIDES = 4


Expected = Callable[[int, str], bool]
"""Whether single values of a stored column are expected values: numbers that are not rounded to a few levels."""

Demands = Sequence[Use | None]
"""What is done with each output of a query; None with one that nobody reads."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts on tables and functions.

    Attributes:
        aggregates: names of aggregate functions.
        macros: names of user-defined functions.
        multiplying: names of functions that give any number of rows per input row.
        misses: whether a stored column has values to impute.
        expected: whether single values of such a column are expected values.
    """

    aggregates: frozenset[str]
    macros: frozenset[str]
    multiplying: frozenset[str]
    misses: Misses
    expected: Expected


class Notes(Protocol):
    """The statement-wide recorder of uses, as a block sees it."""

    facts: Facts
    varying: Varying
    sources: Mapping[int, Source]

    def reference(self, node: Tree, use: Use) -> None:
        """Records the use of the columns that a reference reads."""

    def note(self, number: int, name: str, use: Use) -> None:
        """Records the use of a source's column."""

    def query(self, node: Tree, demands: Demands | None, default: Use) -> None:
        """Visits a subquery in an expression."""

    def source(self, item: Tree, order: Use) -> None:
        """Visits an item of FROM, after the uses of its columns were recorded."""


ANY = "*"
"""Stands for the columns of a source of which nobody knows the names."""


@dataclass(slots=True)
class Block:
    """A SELECT block whose uses of columns are recorded.

    Attributes:
        examining: recorder of uses.
        node: syntax tree of the SELECT.
        uses: use of each output, by enclosing queries and by itself.
        order: use of the order of its rows.
        aliases: outputs by alias.
        grouped: whether it aggregates.
    """

    examining: Notes
    node: Tree
    uses: list[Use | None]
    order: Use
    aliases: Mapping[str, Tree] = field(init=False)
    grouped: bool = field(init=False)
    _places: Mapping[int, int] = field(init=False)
    _looked: dict[int, Use] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.aliases = aliases_of(self.node)
        self._places = {id(item): place for place, item in enumerate(self.node["select_list"])}
        self.grouped = is_grouped(self.node, self.examining.facts.aggregates)

    def look(self) -> None:
        """Records all uses, and then visits the sources."""
        self._conditions(self.node["from_table"])
        for clause in (self.node["where_clause"], self.node["having"], self.node["qualify"]):
            self._walk(clause, Use.DECIDES)
        for key in self.node["group_expressions"]:
            self._key(key, Use.DECIDES)
        for item in self.node["select_list"] if self.grouped else ():
            if not is_aggregate(item, self.examining.facts.aggregates):
                self._mark(item, Use.DECIDES)
        kinds = {modifier["type"] for modifier in self.node["modifiers"]}
        for modifier in self.node["modifiers"]:
            self._modifier(modifier, limited=bool(kinds & LIMITS))
        self._multiplied()
        self._items()
        cut = kinds & LIMITS and not self.grouped
        order = Use.DECIDES if cut or self._depends_on_order() else Use.SHOWN
        self.examining.source(self.node["from_table"], order)

    def _conditions(self, item: Tree) -> None:
        if item["type"] == "JOIN":
            self._walk([item["condition"] or [], item["using_origins"]], Use.DECIDES)
            self._conditions(item["left"])
            self._conditions(item["right"])

    def _modifier(self, modifier: Tree, *, limited: bool) -> None:
        match modifier["type"]:
            case "ORDER_MODIFIER":
                for order in modifier["orders"]:
                    self._key(order["expression"], Use.DECIDES if limited else self.order)
            case "DISTINCT_MODIFIER":
                for target in modifier["distinct_on_targets"]:
                    self._key(target, Use.DECIDES)
                for item in () if modifier["distinct_on_targets"] else self.node["select_list"]:
                    self._mark(item, Use.DECIDES)
            case _:
                self._walk(modifier, Use.DECIDES)

    def _depends_on_order(self) -> bool:
        """Whether outputs depend on the order of rows: windows, and aggregates other than sums and counts."""
        names = LINEAR | COUNTS
        return any(
            node["class"] == "WINDOW"
            or (node["class"] == "FUNCTION" and str(node["function_name"]).lower() in self._aggregates - names)
            for node in expressions(self.node["select_list"])
        )

    @property
    def _aggregates(self) -> frozenset[str]:
        return self.examining.facts.aggregates

    def _multiplied(self) -> None:
        """Records what decides the number of rows of an output, even if it is unread."""
        for item in self.node["select_list"]:
            for call in multiplying(item, self.examining.facts.multiplying):
                self._mark(item, Use.SHOWN)
                if not _has_fixed_length(call):
                    self._below(call, Use.DECIDES)

    # -- outputs ------------------------------------------------------------------------------------------------------

    def _key(self, key: Tree, use: Use) -> None:
        """Records a key of GROUP BY, ORDER BY or DISTINCT ON: an output, or an expression."""
        found = meant(key, self.node["select_list"])
        for item in found:
            self._mark(item, use)
        if not found:
            self._walk(key, use)

    def _mark(self, item: Tree, use: Use) -> None:
        """Records a use of one of the query's own outputs."""
        place = self._places[id(item)]
        self.uses[place] = most(self.uses[place], use)

    def _items(self) -> None:
        """Records the uses in outputs, repeated while an output's use grows through others that name it."""
        waiting = True
        while waiting:
            waiting = False
            for place, item in enumerate(self.node["select_list"]):
                use = self.uses[place]
                if use and use > self._looked.get(place, 0):
                    waiting, self._looked[place] = True, use
                    computed = use is Use.COUNTED and not is_reference(item)  # it may be NULL or not
                    self._walk(item, Use.DECIDES if computed else use)

    # -- expressions --------------------------------------------------------------------------------------------------

    def _walk(self, tree: Any, use: Use) -> None:
        """Records the uses of columns in an expression that has a given use."""
        if not isinstance(tree, dict) or "class" not in tree:
            for part in parts(tree) if tree else ():
                self._walk(part, use)
            return
        match tree["class"]:
            case "COLUMN_REF":
                self._reference(tree, use)
            case "POSITIONAL_REFERENCE":
                self._everything(Use.DECIDES)
            case "STAR":
                self.examining.reference(tree, use)
                self._unknown(use)
                self._below(tree, use)
            case "FUNCTION":
                self._function(tree, use)
            case "WINDOW":
                self._window(tree, use)
            case "SUBQUERY":
                self._subquery(tree, use)
            case "CASE" if use is Use.AVERAGED:
                self._case(tree)
            case "CAST":
                self._walk(tree["child"], Use.DECIDES if use is Use.AVERAGED and not _is_float(tree) else use)
            case "OPERATOR" if tree["type"] == "OPERATOR_COALESCE":
                self._below(tree, use)
            case _:
                self._below(tree, Use.DECIDES if use is Use.AVERAGED else use)

    def _below(self, tree: Tree, use: Use) -> None:
        for part in parts(tree):
            self._walk(part, use)

    def _reference(self, tree: Tree, use: Use) -> None:
        if is_resolved(tree):
            is_row = "reads_all" in tree and use is Use.AVERAGED
            self.examining.reference(tree, Use.DECIDES if is_row else use)
            return
        item = self.aliases.get(str(tree["column_names"][0]).lower())
        if item is not None:
            self._mark(item, use)
        else:
            self._unknown(Use.DECIDES)

    def _unknown(self, use: Use) -> None:
        """Records a use of all sources with unknown columns."""
        for number, source in _sources(self.node["from_table"], self.examining.sources):
            if source.definition is not None and source.definition.columns is None:
                self.examining.note(number, ANY, use)

    def _everything(self, use: Use) -> None:
        """Records a use of all columns of all sources, for references by position."""
        self._unknown(use)
        for number, source in _sources(self.node["from_table"], self.examining.sources):
            for name in (source.names or {}).values():
                self.examining.note(number, name, use)

    def _varies(self, tree: Any) -> bool:
        return bool(tree) and self.examining.varying.expression(tree, self.aliases)

    def _function(self, tree: Tree, use: Use) -> None:
        name = str(tree["function_name"]).lower()
        if name in self._aggregates and not tree.get("tests_missingness"):
            self._aggregate(tree, name, use)
        elif name in self.examining.facts.macros:
            self._below(tree, Use.DECIDES)
        elif use is Use.AVERAGED:
            given = [part["expression"] for part in tree["arguments"]]
            linear = self._linear_in(name, given)
            for place, one in enumerate(given):
                self._walk(one, Use.AVERAGED if place in linear else Use.DECIDES)
        else:
            self._below(tree, use)

    def _linear_in(self, name: str, given: Sequence[Tree]) -> set[int]:
        """The positions of operands in which arithmetic is linear; columns of the other operands are deciding."""
        match name:
            case "+" | "-" | "add" | "subtract":
                return {*range(len(given))}
            case "*" | "multiply":
                open_ones = {place for place, one in enumerate(given) if self._varies(one) and not _is_choice(one)}
                return open_ones if len(open_ones) < 2 else set()
            case "/":
                return {0} if not self._varies(given[1:]) or _is_choice(given[1]) else set()
            case _:
                return set()

    def _aggregate(self, tree: Tree, name: str, use: Use) -> None:
        self._walk(tree.get("filter"), Use.DECIDES)
        self._walk(tree.get("order_bys"), Use.DECIDES)
        given = [part["expression"] for part in tree["arguments"]]
        linear = name in LINEAR and not tree.get("distinct") and use is not Use.DECIDES
        for one in given:
            counted = name in COUNTS and not tree.get("distinct") and is_reference(one)
            self._walk(one, Use.COUNTED if counted else Use.AVERAGED if linear else Use.DECIDES)

    def _window(self, tree: Tree, use: Use) -> None:
        name = str(tree["function_name"]).lower()
        given = [part["expression"] for part in tree["arguments"]]
        others = [value for key, value in tree.items() if key != "arguments" and isinstance(value, (dict, list))]
        for other in others:
            self._walk(other, Use.DECIDES)
        inner = Use.DECIDES
        if name in LINEAR and not tree.get("distinct"):
            inner = max(use, Use.AVERAGED)
        elif name in PASSING_WINDOWS:
            inner = use
        for one in given:
            self._walk(one, inner)

    def _case(self, tree: Tree) -> None:
        """Records a CASE, which is linear in its branches; its conditions decide."""
        for check in tree["case_checks"]:
            self._walk(check["when_expr"], Use.DECIDES)
            self._walk(check["then_expr"], Use.AVERAGED)
        self._walk(tree["else_expr"], Use.AVERAGED)

    def _subquery(self, tree: Tree, use: Use) -> None:
        node, kind = tree["subquery"]["node"], tree["subquery_type"]
        self._walk(tree.get("child"), Use.DECIDES)
        if kind == "SCALAR":
            self.examining.query(node, None, use)
        elif kind in ("EXISTS", "NOT_EXISTS"):
            self.examining.query(node, [None] * len(node.get("select_list", ())), Use.SHOWN)
        else:
            self.examining.query(node, None, Use.DECIDES)


def most(one: Use | None, other: Use | None) -> Use | None:
    """The larger of two uses."""
    return max((use for use in (one, other) if use), default=None)


def _has_fixed_length(call: Tree) -> bool:
    """Whether a call unnests a list literal, whose length is fixed."""
    if str(call["function_name"]).lower() not in MULTIPLYING or len(call["arguments"]) != 1:
        return False
    return str(call["arguments"][0]["expression"].get("function_name", "")).lower() == "list_value"


def _is_choice(tree: Tree) -> bool:
    """Whether an expression is a condition, or a condition as a number, so that all its columns decide."""
    while tree["class"] == "CAST":
        tree = tree["child"]
    return tree["class"] in ("COMPARISON", "CONJUNCTION", "BETWEEN") or tree["type"] in _CONDITIONS


_CONDITIONS = {"OPERATOR_NOT", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "COMPARE_IN", "COMPARE_NOT_IN"}


def _is_float(tree: Tree) -> bool:
    return str(tree["type_expr"].get("type_name", "")).upper() in ("DOUBLE", "FLOAT")


def _sources(item: Tree, sources: Mapping[int, Source]) -> Iterator[tuple[int, Source]]:
    if item["type"] == "JOIN":
        yield from _sources(item["left"], sources)
        yield from _sources(item["right"], sources)
    elif "number" in item:
        yield item["number"], sources[item["number"]]
