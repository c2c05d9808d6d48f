"""A plan to rows: one statement of the engine up to each blocking Impute, the imputer, and the engine again."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import NO_COLUMNS, Column, Columns
from imputedb.algebra.relation import (
    Aggregate,
    Drop,
    Fill,
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
from imputedb.algebra.walk import aliases, scans
from imputedb.engines.engine import Engine
from imputedb.imputers import features
from imputedb.imputers.imputer import Array, Cells, FillsInSql, Imputer, LearnsFromSample, Progress, Rows, Tells
from imputedb.imputers.registry import chosen
from imputedb.shelf import Shelf, combined
from imputedb.sql import tree as t
from imputedb.sql.bind import columns_in
from imputedb.sql.generate import Generator, kept_name, stored_name
from imputedb.sql.tree import Tree
from imputedb.statistics.policy import Policy
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
    """What was done to the data on the way to an answer."""

    imputed: dict[Column, int] = field(default_factory=dict)
    dropped: int = 0
    examined: int = 0
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Hand:
    """Rows that came out of a relation, told by the row ids of the scans that they come from.

    Attributes:
        scans: those scans, by alias.
        rows: (n,) row ids by alias.
        kept: (n,) the values of columns that are wanted above and come through arrays as they are.
        given: (n,) what imputers gave for other columns that are wanted above, where values are missing.
        filled: what fills the missing cells of those.
        whole: whether these are all rows of a single scan, in its order.
    """

    scans: tuple[Scan, ...]
    rows: Mapping[str, NDArray[np.int64]]
    kept: Mapping[Column, Array] = field(default_factory=dict)
    given: Mapping[Column, Array] = field(default_factory=dict)
    filled: Mapping[Column, Fill] = field(default_factory=dict)
    whole: bool = False

    @property
    def count(self) -> int:
        """n, the number of rows."""
        return len(next(iter(self.rows.values())))

    def at(self, alias: str, order: NDArray[np.intp] | None) -> NDArray[np.int64] | None:
        """Row ids of the rows at some places; None for all rows of a whole scan."""
        if order is None:
            return None if self.whole else self.rows[alias]
        return self.rows[alias][order]


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
    _meant: set[Column] = field(default_factory=set)

    def run(self, plan: Relation, outcome: Outcome) -> Tree:
        """The statement that gives a block's rows; it reads what `names` has, so keep those until it has run."""
        self._scans = {scan.alias: scan for scan in scans(plan)}
        return self._generator.answer(self._ready(plan, NO_COLUMNS, outcome))

    def complete(self, plan: Relation, asked: Sequence[str], outcome: Outcome) -> tuple[list[str], Tree]:
        """The columns of a completed table and the statement that shows them, stored values of some beside them."""
        (scan,) = scans(plan)
        self._scans = {scan.alias: scan}
        columns = [Column(scan.alias, name) for name in self.statistics[scan.alias].columns]
        shown = {column.name: _bound(column) for column in columns}
        shown |= {stored_name(name): _bound(Column(scan.alias, name, stored=True)) for name in asked}
        ready = self._ready(plan, frozenset(columns), outcome)
        return list(shown), self._generator.columns(ready, shown)

    @property
    def _generator(self) -> Generator:
        return Generator(
            lambda scan: self.engine.source(scan.table, scan.alias),
            lambda scan, column: self.engine.reading(scan.table, column.name, scan.alias),
            self._constant,
            self._meaning,
        )

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
                asked = _reads_of(self._meaning(column) for column in columns)
                dropped = replace(relation, input=self._ready(below, wanted | columns | asked, outcome))
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
        if isinstance(imputer, FillsInSql) and not any(self._policy(column).restricts for column in columns):
            filled = replace(node, input=self._ready(below, wanted | columns, outcome))
            self._count_filled(filled, outcome)
            return self._seen(node, filled, wanted)
        ready = self._ready(below, wanted | columns, outcome)
        began = perf_counter()
        hand = self._hand(ready, wanted)
        predictors = self._predictors(aliases(below)) if imputer.uses_predictors else NO_COLUMNS
        values = self._fill(hand, sorted(columns), sorted(columns | predictors), imputer, outcome)
        staged = self._staged(node, hand, values, wanted)
        if self.watch:
            self.watch(node, staged, Actual(hand.count, perf_counter() - began))
        return staged

    def _hand(self, ready: Relation, wanted: Columns) -> Hand:
        """Which rows come out of a relation, and what is known of the wanted columns besides what is stored."""
        scans = tuple(self._scans[alias] for alias in sorted(aliases(ready)))
        if isinstance(ready, Scan):
            return Hand(scans, {ready.alias: self._shelf(ready).rows()}, whole=True)
        wanted = frozenset(column for column in wanted if column.relation in aliases(ready))
        kept = frozenset(column for column in wanted if self.engine.travels(self._statistics(column).type))
        node, filled = self._generator.identities(ready, scans, kept, wanted - kept)
        arrays = self.engine.arrays(node)
        rows = {scan.alias: np.ma.getdata(arrays[scan.alias]).astype(np.int64, copy=False) for scan in scans}
        given = {column: arrays[str(column)] for column, fill in filled.items() if fill.raw}
        return Hand(scans, rows, {column: arrays[kept_name(column)] for column in kept}, given, filled)

    def _staged(self, node: Relation, hand: Hand, values: Mapping[Column, Array], wanted: Columns) -> Staged:
        """The rows at hand with their values, registered for the statements above."""
        given = {**hand.given, **values}
        columns: dict[str, Array] = {str(column): array for column, array in given.items()}
        if not hand.whole:
            columns |= {**hand.rows, **{kept_name(column): array for column, array in hand.kept.items()}}
        name = self.engine.register(columns) if columns else None
        filled = dict(hand.filled)
        if name:
            self.names.append(name)
            raw = {column: t.reference(name, str(column)) for column in given}
            filled |= {c: Fill(self.engine.decoded(tree, self._statistics(c).type), tree) for c, tree in raw.items()}
        reads = frozenset(column for column in wanted if column.relation in hand.rows)
        return Staged(name, hand.scans, hand.whole, reads, frozenset(hand.kept), filled, node)

    def _fill(
        self, hand: Hand, targets: Sequence[Column], columns: Sequence[Column], imputer: Imputer, outcome: Outcome
    ) -> dict[Column, Array]:
        """The values of the targets' missing cells as whole columns; nothing for targets without a missing cell."""
        gaps = {column: self._gaps(hand, column, cells) for column, cells in self._cells(hand, targets).items()}
        for column, gap in gaps.items():
            outcome.imputed[column] = outcome.imputed.get(column, 0) + int(np.count_nonzero(gap))
        home = self._home(hand)
        if home is None or not hand.count:
            return self._filled(hand, targets, columns, gaps, imputer, outcome)
        whole, places = home
        scattered = {column: np.zeros(whole.count, bool) for column in targets}
        for column, gap in gaps.items():
            scattered[column][places[gap]] = True
        values = self._filled(whole, targets, columns, scattered, imputer, outcome)
        return {column: array[places] for column, array in values.items()}

    def _home(self, hand: Hand) -> tuple[Hand, NDArray[np.int64]] | None:
        """All rows of the one table that some rows come from, and where they stand in it: what is learnt from.

        None for the rows of a join, of a whole table, and of one that is not kept in memory.
        """
        if hand.whole or len(hand.scans) > 1:
            return None
        (scan,) = hand.scans
        shelf = self._shelf(scan)
        if not shelf.is_kept:
            return None
        return Hand((scan,), {scan.alias: shelf.rows()}, whole=True), shelf.places(hand.rows[scan.alias])

    def _filled(
        self,
        hand: Hand,
        targets: Sequence[Column],
        columns: Sequence[Column],
        gaps: Mapping[Column, NDArray[np.bool_]],
        imputer: Imputer,
        outcome: Outcome,
    ) -> dict[Column, Array]:
        """Whole columns that have the values of the targets' gaps."""
        counts = {column: int(np.count_nonzero(gap)) for column, gap in gaps.items()}
        missing = {column: int(cells.missing.sum()) for column, cells in self._cells(hand, targets).items()}
        values: dict[Column, Array] = {}
        known = [column for column in targets if counts[column] and missing[column] < hand.count]
        if known:
            observed = {column: hand.count - missing[column] for column in known}
            order, learn = self._at_hand(hand, {column: gaps[column] for column in known}, observed, imputer)
            rows = Rows(self._cells(hand, columns, order), self._keys(hand, order), learn)
            for column, filled in self._imputed_values(rows, known, imputer, outcome).items():
                cells = rows.columns[column]
                allowed = features.allowed(filled, cells, self._policy(column))
                whole = features.patch(allowed, order[cells.missing], cells, hand.count)
                values[column] = features.only(whole, gaps[column]) if column in self._meant else whole
        for column in targets:
            if counts[column] and missing[column] == hand.count:
                outcome.warnings.append(
                    f"no value of {column} is observed among the {hand.count} rows at hand: "
                    f"the {hand.count} missing ones take the centre of the whole column"
                )
                values[column] = np.full(hand.count, self._statistics(column).centre, dtype=object)
        return values

    def _imputed_values(
        self, rows: Rows, targets: Sequence[Column], imputer: Imputer, outcome: Outcome
    ) -> dict[Column, Array]:
        """The values of missing cells, targets with an imputer or predictors of their own apart from the others."""
        groups: dict[tuple[str | None, frozenset[Column]], list[Column]] = {}
        for column in targets:
            policy = self._policy(column)
            barred = frozenset(c for c in rows.columns if c.relation == column.relation and not policy.predicts(c.name))
            groups.setdefault((policy.imputer, barred - {column}), []).append(column)
        values: dict[Column, Array] = {}
        for (own, barred), group in groups.items():
            usable = {c: cells for c, cells in rows.columns.items() if c not in barred or c in group}
            (chosen_one,) = chosen(own) if own else (imputer,)
            values |= self._told(chosen_one, Rows(usable, rows.keys, rows.learn), group, outcome)
        return values

    def _told(
        self, imputer: Imputer, rows: Rows, targets: Sequence[Column], outcome: Outcome
    ) -> Mapping[Column, Array]:
        if not isinstance(imputer, Tells):
            return imputer.impute(rows, targets, self.seed, self.progress)
        filled, said = imputer.told(rows, targets, self.seed, self.progress)
        outcome.warnings += said
        return filled

    def _gaps(self, hand: Hand, column: Column, cells: Cells) -> NDArray[np.bool_]:
        """Which cells are to be filled in: those that are missing, but mean nothing of their own."""
        if self._meaning(column) is None:
            return cells.missing
        self._meant.add(column)
        scan = self._scans[column.relation]
        return cells.missing & ~self._shelf(scan).meant(column.name, hand.at(scan.alias, None))

    def _policy(self, column: Column) -> Policy:
        return self.statistics[column.relation].policy(column.name)

    def _meaning(self, column: Column) -> Tree | None:
        if column.name not in self.statistics[column.relation].policies:
            return None
        return self.engine.meaning(self._scans[column.relation].table, column.name, column.relation)

    def _at_hand(
        self, hand: Hand, gaps: Mapping[Column, NDArray[np.bool_]], observed: Mapping[Column, int], imputer: Imputer
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_] | None]:
        """The places of the rows that an imputer is given, in the order of their keys, and which it learns from."""
        keys = self._keys(hand)
        counts = {column: int(np.count_nonzero(gap)) for column, gap in gaps.items()}
        share = 1.0
        if isinstance(imputer, LearnsFromSample):
            share = max(imputer.training_rows(count) / observed[column] for column, count in counts.items())
        if share >= 1:
            return np.argsort(keys), None
        learn = keys < np.uint64(share * 2**64)
        places = np.flatnonzero(np.logical_or.reduce([learn, *gaps.values()]))
        order = places[np.argsort(keys[places])]
        return order, learn[order]

    def _cells(
        self, hand: Hand, columns: Sequence[Column], order: NDArray[np.intp] | None = None
    ) -> dict[Column, Cells]:
        """The stored cells of columns, of all rows at hand or of those at some places.

        What an Impute below has predicted stays missing: predictions do not predict (decisions/kernel.md).
        """
        found: dict[Column, Cells] = {}
        for scan in hand.scans:
            names = [column.name for column in columns if column.relation == scan.alias]
            if names:
                cells = self._shelf(scan).cells(names, hand.at(scan.alias, order))
                found |= {Column(scan.alias, name): cells[name] for name in names}
        return found

    def _keys(self, hand: Hand, order: NDArray[np.intp] | None = None) -> NDArray[np.uint64]:
        return combined([self._shelf(scan).keys(hand.at(scan.alias, order)) for scan in hand.scans])

    def _shelf(self, scan: Scan) -> Shelf:
        return Shelf(self.engine, scan, self.statistics[scan.alias])

    def _predictors(self, sources: frozenset[str]) -> Columns:
        """The columns at hand that can predict others."""
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

    # -- what is reported ---------------------------------------------------------------------------------------------

    def _count_dropped(self, node: Drop, outcome: Outcome) -> None:
        column, *more = sorted(node.columns)
        if isinstance(node.input, Scan) and not more and self._meaning(column) is None:
            outcome.dropped += self._statistics(column).missing
            outcome.examined += self.statistics[column.relation].rows
            return

        def counted() -> Tree:
            gone = t.any_of([self._is_gone(column) for column in sorted(node.columns)])
            counts = {"rows": t.call("count_star"), "gone": t.call("count_star", where=gone)}
            return self._generator.columns(node.input, counts)

        rows, dropped = self._counts(node, counted)
        outcome.dropped += dropped
        outcome.examined += rows

    def _is_gone(self, column: Column) -> Tree:
        missing, meaning = t.is_missing(_bound(column)), self._meaning(column)
        return missing if meaning is None else t.all_of([missing, t.negated(meaning)]) or missing

    def _count_filled(self, node: Impute, outcome: Outcome) -> None:
        columns = sorted(node.columns)
        if isinstance(node.input, Scan):
            counts: Sequence[int] = [self._statistics(column).missing for column in columns]
        else:
            wanted = {str(c): t.call("count_star", where=t.is_missing(_bound(c))) for c in columns}
            counts = self._counts(node, lambda: self._generator.columns(node.input, wanted))
        for column, count in zip(columns, counts, strict=True):
            outcome.imputed[column] = outcome.imputed.get(column, 0) + count

    def _counts(self, what: Relation, node: Callable[[], Tree]) -> Sequence[int]:
        """The one row of a SELECT of counts over a relation, remembered until something is written."""
        known: Sequence[int] | None = self.engine.recall(("counts", what))
        if known is None:
            known = [int(str(count)) for count in self.engine.rows(node())[0]]
            if all(self.engine.keeps(scan.table) for scan in self._scans.values()):
                self.engine.keep(("counts", what), known)
        return known

    def _seen(self, node: Relation, ready: Relation, wanted: Columns) -> Relation:
        """The relation itself; in a watched run, staged."""
        if self.watch is None:
            return ready
        began = perf_counter()
        hand = self._hand(ready, wanted)
        staged = self._staged(node, hand, {}, wanted)
        self.watch(node, staged, Actual(hand.count, perf_counter() - began))
        return staged


def _bound(column: Column) -> Tree:
    return {**t.reference(*column[:2]), "stored": column.stored}


def _reads_of(conditions: Iterable[Tree | None]) -> Columns:
    """The columns that bound conditions ask about."""
    return NO_COLUMNS.union(*(columns_in(condition) for condition in conditions if condition is not None))


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
