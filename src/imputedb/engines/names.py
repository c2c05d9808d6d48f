"""Names that are ours in a user's database."""

from hashlib import sha256

from imputedb.algebra.relation import Table

SCHEMA = "imputedb"
"""Of the schema that holds declared missing values, policies, models and statistics."""

PREFIX = "imputedb_"
"""Of the names of all temporary tables and views of ours."""

OURS = rf"{PREFIX}((block|copy|rows|view)_\d+|models)"
"""The pattern of the names of all of them, which are in the catalog of temporary ones."""

CONTENT = f"{PREFIX}content"
"""A function of Spark's: a hash of a value, and of what has come of those before it, for rows that no column tells
apart."""


def salt(table: Table, home: str) -> int:
    """64 bits that identify a table as the key of its random numbers.

    For tables of the opened database `home` they depend on schema and name, in any file or engine; for attached
    databases and temporary tables also on the database's name.
    """
    path = table.path[1:] if table.catalog == home else table.path
    return int.from_bytes(sha256(repr(path).encode()).digest()[:8], "little")
