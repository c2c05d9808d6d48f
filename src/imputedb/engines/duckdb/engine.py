"""DuckDB, embedded: the engine that imputedb comes with."""

import re
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import duckdb

from imputedb.algebra.relation import Table
from imputedb.engines.cache import CacheUse, Recent
from imputedb.engines.duckdb import columns, declarations, derived, encoding, following
from imputedb.engines.duckdb.arrays import Slots
from imputedb.engines.duckdb.functions import functions
from imputedb.engines.duckdb.metadata import Store
from imputedb.engines.duckdb.session import Session
from imputedb.engines.duckdb.sharing import SessionCache
from imputedb.engines.duckdb.statements import Texts
from imputedb.engines.duckdb.statistics import Gathering
from imputedb.engines.duckdb.tables import Tables
from imputedb.engines.duckdb.temporary import Temporary
from imputedb.engines.engine import Array, Shape
from imputedb.sql import ast as t
from imputedb.sql import deep, derivation, parse
from imputedb.sql.ast import Tree
from imputedb.sql.generate import ROW
from imputedb.statistics.table import Statistics

_USUAL, _DEEPEST = 1000, 3000
"""Levels that expressions of ours may have: DuckDB's default, and of long queries, each of whose may become three."""


class DuckDB:
    """The engine of one session, for one statement at a time; threads that share it take turns.

    Attributes:
        session: its connection and transactions.
        connection: DuckDB's own, of the session.
        lock: of the session.
        store: what is kept in the database.
        texts: trees, and what DuckDB says of texts.
        tables: what tables there are.
        gathering: what is known of them.
        temporary: tables and views of ours.
        slots: arrays that statements read.
        functions: what is to be known of DuckDB's functions.
        further_caches: those of whoever answers by this engine.
        reads_variables: whether names that mean no table may mean data frames of whoever calls.
    """

    def __init__(
        self, path: str, *, read_only: bool = False, variables: bool = False, beside: "DuckDB | None" = None
    ) -> None:
        self.reads_variables = variables
        self.session: Session = Session(path, read_only=read_only, beside=beside.session if beside else None)
        self.connection = self.session.connection
        self.lock = self.session.lock
        self.store: Store = Store(self.connection, self.session.state, beside.store if beside else None)
        self._memory: SessionCache = SessionCache(self.session, beside._memory.shared if beside else None)
        self.texts = Texts(self.session, self._memory)
        self.tables = Tables(self.session, self.store)
        self.gathering = Gathering(self.session, self.store, self.tables, self.texts, self._memory)
        self.temporary = Temporary(self.session)
        self.slots = Slots(self.connection)
        self.functions = functions()
        self.further_caches: list[Recent[Any, Any]] = []
        self.session.tidying += [self.temporary.tidy, self.slots.tidy]
        self.session.undone = lambda: self.store.ended(kept=False)
        self.session.target = lambda text: following.written(self.tables, self.session.home, text)
        self.session.following = lambda text: following.followed(
            self.session,
            self.store,
            self.tables,
            text,
            lambda table, replaced: declarations.prune(self, table, replaced=replaced),
        )

    def further(self) -> "DuckDB":
        """An engine of the same database, for another session, which runs side by side with this one."""
        session = self.session
        session.check_process()
        return DuckDB(session.path, read_only=session.read_only, variables=self.reads_variables, beside=self)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Several statements that see one state of the data; what was made meanwhile is gone if they fail."""
        with self.lock, self.session.transaction():
            yield

    @contextmanager
    def shared_snapshot(self, *, writes: bool = False) -> Iterator[bool]:
        """A snapshot where other sessions may write meanwhile: whether any may have written since this call began."""
        with self.lock:
            if self.session.changes.connections < 2:
                yield False
                return
            with self.session.writing() if writes else nullcontext(), self.session.transaction():
                self.session.rows("SELECT count(*) FROM duckdb_tables()")  # a snapshot is taken when it is first read
                yield self.session.is_behind()

    @contextmanager
    def own_statements(self, text: str = "") -> Iterator[None]:
        """Statements of ours, for a text if it is long: they are deeper than the queries that users bound."""
        with self.lock:
            bound = self._bound()
            enough = _DEEPEST if len(text) > deep.LONG else _USUAL
            if bound >= enough or not self._bounded_by(enough):
                yield
                return
            try:
                yield
            finally:
                self._bounded_by(bound)

    def _bound(self) -> int:
        """How deep expressions may be; where the question is too deep itself, its refusal says so."""
        try:
            return int(self.session.rows("SELECT current_setting('max_expression_depth')")[0][0])
        except duckdb.BinderException as error:
            found = re.search(r"depth limit of (\d+)", str(error))
            return int(found[1]) if found else _USUAL

    def _bounded_by(self, depth: int) -> bool:
        """Sets how deep expressions may be; whether that is allowed."""
        try:
            self.session.rows(f"SET max_expression_depth = {depth}")
        except duckdb.Error:  # the configuration is locked
            return False
        return True

    # -- tables -------------------------------------------------------------------------------------------------------

    def shapes(self) -> Mapping[Table, Shape]:
        """The user's tables, the database's own before temporary ones."""
        return self.tables.shapes()

    def keeps(self, table: Table) -> bool:
        """Whether a table is one of the user's, which is the same until something is written."""
        return table not in self.tables.adopted

    def statistics(self, table: Table) -> Statistics:
        """What is known of a table, gathered anew when its contents have changed."""
        return self.gathering.statistics(table)

    def dirty(self, table: Table, names: Collection[str]) -> set[str]:
        """Those of some columns of a table that miss a value."""
        return self.gathering.dirty(table, names)

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
        return derived.known(self.connection, shape, column, alias, self.texts.type_tree)

    def derived(self, table: Table, column: str, meant: Mapping[str, Tree]) -> Tree:
        """What a derived column is of its parts, by what stands for these under their names in lower case."""
        text = self.tables.shape(table).policies[column].derived
        return derivation.with_columns(derived.expression(self.connection, text or ""), meant)

    def meaning(self, table: Table, column: str, alias: str) -> Tree | None:
        """The condition, bound, under which a NULL of a column means something of its own; None where it never does."""
        return declarations.meaning(self.connection, self.tables.shape(table), column, alias)

    def copied(self, item: Tree, virtual: Sequence[str] = ()) -> Table:
        """A temporary table of the rows of another item of FROM, such as a file, with what is known of it.

        Beside what a star shows it has `virtual` columns, which a star of the table does not show either.
        """
        with self.lock:
            shown = [t.star(), *map(t.reference, virtual)]
            table = Table("temp", "main", self.temporary.copy(self.text(t.select(shown, item))))
            names, types = parse.shape(self.connection, f"FROM temp.{table.name}")
            columns = dict(zip(names, types, strict=True))
            self.tables.adopt(table, columns, self.gathering.profiled(table, Shape(columns)), virtual)
            return table

    # -- statements ---------------------------------------------------------------------------------------------------

    def text(self, node: Tree) -> str:
        """The SQL of a SELECT node, remembered for those that come again."""
        return self.texts.text(node)

    def rows(self, node: Tree) -> list[tuple[Any, ...]]:
        """The rows of a small SELECT."""
        return self.session.rows(self.text(node))

    def arrays(self, node: Tree) -> Mapping[str, Array]:
        """The columns of a SELECT as plain or masked arrays, in order."""
        return self.session.arrays(self.text(node))

    def recall(self, name: Hashable) -> Any:
        """What was kept under a name since something was written last, or None."""
        return self._memory.recall(name)

    def keep(self, name: Hashable, value: Any, size: int = 64, tables: Collection[Table] | None = None) -> None:
        """Keeps what was computed from some tables, of any unless they are given, until one of them is written."""
        self._memory.keep(name, value, size, tables)

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
