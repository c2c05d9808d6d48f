"""Statements about imputation policies, parsed from their tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

from imputedb.errors import QueryError, Unplanned
from imputedb.sql.token_reader import TokenReader
from imputedb.sql.tokens import Token


@dataclass(frozen=True, slots=True)
class PolicyStatement:
    """CREATE, ALTER, DROP or SHOW IMPUTATION POLICY.

    Attributes:
        verb: create, alter, drop or show.
        table: name of the table; None for SHOW of all.
        columns: columns of the table; empty for all that have a policy.
        options: attributes of `Policy` that are set.
        if_exists: whether dropping a policy that does not exist is allowed.
    """

    verb: str
    table: str | None
    columns: tuple[str, ...]
    options: dict[str, object]
    if_exists: bool = False


_LATER = {
    "private": "PRIVATE",
}
"""Clauses by their first word that are understood, and that nothing follows yet."""

GRAMMAR = (
    "CREATE | ALTER IMPUTATION POLICY ON table(column, ...) [IMPUTE | DROP | KEEP | STRUCTURAL WHEN (condition)] "
    "[AS NOMINAL | AS ORDINAL | AS NUMERIC] [IMPUTER name] [RANGE low TO high] [VALUES (value, ...)] "
    "[PREDICTORS (column, ...) | EXCLUDE (column, ...)] [BEFORE column] [WEIGHT column] [CLUSTER column] "
    "[PARTITION BY column, ... ORDER BY column] [WARN | REFUSE ABOVE share %] "
    "[DERIVED AS (expression)] [MISSING BELOW precision] [WHEN STALE WARN | REFUSE | REFRESH]; "
    "DROP IMPUTATION POLICY [IF EXISTS] ON table[(column, ...)]; SHOW IMPUTATION POLICIES [ON table]"
)


def policy_statement(text: str, found: Sequence[Token]) -> PolicyStatement | None:
    """The parsed statement about imputation policies; None for any other statement.

    Raises:
        SqlSyntaxError: the statement does not follow the grammar, which the message shows.
        QueryError: a limit is ambiguous between a share and a percentage.
    """
    found = [token for token in found if token.text != ";"]
    words = [token.word for token in found]
    if not words or not ({"imputation"} & set(words[1:4])) or words[0] not in ("create", "alter", "drop", "show"):
        return None
    return _PolicyParser(text, found, "an imputation policy", GRAMMAR).statement()


class _PolicyParser(TokenReader):
    def statement(self) -> PolicyStatement:
        verb = self.next()
        while self.word() != "imputation":  # OR REPLACE
            self.next()
        self.next()
        if self.next() not in ("policy", "policies"):
            raise self.syntax_error()
        table: str | None = None
        columns: tuple[str, ...] = ()
        options: dict[str, object] = {}
        if_exists = verb == "drop" and self.accept("if", "exists")
        if self.word() == "on":
            self.next()
            table = self.path()
            columns = tuple(self.list()) if self.word() == "(" else ()
        while not self.is_done:
            options |= self._option(self.next())
        if (verb != "show" and table is None) or (verb in ("create", "alter") and not columns):
            raise self.syntax_error()
        return PolicyStatement(verb, table, columns, options, if_exists)

    def _option(self, word: str) -> dict[str, object]:
        match word:
            case "impute" | "drop" | "keep":
                return {"action": word}
            case "structural":
                self.expect("when")
                return {"action": "structural", "when": self.parenthesized()}
            case "derived":
                self.expect("as")
                return {"derived": self.parenthesized()}
            case "partition":
                return self._series()
            case "values" | "predictors" | "exclude":
                return {word: tuple(self.list())}
            case "imputer" | "before" | "weight" | "cluster":
                return {word: self.name()}
            case "when":
                self.expect("stale")
                return {"stale": self._one_of(("warn", "refuse", "refresh"))}
            case "as":
                return {"measure": self._measure()}
            case "range" | "warn" | "refuse" | "missing":
                return self._limits(word)
            case _ if word in _LATER:
                raise Unplanned(f"{_LATER[word]} is not implemented: leave it out of the policy")
            case _:
                raise self.syntax_error()

    def _limits(self, word: str) -> dict[str, object]:
        """The options after a word that begins a limit."""
        if word == "range":
            low = self._bound()
            self.expect("to")
            return {"low": low, "high": self._bound()}
        if word == "missing":
            self.expect("below")
            return {"below": self.number()}
        self.expect("above")
        share = self.number()
        if not (self.accept("%") or self.accept("percent")) and 0 < share <= 1:
            raise QueryError(
                f"{word.upper()} ABOVE {share:g} may mean {share:g} % or {100 * share:g} %: write it with %"
            )
        return {"above": share, "refuse": word == "refuse"}

    def _series(self) -> dict[str, object]:
        """The options after PARTITION."""
        self.expect("by")
        names = [self.name()]
        while self.word() == ",":
            self.next()
            names.append(self.name())
        self.expect("order")
        self.expect("by")
        return {"partition": tuple(names), "order": self.name()}

    def _one_of(self, words: Sequence[str]) -> str:
        found = self.next()
        if found not in words:
            raise self.syntax_error()
        return found

    def _measure(self) -> str:
        found = self.next()
        if found not in ("nominal", "ordinal", "numeric"):
            raise self.syntax_error()
        return found

    def _bound(self) -> float | str | None:
        """A number, the text of a date or timestamp, or None for infinity."""
        if self.word()[:1] == "'":
            return self.name()
        number = self.number()
        return None if abs(number) == float("inf") else number
