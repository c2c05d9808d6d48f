"""What the names of a statement can mean: tables, nested queries, and the frames in which they are looked up."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from imputedb.algebra.relation import Table
from imputedb.sql.ast import Tree


@dataclass(slots=True)
class Definition:
    """A nested query.

    Attributes:
        node: its tree.
        columns: their names; None: nobody knows.
        closed: whether it reads nothing of the queries around it.
        entry: of a query of WITH, its place there, resolved.
        by_row: whether to each row that it shows belongs one of its FROM.
        children: of a set operation, or a recursive query, the queries that it puts together.
        extra: the outputs that were added with the stored values of others, by the place of these, and whether they
            were asked for by IMPUTED.
        passes: whether an output can be added so, by the same.
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
        """Of UNION ALL, the queries whose rows it passes on."""
        united = str(self.node.get("setop_type", "")).startswith("UNION") and self.node["setop_all"]
        return self.children if united else ()

    def place(self, column: str) -> int | None:
        """The place of an output by its name."""
        names = [one.lower() for one in self.columns or ()]
        return names.index(column.lower()) if column.lower() in names else None

    def item(self, place: int) -> Tree | None:
        """What a SELECT gives at a place; None where items and columns are not the same in number."""
        items = self.node.get("select_list", ())
        return items[place] if len(items) == len(self.columns or ()) else None


@dataclass(slots=True)
class Source:
    """An item of FROM: its alias, its columns as they are called here, and the table or the query behind it.

    Attributes:
        number: tells it from the others of the statement.
        names: own names of the columns by the names they go by here, None where nobody knows.
        visible: whether a star shows it, which it does not of the right side of a SEMI or ANTI JOIN.
        nullable: whether an outer join may put NULLs in place of its rows.
        compared: own names, in lower case, of the columns that joins compare.
        virtual: columns that a star does not show.
        item: of what is neither a table nor a query, the item of FROM itself.
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
        """A column by any spelling: as it is called here, and its own name."""
        if len(self._spelled) != len(self.names or ()):
            self._spelled = {shown.lower(): (shown, own) for shown, own in (self.names or {}).items()}
        return self._spelled.get(name.lower())


@dataclass(slots=True)
class Frame:
    """The sources of one block, those of the blocks around it behind it; what its outputs' names stand for so far."""

    parent: "Frame | None"
    sources: list[Source] = field(default_factory=list)
    merged: dict[str, list[Source]] = field(default_factory=dict)
    hidden: set[tuple[int, str]] = field(default_factory=set)
    outer: bool = False
    aliases: dict[str, Tree | None] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether the columns of every source are."""
        return all(source.names is not None for source in self.sources)


@dataclass(frozen=True, slots=True)
class Viewed:
    """A view: the tree of its query, the names of its columns, and what the engine knows the view by."""

    query: Tree
    columns: Sequence[str]
    itself: object


@dataclass(frozen=True, slots=True)
class Catalog:
    """What names outside of the statement mean, as the engine has it.

    Attributes:
        meant: the table or the view of a path, inside the query of a view if one is given; None where it is neither.
        columns: the columns of a table.
        virtual: those of them that a star does not show.
        described: the columns of any other item of FROM, None where it does not stand on its own.
        titles: the names that the engine gives to expressions without one.
        aggregates: names of aggregate functions.
        multiplying: names of functions that give any number of rows for one, and may give several columns.
        single: names of functions that must be called once a row, where the statement says so.
        derived: the columns of a table that are computed from others, each as an expression of these by bare names.
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
    """A nested query with other names for its first columns."""
    if not aliases or found.columns is None:
        return found
    return replace(found, columns=tuple(told_apart([*aliases, *found.columns[len(aliases) :]])))


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


def told_apart(names: Iterable[str]) -> Iterator[str]:
    """The names as DuckDB tells columns of one item of FROM apart: a, a_1, a_2."""
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
