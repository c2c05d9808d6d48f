"""A plan to rows: one statement of the engine up to each blocking Impute, the imputer, and the engine again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import assert_never

import numpy as np

from imputedb.algebra.column import NO_COLUMNS, Column, Columns
from imputedb.algebra.relation import (
    Aggregate,
    Drop,
    Filter,
    Impute,
    Join,
    Limit,
    Project,
    Relation,
    Scan,
    Sort,
    Staged,
)
from imputedb.algebra.scalar import Scalar
from imputedb.algebra.walk import aliases, bottom_up
from imputedb.engines.engine import Engine
from imputedb.imputers import features
from imputedb.imputers.imputer import Array, FillsInSql, Imputer, Progress, Rows, Tells
from imputedb.sql import tree as t
from imputedb.sql.generate import Generator
from imputedb.sql.tree import Tree
from imputedb.statistics.statistics import MANY_LEVELS, ColumnStatistics, Kind, Statistics


@dataclass(slots=True)
class Actual:
    """What was seen of one operator: the rows that came out, and the seconds it took."""

    rows: int
    seconds: float


Watch = Callable[[Relation, Relation, Actual], object]
"""Told of every operator of a watched run: the operator, its staged rows, and what was measured."""


@dataclass(slots=True)
class Outcome:
    """What a run leaves: the statement that gives the answer, and what was done to the data on the way."""

    statement: Tree
    imputed: dict[Column, int] = field(default_factory=dict)
    dropped: int = 0
    examined: int = 0
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Execution:
    """One run of a plan on an engine.

    Attributes:
        engine: where rows live.
        statistics: by alias.
        imputers: by name.
        seed: what random numbers are keyed by.
        progress: told how far the imputing is.
        watch: when given, every operator is staged on its own, timed, and shown to it.
    """

    engine: Engine
    statistics: Mapping[str, Statistics]
    imputers: Mapping[str, Imputer]
    seed: int = 0
    progress: Progress | None = None
    watch: Watch | None = None
    names: list[str] = field(default_factory=list)
    _scans: dict[str, Scan] = field(default_factory=dict)

    def run(self, plan: Relation) -> Outcome:
        """Stages what must be staged; the outcome's statement reads it, so keep `names` until it has run."""
        self._scans = {node.alias: node for node in bottom_up(plan) if isinstance(node, Scan)}
        outcome = Outcome({})
        outcome.statement = self._generator.answer(self._ready(plan, NO_COLUMNS, outcome))
        return outcome

    @property
    def _generator(self) -> Generator:
        return Generator(lambda scan, column: self.engine.reading(scan.table, column.name, scan.alias), self._constant)

    # -- from the bottom up -------------------------------------------------------------------------------------------

    def _ready(self, relation: Relation, wanted: Columns, outcome: Outcome) -> Relation:
        """The relation with every blocking Impute below done; `wanted` is read by the operators above."""
        match relation:
            case Scan() | Staged():
                return self._seen(relation, relation, wanted)
            case Join(left, right, predicates):
                wanted_below = wanted | _reads(predicates)
                ready = replace(
                    relation,
                    left=self._ready(left, wanted_below, outcome),
                    right=self._ready(right, wanted_below, outcome),
                )
                return self._seen(relation, ready, wanted)
            case Filter(below, predicates):
                ready_input = self._ready(below, wanted | _reads(predicates), outcome)
                return self._seen(relation, replace(relation, input=ready_input), wanted)
            case Drop(below, columns):
                dropped = replace(relation, input=self._ready(below, wanted | columns, outcome))
                self._count_dropped(dropped, outcome)
                return self._seen(relation, dropped, wanted)
            case Impute(below, columns, imputer):
                return self._imputed(relation, below, columns, self.imputers[imputer], wanted, outcome)
            case Aggregate(below) | Project(below) | Sort(below) | Limit(below):
                return replace(relation, input=self._ready(below, wanted | _reads_above(relation), outcome))
            case _:
                assert_never(relation)

    def _imputed(
        self, node: Impute, below: Relation, columns: Columns, imputer: Imputer, wanted: Columns, outcome: Outcome
    ) -> Relation:
        if isinstance(imputer, FillsInSql):
            filled = replace(node, input=self._ready(below, wanted | columns, outcome))
            self._count_filled(filled, outcome)
            return self._seen(node, filled, wanted)
        sources = aliases(below)
        predictors = self._predictors(sources) if imputer.uses_predictors else NO_COLUMNS
        identity = frozenset(Column(alias, self.statistics[alias].key or "rowid") for alias in sources)
        wanted = frozenset(c for c in wanted if c.relation in sources)
        kept = tuple(sorted(wanted | columns | predictors | identity))
        ready = self._ready(below, frozenset(kept), outcome)
        began = perf_counter()
        if isinstance(ready, Scan):
            staged = Staged(ready.table.name, (), None, {}, node, ready)
        else:
            staged = Staged(self._keep(self._generator.columns(ready, kept)), kept, None, {}, node)
        values = self._fill(staged, sorted(columns), sorted(columns | predictors), sorted(identity), imputer, outcome)
        if values:
            patch = self.engine.register({str(c): array for c, array in values.items()})
            self.names.append(patch)
            decoded = {c: self._decoded(c, t.reference(patch, str(c))) for c in values}
            staged = replace(staged, patch=patch, filled=decoded)
        if self.watch:
            self.watch(node, staged, Actual(self._height(staged), perf_counter() - began))
        return staged

    def _keep(self, node: Tree) -> str:
        name = self.engine.stage(node)
        self.names.append(name)
        return name

    def _fill(
        self,
        staged: Staged,
        targets: Sequence[Column],
        columns: Sequence[Column],
        identity: Sequence[Column],
        imputer: Imputer,
        outcome: Outcome,
    ) -> dict[Column, Array]:
        """The values of the targets' missing cells as whole columns; nothing for targets without a missing cell."""
        fetched = self._fetched(staged, columns, identity)
        order = np.argsort(fetched.keys, kind="stable")
        rows = Rows({c: features.taken(cells, order) for c, cells in fetched.columns.items()}, fetched.keys[order])
        gaps = [column for column in targets if rows.columns[column].missing.any()]
        bare = [column for column in gaps if rows.columns[column].missing.all()]
        for column in targets:
            cells = int(rows.columns[column].missing.sum())
            outcome.imputed[column] = outcome.imputed.get(column, 0) + cells
        values: dict[Column, Array] = {}
        known = [column for column in gaps if column not in bare]
        if known:
            filled = self._told(imputer, rows, known, outcome)
            for column in known:
                cells_ = rows.columns[column]
                values[column] = features.patch(filled[column], order[cells_.missing], cells_)
        for column in bare:
            outcome.warnings.append(
                f"no value of {column} is observed among the {len(order)} rows at hand: "
                f"the {len(order)} missing ones take the centre of the whole column"
            )
            values[column] = np.full(len(order), self._statistics(column).centre, dtype=object)
        return values

    def _told(
        self, imputer: Imputer, rows: Rows, targets: Sequence[Column], outcome: Outcome
    ) -> Mapping[Column, Array]:
        if not isinstance(imputer, Tells):
            return imputer.impute(rows, targets, self.seed, self.progress)
        filled, said = imputer.told(rows, targets, self.seed, self.progress)
        outcome.warnings += said
        return filled

    def _fetched(self, staged: Staged, columns: Sequence[Column], identity: Sequence[Column]) -> Rows:
        key = t.call("hash", *(_bound(column) for column in identity))
        encoded = {str(c): self.engine.encoded(_bound(c), self._statistics(c).type) for c in columns}
        arrays = self.engine.arrays(self._generator.columns(staged, {**encoded, "key": key}))
        keys = np.ma.getdata(arrays["key"]).astype(np.uint64, copy=False)
        return Rows({c: features.cells(arrays[str(c)], self._statistics(c).kind) for c in columns}, keys)

    def _predictors(self, sources: frozenset[str]) -> Columns:
        """The columns at hand that can predict others, read completed where an Impute below has filled them."""
        return frozenset(
            Column(alias, name)
            for alias in sources
            for name in self.statistics[alias].predictors
            if not self._many(self.statistics[alias].columns[name])
        )

    def _many(self, column: ColumnStatistics) -> bool:
        return column.kind is Kind.CATEGORY and column.distinct > MANY_LEVELS

    # -- what the engine is told --------------------------------------------------------------------------------------

    def _statistics(self, column: Column) -> ColumnStatistics:
        return self.statistics[column.relation].columns[column.name]

    def _constant(self, impute: Impute, column: Column) -> Tree:
        imputer, statistics = self.imputers[impute.imputer], self._statistics(column)
        assert isinstance(imputer, FillsInSql)
        assert statistics.centre is not None
        return self.engine.cast(t.literal(imputer.constant(statistics.centre)), statistics.type)

    def _decoded(self, column: Column, tree: Tree) -> Tree:
        return self.engine.decoded(tree, self._statistics(column).type)

    # -- what is reported ---------------------------------------------------------------------------------------------

    def _count_dropped(self, node: Drop, outcome: Outcome) -> None:
        column, *more = sorted(node.columns)
        if isinstance(node.input, Scan) and not more:
            outcome.dropped += self._statistics(column).missing
            outcome.examined += self.statistics[column.relation].rows
            return

        def counted() -> Tree:
            gone = t.any_of([t.is_missing(_bound(column)) for column in sorted(node.columns)])
            counts = {"rows": t.call("count_star"), "gone": t.call("count_star", where=gone)}
            return self._generator.columns(node.input, counts)

        rows, dropped = self.engine.counts(node, counted)
        outcome.dropped += dropped
        outcome.examined += rows

    def _count_filled(self, node: Impute, outcome: Outcome) -> None:
        columns = sorted(node.columns)
        if isinstance(node.input, Scan):
            counts: Sequence[int] = [self._statistics(column).missing for column in columns]
        else:
            wanted = {str(c): t.call("count_star", where=t.is_missing(_bound(c))) for c in columns}
            counts = self.engine.counts(node, lambda: self._generator.columns(node.input, wanted))
        for column, count in zip(columns, counts, strict=True):
            outcome.imputed[column] = outcome.imputed.get(column, 0) + count

    def _seen(self, node: Relation, ready: Relation, wanted: Columns) -> Relation:
        """The relation itself; in a watched run, staged."""
        if self.watch is None:
            return ready
        sources = aliases(node)
        kept = tuple(sorted(c for c in wanted if c.relation in sources))
        if not kept:
            kept = tuple(Column(alias, "rowid") for alias in sorted(sources))
        began = perf_counter()
        staged = Staged(self._keep(self._generator.columns(ready, kept)), kept, None, {}, node)
        self.watch(node, staged, Actual(self._height(staged), perf_counter() - began))
        return staged

    def _height(self, staged: Staged) -> int:
        return self.engine.counts(staged, lambda: self._generator.columns(staged, {"rows": t.call("count_star")}))[0]


def _bound(column: Column) -> Tree:
    return {**t.reference(*column[:2]), "stored": column.stored}


def _reads(scalars: Sequence[Scalar]) -> Columns:
    return NO_COLUMNS.union(*(scalar.reads for scalar in scalars))


def _reads_above(relation: Aggregate | Project | Sort | Limit) -> Columns:
    match relation:
        case Aggregate(_, groups, aggregates, having):
            return _reads([*groups, *aggregates, *([having] if having else [])])
        case Project(_, outputs, qualify):
            return _reads([*outputs, *([qualify] if qualify else [])])
        case Sort(_, keys):
            return _reads([key.scalar for key in keys])
        case Limit():
            return NO_COLUMNS
        case _:
            assert_never(relation)
