"""Databases of DuckDB's own to hold answers against: empty ones of one instance, which takes 40 ms to make."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count

import duckdb

_numbers = count()


@cache
def _instance() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


@contextmanager
def beside(statements: tuple[str, ...] = ()) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a database in which some statements have run; it is gone afterwards."""
    name = f"beside_{next(_numbers)}"
    with _instance().cursor() as connection:
        for statement in (f"ATTACH ':memory:' AS {name}", f"USE {name}", *statements):
            connection.execute(statement)
        try:
            yield connection
        finally:
            connection.execute(f"USE memory; DETACH {name}")
