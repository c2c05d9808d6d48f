"""DuckDB, embedded: the engine that imputedb comes with."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from imputedb.algebra.relation import Table
from imputedb.engines.cache import OF_STRUCTURE, CacheUse, Recent
from imputedb.engines.duckdb import (
    catalog,
    columns,
    declarations,
    derived,
    encoding,
    following,
    load,
    macros,
    profile,
    query_texts,
    settings,
    text_items,
    unseen,
    variables,
)
from imputedb.engines.duckdb.arrays import Slots
from imputedb.engines.duckdb.copies import Copies
from imputedb.engines.duckdb.functions import functions
from imputedb.engines.duckdb.marks import Missing
from imputedb.engines.duckdb.metadata import Store
from imputedb.engines.duckdb.models import Models
from imputedb.engines.duckdb.opening import Opening
from imputedb.engines.duckdb.session import Session
from imputedb.engines.duckdb.sharing import SessionCache
from imputedb.engines.duckdb.statements import Texts
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
        session: its connection and transactions.
        connection, lock: of the session.
        store, models: what is kept in the database.
        texts: trees, and what DuckDB says of texts.
        tables: what tables there are.
        gathering: what is known of them.
        temporary: tables and views of ours.
        slots: arrays that statements read.
        functions: what is to be known of DuckDB's functions.
        further_caches: those of whoever answers by this engine.
        reads_variables: whether names that mean no table may mean data frames of whoever calls.
    """

    fills_by_expression = False

    def __init__(self, way: Opening | str, *, variables: bool = False, beside: "DuckDB | None" = None) -> None:
        self.reads_variables = variables
        opening = Opening(way) if isinstance(way, str) else way
        self.session: Session = Session(opening, beside.session if beside else None)
        self.connection = self.session.connection
        self.lock = self.session.lock
        self.store: Store = Store(self.connection, self.session.state, beside.store if beside else None)
        self._memory: SessionCache = SessionCache(self.session, beside._memory.shared if beside else None)
        self.models: KeptModels = Models(self.session, self.store)
        self.texts = Texts(self.session, self._memory)
        self.tables = Tables(self.session, self.store)
        self.gathering = Gathering(self.session, self.store, self.tables, self.texts, self._memory)
        self.temporary = Temporary(self.session)
        self.slots = Slots(self.connection)
        parts = (self.session, self.texts, self.tables, self.gathering, self.temporary)
        self._copies = Copies(*parts, self._memory, partial(text_items.copied, self))
        self.functions = functions()
        self.further_caches: list[Recent[Any, Any]] = []
        self._offer()
        self.session.tidying += [self.temporary.tidy, self.slots.tidy]
        self.session.calls.titled = self.temporary.titled
        self.session.undone = lambda: self.store.ended(kept=False)
        self.session.target = lambda text: following.written(self.tables, self.session.home, text)
        self.session.following = lambda text: following.followed(
            self.session,
            self.store,
            self.tables,
            text,
            lambda table, replaced: declarations.prune(self, table, replaced=replaced),
        )

    def _offer(self) -> None:
        """Makes members of the parts members of the engine: those that its protocols name."""
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
        self.answered, self.execute = session.answered, session.execute
        self.check_order = partial(settings.check_order, session)
        self.reread, self.converted, self.streamed = session.reread, session.converted, session.streamed
        self.copied, self.check_copied = self._copies.copied, self._copies.check
        self.fresh, self.make, self.unmake = scratch.fresh, scratch.make, scratch.unmake
        self.gather, self.extend, self.stage = scratch.rows, scratch.extend, scratch.copy
        self.policies, self.check_writable = self.store.policies, self.store.check_writable
        self.recall, self.keep = self._memory.recall, self._memory.keep

    def further(self) -> "DuckDB":
        """An engine of the same database, for another session, which runs side by side with this one."""
        self.session.calls.check_process()
        return DuckDB(self.session.way, variables=self.reads_variables, beside=self)

    @contextmanager
    def snapshot(self, *, lazily: bool = False) -> Iterator[None]:
        """Several statements that see one state of the data; what was made meanwhile is gone if they fail."""
        with self.lock, self.session.transaction(lazily=lazily):
            yield

    @contextmanager
    def shared_snapshot(self, *, writes: str = "", always: bool = False) -> Iterator[bool]:
        """A snapshot where other sessions may write meanwhile: whether any may have written since this call began."""
        with self.lock:
            if self.session.is_alone and not always:
                yield False
                return
            written = self.session.writes.writing(following.written(self.tables, self.session.home, writes))
            with written if writes else nullcontext() as own, self.session.transaction():
                self.session.rows("SELECT count(*) FROM duckdb_tables()")  # a snapshot is taken when it is first read
                yield self.session.is_behind(own)

    def own_statements(self, text: str = "") -> AbstractContextManager[None]:
        """Statements of ours, for a text if it is long: they are deeper than the queries that users bound."""
        return settings.own_statements(self.session, text)

    # -- tables -------------------------------------------------------------------------------------------------------

    def keeps(self, table: Table) -> bool:
        """Whether a table is one of the user's, which is the same until something is written."""
        return table not in self.tables.adopted

    @property
    def room(self) -> float:
        """Bytes of rows that an imputer may be handed at once."""
        found: float | None = self.recall("room")
        if found is None:
            found = settings.room(self.session)
            self.keep("room", found, tables=OF_STRUCTURE)
        return found

    def related(self, table: Table) -> frozenset[str]:
        """The columns of a table that are derived, or that others are derived from."""
        shape = self.tables.shape(table)
        found = derivation.derivations(shape.policies, shape.types)
        return frozenset(found).union(*found.values())

    def source(self, table: Table, alias: str) -> Tree:
        """A table as an item of FROM; where a column of its own hides the row ids, with others beside it."""
        return columns.source(table, self.tables.shape(table), alias)

    def reading(self, table: Table, column: str, alias: str) -> Tree:
        """A stored column, NULL where it holds NaN or a value that is declared missing; or the row ids."""
        shape = self.tables.shape(table)
        if column == ROW:
            return columns.row_ids(shape, alias)
        shape = replace(shape, without_nan=self.gathering.without_nan(table))
        return derived.known(self.connection, shape, column, alias, self.texts.type_tree)

    def derived(self, table: Table, column: str, meant: Mapping[str, Tree]) -> Tree:
        """What a derived column is of its parts, by what stands for these under their names in lower case."""
        text = self.tables.shape(table).policies[column].derived
        return derivation.with_columns(derived.expression(self.connection, text or ""), meant)

    def meaning(self, table: Table, column: str, alias: str) -> Tree | None:
        """The condition, bound, under which a NULL of a column means something of its own; None where it never does."""
        return declarations.meaning(self.connection, self.tables.shape(table), column, alias)

    # -- statements ---------------------------------------------------------------------------------------------------

    def rows(self, node: Tree) -> list[tuple[Any, ...]]:
        """The rows of a small SELECT."""
        return self.session.rows(self.text(node))

    def arrays(self, node: Tree) -> Mapping[str, Array]:
        """The columns of a SELECT as plain or masked arrays, in order."""
        return self.session.arrays(self.text(node))

    def caches(self) -> list[CacheUse]:
        """What is cached of this database."""
        bounded = [*self.texts.caches, *self.gathering.caches, *self.further_caches]
        return [*self._memory.uses(), *[use for cache in bounded for use in cache.uses()]]

    # -- values -------------------------------------------------------------------------------------------------------

    def register(self, columns: Mapping[str, Array]) -> str:
        """Makes arrays readable as a table."""
        with self.lock:
            return self.slots.fill(columns)

    def forget(self, names: Sequence[str]) -> None:
        """Lets go of registered rows."""
        with self.lock:
            self.slots.empty(names)

    def cast(self, tree: Tree, type_name: str) -> Tree:
        """`CAST(tree AS type_name)`."""
        return t.cast(tree, self.texts.type_tree(type_name))

    def encoded(self, tree: Tree, type_name: str) -> Tree:
        """A value as imputers see it."""
        return encoding.encoded(tree, type_name)

    def decoded(self, tree: Tree, type_name: str) -> Tree:
        """A value that an imputer gave, in the column's own type."""
        return encoding.decoded(tree, type_name, self.texts.type_tree(type_name))

    def travels(self, type_name: str) -> bool:
        """Whether values of a type come through arrays as they are."""
        return type_name in encoding.EXACT

    def kind(self, type_name: str) -> Kind:
        """What values of a type are to statistics and imputers."""
        return profile.kind_of(type_name)

    # -- macros -------------------------------------------------------------------------------------------------------

    def names(self) -> Names:
        """What names in a statement can mean, as they are now."""
        return catalog.catalog(self)

    def all_functions(self) -> Functions:
        """What is to be known of functions, macros among them."""
        return macros.functions(self)

    def multiplying(self) -> frozenset[str]:
        """The functions that give any number of rows for one, macros among them."""
        return macros.multiplying(self)

    def macros(self, called: Collection[str] = ()) -> dict[str, Tree]:
        """The queries, or expressions in a query, that the user's macros stand for."""
        return macros.macros(self, called)

    def called_query(self, call: Tree) -> tuple[Tree, set[str]]:
        """What a macro that is called stands for, and its parameters by whose defaults something is read."""
        return macros.called_query(self, call)

    def has_macro(self, name: str) -> bool:
        """Whether a name alone, in lower case, means a macro of the user's."""
        return macros.has_macro(self, name)

    def missingness_macros(self, called: Collection[str]) -> frozenset[str]:
        """Those of some functions that are macros which ask about the missingness of an argument."""
        return macros.missingness_macros(self, called)

    def written_out(self, node: Tree) -> Tree:
        """A statement with what macros stand for in place of their calls."""
        return macros.written_out(self, settings.as_set(self.session, node, self.titles))

    def opened(self, tree: Tree) -> Tree:
        """A statement in which the query that a text in FROM states stands in the text's place."""
        return query_texts.opened(self, tree)

    def with_views(self, tree: Tree) -> Iterator[Tree]:
        """Every node of a tree, and of the queries of the views that it reads, each view once."""
        return catalog.with_views(self, tree)

    def is_nested(self, path: Sequence[str]) -> bool:
        """Whether a path means a table in a schema within another schema; of a view there it refuses."""
        return self.tables.resolution.is_nested(path)

    def is_readable(self, name: str) -> bool:
        """Whether something, such as a file, can be read under one name."""
        return query_texts.is_there(self, name)

    # -- what users say, and bring ------------------------------------------------------------------------------------

    def own_name(self, table: Table, column: str) -> str:
        """The name of a column as its table has it."""
        return declarations.own_name(self, table, column)

    def checked(self, table: Table, column: str, policy: Policy) -> Policy:
        """A policy with the names that its columns have, once it is sure that it suits its own."""
        return declarations.checked(self, table, column, policy)

    def checked_codes(self, table: Table, column: str, values: Sequence[object]) -> str:
        """The column's own name, once it is sure that it can hold values."""
        return declarations.checked_codes(self, table, column, values)

    def decide(self, table: Table, column: str, policy: Policy | None) -> None:
        """Keeps what is said about a column; forgets it with None."""
        declarations.decide(self, table, column, policy)

    def undecide(self, table: Table, column: str) -> None:
        """Forgets what is said about a column, whether or not the table still has it."""
        declarations.forget(self, table, column)

    def declare(self, table: Table, column: str, values: Sequence[object]) -> None:
        """Declares values of a column to mean a missing one; a remark names those that no row has."""
        declarations.declare(self, table, column, values)
        unseen.remark(self, table, column, values)

    def restate(self, table: Table, missing: Mapping[str, Sequence[str]], policies: Mapping[str, Policy]) -> None:
        """Says of a scratch table these declared values and policies, and no others."""
        with self.session.writes.writing():
            self.store.undeclare(table)
            for name, codes in missing.items():
                self.store.declare(table, name, codes)
            for name, policy in policies.items():
                self.store.decide(table, name, policy)

    def about_derived(self, table: Table, names: Collection[str]) -> list[Note]:
        """What is to be said of derived columns, and of what these are derived from, where some columns are read."""
        return derived.notes(self, table, names)

    def load(
        self, paths: Sequence[str], table: str | None, missing: Missing, reading: Reading, *, replace: bool
    ) -> list[str]:
        """Loads files into a table each, or those of one pattern into `table`; all or none."""
        return load.load(self, paths, table, missing, reading, replace=replace)

    def take(
        self, name: str, frame: Any, missing: Missing, na: Sequence[str] = (), *, replace: bool, kept: bool = False
    ) -> None:
        """Copies a data frame, an Arrow table, or a dictionary of arrays into a table."""
        load.register(self, name, frame, missing, na, replace=replace, kept=kept)

    def callers_frames(self, text: str, *, statement: bool = False) -> AbstractContextManager[variables.Frames]:
        """Makes frames readable that a statement means by variables of whoever calls."""
        return variables.callers_frames(self, text, statement=statement)
