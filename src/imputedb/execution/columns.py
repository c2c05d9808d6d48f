"""Columns of stored tables as imputers read them, cached until the table is written."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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
from imputedb.models import chance
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.derivation import derived_from
from imputedb.sql.generate import ROW
from imputedb.statistics.measure import measured
from imputedb.statistics.policy import Policy
from imputedb.statistics.table import Kind, Statistics

KEY = "\0key"  # no column of a database has this name
"""The name of a hash of the table's first key column, or of the row id."""

NUMBER = "\0number"
"""The name of a 64-bit integer that identifies rows, equal on all engines for the same keys."""

MEANT = "\0meant "
"""Prefix of a column's name for the condition under which its NULL has a meaning of its own."""

WHOLE = 64 << 20
"""Maximum bytes of columns that are fetched whole and cached; of larger tables, rows are fetched as requested."""

PIECE = 1 << 20
"""Number of row ids in one statement, for a table that is not cached."""

_WHOLE = (Kind.BOOLEAN, Kind.DATE, Kind.DURATION, Kind.INTEGER, Kind.TIMESTAMP)

_CELL = 11  # bytes of a cell: a number, its flag and its rank


@dataclass(frozen=True, slots=True)
class ColumnCache:
    """The columns of one scan on an engine."""

    engine: Engine
    scan: Scan
    statistics: Statistics

    def cells(self, names: Sequence[str], rows: NDArray[np.int64] | None = None) -> dict[str, Cells]:
        """The columns of the rows with given ids, in that order, or of all rows in the table's order."""
        if rows is None:
            return self._whole(names)
        if not self.is_cached and 2 * len(rows) < self.statistics.rows:
            return self._some(names, rows)
        whole, places = self._whole(names), self.places(rows)
        return {name: cells.at(places) for name, cells in whole.items()}

    def some(self, names: Sequence[str], rows: NDArray[np.int64]) -> dict[str, Cells]:
        """The columns of the rows with given ids; categories are coded by the levels of the whole table."""
        found = self._fetched(names, rows)
        for name, values in found.items():
            kind = measured(self.statistics.columns[name], self.statistics.policy(name)).kind
            if kind is Kind.CATEGORY:
                value = self.encoded(name)
                node = t.select([t.named(value, "level")], self.source, t.is_present(value), groups=[value])
                levels = self.engine.arrays(node)["level"]
                found[name] = np.ma.concatenate([np.ma.asarray(values), levels])  # type: ignore[no-untyped-call]
        return {name: self.read(name, values).at(np.arange(len(rows))) for name, values in found.items()}

    def rows(self) -> NDArray[np.int64]:
        """(n,) the ids of all rows, in the table's order."""
        return self._whole([ROW])[ROW].values.astype(np.int64, copy=False)

    def keys(self, rows: NDArray[np.int64] | None = None) -> NDArray[np.uint64]:
        """(n,) the keys of random numbers, of the rows with given ids or of all.

        Rows of two tables with equal keys have different random numbers.
        """
        hashes = self.cells([KEY], rows)[KEY].values.astype(np.uint64, copy=False)
        return mixed(hashes ^ np.uint64(self.statistics.content))

    def stable_keys(self, salt: int, rows: NDArray[np.int64] | None = None) -> NDArray[np.uint64]:
        """(n,) keys of random numbers that do not depend on other rows or on the engine.

        Args:
            salt: 64 bits that identify the table.
            rows: ids of the rows; None for all.
        """
        return chance.keys(self.cells([NUMBER], rows)[NUMBER].values, salt)

    def meaningful_nulls(self, name: str, rows: NDArray[np.int64] | None = None) -> NDArray[np.bool_]:
        """(n,) where a NULL of a column has a meaning of its own."""
        return condition_holds(self.cells([MEANT + name], rows)[MEANT + name])

    def pieces(self, names: Sequence[str]) -> Iterator[dict[str, Cells]]:
        """The columns of all rows, in the table's order: as a whole if cached, else `PIECE` row ids at a time."""
        if self.is_cached:
            yield self._whole(names)
            return
        self.engine.check_order()
        for within in self.ranges():
            arrays = self.engine.arrays(self._select(names, self.source, where=within))
            yield {name: self.read(name, arrays[f"c{place}"]) for place, name in enumerate(names)}

    def ranges(self) -> Iterator[Tree]:
        """The conditions on rows of each piece, in order."""
        row = self.value(ROW)
        ((least, last),) = self.engine.rows(t.select([t.call("min", row), t.call("max", row)], self.source))
        begin = 0 if least is None else int(least)
        while begin <= (-1 if last is None else int(last)):
            not_before = t.negated(t.compared("COMPARE_LESSTHAN", row, t.number(begin)))
            yield t.all_of([not_before, t.compared("COMPARE_LESSTHAN", row, t.number(begin + PIECE))]) or not_before
            begin += PIECE

    @property
    def source(self) -> Tree:
        """The table in FROM."""
        return self.engine.source(self.scan.table, self.scan.alias)

    @property
    def is_cached(self) -> bool:
        """Whether the table's columns are fetched as a whole and cached."""
        return self.statistics.rows * len(self.statistics.columns) * _CELL <= WHOLE

    def _whole(self, names: Sequence[str]) -> dict[str, Cells]:
        found = {name: self.engine.recall(self._named(name)) for name in names}
        absent = [name for name, cells in found.items() if cells is None]
        if absent:
            self.engine.check_order()
            arrays = self.engine.arrays(self._select(absent, self.source))
            for place, name in enumerate(absent):
                found[name] = self.read(name, arrays[f"c{place}"])
                if self.is_cached and self.engine.keeps(self.scan.table):
                    found[name].lasting = True
                    tables = self.statistics.rests_on(self.scan.table)
                    self.engine.keep(self._named(name), found[name], _CELL * self.statistics.rows, tables)
        return found

    def _named(self, name: str) -> tuple[object, ...]:
        return ("cells", self.scan.table, name)

    def places(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The positions in the table of the rows with these ids."""
        ids = self.rows()
        if len(ids) and ids[0] == 0 and ids[-1] == len(ids) - 1:
            return rows
        return np.searchsorted(ids, rows)

    def _some(self, names: Sequence[str], rows: NDArray[np.int64]) -> dict[str, Cells]:
        return {name: self.read(name, values) for name, values in self._fetched(names, rows).items()}

    def _fetched(self, names: Sequence[str], rows: NDArray[np.int64]) -> dict[str, Array]:
        wanted = self.engine.register({"place": np.arange(len(rows)), "row": rows})
        same = t.compared("COMPARE_EQUAL", t.reference(wanted, "row"), self.value(ROW))
        source = t.inner(t.table((wanted,), ""), self.source, same)
        try:
            arrays = self.engine.arrays(self._select(names, source, t.reference(wanted, "place")))
        finally:
            self.engine.forget([wanted])
        order = np.argsort(arrays["place"])
        return {name: arrays[f"c{place}"][order] for place, name in enumerate(names)}

    def _select(self, names: Sequence[str], source: Tree, *more: Tree, where: Tree | None = None) -> Tree:
        items = [t.named(self.encoded(name), f"c{place}") for place, name in enumerate(names)]
        return t.select([*items, *more], source, where)

    def encoded(self, name: str) -> Tree:
        """A column in the encoding for imputers."""
        if name == KEY:
            return t.call("hash", self.value(self.statistics.key or ROW))
        if name == NUMBER:
            return self.number()
        if name == ROW:
            return self.value(ROW)
        if name.startswith(MEANT):
            meaning = self.engine.meaning(self.scan.table, name.removeprefix(MEANT), self.scan.alias)
            return meaning or t.literal(False)
        return self.engine.encoded(self.value(name), self.statistics.columns[name].type)

    def number(self) -> Tree:
        """A row identifier as a 64-bit integer; for texts the first 60 bits of a hash."""
        key, whole = self.statistics.key, t.plain_type("BIGINT")
        if key is None:
            return self.value(ROW)
        known, value = self.statistics.columns[key], self.encoded(key)
        if known.kind in _WHOLE and known.type != "UBIGINT":
            return t.cast(value, whole)
        digits = t.call("substring", t.call("md5", t.cast(value, t.plain_type("VARCHAR"))), t.number(1), t.number(15))
        return t.cast(t.call("concat", t.literal("0x"), digits), whole)

    def value(self, name: str) -> Tree:
        """A column, or the row identifier, with missing values as NULL."""
        return self.engine.reading(self.scan.table, name, self.scan.alias)

    def read(self, name: str, values: Array) -> Cells:
        """A column, or the row identifier, as cells for imputers, from the engine's result for `encoded`."""
        if name in (KEY, NUMBER, ROW) or name.startswith(MEANT):
            return Cells(np.ma.getdata(values), np.zeros(len(values), bool), Kind.OPAQUE)
        return conversion.cells(values, measured(self.statistics.columns[name], self.statistics.policy(name)))


def condition_holds(cells: Cells) -> NDArray[np.bool_]:
    """(n,) where a condition is true."""
    return cells.values.astype(np.bool_, copy=False) & ~cells.missing


def permits(cache: ColumnCache, targets: Collection[Column], columns: Collection[Column]) -> dict[Column, Permit]:
    """The permits of target columns of one table, given the columns that were read, all of its rows in order."""
    found: dict[Column, Permit] = {}
    for column in targets:
        policy = cache.statistics.policy(column.name)
        times = cache.cells([policy.before])[policy.before] if policy.before else None
        outside = barred(policy, column, columns) | computed_from(cache.statistics, column, columns)
        how = Computed(cache.engine, cache.scan.table, cache.statistics, column) if policy.derived else None
        weights = cache.cells([policy.weight])[policy.weight] if policy.weight else None
        clusters = cache.cells([policy.cluster])[policy.cluster] if policy.cluster else None
        own = policy.action in ("keep", "structural")
        meant = cache.meaningful_nulls(column.name) & cache.cells([column.name])[column.name].missing if own else None
        found[column] = Permit(policy, outside, times, how, weights, in_order(policy, cache.cells), clusters, meant)
    return found


def in_order(policy: Policy, cells: Callable[[Sequence[str]], Mapping[str, Cells]]) -> Series | None:
    """The order of rows that a policy states, given a function that reads columns; None where it states none."""
    if policy.order is None:
        return None
    read = cells([*policy.partition, policy.order])
    return series([read[name] for name in policy.partition], read[policy.order])


def computed_from(statistics: Statistics, column: Column, columns: Collection[Column]) -> Columns:
    """The columns, among some, that are derived from a column and therefore do not predict it."""
    names = derived_from(statistics.policies, statistics.columns, column.name)
    return frozenset(one for one in columns if one.name in names)


def combined(keys: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """(n,) one key for each joined row, combined from the keys of the rows that it joins."""
    out = keys[0]
    for key in keys[1:]:
        out = mixed(mixed(out) ^ key)
    return out


def finite(cells: Cells) -> Cells:
    """Cells with infinite numbers marked as missing, since nothing is learnt from them."""
    if cells.values.dtype.kind != "f" or np.isfinite(cells.values).all():
        return cells
    return cells.like(cells.values, cells.missing | ~np.isfinite(cells.values))
