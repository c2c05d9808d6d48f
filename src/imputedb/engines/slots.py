"""Arrays that DuckDB reads as tables."""

from collections.abc import Mapping, Sequence

import duckdb
import numpy as np

from imputedb.engines.engine import Array

_NOTHING: Mapping[str, Array] = {"nothing": np.zeros(0)}


class Slots:
    """Registered dictionaries of arrays, their names kept for further ones.

    DuckDB binds a registered dictionary anew in every statement, its columns and types included. So to show it other
    arrays takes no statement; to register and unregister them takes two, of half a millisecond.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, prefix: str) -> None:
        self._connection = connection
        self._prefix = prefix
        self._slots: list[dict[str, Array]] = []
        self._registered: set[int] = set()
        self._used: set[int] = set()

    def fill(self, columns: Mapping[str, Array]) -> str:
        """Makes arrays readable as a table of the name that is returned."""
        place = next((place for place in range(len(self._slots)) if place not in self._used), len(self._slots))
        if place == len(self._slots):
            self._slots.append({})
        self._show(place, columns)
        name = f"{self._prefix}{place}"
        if place not in self._registered:
            self._connection.register(name, self._slots[place])
            self._registered.add(place)
        self._used.add(place)
        return name

    def empty(self, names: Sequence[str]) -> None:
        """Lets go of the arrays under some names."""
        for name in names:
            place = int(name.removeprefix(self._prefix))
            self._show(place, _NOTHING)
            self._used.discard(place)

    def lost(self) -> None:
        """Says that what was registered may be gone with a transaction."""
        self._registered.clear()

    def _show(self, place: int, columns: Mapping[str, Array]) -> None:
        self._slots[place].clear()
        self._slots[place].update(columns)
