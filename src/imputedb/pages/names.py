"""Names of tables and columns as SQL identifiers, quoted where needed."""

import re

from imputedb.sql.paths import parts_of, quoted

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*", re.IGNORECASE)


def in_sql(name: str) -> str:
    """The SQL identifier of a table's name, as `Database.tables` gives it."""
    parts = parts_of(name)
    return name if all(map(_PLAIN.fullmatch, parts)) else quoted(parts)


def column_in_sql(name: str) -> str:
    """The SQL identifier of a column's name."""
    return name if _PLAIN.fullmatch(name) else quoted((name,))
