"""Statements about imputation policies, parsed from their tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

from imputedb.errors import SqlSyntaxError, Unplanned
from imputedb.sql.tokens import Token


@dataclass(frozen=True, slots=True)
class PolicyStatement:
    """CREATE, ALTER, DROP or SHOW IMPUTATION POLICY.

    Attributes:
        verb: create, alter, drop or show.
        table: its name; None for SHOW of all.
        columns: of the table; empty for all that have a policy.
        options: what is set, under the names of `Policy`'s attributes.
    """

    verb: str
    table: str | None
    columns: tuple[str, ...]
    options: dict[str, object]


_LATER = {
    "when": "WHEN STALE",
    "private": "PRIVATE",
}
"""Clauses by their first word that are understood, and that nothing follows yet."""

GRAMMAR = (
    "CREATE | ALTER IMPUTATION POLICY ON table(column, ...) [IMPUTE | DROP | KEEP | STRUCTURAL WHEN (condition)] "
    "[AS NOMINAL | AS ORDINAL | AS NUMERIC] [IMPUTER name] [RANGE low TO high] [VALUES (value, ...)] "
    "[PREDICTORS (column, ...) | EXCLUDE (column, ...)] [BEFORE column] [WEIGHT column] [CLUSTER column] "
    "[PARTITION BY column, ... ORDER BY column] [WARN | REFUSE ABOVE share %] "
    "[DERIVED AS (expression)] [MISSING BELOW precision]; "
    "DROP IMPUTATION POLICY ON table[(column, ...)]; SHOW IMPUTATION POLICIES [ON table]"
)


def policy_statement(text: str, found: Sequence[Token]) -> PolicyStatement | None:
    """The parts of a statement about imputation policies, told from its tokens; None of any other.

    Raises:
        SqlSyntaxError: it is about policies, but does not follow the grammar, which the message shows.
    """
    found = [token for token in found if token.text != ";"]
    words = [token.word for token in found]
    if not words or not ({"imputation"} & set(words[1:4])) or words[0] not in ("create", "alter", "drop", "show"):
        return None
    return _PolicyParser(text, found).statement()


class _PolicyParser:
    def __init__(self, text: str, found: Sequence[Token]) -> None:
        self._data = text.encode()
        self._found = list(found)
        self._at = 0

    def statement(self) -> PolicyStatement:
        verb = self._next()
        while self._word() != "imputation":  # OR REPLACE
            self._next()
        self._next()
        if self._next() not in ("policy", "policies"):
            raise self._wrong()
        table: str | None = None
        columns: tuple[str, ...] = ()
        options: dict[str, object] = {}
        if self._word() == "if":
            self._next(), self._next()
        if self._word() == "on":
            self._next()
            table = self._name()
            while self._word() == ".":
                self._next()
                table = f"{table}.{self._name()}"
            columns = tuple(self._list()) if self._word() == "(" else ()
        while self._at < len(self._found):
            options |= self._option(self._next())
        if (verb != "show" and table is None) or (verb in ("create", "alter") and not columns):
            raise self._wrong()
        return PolicyStatement(verb, table, columns, options)

    def _option(self, word: str) -> dict[str, object]:
        match word:
            case "impute" | "drop" | "keep":
                return {"action": word}
            case "structural":
                self._expect("when")
                return {"action": "structural", "when": self._parenthesized()}
            case "derived":
                self._expect("as")
                return {"derived": self._parenthesized()}
            case "partition":
                return self._series()
            case "values" | "predictors" | "exclude":
                return {word: tuple(self._list())}
            case "imputer" | "before" | "weight" | "cluster":
                return {word: self._name()}
            case "as":
                return {"measure": self._measure()}
            case "range" | "warn" | "refuse" | "missing":
                return self._limits(word)
            case _ if word in _LATER:
                raise Unplanned(f"{_LATER[word]} is not built yet: leave it out of the policy")
            case _:
                raise self._wrong()

    def _limits(self, word: str) -> dict[str, object]:
        """What follows a word that sets limits."""
        if word == "range":
            low = self._bound()
            self._expect("to")
            return {"low": low, "high": self._bound()}
        if word == "missing":
            self._expect("below")
            return {"below": self._number()}
        self._expect("above")
        share = self._number()
        if self._word() in ("%", "percent"):
            self._next()
        return {"above": share, "refuse": word == "refuse"}

    def _series(self) -> dict[str, object]:
        """What follows PARTITION."""
        self._expect("by")
        names = [self._name()]
        while self._word() == ",":
            self._next()
            names.append(self._name())
        self._expect("order")
        self._expect("by")
        return {"partition": tuple(names), "order": self._name()}

    def _expect(self, word: str) -> None:
        if self._next() != word:
            raise self._wrong()

    def _measure(self) -> str:
        found = self._next()
        if found not in ("nominal", "ordinal", "numeric"):
            raise self._wrong()
        return found

    def _bound(self) -> float | str | None:
        """A number, the text of a date or timestamp, or None for an infinite one."""
        if self._word()[:1] == "'":
            return self._name()
        number = self._number()
        return None if abs(number) == float("inf") else number

    def _word(self) -> str:
        return self._found[self._at].word if self._at < len(self._found) else ""

    def _next(self) -> str:
        if self._at >= len(self._found):
            raise self._wrong()
        self._at += 1
        return self._found[self._at - 1].word

    def _name(self) -> str:
        self._next()
        text = self._found[self._at - 1].text
        if text[:1] == '"':
            return text[1:-1].replace('""', '"')
        return text[1:-1].replace("''", "'") if text[:1] == "'" else text

    def _number(self) -> float:
        sign = -1.0 if self._word() == "-" and self._next() else 1.0
        try:
            return sign * float(self._name())
        except ValueError:
            raise self._wrong() from None

    def _list(self) -> list[str]:
        if self._next() != "(":
            raise self._wrong()
        names = []
        while True:
            sign = "-" if self._word() == "-" and self._next() else ""
            names.append(sign + self._name())
            closing = self._next()
            if closing.startswith(")"):
                return names
            if closing != ",":
                raise self._wrong()

    def _parenthesized(self) -> str:
        if self._next() != "(":
            raise self._wrong()
        begin, depth = self._found[self._at - 1].end, self._found[self._at - 1].depth
        while self._next() and not (
            self._found[self._at - 1].text.startswith(")") and self._found[self._at - 1].depth == depth
        ):
            pass
        return self._data[begin : self._found[self._at - 1].begin].decode().strip()

    def _wrong(self) -> SqlSyntaxError:
        place = self._found[min(self._at, len(self._found)) - 1].text if self._found else ""
        return SqlSyntaxError(f"an imputation policy goes wrong at {place!r}: {GRAMMAR}")
