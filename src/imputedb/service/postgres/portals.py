"""The prepared statements and portals of a session."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from imputedb.service.errors import Refusal
from imputedb.service.postgres.answers import Columns, Rows
from imputedb.service.postgres.commands import Command

MOST = 500
"""Maximum number of prepared statements, portals and cursors of a session."""

MOST_HELD = 10
"""Maximum number of cursors WITH HOLD among these."""


class NoStatement(Refusal):
    """A name that no prepared statement has."""

    state = "26000"


class NoPortal(Refusal):
    """A name that no portal or cursor has."""

    state = "34000"


class NameTaken(Refusal):
    """A name that is in use already."""

    state = "42P05"


class TooMany(Refusal):
    """More prepared statements, portals or rows than a session may hold."""

    state = "54000"


@dataclass(slots=True)
class Prepared:
    """A prepared statement.

    Attributes:
        text: its SQL.
        command: the parsed command; None for an empty statement.
        given: oids of parameter types that the client has stated; 0 for a type that it left open.
        types: oids of all parameter types; None until they are determined.
        columns: columns of the answer; None until they are determined, or where there are none.
        is_described: whether the columns were sent to the client.
    """

    text: str
    command: Command | None
    given: Sequence[int]
    types: list[int] | None = None
    columns: Columns | None = None
    is_described: bool = False


@dataclass(slots=True)
class Portal:
    """A statement with parameter values, ready to be executed; a cursor is a portal too.

    Attributes:
        command: the parsed command.
        values: values of the parameters.
        formats: formats of the answer's columns.
        expected: columns that were described to the client.
        rows: rows of the answer; None until it has run, or where there are none.
        tag: command tag of a statement without rows.
        hold: whether the cursor outlives its transaction (WITH HOLD).
    """

    command: Command | None
    values: Sequence[object] = ()
    formats: Sequence[int] = ()
    expected: Columns | None = None
    rows: Rows | None = None
    tag: str | None = None
    hold: bool = False

    def close(self) -> None:
        """Releases the rows."""
        if self.rows is not None:
            self.rows.close()


@dataclass(slots=True)
class Portals:
    """All prepared statements and portals of one session."""

    statements: dict[str, Prepared] = field(default_factory=dict)
    portals: dict[str, Portal] = field(default_factory=dict)

    def statement(self, name: str) -> Prepared:
        """A prepared statement.

        Raises:
            NoStatement: no prepared statement has this name.
        """
        if name not in self.statements:
            raise NoStatement(f"there is no prepared statement {name or 'without a name'}")
        return self.statements[name]

    def portal(self, name: str) -> Portal:
        """A portal.

        Raises:
            NoPortal: no portal has this name.
        """
        if name not in self.portals:
            raise NoPortal(f"there is no portal or cursor {name or 'without a name'}")
        return self.portals[name]

    def prepare(self, name: str, statement: Prepared) -> None:
        """Stores a prepared statement; the unnamed one is replaced.

        Raises:
            Taken: the name is in use.
            TooMany: the session holds the most that it may.
        """
        if name and name in self.statements:
            raise NameTaken(f"there is a prepared statement {name} already")
        if len(self.statements) >= MOST:
            raise TooMany(f"there are {MOST} prepared statements: deallocate some")
        self.statements[name] = statement

    def check(self, name: str, *, hold: bool = False) -> None:
        """Checks that a portal of this name can be opened.

        Raises:
            Taken: the name is in use.
            TooMany: the session holds the most that it may.
        """
        if name and name in self.portals:
            error = NameTaken(f"there is a portal or cursor {name} already")
            error.state = "42P03"
            raise error
        if len(self.portals) >= MOST:
            raise TooMany(f"there are {MOST} portals: close some")
        if hold and sum(one.hold for one in self.portals.values()) >= MOST_HELD:
            raise TooMany(f"there are {MOST_HELD} cursors WITH HOLD: close some")

    def check_rows(self, portal: Portal, most: int) -> None:
        """Refuses a portal whose rows exceed a limit, together with those of other portals; its rows are released.

        Raises:
            TooMany: the rows exceed the limit.
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
        """Stores a portal; the unnamed one is replaced.

        Raises:
            Taken: the name is in use.
            TooMany: the session holds the most that it may.
        """
        self.check(name, hold=portal.hold)
        self.close(name)
        self.portals[name] = portal

    def close(self, name: str) -> None:
        """Closes the portal of this name, if there is one."""
        before = self.portals.pop(name, None)
        if before is not None:
            before.close()

    def close_all(self, *, held: bool) -> None:
        """Closes all portals; with `held` also those that outlive transactions."""
        for name in [name for name, portal in self.portals.items() if held or not portal.hold]:
            self.close(name)

    def close_others(self, kept: Collection[str]) -> None:
        """Closes all portals but those of the given names."""
        for name in [name for name in self.portals if name not in kept]:
            self.close(name)

    def forget(self, name: str | None) -> None:
        """Releases a prepared statement, or all of them for None."""
        if name is None:
            self.statements.clear()
        else:
            self.statements.pop(name, None)
