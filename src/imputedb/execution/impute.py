"""The execution of one Impute: the rows that its imputer learns from, and the values that it gives."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import NO_COLUMNS, Column, Columns
from imputedb.engines.engine import Engine
from imputedb.errors import CannotImpute
from imputedb.execution.batch import Batch
from imputedb.execution.bundle import ColumnDraws
from imputedb.execution.columns import computed_from, in_order
from imputedb.execution.outcome import CENTRE, Outcome
from imputedb.execution.reader import Reader
from imputedb.imputers import checked, conversion
from imputedb.imputers.chained.chained import check_departures
from imputedb.imputers.feedback import fed_back
from imputedb.imputers.order import labels
from imputedb.imputers.permit import Permit, barred
from imputedb.imputers.permitted import outside
from imputedb.imputers.protocol import Imputer, Progress, assumption_of, learns_from_sample, reads_whole_tables
from imputedb.imputers.random import seed_of
from imputedb.imputers.request import Request
from imputedb.imputers.rows import Array, Cells, Rows
from imputedb.notes import Note, NoteKind
from imputedb.statistics.table import Statistics


@dataclass(frozen=True, slots=True)
class Imputation:
    """The execution of one Impute of a plan.

    Attributes:
        engine: engine that holds the rows.
        statistics: statistics by alias.
        imputer: imputer of columns without an imputer of their own.
        seed: seed of the random numbers.
        progress: called with the share of the work that is done.
        outcome: record of the imputation.
        deciding: columns whose single values are draws.
        known: draws of Imputes below.
    """

    engine: Engine
    statistics: Mapping[str, Statistics]
    imputer: Imputer
    seed: int
    progress: Progress | None
    outcome: Outcome
    deciding: Columns = NO_COLUMNS
    known: Mapping[Column, ColumnDraws] = field(default_factory=dict)

    @property
    def reader(self) -> Reader:
        """The reader of the rows."""
        return Reader(self.engine, self.statistics)

    def values(self, batch: Batch, targets: Sequence[Column], columns: Sequence[Column]) -> dict[Column, Array]:
        """The values of the targets' missing cells as whole columns; targets without missing cells are absent."""
        gaps = self.counted(batch, targets)
        return self.values_with_notes(self._from_base_tables(batch, targets, columns, gaps), gaps)

    def counted(self, batch: Batch, targets: Sequence[Column]) -> dict[Column, NDArray[np.bool_]]:
        """The cells of the targets to be filled, after recording their numbers."""
        stored = self.reader.cells(batch, targets)
        gaps = {column: self.reader.missing_cells(batch, column, cells) for column, cells in stored.items()}
        for column, gap in gaps.items():
            self.record_notes(batch, column, gap)
            filled = np.count_nonzero(gap) if batch.draws is None else len(np.unique(batch.rows[column.relation][gap]))
            self.outcome.add_imputed(column, int(filled))
        return gaps

    def _from_base_tables(
        self,
        batch: Batch,
        targets: Sequence[Column],
        columns: Sequence[Column],
        gaps: Mapping[Column, NDArray[np.bool_]],
    ) -> dict[Column, Array]:
        """The values of missing cells, learnt from all rows of their base table if there is one."""
        values: dict[Column, Array] = {}
        for group in self._by_table(targets):
            mine = {column: gaps[column] for column in group}
            base = self.base_table(batch, group)
            if base is None or not batch.count:
                values |= self._filled(batch, group, columns, mine)
                continue
            whole, places = base
            scattered = {column: np.zeros(whole.count, bool) for column in group}
            for column, gap in mine.items():
                scattered[column][places[gap]] = True
            found = self._filled(whole, group, columns, scattered)
            values |= {column: array[places] for column, array in found.items()}
        return values

    def _by_table(self, targets: Sequence[Column]) -> list[list[Column]]:
        """Targets grouped by the rows that they are learnt from."""
        if not reads_whole_tables(self.imputer):
            return [list(targets)]
        relations = dict.fromkeys(column.relation for column in targets)
        return [[column for column in targets if column.relation == relation] for relation in relations]

    def values_with_notes(
        self, values: dict[Column, Array], gaps: Mapping[Column, NDArray[np.bool_]]
    ) -> dict[Column, Array]:
        """The values, after recording the numbers of cells that stay missing."""
        for column, array in values.items():
            if self.reader.policy(column).leaves:
                stay = int(np.count_nonzero(conversion.missing(array) & gaps[column]))
                self.record_kept_missing(column, stay)
        return values

    def record_notes(self, batch: Batch, column: Column, gap: NDArray[np.bool_]) -> None:
        """Records warnings of shares of imputed cells above a policy's limit, and of bounds unlike the observed values.

        Raises:
            CannotImpute: the policy refuses such an answer.
        """
        policy, share = self.reader.policy(column), 100 * float(gap.mean()) if batch.count else 0.0
        exceeded = policy.exceeded(column, share)
        if exceeded is not None and policy.refuse:
            raise CannotImpute(exceeded)
        strange = outside(column, policy, self.reader.cells(batch, [column])[column])
        self.outcome.warnings += [one for one in (exceeded, strange) if one and one not in self.outcome.warnings]

    def record_kept_missing(self, column: Column, count: int) -> None:
        """Records the number of cells that stay NULL by the column's policy."""
        if count:
            self.outcome.imputed[column] -= count
            words = f" stay NULL: {self.reader.policy(column).left}"
            self.outcome.warnings.append(Note(NoteKind.STAYS, column, f"{count:,} cells of ", column, words))

    def new_draws(self, batch: Batch, values: Mapping[Column, Array]) -> dict[Column, ColumnDraws]:
        """The values that are draws; Imputes above see them, so that values of a row are consistent."""
        found: dict[Column, ColumnDraws] = {}
        for column in sorted(self.deciding.intersection(values)):
            gap = self.reader.missing_cells(batch, column, self.reader.cells(batch, [column])[column])
            ids, first = np.unique(batch.rows[column.relation][gap], return_index=True)
            given = values[column][gap][first]
            found[column] = ColumnDraws(ids, (0,), np.ma.getdata(given)[None], ~conversion.missing(given)[None])
        return found

    def _given(self, batch: Batch, columns: Sequence[Column], order: NDArray[np.intp]) -> dict[Column, Cells]:
        """The cells of some rows, with the draws of Imputes below.

        Values predicted by Imputes below stay missing, since predictions are not used as predictors
        (decisions/kernel.md).
        """
        cells = self.reader.cells(batch, columns, order)
        for column, one in self.known.items():
            if column in cells and not reads_whole_tables(self.imputer):
                places = one.places(batch.rows[column.relation][order])
                cells[column] = one.patched(cells[column], places, np.zeros(len(order), np.intp))
        return cells

    def base_table(self, batch: Batch, targets: Iterable[Column]) -> tuple[Batch, NDArray[np.int64]] | None:
        """All rows of the single table that some rows come from, and the positions of these rows in it.

        None if the rows are already the whole table, if the table is not cached, or for a join, unless the imputer
        reads whole tables and all targets are of one table.
        """
        relations = {column.relation for column in targets}
        alone = len(batch.scans) == 1 or (reads_whole_tables(self.imputer) and len(relations) == 1)
        if batch.whole or not alone:
            return None
        scan = next(scan for scan in batch.scans if len(batch.scans) == 1 or scan.alias in relations)
        cache = self.reader.cache(scan)
        if not cache.is_cached:
            return None
        return Batch((scan,), {scan.alias: cache.rows()}, whole=True), cache.places(batch.rows[scan.alias])

    def _filled(
        self,
        batch: Batch,
        targets: Sequence[Column],
        columns: Sequence[Column],
        gaps: Mapping[Column, NDArray[np.bool_]],
    ) -> dict[Column, Array]:
        """The values of the targets' missing cells as whole columns."""
        counts = {column: int(np.count_nonzero(gap)) for column, gap in gaps.items()}
        cells = self.reader.cells(batch, targets)
        missing = {column: int(np.count_nonzero(cells[column].missing)) for column in targets}
        values: dict[Column, Array] = {}
        known = [c for c in targets if counts[c] and (missing[c] < batch.count or self.reader.policy(c).before)]
        for group in self.groups(batch, known):
            mine = {column: gaps[column] for column in group}
            order, keys, learn = self._training_rows(batch, mine, {c: cells[c].missing for c in group})
            rows = Rows(self._given(batch, columns, order), keys, learn)
            for column, filled in self._imputed(batch, rows, group, order).items():
                whole = conversion.patch(filled, order[rows.columns[column].missing], rows.columns[column], batch.count)
                values[column] = conversion.values_at(whole, gaps[column]) if self.reader.is_sparse(column) else whole
        for column in targets:
            if counts[column] and missing[column] == batch.count and column not in known:
                words = (
                    f" is observed among the {batch.count} rows at hand: "
                    f"the {batch.count} missing ones take the centre of the whole column"
                )
                self.outcome.warnings.append(Note(NoteKind.CENTRE, column, "no value of ", column, words))
                values[column] = np.full(batch.count, self.reader.centre(column), dtype=object)
                self.outcome.add_method(column, CENTRE)
        return values

    def _imputed(
        self, batch: Batch, rows: Rows, targets: Sequence[Column], order: NDArray[np.intp]
    ) -> Mapping[Column, Array]:
        """The values of missing cells, from one request for all targets and their imputers."""
        request = self.request(batch, rows, targets, order)
        found = request.values(self.progress, self.deciding.intersection(targets))
        for column in targets:
            self.outcome.add_method(column, request.filler(column).name)
        self.outcome.warnings += found.notes
        for part in request.parts():
            self.outcome.warnings += fed_back(part.imputer, part.rows, part.targets, drawn=False)
        self.assumed(self.imputer)
        return found.values

    def assumed(self, imputer: Imputer) -> None:
        """Records the imputer's assumption beyond missing at random."""
        assumption = assumption_of(imputer)
        if assumption and assumption not in self.outcome.warnings:
            self.outcome.warnings.append(Note(NoteKind.ASSUMED, "", assumption))

    def request(self, batch: Batch, rows: Rows, targets: Sequence[Column], order: NDArray[np.intp]) -> Request:
        """The request to fill cells of some rows of the batch, given by their positions."""
        stated = {
            Column(scan.alias, name): policy.derived
            for scan in batch.scans
            for name, policy in self.statistics[scan.alias].policies.items()
            if policy.derived
        }
        check_departures(self.imputer, stated)
        permits = {column: self._permit(column, batch, rows.columns, order) for column in targets}
        return Request(rows, targets, self.imputer, permits, self._seed(batch, rows))

    def _permit(self, column: Column, batch: Batch, columns: Collection[Column], order: NDArray[np.intp]) -> Permit:
        """The permit of a column by its policy, for the rows at some positions."""
        policy, tables = self.reader.policy(column), {scan.alias: scan.table for scan in batch.scans}
        same = [c for c in columns if tables[c.relation] == tables[column.relation]]
        others = [c for c in columns if not self.engine.keeps(tables[c.relation])]

        def cells(names: Sequence[str]) -> Mapping[str, Cells]:
            found = self.reader.cells(batch, [Column(column.relation, name) for name in names], order)
            return {one.name: its for one, its in found.items()}

        return Permit(
            policy,
            barred(policy, column, same, others) | computed_from(self.statistics[column.relation], column, same),
            times=cells([policy.before])[policy.before] if policy.before else None,
            weights=cells([policy.weight])[policy.weight] if policy.weight else None,
            series=in_order(policy, cells),
            clusters=cells([policy.cluster])[policy.cluster] if policy.cluster else None,
        )

    def _seed(self, batch: Batch, rows: Rows) -> int:
        """The seed, combined with the tables' contents and with the columns that Imputes below have drawn."""
        tables = [self.statistics[scan.alias].content for scan in batch.scans]
        called, known = labels(rows.columns), () if reads_whole_tables(self.imputer) else self.known
        return seed_of(self.seed, *tables, *sorted(called[column] for column in known if column in called))

    def _training_rows(
        self, batch: Batch, gaps: Mapping[Column, NDArray[np.bool_]], missing: Mapping[Column, NDArray[np.bool_]]
    ) -> tuple[NDArray[np.intp], NDArray[np.uint64], NDArray[np.bool_] | None]:
        """The positions of the rows that an imputer gets, sorted by key; their keys; and which are to learn from."""
        keys = self.reader.keys(batch)
        learn = self.reader.distinct_rows(batch, gaps)
        share = 1.0
        if learns_from_sample(self.imputer) and not any(self.reader.policy(column).leaves for column in gaps):
            observed = {
                c: np.count_nonzero(~absent if learn is None else learn & ~absent) for c, absent in missing.items()
            }
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

    def groups(self, batch: Batch, targets: Sequence[Column]) -> list[list[Column]]:
        """Targets in groups, in the order of imputation: first, table by table, those whose rows a join repeats.

        These are learnt from one row for each stored row, since a repetition is no further observation. All others are
        one group.
        """
        if reads_whole_tables(self.imputer):
            return self._by_table(targets)
        wanted = {column.relation for column in targets}
        repeated = [scan.alias for scan in batch.scans if scan.alias in wanted and batch.repeats(scan.alias)]
        repeated.sort(key=lambda alias: self.statistics[alias].rows)
        groups = [[column for column in targets if column.relation == alias] for alias in repeated]
        others = [column for column in targets if column.relation not in repeated]
        return [*groups, others] if others else groups
