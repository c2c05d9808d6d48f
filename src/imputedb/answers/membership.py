"""`likelihood()` in a SELECT: the share of draws in which each row qualifies."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from imputedb.algebra.relation import Table
from imputedb.engines.engine import Engine, Held
from imputedb.errors import QueryError, UnknownName
from imputedb.notes import Note, NoteKind
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import (
    alias_written,
    arguments_of,
    child_of,
    function_of,
    is_all,
    is_call,
    is_constant,
    is_star,
    is_subquery,
    is_window,
    kind_of,
    names_of,
    path_of,
    text_of,
    with_parts,
)
from imputedb.sql.items import is_filtering, is_join, is_table, sides_of_join
from imputedb.sql.paths import quoted
from imputedb.sql.select import (
    bounds_of,
    direction_of,
    entries_of,
    from_of,
    groups_rows,
    is_distinct_query,
    is_percentage,
    limit_of,
    name_of,
    order_key,
    order_of,
    ordered_by,
    outputs_of,
    selecting,
    with_order,
    with_outputs,
)

LIKELIHOOD = "likelihood"

_ALONE = "likelihood() stands alone in the select list, and in ORDER BY: it is known only when all draws are there"
_OF_ROWS = "likelihood() is of rows: an aggregation says by in_draws in which share of the draws a group is"
_VALUES = Note(NoteKind.IDENTITY, "", "rows are told apart by their values, since FROM is not of stored tables alone")


@dataclass(frozen=True, slots=True)
class Ordering:
    """A key of the answer's order: a column of the aggregation, or the likelihood for None."""

    column: str | None
    direction: str
    nulls: str = "ORDER_DEFAULT"

    def text(self, shown: str) -> str:
        """The key in SQL, for a column."""
        words = {"ASCENDING": " ASC", "DESCENDING": " DESC"}
        nulls = f" {self.nulls}" if self.nulls.startswith("NULLS") else ""
        return shown + words.get(self.direction, "") + nulls


@dataclass(frozen=True, slots=True)
class Membership:
    """A query with the likelihood of its rows, as an aggregation over the rows of each draw.

    The query without the likelihood runs in each draw, with its ORDER BY and LIMIT, so that being among the first rows
    is a property of a draw. Its rows are grouped by the stored rows that they come from.

    Attributes:
        text: text of the aggregation, with a row for each row that qualifies in some draw.
        names: names of the answer's columns; None at the position of the likelihood, which is named `likely`.
        types: types of the columns, likewise.
        likely: name of the likelihood.
        orders: order of the answer.
        limit: limit of the answer, where it is ordered by the likelihood.
        notes: notes on the answer.
    """

    text: str
    names: tuple[str | None, ...]
    types: tuple[str, ...]
    likely: str
    orders: tuple[Ordering, ...]
    limit: str
    notes: tuple[Note, ...]

    @property
    def named(self) -> list[tuple[str, str]]:
        """The names and types of the columns of the answer."""
        parts = ((self.likely, "DOUBLE"), (f"{self.likely}_mce", "DOUBLE"))
        pairs = zip(self.names, self.types, strict=True)
        return [one for name, kind in pairs for one in (parts if name is None else ((name, kind),))]

    def shown(self, engine: Engine, source: str, columns: Sequence[str], m: int) -> tuple[Held, list[str], list[str]]:
        """The answer: its rows, and the names and types of their columns.

        Args:
            engine: engine that holds the rows.
            source: SELECT of the aggregation's rows.
            columns: names of their columns.
            m: number of draws.
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
    """The aggregation for a query with `likelihood()`; None for a query without it.

    A user's macro of that name takes precedence.

    Raises:
        QueryError: the likelihood is not supported there.
    """
    if LIKELIHOOD not in text.lower():
        return None
    node = engine.tree(text)
    if not any(map(_is_likelihood, t.expressions(node))) or engine.has_macro(LIKELIHOOD):
        return None
    items = outputs_of(node)
    places = [place for place, item in enumerate(items) if _is_likelihood(item)]
    rest = [item for item in items if not _is_likelihood(item)]
    if len(places) != 1 or not rest:
        raise QueryError(
            _ALONE if len(places) != 1 else "likelihood() is about rows: select columns that identify them"
        )
    if groups_rows(node) or any(_aggregates(item, engine.functions.aggregates) for item in rest):
        raise QueryError(_OF_ROWS)
    return _Rows(engine, node, rest, places[0], alias_written(items[places[0]]) or "likelihood()").aggregation()


def _aggregates(tree: Tree, names: Collection[str]) -> bool:
    """Whether an expression has an aggregate of this query, outside of windows and subqueries."""
    if is_subquery(tree) or is_window(tree):
        return False
    mine = is_call(tree) and function_of(tree) in names
    return mine or any(_aggregates(part, names) for part in t.parts(tree))


def _is_likelihood(tree: Any) -> bool:
    if not isinstance(tree, dict) or not is_call(tree) or arguments_of(tree):
        return False
    return [part.lower() for part in path_of(tree)] == [LIKELIHOOD]


def _without(node: Tree) -> Tree:
    """The query with a number in place of the likelihood, which DuckDB can bind."""

    def change(part: Tree) -> Tree | None:
        return t.named(t.literal(0.5), alias_written(part)) if _is_likelihood(part) else None

    found: Tree = t.rewrite(node, change)
    return found


def _place(place: int, at: int) -> int | None:
    """The position of a column among those other than the likelihood; None for the likelihood."""
    return None if place == at else place - (place > at)


@dataclass(frozen=True, slots=True)
class _Key:
    """A key of ORDER BY: an expression, a column of the answer by position, or the likelihood."""

    by: Tree | int | None
    key: Tree

    def inside(self) -> Tree:
        """The key for the rows within a draw."""
        assert self.by is not None
        expression = t.number(self.by + 1) if isinstance(self.by, int) else self.by
        return order_key(expression, *direction_of(self.key))


def _orderings(orders: Sequence[_Key], *, first: bool) -> tuple[Ordering, ...]:
    found, hidden = [Ordering(None, "DESCENDING")] if first else [], 0
    for one in orders:
        column = f"q{one.by}" if isinstance(one.by, int) else None if one.by is None else f"h{hidden}"
        found.append(Ordering(column, *direction_of(one.key)))
        hidden += isinstance(one.by, dict)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Rows:
    """A query with the select items other than the likelihood, and the likelihood's position."""

    engine: Engine
    node: Tree
    rest: Sequence[Tree]
    place: int
    likely: str

    def aggregation(self) -> Membership:
        whole = self._whole()
        at = self._before()
        notes: list[Note] = []
        keys = [] if is_distinct_query(self.node) else self.keys(from_of(self.node), notes)
        orders = self._orders(order_of(self.node), at, len(whole))
        limit = limit_of(self.node)
        outside = any(one.by is None for one in orders)
        first = limit is not None and not outside
        hidden = [t.named(tree, f"h{n}") for n, tree in enumerate(one.by for one in orders if isinstance(one.by, dict))]
        named = [t.named(key, f"k{n}") for n, key in enumerate(keys or [])]
        inner = with_order(
            with_outputs(self.node, [*self.rest, *hidden, *named]),
            [one.inside() for one in orders] if first else [],
            limit if first else None,
        )
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
            _orderings(orders, first=first),
            self._limited(limit) if limit and outside else "",
            tuple(dict.fromkeys(notes)),
        )

    def _whole(self) -> list[str]:
        """The names of the answer's columns, after a check that DuckDB accepts the query."""
        try:
            return self.engine.outputs(self.engine.text(_without(self.node)))[0]
        except QueryError as error:  # the message would show the number in place of the likelihood
            raise type(error)(str(error).partition("\nLINE ")[0].strip()) from error

    def _outputs(self, text: str) -> tuple[list[str], list[str]]:
        """The names and types of the columns without the likelihood."""
        try:
            return self.engine.outputs(text)
        except UnknownName as error:  # the alias of the likelihood is used in an expression
            raise QueryError(_ALONE) from error

    def _before(self) -> int:
        """The number of columns before the likelihood."""
        items = self.rest[: self.place]
        if not any(map(is_star, items)):
            return self.place
        before = selecting(_without(self.node), items)
        return len(self._outputs(self.engine.text(before))[0])

    def _orders(self, keys: Sequence[Tree], at: int, count: int) -> list[_Key]:
        """The keys of ORDER BY, with ALL expanded to all columns of the answer."""
        found: list[_Key] = []
        for key in keys:
            tree = ordered_by(key)
            if not is_star(tree):
                found.append(_Key(self._by(tree, at), key))
                continue
            if not is_all(tree):
                raise QueryError("ORDER BY a star is not supported with likelihood(): name the columns")
            found += [_Key(_place(n, at), key) for n in range(count)]
        return found

    def _by(self, tree: Tree, at: int) -> Tree | int | None:
        if _is_likelihood(tree):
            return None
        if kind_of(tree) == "COLLATE":
            child = self._by(child_of(tree), at)
            return with_parts(tree, ("child",), lambda _: child) if isinstance(child, dict) else tree
        if is_constant(tree):
            return _place(int(text_of(tree)) - 1, at)
        names = names_of(tree)
        if len(names) != 1:
            return tree
        name = names[0].lower()
        items = [*self.rest[: self.place], None, *self.rest[self.place :]]
        for item in items:  # an alias takes precedence over a column
            if (alias_written(item) if item else self.likely).lower() == name:
                return t.named(item, "") if item else None
        return tree

    def _limited(self, limit: Tree) -> str:
        """The text of LIMIT and OFFSET."""
        percent, parts = " PERCENT" if is_percentage(limit) else "", bounds_of(limit)
        texts = zip(parts, self.engine.written(list(parts.values())), strict=True)
        return "".join(f" {word} {text}{percent if word == 'LIMIT' else ''}" for word, text in texts)

    def keys(self, source: Tree, notes: list[Note]) -> list[Tree] | None:
        """The keys that identify rows of FROM: keys of stored tables; None, with a note, for other sources."""
        if is_table(source):
            path, called = path_of(source), {name_of(entry) for entry in entries_of(self.node)}
            stored = self.engine.found(quoted(path))
            if isinstance(stored, Table) and (len(path) > 1 or path[0].lower() not in called):
                return self._of_table(stored, [alias_written(source)] if alias_written(source) else path, notes)
        elif is_join(source):
            left, right = sides_of_join(source)
            found = [self.keys(side, notes) for side in ([left] if is_filtering(source) else [left, right])]
            return None if None in found else [key for keys in found for key in keys or ()]
        notes.append(_VALUES)
        return None

    def _of_table(self, table: Table, path: Sequence[str], notes: list[Note]) -> list[Tree]:
        """A key of the table, else all its complete columns."""
        statistics = self.engine.statistics(table)
        if statistics.key is not None:
            return [t.reference(*path, statistics.key)]
        known = statistics.columns.items()
        whole = [name for name, column in known if not column.missing + column.meant]
        words = f"{table.name} has no key: its rows are told apart by {', '.join(whole) or 'nothing'}"
        notes.append(Note(NoteKind.IDENTITY, table.name, words))
        return [t.reference(*path, name) for name in whole]


def _grouped(text: str, names: Sequence[str], count: int, hidden: int) -> str:
    """The aggregation: q0, q1, ... are the columns of the answer, h0, ... those that it is ordered by, k0, ... keys."""
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
