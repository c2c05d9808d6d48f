"""Arrays that DuckDB reads as tables."""

from collections.abc import Mapping, Sequence

import duckdb
import numpy as np

from imputedb.engines.engine import Array

_NOTHING: Mapping[str, Array] = {"nothing": np.zeros(0)}


class Slots:
    """Dictionaries of arrays that statements on one connection can read, kept for further arrays.

    A relation that has read a variable keeps it readable as long as it lives, under a name of DuckDB's that is in no
    catalog: users see nothing of it, and no transaction takes it back. DuckDB binds the dictionary anew in every
    statement, its columns and types included. So to show it other arrays takes no statement.

    Attributes:
        used: the names under which arrays are shown now.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.used: set[str] = set()
        self._connection = connection
        self._slots: dict[str, dict[str, Array]] = {}
        self._relations: list[duckdb.DuckDBPyRelation] = []

    def fill(self, columns: Mapping[str, Array]) -> str:
        """Makes arrays readable as a table of the name that is returned."""
        name = next((name for name in self._slots if name not in self.used), None) or self._further()
        self._show(name, columns)
        self.used.add(name)
        return name

    def empty(self, names: Sequence[str]) -> None:
        """Lets go of the arrays under some names."""
        for name in names:
            self._show(name, _NOTHING)
            self.used.discard(name)

    def _further(self) -> str:
        """The name of a slot that is made."""
        imputedb_rows: dict[str, Array] = dict(_NOTHING)  # read below, by its name
        self._connection.execute("SET python_enable_replacements = true")
        try:
            relation = self._connection.sql("FROM imputedb_rows")
        finally:
            self._connection.execute("SET python_enable_replacements = false")
        (name,) = self._connection.get_table_names(relation.sql_query())
        self._relations.append(relation)
        self._slots[name] = imputedb_rows
        return name

    def _show(self, name: str, columns: Mapping[str, Array]) -> None:
        self._slots[name].clear()
        self._slots[name].update(columns)
