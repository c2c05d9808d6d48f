"""What a statement is to the door: a query to be answered, or a command of the session."""

from __future__ import annotations

from dataclasses import dataclass

from imputedb.service.errors import Refusal


@dataclass(frozen=True, slots=True)
class Ask:
    """A query, or whatever the core has to refuse."""

    text: str


@dataclass(frozen=True, slots=True)
class Transaction:
    """`begin`, `commit`, `rollback`, `savepoint`, `release` or `rollback to`."""

    kind: str
    name: str = ""
    chain: bool = False


@dataclass(frozen=True, slots=True)
class Set:
    """A setting; `value` is None of DEFAULT and RESET, `name` empty of RESET ALL and of what has no effect."""

    tag: str
    name: str = ""
    value: str | None = None
    local: bool = False
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Show:
    """The value of a setting, or of `all`."""

    name: str


@dataclass(frozen=True, slots=True)
class Forget:
    """DEALLOCATE of a prepared statement, CLOSE of a cursor, DISCARD: of one name, or all with None."""

    tag: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Declare:
    """A cursor."""

    name: str
    text: str
    hold: bool = False


@dataclass(frozen=True, slots=True)
class Fetch:
    """Rows of a cursor: so many, all with None; of MOVE they are passed over."""

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
    """A statement that is done by saying so."""

    tag: str


Command = Ask | Transaction | Set | Show | Forget | Declare | Fetch | Copy | Nothing


class Unsupported(Refusal):
    """A command that the door does not have."""

    state = "0A000"
