"""Text files of a query, which are read before anything else, since their content decides the types of columns."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from imputedb.algebra.relation import Table
from imputedb.blocks.files import alias_of_file, is_file, virtual_named, virtual_of
from imputedb.engines.cache import OF_STRUCTURE
from imputedb.engines.engine import Engine
from imputedb.notes import Note, NoteKind
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.csv_files import CsvFiles, csv_files
from imputedb.sql.expression import alias_written, path_of
from imputedb.sql.items import derived_in_place_of, in_place_of, is_table, is_table_function, without_alias
from imputedb.sql.scope import Catalog, Viewed
from imputedb.sql.select import entries_of, is_select, name_of
from imputedb.sql.subqueries import nodes
from imputedb.sql.titles import titled


class FileCopies(NamedTuple):
    """A query over tables in place of text files.

    Attributes:
        query: its text.
        copies: temporary tables with the rows of the files.
        notes: notes on how the files were read.
    """

    query: str
    copies: Sequence[Table] = ()
    notes: Sequence[Note] = ()

    def release(self, engine: Engine) -> None:
        """Drops the tables."""
        engine.unmake("TABLE", [table.name for table in self.copies])
        for table in self.copies:
            engine.disown(table.name)


def read_in(engine: Engine, query: str) -> FileCopies:
    """A query over temporary tables in place of text files that it reads directly or through views and macros.

    A file stays if the query names a column that a star does not include, such as `filename`, or if the engine leaves
    it.
    """
    if engine.fills_by_expression:  # another engine's files are not here
        return FileCopies(query)
    with engine.own_statements(query):
        if not _may_read(engine, query):
            return FileCopies(query)
        tree = engine.written_out(engine.tree(query))
        files = _TextFiles(engine, tree)
        found = files.replaced(tree)
        notes = [*files.notes, *(engine.session.taken() if files.copies else ())]
        return FileCopies(engine.text(found) if files.copies else query, files.copies, notes)


def _may_read(engine: Engine, query: str) -> bool:
    """Whether a query names anything but tables; cached until tables change."""
    key = ("text files", query)
    known: bool | None = engine.recall(key)
    if known is None:
        known = any(is_table_function(part) or _may_be_file(engine, part) for part in nodes(engine.tree(query)))
        engine.keep(key, known, tables=OF_STRUCTURE)
    return known


def _may_be_file(engine: Engine, item: Tree) -> bool:
    return is_table(item) and not isinstance(engine.meant(path_of(item)), Table)


class _TextFiles:
    """The text files that one query reads, each copied once.

    Attributes:
        copies: temporary tables with their rows.
        notes: notes on files that were not copied.
    """

    def __init__(self, engine: Engine, query: Tree) -> None:
        self.copies: list[Table] = []
        self.notes: list[Note] = []
        self._engine = engine
        self._names: Catalog = engine.names()
        self._known: dict[str, Table | None] = {}
        self._queries = {name_of(entry).lower() for part in nodes(query) for entry in entries_of(part)}
        self._virtual = virtual_named(query)

    def replaced(self, tree: Any) -> Any:
        """A tree with tables in place of files."""
        if isinstance(tree, list):
            return [self.replaced(part) for part in tree]
        if not isinstance(tree, dict):
            return tree
        if is_select(tree):
            tree = titled(tree, self._reads, self._engine.titles)
        if is_table(tree) and ".".join(path_of(tree)).lower() in self._queries:
            return tree
        if csv_files(tree) is not None and is_file(self._engine, tree):
            table = self._copy(without_alias(tree))
            return tree if table is None else in_place_of(tree, t.table(table.path, alias_of_file(self._engine, tree)))
        view = self._view(tree) if is_table(tree) else None
        if view is not None:
            return view
        return {k: self.replaced(part) if isinstance(part, (dict, list)) else part for k, part in tree.items()}

    def _reads(self, item: Tree) -> bool:
        """Whether an output has a query of its own, whose tables its name would tell."""
        return any(is_table(part) or is_table_function(part) for part in nodes(item))

    def _copy(self, item: Tree) -> Table | None:
        key = repr(t.without_place(item))
        if key not in self._known:
            hidden = virtual_of(self._engine, item, self._virtual)
            self._known[key] = table = None if hidden else self._engine.copied(item)
            self.copies += [table] if table else []
            self.notes += [_left(item, hidden[0])] if hidden else []
        return self._known[key]

    def _view(self, item: Tree) -> Tree | None:
        """The query of a view over text files, in place of its name; None for any other name."""
        found = self._names.meant(path_of(item), None)
        if not isinstance(found, Viewed) or not self._is_same_here(found):
            return None
        query = self.replaced(found.query)
        alias = alias_written(item) or path_of(item)[-1]
        return derived_in_place_of(item, query, alias, found.columns) if query != found.query else None

    def _is_same_here(self, view: Viewed) -> bool:
        """Whether names in a view's query have the same meaning outside of it."""
        paths = [path_of(part) for part in nodes(view.query) if is_table(part)]
        return all(_itself(self._names, path, view.itself) == _itself(self._names, path, None) for path in paths)


def _left(item: Tree, column: str) -> Note:
    """The note that a file is read by DuckDB, since the query names a column that its rows lack."""
    name = (csv_files(item) or CsvFiles(("",))).names[0]
    words = (
        f"{name}: as the query names {column}, the file is read as DuckDB reads it: words such as NA are text; with "
        f"{column} = true in read_csv(...) it is read as by load"
    )
    return Note(NoteKind.READ_AS, name, words)


def _itself(names: Catalog, path: Sequence[str], within: object) -> object:
    found = names.meant(path, within)
    return found.itself if isinstance(found, Viewed) else found
