"""A plan to rows: one statement of the engine up to each blocking Impute, the imputer, and the engine again."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import assert_never

import numpy as np

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
    Table,
)
from imputedb.algebra.scalar import Scalar
from imputedb.algebra.walk import aliases, bottom_up, scans
from imputedb.engines.engine import Engine
from imputedb.execution.beside import Beside
from imputedb.execution.bundle import Drawn, exploded, shown
from imputedb.execution.columns import Shelf
from imputedb.execution.draw import Drawing, warned
from imputedb.execution.impute import Filling, Hand, Outcome
from imputedb.imputers import checked
from imputedb.imputers.protocol import Imputer, Progress, fills_in_sql
from imputedb.imputers.rows import Array
from imputedb.models.kept import is_kept
from imputedb.sql import ast as t
from imputedb.sql import derivation
from imputedb.sql.ast import Tree
from imputedb.sql.bind import columns_in
from imputedb.sql.generate import DRAW, ROW, Generator, kept_name, stored_name
from imputedb.statistics.policy import Policy
from imputedb.statistics.table import ColumnStatistics, Statistics


@dataclass(slots=True)
class Actual:
    """What was seen of one operator: the rows that came out, and the seconds it took."""

    rows: int
    seconds: float


Watch = Callable[[Relation, Relation, Actual], object]
"""Told of every operator of a watched run: the operator, its staged rows, and what was measured."""


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
        numbers: of the draws that are made; None for the single best values.
        deciding: columns that decide which rows count: of them single values are draws too, for predictions spread less
            than what they stand for, and too few or too many pass a filter.
        drawn_tables: tables of which kept values are a draw, since some imputed column of theirs decides.
        draw: the number of that draw.
        names: of what is registered with the engine, to be forgotten when the statement has run.
    """

    engine: Engine
    statistics: Mapping[str, Statistics]
    imputers: Mapping[str, Imputer]
    seed: int = 0
    progress: Progress | None = None
    watch: Watch | None = None
    names: list[str] = field(default_factory=list)
    numbers: tuple[int, ...] | None = None
    deciding: Columns = NO_COLUMNS
    drawn_tables: frozenset[Table] = frozenset()
    draw: int = 0
    _scans: dict[str, Scan] = field(default_factory=dict)
    _drawn: dict[Column, Drawn] = field(default_factory=dict)
    _beside: Beside = field(init=False)

    def __post_init__(self) -> None:
        self._beside = Beside(self.engine, self.statistics, self.seed, self.progress, self.drawn_tables, self.draw)

    def run(self, plan: Relation, outcome: Outcome) -> Tree:
        """The statement that gives a block's rows; it reads what `names` has, so keep those until it has run.

        Of several draws it is the first one's.
        """
        return self.generator.answer(self.ready(plan, outcome), self._first)

    def count(self, ready: Relation) -> int:
        """The rows that a relation has in the first draw."""
        ((count,),) = self.engine.rows(self.generator.columns(ready, {"rows": t.call("count_star")}, self._first))
        return int(str(count))

    @property
    def _first(self) -> int | None:
        return self.numbers[0] if self.numbers else None

    def ready(self, plan: Relation, outcome: Outcome) -> Relation:
        """The block with its imputing done: the engine can run the rest, for each draw or for all of them."""
        self._scans = {scan.alias: scan for scan in scans(plan)}
        return self._ready(plan, NO_COLUMNS, outcome)

    def complete(
        self, plan: Relation, asked: Sequence[str], outcome: Outcome, *, row_ids: bool
    ) -> tuple[list[str], Tree]:
        """The columns of a completed table and the statement that shows them.

        Beside them are the stored values of some columns, and row ids where they are wanted.
        """
        (scan,) = scans(plan)
        self._scans = {scan.alias: scan}
        columns = [Column(scan.alias, name) for name in self.statistics[scan.alias].columns]
        shown = {column.name: self._shown(scan, column) for column in columns}
        shown |= {stored_name(name): _bound(Column(scan.alias, name, stored=True)) for name in asked}
        shown |= {"rowid": _bound(Column(scan.alias, ROW))} if row_ids else {}
        ready = self._ready(plan, frozenset(columns), outcome)
        return list(shown), self.generator.columns(ready, shown)

    def _shown(self, scan: Scan, column: Column) -> Tree:
        """A column of a completed table; a derived one as it is of its completed parts."""
        policies, names = self.statistics[scan.alias].policies, self.statistics[scan.alias].columns
        parts = derivation.derivations(policies, names).get(column.name)
        if parts is None:
            return _bound(column)
        meant = {name.lower(): self._shown(scan, Column(scan.alias, name)) for name in parts}
        value = self.engine.cast(self.engine.derived(scan.table, column.name, meant), names[column.name].type)
        return t.coalesce(_bound(column._replace(stored=True)), value)

    @property
    def generator(self) -> Generator:
        """Lowers what is ready."""
        return Generator(
            self._beside.source,
            lambda scan, column: self.engine.reading(scan.table, column.name, scan.alias),
            self._filler,
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
        if fills_in_sql(imputer) and not any(self._policy(column).restricts for column in columns):
            filled = replace(node, input=self._ready(below, wanted | columns, outcome))
            self._count_filled(filled, outcome)
            if self.numbers is not None:
                warned(imputer, outcome)
            return self._seen(node, filled, wanted)
        if is_kept(imputer) and self._reads_beside(below, columns):
            filled = replace(node, input=self._ready(below, wanted | columns, outcome))
            self.names += self._beside.show(imputer, self._scans, sorted(columns), outcome)
            self._count_filled(filled, outcome)
            return self._seen(node, filled, wanted)
        ready = self._ready(below, wanted | columns, outcome)
        began = perf_counter()
        hand = self._hand(ready, wanted)
        predictors = self._predictors(aliases(below)) if imputer.uses_predictors else NO_COLUMNS
        filling = Filling(
            self.engine, self.statistics, imputer, self.seed, self.progress, outcome, self.deciding, self._drawn
        )
        targets, read = sorted(columns), sorted(columns | predictors)
        if is_kept(imputer):
            gaps, values = filling.counted(hand, targets), dict[Column, Array]()
            if self.numbers is None:
                values = filling.less_what_stays(self._beside.values(imputer, hand, targets, outcome), gaps)
            else:
                for drawn in self._beside.drawn(imputer, hand, targets, self.numbers, outcome):
                    hand = self._bundled(hand, drawn)
            staged = self._staged(node, hand, values, wanted)
        elif self.numbers is None:
            values = filling.values(hand, targets, read)
            self._drawn |= filling.decided(hand, values)
            staged = self._staged(node, hand, values, wanted)
        else:
            drawing = Drawing(filling, self.numbers, self._drawn)
            for group in filling.groups(hand, targets):
                drawn = drawing.drawn(hand, group, read)
                self._drawn |= drawn
                hand = self._bundled(hand, drawn)
            staged = self._staged(node, hand, {}, wanted)
        if self.watch:
            self.watch(node, staged, Actual(hand.count, perf_counter() - began))
        return staged

    # -- kept values --------------------------------------------------------------------------------------------------

    def _reads_beside(self, below: Relation, columns: Columns) -> bool:
        """Whether kept values can stand beside their tables, in one flat statement with what is below."""
        if self.numbers is not None or self.watch is not None or any(map(self._is_counted, columns)):
            return False
        return all(self._is_flat(node) for node in bottom_up(below) if isinstance(node, Impute))

    def _is_flat(self, node: Impute) -> bool:
        imputer = self.imputers[node.imputer]
        if is_kept(imputer):
            return not any(map(self._is_counted, node.columns))
        return fills_in_sql(imputer) and not any(self._policy(column).restricts for column in node.columns)

    def _is_counted(self, column: Column) -> bool:
        """Whether it matters which cells of a column are filled in, so that its rows have to be at hand."""
        policy = self._policy(column)
        return policy.leaves or policy.above is not None or self._meaning(column) is not None

    # -- rows ---------------------------------------------------------------------------------------------------------

    def _hand(self, ready: Relation, wanted: Columns) -> Hand:
        """Which rows come out of a relation, and what is known of the wanted columns besides what is stored."""
        scans = tuple(self._scans[alias] for alias in self.ranked(aliases(ready)))
        if isinstance(ready, Scan):
            return Hand(scans, {ready.alias: self._shelf(ready).rows()}, whole=True)
        wanted = frozenset(column for column in wanted if column.relation in aliases(ready))
        kept = frozenset(column for column in wanted if self.engine.travels(self._statistics(column).type))
        node, filled = self.generator.identities(ready, scans, kept, wanted - kept)
        arrays = self.engine.arrays(node)
        rows = {scan.alias: np.ma.getdata(arrays[scan.alias]).astype(np.int64, copy=False) for scan in scans}
        given = {column: arrays[str(column)] for column, fill in filled.items() if fill.raw}
        draws = np.ma.getdata(arrays[DRAW]).astype(np.int32, copy=False) if DRAW in arrays else None
        return Hand(scans, rows, {column: arrays[kept_name(column)] for column in kept}, given, filled, draws)

    def ranked(self, relations: Iterable[str]) -> list[str]:
        """The aliases of scans, sorted by what their rows are before what they are called."""

        def rank(alias: str) -> tuple[list[str], int, str]:
            return (sorted(self.statistics[alias].columns), self.statistics[alias].content, alias)

        return sorted(relations, key=rank)

    def _staged(self, node: Relation, hand: Hand, values: Mapping[Column, Array], wanted: Columns) -> Staged:
        """The rows at hand with their values, registered for the statements above."""
        given = {**hand.given, **values}
        columns: dict[str, Array] = {str(column): array for column, array in given.items()}
        if not hand.whole:
            columns |= {**hand.rows, **{kept_name(column): array for column, array in hand.kept.items()}}
        if hand.draws is not None:
            columns[DRAW] = hand.draws
        name = self.engine.register(columns) if columns else None
        filled = dict(hand.filled)
        if name:
            self.names.append(name)
            raw = {column: t.reference(name, str(column)) for column in given}
            filled |= {c: Fill(self.engine.decoded(tree, self._statistics(c).type), tree) for c, tree in raw.items()}
        reads = frozenset(column for column in wanted if column.relation in hand.rows)
        drawn = hand.draws is not None
        return Staged(name, hand.scans, hand.whole, reads, frozenset(hand.kept), filled, node, drawn)

    def _bundled(self, hand: Hand, drawn: Mapping[Column, Drawn]) -> Hand:
        """The rows at hand, those that differ by draw once for each."""
        if not drawn:
            return hand
        places = {column: one.places(hand.rows[column.relation]) for column, one in drawn.items()}
        order, draws = exploded(hand.draws, hand.count, {column: (drawn[column], places[column]) for column in drawn})
        rows = {alias: ids[order] for alias, ids in hand.rows.items()}
        kept = {column: array[order] for column, array in hand.kept.items()}
        given = {column: array[order] for column, array in hand.given.items()}
        given |= {c: shown(one, places[c][order], draws, sparse=self._is_sparse(c)) for c, one in drawn.items()}
        return Hand(hand.scans, rows, kept, given, hand.filled, draws)

    def _policy(self, column: Column) -> Policy:
        return self.statistics[column.relation].policy(column.name)

    def _is_sparse(self, column: Column) -> bool:
        return self._meaning(column) is not None or self._policy(column).leaves

    def _meaning(self, column: Column) -> Tree | None:
        if column.name not in self.statistics[column.relation].policies:
            return None
        return self.engine.meaning(self._scans[column.relation].table, column.name, column.relation)

    def _shelf(self, scan: Scan) -> Shelf:
        return Shelf(self.engine, scan, self.statistics[scan.alias])

    def _predictors(self, sources: frozenset[str]) -> Columns:
        """The columns at hand that can predict others."""
        return frozenset(Column(alias, name) for alias in sources for name in self.statistics[alias].regressors)

    # -- what the engine is told --------------------------------------------------------------------------------------

    def _statistics(self, column: Column) -> ColumnStatistics:
        return self.statistics[column.relation].columns[column.name]

    def _filler(self, impute: Impute, column: Column) -> Fill:
        if column in self._beside.fills:
            return self._beside.fills[column]
        imputer, statistics = self.imputers[impute.imputer], self._statistics(column)
        assert fills_in_sql(imputer)
        assert statistics.centre is not None
        return Fill(self.engine.cast(t.literal(checked.constant(imputer, statistics.centre)), statistics.type))

    # -- what is reported ---------------------------------------------------------------------------------------------

    def count_dropped(self, rows: Relation, columns: Sequence[Column], outcome: Outcome) -> None:
        """Takes note of the rows of stored tables that go because they miss one of some columns."""
        self._scans = {scan.alias: scan for scan in scans(rows)}
        column, *more = columns
        if isinstance(rows, Scan) and not more and self._meaning(column) is None:
            outcome.dropped += self._statistics(column).missing
            outcome.examined += self.statistics[column.relation].rows
            return

        def counted() -> Tree:
            gone = t.any_of([self._is_gone(column) for column in columns])
            counts = {"rows": t.call("count_star"), "gone": t.call("count_star", where=gone)}
            return self.generator.columns(rows, counts)

        examined, dropped = self._counts(Drop(rows, frozenset(columns)), counted)
        outcome.dropped += dropped
        outcome.examined += examined

    def _is_gone(self, column: Column) -> Tree:
        missing, meaning = t.is_missing(_bound(column)), self._meaning(column)
        return missing if meaning is None else t.all_of([missing, t.negated(meaning)]) or missing

    def _count_filled(self, node: Impute, outcome: Outcome) -> None:
        columns = sorted(node.columns)
        if isinstance(node.input, Scan):
            counts: Sequence[int] = [self._statistics(column).missing for column in columns]
        else:
            wanted = {str(c): t.call("count_star", where=t.is_missing(_bound(c))) for c in columns}
            counts = self._counts(node, lambda: self.generator.columns(node.input, wanted, self._first))
        for column, count in zip(columns, counts, strict=True):
            if column not in self._beside.fills:
                outcome.filled(column, node.imputer)
            outcome.imputed[column] = outcome.imputed.get(column, 0) + count

    def _counts(self, what: Relation, node: Callable[[], Tree]) -> Sequence[int]:
        """The one row of a SELECT of counts over a relation, of stored rows remembered until something is written."""
        stored = not any(isinstance(below, Staged) for below in bottom_up(what))
        known: Sequence[int] | None = self.engine.recall(("counts", what)) if stored else None
        if known is None:
            known = [int(str(count)) for count in self.engine.rows(node())[0]]
            if stored and all(self.engine.keeps(scan.table) for scan in self._scans.values()):
                self.engine.keep(("counts", what), known)  # a subquery or a macro in it may read any table
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
