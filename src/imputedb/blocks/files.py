"""Sources of rows that are not tables: files in FROM, which are copied into tables, and macros."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from imputedb.algebra.relation import Table
from imputedb.blocks.listings import listed_without_ours
from imputedb.blocks.reads import Reads
from imputedb.engines.engine import Engine
from imputedb.errors import Error, Unplanned
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import alias_written, arguments_of, function_of, is_call, names_of, path_of, text_of
from imputedb.sql.items import call_in, in_place_of, is_table, is_table_function, without_alias
from imputedb.sql.paths import parts_of
from imputedb.sql.reading_functions import reads_files
from imputedb.sql.scope import Viewed
from imputedb.sql.subqueries import alias_of, nodes

VIRTUAL = ("filename", "file_row_number", "file_index", "file_row_group_number")
"""Columns of files that a star does not show, and that are read where they are named."""


Meant = Callable[[Sequence[str], object], "Table | Viewed | None"]
"""What a path means to the engine, inside the query of a view if one is given."""


class Files:
    """The files that one statement reads, each copied once.

    Attributes:
        copies: temporary tables of their rows; empty where files are read in place.
        statement: the statement over the copies.
    """

    def __init__(self, engine: Engine, statement: Tree, *, in_place: bool = False) -> None:
        self.copies: list[Table] = []
        self._engine = engine
        self._in_place = in_place
        self._named = virtual_named(statement)
        self._known: dict[str, Table] = {}
        self.statement = self._copied(statement)

    def resolved(self, path: Sequence[str], within: object, meant: Meant) -> Table | Viewed | None:
        """The table or view of a path; files in the query of a view are copied too.

        Raises:
            Unplanned: an unqualified name is a table in a nested schema, after USE.
        """
        found = meant(path, within)
        if found is None and len(path) == 1 and self._engine.is_nested(path):
            raise Unplanned(f"{path[0]} is a table in a schema within a schema: write its path, schemas first")
        if not isinstance(found, Viewed):
            return found
        self._named = tuple(dict.fromkeys([*self._named, *virtual_named(found.query)]))
        return replace(found, query=self._copied(listed_without_ours(self._engine, found.query)))

    def _copied(self, tree: Any) -> Any:
        """A tree in which files and calls that read files are replaced by temporary tables, unless read in place."""
        if isinstance(tree, list):
            return [self._copied(part) for part in tree]
        if not isinstance(tree, dict):
            return tree
        if not self._in_place and is_file(self._engine, tree):
            return in_place_of(tree, t.table(self._copy(tree).path, alias_of_file(self._engine, tree)))
        return {k: self._copied(part) if isinstance(part, (dict, list)) else part for k, part in tree.items()}

    def _copy(self, tree: Tree) -> Table:
        item = without_alias(tree)
        key = repr((t.without_place(item), self._named))
        if key not in self._known:
            self._known[key] = self._engine.copied(item, virtual_of(self._engine, item, self._named))
            self.copies.append(self._known[key])
        return self._known[key]


def virtual_of(engine: Engine, item: Tree, names: Sequence[str]) -> list[str]:
    """The columns of a file, among the given ones, that a star does not include."""
    return [name for name in names if _has(engine, item, name)]


def _has(engine: Engine, item: Tree, name: str) -> bool:
    described, written = engine.described, engine.text
    try:
        described(written(t.select([t.reference(name)], item)))
    except Error:
        return False
    return name not in (shown.lower() for shown in described(written(t.select([t.star()], item)))[0])


def virtual_named(tree: Tree) -> tuple[str, ...]:
    """The columns that a statement names and that a star does not include."""
    named = {names_of(part)[-1].lower() for part in nodes(tree) if names_of(part)}
    return tuple(name for name in VIRTUAL if name in named)


def is_file(engine: Engine, item: Tree) -> bool:
    """Whether an item of FROM is a file, or a function that reads files."""
    if is_table_function(item):
        return reads_files(function_of(call_in(item)))
    return is_table(item) and _stands_for_file(engine, item)


def alias_of_file(engine: Engine, item: Tree) -> str:
    """DuckDB's qualifier of a file's columns: `g` for `g.csv`, quoted or not."""
    path = path_of(item)
    if path and engine.is_nested(path):
        return alias_written(item) or path[-1]
    if is_table(item):
        return alias_written(item) or Path(".".join(path_of(item))).stem
    return alias_of(item)


def _stands_for_file(engine: Engine, item: Tree) -> bool:
    """Whether a name without a table is a file's: it has a dot, or is qualified, as in `FROM g.csv`.

    A table in a nested schema, which paths of tables do not support, is read like a file.
    """
    path = path_of(item)
    name = ".".join(path)
    if "." not in name or engine.meant(path) is not None or tuple(path) in {one.path for one in engine.adopted}:
        return False
    return len(path) == 1 or engine.is_nested(path) or engine.is_readable(name)


def check_macros(engine: Engine, node: Tree, seen: frozenset[str] = frozenset()) -> None:
    """Refuses a macro that reads a table or a file with missing values, which DuckDB would not impute.

    Raises:
        Unplanned: there is such a macro, or one whose arguments name a file or table.
    """
    known = engine.macros(set(filter(None, map(function_of, nodes(node)))))
    for part in engine.with_views(node) if known else nodes(node):
        if is_table_function(part):
            _check_histogram(engine, call_in(part))
        name = function_of(part)
        if name not in known or name in seen:
            continue
        query, reading = engine.called_query(part)
        if reading:
            raise Unplanned(f"the defaults of the macro {name} say what it reads: call it with all of its arguments")
        for called, dirty in _read_by(engine, engine.opened(query)):
            if dirty:
                way_out = "call it with all of its arguments as constants, or write its query out"
                raise Unplanned(f"the macro {name} reads {called}, which misses values: {way_out}")
        check_macros(engine, query, seen | {name})


def _check_histogram(engine: Engine, call: Tree) -> None:
    """Refuses histogram() in FROM over a column with missing values, which DuckDB would leave out."""
    name = function_of(call)
    if name not in ("histogram", "histogram_values") or not arguments_of(call):
        return
    source = arguments_of(call)[0]
    found = engine.meant(names_of(source) or parts_of(text_of(source)))
    if not isinstance(found, Table) or engine.statistics(found).dirty:
        raise Unplanned(f"{name}(...) in FROM reads values as they are stored: write SELECT histogram(column) FROM ...")


def check_missingness_macros(engine: Engine, reads: Reads, node: Tree) -> None:
    """Refuses a macro that tests missingness, which DuckDB would expand over completed values.

    Raises:
        Unplanned: there is such a macro.
    """
    calls = [part for part in t.expressions(node) if is_call(part)]
    known = engine.missingness_macros({function_of(part) for part in calls})
    for part in calls:
        name = function_of(part)
        if name in known and reads.dirty(part):
            way_out = "call it with all of its arguments, or write it out"
            raise Unplanned(
                f"the macro {name} asks about missing values, and only DuckDB knows its defaults: {way_out}"
            )


def _read_by(engine: Engine, node: Tree) -> Iterator[tuple[str, bool]]:
    """The tables and files that a macro's query reads, by name, and whether they have missing values."""
    for part in engine.with_views(node):
        if is_file(engine, part):
            with suppress(Error):
                table = engine.copied(without_alias(part))
                yield "a file", bool(engine.statistics(table).dirty)
                engine.unmake("TABLE", [table.name])
                engine.disown(table.name)
        elif is_table(part):
            found = engine.meant(path_of(part))
            if isinstance(found, Table):
                yield found.name, bool(engine.statistics(found).dirty)
