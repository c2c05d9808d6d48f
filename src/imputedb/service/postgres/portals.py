"""Prepared statements and portals: what a client has named, and not yet let go of."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from imputedb.service.errors import Refusal
from imputedb.service.postgres.answers import Columns, Rows
from imputedb.service.postgres.commands import Command

MOST = 500
"""Statements, portals and cursors that a session may have at once."""

MOST_HELD = 10
"""Of these cursors WITH HOLD."""


class NoStatement(Refusal):
    """There is no prepared statement of the name."""

    state = "26000"


class NoPortal(Refusal):
    """There is no portal or cursor of the name."""

    state = "34000"


class Taken(Refusal):
    """There is one of the name already."""

    state = "42P05"


class TooMany(Refusal):
    """There are more than are kept."""

    state = "54000"


@dataclass(slots=True)
class Prepared:
    """A statement that was parsed.

    Attributes:
        text: of it.
        command: what it is; None of one that is empty.
        given: numbers of types that the client has stated, 0 where it left that open.
        types: numbers of types of all parameters; None before they were asked for.
        columns: of the answer; None before it was asked for them, or where there are none.
        is_described: whether the client was told of these.
    """

    text: str
    command: Command | None
    given: Sequence[int]
    types: list[int] | None = None
    columns: Columns | None = None
    is_described: bool = False


@dataclass(slots=True)
class Portal:
    """A statement with values, to be executed; a cursor is one too.

    Attributes:
        command: what it is.
        values: of parameters.
        formats: of the answer's columns.
        expected: the columns that the client was told of.
        rows: of the answer; None before it ran, or where there are none.
        tag: of what has run without rows.
        hold: whether it outlives its transaction.
    """

    command: Command | None
    values: Sequence[object] = ()
    formats: Sequence[int] = ()
    expected: Columns | None = None
    rows: Rows | None = None
    tag: str | None = None
    hold: bool = False

    def close(self) -> None:
        """Lets go of its rows."""
        if self.rows is not None:
            self.rows.close()


@dataclass(slots=True)
class Named:
    """All of them of one session."""

    statements: dict[str, Prepared] = field(default_factory=dict)
    portals: dict[str, Portal] = field(default_factory=dict)

    def statement(self, name: str) -> Prepared:
        """A prepared statement.

        Raises:
            NoStatement: there is none of the name.
        """
        if name not in self.statements:
            raise NoStatement(f"there is no prepared statement {name or 'without a name'}")
        return self.statements[name]

    def portal(self, name: str) -> Portal:
        """A portal.

        Raises:
            NoPortal: there is none of the name.
        """
        if name not in self.portals:
            raise NoPortal(f"there is no portal or cursor {name or 'without a name'}")
        return self.portals[name]

    def prepare(self, name: str, statement: Prepared) -> None:
        """Takes a statement; one without a name takes the place of the last.

        Raises:
            Taken: there is one of the name.
            TooMany: there are as many as are kept.
        """
        if name and name in self.statements:
            raise Taken(f"there is a prepared statement {name} already")
        if len(self.statements) >= MOST:
            raise TooMany(f"there are {MOST} prepared statements: deallocate some")
        self.statements[name] = statement

    def check(self, name: str, *, hold: bool = False) -> None:
        """Refuses a portal that could not be opened.

        Raises:
            Taken: there is one of the name.
            TooMany: there are as many as are kept.
        """
        if name and name in self.portals:
            error = Taken(f"there is a portal or cursor {name} already")
            error.state = "42P03"
            raise error
        if len(self.portals) >= MOST:
            raise TooMany(f"there are {MOST} portals: close some")
        if hold and sum(one.hold for one in self.portals.values()) >= MOST_HELD:
            raise TooMany(f"there are {MOST_HELD} cursors WITH HOLD: close some")

    def check_rows(self, portal: Portal, most: int) -> None:
        """Refuses rows that are to be kept for later beside those that other portals keep; they are let go of.

        Raises:
            TooMany: together they are more than so many.
        """
        left = [one.rows.left for one in self.portals.values() if one.rows is not None and one is not portal]
        own = portal.rows.left if portal.rows is not None else 0
        if sum(left) + own > most:
            portal.close()
            raise TooMany(
                f"cursors of this session keep {sum(left):,} rows, and this one would keep {own:,} more; "
                f"{most:,} is what the role may have: fetch them, close some, or add LIMIT"
            )

    def open(self, name: str, portal: Portal) -> None:
        """Takes a portal; one without a name takes the place of the last.

        Raises:
            Taken: there is one of the name.
            TooMany: there are as many as are kept.
        """
        self.check(name, hold=portal.hold)
        self.close(name)
        self.portals[name] = portal

    def close(self, name: str) -> None:
        """Lets go of a portal, if there is one of the name."""
        before = self.portals.pop(name, None)
        if before is not None:
            before.close()

    def close_all(self, *, held: bool) -> None:
        """Lets go of all portals, of those too that outlive transactions if `held`."""
        for name in [name for name, portal in self.portals.items() if held or not portal.hold]:
            self.close(name)

    def close_others(self, kept: Collection[str]) -> None:
        """Lets go of portals but those of some names."""
        for name in [name for name in self.portals if name not in kept]:
            self.close(name)

    def forget(self, name: str | None) -> None:
        """Lets go of a prepared statement, of all with None."""
        if name is None:
            self.statements.clear()
        else:
            self.statements.pop(name, None)
