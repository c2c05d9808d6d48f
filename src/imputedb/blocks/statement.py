"""The division of a statement into blocks, in the order in which they run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from imputedb.algebra.relation import Table
from imputedb.blocks import in_place
from imputedb.blocks.block import ANSWER, Block
from imputedb.blocks.completed import Scans
from imputedb.blocks.emptied import counted
from imputedb.blocks.files import Files, check_macros, check_missingness_macros, is_file
from imputedb.blocks.nested import Nested
from imputedb.blocks.query import BlockBuilder
from imputedb.blocks.reads import Reads
from imputedb.blocks.shared import shared
from imputedb.blocks.showing import as_stored, unanswered
from imputedb.engines.engine import Engine
from imputedb.imputers.protocol import Imputer
from imputedb.notes import Note
from imputedb.sql.ast import Tree
from imputedb.sql.examined import examined
from imputedb.sql.pruning import prune
from imputedb.sql.resolve import Resolver
from imputedb.sql.scope import Source
from imputedb.sql.subqueries import nodes
from imputedb.sql.unwrapping import unwrapped
from imputedb.sql.uses import Facts
from imputedb.statistics.measure import measured
from imputedb.statistics.table import Kind

FEW_LEVELS = 20
"""Integers with so few different values are no expected values: predictions are rounded to one of them."""


class Blocks(NamedTuple):
    """A statement in blocks.

    Attributes:
        blocks: blocks in the order in which they run, the answer's last; empty if DuckDB may run the statement
            unchanged.
        copies: temporary tables with rows of files, to be dropped after the answer.
        warnings: warnings for the reader.
        itself: the statement over the copies of files; None where the files must be read again.
        in_place: whether DuckDB reads the files in place.
        policies: policies of the tables that it reads, as text, by table and column.
    """

    blocks: list[Block]
    copies: list[Table]
    warnings: list[Note]
    policies: dict[str, str]
    itself: Tree | None
    in_place: bool = False


def blocks(
    engine: Engine,
    node: Tree,
    columns: Sequence[str],
    imputers: Sequence[Imputer],
    *,
    base: bool = False,
    always: bool = False,
) -> Blocks:
    """The blocks of a statement.

    Args:
        node: DuckDB's syntax tree of a statement that binds.
        columns: names of the statement's columns.
        imputers: imputers to choose from.
        base: whether every table is completed, in all its columns, before the statement runs.
        always: whether blocks are planned even if nothing is missing.
    """
    check_macros(engine, node)
    whole, resolver, files = _resolved(engine, node, in_place=True)
    sources = resolver.sources
    items = [part for part in nodes(whole) if is_file(engine, part)]
    if items:
        reads = Reads(engine, sources, examined(whole, sources, _facts(engine, sources)))
        if not always and in_place.complete(engine, reads, whole, items):
            return Blocks([], [], [], _policies(engine, sources), None, in_place=True)
        whole, resolver, files = _resolved(engine, node, in_place=False)
        sources = resolver.sources
    itself = None if any(map(engine.virtual.get, files.copies)) else files.statement
    always |= bool(imputers) and counted(engine, whole, sources)  # the original text would count otherwise
    warnings = as_stored(engine, whole, sources) if imputers else []
    policies = _policies(engine, sources)
    reads = Reads(engine, sources)
    if not reads.dirty(whole) and not always:
        return Blocks([], files.copies, warnings, policies, itself)
    if always:
        whole = unwrapped(whole, sources, engine.all_functions())
    reads.examined = examined(whole, sources, _facts(engine, sources))
    prune(whole, reads.examined, engine.all_functions())
    if not reads.dirty(whole) and not always:
        return Blocks([], files.copies, warnings, policies, itself)
    warnings += _about_derived(engine, reads, whole)
    warnings += unanswered(engine, resolver.passing.unseen) if imputers else []
    check_missingness_macros(engine, reads, whole)
    scans = Scans(engine, reads, imputers, base=base)
    both = shared(engine, whole, sources, resolver.passing)
    making = BlockBuilder(engine, reads, scans, imputers, both, base=base, always=always)
    nested = Nested(engine, reads, making)
    last = making.block(ANSWER, whole if base else nested.settled(whole, []), columns)
    return Blocks([*scans.blocks(), *nested.found, last], files.copies, warnings, policies, itself)


def _about_derived(engine: Engine, reads: Reads, whole: Tree) -> list[Note]:
    """Notes on derived columns that a statement reads, and on the columns that these are derived from."""
    names: dict[Table, set[str]] = {}
    for number, read in reads.of(whole).items():
        table = reads.sources[number].table
        if table is not None:
            names.setdefault(table, set()).update(read.completed | read.stored)
    return [sentence for table, read in names.items() for sentence in engine.about_derived(table, read)]


def _resolved(engine: Engine, node: Tree, *, in_place: bool) -> tuple[Tree, Resolver, Files]:
    """A resolved statement, its resolver, and the files that it reads."""
    files, known = Files(engine, node, in_place=in_place), engine.names()
    resolver = Resolver(replace(known, meant=lambda path, within: files.resolved(path, within, known.meant)))
    whole = resolver.statement(files.statement).node
    return whole, resolver, files


def _policies(engine: Engine, sources: Mapping[int, Source]) -> dict[str, str]:
    tables = {source.table for source in sources.values() if source.table is not None}
    return {
        f"{table.name}.{column}": str(policy)
        for table in sorted(tables, key=lambda table: table.path)
        for column, policy in sorted(engine.shape(table).policies.items())
    }


def _facts(engine: Engine, sources: Mapping[int, Source]) -> Facts:
    """Facts on the tables and functions of a statement."""

    def misses(number: int, name: str) -> bool:
        table = sources[number].table
        return table is not None and name in engine.statistics(table).dirty

    def expected(number: int, name: str) -> bool:
        table = sources[number].table
        assert table is not None
        known = engine.statistics(table)
        column = known.columns.get(name)
        if column is not None and measured(column, known.policy(name)).kind is Kind.CATEGORY:
            return False
        if column is None or column.kind is Kind.INTEGER:
            return column is not None and column.distinct > FEW_LEVELS
        return column.kind in (Kind.NUMBER, Kind.DATE, Kind.TIMESTAMP, Kind.DURATION)

    return Facts(engine.functions.aggregates, frozenset(engine.macros()), engine.multiplying(), misses, expected)
