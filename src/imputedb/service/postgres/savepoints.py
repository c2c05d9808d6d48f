"""Savepoints of a transaction: nothing is written, but settings and cursors go back to what they were."""

from __future__ import annotations

from dataclasses import dataclass, field

from imputedb.service.errors import Refusal, TooLarge
from imputedb.service.postgres.settings import Kept

MOST = 1_000
"""Savepoints that a transaction may have."""


class NoSavepoint(Refusal):
    """There is no savepoint of the name."""

    state = "3B001"


@dataclass(frozen=True, slots=True)
class Savepoint:
    """What there was at a place of a transaction.

    Attributes:
        name: of the place.
        settings: as they were.
        portals: names of cursors and portals that there were.
    """

    name: str
    settings: Kept
    portals: frozenset[str]


@dataclass(slots=True)
class Savepoints:
    """Those of one transaction, the last at the end; of a name the last one counts."""

    _kept: list[Savepoint] = field(default_factory=list)

    def add(self, one: Savepoint) -> None:
        """Takes one.

        Raises:
            TooLarge: there are as many as are kept.
        """
        if len(self._kept) >= MOST:
            raise TooLarge(f"there are {MOST:,} savepoints: release some")
        self._kept.append(one)

    def back(self, name: str) -> Savepoint:
        """One of a name, which stays; those after it are gone.

        Raises:
            NoSavepoint: there is none.
        """
        del self._kept[self._place(name) + 1 :]
        return self._kept[-1]

    def release(self, name: str) -> None:
        """Lets go of one and of those after it.

        Raises:
            NoSavepoint: there is none.
        """
        del self._kept[self._place(name) :]

    def clear(self) -> None:
        """Lets go of all."""
        self._kept.clear()

    def _place(self, name: str) -> int:
        for place in reversed(range(len(self._kept))):
            if self._kept[place].name == name:
                return place
        raise NoSavepoint(f"there is no savepoint {name} in this transaction")
