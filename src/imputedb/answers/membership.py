"""Rows with the share of the draws in which they qualify: what `likelihood()` in a SELECT asks for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from imputedb.algebra.relation import Table
from imputedb.engines.engine import Engine, Held
from imputedb.errors import QueryError, UnknownName
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import is_call
from imputedb.sql.paths import quoted

LIKELIHOOD = "likelihood"

_ALONE = "likelihood() stands alone in the select list, and in ORDER BY: it is known only when all draws are there"
_OF_ROWS = "likelihood() is of rows: an aggregation says by in_draws in which share of the draws a group is"
_VALUES = "rows are told apart by their values, since FROM is not of stored tables alone"


@dataclass(frozen=True, slots=True)
class Ordering:
    """What the rows are ordered by: a column of the aggregation, or the likelihood where it is None."""

    column: str | None
    direction: str
    nulls: str = "ORDER_DEFAULT"

    def text(self, shown: str) -> str:
        """As SQL, by a column."""
        words = {"ASCENDING": " ASC", "DESCENDING": " DESC"}
        nulls = f" {self.nulls}" if self.nulls.startswith("NULLS") else ""
        return shown + words.get(self.direction, "") + nulls


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

    def shown(self, engine: Engine, source: str, columns: Sequence[str], m: int) -> tuple[Held, list[str], list[str]]:
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
        return engine.held(f"SELECT {listed} FROM ({source}){ordered}{self.limit}"), names, types


def membership(engine: Engine, text: str) -> Membership | None:
    """The aggregation that a query with `likelihood()` stands for; None of a query without.

    A macro of the user's that has the name comes first.

    Raises:
        QueryError: it is asked for where there is none.
    """
    if LIKELIHOOD not in text.lower():
        return None
    node = engine.tree(text)
    if not any(map(_is_likelihood, t.expressions(node))) or engine.has_macro(LIKELIHOOD):
        return None
    items = node.get("select_list", [])
    places = [place for place, item in enumerate(items) if _is_likelihood(item)]
    rest = [item for item in items if not _is_likelihood(item)]
    if len(places) != 1 or not rest:
        raise QueryError(_ALONE if len(places) != 1 else "likelihood() is of rows: select what tells them apart")
    if (
        node["group_expressions"]
        or node["having"]
        or node["aggregate_handling"] != "STANDARD_HANDLING"
        or any(_aggregates(item, engine.functions.aggregates) for item in rest)
    ):
        raise QueryError(_OF_ROWS)
    return _Rows(engine, node, rest, places[0], str(items[places[0]].get("alias") or "likelihood()")).asked()


def _aggregates(tree: Tree, names: Collection[str]) -> bool:
    """Whether an expression has an aggregate of this query's rows, not of a window's nor of a subquery's."""
    if tree["class"] in ("SUBQUERY", "WINDOW"):
        return False
    mine = is_call(tree) and tree["function_name"].lower() in names
    return mine or any(_aggregates(part, names) for part in t.parts(tree))


def _is_likelihood(tree: Any) -> bool:
    if not isinstance(tree, dict) or not is_call(tree) or tree["arguments"]:
        return False
    return [part.lower() for part in tree["qualified_name"]["path"] if part] == [LIKELIHOOD]


def _without(node: Tree) -> Tree:
    """The query with a number where the likelihood stands, as DuckDB can look at it."""

    def change(part: Tree) -> Tree | None:
        return {**t.literal(0.5), "alias": part["alias"]} if _is_likelihood(part) else None

    found: Tree = t.rewrite(node, change)
    return found


def _place(place: int, at: int) -> int | None:
    """The place of a column among those of the answer but the likelihood, None of that."""
    return None if place == at else place - (place > at)


@dataclass(frozen=True, slots=True)
class _Key:
    """What rows are ordered by: an expression, a column of the answer by its place, or the likelihood."""

    by: Tree | int | None
    key: Tree

    def inside(self) -> Tree:
        """As a key of the rows within a draw."""
        return {**self.key, "expression": t.number(self.by + 1) if isinstance(self.by, int) else self.by}


def _orderings(orders: Sequence[_Key], *, first: bool) -> tuple[Ordering, ...]:
    found, hidden = [Ordering(None, "DESCENDING")] if first else [], 0
    for one in orders:
        column = f"q{one.by}" if isinstance(one.by, int) else None if one.by is None else f"h{hidden}"
        found.append(Ordering(column, str(one.key["type"]), str(one.key["null_order"])))
        hidden += isinstance(one.by, dict)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Rows:
    """A query, the items of its select list without the likelihood, and where that stood."""

    engine: Engine
    node: Tree
    rest: Sequence[Tree]
    place: int
    likely: str

    def asked(self) -> Membership:
        whole = self._whole()
        at = self._before()
        modifiers = {one["type"]: one for one in self.node["modifiers"]}
        notes: list[str] = []
        keys = [] if "DISTINCT_MODIFIER" in modifiers else self.keys(self.node["from_table"], notes)
        orders = self._orders(modifiers.get("ORDER_MODIFIER", {"orders": []})["orders"], at, len(whole))
        limits = [one for kind, one in modifiers.items() if kind.startswith("LIMIT")]
        outside = any(one.by is None for one in orders)
        inside = [one for one in self.node["modifiers"] if not one["type"].startswith(("ORDER", "LIMIT"))]
        if limits and not outside:
            inside += [{**modifiers["ORDER_MODIFIER"], "orders": [one.inside() for one in orders]}] if orders else []
            inside += limits
        hidden = [t.named(tree, f"h{n}") for n, tree in enumerate(one.by for one in orders if isinstance(one.by, dict))]
        named = [t.named(key, f"k{n}") for n, key in enumerate(keys or [])]
        inner = {**self.node, "select_list": [*self.rest, *hidden, *named], "modifiers": inside}
        if any(map(_is_likelihood, t.expressions(inner))):
            raise QueryError(_ALONE)
        text = self.engine.text(inner)
        names, types = self._outputs(text)
        count = len(names) - len(hidden) - len(named)
        return Membership(
            _grouped(text, names, count, len(hidden)),
            (*names[:at], None, *names[at:count]),
            (*types[:at], "DOUBLE", *types[at:count]),
            self.likely,
            _orderings(orders, first=bool(limits) and not outside),
            self._limited(limits) if outside else "",
            tuple(dict.fromkeys(notes)),
        )

    def _whole(self) -> list[str]:
        """The names of the answer's columns, if DuckDB accepts the query with a number where the likelihood stands."""
        try:
            return self.engine.outputs(self.engine.text(_without(self.node)))[0]
        except QueryError as error:  # where it shows the place, it shows the number
            raise type(error)(str(error).partition("\nLINE ")[0].strip()) from error

    def _outputs(self, text: str) -> tuple[list[str], list[str]]:
        """Names and types of a query without the likelihood, that DuckDB accepts with a number in its place."""
        try:
            return self.engine.outputs(text)
        except UnknownName as error:  # something is made of the likelihood by its alias
            raise QueryError(_ALONE) from error

    def _before(self) -> int:
        """The columns that stand before the likelihood."""
        items = self.rest[: self.place]
        if not any(item["class"] == "STAR" for item in items):
            return self.place
        before = {**_without(self.node), "select_list": items, "modifiers": []}
        return len(self._outputs(self.engine.text(before))[0])

    def _orders(self, keys: Sequence[Tree], at: int, count: int) -> list[_Key]:
        """What is ordered by, ALL as all columns of the answer."""
        found: list[_Key] = []
        for key in keys:
            tree = key["expression"]
            if tree["class"] != "STAR":
                found.append(_Key(self._by(tree, at), key))
                continue
            if not tree["columns"] or tree["expr"]:
                raise QueryError("ORDER BY a star beside likelihood(): name the columns")
            found += [_Key(_place(n, at), key) for n in range(count)]
        return found

    def _by(self, tree: Tree, at: int) -> Tree | int | None:
        if _is_likelihood(tree):
            return None
        if tree["class"] == "COLLATE":
            child = self._by(tree["child"], at)
            return {**tree, "child": child} if isinstance(child, dict) else tree
        if tree["class"] == "CONSTANT":
            return _place(int(tree["literal"]["text"]) - 1, at)
        if not t.is_reference(tree) or len(tree["column_names"]) > 1:
            return tree
        name = str(tree["column_names"][0]).lower()
        items = [*self.rest[: self.place], None, *self.rest[self.place :]]
        for item in items:  # an alias comes before a column
            if (str(item["alias"]) if item else self.likely).lower() == name:
                return {**item, "alias": ""} if item else None
        return tree

    def _limited(self, limits: Sequence[Tree]) -> str:
        """The text of LIMIT and OFFSET."""
        if not limits:
            return ""
        (limit,) = limits
        percent = " PERCENT" if limit["type"] == "LIMIT_PERCENT_MODIFIER" else ""
        parts = [(word, limit[part]) for word, part in (("LIMIT", "limit"), ("OFFSET", "offset")) if limit.get(part)]
        texts = self.engine.written([tree for _, tree in parts])
        return "".join(
            f" {word} {text}{percent if word == 'LIMIT' else ''}" for (word, _), text in zip(parts, texts, strict=True)
        )

    def keys(self, source: Tree, notes: list[str]) -> list[Tree] | None:
        """What tells the rows of FROM apart: keys of stored tables; None, and a note, where others are read."""
        match source["type"]:
            case "BASE_TABLE":
                path = [str(part) for part in source["qualified_name"]["path"]]
                called = {str(one["key"]).lower() for one in self.node["cte_map"]["map"]}
                stored = self.engine.found(quoted(path))
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
