"""The border of a session: turns, transactions, and the tracking of writes."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from imputedb.algebra.relation import Table
from imputedb.notes import Note

Read = TypeVar("Read")


class Session(Protocol):
    """A session of a database: turns, transactions, and the tracking of writes.

    Attributes:
        path: the path of the database.
        read_only: whether nothing can be written to it.
        home: the name of the database that was opened.
        tidying: functions that are called after a call, to release what a failed one may have left.
    """

    path: str
    read_only: bool
    home: str
    tidying: list[Callable[[], None]]

    @property
    def is_own(self) -> bool:
        """Whether this process opened the database."""

    @property
    def in_transaction(self) -> bool:
        """Whether the user has a transaction open."""

    @property
    def is_alone(self) -> bool:
        """Whether the database has no other session."""

    def is_behind(self) -> bool:
        """Whether another session has written since the current call began, or is writing now."""

    def call(self, work: Callable[[], Read], /) -> Read:
        """The result of a user's call, run in a turn of its own."""

    def reading(self, work: Callable[[], Read], /) -> Read:
        """The result of a user's call that reads held rows."""

    def state(self, tables: Collection[Table] | None = None) -> object:
        """A token that differs whenever one of some tables, or any, may have been written."""

    def changed(self) -> None:
        """Records that anything in the database may have been written."""

    def taken(self) -> tuple[Note, ...]:
        """Notes on tables that a call has replaced; each is given once."""

    def interrupt(self) -> None:
        """Interrupts the statement that another thread runs."""

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """Ends a block by `OutOfTime` after some seconds."""

    def close(self) -> None:
        """Closes the session."""
