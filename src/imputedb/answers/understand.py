"""What a statement asks for, once EXECUTE, PIVOT and parameters are resolved."""

from imputedb import duckdb_errors
from imputedb.answers.prepare import Planner
from imputedb.answers.query import Call, answer_to
from imputedb.answers.request import PLANNED, QueryOptions
from imputedb.engines.engine import Engine
from imputedb.errors import Error, QueryError, Unplanned
from imputedb.imputers.registry import chosen
from imputedb.sql.enclosed import Keeps
from imputedb.sql.parameters import Given, by_name
from imputedb.sql.pivots import listed, unlisted
from imputedb.sql.statements import Apart, Classified, Execute, Query, Statement


def classified(engine: Engine, text: str) -> Classified:
    """What one look at a text tells of it.

    Raises:
        QueryError: it is not one statement that parses.
    """
    if not isinstance(text, str):
        raise QueryError(f"the query is {text!r}; it is a text of SQL")
    return engine.classified(text)


def understood(engine: Engine, planner: Planner, statement: Statement, params: Given = None) -> Statement:
    """A statement with values in place of its parameters; of EXECUTE, the prepared statement.

    Raises:
        QueryError: parameters and values do not match.
    """
    values = by_name(params)
    if isinstance(statement, Apart):
        written = _listed(engine, planner, statement.text)
        statement = engine.classified(written).statement if written else statement
    if isinstance(statement, Execute):
        before = engine.prepared(statement.name).statement
        if not isinstance(before, Query | Keeps):
            return statement
        return engine.filled(before, engine.evaluated(dict(statement.values)))
    if isinstance(statement, Query | Keeps):
        return engine.filled(statement, engine.constants(values))
    return statement


def query_of(engine: Engine, planner: Planner, text: str, params: Given = None) -> str:
    """The query that a statement answers, with values in place of its parameters.

    Raises:
        QueryError: it answers none.
    """
    statement = classified(engine, text).statement
    match understood(engine, planner, statement, params):
        case Query(query) | Keeps(_, query):
            return query
        case _:
            raise Unplanned("no plan answers this statement: DuckDB runs it, or it is about policies")


def check_query(engine: Engine, planner: Planner, text: str, params: Given = None) -> None:
    """Refuses a statement that would be asked again and again, and is no query: each time it might write.

    Raises:
        QueryError: it is none.
    """
    if not isinstance(understood(engine, planner, classified(engine, text).statement, params), Query):
        raise QueryError("this is asked several times over, so only a SELECT query will do, which writes nothing")


def _listed(engine: Engine, planner: Planner, text: str) -> str | None:
    """A statement whose PIVOTs list the values that name their columns; None where those cannot be had.

    A value that is declared missing names none.
    """
    call = Call(engine, planner, QueryOptions(0.0, chosen("drop"), 0, PLANNED))
    try:
        return listed(text, unlisted(text), lambda query: [str(value) for (value,) in answer_to(call, query)])
    except (Error, duckdb_errors.Refused):  # DuckDB's own refusal of the statement says why
        return None
