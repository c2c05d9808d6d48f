"""Limits of a query's time and error: WITHIN n MS and ERROR p % after it, and settings of the session."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from imputedb import arguments
from imputedb.errors import QueryError
from imputedb.sql.token_reader import TokenReader
from imputedb.sql.tokens import Token, tokens


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that a query states instead of alpha.

    Attributes:
        within_ms: milliseconds that the answer may take; None for no limit.
        error: largest half width of an interval relative to its number, such as 0.02; None for no limit.
    """

    within_ms: float | None = None
    error: float | None = None

    def __post_init__(self) -> None:
        if self.within_ms is not None:
            found = arguments.positive("within_ms", self.within_ms, example="of milliseconds, such as 200")
            object.__setattr__(self, "within_ms", found)
        if self.error is not None:
            found = arguments.share("error", self.error, example="such as 0.02")
            object.__setattr__(self, "error", found)

    def __bool__(self) -> bool:
        return self.within_ms is not None or self.error is not None

    @property
    def written(self) -> str:
        """The limits in SQL, on a line of their own; empty where there are none."""
        within = "" if self.within_ms is None else f" WITHIN {self.within_ms!r} MS"
        error = "" if self.error is None else f" ERROR {100 * self.error!r} %"
        return f"\n{within}{error}" if self else ""

    def or_else(self, others: Limits) -> Limits:
        """These limits, completed by others where they are None."""
        return Limits(
            others.within_ms if self.within_ms is None else self.within_ms,
            others.error if self.error is None else self.error,
        )


@dataclass(frozen=True, slots=True)
class LimitStatement:
    """SET or RESET of a limit for all queries of a session that state none.

    Attributes:
        name: within_ms or error.
        value: new value; None for RESET.
    """

    name: str
    value: float | None

    def applied(self, limits: Limits) -> Limits:
        """The limits of a session after the change.

        Raises:
            QueryError: the limit cannot have this value.
        """
        return replace(limits, **{self.name: self.value})


GRAMMAR = "SET imputedb.within_ms = milliseconds; SET imputedb.error = share; RESET imputedb.within_ms | imputedb.error"

_HINT = re.compile(r"\b(?:within|error)\b", re.IGNORECASE)


def limited(text: str) -> tuple[str, Limits]:
    """A text without the limits at its end, and these limits.

    Raises:
        QueryError: a limit is stated twice, or out of range.
    """
    if not isinstance(text, str) or not _HINT.search(text):
        return text, Limits()
    found = [token for token in tokens(text) if token.text != ";"]
    given: dict[str, float] = {}
    while (clause := _clause(found)) is not None:
        name, number = clause
        if name in given:
            raise QueryError(f"{found[-3].text.upper()} is stated twice at the end of the query")
        given[name] = number
        del found[-3:]
    if not given or not found:
        return text, Limits()
    return text.encode()[: found[-1].end].decode(), Limits(**given)


def _clause(found: Sequence[Token]) -> tuple[str, float] | None:
    """The limit of the last three tokens."""
    if len(found) < 3:
        return None
    words = [token.word for token in found[-3:]]
    if not _is_number(words[1]):
        return None
    if (words[0], words[2]) == ("within", "ms"):
        return "within_ms", float(words[1])
    if (words[0], words[2]) == ("error", "%"):
        return "error", float(words[1]) / 100
    return None


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return word[0].isdigit() or word[0] == "."


def limit_statement(text: str, found: Sequence[Token]) -> LimitStatement | None:
    """SET or RESET of a limit, recognised by its tokens; None for any other statement.

    Raises:
        SqlSyntaxError: it concerns imputedb's settings, but does not follow the grammar, which the message shows.
    """
    found = [token for token in found if token.text != ";"]
    words = [token.word for token in found]
    if not words or words[0] not in ("set", "reset") or words[1:3] != ["imputedb", "."]:
        return None
    reader = TokenReader(text, found, "a setting of imputedb", GRAMMAR)
    verb = reader.next()
    reader.expect("imputedb", ".")
    name = reader.next()
    if name not in ("within_ms", "error"):
        raise reader.syntax_error()
    value = None
    if verb == "set":
        if not (reader.accept("=") or reader.accept("to")):
            raise reader.syntax_error()
        value = reader.number()
    if not reader.is_done:
        raise reader.syntax_error()
    return LimitStatement(name, value)
