"""Counts of columns that cannot be imputed, whose values do not matter."""

from collections.abc import Mapping

from imputedb.algebra.relation import Table
from imputedb.blocks.showing import not_imputable
from imputedb.engines.engine import Engine
from imputedb.sql.ast import Tree
from imputedb.sql.expression import (
    arguments_of,
    count_rows,
    function_of,
    is_call,
    is_distinct,
    origin_of,
)
from imputedb.sql.functions import COUNTS
from imputedb.sql.items import is_outer_join
from imputedb.sql.scope import Source
from imputedb.sql.subqueries import nodes


def counted(engine: Engine, whole: Tree, sources: Mapping[int, Source]) -> bool:
    """Turns counts of columns that cannot be imputed into counts of rows; returns whether there were any.

    Columns that an outer join may pad with NULLs are excluded.
    """
    if any(map(is_outer_join, nodes(whole))):
        return False
    found = [
        node
        for node in nodes(whole)
        if is_call(node)
        and function_of(node) in COUNTS
        and len(arguments_of(node)) == 1
        and not is_distinct(node)
        and _is_unknown(engine, arguments_of(node)[0], sources)
    ]
    for node in found:
        count_rows(node)
    return bool(found)


def _is_unknown(engine: Engine, tree: Tree, sources: Mapping[int, Source]) -> bool:
    """Whether a reference is to an incomplete column that cannot be imputed."""
    origin = origin_of(tree)
    table: Table | None = sources[origin.number].table if origin and not origin.stored else None
    if origin is None or table is None or origin.name not in engine.dirty(table, {origin.name}):
        return False
    statistics = engine.statistics(table)
    return not statistics.policy(origin.name).decides and not_imputable(statistics, origin.name) is not None
