"""Numbers of dropped rows and imputed cells, counted by the engine where no imputer sees the rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from imputedb.algebra.column import Column
from imputedb.algebra.relation import Drop, Impute, Relation, Scan, Staged
from imputedb.algebra.walk import bottom_up, scans
from imputedb.execution.outcome import Outcome
from imputedb.execution.staging import Staging
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import bound


@dataclass(frozen=True, slots=True)
class Counting:
    """The counts of one run.

    Attributes:
        staging: rows of the run.
    """

    staging: Staging

    def dropped(self, rows: Relation, columns: Sequence[Column], outcome: Outcome) -> None:
        """Records the number of stored rows that are dropped because some columns are missing."""
        self.staging.scans = {scan.alias: scan for scan in scans(rows)}
        column, *more = columns
        if isinstance(rows, Scan) and not more and self.staging.meaning(column) is None:
            outcome.dropped += self.staging.of_column(column).missing
            outcome.examined += self.staging.statistics[column.relation].rows
            return

        def counted() -> Tree:
            missing = t.any_of([self._is_missing(column) for column in columns])
            counts = {"rows": t.call("count_star"), "gone": t.call("count_star", where=missing)}
            return self.staging.generator.columns(rows, counts)

        examined, dropped = self._counts(Drop(rows, frozenset(columns)), counted)
        outcome.dropped += dropped
        outcome.examined += examined

    def _is_missing(self, column: Column) -> Tree:
        missing, meaning = t.is_missing(bound(column)), self.staging.meaning(column)
        return missing if meaning is None else t.all_of([missing, t.negated(meaning)]) or missing

    def filled(self, node: Impute, first: int | None, outcome: Outcome) -> None:
        """Records the number of cells that a non-blocking Impute fills, in the first draw."""
        columns = sorted(node.columns)
        if isinstance(node.input, Scan):
            counts: Sequence[int] = [self.staging.of_column(column).missing for column in columns]
        else:
            wanted = {str(c): t.call("count_star", where=t.is_missing(bound(c))) for c in columns}
            counts = self._counts(node, lambda: self.staging.generator.columns(node.input, wanted, first))
        for column, count in zip(columns, counts, strict=True):
            if column not in self.staging.beside.fills:
                outcome.add_method(column, node.imputer)
            outcome.add_imputed(column, count)

    def _counts(self, what: Relation, node: Callable[[], Tree]) -> Sequence[int]:
        """The single row of a SELECT of counts over a relation, cached for stored rows until something is written."""
        stored = not any(isinstance(below, Staged) for below in bottom_up(what))
        known: Sequence[int] | None = self.staging.engine.recall(("counts", what)) if stored else None
        if known is None:
            known = [int(str(count)) for count in self.staging.engine.rows(node())[0]]
            if stored and all(self.staging.engine.keeps(scan.table) for scan in self.staging.scans.values()):
                self.staging.engine.keep(("counts", what), known)  # subqueries and macros may read any table
        return known
