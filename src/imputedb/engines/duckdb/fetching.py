"""Results of statements: rows, rows held in memory, and arrays; and the files of a database."""

import os
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
    """The rows of a statement, held in memory, and the names and types of their columns."""
    relation = connection.sql(text, params=values or None)
    names, types = relation.columns, [str(kind) for kind in relation.types]
    return _kept(relation), names, types


def _kept(relation: duckdb.DuckDBPyRelation) -> Held:
    relation = relation.materialize()
    names = ", ".join(f"c{place}" for place in range(len(relation.columns)))
    return Held(relation, f"({relation.sql_query()}) AS held({names})")


def arrays(ran: duckdb.DuckDBPyConnection) -> Mapping[str, Array]:
    """The columns of an executed statement, as plain or masked arrays, in order."""
    return ran.fetchnumpy()


def files_of(connection: duckdb.DuckDBPyConnection, path: str) -> tuple[str, ...] | None:
    """The files of a database and of those attached to it; None for one in memory that others may open by name."""
    if path.startswith(":memory:") and path != ":memory:":
        return None
    try:
        rows = connection.execute("SELECT path FROM duckdb_databases() WHERE path IS NOT NULL").fetchall()
    except duckdb.Error:
        return None
    return tuple(os.path.abspath(str(one)) for (one,) in rows)
