"""What calls, threads and caches ask of an engine: turns, transactions, and when something may have been written."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from imputedb.algebra.relation import Table
from imputedb.notes import Note

Read = TypeVar("Read")


class Session(Protocol):
    """Turns, transactions, and when something may have been written.

    Attributes:
        path: of the database.
        read_only: whether nothing can be written to it.
        home: the name of the database that it was opened with.
        tidying: called after a call that failed: each lets go of what the call may have left.
    """

    path: str
    read_only: bool
    home: str
    tidying: list[Callable[[], None]]

    @property
    def is_own(self) -> bool:
        """Whether it is this process that has opened the database."""

    @property
    def in_transaction(self) -> bool:
        """Whether the user is in a transaction of his own."""

    @property
    def is_alone(self) -> bool:
        """Whether the database has no other session."""

    def is_behind(self) -> bool:
        """Whether something else has written since the call began that is under way, or is writing."""

    def call(self, work: Callable[[], Read], /) -> Read:
        """What a call of the user's gives, in a turn of its own."""

    def reading(self, work: Callable[[], Read], /) -> Read:
        """What a call of the user's gives that reads rows which are held."""

    def state(self, tables: Collection[Table] | None = None) -> object:
        """A token that differs whenever one of some tables, or any, may have been written."""

    def changed(self) -> None:
        """Says that anything there is may have been written."""

    def taken(self) -> tuple[Note, ...]:
        """What is to be said of tables that a call has replaced, said once."""

    def interrupt(self) -> None:
        """Ends the statement that another thread runs."""

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """Ends what a block does once so many seconds are over, by `OutOfTime`."""

    def close(self) -> None:
        """Lets go of the database."""
