"""Queries with sampling weights."""

from imputedb import duckdb_errors
from imputedb.engines.engine import Engine
from imputedb.errors import DataError, Error, QueryError
from imputedb.sql import ast as t
from imputedb.sql import parse
from imputedb.sql.ast import Tree
from imputedb.sql.select import entries_of, from_of, is_select, outputs_of, where_of, with_entries
from imputedb.sql.weights import weighted

LARGEST = 1e100
"""Weights above it, and their squares times values, overflow in sums."""


def by_weights(engine: Engine, node: Tree, weights: str) -> Tree:
    """A query with weighted aggregates, whose columns keep their names.

    Raises:
        QueryError: the weight is not an expression, or the query has no aggregate, or one that cannot be weighted.
        DataError: a weight is infinite, negative, or so large that sums overflow.
    """
    weight = [parse.expression(engine.tree, weights)]
    if len(weight) != 1 or not is_select(node):
        raise QueryError("weights must be one column or expression, for the aggregates of one SELECT")
    titles = engine.titles(outputs_of(node))
    found = weighted(node, weight[0], engine.functions.aggregates, titles)
    rows = _impossible(engine, node, weight[0])
    if rows:
        raise DataError(
            f"the weight {weights} is infinite or negative in {rows} rows: a weight "
            f"is the number of rows that a row stands for"
        )
    if large := _counted(engine, node, _compared_as_number(weight[0])):
        raise DataError(
            f"the weight {weights} is above {LARGEST:g} in {large} rows, and sums by it overflow: divide it by a number"
        )
    return found


def _impossible(engine: Engine, node: Tree, weight: Tree) -> int:
    """The number of rows with an invalid weight; 0 where the rows cannot be queried separately."""
    endless = t.call("isinf", t.try_cast(weight, t.plain_type("DOUBLE")))
    return _counted(engine, node, t.any_of([endless, t.compared("COMPARE_LESSTHAN", weight, t.number(0))]))


def _compared_as_number(weight: Tree) -> Tree:
    """Whether a weight is too large."""
    return t.compared("COMPARE_GREATERTHAN", t.try_cast(weight, t.plain_type("DOUBLE")), t.literal(LARGEST))


def _counted(engine: Engine, node: Tree, wrong: Tree | None) -> int:
    """The number of rows that meet a condition; 0 where the rows cannot be queried separately."""
    where = where_of(node)
    conditions = [*([t.not_refused(where)] if where else []), *([wrong] if wrong else [])]
    counted = t.select([t.call("count_star")], from_of(node), t.all_of(conditions))
    try:
        return int(engine.rows(with_entries(counted, entries_of(node)))[0][0])
    except (duckdb_errors.Refused, Error):
        return 0
