"""A query as a block: planned, or to be run as written, with the reason."""

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from imputedb.algebra.relation import Table
from imputedb.blocks.block import ANSWER, PlannedBlock, UnplannedBlock
from imputedb.blocks.completed import Scans
from imputedb.blocks.reads import Reads
from imputedb.engines.engine import Engine
from imputedb.errors import Unplanned
from imputedb.imputers.protocol import Imputer
from imputedb.planning import room, search
from imputedb.planning.problem import Problem
from imputedb.sql.ast import Tree
from imputedb.sql.bind import bind
from imputedb.sql.select import is_select


class BlockBuilder:
    """The factory of blocks for the queries of one statement."""

    def __init__(
        self,
        engine: Engine,
        reads: Reads,
        scans: Scans,
        imputers: Sequence[Imputer],
        shared: Mapping[Table, AbstractSet[str]],
        *,
        base: bool,
        always: bool,
    ) -> None:
        self._engine = engine
        self._reads = reads
        self._scans = scans
        self._imputers = imputers
        self._shared = shared
        self._base = base
        self._always = always

    def block(self, name: str, node: Tree, columns: Sequence[str]) -> PlannedBlock | UnplannedBlock:
        """The block of a query, planned if possible; its rows are stored under a name."""
        reason = "every table is completed first"
        if not self._base:
            is_wanted = self._always and name == ANSWER and is_select(node)
            if not self._reads.dirty(node) and not is_wanted:
                return UnplannedBlock(name, columns, node, "")
            try:
                return self._planned(name, node, columns)
            except Unplanned as error:
                reason = str(error)
        return UnplannedBlock(name, columns, self._scans.lowered(node), reason)

    def _planned(self, name: str, node: Tree, columns: Sequence[str]) -> PlannedBlock:
        if not is_select(node):
            raise Unplanned("a set operation whose parts do not stand on their own")
        inside, known = self._scans.conditions_in(node), self._engine.all_functions()
        query = bind(inside, columns, self._reads.sources, self._engine.written, known, self._reads.deciding)
        statistics = {scan.alias: self._engine.statistics(scan.table) for scan in query.sources}
        problem = Problem(query, statistics, self._imputers, self._engine.room)
        twice = self._read_twice(problem)
        if twice and self._imputers:
            raise Unplanned(f"{twice} of one table are read under two names, and each cell has one value")
        frontier = search.plan(problem)
        room.check(problem, frontier, 1.0)
        return PlannedBlock(name, columns, problem, frontier)

    def _read_twice(self, problem: Problem) -> str:
        """The incomplete columns, in words, that are examined in more than one scan, or shown by more than one item."""
        tables = {scan.alias: scan.table for scan in problem.query.sources}
        read = [(tables[column.relation], column.name) for column in problem.columns]
        counts = Counter(read)
        return ", ".join(sorted({name for table, name in read if counts[table, name] > 1 or table in self._shared}))
