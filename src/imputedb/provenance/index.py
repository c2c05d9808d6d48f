"""Neighbours of single cells, from indexes that are cached until their table is written."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from time import time

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.algebra.relation import Table
from imputedb.engines.cache import STRUCTURAL, LruCache
from imputedb.engines.engine import Engine
from imputedb.errors import UnknownName
from imputedb.execution.table import StoredRows, stored
from imputedb.imputers.knn import KNN, uniforms
from imputedb.imputers.order import by_name
from imputedb.imputers.random import keyed
from imputedb.imputers.rows import Array
from imputedb.neighbours import index_file, votes
from imputedb.neighbours.column import placed
from imputedb.neighbours.condition import condition
from imputedb.neighbours.fallback import fallback_values
from imputedb.neighbours.impute import answers
from imputedb.neighbours.index import Index, built
from imputedb.neighbours.metric import Floats
from imputedb.neighbours.search import Cells, Copies, Ints
from imputedb.neighbours.settings import Settings
from imputedb.neighbours.weights import WeightLearner

Rows32 = NDArray[np.int32]
KEPT = 4
"""Indexes that stay in memory."""


@dataclass(frozen=True, slots=True)
class Reasons:
    """The neighbours of cells of one column, and what follows from them.

    Attributes:
        rows: (c, k) row numbers of the neighbours, -1 where there are fewer.
        distances: (c, k) distances, infinite where there are fewer.
        shares: (c, k) weights, which sum to 1 where there is a neighbour.
        values: (c,) imputed values, in the column's own type.
        fallback: by cell, the fallback where there was no neighbour; `left` where there was no fallback either.
        effective: (c,) effective number of neighbours.
        variance: (c,) variance of the neighbours' values.
        entropy: (c,) entropy of the neighbours' votes.
    """

    rows: Rows32
    distances: Floats
    shares: Floats
    values: Array
    fallback: list[str | None]
    effective: Floats
    variance: Floats
    entropy: Floats


class Lookup:
    """One table with an index for one way of finding neighbours."""

    def __init__(self, table: StoredRows, imputer: KNN, home: str | None, fingerprint: str) -> None:
        table.check_imputable()
        self.stored, self.imputer = table, imputer
        self.order = by_name(table.rows.columns)
        self.attributes = [imputer.attribute(column, table.rows.columns[column]) for column in self.order]
        self.settings: Settings = imputer.settings(self.order)
        self.groups, times = imputer.groups(table.rows), imputer.times(table.rows)
        self.condition = condition(len(table.rows.keys), self.groups, times)
        self.made: float | None = None
        self._sorted: tuple[Array, Ints] | None = None
        self._uniform = uniforms(table.rows, 0)
        self._copies: dict[Column, Copies] = {}
        self._weights: dict[Column, Floats] = {}
        self._random: Ints = np.argsort(self._uniform("order"), kind="stable")
        self._learner = WeightLearner(self.attributes, self._random)
        self.index = self._indexed(home, fingerprint)

    def _indexed(self, home: str | None, fingerprint: str) -> Index:
        """The stored index, if there is one for these rows; else a new one, stored if the database is a file."""
        kept = index_file.taken(home, fingerprint) if home and not self.condition else None
        if kept:
            self.made = kept.made
            return Index(self.attributes, self.settings, partition=kept.partition)
        targets = [p for p, a in enumerate(self.attributes) if not a.observed.all()] or [0]
        index = built(
            self.attributes,
            targets,
            self.settings,
            [self._weighing(self.order[target], target) for target in targets],
            self._random,
            condition=self.condition,
            often=True,
        )
        if index.partition:
            self.made = time()
            if home:
                index_file.keep(home, fingerprint, index.partition, self.made)
        return index

    def _even(self) -> Floats:
        given = self.settings.weights
        return np.array(given, np.float64) if isinstance(given, tuple) else np.ones(len(self.attributes))

    @property
    def recall(self) -> float | None:
        """The measured share of exact neighbours, for an approximate search; None for an exact one."""
        return self.index.partition.recall if self.index.partition else None

    @property
    def age(self) -> float | None:
        """Seconds since the lists of an approximate search were learnt; None for an exact one."""
        return None if self.made is None else max(0.0, time() - self.made)

    def place(self, row: object) -> int:
        """The position of the row with this key.

        Raises:
            UnknownName: no row has this key.
        """
        if self._sorted is None:
            names = self.stored.identities
            names = names if names.dtype.kind in "iu" else names.astype(str)
            order = np.argsort(names, kind="stable")
            self._sorted = (names[order], order)
        names, places = self._sorted
        try:
            wanted = int(str(row)) if names.dtype.kind in "iu" else str(row)
            at = int(np.searchsorted(names, wanted))
        except (ValueError, OverflowError):
            at = len(names)
        if at == len(names) or names[at] != wanted:
            raise UnknownName(f"no row of {self.stored.table.name} has {self.stored.key} {row}")
        return int(places[at])

    def graded(self, column: Column) -> bool:
        """Whether the column is numeric."""
        return self.attributes[self.order.index(column)].averages

    def uniform(self, what: str, seed: int) -> Floats:
        """(n,) uniform numbers by row."""
        return np.asarray((keyed(self.stored.rows.keys, seed, what) >> np.uint64(11)).astype(np.float64) * 2.0**-53)

    def reasons(self, column: Column, places: Sequence[int]) -> Reasons:
        """The neighbours of some rows' cells of a column; the cells' own values are not used."""
        target = self.order.index(column)
        attribute = self.attributes[target]
        rows = np.array(places, np.int64)
        numbers = np.arange(len(rows) + 1, dtype=np.int64)
        points = placed(self.index.space, self.attributes, rows)
        points[:, target] = np.nan
        # one more than k, since an observed cell finds its own row, which is then removed
        extra = int(not np.isnan(attribute.located(rows)).all())
        found = self.index.nearest(
            Cells(rows, numbers, np.zeros(len(rows), np.int32)),
            [self._donors(column, target)],
            self.settings.k + extra,
            self._weighing(column, target),
            queries=points,
        )
        near, distances = _without(found.rows, found.distances, rows, self.settings.k)
        weights = votes.shares(distances, self.settings.weighting)
        values = answers(attribute, near, weights, self.settings)
        fallback = self._fall_back(target, rows, near, values)
        donated = attribute.values[np.where(near < 0, near[:, :1], near)].astype(np.float64)
        with np.errstate(invalid="ignore"):
            shares = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
        return Reasons(
            near,
            distances,
            shares,
            values,
            fallback,
            votes.effective(weights),
            votes.variance(donated, weights),
            votes.entropy(donated, weights),
        )

    def _fall_back(self, target: int, rows: Ints, near: Rows32, values: Array) -> list[str | None]:
        lost = np.flatnonzero(near[:, 0] < 0)
        fallback: list[str | None] = [None] * len(rows)
        for place in lost:
            fallback[place] = "left"
        if len(lost):
            for stage, here, stand_in in fallback_values(
                self.attributes[target], rows[lost], self.settings, self.groups
            ):
                values[lost[here]] = stand_in
                for place in lost[here]:
                    fallback[place] = stage
        return fallback

    def _donors(self, column: Column, target: int) -> Copies:
        if column not in self._copies:
            self._copies[column] = self.index.arranged(self.attributes[target].observed.astype(np.uint8))
        return self._copies[column]

    def _weighing(self, column: Column, target: int) -> Floats:
        if column not in self._weights:
            learn = self.settings.weights == "learnt"
            self._weights[column] = self._learner.weights(target) if learn else self._even()
        return self._weights[column]


def _without(rows: Rows32, distances: Floats, own: Ints, k: int) -> tuple[Rows32, Floats]:
    """The first k neighbours other than the row itself."""
    if rows.shape[1] == k:
        return rows, distances
    order = np.argsort(rows == own[:, None], axis=1, kind="stable")[:, :k]
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(distances, order, axis=1)


class Lookups:
    """A cache of the indexes of one database, invalidated by writes to their tables and limited in size.

    Attributes:
        cache: the underlying cache.
    """

    def __init__(self) -> None:
        self.cache: LruCache[object, tuple[object, str, Lookup]] = LruCache(
            "neighbour indexes",
            "table, columns and imputer",
            f"a write to the table, unless its rows are the same after all; {STRUCTURAL}",
            KEPT,
        )

    def of(
        self, engine: Engine, table: str, imputer: KNN, wanted: Sequence[str], barred: frozenset[str] = frozenset()
    ) -> Lookup:
        """The index of the present rows of a table, over all columns but the excluded ones."""
        name = (barred, engine.named(table), imputer, tuple(sorted(column.lower() for column in wanted)))
        state = engine.session.state((name[1],))
        kept = self.cache.recall(name)
        if kept is None or kept[0] != state:
            with engine.shared_snapshot():  # the fingerprint and the index must be of the same rows
                fingerprint = json.dumps([engine.fingerprint(name[1]), repr(imputer), name[3], sorted(barred)])
                same = kept[2] if kept and kept[1] == fingerprint else None
                lookup = same or self._made(
                    engine, name[1], imputer, [*wanted, *imputer.named_columns()], fingerprint, barred
                )
            kept = (state, fingerprint, lookup)
        return self.cache.keep(name, kept)[2]

    def _made(
        self,
        engine: Engine,
        table: Table,
        imputer: KNN,
        wanted: Sequence[str],
        fingerprint: str,
        barred: frozenset[str],
    ) -> Lookup:
        found = stored(engine, ".".join(table.path), wanted)
        found = found.at(np.arange(len(found.rows.keys)), frozenset(c for c in found.rows.columns if c.name in barred))
        lasting = engine.session.path != ":memory:" and not engine.session.read_only and table.catalog != "temp"
        return Lookup(found, imputer, engine.session.path if lasting else None, fingerprint)
