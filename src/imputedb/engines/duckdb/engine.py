"""The DuckDB engine: its parts, composed to fulfil the protocols of `engines.engine`."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from imputedb.algebra.relation import Table
from imputedb.engines.cache import OF_STRUCTURE, CacheUse, LruCache
from imputedb.engines.duckdb import (
    alterations,
    catalog,
    columns,
    declarations,
    derived,
    encoding,
    load,
    macros,
    profile,
    query_texts,
    settings,
    text_items,
    unseen,
    variables,
)
from imputedb.engines.duckdb.arrays import ArraySlots
from imputedb.engines.duckdb.copies import Copies
from imputedb.engines.duckdb.functions import functions
from imputedb.engines.duckdb.kept_files import KeptFiles
from imputedb.engines.duckdb.metadata import MetadataStore
from imputedb.engines.duckdb.missing_words import Missing
from imputedb.engines.duckdb.models import Models
from imputedb.engines.duckdb.opening import Opening
from imputedb.engines.duckdb.session import Session
from imputedb.engines.duckdb.sharing import SessionCache
from imputedb.engines.duckdb.statements import SyntaxTrees
from imputedb.engines.duckdb.statistics import Gathering
from imputedb.engines.duckdb.tables import Tables
from imputedb.engines.duckdb.temporary import Temporary
from imputedb.engines.engine import Array
from imputedb.engines.offers import KeptModels
from imputedb.engines.reading import Reading
from imputedb.notes import Note
from imputedb.sql import ast as t
from imputedb.sql import derivation
from imputedb.sql.ast import Tree
from imputedb.sql.bind import Functions
from imputedb.sql.generate import ROW
from imputedb.sql.scope import Catalog as Names
from imputedb.statistics.policy import Policy
from imputedb.statistics.table import Kind


class DuckDB:
    """The engine of one session, for one statement at a time; threads that share it take turns.

    Attributes:
        session: the connection and its transactions.
        connection, lock: those of the session.
        store, models: declarations and kept models, stored in databases.
        texts: conversion between texts and syntax trees.
        tables: the tables that exist.
        gathering: their statistics.
        temporary: imputedb's temporary tables and views.
        slots: arrays that statements read.
        functions: the properties of DuckDB's functions.
        further_caches: caches of the code that uses this engine.
        reads_variables: whether unknown names may mean data frames in variables of the caller.
    """

    fills_by_expression = False

    def __init__(self, way: Opening | str, *, variables: bool = False, beside: "DuckDB | None" = None) -> None:
        self.reads_variables = variables
        opening = Opening(way) if isinstance(way, str) else way
        self.session: Session = Session(opening, beside.session if beside else None)
        self.connection = self.session.connection
        self.lock = self.session.lock
        self.store: MetadataStore = MetadataStore(self.connection, self.session.state, beside.store if beside else None)
        self._memory: SessionCache = SessionCache(self.session, beside._memory.shared if beside else None)
        self.models: KeptModels = Models(self.session, self.store)
        self.texts = SyntaxTrees(self.session, self._memory)
        self.tables = Tables(self.session, self.store)
        self.gathering = Gathering(self.session, self.store, self.tables, self.texts, self._memory)
        self.temporary = Temporary(self.session)
        self.slots = ArraySlots(self.connection)
        parts = (self.session, self.texts, self.tables, self.gathering, self.temporary)
        kept = KeptFiles(self.session, self.tables, self.temporary)
        self._copies = Copies(*parts, self._memory, partial(text_items.text_item, self), kept)
        self.functions = functions()
        self.further_caches: list[LruCache[Any, Any]] = []
        self._offer()
        self.session.tidying += [self.temporary.tidy, self.slots.tidy]
        self.session.calls.titled = self.temporary.with_titles
        self.session.on_failed_commit = lambda: self.store.end(kept=False)
        self.session.write_target = lambda text: alterations.write_scope(self.tables, self.session.home, text)
        self.session.on_statement = lambda text: alterations.action_after(
            self.session,
            self.store,
            self.tables,
            text,
            lambda table, replaced: declarations.prune(self, table, replaced=replaced),
        )

    def _offer(self) -> None:
        """Makes members of the parts members of the engine, as its protocols require."""
        session, texts, tables = self.session, self.texts, self.tables
        gathering, scratch = self.gathering, self.temporary
        self.adopted, self.virtual = tables.adopted, tables.virtual
        self.shapes, self.shape, self.learnable = tables.shapes, tables.shape, tables.learnable
        self.adopt, self.disown, self.called = tables.adopt, tables.disown, tables.called
        self.meant, self.found, self.named = tables.meant, tables.found, tables.named
        self.statistics, self.dirty, self.fingerprint = gathering.statistics, gathering.dirty, gathering.fingerprint
        self.classified, self.tree, self.text, self.written = texts.classified, texts.tree, texts.text, texts.written
        self.titles, self.outputs, self.described = texts.titles, texts.outputs, texts.described
        self.forget_outputs, self.prepared, self.combines = texts.forget_outputs, texts.prepared, texts.combines
        self.constants, self.evaluated, self.filled = texts.constants, texts.evaluated, texts.filled
        self.verbatim, self.tables_in = session.verbatim, session.tables_in
        self.fetched, self.numbers, self.held = session.rows, session.numbers, session.held
        self.answered, self.execute = self._copies.kept.answered, self._copies.kept.execute
        self.check_order = partial(settings.check_order, session)
        self.reread, self.converted, self.streamed = session.reread, session.converted, session.streamed
        self.copied, self.check_copied = self._copies.copied, self._copies.check
        self.fresh, self.make, self.unmake = scratch.fresh, scratch.make, scratch.unmake
        self.gather, self.extend, self.stage = scratch.rows, scratch.extend, scratch.copy
        self.policies, self.check_writable = self.store.policies, self.store.check_writable
        self.recall, self.keep = self._memory.recall, self._memory.keep

    def further(self) -> "DuckDB":
        """An engine of the same database for another session, which runs side by side with this one."""
        self.session.calls.check_process()
        return DuckDB(self.session.opening, variables=self.reads_variables, beside=self)

    @contextmanager
    def snapshot(self, *, lazily: bool = False) -> Iterator[None]:
        """A block of statements that see one state of the data; its changes are undone if it fails."""
        with self.lock, self.session.transaction(lazily=lazily):
            yield

    @contextmanager
    def shared_snapshot(self, *, writes: str = "", always: bool = False) -> Iterator[bool]:
        """A snapshot beside other sessions; gives whether any may have written since this call began."""
        with self.lock:
            if self.session.is_alone and not always:
                yield False
                return
            written = self.session.writes.writing(alterations.write_scope(self.tables, self.session.home, writes))
            with written if writes else nullcontext() as own, self.session.transaction():
                self.session.rows("SELECT count(*) FROM duckdb_tables()")  # the first read takes the snapshot
                yield self.session.is_behind(own)

    def own_statements(self, text: str = "") -> AbstractContextManager[None]:
        """A block of imputedb's own statements, which may nest deeper than the user's; `text` is one, if long."""
        return settings.own_statements(self.session, text)

    # -- tables -------------------------------------------------------------------------------------------------------

    def keeps(self, table: Table) -> bool:
        """Whether a table is one of the user's, which changes only by a write."""
        return table not in self.tables.adopted

    @property
    def room(self) -> float:
        """Bytes of rows that may be given to an imputer at once."""
        found: float | None = self.recall("room")
        if found is None:
            found = settings.room(self.session)
            self.keep("room", found, tables=OF_STRUCTURE)
        return found

    def related(self, table: Table) -> frozenset[str]:
        """The columns of a table that are derived, or from which others are derived."""
        shape = self.tables.shape(table)
        found = derivation.derivations(shape.policies, shape.types)
        return frozenset(found).union(*found.values())

    def source(self, table: Table, alias: str) -> Tree:
        """A table as an item of FROM; with numbers as row ids where one of its columns is named `rowid`."""
        return columns.source(table, self.tables.shape(table), alias)

    def reading(self, table: Table, column: str, alias: str) -> Tree:
        """A stored column, NULL where its value is missing and does not follow from others; or the row ids."""
        shape = self.tables.shape(table)
        if column == ROW:
            return columns.row_ids(shape, alias)
        shape = replace(shape, without_nan=self.gathering.without_nan(table))
        return derived.observed_or_derived(self.connection, shape, column, alias, self.texts.type_tree)

    def derived(self, table: Table, column: str, meant: Mapping[str, Tree]) -> Tree:
        """The expression of a derived column, with the trees in `meant` for its columns, by names in lower case."""
        text = self.tables.shape(table).policies[column].derived
        return derivation.with_columns(derived.expression(self.connection, text or ""), meant)

    def meaning(self, table: Table, column: str, alias: str) -> Tree | None:
        """The condition, bound, under which a NULL of a column is not a missing value; None where it always is one."""
        return declarations.meaning(self.connection, self.tables.shape(table), column, alias)

    # -- statements ---------------------------------------------------------------------------------------------------

    def rows(self, node: Tree) -> list[tuple[Any, ...]]:
        """The rows of a small SELECT."""
        return self.session.rows(self.text(node))

    def arrays(self, node: Tree) -> Mapping[str, Array]:
        """The columns of a SELECT as plain or masked arrays, in order."""
        return self.session.arrays(self.text(node))

    def caches(self) -> list[CacheUse]:
        """The use of all caches of this database."""
        bounded = [*self.texts.caches, *self.gathering.caches, self._copies.kept.cache, *self.further_caches]
        return [*self._memory.uses(), *[use for cache in bounded for use in cache.uses()]]

    # -- values -------------------------------------------------------------------------------------------------------

    def register(self, columns: Mapping[str, Array]) -> str:
        """Makes arrays readable as a table, and returns its name."""
        with self.lock:
            return self.slots.bind(columns)

    def forget(self, names: Sequence[str]) -> None:
        """Releases registered arrays."""
        with self.lock:
            self.slots.release(names)

    def cast(self, tree: Tree, type_name: str) -> Tree:
        """`CAST(tree AS type_name)`."""
        return t.cast(tree, self.texts.type_tree(type_name))

    def encoded(self, tree: Tree, type_name: str) -> Tree:
        """A value in the encoding of imputers."""
        return encoding.encoded(tree, type_name)

    def decoded(self, tree: Tree, type_name: str) -> Tree:
        """An imputer's value, converted to the column's own type."""
        return encoding.decoded(tree, type_name, self.texts.type_tree(type_name))

    def travels(self, type_name: str) -> bool:
        """Whether arrays hold the values of a type exactly."""
        return type_name in encoding.EXACT

    def kind(self, type_name: str) -> Kind:
        """The kind of a type's values, for statistics and imputers."""
        return profile.kind_of(type_name)

    # -- macros -------------------------------------------------------------------------------------------------------

    def names(self) -> Names:
        """The present meaning of names in a statement."""
        return catalog.catalog(self)

    def all_functions(self) -> Functions:
        """The properties of functions, macros included."""
        return macros.functions(self)

    def multiplying(self) -> frozenset[str]:
        """Functions and macros that return any number of rows for each input row."""
        return macros.multiplying(self)

    def macros(self, called: Collection[str] = ()) -> dict[str, Tree]:
        """The bodies of the user's macros: queries, or expressions inside a query."""
        return macros.macros(self, called)

    def called_query(self, call: Tree) -> tuple[Tree, set[str]]:
        """The body of a called macro, and the parameters whose defaults name what it reads."""
        return macros.called_query(self, call)

    def has_macro(self, name: str) -> bool:
        """Whether an unqualified name, in lower case, means one of the user's macros."""
        return macros.has_macro(self, name)

    def missingness_macros(self, called: Collection[str]) -> frozenset[str]:
        """The functions among some that are user's macros and test whether an argument is missing."""
        return macros.missingness_macros(self, called)

    def written_out(self, node: Tree) -> Tree:
        """A statement with macro calls replaced by the macros' expressions."""
        return macros.written_out(self, settings.as_set(self.session, node, self.titles))

    def opened(self, tree: Tree) -> Tree:
        """A statement with queries in place of the texts in FROM that state them."""
        return query_texts.opened(self, tree)

    def with_views(self, tree: Tree) -> Iterator[Tree]:
        """Every node of a tree, and of the queries of views that it reads; each view once."""
        return catalog.with_views(self, tree)

    def is_nested(self, path: Sequence[str]) -> bool:
        """Whether a path means a table in a schema within another schema; Unplanned where it means a view there."""
        return self.tables.resolution.is_nested(path)

    def is_readable(self, name: str) -> bool:
        """Whether a name can be read from, such as that of a file."""
        return query_texts.is_there(self, name)

    # -- declarations and data of users -------------------------------------------------------------------------------

    def own_name(self, table: Table, column: str) -> str:
        """A column's name in the spelling of its table."""
        return declarations.own_name(self, table, column)

    def checked(self, table: Table, column: str, policy: Policy) -> Policy:
        """A policy with columns in the table's spelling, after a check that it suits its column."""
        return declarations.checked(self, table, column, policy)

    def checked_codes(self, table: Table, column: str, values: Sequence[object]) -> str:
        """A column's name in the table's spelling, after a check that it can hold the values."""
        return declarations.checked_codes(self, table, column, values)

    def decide(self, table: Table, column: str, policy: Policy | None) -> None:
        """Stores the policy of a column; removes it with None."""
        declarations.decide(self, table, column, policy)

    def undecide(self, table: Table, column: str) -> None:
        """Removes the policy of a column, whether or not the table still has the column."""
        declarations.forget(self, table, column)

    def declare(self, table: Table, column: str, values: Sequence[object]) -> None:
        """Declares values of a column to mean a missing one; a remark names those that no row has."""
        declarations.declare(self, table, column, values)
        unseen.remark(self, table, column, values)

    def restate(self, table: Table, missing: Mapping[str, Sequence[str]], policies: Mapping[str, Policy]) -> None:
        """Replaces all declared values and policies of a scratch table by these."""
        with self.session.writes.writing():
            self.store.undeclare(table)
            for name, codes in missing.items():
                self.store.declare(table, name, codes)
            for name, policy in policies.items():
                self.store.decide(table, name, policy)

    def about_derived(self, table: Table, names: Collection[str]) -> list[Note]:
        """Notes on derived columns and the columns that they are derived from, where some are read."""
        return derived.notes(self, table, names)

    def load(
        self, paths: Sequence[str], table: str | None, missing: Missing, reading: Reading, *, replace: bool
    ) -> list[str]:
        """Loads each file into a table, or the files of one pattern into `table`; all or none."""
        return load.load(self, paths, table, missing, reading, replace=replace)

    def take(
        self, name: str, frame: Any, missing: Missing, na: Sequence[str] = (), *, replace: bool, kept: bool = False
    ) -> None:
        """Copies a data frame, an Arrow table, or a dictionary of arrays into a table."""
        load.register(self, name, frame, missing, na, replace=replace, kept=kept)

    def callers_frames(self, text: str, *, statement: bool = False) -> AbstractContextManager[variables.Frames]:
        """Makes data frames readable that a statement names by variables of the caller."""
        return variables.callers_frames(self, text, statement=statement)
