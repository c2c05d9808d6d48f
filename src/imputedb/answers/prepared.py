"""A prepared query: its blocks, and the plans chosen for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from imputedb.algebra.column import Column, Columns
from imputedb.algebra.relation import Scan, Table
from imputedb.answers.request import BASE, COMPLETED, DRAWN, MIXED, PLANNED, QueryOptions
from imputedb.blocks.block import Block, CompletedBlock, PlannedBlock, UnplannedBlock
from imputedb.engines.engine import Engine
from imputedb.notes import Note
from imputedb.planning import invariant, room
from imputedb.planning.candidate import Candidate
from imputedb.planning.frontier import Frontier
from imputedb.statistics.table import Statistics


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared query.

    Attributes:
        text: text of the query.
        columns: names of its output columns.
        types: DuckDB types of its output columns.
        blocks: its blocks; empty where DuckDB may run it unchanged.
        warnings: warnings for the reader.
        policies: policies of the tables that it reads, as text, by table and column.
    """

    text: str
    columns: list[str]
    types: list[str]
    blocks: Sequence[Block] = ()
    warnings: tuple[Note, ...] = ()
    policies: Mapping[str, str] = field(default_factory=dict)

    @property
    def frontier(self) -> Frontier | None:
        """The plans of the outermost block; if it is run as written, those of a table that it reads."""
        return next((block.frontier for block in reversed(self.blocks) if not isinstance(block, UnplannedBlock)), None)

    @property
    def is_base(self) -> bool:
        """Whether whole tables are completed and nothing else is."""
        return not any(isinstance(block, PlannedBlock) for block in self.blocks)


def chosen_plan(engine: Engine, block: PlannedBlock | CompletedBlock, options: QueryOptions) -> Candidate:
    """The plan that alpha chooses, after a check of its invariant."""
    room.check(block.problem, block.frontier, options.alpha)
    plan = block.chosen(engine, options.alpha)
    statistics = block.problem.statistics
    invariant.check(plan.relation, lambda scan: _dirty_of(scan, statistics))
    return plan


def deciding_tables(prepared: Prepared, values: str | None = None) -> frozenset[Table]:
    """The tables with an incomplete column that decides which rows of a statement count.

    With `values` drawn these are all its tables, with expected values none.
    """
    found: set[Table] = set()
    for block in prepared.blocks:
        if not isinstance(block, UnplannedBlock) and values is not None:
            found |= {scan.table for scan in block.problem.query.sources if values == DRAWN}
        elif not isinstance(block, UnplannedBlock):
            tables = {scan.alias: scan.table for scan in block.problem.query.sources}
            statistics = block.problem.statistics
            decide = block.problem.query.deciding
            found |= {tables[c.relation] for c in decide if c.name in statistics[c.relation].dirty}
    return frozenset(found)


def _dirty_of(scan: Scan, statistics: Mapping[str, Statistics]) -> Columns:
    return frozenset(Column(scan.alias, name) for name in statistics[scan.alias].dirty)


def strategy(prepared: Prepared, options: QueryOptions) -> str:
    """The name of the strategy by which a statement was answered."""
    if options.strategy == BASE:
        return BASE
    completed = any(isinstance(block, CompletedBlock) for block in prepared.blocks)
    if not completed:
        return PLANNED
    return COMPLETED if prepared.is_base else MIXED
