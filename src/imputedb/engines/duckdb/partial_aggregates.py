"""Aggregates whose states over parts of the rows can be combined."""

from collections.abc import Iterator, Sequence

from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import arguments_of, called_with, has_order, is_distinct

_ROWS = "given"


def needs_all(call: Tree) -> bool:
    """Whether an aggregate must see all rows at once: DISTINCT and ORDER BY do not hold across parts."""
    return is_distinct(call) or has_order(call)


def operands(calls: Sequence[Tree]) -> Iterator[Tree]:
    """The expressions that aggregates evaluate for each row."""
    for call in calls:
        yield from filter(_reads, arguments_of(call))


def probe(calls: Sequence[Tree], types: Sequence[Tree]) -> Tree:
    """A SELECT that exports and combines states of aggregates, over one row of NULLs.

    Args:
        calls: the trees of the aggregates.
        types: the types of their operands.
    """
    names = iter([t.reference(_ROWS, f"a{place}") for place in range(len(types))])
    given = [t.named(t.cast(t.literal(None), kind), f"a{place}") for place, kind in enumerate(types)]
    rows = t.subquery(t.select(given or [t.number(0)], None), _ROWS)
    states = [{**_over(call, names), "export_state": True, "alias": f"s{place}"} for place, call in enumerate(calls)]
    parts = t.subquery(t.select(states, rows), _ROWS)
    ends = [t.call("combine_aggr", t.reference(_ROWS, f"s{place}")) for place in range(len(calls))]
    return t.select([t.call("finalize", end) for end in ends], parts)


def _over(call: Tree, names: Iterator[Tree]) -> Tree:
    given = [next(names) if _reads(one) else one for one in arguments_of(call)]
    return called_with(call, given, filter=None)


def _reads(tree: Tree) -> bool:
    return any(map(t.is_reference, t.expressions(tree)))
