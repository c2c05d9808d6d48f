"""A statement to its blocks, in the order in which they run."""

from collections.abc import Sequence

from imputedb.algebra.relation import Table
from imputedb.blocks.block import ANSWER, Block
from imputedb.blocks.files import Files, check_macros
from imputedb.blocks.making import Making
from imputedb.blocks.nested import Nested
from imputedb.blocks.reads import Reads
from imputedb.blocks.scans import Scans
from imputedb.engines.catalog import catalog
from imputedb.engines.duckdb import DuckDB
from imputedb.imputers.imputer import Imputer
from imputedb.sql.names import Resolver
from imputedb.sql.tree import Tree


def blocks(
    engine: DuckDB,
    node: Tree,
    columns: Sequence[str],
    imputers: Sequence[Imputer],
    *,
    base: bool = False,
    always: bool = False,
) -> tuple[list[Block], list[Table]]:
    """The blocks of a statement in the order in which they run, the one that answers last; none if DuckDB may run the
    statement as it stands. And temporary tables that were made of files, to be dropped when it has been answered.

    Args:
        node: DuckDB's tree of a statement that it has already accepted.
        columns: the names of the statement's columns.
        imputers: to choose from.
        base: whether every table is completed, in all its columns, before the statement runs.
        always: whether a block is planned even where nothing is missing.
    """
    check_macros(engine, node)
    files = Files(engine)
    resolver = Resolver(catalog(engine))
    whole = resolver.statement(files.copied(node)).node
    reads = Reads(engine, resolver.sources)
    if not reads.dirty(whole) and not always:
        return [], files.copies
    scans = Scans(engine, reads, imputers, base=base)
    making = Making(engine, reads, scans, imputers, base=base, always=always)
    nested = Nested(engine, reads, making)
    last = making.block(ANSWER, whole if base else nested.settled(whole, []), columns)
    return [*scans.blocks(), *nested.found, last], files.copies
