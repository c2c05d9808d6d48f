"""The rows of a batch as imputers read them: cells, missing cells, keys of random numbers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.algebra.relation import Scan
from imputedb.engines.engine import Engine
from imputedb.execution.batch import Batch, has_repeats
from imputedb.execution.columns import ColumnCache, combined
from imputedb.imputers.rows import EVERY, Cells
from imputedb.sql import ast as t
from imputedb.statistics.policy import Policy
from imputedb.statistics.table import Kind, Statistics


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader of the stored tables that the rows of batches come from.

    Attributes:
        engine: engine that holds the rows.
        statistics: statistics by alias.
    """

    engine: Engine
    statistics: Mapping[str, Statistics]

    def cells(
        self, batch: Batch, columns: Sequence[Column], order: NDArray[np.intp] | None = None
    ) -> dict[Column, Cells]:
        """The stored cells of columns, of all rows of a batch or of those at some positions."""
        found: dict[Column, Cells] = {}
        for scan in batch.scans:
            names = [column.name for column in columns if column.relation == scan.alias]
            if names:
                cells = self.cache(scan).cells(names, batch.at(scan.alias, order))
                found |= {Column(scan.alias, name): cells[name] for name in names}
        return found

    def keys(self, batch: Batch, order: NDArray[np.intp] | None = None) -> NDArray[np.uint64]:
        """(n,) the keys of random numbers, of all rows of a batch or of those at some positions."""
        return combined([self.cache(scan).keys(batch.at(scan.alias, order)) for scan in batch.scans])

    def centre(self, column: Column) -> str | None:
        """The text of a column's centre; for dates, timestamps and durations the number that imputers use."""
        known = self.statistics[column.relation].columns[column.name]
        if known.centre is None or known.kind not in (Kind.DATE, Kind.TIMESTAMP, Kind.DURATION):
            return known.centre
        value = self.engine.encoded(self.engine.cast(t.literal(known.centre), known.type), known.type)
        return str(self.engine.rows(t.select([value], None))[0][0])

    def has_meaning(self, column: Column) -> bool:
        """Whether a NULL of a column can have a meaning of its own."""
        return self.policy(column).action in ("keep", "structural")

    def is_sparse(self, column: Column) -> bool:
        """Whether missing cells of a column may stay missing."""
        return self.has_meaning(column) or self.policy(column).leaves

    def policy(self, column: Column) -> Policy:
        """The policy of a column."""
        return self.statistics[column.relation].policy(column.name)

    def cache(self, scan: Scan) -> ColumnCache:
        """The columns of a scan."""
        return ColumnCache(self.engine, scan, self.statistics[scan.alias])

    def missing_cells(self, batch: Batch, column: Column, cells: Cells) -> NDArray[np.bool_]:
        """The cells to impute: those that are missing without a meaning of their own."""
        scan = next(scan for scan in batch.scans if scan.alias == column.relation)
        if not self.has_meaning(column):
            return cells.missing
        return cells.missing & ~self.cache(scan).meaningful_nulls(column.name, batch.at(scan.alias, None))

    def distinct_rows(self, batch: Batch, targets: Iterable[Column]) -> NDArray[np.bool_] | None:
        """(n,) one row for each stored row and draw, where all targets are of one table; None if none is repeated."""
        relations = {column.relation for column in targets}
        if len(relations) != 1 or len(batch.scans) == 1:
            return None
        (alias,) = relations
        copies = batch.rows[alias]
        if batch.draws is not None:
            copies = copies * (int(batch.draws.max(initial=EVERY)) + 2) + (batch.draws - EVERY)
        if not has_repeats(copies):
            return None
        order = np.lexsort((self.keys(batch), copies))
        chosen = np.ones(batch.count, bool)
        chosen[order[1:]] = np.diff(copies[order]) != 0
        return chosen
