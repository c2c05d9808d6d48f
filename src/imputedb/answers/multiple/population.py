"""The sampled rows of a statement: the size of its largest stored table, and the tables of inner blocks."""

from collections.abc import Sequence

from imputedb.blocks.block import Block, CompletedBlock, UnplannedBlock
from imputedb.engines.engine import Engine
from imputedb.sql import ast as t
from imputedb.sql.expression import path_of
from imputedb.sql.items import is_table
from imputedb.sql.subqueries import nodes


def units(engine: Engine, blocks: Sequence[Block]) -> int:
    """The number of rows of the largest stored table that a block reads; rows of inner blocks are not sampled rows."""
    inner, counts = {block.name for block in blocks}, [1]
    for block in blocks:
        if isinstance(block, UnplannedBlock):
            paths = {tuple(path_of(node)) for node in nodes(block.node) if is_table(node)}
            counts += [_rows(engine, path) for path in sorted(paths) if len(path) == 3 and path[-1] not in inner]
        else:
            found, scans = block.problem.statistics, block.problem.query.sources
            counts += [int(found[scan.alias].rows) for scan in scans if scan.table.name not in inner]
    return max(counts)


def _rows(engine: Engine, path: Sequence[str]) -> int:
    ((count,),) = engine.fetched(engine.text(t.select([t.call("count_star")], t.table(path, ""))))
    return int(count)


def staged(blocks: Sequence[Block]) -> set[str]:
    """The names of the tables with the rows of inner blocks."""
    return {block.name for block in blocks if not isinstance(block, CompletedBlock)}
