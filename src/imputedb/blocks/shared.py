"""Tables of which a query reads one cell in several items of FROM, or in one and in a subquery."""

from collections import Counter
from collections.abc import Mapping

from imputedb.algebra.relation import Table
from imputedb.engines.engine import Engine
from imputedb.sql.ast import Tree, expressions
from imputedb.sql.expression import is_subquery, merged_in, origin_of
from imputedb.sql.items import numbers_in
from imputedb.sql.passing import Passing
from imputedb.sql.scope import Source
from imputedb.sql.select import clauses_of, from_of, is_select
from imputedb.sql.subqueries import nodes


def shared(engine: Engine, whole: Tree, sources: Mapping[int, Source], passing: Passing) -> dict[Table, set[str]]:
    """The incomplete columns, by table, that several items of FROM and subqueries of one query show.

    An item shows columns of its own or of a nested query, a subquery its outputs. They are filled in together, so that
    a cell has one value in the query.
    """
    read = _read(whole)
    found: dict[Table, set[str]] = {}
    for query in filter(is_select, nodes(whole)):
        items = {_identity(sources[number]): number for number in numbers_in(from_of(query))}
        shown = [
            frozenset(one for name in read.get(number, ()) for one in passing.behind(sources[number], name))
            for number in items.values()
        ]
        shown += [passing.behind_expression(one) for one in expressions(clauses_of(query)) if is_subquery(one)]
        counts = Counter(column for columns in shown for column in columns)
        for table, name in [column for column, count in counts.items() if count > 1]:
            if engine.dirty(table, {name}):
                found.setdefault(table, set()).add(name)
    return found


def _identity(source: Source) -> int:
    """What tells items of FROM apart: two that read the same query of WITH read the same rows."""
    return id(source.definition.node) if source.definition is not None else -source.number


def _read(whole: Tree) -> dict[int, set[str]]:
    """The columns whose completed values are read, by the number of their source."""
    found: dict[int, set[str]] = {}
    for node in nodes(whole):
        origin = origin_of(node)
        if origin is not None and not origin.stored:
            found.setdefault(origin.number, set()).add(origin.name)
        for number, name in merged_in(node):
            found.setdefault(number, set()).add(name)
    return found
