"""What is to be known of DuckDB's functions."""

import duckdb

from imputedb.sql.bind import Functions
from imputedb.sql.missingness import COUNT_OBSERVED


def functions(connection: duckdb.DuckDBPyConnection) -> Functions:
    """The names of aggregates, of functions that are not the same each time, and of all that are DuckDB's own."""
    aggregates = _names(connection, "function_type = 'aggregate'") | {COUNT_OBSERVED}
    return Functions(aggregates, _names(connection, "stability = 'VOLATILE'"), _names(connection, "internal"))


def _names(connection: duckdb.DuckDBPyConnection, which: str) -> frozenset[str]:
    text = f"SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE {which}"
    return frozenset(name for (name,) in connection.execute(text).fetchall())
