"""The statement of a text, after EXECUTE, PIVOT and parameters are resolved."""

from dataclasses import replace
from typing import assert_never

from imputedb import duckdb_errors
from imputedb.answers.prepare import Planner
from imputedb.answers.query import Call, answer_to
from imputedb.answers.request import PLANNED, QueryOptions
from imputedb.engines.engine import Engine
from imputedb.errors import Error, QueryError, Unplanned
from imputedb.imputers.registry import imputers_of
from imputedb.sql.enclosed import EnclosingStatement
from imputedb.sql.parameters import Given, by_name
from imputedb.sql.pivots import listed, unlisted
from imputedb.sql.statements import Classified, Execute, Query, SplitStatement, Statement
from imputedb.sql.tokens import first_word, tokens

_DESCRIBING = ("describe", "desc", "summarize")


def classified(engine: Engine, text: str) -> Classified:
    """The classification of a text.

    Raises:
        QueryError: the text is not a single valid statement.
    """
    if not isinstance(text, str):
        raise QueryError(f"the query is {text!r}; it must be a text of SQL")
    return engine.classified(text)


def with_values(engine: Engine, planner: Planner, statement: Statement, params: Given = None) -> Statement:
    """A statement with parameters replaced by values; for EXECUTE, the prepared statement.

    Raises:
        QueryError: parameters and values do not match.
    """
    values = by_name(params)
    if isinstance(statement, SplitStatement):
        written = _listed(engine, planner, statement.text)
        statement = engine.classified(written).statement if written else statement
    if isinstance(statement, Execute):
        before = engine.prepared(statement.name).statement
        if not isinstance(before, Query | EnclosingStatement):
            return statement
        return _read(planner, engine.filled(before, engine.evaluated(dict(statement.values))))
    if isinstance(statement, Query | EnclosingStatement):
        return _read(planner, engine.filled(statement, engine.constants(values)))
    return statement


def _read(planner: Planner, statement: Query | EnclosingStatement) -> Query | EnclosingStatement:
    """A statement over tables in place of the text files of its query."""
    match statement:
        case Query(text):
            return replace(statement, text=planner.with_files(text))
        case EnclosingStatement(query=text):
            return replace(statement, query=planner.with_files(text))
        case _:
            assert_never(statement)


def described(planner: Planner, text: str) -> str:
    """A DESCRIBE or SUMMARIZE over tables in place of the text files that it reads; any other statement as it is."""
    if first_word(text) not in _DESCRIBING:
        return text
    words = [token for token in tokens(text) if token.text != ";"]
    inside = f"FROM ({text.encode()[words[0].begin : words[-1].end].decode()})"
    found = planner.with_files(inside)
    return text if found == inside else found


def query_of(engine: Engine, planner: Planner, text: str, params: Given = None) -> str:
    """The query of a statement, with parameters replaced by values.

    Raises:
        QueryError: the statement has no query.
    """
    statement = classified(engine, text).statement
    match with_values(engine, planner, statement, params):
        case Query(query) | EnclosingStatement(_, query):
            return query
        case _:
            raise Unplanned("no plan answers this statement: DuckDB runs it, or it is about policies")


def check_query(engine: Engine, planner: Planner, text: str, params: Given = None) -> None:
    """Refuses a statement that is not a query where it would be run repeatedly, since it might write each time.

    Raises:
        QueryError: it is not a query.
    """
    if not isinstance(with_values(engine, planner, classified(engine, text).statement, params), Query):
        raise QueryError("this is run several times, so only a SELECT query is permitted, which writes nothing")


def _listed(engine: Engine, planner: Planner, text: str) -> str | None:
    """A statement whose PIVOTs list the values of their columns; None where these are unavailable.

    Values that are declared missing are not listed.
    """
    call = Call(engine, planner, QueryOptions(0.0, imputers_of("drop"), 0, PLANNED))

    def values(query: str) -> list[str]:
        return [str(value) for (value,) in answer_to(call, planner.with_files(query))]

    try:
        return listed(text, unlisted(text), values)
    except (Error, duckdb_errors.Refused):  # DuckDB's own error for the statement has the reason
        return None
