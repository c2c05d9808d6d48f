"""What statements give: rows, rows that are held in memory, arrays."""

from collections.abc import Mapping
from typing import Any

import duckdb

from imputedb.engines.engine import Array, Held, Values


def fetched(connection: duckdb.DuckDBPyConnection, text: str, values: Values) -> list[tuple[Any, ...]]:
    """The rows of a statement."""
    return connection.execute(text, values or None).fetchall()


def held(connection: duckdb.DuckDBPyConnection, text: str) -> Held:
    """The rows of a statement, held in memory."""
    return _kept(connection.sql(text))


def answered(connection: duckdb.DuckDBPyConnection, text: str, values: Values) -> tuple[Held, list[str], list[str]]:
    """The same, and the names and types of their columns."""
    relation = connection.sql(text, params=values or None)
    names, types = relation.columns, [str(kind) for kind in relation.types]
    return _kept(relation), names, types


def _kept(relation: duckdb.DuckDBPyRelation) -> Held:
    relation = relation.materialize()
    names = ", ".join(f"c{place}" for place in range(len(relation.columns)))
    return Held(relation, f"({relation.sql_query()}) AS held({names})")


def arrays(ran: duckdb.DuckDBPyConnection) -> Mapping[str, Array]:
    """The columns of a statement that has run, as plain or masked arrays, in order."""
    return ran.fetchnumpy()
