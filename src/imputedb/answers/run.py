"""The execution of a statement's blocks, in the order of their dependencies."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from imputedb import duckdb_errors
from imputedb.algebra.column import Column
from imputedb.algebra.relation import Impute, Relation, Table
from imputedb.algebra.walk import bottom_up, scans
from imputedb.answers import remarks
from imputedb.answers.prepared import Prepared, chosen_plan, deciding_tables
from imputedb.answers.request import DRAWN, EXPECTED, QueryOptions
from imputedb.blocks.block import Block, CompletedBlock, PlannedBlock, UnplannedBlock
from imputedb.blocks.showing import not_imputable
from imputedb.engines.engine import Engine, Held
from imputedb.errors import CannotImpute, DataError, InternalError
from imputedb.execution.keys import key_notes
from imputedb.execution.outcome import Outcome
from imputedb.execution.plan import Execution, Watch
from imputedb.imputers.chained.chains import worst
from imputedb.imputers.mean import Mean
from imputedb.imputers.protocol import Progress
from imputedb.imputers.rows import Array
from imputedb.models.kept import PREFIX, SAMPLED
from imputedb.notes import Note, NoteKind
from imputedb.planning.candidate import Candidate
from imputedb.planning.dropped_rows import considered
from imputedb.sql.ast import Tree
from imputedb.sql.items import is_join
from imputedb.sql.select import is_ordered
from imputedb.sql.subqueries import nodes
from imputedb.statistics.measure import is_coded
from imputedb.statistics.table import Statistics

_EQUAL = (
    "Imputed values may be equal to others where the true ones are not: let the subquery aggregate, such as max(x), or "
    "end in LIMIT 1."
)

Take = Callable[[str], Held]
"""A function that runs a statement over the rows of another one, given as text, so that these are held nowhere."""


@dataclass(slots=True)
class Run:
    """One execution of a statement's blocks, with its record.

    Attributes:
        numbers: indices of the draws that are run together; None for single best values.
        again_only: whether nothing is reported, since another run reports it.
        drawn: plan of each block by name.
        drawn_tables: tables whose cached values are the first draw.
    """

    engine: Engine
    options: QueryOptions
    progress: Progress | None = None
    watch: Watch | None = None
    numbers: tuple[int, ...] | None = None
    drawn: list[tuple[str, Relation | str]] = field(default_factory=list)
    again_only: bool = False
    drawn_tables: frozenset[Table] = frozenset()
    _names: list[str] = field(default_factory=list)
    _made: dict[str, list[str]] = field(default_factory=lambda: {"VIEW": [], "TABLE": []})
    _plans: list[Candidate] = field(default_factory=list)
    _missing: dict[str, int] = field(default_factory=dict)
    _coded: set[str] = field(default_factory=set)
    _steps: dict[str, float] = field(default_factory=dict)
    _outcome: Outcome = field(default_factory=Outcome)
    _learnt: dict[Table, tuple[Statistics, set[str]]] = field(default_factory=dict)
    _joined: set[str] = field(default_factory=set)
    _values: dict[str, str] = field(default_factory=dict)

    def run_blocks(self, prepared: Prepared, take: Take | None = None) -> Held:
        """Runs the blocks; returns the rows of the last one, or what `take` makes of them."""
        self.drawn_tables = deciding_tables(prepared, self.options.values)
        *before, last = prepared.blocks
        self.stage(before)
        if isinstance(last, CompletedBlock):
            raise InternalError("a statement without an answer")
        text = self.engine.text(self._statement(last))
        if take is None:
            return answered(self.engine, text, imputed=True, last=True)
        with translated(imputed=True):
            return take(text)

    def stage(self, before: Sequence[Block]) -> None:
        """Runs the blocks that others read."""
        for block in before:
            if isinstance(block, CompletedBlock):
                execution, plan = self.execution(block), self.plan(block).relation
                names, statement = execution.complete(plan, block.stored, self._outcome, row_ids=block.row_ids)
                self._made["VIEW"].append(block.name)
                with translated():
                    self.engine.make("VIEW", block.name, names, self.engine.text(statement))
            else:
                text = self.engine.text(self._statement(block))
                self._made["TABLE"].append(block.name)
                with translated(imputed=True):
                    self.engine.make("TABLE", block.name, block.columns, _ordered(block, text))

    def _statement(self, block: PlannedBlock | UnplannedBlock) -> Tree:
        if isinstance(block, PlannedBlock):
            return self.execution(block).run(self.plan(block).relation, self._outcome)
        return self.unplanned_statement(block)

    def unplanned_statement(self, block: UnplannedBlock) -> Tree:
        """The statement of a block that is not planned."""
        self._joined |= {block.name} if joins(block.node) else set()
        self.drawn.append((block.name, unplanned_note(block)))
        return block.node

    def ready(self, block: PlannedBlock) -> tuple[Execution, Relation]:
        """A block after its imputing, in all draws."""
        execution = self.execution(block)
        return execution, execution.ready(self.plan(block).relation, self._outcome)

    def in_other_draws(self, numbers: tuple[int, ...]) -> "Run":
        """The same statement in other draws, which are not reported."""
        return Run(
            self.engine,
            self.options,
            self.progress,
            numbers=numbers,
            again_only=True,
            drawn_tables=self.drawn_tables,
            _names=self._names,
            _made=self._made,
        )

    def plan(self, block: PlannedBlock | CompletedBlock) -> Candidate:
        """The plan of a block, which is recorded."""
        plan = chosen_plan(self.engine, block, self.options)
        _check_imputable(plan.relation, block.problem.statistics)
        self._plans.append(plan)
        unread = block.unread if isinstance(block, CompletedBlock) else frozenset[str]()
        for node in bottom_up(plan.relation):
            if not isinstance(node, Impute):
                continue
            for column in node.columns:
                known = block.problem.statistics[column.relation].columns[column.name]
                self._missing[str(column)] = known.missing
                step = 1.0 if column.name in unread else known.step
                self._steps[str(column)] = max(step, self._steps.get(str(column), 1.0))
                self._note_imputer(block, node, column)
                if is_coded(block.problem.statistics[column.relation], column.name):
                    self._coded.add(str(column))
        self.drawn.append((block.name, plan.relation))
        self._count_dropped(block, plan)
        return plan

    def _note_imputer(self, block: PlannedBlock | CompletedBlock, node: Impute, column: Column) -> None:
        table = next(scan.table for scan in block.problem.query.sources if scan.alias == column.relation)
        is_read = not isinstance(block, CompletedBlock) or column.name not in block.unread
        if is_read and any(one.name == node.imputer and one.uses_predictors for one in self.options.imputers):
            self._learnt.setdefault(table, (block.problem.statistics[column.relation], set()))[1].add(column.name)
        if node.imputer.startswith((PREFIX, SAMPLED)):
            drawn = self.numbers is not None or table in self.drawn_tables
            self._values[table.name] = DRAWN if drawn else EXPECTED

    def _count_dropped(self, block: PlannedBlock | CompletedBlock, plan: Candidate) -> None:
        if self.again_only:
            return
        for one in considered(plan.relation, block.problem):
            self.execution(block).count_dropped(one.rows, one.columns, self._outcome)
            if isinstance(block, CompletedBlock):
                self._outcome.unconditioned.update(scan.table.name for scan in scans(one.rows))

    def execution(self, block: PlannedBlock | CompletedBlock) -> Execution:
        """The execution of a block's plan."""
        options, statistics = self.options, block.problem.statistics
        imputers = {imputer.name: imputer for imputer in options.imputers}
        decided = block.problem.query.deciding
        return Execution(
            self.engine,
            statistics,
            imputers,
            options.seed,
            self.progress,
            self.watch,
            self._names,
            self.numbers,
            decided,
            self.drawn_tables,
            options.draw,
        )

    @property
    def kept(self) -> int:
        """Number of sets of rows that are registered for this statement."""
        return len(self._names)

    def release(self, since: int) -> None:
        """Releases the rows that were registered after the first `since`."""
        self.engine.forget(self._names[since:])
        del self._names[since:]

    def keep(self, columns: Mapping[str, Array]) -> str:
        """Registers arrays for the duration of the run."""
        self._names.append(self.engine.register(columns))
        return self._names[-1]

    def make_table(self, text: str, width: int) -> str:
        """Makes a table of a query for the duration of the run; returns its name."""
        with translated():
            name = self.engine.gather(text, width)
        self._made["TABLE"].append(name)
        return name

    def release_all(self) -> None:
        """Releases everything that was made in the run."""
        for kind, names in self._made.items():
            self.engine.unmake(kind, names)
        self.engine.forget(self._names)

    def reported(self) -> dict[str, Any]:
        """The entries of a report about the run."""
        placements = sum(plan.placements for plan in self._plans)
        penalty = sum(plan.loss for plan in self._plans) / placements if placements else 0.0
        imputed = {str(column): cells for column, cells in sorted(self._outcome.imputed.items())}
        coded = self._coded & _some(imputed)
        modes = {str(column) for column, names in self._outcome.methods.items() if Mean.name in names} & coded
        avoided = {name: missing - imputed.get(name, 0) for name, missing in sorted(self._missing.items())}
        return {
            "avoided": {name: cells for name, cells in avoided.items() if cells > 0},
            "penalty": penalty,
            "estimated_ms": sum(plan.time for plan in self._plans),
            "imputed": imputed,
            "methods": {
                str(column): ", ".join(names)
                for column, names in sorted(self._outcome.methods.items())
                if imputed.get(str(column))
            },
            "models": dict(sorted(self._outcome.models.items())),
            "values": dict(sorted(self._values.items())),
            "dropped": self._outcome.dropped,
            "convergence": worst(self._outcome.chains),
            "warnings": (
                *remarks.doubts(penalty, self._outcome, self.options),
                *remarks.completed_below_join(self.drawn if self._joined else []),
                *self._keys(imputed),
                *map(remarks.mode, sorted(modes)),
                *(
                    remarks.inexact_integers(one, self._steps[one])
                    for one in sorted(_some(imputed))
                    if self._steps[one] > 1
                ),
            ),
            "notes": (
                *remarks.unplanned(self.drawn, self.options),
                *dict.fromkeys(self._outcome.notes),
                *map(remarks.codes, sorted(coded - modes)),
            ),
        }

    def _keys(self, imputed: Mapping[str, int]) -> Iterator[Note]:
        """Notes on imputed columns that are correlated with a key."""
        if any(imputed.values()):
            for table, (statistics, names) in self._learnt.items():
                yield from key_notes(self.engine, table, statistics, names)


def unplanned_note(block: UnplannedBlock) -> Note:
    """The note on a block that is not planned; its subject is the reason."""
    words = f"as it is written: {block.reason}" if block.reason else "as it is written, over the rows above"
    return Note(NoteKind.AS_WRITTEN, block.reason, words)


def _ordered(block: PlannedBlock | UnplannedBlock, text: str) -> str:
    """The rows of a block in a fixed order unless it has its own, so that they do not depend on threads."""
    node = block.node if isinstance(block, UnplannedBlock) else None
    ordered = block.problem.query.order if isinstance(block, PlannedBlock) else node and is_ordered(node)
    return text if ordered else f"SELECT * FROM ({text}) ORDER BY ALL"


def joins(node: Tree) -> bool:
    """Whether a SELECT, or one inside it, has a join."""
    return any(map(is_join, nodes(node)))


def _some(imputed: Mapping[str, int]) -> set[str]:
    return {name for name, cells in imputed.items() if cells}


def answered(engine: Engine, text: str, *, imputed: bool = False, last: bool = False) -> Held:
    """Runs the last statement, over imputed values if needed; returns its rows."""
    with translated(imputed=imputed):
        return engine.held(text, last=last)


@contextmanager
def translated(*, imputed: bool = False) -> Iterator[None]:
    """A context in which DuckDB's errors in generated SQL are raised as imputedb's, without a place."""
    try:
        yield
    except duckdb_errors.OutOfMemory as error:
        raise DataError(f"out of memory: {str(error).splitlines()[0]}") from error
    except duckdb_errors.Refused as error:
        reason = duckdb_errors.translated(error)
        message = str(reason).splitlines()[0]
        if imputed and message.startswith("More than one row returned by a subquery"):
            message += f" {_EQUAL}"
        raise type(reason)(message) from error


def _check_imputable(relation: Relation, statistics: Mapping[str, Statistics]) -> None:
    for node in bottom_up(relation):
        if isinstance(node, Impute):
            for column in sorted(node.columns):
                known = statistics[column.relation].columns[column.name]
                if known.centre is None:
                    reason = not_imputable(statistics[column.relation], column.name)
                    raise CannotImpute(
                        f"{column} has missing values and {reason}: leave it out, or drop those rows with "
                        f"imputer 'drop'"
                    )
