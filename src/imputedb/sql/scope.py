"""Meanings of names: tables, nested queries, and the frames in which names are looked up."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from imputedb.algebra.relation import Table
from imputedb.sql.ast import Tree


@dataclass(slots=True)
class Definition:
    """A nested query.

    Attributes:
        node: syntax tree of the query.
        columns: names of its columns; None where unknown.
        closed: whether it has no references to enclosing queries.
        entry: for a query of WITH, its resolved entry.
        by_row: whether each output row comes from one row of FROM.
        children: parts of a set operation or a recursive query.
        extra: added outputs with stored values, by the position of the original output and whether IMPUTED needs
            them.
        passes: whether such an output can be added, by the same key.
    """

    node: dict[str, Any]
    columns: tuple[str, ...] | None
    closed: bool = True
    entry: Tree | None = None
    by_row: bool = False
    children: "tuple[Definition, ...]" = ()
    extra: dict[tuple[int, bool], str] = field(default_factory=dict)
    passes: dict[tuple[int, bool], bool] = field(default_factory=dict)

    @property
    def parts(self) -> "tuple[Definition, ...]":
        """The parts of a UNION ALL, whose rows are passed on."""
        united = str(self.node.get("setop_type", "")).startswith("UNION") and self.node["setop_all"]
        return self.children if united else ()

    def place(self, column: str) -> int | None:
        """The position of an output, by name."""
        names = [one.lower() for one in self.columns or ()]
        return names.index(column.lower()) if column.lower() in names else None

    def item(self, place: int) -> Tree | None:
        """The select item at a position; None where items and columns do not correspond."""
        items = self.node.get("select_list", ())
        return items[place] if len(items) == len(self.columns or ()) else None


@dataclass(slots=True)
class Source:
    """An item of FROM: its alias, its columns, and the table or query behind it.

    Attributes:
        number: number of the source in the statement.
        names: own names of its columns by their visible names; None where unknown.
        visible: whether a star includes it; false for the right side of SEMI and ANTI JOIN.
        nullable: whether an outer join may pad its rows with NULLs.
        compared: lower-case own names of columns that joins compare.
        virtual: columns that a star does not include.
        item: the item of FROM, where it is neither a table nor a query.
    """

    number: int
    alias: str
    names: dict[str, str] | None
    table: Table | None = None
    definition: Definition | None = None
    visible: bool = True
    nullable: bool = False
    compared: set[str] = field(default_factory=set)
    virtual: frozenset[str] = frozenset()
    item: Tree = field(default_factory=dict)
    _spelled: dict[str, tuple[str, str]] = field(default_factory=dict, repr=False)

    def column(self, name: str) -> tuple[str, str] | None:
        """A column by any spelling: its visible name and its own name."""
        if len(self._spelled) != len(self.names or ()):
            self._spelled = {shown.lower(): (shown, own) for shown, own in (self.names or {}).items()}
        return self._spelled.get(name.lower())


@dataclass(slots=True)
class Frame:
    """The sources of one block, with the enclosing frame, and the expressions of its output aliases so far."""

    parent: "Frame | None"
    sources: list[Source] = field(default_factory=list)
    merged: dict[str, list[Source]] = field(default_factory=dict)
    hidden: set[tuple[int, str]] = field(default_factory=set)
    outer: bool = False
    aliases: dict[str, Tree | None] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether the columns of all sources are known."""
        return all(source.names is not None for source in self.sources)


@dataclass(frozen=True, slots=True)
class Viewed:
    """A view: the syntax tree of its query, its column names, and the engine's identity of it."""

    query: Tree
    columns: Sequence[str]
    itself: object


@dataclass(frozen=True, slots=True)
class Catalog:
    """Meanings of names outside the statement, given by the engine.

    Attributes:
        meant: table or view of a path, optionally as seen inside a view; None where there is neither.
        columns: columns of a table.
        virtual: those that a star does not include.
        described: columns of any other item of FROM; None where it cannot stand alone.
        titles: the engine's names of expressions without alias.
        aggregates: names of aggregate functions.
        multiplying: names of functions that give any number of rows per input row, and perhaps several columns.
        single: names of functions that must be called exactly once per row.
        derived: expressions of a table's derived columns, over bare column names.
    """

    meant: Callable[[Sequence[str], object], "Table | Viewed | None"]
    columns: Callable[[Table], Sequence[str]]
    virtual: Callable[[Table], frozenset[str]]
    described: Callable[[Tree], Sequence[str] | None]
    titles: Callable[[Sequence[Tree]], Sequence[str]]
    aggregates: frozenset[str]
    multiplying: frozenset[str]
    single: frozenset[str]
    derived: Callable[[Table], Mapping[str, Tree]]


Ctes = Mapping[str, Definition]


def renamed(found: Definition, aliases: Sequence[str]) -> Definition:
    """A nested query with aliases for its first columns."""
    if not aliases or found.columns is None:
        return found
    return replace(found, columns=tuple(distinct_names([*aliases, *found.columns[len(aliases) :]])))


def found_in(path: Sequence[str], frame: Frame) -> tuple[Source, str, int] | list[Source] | None:
    """The column a path means in a frame: its source, name and place in the path; both of them where an outer join
    merged two."""
    for place in range(1, len(path)):
        for source in frame.sources:
            if source.alias.lower() == path[place - 1].lower() and source.column(path[place]):
                return source, path[place], place
    name = path[0].lower()
    if name in frame.merged:
        sources = frame.merged[name]
        return sources if frame.outer else (sources[0], path[0], 0)
    return next(((source, path[0], 0) for source in frame.sources if source.column(path[0])), None)


def starred(star: Tree, frame: Frame) -> Iterator[tuple[Source, str, Tree | None, str]]:
    """The columns that a star shows: source and name, the expression in its place if any, and the name it gets if
    another."""
    excluded = {str(name).lower() for name in star["exclude_list"]}
    replaced = {str(entry["key"]).lower(): entry["value"] for entry in star["replace_list"]}
    aliases = {_last(entry["key"]).lower(): str(entry["value"]) for entry in star["rename_list"]}
    only = star["relation_name"].lower()
    for source in frame.sources:
        for name in source.names or ():
            visible = source.visible and name not in source.virtual
            shown = visible and only in ("", source.alias.lower()) and name.lower() not in excluded
            if shown and (only or (source.number, name.lower()) not in frame.hidden):
                yield source, name, replaced.get(name.lower()), aliases.get(name.lower(), "")


def distinct_names(names: Iterable[str]) -> Iterator[str]:
    """Distinct column names of one item of FROM, as DuckDB makes them: a, a_1, a_2."""
    further: dict[str, int] = {}
    for name in names:
        shown, count = name, further.get(name.lower(), 0)
        while shown.lower() in further:
            shown, count = f"{name}_{count}", count + 1
        further[name.lower()] = max(count, 1)
        further.setdefault(shown.lower(), 1)
        yield shown


def _last(key: Any) -> str:
    return str(key if isinstance(key, str) else key.get("column", key))
