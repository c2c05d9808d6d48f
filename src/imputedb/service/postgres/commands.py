"""The kinds of statements: queries for the core, and commands that the session itself executes."""

from __future__ import annotations

from dataclasses import dataclass

from imputedb.service.errors import Refusal


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement for the core, which answers or refuses it."""

    text: str


@dataclass(frozen=True, slots=True)
class Transaction:
    """`begin`, `commit`, `rollback`, `savepoint`, `release` or `rollback to`."""

    kind: str
    name: str = ""
    chain: bool = False


@dataclass(frozen=True, slots=True)
class Set:
    """SET or RESET; `value` is None for DEFAULT and RESET, `name` is empty for RESET ALL and where nothing changes."""

    tag: str
    name: str = ""
    value: str | None = None
    local: bool = False
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Show:
    """SHOW of a setting, or of `all`."""

    name: str


@dataclass(frozen=True, slots=True)
class Forget:
    """DEALLOCATE of a prepared statement, CLOSE of a cursor, or DISCARD: of one name, or of all for None."""

    tag: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Declare:
    """DECLARE of a cursor."""

    name: str
    text: str
    hold: bool = False


@dataclass(frozen=True, slots=True)
class Fetch:
    """FETCH or MOVE of so many rows of a cursor, of all for None; MOVE does not send the rows."""

    name: str
    count: int | None
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY of a query to the client."""

    text: str
    format: str = "text"
    delimiter: str = "\t"
    null: str = "\\N"
    quote: str = '"'
    escape: str = '"'
    header: bool = False


@dataclass(frozen=True, slots=True)
class Nothing:
    """A command without effect, which only returns its tag."""

    tag: str


Command = Statement | Transaction | Set | Show | Forget | Declare | Fetch | Copy | Nothing


class Unsupported(Refusal):
    """A command that is not supported."""

    state = "0A000"
