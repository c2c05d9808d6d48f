"""Classification of statements by their tokens: queries, statements that use a query's rows, and others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import duckdb

from imputedb import duckdb_errors
from imputedb.errors import QueryError, Unplanned
from imputedb.sql.budget import LimitStatement, limit_statement
from imputedb.sql.effects import Effect, effect
from imputedb.sql.enclosed import EnclosingStatement, closing, copied, created, inserted, merged
from imputedb.sql.model_statement import ModelStatement, model_statement
from imputedb.sql.parameters import numbered
from imputedb.sql.policy_statement import PolicyStatement, policy_statement
from imputedb.sql.tokens import Token, tokens, unquoted

_KINDS_OF_TABLES = ("or", "replace", "temp", "temporary", "local", "global", "unlogged", "persistent")


@dataclass(frozen=True, slots=True)
class Query:
    """A single SELECT.

    Attributes:
        text: whole text.
        parameters: names of its parameters; `1`, `2` and so on for positional ones.
    """

    text: str
    parameters: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Execute:
    """EXECUTE of a prepared statement.

    Attributes:
        text: whole text.
        name: name of the prepared statement.
        values: SQL of each value by parameter name; `1`, `2` and so on for positional ones.
    """

    text: str
    name: str
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SplitStatement:
    """A query that DuckDB splits into several statements: a PIVOT whose columns depend on the data."""

    text: str


@dataclass(frozen=True, slots=True)
class Writes:
    """A query with a data-modifying statement in its WITH."""

    text: str


@dataclass(frozen=True, slots=True)
class Other:
    """Any other statement, which DuckDB runs."""

    text: str


Ours = PolicyStatement | ModelStatement | LimitStatement
Statement = Query | EnclosingStatement | Ours | Execute | SplitStatement | Writes | Other


@dataclass(frozen=True, slots=True)
class Classified:
    """The classification of a text.

    Attributes:
        statement: the statement.
        verb: its first word, in lower case.
        effect: kind of its result.
    """

    statement: Statement
    verb: str
    effect: Effect


_OURS: tuple[Callable[[str, Sequence[Token]], Ours | None], ...] = (
    limit_statement,
    model_statement,
    policy_statement,
)
"""What tells statements of ours from their text and its tokens: each gives None of any other."""


def classify(connection: duckdb.DuckDBPyConnection, text: str) -> Classified:
    """The classification of a text.

    Raises:
        SqlSyntaxError: the text does not parse; the message shows the place.
        Unplanned: the text has more than one statement.
        QueryError: the text has no statement.
    """
    found = tokens(text)
    verb = next((token.word for token in found if token.text != ";"), "")
    ours = next((about for recognise in _OURS if (about := recognise(text, found)) is not None), None)
    if ours is not None:
        return Classified(ours, verb, Effect.ROWS)
    statement = _statement(connection, text, found)
    return Classified(statement, verb, Effect.ROWS if isinstance(statement, Query) else effect(found))


def _statement(connection: duckdb.DuckDBPyConnection, text: str, tokens_of_it: Sequence[Token]) -> Statement:
    """The statement of a text that DuckDB parses."""
    try:
        found = connection.extract_statements(text)
    except ValueError:  # a kind of statement without a name in the client
        return Other(text)
    except duckdb.Error as error:
        raise duckdb_errors.translated(error) from error
    if not found:
        raise QueryError("there is no statement to answer")
    if len(found) > 1:
        raise Unplanned(f"one statement at a time: the text holds {len(found)}")
    names = frozenset(found[0].named_parameters)
    if names:
        text = numbered(text)
        tokens_of_it = tokens(text)
    try:
        about = found[0].type
    except ValueError:  # as above, for a single statement
        return Other(text)
    kind = _kind(about, text, tokens_of_it)
    return replace(kind, parameters=names) if isinstance(kind, Query | EnclosingStatement) else kind


def _kind(kind: duckdb.StatementType, text: str, found: Sequence[Token]) -> Statement:
    kinds = duckdb.StatementType
    match kind:
        case kinds.SELECT | kinds.CREATE | kinds.INSERT | kinds.COPY if _writes(found):
            return Writes(text)
        case kinds.SELECT:
            return Other(text) if _shows(found) else Query(text)
        case kinds.CREATE:
            return (created(text, found) if _makes_table(found) else None) or Other(text)
        case kinds.INSERT:
            return inserted(text, found) or Other(text)
        case kinds.COPY:
            return copied(text, found) or Other(text)
        case kinds.MERGE_INTO:
            return merged(text, found) or Other(text)
        case kinds.MULTI:
            return SplitStatement(text)
        case kinds.EXECUTE:
            return _executed(text, found)
        case _:
            return Other(text)


def _shows(found: Sequence[Token]) -> bool:
    """Whether a statement is a SHOW or DESCRIBE of tables."""
    return found[0].word in ("show", "describe", "desc", "summarize")


def _writes(found: Sequence[Token]) -> bool:
    """Whether a query has a data-modifying statement in its WITH."""
    begins = (("(", "insert", "into"), ("(", "delete", "from"), ("(", "merge", "into"), ("(", "insert", "or"))
    words = [token.word for token in found]
    opening = [n for n in range(1, len(words) - 2) if words[n] == "(" and words[n - 1] in ("as", "materialized")]
    return "with" in words and any(
        tuple(words[n : n + 3]) in begins
        or (words[n + 1] == "update" and "set" in words[n:])
        or (words[n + 1] == "copy" and "to" in words[n:])
        for n in opening
    )


def _makes_table(found: Sequence[Token]) -> bool:
    words = (token.word for token in found[1:] if token.word not in _KINDS_OF_TABLES)
    return next(words, "") == "table"


def _executed(text: str, found: Sequence[Token]) -> Execute:
    """The EXECUTE of `name(value, ...)` or `name(parameter := value, ...)`."""
    data, name = text.encode(), unquoted(found[1].text)
    if len(found) < 3 or found[2].text != "(":
        return Execute(text, name, ())
    close = closing(found, 2)
    values: list[tuple[str, str]] = []
    begin = 3
    for number in [n for n in range(3, close) if found[n].text == "," and found[n].depth == 1] + [close]:
        if number == begin:
            break
        named = number > begin + 2 and found[begin + 1].text == ":="
        first = found[begin + 2 if named else begin].begin
        value = data[first : found[number].begin].decode()
        values.append((unquoted(found[begin].text) if named else str(len(values) + 1), value))
        begin = number + 1
    return Execute(text, name, tuple(values))
