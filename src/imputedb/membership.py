"""Rows with the share of the draws in which they qualify: what `likelihood()` in a SELECT asks for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from imputedb.algebra.relation import Table
from imputedb.engines.duckdb import DuckDB
from imputedb.engines.resolution import quoted
from imputedb.engines.session import Held
from imputedb.errors import QueryError
from imputedb.sql import tree as t
from imputedb.sql.tree import Tree

LIKELIHOOD = "likelihood"

_ALONE = "likelihood() stands alone in the select list, and in ORDER BY: it is known only when all draws are there"
_OF_ROWS = "likelihood() is of rows: an aggregation says by in_draws in which share of the draws a group is"
_VALUES = "rows are told apart by their values, since FROM is not of stored tables alone"


@dataclass(frozen=True, slots=True)
class Ordering:
    """What the rows are ordered by: a column of the aggregation, or the likelihood where it is None."""

    column: str | None
    direction: str

    def text(self, shown: str) -> str:
        """As SQL, by a column."""
        words = {"ASCENDING": " ASC", "DESCENDING": " DESC"}
        return shown + words.get(self.direction, "")


@dataclass(frozen=True, slots=True)
class Membership:
    """A query whose rows carry their likelihood, as an aggregation of the rows of each draw.

    The query without its likelihood runs in each draw, its ORDER BY and LIMIT included, so that being among the first
    is a property of a draw; its rows are grouped by the stored rows that they come from.

    Attributes:
        text: of the aggregation: a row for each row that qualifies in some draw.
        names: of the columns of the answer; None where the likelihood stands, under `likely`.
        types: of the columns, likewise.
        likely: the likelihood's name.
        orders: of the answer.
        limit: what follows ORDER BY, where that is by the likelihood.
        notes: what is to be said.
    """

    text: str
    names: tuple[str | None, ...]
    types: tuple[str, ...]
    likely: str
    orders: tuple[Ordering, ...]
    limit: str
    notes: tuple[str, ...]

    def shown(self, engine: DuckDB, source: str, columns: Sequence[str], m: int) -> tuple[Held, list[str], list[str]]:
        """The answer: its rows, the names of their columns and their types.

        Args:
            engine: where it is held.
            source: the SELECT of the aggregation's rows.
            columns: the names of their columns.
            m: draws.
        """
        share = "in_draws" if "in_draws" in columns else "1.0"
        error = f"sqrt({share} * (1 - {share}) / {m})"
        items, names, types, place = [], [], [], 0
        for name, kind in zip(self.names, self.types, strict=True):
            if name is None:
                items += [share, error]
                names += [self.likely, f"{self.likely}_mce"]
                types += ["DOUBLE", "DOUBLE"]
                continue
            items.append(f"CAST(q{place} AS {kind})")
            names.append(name)
            types.append(kind)
            place += 1
        orders = [one.text(one.column or share) for one in self.orders] + [name for name in columns if name[0] == "k"]
        listed = ", ".join(f"{item} AS c{number}" for number, item in enumerate(items))
        ordered = f" ORDER BY {', '.join(orders)}" if orders else ""
        return engine.session.held(f"SELECT {listed} FROM ({source}){ordered}{self.limit}"), names, types


def membership(engine: DuckDB, text: str) -> Membership | None:
    """The aggregation that a query with `likelihood()` stands for; None of a query without.

    Raises:
        QueryError: it is asked for where there is none.
    """
    if LIKELIHOOD not in text.lower():
        return None
    node = engine.texts.tree(text)
    if not any(map(_is_likelihood, t.expressions(node))):
        return None
    items = node.get("select_list", [])
    places = [place for place, item in enumerate(items) if _is_likelihood(item)]
    rest = [item for item in items if not _is_likelihood(item)]
    if len(places) != 1 or not rest:
        raise QueryError(_ALONE if len(places) != 1 else "likelihood() is of rows: select what tells them apart")
    if (
        node["group_expressions"]
        or node["having"]
        or any(_aggregates(item, engine.functions.aggregates) for item in rest)
    ):
        raise QueryError(_OF_ROWS)
    return _Rows(engine, node, rest, places[0], str(items[places[0]].get("alias") or "likelihood()")).asked()


def _aggregates(tree: Tree, names: Collection[str]) -> bool:
    """Whether an expression has an aggregate of this query's rows, not of a window's nor of a subquery's."""
    if tree["class"] in ("SUBQUERY", "WINDOW"):
        return False
    mine = tree["class"] == "FUNCTION" and tree["function_name"].lower() in names
    return mine or any(_aggregates(part, names) for part in t.parts(tree))


def _is_likelihood(tree: Any) -> bool:
    return isinstance(tree, dict) and tree.get("class") == "FUNCTION" and tree["function_name"].lower() == LIKELIHOOD


@dataclass(frozen=True, slots=True)
class _Rows:
    """A query, the items of its select list without the likelihood, and where that stood."""

    engine: DuckDB
    node: Tree
    rest: Sequence[Tree]
    place: int
    likely: str

    def asked(self) -> Membership:
        modifiers = {one["type"]: one for one in self.node["modifiers"]}
        notes: list[str] = []
        keys = [] if "DISTINCT_MODIFIER" in modifiers else self.keys(self.node["from_table"], notes)
        orders = [self._order(key) for key in modifiers.get("ORDER_MODIFIER", {"orders": []})["orders"]]
        limits = [one for kind, one in modifiers.items() if kind.startswith("LIMIT")]
        outside = any(tree is None for tree, _ in orders)
        inside = [one for one in self.node["modifiers"] if not one["type"].startswith(("ORDER", "LIMIT"))]
        if limits and not outside:
            inside += [self._renumbered(modifiers["ORDER_MODIFIER"])] if orders else []
            inside += limits
        hidden = [t.named(tree, f"h{n}") for n, tree in enumerate(tree for tree, _ in orders if tree is not None)]
        named = [t.named(key, f"k{n}") for n, key in enumerate(keys or [])]
        inner = {**self.node, "select_list": [*self.rest, *hidden, *named], "modifiers": inside}
        if any(map(_is_likelihood, t.expressions(inner))):
            raise QueryError(_ALONE)
        text = self.engine.text(inner)
        names, types = self.engine.texts.outputs(text)
        count = len(names) - len(hidden) - len(named)
        at = self.place + (count - len(self.rest) if self._starred(self.rest[: self.place]) else 0)
        return Membership(
            _grouped(text, names, count, len(hidden)),
            (*names[:at], None, *names[at:count]),
            (*types[:at], "DOUBLE", *types[at:count]),
            self.likely,
            self._orderings(orders, first=bool(limits) and not outside),
            self._limited(limits) if outside else "",
            tuple(dict.fromkeys(notes)),
        )

    def _starred(self, items: Sequence[Tree]) -> bool:
        return any(item["class"] == "STAR" for item in items)

    def _order(self, key: Tree) -> tuple[Tree | None, str]:
        """What is ordered by, None for the likelihood, and the direction."""
        tree = key["expression"]
        if _is_likelihood(tree) or (t.is_reference(tree) and tree["column_names"] == [self.likely]):
            return None, str(key["type"])
        if tree["class"] == "CONSTANT" and str(tree["literal"]["text"]).isdigit():
            place = int(tree["literal"]["text"]) - 1
            if self._starred(self.rest):
                raise QueryError("ORDER BY a position beside a star and likelihood(): name the column")
            if place == self.place:
                return None, str(key["type"])
            return {**self.rest[place - (place > self.place)], "alias": ""}, str(key["type"])
        return tree, str(key["type"])

    def _renumbered(self, modifier: Tree) -> Tree:
        """The order of the rows within a draw: positions are what they stand for."""
        orders = [{**key, "expression": self._order(key)[0]} for key in modifier["orders"]]
        return {**modifier, "orders": orders}

    def _orderings(self, orders: Sequence[tuple[Tree | None, str]], *, first: bool) -> tuple[Ordering, ...]:
        found, place = [Ordering(None, "DESCENDING")] if first else [], 0
        for tree, direction in orders:
            found.append(Ordering(None if tree is None else f"h{place}", direction))
            place += tree is not None
        return tuple(found)

    def _limited(self, limits: Sequence[Tree]) -> str:
        """The text of LIMIT and OFFSET."""
        if not limits:
            return ""
        (limit,) = limits
        percent = " PERCENT" if limit["type"] == "LIMIT_PERCENT_MODIFIER" else ""
        parts = [(word, limit[part]) for word, part in (("LIMIT", "limit"), ("OFFSET", "offset")) if limit.get(part)]
        texts = self.engine.texts.written([tree for _, tree in parts])
        return "".join(
            f" {word} {text}{percent if word == 'LIMIT' else ''}" for (word, _), text in zip(parts, texts, strict=True)
        )

    def keys(self, source: Tree, notes: list[str]) -> list[Tree] | None:
        """What tells the rows of FROM apart: keys of stored tables; None, and a note, where others are read."""
        match source["type"]:
            case "BASE_TABLE":
                path = [str(part) for part in source["qualified_name"]["path"]]
                called = {str(one["key"]).lower() for one in self.node["cte_map"]["map"]}
                stored = self.engine.tables.found(quoted(path))
                if isinstance(stored, Table) and (len(path) > 1 or path[0].lower() not in called):
                    return self._of_table(stored, [str(source["alias"])] if source["alias"] else path, notes)
            case "JOIN" if source["join_type"] in ("SEMI", "ANTI"):
                return self.keys(source["left"], notes)
            case "JOIN":
                left, right = self.keys(source["left"], notes), self.keys(source["right"], notes)
                return None if left is None or right is None else [*left, *right]
        notes.append(_VALUES)
        return None

    def _of_table(self, table: Table, path: Sequence[str], notes: list[str]) -> list[Tree]:
        """A key that the table has, else all its columns that miss nothing."""
        statistics = self.engine.statistics(table)
        if statistics.key is not None:
            return [t.reference(*path, statistics.key)]
        known = statistics.columns.items()
        whole = [name for name, column in known if not column.missing + column.meant]
        notes.append(f"{table.name} has no key: its rows are told apart by {', '.join(whole) or 'nothing'}")
        return [t.reference(*path, name) for name in whole]


def _grouped(text: str, names: Sequence[str], count: int, hidden: int) -> str:
    """The aggregation: q0, q1, ... are the columns of the answer, h0, ... what it is ordered by, k0, ... keys."""
    called, alias = [quoted([name]) for name in names], "q"
    if len({name.lower() for name in names}) < len(names):
        called = [f"c{n}" for n in range(len(names))]
        alias = f"q({', '.join(called)})"
    firsts = [f"any_value({name}) AS q{n}" for n, name in enumerate(called[:count])]
    firsts += [f"any_value({name}) AS h{n}" for n, name in enumerate(called[count : count + hidden])]
    keys = called[count + hidden :]
    kept = [f"{name} AS k{n}" for n, name in enumerate(keys)]
    groups = ", ".join(keys or called[:count])
    return f"SELECT {', '.join([*firsts, *kept])} FROM ({text}) AS {alias} GROUP BY {groups}"
