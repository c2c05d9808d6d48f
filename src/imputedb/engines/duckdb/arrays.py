"""Arrays that DuckDB reads as tables."""

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress

import duckdb
import numpy as np

from imputedb.engines.engine import Array

_NOTHING: Mapping[str, Array] = {"nothing": np.zeros(0)}

_AT_ONCE = 8
"""Number of slots made at first; later the configuration may be locked, or external access forbidden."""


class ArraySlots:
    """Dictionaries of arrays that statements on one connection can read, reused for further arrays.

    A relation that has read a Python variable keeps it readable as long as it lives, under a name of DuckDB's that is
    in no catalog. Users do not see this name, and no rollback removes it. DuckDB binds the dictionary anew in every
    statement, including its columns and types. Other arrays can therefore be shown without a statement.

    Attributes:
        used: the names under which arrays are shown at present.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.used: set[str] = set()
        self._connection = connection
        self._slots: dict[str, dict[str, Array]] = {}
        self._relations: list[duckdb.DuckDBPyRelation] = []
        self._views: set[str] = set()
        if not self._is_locked():
            self._make(_AT_ONCE)

    def bind(self, columns: Mapping[str, Array]) -> str:
        """Makes arrays readable as a table, and returns its name."""
        name = next((name for name in self._slots if name not in self.used), None) or self._further()
        self._show(name, columns)
        self.used.add(name)
        return name

    def release(self, names: Sequence[str]) -> None:
        """Releases the arrays under some names."""
        for name in names:
            self.used.discard(name)
            if name in self._views:
                self._views.discard(name)
                del self._slots[name]
                with suppress(duckdb.Error):  # a rollback has removed it already
                    self._connection.unregister(name)
            else:
                self._show(name, _NOTHING)

    def tidy(self) -> None:
        """Releases all arrays, at the end of a call."""
        self.release(list(self.used))

    def _further(self) -> str:
        """The name of a new slot; a registered view serves instead where the configuration is locked."""
        if not self._is_locked():
            with suppress(duckdb.Error):
                return self._make(1)
        name = f"imputedb_{secrets.token_hex(8)}"
        self._slots[name] = dict(_NOTHING)
        self._connection.register(name, self._slots[name])
        self._views.add(name)
        return name

    def _is_locked(self) -> bool:
        """Whether settings are locked; trying to change one would end a transaction."""
        return bool(self._connection.execute("SELECT current_setting('lock_configuration')").fetchall()[0][0])

    def _make(self, count: int) -> str:
        """Makes some slots, and returns the name of the last."""
        name = ""
        self._connection.execute("SET python_enable_replacements = true")
        try:
            for _ in range(count):
                imputedb_rows: dict[str, Array] = dict(_NOTHING)  # read below, by its name
                relation = self._connection.sql("FROM imputedb_rows")
                (name,) = self._connection.get_table_names(relation.sql_query())
                self._relations.append(relation)
                self._slots[name] = imputedb_rows
        finally:
            self._connection.execute("SET python_enable_replacements = false")
        return name

    def _show(self, name: str, columns: Mapping[str, Array]) -> None:
        self._slots[name].clear()
        self._slots[name].update(columns)
