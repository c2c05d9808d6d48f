"""Properties of DuckDB's own functions, which are the same in every database and are read once per process."""

from collections.abc import Mapping
from functools import cache

import duckdb

from imputedb.engines.duckdb.opening import Opening, connection_of
from imputedb.errors import QueryError
from imputedb.sql import parse
from imputedb.sql.ast import Tree
from imputedb.sql.bind import Functions
from imputedb.sql.missingness import COUNT_OBSERVED

_FUNCTIONS = """
    SELECT lower(function_name), bool_or(function_type = 'aggregate'), bool_or(stability = 'VOLATILE'),
        bool_or(internal)
    FROM duckdb_functions() GROUP BY ALL
"""


@cache
def functions() -> Functions:
    """The names of aggregates, of volatile functions, and of all functions built into DuckDB."""
    with connection_of(Opening(":memory:")) as connection:
        rows = connection.execute(_FUNCTIONS).fetchall()
    aggregates, volatile, built_in = (frozenset(row[0] for row in rows if row[place]) for place in (1, 2, 3))
    return Functions(aggregates | {COUNT_OBSERVED}, volatile, built_in)


@cache
def built_in_macros() -> Mapping[str, Tree]:
    """The bodies of DuckDB's own macros, by their texts; they are parsed under default settings, as they were made."""
    text = "SELECT DISTINCT macro_definition FROM duckdb_functions() WHERE internal AND macro_definition IS NOT NULL"
    with connection_of(Opening(":memory:")) as connection:
        return {found: standing_for(connection, found) for (found,) in connection.execute(text).fetchall()}


def standing_for(connection: duckdb.DuckDBPyConnection, text: str) -> Tree:
    """The query in the text of a macro, or a SELECT of the expression in it."""
    try:
        return parse.stored(connection, text)
    except QueryError:
        return parse.stored(connection, f"SELECT {text}")
