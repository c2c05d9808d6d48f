"""The use of each column by a statement: shown, averaged or deciding.

This module alone decides which missing values may be replaced by expected values, and which must be drawn. An answer
is unbiased under expected values of a column only if it is linear in them. So a column is *averaged* only if nothing
but linear arithmetic, linear aggregates, and choices that do not read it are between it and the answer. Everything
else that an answer is computed from *decides* it: conditions, groups, join keys, other aggregates and functions,
conditions of CASE and FILTER, products of two imputed columns. Deciding columns are drawn. Averaged columns are then
expected values given the drawn ones, so that rows selected by a drawn value have matching averages. Rows that are
shown without aggregation have the best single values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imputedb.sql.ast import Tree, expressions, is_reference
from imputedb.sql.scope import Source
from imputedb.sql.uses import ANY, Block, Demands, Facts, Use, most
from imputedb.sql.varying import LIMITS, Varying, reads


@dataclass(frozen=True, slots=True)
class Examined:
    """The uses of columns in a statement.

    Attributes:
        uses: use by number of a source and own name of a column; unread columns are absent.
        outputs: uses of the outputs of each query, by the `id` of its tree.
    """

    uses: Mapping[int, Mapping[str, Use]]
    outputs: Mapping[int, Demands]

    def read(self, number: int) -> frozenset[str]:
        """The columns of a source that are used."""
        return frozenset(self.uses.get(number, {}))

    def deciding(self, number: int) -> frozenset[str]:
        """The columns of a source that decide."""
        return frozenset(name for name, use in self.uses.get(number, {}).items() if use is Use.DECIDES)


def examined(whole: Tree, sources: Mapping[int, Source], facts: Facts) -> Examined:
    """The use of each column of each source of a resolved statement."""
    examining = _Examining(whole, sources, facts)
    before = -1
    while examining.total != before:  # repeated, since a subquery may read a source that was visited before
        before = examining.total
        examining.seen.clear()
        examining.query(whole, None, Use.SHOWN)
    return Examined(examining.uses, examining.outputs)


class _Examining:
    """A traversal of the queries of one statement, with the uses of their outputs by enclosing queries."""

    def __init__(self, whole: Tree, sources: Mapping[int, Source], facts: Facts) -> None:
        self.sources, self.facts = sources, facts
        self.varying = Varying(whole, sources, facts.misses)
        self.uses: dict[int, dict[str, Use]] = {}
        self.outputs: dict[int, list[Use | None]] = {}
        self.seen: set[int] = set()
        self.total = 0
        self._orders: dict[int, Use] = {}

    # -- queries ------------------------------------------------------------------------------------------------------

    def query(self, node: Tree, demands: Demands | None, default: Use, order: Use = Use.SHOWN) -> None:
        """Visits a query.

        Args:
            node: syntax tree of the query.
            demands: uses of its outputs; None where they are not distinguished.
            default: use of all outputs where they are not distinguished.
            order: use of the order of its rows.
        """
        if not node:  # a recursive query reads itself
            return
        before, orders = self.outputs.get(id(node)), self._orders.get(id(node), Use.SHOWN)
        now = _merged(_spread(demands, _width(node), default), before)
        order = max(order, orders)
        if id(node) in self.seen and now == before and order == orders:
            return
        self.seen.add(id(node))
        self.outputs[id(node)], self._orders[id(node)] = now, order
        match node["type"]:
            case "SELECT_NODE":
                Block(self, node, now, order).look()
            case "SET_OPERATION_NODE":
                self._set_operation(node, now)
            case "RECURSIVE_CTE_NODE":
                for child in (node["left"], node["right"]):
                    self.query(child, None, Use.DECIDES)
            case _:
                self.everything(node, Use.DECIDES)

    def _set_operation(self, node: Tree, demands: Demands) -> None:
        """Visits a set operation: UNION ALL passes rows on; all others, and ORDER BY with LIMIT, compare them."""
        kinds = {modifier["type"] for modifier in node["modifiers"]}
        passes = node["setop_type"].startswith("UNION") and node["setop_all"]
        passes = passes and not (kinds & LIMITS and "ORDER_MODIFIER" in kinds)
        most_used = max((use for use in demands if use), default=None)
        for child in node["children"]:
            if not passes:
                self.query(child, None, Use.DECIDES)
            elif "BY_NAME" in node["setop_type"]:
                self.query(child, [most_used] * _width(child), Use.SHOWN)
            else:
                self.query(child, demands, Use.SHOWN)

    def everything(self, tree: Any, use: Use) -> None:
        """Records one use of all columns that a tree reads."""
        for node in expressions(tree):
            if node["class"] == "SUBQUERY":
                self.query(node["subquery"]["node"], None, use)
            self.reference(node, use)

    def reference(self, node: Tree, use: Use) -> None:
        """Records the use of the columns that a reference reads."""
        for number, name, stored in reads(node, self.sources):
            if not stored:
                self.note(number, name, use)

    def note(self, number: int, name: str, use: Use) -> None:
        """Records the use of a column."""
        source = self.sources[number]
        if use is Use.AVERAGED and source.table is not None and not self.facts.expected(number, name):
            use = Use.DECIDES
        if use is Use.COUNTED and source.table is not None:  # a column that is filled in has a value in every row
            use = Use.SHOWN
        known = self.uses.setdefault(number, {})
        if use > known.get(name, 0):
            self.total += use - known.get(name, 0)
            known[name] = use

    # -- FROM ---------------------------------------------------------------------------------------------------------

    def source(self, item: Tree, order: Use) -> None:
        """Visits an item of FROM, after the uses of its columns were recorded."""
        match item["type"]:
            case "JOIN":
                self.source(item["right"], order)  # a lateral one may read the left side
                self.source(item["left"], order)
            case "BASE_TABLE" | "SUBQUERY":
                self._definition(item, order)
            case "PIVOT":
                self._pivot(item, order)
            case "EMPTY":
                pass
            case _:
                self.everything(item, Use.DECIDES)

    def _definition(self, item: Tree, order: Use) -> None:
        definition = self.sources[item["number"]].definition
        if definition is None or not definition.node:
            return
        known = self.uses.get(item["number"], {})
        if definition.columns is None:
            self.query(definition.node, None, known.get(ANY, Use.SHOWN), order)
        else:
            self.query(definition.node, [known.get(name) for name in definition.columns], Use.SHOWN, order)

    def _pivot(self, item: Tree, order: Use) -> None:
        """Visits a PIVOT, which groups by the stated columns or by all that it does not aggregate, or an UNPIVOT."""
        for number in item["reads_all"]:
            for name in (self.sources[number].names or {}).values():
                use = self._unpivoted(item, name) if item.get("unpivot_names") else _pivoted(item, name)
                if use:
                    self.note(number, name, use)
        self.source(item["source"], order)

    def _unpivoted(self, item: Tree, name: str) -> Use | None:
        """The use of a column of UNPIVOT: at least read if it becomes rows, else that of the repeated column."""
        after = {column.lower(): use for column, use in self.uses.get(item["number"], {}).items()}
        named = _named(item["pivots"])
        if named is None or name.lower() in named:
            return max(after.values(), default=Use.SHOWN)
        return after.get(name.lower())


def _pivoted(item: Tree, name: str) -> Use | None:
    """The use of a column by PIVOT: deciding, unless the PIVOT states its groups and does not name the column."""
    named = _named([item["aggregates"], item["pivots"]])
    groups = {str(group).lower() for group in item["groups"]}
    return Use.DECIDES if not groups or named is None or name.lower() in named | groups else None


def _named(tree: Any) -> set[str] | None:
    """The names in unresolved expressions; None where they may name any column."""
    nodes = list(expressions(tree))
    if any(node["class"] not in ("COLUMN_REF", "CONSTANT", "FUNCTION", "CAST", "COMPARISON", "TYPE") for node in nodes):
        return None
    return {str(part).lower() for node in nodes if is_reference(node) for part in node["column_names"]}


def _width(node: Tree) -> int:
    """The number of outputs of a query that are distinguished."""
    match node["type"]:
        case "SELECT_NODE":
            return len(node["select_list"])
        case "SET_OPERATION_NODE" if "BY_NAME" not in node["setop_type"]:
            return _width(node["children"][0])
        case _:
            return 1


def _spread(demands: Demands | None, width: int, default: Use) -> Demands:
    """A use for each of `width` outputs; added outputs with stored values are last, and have none yet."""
    if demands is None:
        return [default] * width
    if len(demands) <= width and width > 1:
        return [*demands, *[None] * (width - len(demands))]
    return list(demands) if len(demands) == width else [max((use for use in demands if use), default=None)] * width


def _merged(now: Demands, before: Demands | None) -> list[Use | None]:
    return [most(one, other) for one, other in zip(now, before or [None] * len(now), strict=True)]
