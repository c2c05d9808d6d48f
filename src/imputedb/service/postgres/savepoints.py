"""Savepoints of a transaction: as nothing is written, a rollback restores only settings and cursors."""

from __future__ import annotations

from dataclasses import dataclass, field

from imputedb.service.errors import Refusal, TooLarge
from imputedb.service.postgres.settings import Kept

MOST = 1_000
"""Maximum number of savepoints of a transaction."""


class NoSavepoint(Refusal):
    """A name that no savepoint has."""

    state = "3B001"


@dataclass(frozen=True, slots=True)
class Savepoint:
    """The state of a session at a savepoint.

    Attributes:
        name: name of the savepoint.
        settings: settings at that point.
        portals: names of cursors and portals at that point.
    """

    name: str
    settings: Kept
    portals: frozenset[str]


@dataclass(slots=True)
class Savepoints:
    """The savepoints of one transaction, oldest first. Of several with one name the newest counts."""

    _kept: list[Savepoint] = field(default_factory=list)

    def add(self, one: Savepoint) -> None:
        """Adds a savepoint.

        Raises:
            TooLarge: there are as many as a session may hold.
        """
        if len(self._kept) >= MOST:
            raise TooLarge(f"there are {MOST:,} savepoints: release some")
        self._kept.append(one)

    def back(self, name: str) -> Savepoint:
        """The savepoint of a name; those after it are removed.

        Raises:
            NoSavepoint: no savepoint has this name.
        """
        del self._kept[self._place(name) + 1 :]
        return self._kept[-1]

    def release(self, name: str) -> None:
        """Removes a savepoint and those after it.

        Raises:
            NoSavepoint: no savepoint has this name.
        """
        del self._kept[self._place(name) :]

    def clear(self) -> None:
        """Removes all savepoints."""
        self._kept.clear()

    def _place(self, name: str) -> int:
        for place in reversed(range(len(self._kept))):
            if self._kept[place].name == name:
                return place
        raise NoSavepoint(f"there is no savepoint {name} in this transaction")
