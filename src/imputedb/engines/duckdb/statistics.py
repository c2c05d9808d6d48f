"""Statistics of tables: gathered once, stored in the database, and gathered again after a change of the rows."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.relation import Table
from imputedb.engines.cache import STRUCTURAL, LruCache
from imputedb.engines.duckdb import declarations, derived, policy_texts, profile
from imputedb.engines.duckdb.columns import FLOATING
from imputedb.engines.duckdb.metadata import MetadataStore
from imputedb.engines.duckdb.session import Session
from imputedb.engines.duckdb.sharing import SessionCache
from imputedb.engines.duckdb.statements import SyntaxTrees
from imputedb.engines.duckdb.tables import Tables
from imputedb.engines.entries import Shape
from imputedb.engines.names import salt
from imputedb.sql import ast as t
from imputedb.sql import parse
from imputedb.sql.ast import Tree
from imputedb.sql.select import sample_of
from imputedb.statistics.table import Statistics

_KEPT = 4096
"""Largest number of tables in a cache."""


class Gathering:
    """The statistics of the tables of one session.

    Attributes:
        caches: caches of statistics, and of which columns have missing values.
    """

    def __init__(
        self, session: Session, store: MetadataStore, tables: Tables, texts: SyntaxTrees, memory: SessionCache
    ) -> None:
        self._memory = memory
        self._session = session
        self._store = store
        self._tables = tables
        self._texts = texts
        stale = f"a write to the table; {STRUCTURAL}"
        self._known: LruCache[Table, tuple[object, str, Statistics]] = LruCache("statistics", "table", stale, _KEPT)
        self._missing: LruCache[Table, tuple[object, dict[str, bool]]] = LruCache(
            "which columns miss values", "table", stale, _KEPT
        )
        self.caches: list[LruCache[Any, Any]] = [self._known, self._missing]

    def statistics(self, table: Table) -> Statistics:
        """The statistics of a table, gathered again after a change of its contents."""
        if table in self._tables.adopted:
            return self._tables.adopted[table][1]
        known = self._known.recall(table)
        if known and known[0] == self._session.state(known[2].rests_on(table)):
            return known[2]
        with self._session.lock:
            declarations.check_suits(table, self._tables.shape(table))
            alone, any_ = self._session.state((table,)), self._session.state()
            fingerprint, statistics = self._memory.recall(("statistics", table)) or self._found(table, known)
            rest = statistics.rests_on(table)
            self._memory.keep(("statistics", table), (fingerprint, statistics), tables=rest)
            self._known.keep(table, (any_ if rest is None else alone, fingerprint, statistics))
            return statistics

    def _found(self, table: Table, known: tuple[object, str, Statistics] | None) -> tuple[str, Statistics]:
        """The fingerprint and statistics of a table: cached, stored in the database, or gathered."""
        shape = self._tables.shape(table)
        fingerprint = self._fingerprint(table, shape)
        if known and known[1] == fingerprint:
            statistics = known[2]
        else:
            statistics = self._store.statistics(table, fingerprint) or self._gathered(table, shape, fingerprint)
        statistics = replace(statistics, policies=shape.policies)
        times = {policy.before for policy in shape.policies.values() if policy.before}
        if times:
            content = self._earliest(table, shape, times) ^ salt(table, self._session.home)
            statistics = replace(statistics, content=content)
        return fingerprint, statistics

    def dirty(self, table: Table, names: Collection[str]) -> set[str]:
        """The columns among some that have a missing value; without cached statistics, only these columns are read."""
        known = self._known.recall(table)
        if table in self._tables.adopted or (known and known[0] == self._session.state(known[2].rests_on(table))):
            return {name for name in names if name in self.statistics(table).dirty}
        with self._session.lock:
            now = self._session.state()
            state, seen = self._missing.recall(table) or (None, {})
            if state != now:
                seen = {}
            new = [name for name in names if name not in seen]
            if new:
                shape = self._tables.shape(table)
                with policy_texts.blaming_policy(self._session, table, shape):
                    seen = seen | profile.missing(self._rows, *self._readings(table, shape, new))
            self._missing.keep(table, (now, seen))
            return {name for name in names if seen[name]}

    def without_nan(self, table: Table) -> frozenset[str]:
        """The columns of a table that hold no NaN, according to cached statistics."""
        known = self._known.recall(table)
        if known and known[0] == self._session.state(known[2].rests_on(table)):
            return known[2].without_nan
        return frozenset()

    def fingerprint(self, table: Table) -> str:
        """The fingerprint of a table's contents, which differs whenever these do."""
        self.statistics(table)
        known = self._known.recall(table)
        return known[1] if known else ""

    def profiled(self, table: Table, shape: Shape) -> Statistics:
        """The statistics of a table's present rows."""
        source, names, meanings = self._readings(table, shape, list(shape.types))
        found = profile.gather(self._rows, self._numbers, source, names, shape.types, self._sample(), meanings)
        nan = profile.with_nan(self._rows, source, "t", [name for name, one in shape.types.items() if one in FLOATING])
        return replace(found, columns={name: replace(one, nan=name in nan) for name, one in found.columns.items()})

    def _earliest(self, table: Table, shape: Shape, times: Collection[str]) -> int:
        spelled = {name.lower(): name for name in shape.types}
        with policy_texts.blaming_policy(self._session, table, shape):
            source, names, _ = self._readings(table, shape, list(shape.types))
            return profile.earliest(self._rows, source, names, shape.types, [spelled[one.lower()] for one in times])

    def _readings(
        self, table: Table, shape: Shape, names: Sequence[str]
    ) -> tuple[Tree, dict[str, Tree], dict[str, Tree | None]]:
        """A table in FROM, expressions of some columns, and conditions under which their NULLs are not missing."""
        connection, types = self._session.connection, self._texts.type_tree
        read = {name: derived.observed_or_derived(connection, shape, name, "t", types) for name in names}
        declared = [name for name in shape.policies if name in read]
        meanings = {name: declarations.meaning(self._session.connection, shape, name, "t") for name in declared}
        return t.table(table.path, "t"), read, meanings

    def _fingerprint(self, table: Table, shape: Shape) -> str:
        everything = t.call("hash", *(t.reference("t", name) for name in shape.types))
        total = t.call("sum", t.cast(everything, t.plain_type("HUGEINT")))
        rows = self._rows(t.select([t.call("count_star"), total], t.table(table.path, "t")))
        return shape.fingerprint(rows[0])

    def _gathered(self, table: Table, shape: Shape, fingerprint: str) -> Statistics:
        with policy_texts.blaming_policy(self._session, table, shape):
            statistics = self.profiled(table, shape)
        if self._session.in_transaction:  # it would not see a table created on another connection
            return statistics
        with (
            self._session.writes.attributing(connections=1),  # it writes to the file, but to none of the user's tables
            suppress(duckdb.Error),  # statistics are a cache: a full disk must not stop a query
        ):
            self._store.keep(table, fingerprint, statistics)
        return statistics

    def _sample(self) -> Tree:
        text = f"SELECT * FROM t USING SAMPLE reservoir({profile.SAMPLE} ROWS) REPEATABLE (7)"
        return sample_of(parse.parse(self._session.connection, text))

    def _rows(self, node: Tree) -> list[tuple[object, ...]]:
        return self._session.rows(self._texts.text(node))

    def _numbers(self, node: Tree) -> list[NDArray[np.float64]]:
        return self._session.numbers(self._texts.text(node))
