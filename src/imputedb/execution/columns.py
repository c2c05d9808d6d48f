"""Columns of stored tables as imputers read them: fetched once, and kept while nothing is written."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column, Columns
from imputedb.algebra.relation import Scan
from imputedb.engines.engine import Array, Engine
from imputedb.execution.derived import Computed
from imputedb.imputers import conversion
from imputedb.imputers.permit import Permit, barred
from imputedb.imputers.random import mixed
from imputedb.imputers.rows import Cells
from imputedb.imputers.series import Series, series
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.derivation import derived_from
from imputedb.sql.generate import ROW
from imputedb.statistics.measure import measured
from imputedb.statistics.policy import Policy
from imputedb.statistics.table import Kind, Statistics

KEY = "\0key"  # no column of a database is called so
"""Stands for a hash of the table's first key column, or of the row id."""

MEANT = "\0meant "
"""Before a column's name: where a NULL of it means something of its own."""

WHOLE = 64 << 20
"""Bytes of columns that are fetched whole and kept; of larger tables the rows that are asked for are fetched anew."""

_CELL = 11  # bytes: a number, its flag and its rank


@dataclass(frozen=True, slots=True)
class ColumnCache:
    """One scan's columns on an engine."""

    engine: Engine
    scan: Scan
    statistics: Statistics

    def cells(self, names: Sequence[str], rows: NDArray[np.int64] | None = None) -> dict[str, Cells]:
        """The columns of the rows with the given ids, in that order; of all rows, in the table's, if none are given."""
        if rows is None:
            return self._whole(names)
        if not self.is_cached and 2 * len(rows) < self.statistics.rows:
            return self._some(names, rows)
        whole, places = self._whole(names), self.places(rows)
        return {name: cells.at(places) for name, cells in whole.items()}

    def rows(self) -> NDArray[np.int64]:
        """(n,) the ids of all rows, in the table's order."""
        return self._whole([ROW])[ROW].values.astype(np.int64, copy=False)

    def keys(self, rows: NDArray[np.int64] | None = None) -> NDArray[np.uint64]:
        """(n,) what random numbers are keyed by, of the rows with the given ids or of all.

        Rows of two tables that have the same keys have other random numbers.
        """
        return self.salted(self.statistics.content, rows)

    def salted(self, salt: int, rows: NDArray[np.int64] | None = None) -> NDArray[np.uint64]:
        """(n,) what random numbers are keyed by that a row keeps whatever becomes of other rows.

        Args:
            salt: 64 bits that tell the table from others.
            rows: the ids of rows; None for all.
        """
        hashed = self.cells([KEY], rows)[KEY].values.astype(np.uint64, copy=False)
        return mixed(hashed ^ np.uint64(salt))

    def meant(self, name: str, rows: NDArray[np.int64] | None = None) -> NDArray[np.bool_]:
        """(n,) where a NULL of a column means something of its own."""
        cells = self.cells([MEANT + name], rows)[MEANT + name]
        return cells.values.astype(np.bool_, copy=False) & ~cells.missing

    @property
    def is_cached(self) -> bool:
        """Whether the table's columns are fetched whole and kept."""
        return self.statistics.rows * len(self.statistics.columns) * _CELL <= WHOLE

    def _whole(self, names: Sequence[str]) -> dict[str, Cells]:
        found = {name: self.engine.recall(self._named(name)) for name in names}
        absent = [name for name, cells in found.items() if cells is None]
        if absent:
            self.engine.check_order()
            arrays = self.engine.arrays(self._select(absent, self.engine.source(self.scan.table, self.scan.alias)))
            for place, name in enumerate(absent):
                found[name] = self._read(name, arrays[f"c{place}"])
                if self.is_cached and self.engine.keeps(self.scan.table):
                    found[name].lasting = True
                    tables = self.statistics.rests_on(self.scan.table)
                    self.engine.keep(self._named(name), found[name], _CELL * self.statistics.rows, tables)
        return found

    def _named(self, name: str) -> tuple[object, ...]:
        return ("cells", self.scan.table, name)

    def places(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the rows with these ids stand in the table."""
        ids = self.rows()
        if len(ids) and ids[0] == 0 and ids[-1] == len(ids) - 1:
            return rows
        return np.searchsorted(ids, rows)

    def _some(self, names: Sequence[str], rows: NDArray[np.int64]) -> dict[str, Cells]:
        asked = self.engine.register({"place": np.arange(len(rows)), "row": rows})
        same = t.compared("COMPARE_EQUAL", t.reference(asked, "row"), self._value(ROW))
        source = t.inner(t.table((asked,), ""), self.engine.source(self.scan.table, self.scan.alias), same)
        try:
            arrays = self.engine.arrays(self._select(names, source, t.reference(asked, "place")))
        finally:
            self.engine.forget([asked])
        order = np.argsort(arrays["place"])
        return {name: self._read(name, arrays[f"c{place}"][order]) for place, name in enumerate(names)}

    def _select(self, names: Sequence[str], source: Tree, *more: Tree) -> Tree:
        items = [t.named(self._encoded(name), f"c{place}") for place, name in enumerate(names)]
        return t.select([*items, *more], source)

    def _encoded(self, name: str) -> Tree:
        if name == KEY:
            return t.call("hash", self._value(self.statistics.key or ROW))
        if name == ROW:
            return self._value(ROW)
        if name.startswith(MEANT):
            meaning = self.engine.meaning(self.scan.table, name.removeprefix(MEANT), self.scan.alias)
            return meaning or t.literal(False)
        return self.engine.encoded(self._value(name), self.statistics.columns[name].type)

    def _value(self, name: str) -> Tree:
        return self.engine.reading(self.scan.table, name, self.scan.alias)

    def _read(self, name: str, values: Array) -> Cells:
        if name in (KEY, ROW) or name.startswith(MEANT):
            return Cells(np.ma.getdata(values), np.zeros(len(values), bool), Kind.OPAQUE)
        return conversion.cells(values, measured(self.statistics.columns[name], self.statistics.policy(name)))


def permits(cache: ColumnCache, targets: Collection[Column], columns: Collection[Column]) -> dict[Column, Permit]:
    """What policies permit of columns of one table, of which some are at hand, all its rows in its order."""
    found: dict[Column, Permit] = {}
    for column in targets:
        policy = cache.statistics.policy(column.name)
        times = cache.cells([policy.before])[policy.before] if policy.before else None
        outside = barred(policy, column, columns) | computed_from(cache.statistics, column, columns)
        how = Computed(cache.engine, cache.scan.table, cache.statistics, column) if policy.derived else None
        weights = cache.cells([policy.weight])[policy.weight] if policy.weight else None
        clusters = cache.cells([policy.cluster])[policy.cluster] if policy.cluster else None
        own = policy.action in ("keep", "structural")
        meant = cache.meant(column.name) & cache.cells([column.name])[column.name].missing if own else None
        found[column] = Permit(policy, outside, times, how, weights, in_order(policy, cache.cells), clusters, meant)
    return found


def in_order(policy: Policy, cells: Callable[[Sequence[str]], Mapping[str, Cells]]) -> Series | None:
    """How rows stand in the order that a policy states, given how columns are read; None where it states none."""
    if policy.order is None:
        return None
    read = cells([*policy.partition, policy.order])
    return series([read[name] for name in policy.partition], read[policy.order])


def computed_from(statistics: Statistics, column: Column, columns: Collection[Column]) -> Columns:
    """Those of some columns of a table that are derived from one: these do not predict it."""
    names = derived_from(statistics.policies, statistics.columns, column.name)
    return frozenset(one for one in columns if one.name in names)


def combined(keys: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """(n,) one key a joined row, of those of the rows that it joins."""
    out = keys[0]
    for key in keys[1:]:
        out = mixed(mixed(out) ^ key)
    return out
