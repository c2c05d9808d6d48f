"""The execution of a plan: one statement up to each blocking Impute, the imputer, and further statements."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import assert_never

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
    Table,
)
from imputedb.algebra.walk import aliases, bottom_up, columns_read, scans
from imputedb.engines.engine import Engine
from imputedb.execution.bundle import ColumnDraws
from imputedb.execution.counting import Counting
from imputedb.execution.draw import ImputeDraws, warned
from imputedb.execution.impute import Imputation
from imputedb.execution.imputed_columns import ImputedColumns
from imputedb.execution.outcome import Outcome
from imputedb.execution.staging import Staging
from imputedb.imputers.protocol import Imputer, Progress, fills_in_sql
from imputedb.imputers.rows import Array
from imputedb.models.kept import is_stored
from imputedb.sql import ast as t
from imputedb.sql import derivation
from imputedb.sql.ast import Tree
from imputedb.sql.bind import columns_in
from imputedb.sql.expression import bound
from imputedb.sql.generate import ROW, Generator, stored_name
from imputedb.statistics.policy import Policy
from imputedb.statistics.table import Statistics


@dataclass(slots=True)
class Measurement:
    """Measurements of one operator: its output rows, and its seconds."""

    rows: int
    seconds: float


Watch = Callable[[Relation, Relation, Measurement], object]
"""Receiver of each operator of a watched run: the operator, its staged rows, and its measurements."""


@dataclass(slots=True)
class Execution:
    """One run of a plan on an engine.

    Attributes:
        engine: engine that holds the rows.
        statistics: statistics by alias.
        imputers: imputers by name.
        seed: seed of the random numbers.
        progress: called with the progress of the imputing.
        watch: if given, every operator is run separately, timed, and passed to it.
        numbers: draw indices; None for single best values.
        deciding: columns that decide which rows count. Their single values are draws too, since predictions vary less
            than true values, and too few or too many rows would pass a filter.
        drawn_tables: tables whose cached values are draws, since one of their imputed columns decides.
        draw: index of that draw.
        names: names registered with the engine, to be released after the statement.
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
    _drawn: dict[Column, ColumnDraws] = field(default_factory=dict)
    _beside: ImputedColumns = field(init=False)
    _staging: Staging = field(init=False)

    def __post_init__(self) -> None:
        number = self.numbers[0] if self.numbers and self.engine.fills_by_expression else None
        self._beside = ImputedColumns(
            self.engine, self.statistics, self.seed, self.progress, self.drawn_tables, self.draw, number
        )
        self._staging = Staging(self.engine, self.statistics, self.imputers, self._beside, self.names)

    @property
    def generator(self) -> Generator:
        """The generator of SELECTs over relations whose imputing is done."""
        return self._staging.generator

    def run(self, plan: Relation, outcome: Outcome) -> Tree:
        """The statement that gives a block's rows; it reads the objects in `names`, which must exist until it has run.

        With several draws it is the statement of the first one.
        """
        return self.generator.answer(self.ready(plan, outcome), self._first)

    def count(self, ready: Relation) -> int:
        """The number of rows of a relation in the first draw."""
        ((count,),) = self.engine.rows(self.generator.columns(ready, {"rows": t.call("count_star")}, self._first))
        return int(str(count))

    @property
    def _first(self) -> int | None:
        return self.numbers[0] if self.numbers else None

    def count_dropped(self, rows: Relation, columns: Sequence[Column], outcome: Outcome) -> None:
        """Records the number of stored rows that are dropped because some columns are missing."""
        Counting(self._staging).dropped(rows, columns, outcome)

    def ranked(self, relations: Iterable[str]) -> list[str]:
        """The aliases of scans, sorted by the content of their rows and then by name."""
        return self._staging.ranked(relations)

    def ready(self, plan: Relation, outcome: Outcome) -> Relation:
        """The block after its imputing, which the engine can run for each draw or for all of them."""
        self._staging.scans = {scan.alias: scan for scan in scans(plan)}
        return self._ready(plan, NO_COLUMNS, outcome)

    def complete(
        self, plan: Relation, stored: Sequence[str], outcome: Outcome, *, row_ids: bool
    ) -> tuple[list[str], Tree]:
        """The columns of a completed table, and the statement that reads them.

        It also has the stored values of some columns, and row ids on request.
        """
        (scan,) = scans(plan)
        self._staging.scans = {scan.alias: scan}
        columns = [Column(scan.alias, name) for name in self.statistics[scan.alias].columns]
        shown = {column.name: self._shown(scan, column) for column in columns}
        shown |= {stored_name(name): bound(Column(scan.alias, name, stored=True)) for name in stored}
        shown |= {"rowid": bound(Column(scan.alias, ROW))} if row_ids else {}
        ready = self._ready(plan, frozenset(columns), outcome)
        return list(shown), self.generator.columns(ready, shown)

    def _shown(self, scan: Scan, column: Column) -> Tree:
        """A column of a completed table; a derived one is computed from its completed parts."""
        policies, names = self.statistics[scan.alias].policies, self.statistics[scan.alias].columns
        parts = derivation.derivations(policies, names).get(column.name)
        if parts is None:
            return bound(column)
        meant = {name.lower(): self._shown(scan, Column(scan.alias, name)) for name in parts}
        value = self.engine.cast(self.engine.derived(scan.table, column.name, meant), names[column.name].type)
        return t.coalesce(bound(column._replace(stored=True)), value)

    # -- from the bottom up -------------------------------------------------------------------------------------------

    def _ready(self, relation: Relation, wanted: Columns, outcome: Outcome) -> Relation:
        """The relation after all blocking Imputes in it; `wanted` are the columns that operators above read."""
        match relation:
            case Scan() | Staged():
                return self._measured(relation, relation, wanted)
            case Join(left, right):
                below = wanted | columns_read(relation)
                ready = replace(
                    relation, left=self._ready(left, below, outcome), right=self._ready(right, below, outcome)
                )
                return self._measured(relation, ready, wanted)
            case Filter(input_):
                ready_input = self._ready(input_, wanted | columns_read(relation), outcome)
                return self._measured(relation, replace(relation, input=ready_input), wanted)
            case Drop(input_, columns):
                conditions = [self._staging.meaning(column) for column in columns]
                read = columns.union(*(columns_in(condition) for condition in conditions if condition is not None))
                dropped = replace(relation, input=self._ready(input_, wanted | read, outcome))
                return self._measured(relation, dropped, wanted)
            case Impute(input_, columns, imputer):
                return self._imputed(relation, input_, columns, self.imputers[imputer], wanted, outcome)
            case Aggregate(input_) | Project(input_) | Sort(input_) | Limit(input_):
                return replace(relation, input=self._ready(input_, wanted | columns_read(relation), outcome))
            case _:
                assert_never(relation)

    def _imputed(
        self, node: Impute, below: Relation, columns: Columns, imputer: Imputer, wanted: Columns, outcome: Outcome
    ) -> Relation:
        if fills_in_sql(imputer) and not any(self._policy(column).restricts for column in columns):
            filled = replace(node, input=self._ready(below, wanted | columns, outcome))
            Counting(self._staging).filled(filled, self._first, outcome)
            if self.numbers is not None:
                warned(imputer, outcome)
            return self._measured(node, filled, wanted)
        if is_stored(imputer) and self._reads_beside(below, columns):
            filled = replace(node, input=self._ready(below, wanted | columns, outcome))
            self.names += self._beside.make_readable(imputer, self._staging.scans, sorted(columns), outcome)
            Counting(self._staging).filled(filled, self._first, outcome)
            return self._measured(node, filled, wanted)
        ready = self._ready(below, wanted | columns, outcome)
        began = perf_counter()
        batch = self._staging.batch(ready, wanted)
        predictors = self._predictors(aliases(below)) if imputer.uses_predictors else NO_COLUMNS
        imputation = Imputation(
            self.engine, self.statistics, imputer, self.seed, self.progress, outcome, self.deciding, self._drawn
        )
        targets, read = sorted(columns), sorted(columns | predictors)
        if is_stored(imputer):
            gaps, values = imputation.counted(batch, targets), dict[Column, Array]()
            if self.numbers is None:
                values = imputation.values_with_notes(self._beside.values(imputer, batch, targets, outcome), gaps)
            else:
                for drawn in self._beside.drawn(imputer, batch, targets, self.numbers, outcome):
                    batch = self._staging.bundled(batch, drawn)
            staged = self._staging.staged(node, batch, values, wanted)
        elif self.numbers is None:
            values = imputation.values(batch, targets, read)
            self._drawn |= imputation.new_draws(batch, values)
            staged = self._staging.staged(node, batch, values, wanted)
        else:
            drawing = ImputeDraws(imputation, self.numbers, self._drawn)
            for group in imputation.groups(batch, targets):
                drawn = drawing.drawn(batch, group, read)
                self._drawn |= drawn
                batch = self._staging.bundled(batch, drawn)
            staged = self._staging.staged(node, batch, {}, wanted)
        if self.watch:
            self.watch(node, staged, Measurement(batch.count, perf_counter() - began))
        return staged

    # -- kept values --------------------------------------------------------------------------------------------------

    def _reads_beside(self, below: Relation, columns: Columns) -> bool:
        """Whether cached values can be read beside their tables, in one flat statement with the operators below.

        This requires that these tables are still read unchanged; others may have been imputed at their scans.
        """
        bundled = self.numbers is not None and not self.engine.fills_by_expression
        if bundled or self.watch is not None or any(map(self._is_counted, columns)):
            return False
        mine, imputes = {column.relation for column in columns}, (n for n in bottom_up(below) if isinstance(n, Impute))
        return all(self._is_flat(node) or mine.isdisjoint(aliases(node)) for node in imputes)

    def _is_flat(self, node: Impute) -> bool:
        imputer = self.imputers[node.imputer]
        if is_stored(imputer):
            return not any(map(self._is_counted, node.columns))
        return fills_in_sql(imputer) and not any(self._policy(column).restricts for column in node.columns)

    def _is_counted(self, column: Column) -> bool:
        """Whether the imputed cells of a column must be counted one by one, so that its rows are needed as arrays."""
        policy = self._policy(column)
        return policy.leaves or policy.above is not None or self._staging.meaning(column) is not None

    def _policy(self, column: Column) -> Policy:
        return self.statistics[column.relation].policy(column.name)

    def _predictors(self, sources: frozenset[str]) -> Columns:
        """The available columns that can predict others."""
        return frozenset(Column(alias, name) for alias in sources for name in self.statistics[alias].regressors)

    def _measured(self, node: Relation, ready: Relation, wanted: Columns) -> Relation:
        """The relation itself; in a watched run, its output is stored."""
        if self.watch is None:
            return ready
        began = perf_counter()
        batch = self._staging.batch(ready, wanted)
        staged = self._staging.staged(node, batch, {}, wanted)
        self.watch(node, staged, Measurement(batch.count, perf_counter() - began))
        return staged
