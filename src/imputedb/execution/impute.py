"""One Impute at work: which rows it is shown, and what it fills in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import NO_COLUMNS, Column, Columns
from imputedb.algebra.relation import Fill, Scan
from imputedb.engines.engine import Engine
from imputedb.errors import CannotImpute
from imputedb.execution.bundle import Drawn
from imputedb.execution.columns import Shelf, combined, computed_from, in_order
from imputedb.imputers import checked, conversion
from imputedb.imputers.chained.chained import check_departures
from imputedb.imputers.chained.chains import Chains
from imputedb.imputers.order import labels
from imputedb.imputers.permit import Permit, barred
from imputedb.imputers.protocol import Imputer, Progress, assumption_of, learns_from_sample, reads_whole_tables
from imputedb.imputers.random import seed_of
from imputedb.imputers.request import Request
from imputedb.imputers.rows import EVERY, Array, Cells, Rows
from imputedb.sql import ast as t
from imputedb.statistics.policy import Policy
from imputedb.statistics.table import Kind, Statistics

CENTRE = "centre"
"""What fills a column of which nothing is observed among the rows at hand: its mean, median or mode in the table."""


@dataclass(slots=True)
class Outcome:
    """What was done to the data on the way to an answer.

    Attributes:
        imputed: cells, by column.
        dropped: rows that are gone for a missing value.
        examined: rows that they are some of.
        unconditioned: tables whose dropped rows are counted before the query's conditions.
        warnings: sentences.
        notes: sentences that nobody need be warned of.
        chains: how those of draws moved.
    """

    imputed: dict[Column, int] = field(default_factory=dict)
    methods: dict[Column, list[str]] = field(default_factory=dict)
    dropped: int = 0
    examined: int = 0
    unconditioned: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    chains: list[Chains] = field(default_factory=list)

    def heard(self, chains: Chains) -> None:
        """Takes note of how the chains of some draws moved."""
        self.chains.append(chains)

    def filled(self, column: Column, method: str) -> None:
        """Takes note of what fills a column."""
        known = self.methods.setdefault(column, [])
        if method not in known:
            known.append(method)


@dataclass(frozen=True, slots=True)
class Hand:
    """Rows that came out of a relation, told by the row ids of the scans that they come from.

    Attributes:
        scans: those scans, by alias.
        rows: (n,) row ids by alias.
        kept: (n,) the values of columns that are wanted above and come through arrays as they are.
        given: (n,) what imputers gave for other columns that are wanted above, where values are missing.
        filled: what fills the missing cells of those.
        draws: (n,) the draw that each row is of, `EVERY` where it is the same in all; None where all rows are.
        whole: whether these are all rows of a single scan, in its order.
    """

    scans: tuple[Scan, ...]
    rows: Mapping[str, NDArray[np.int64]]
    kept: Mapping[Column, Array] = field(default_factory=dict)
    given: Mapping[Column, Array] = field(default_factory=dict)
    filled: Mapping[Column, Fill] = field(default_factory=dict)
    draws: NDArray[np.int32] | None = None
    whole: bool = False

    @property
    def count(self) -> int:
        """n, the number of rows."""
        return len(next(iter(self.rows.values())))

    @property
    def shared(self) -> NDArray[np.bool_]:
        """(n,) which rows are the same in every draw."""
        return np.ones(self.count, bool) if self.draws is None else self.draws == EVERY

    def repeats(self, alias: str) -> bool:
        """Whether one draw has a stored row of a scan more than once, because a join repeats it."""
        return len(self.scans) > 1 and _repeats(self.rows[alias][self.shared])

    def at(self, alias: str, order: NDArray[np.intp] | None) -> NDArray[np.int64] | None:
        """Row ids of the rows at some places; None for all rows of a whole scan."""
        if order is None:
            return None if self.whole else self.rows[alias]
        return self.rows[alias][order]


@dataclass(frozen=True, slots=True)
class Filling:
    """One Impute at work.

    Attributes:
        engine: where rows live.
        statistics: by alias.
        imputer: what fills in, for columns without an imputer of their own.
        seed: what random numbers are keyed by.
        progress: told how far the imputing is.
        outcome: told what was done.
        deciding: columns of which the single values are draws.
        known: what Imputes below have drawn.
    """

    engine: Engine
    statistics: Mapping[str, Statistics]
    imputer: Imputer
    seed: int
    progress: Progress | None
    outcome: Outcome
    deciding: Columns = NO_COLUMNS
    known: Mapping[Column, Drawn] = field(default_factory=dict)

    def values(self, hand: Hand, targets: Sequence[Column], columns: Sequence[Column]) -> dict[Column, Array]:
        """The values of the targets' missing cells as whole columns; nothing for targets without a missing cell."""
        gaps = self.counted(hand, targets)
        return self.less_what_stays(self._at_home(hand, targets, columns, gaps), gaps)

    def counted(self, hand: Hand, targets: Sequence[Column]) -> dict[Column, NDArray[np.bool_]]:
        """Which cells of the targets are to be filled in, noted down."""
        gaps = {column: self.gaps(hand, column, cells) for column, cells in self.cells(hand, targets).items()}
        for column, gap in gaps.items():
            self.noted(hand, column, gap)
            filled = np.count_nonzero(gap) if hand.draws is None else len(np.unique(hand.rows[column.relation][gap]))
            self.outcome.imputed[column] = self.outcome.imputed.get(column, 0) + int(filled)
        return gaps

    def _at_home(
        self,
        hand: Hand,
        targets: Sequence[Column],
        columns: Sequence[Column],
        gaps: Mapping[Column, NDArray[np.bool_]],
    ) -> dict[Column, Array]:
        """The values of gaps, learnt from all rows of their table where it has a home."""
        values: dict[Column, Array] = {}
        for group in self._by_home(targets):
            mine = {column: gaps[column] for column in group}
            home = self.home(hand, group)
            if home is None or not hand.count:
                values |= self._filled(hand, group, columns, mine)
                continue
            whole, places = home
            scattered = {column: np.zeros(whole.count, bool) for column in group}
            for column, gap in mine.items():
                scattered[column][places[gap]] = True
            found = self._filled(whole, group, columns, scattered)
            values |= {column: array[places] for column, array in found.items()}
        return values

    def _by_home(self, targets: Sequence[Column]) -> list[list[Column]]:
        """Targets that are filled from the same rows."""
        if not reads_whole_tables(self.imputer):
            return [list(targets)]
        relations = dict.fromkeys(column.relation for column in targets)
        return [[column for column in targets if column.relation == relation] for relation in relations]

    def less_what_stays(
        self, values: dict[Column, Array], gaps: Mapping[Column, NDArray[np.bool_]]
    ) -> dict[Column, Array]:
        """The values, once it is said which cells stay missing."""
        for column, array in values.items():
            if self.policy(column).leaves:
                stay = int(np.count_nonzero(conversion.lacking(array) & gaps[column]))
                self.stays(column, stay)
        return values

    def noted(self, hand: Hand, column: Column, gap: NDArray[np.bool_]) -> None:
        """Warns of a share of imputed cells that a policy wants to be warned of.

        Raises:
            CannotImpute: the policy refuses such an answer.
        """
        policy, share = self.policy(column), 100 * float(gap.mean()) if hand.count else 0.0
        said = policy.exceeded(str(column), share)
        if said is None:
            return
        if policy.refuse:
            raise CannotImpute(said)
        if said not in self.outcome.warnings:
            self.outcome.warnings.append(said)

    def stays(self, column: Column, count: int) -> None:
        """Takes note of cells that stay NULL, as the column's policy has it."""
        if count:
            self.outcome.imputed[column] -= count
            self.outcome.warnings.append(f"{count:,} cells of {column} stay NULL: {self.policy(column).left}")

    def decided(self, hand: Hand, values: Mapping[Column, Array]) -> dict[Column, Drawn]:
        """Of what was filled in, the draws: what is filled in above is given them, or it would not fit its row."""
        found: dict[Column, Drawn] = {}
        for column in sorted(self.deciding.intersection(values)):
            gap = self.gaps(hand, column, self.cells(hand, [column])[column])
            ids, first = np.unique(hand.rows[column.relation][gap], return_index=True)
            given = values[column][gap][first]
            found[column] = Drawn(ids, (0,), np.ma.getdata(given)[None], ~conversion.lacking(given)[None])
        return found

    def _given(self, hand: Hand, columns: Sequence[Column], order: NDArray[np.intp]) -> dict[Column, Cells]:
        """The cells of rows at some places, with what Imputes below have drawn of them.

        What they have predicted stays missing: predictions do not predict (decisions/kernel.md).
        """
        cells = self.cells(hand, columns, order)
        for column, one in self.known.items():
            if column in cells and not reads_whole_tables(self.imputer):
                places = one.places(hand.rows[column.relation][order])
                cells[column] = one.patched(cells[column], places, np.zeros(len(order), np.intp))
        return cells

    def home(self, hand: Hand, targets: Iterable[Column]) -> tuple[Hand, NDArray[np.int64]] | None:
        """All rows of the one table that some rows come from, and where they stand in it: what is learnt from.

        None for the rows of a join, unless the imputer reads whole tables and all targets are of one; of a whole table;
        and of one that is not kept in memory.
        """
        relations = {column.relation for column in targets}
        alone = len(hand.scans) == 1 or (reads_whole_tables(self.imputer) and len(relations) == 1)
        if hand.whole or not alone:
            return None
        scan = next(scan for scan in hand.scans if len(hand.scans) == 1 or scan.alias in relations)
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
    ) -> dict[Column, Array]:
        """Whole columns that have the values of the targets' gaps."""
        counts = {column: int(np.count_nonzero(gap)) for column, gap in gaps.items()}
        cells = self.cells(hand, targets)
        missing = {column: int(np.count_nonzero(cells[column].missing)) for column in targets}
        values: dict[Column, Array] = {}
        known = [c for c in targets if counts[c] and (missing[c] < hand.count or self.policy(c).before)]
        for group in self.groups(hand, known):
            order, keys, learn = self._at_hand(hand, {c: gaps[c] for c in group}, {c: cells[c].missing for c in group})
            rows = Rows(self._given(hand, columns, order), keys, learn)
            for column, filled in self._imputed(hand, rows, group, order).items():
                whole = conversion.patch(filled, order[rows.columns[column].missing], rows.columns[column], hand.count)
                values[column] = conversion.only(whole, gaps[column]) if self.is_sparse(column) else whole
        for column in targets:
            if counts[column] and missing[column] == hand.count and column not in known:
                self.outcome.warnings.append(
                    f"no value of {column} is observed among the {hand.count} rows at hand: "
                    f"the {hand.count} missing ones take the centre of the whole column"
                )
                values[column] = np.full(hand.count, self.centre(column), dtype=object)
                self.outcome.filled(column, CENTRE)
        return values

    def _imputed(
        self, hand: Hand, rows: Rows, targets: Sequence[Column], order: NDArray[np.intp]
    ) -> Mapping[Column, Array]:
        """The values of missing cells, one request for all targets whatever fills them."""
        asked = self.request(hand, rows, targets, order)
        found = asked.values(self.progress, self.deciding.intersection(targets))
        for column in targets:
            self.outcome.filled(column, asked.filler(column).name)
        self.outcome.warnings += found.said
        self.assumed(self.imputer)
        return found.values

    def assumed(self, imputer: Imputer) -> None:
        """Says what an imputer assumes beyond missing at random."""
        said = assumption_of(imputer)
        if said and said not in self.outcome.warnings:
            self.outcome.warnings.append(said)

    def request(self, hand: Hand, rows: Rows, targets: Sequence[Column], order: NDArray[np.intp]) -> Request:
        """What is asked of imputers: some rows of those at hand, by their places, and what policies permit."""
        tables = {scan.alias: scan.table for scan in hand.scans}

        def permit(column: Column) -> Permit:
            policy, own = self.policy(column), tables[column.relation]
            same = [c for c in rows.columns if tables[c.relation] == own]
            others = [c for c in rows.columns if not self.engine.keeps(tables[c.relation])]
            times = None
            if policy.before:
                clock = Column(column.relation, policy.before)
                times = self.cells(hand, [clock], order)[clock]
            weights = None
            if policy.weight:
                weigher = Column(column.relation, policy.weight)
                weights = self.cells(hand, [weigher], order)[weigher]

            def own_cells(names: Sequence[str]) -> Mapping[str, Cells]:
                found = self.cells(hand, [Column(column.relation, name) for name in names], order)
                return {one.name: its for one, its in found.items()}

            clusters = own_cells([policy.cluster])[policy.cluster] if policy.cluster else None
            derived = computed_from(self.statistics[column.relation], column, same)
            return Permit(
                policy,
                barred(policy, column, same, others) | derived,
                times,
                None,
                weights,
                in_order(policy, own_cells),
                clusters,
            )

        stated = {
            Column(alias, name): policy.derived
            for alias in tables
            for name, policy in self.statistics[alias].policies.items()
            if policy.derived
        }
        check_departures(self.imputer, stated)
        return Request(rows, targets, self.imputer, {c: permit(c) for c in targets}, self._seed(hand, rows))

    def _seed(self, hand: Hand, rows: Rows) -> int:
        """The seed of these tables' own, and of what is drawn given columns that Imputes below have drawn."""
        tables = [self.statistics[scan.alias].content for scan in hand.scans]
        called, known = labels(rows.columns), () if reads_whole_tables(self.imputer) else self.known
        return seed_of(self.seed, *tables, *sorted(called[column] for column in known if column in called))

    def gaps(self, hand: Hand, column: Column, cells: Cells) -> NDArray[np.bool_]:
        """Which cells are to be filled in: those that are missing, but mean nothing of their own."""
        scan = next(scan for scan in hand.scans if scan.alias == column.relation)
        if not self.has_meaning(column):
            return cells.missing
        return cells.missing & ~self._shelf(scan).meant(column.name, hand.at(scan.alias, None))

    def _at_hand(
        self, hand: Hand, gaps: Mapping[Column, NDArray[np.bool_]], missing: Mapping[Column, NDArray[np.bool_]]
    ) -> tuple[NDArray[np.intp], NDArray[np.uint64], NDArray[np.bool_] | None]:
        """The places of the rows that an imputer is given, in the order of their keys; these; which it learns from."""
        keys = self.keys(hand)
        learn = self.once(hand, gaps)
        share = 1.0
        if learns_from_sample(self.imputer) and not any(self.policy(column).leaves for column in gaps):
            observed = {c: np.count_nonzero(~gone if learn is None else learn & ~gone) for c, gone in missing.items()}
            counts = {column: int(np.count_nonzero(gap)) for column, gap in gaps.items()}
            enough = {column: checked.learning_rows(self.imputer, count) for column, count in counts.items()}
            share = max(rows / observed[column] for column, rows in enough.items())
        if share < 1:
            picked = keys < np.uint64(share * 2**64)
            learn = picked if learn is None else picked & learn
        if learn is None:
            order = np.argsort(keys)
            return order, keys[order], None
        places = np.flatnonzero(np.logical_or.reduce([learn, *gaps.values()]))
        order = places[np.argsort(keys[places])]
        return order, keys[order], learn[order]

    def groups(self, hand: Hand, targets: Sequence[Column]) -> list[list[Column]]:
        """Targets in the order that they are filled: first those of tables whose rows a join repeats, table by table.

        These are learnt from one row for each that is stored: a repetition is no evidence of its own. The others come
        together.
        """
        if reads_whole_tables(self.imputer):
            return self._by_home(targets)
        wanted = {column.relation for column in targets}
        repeated = [scan.alias for scan in hand.scans if scan.alias in wanted and hand.repeats(scan.alias)]
        repeated.sort(key=lambda alias: self.statistics[alias].rows)
        groups = [[column for column in targets if column.relation == alias] for alias in repeated]
        others = [column for column in targets if column.relation not in repeated]
        return [*groups, others] if others else groups

    def once(self, hand: Hand, targets: Iterable[Column]) -> NDArray[np.bool_] | None:
        """(n,) one row for each stored one and draw, where all targets are of one table; None where that is all."""
        relations = {column.relation for column in targets}
        if len(relations) != 1 or len(hand.scans) == 1:
            return None
        (alias,) = relations
        copies = hand.rows[alias]
        if hand.draws is not None:
            copies = copies * (int(hand.draws.max(initial=EVERY)) + 2) + (hand.draws - EVERY)
        if not _repeats(copies):
            return None
        order = np.lexsort((self.keys(hand), copies))
        chosen = np.ones(hand.count, bool)
        chosen[order[1:]] = np.diff(copies[order]) != 0
        return chosen

    def cells(
        self, hand: Hand, columns: Sequence[Column], order: NDArray[np.intp] | None = None
    ) -> dict[Column, Cells]:
        """The stored cells of columns, of all rows at hand or of those at some places."""
        found: dict[Column, Cells] = {}
        for scan in hand.scans:
            names = [column.name for column in columns if column.relation == scan.alias]
            if names:
                cells = self._shelf(scan).cells(names, hand.at(scan.alias, order))
                found |= {Column(scan.alias, name): cells[name] for name in names}
        return found

    def keys(self, hand: Hand, order: NDArray[np.intp] | None = None) -> NDArray[np.uint64]:
        """(n,) what random numbers are keyed by, of all rows at hand or of those at some places."""
        return combined([self._shelf(scan).keys(hand.at(scan.alias, order)) for scan in hand.scans])

    def centre(self, column: Column) -> str | None:
        """The text of a column's centre; of dates, timestamps and durations the number that imputers see."""
        known = self.statistics[column.relation].columns[column.name]
        if known.centre is None or known.kind not in (Kind.DATE, Kind.TIMESTAMP, Kind.DURATION):
            return known.centre
        value = self.engine.encoded(self.engine.cast(t.literal(known.centre), known.type), known.type)
        return str(self.engine.rows(t.select([value], None))[0][0])

    def has_meaning(self, column: Column) -> bool:
        """Whether a NULL of a column can mean something of its own."""
        return self.policy(column).action in ("keep", "structural")

    def is_sparse(self, column: Column) -> bool:
        """Whether some missing cells of a column may stay so."""
        return self.has_meaning(column) or self.policy(column).leaves

    def policy(self, column: Column) -> Policy:
        """How a column's missing values are dealt with."""
        return self.statistics[column.relation].policy(column.name)

    def _shelf(self, scan: Scan) -> Shelf:
        return Shelf(self.engine, scan, self.statistics[scan.alias])


def _repeats(ids: NDArray[np.int64]) -> bool:
    """Whether an id stands there more than once."""
    if not len(ids):
        return False
    low, high = int(ids.min()), int(ids.max())
    if high - low < 4 * len(ids):  # counted: sorting takes sixty times as long
        return int(np.bincount(ids - low).max()) > 1
    return len(np.unique(ids)) < len(ids)
