"""Names that imputedb uses in a user's database."""

from hashlib import sha256

from imputedb.algebra.relation import Table

SCHEMA = "imputedb"
"""The schema that holds declared missing values, policies, models and statistics."""

PREFIX = "imputedb_"
"""The prefix of imputedb's temporary tables and views."""

OURS = rf"{PREFIX}((block|copy|rows|view)_\d+|models)"
"""A pattern of the names of imputedb's temporary tables and views, all in the catalog `temp`."""

CONTENT = f"{PREFIX}content"
"""A Spark function: the hash of a value and of the hash before it, for rows that no column tells apart."""


def salt(table: Table, home: str) -> int:
    """64 bits that identify a table as the key of its random numbers.

    For tables of the opened database `home` they depend on schema and name, in any file or engine; for attached
    databases and temporary tables also on the database's name.
    """
    path = table.path[1:] if table.catalog == home else table.path
    return int.from_bytes(sha256(repr(path).encode()).digest()[:8], "little")
