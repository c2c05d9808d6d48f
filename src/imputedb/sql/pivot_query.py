"""A PIVOT with listed values rewritten as an aggregation with FILTER.

DuckDB does the same: `PIVOT t ON k IN ('a') USING sum(x) GROUP BY g` means
`SELECT g, sum(x) FILTER (WHERE k::VARCHAR = 'a') AS a FROM t GROUP BY g`. It compares texts, whatever the type of the
key: of the numbers 0.8 and 1.0 neither is in the column of `IN (1)`, and the second one is in that of `IN ('1.0')`.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import prod

from imputedb.sql import ast as t
from imputedb.sql.ast import Tree, expressions, is_reference
from imputedb.sql.expression import arguments_of, filter_of, function_of, is_call, is_text, names_of, text_of

WIDEST = 24
"""Aggregates of one PIVOT: each reads all rows, and wider ones take longer than the table that DuckDB makes of them."""


def as_query(
    item: Tree,
    columns: Sequence[str],
    aggregates: frozenset[str],
    described: Callable[[Tree], Sequence[str] | None],
) -> Tree | None:
    """A PIVOT as a derived table; None where that is impossible.

    Args:
        item: the PIVOT.
        columns: names of the columns of its input.
        aggregates: names of aggregate functions.
        described: gives the column names of an item of FROM; None where it cannot stand alone.
    """
    calls, pivots = item["aggregates"], item["pivots"]
    if item["unpivot_names"] or not _are_plain([calls, pivots]):
        return None
    if not all(map(is_call, calls)) or any(_reads_rows(call, aggregates) for call in calls):
        return None
    if len({name.lower() for name in columns}) < len(columns):
        return None
    listed = [[_condition(pivot["pivot_expressions"], entry) for entry in pivot["entries"]] for pivot in pivots]
    if any(condition is None for conditions in listed for condition in conditions):
        return None
    if prod(map(len, listed)) * len(calls) > WIDEST:
        return None
    read = {names_of(node)[0].lower() for node in expressions([calls, pivots]) if is_reference(node)}
    groups = [str(name) for name in item["groups"]] or [name for name in columns if name.lower() not in read]
    shown = [call for chosen in product(*listed) for call in _filtered(calls, chosen, aggregates)]
    empty = t.subquery(t.select([t.named(t.literal(None), name) for name in columns], None), "")
    names = described(item) or described({**item, "source": empty})
    if names is None or len(names) != len(groups) + len(shown):
        return None
    keys = [t.reference(name) for name in groups]
    outputs = [t.named(tree, name) for tree, name in zip([*keys, *shown], names, strict=True)]
    whole = t.subquery(t.select(outputs, item["source"], groups=keys), item["alias"])
    return {**whole, "sample": item["sample"], "column_name_alias": item["column_name_alias"]}


def _are_plain(trees: Sequence[object]) -> bool:
    """Whether expressions use bare column names only, and are computed row by row."""
    for node in expressions(trees):
        if node["class"] in ("LAMBDA", "STAR", "SUBQUERY", "WINDOW") or len(names_of(node)) > 1:
            return False
    return True


def _reads_rows(tree: Tree, aggregates: frozenset[str]) -> bool:
    """Whether an expression reads a column outside aggregates."""
    if function_of(tree) in aggregates:
        return False
    return is_reference(tree) or any(_reads_rows(one, aggregates) for one in t.parts(tree))


def _filtered(calls: Sequence[Tree], conditions: Sequence[Tree | None], aggregates: frozenset[str]) -> Iterator[Tree]:
    """The expressions with conditions as FILTER of the aggregates in them."""
    given = [one for one in conditions if one is not None]

    def filtered(node: Tree) -> Tree | None:
        if function_of(node) not in aggregates:
            return None
        own = filter_of(node)
        return {**node, "filter": t.all_of([*([own] if own else []), *given])}

    for call in calls:
        yield t.rewrite(call, filtered)


def _condition(keys: Sequence[Tree], entry: Tree) -> Tree | None:
    """The condition that a row has an entry's values; None where these are not constants of a known type."""
    value = entry["star_expr"]
    if not value:
        return None
    values = arguments_of(value) if function_of(value) == "row" else [value]
    if len(values) != len(keys) or not all(map(_is_plain_value, values)):
        return None
    found = [
        t.compared("COMPARE_EQUAL", t.cast(key, t.plain_type("VARCHAR")), t.literal(text_of(one)))
        for key, one in zip(keys, values, strict=True)
    ]
    return t.all_of(found)


def _is_plain_value(value: Tree) -> bool:
    """Whether a value is a text, or a whole number that is written as it is shown."""
    text = text_of(value)
    return is_text(value) or (text.isdigit() and text == str(int(text)))
