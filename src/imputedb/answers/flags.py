"""Queries with flags: columns that tell whether each value was imputed."""

from imputedb.answers.column_names import check_distinct_names
from imputedb.answers.prepare import Planner
from imputedb.answers.understand import classified
from imputedb.engines.engine import Engine
from imputedb.errors import QueryError
from imputedb.markup import FLAG
from imputedb.sql.budget import Limits
from imputedb.sql.parameters import Given, by_name
from imputedb.sql.paths import quoted
from imputedb.sql.statements import Query
from imputedb.sql.tokens import tokens


def check_no_error(limits: Limits) -> None:
    """Refuses flags beside an error, of the statement or of the session.

    Raises:
        QueryError: there is an error.
    """
    if limits.error is not None:
        way_out = "leave one out, the error of a session by RESET imputedb.error"
        raise QueryError(f"flags describe single values, and an error takes several draws: {way_out}")


def flagged(engine: Engine, planner: Planner, text: str, m: object, params: Given = None) -> str:
    """A query with an added column `<name>__imputed` for each of its columns; its parameters are kept.

    Raises:
        QueryError: the text is not a query, a parameter has no value, two columns have the same name, or there are
            several draws.
    """
    if m not in (None, 1):
        raise QueryError("flags describe single values, and several draws have several: leave flags or m out")
    with engine.callers_frames(text, statement=True):
        statement = classified(engine, text).statement
        if not isinstance(statement, Query):
            raise QueryError("flags describe the rows of a SELECT: write one, or leave flags out")
        filled = engine.filled(statement, engine.constants(by_name(params)))
        assert isinstance(filled, Query)  # a filled query is a query
        try:
            names = engine.described(planner.with_files(filled.text))[0]
        finally:
            planner.release()
    lower = [name.lower() for name in names]
    twice = next((name for place, name in enumerate(names) if lower[place] in lower[:place]), None)
    if twice is not None:
        raise QueryError(f"two columns are called {twice!r}: rename one, so that each has its own flag")
    check_distinct_names(names, [name + FLAG for name in names], "flags")
    flags = "".join(f", IMPUTED({quoted((name,))}) AS {quoted((name + FLAG,))}" for name in names)
    return f"SELECT *{flags} FROM ({_alone(text)}) AS answer"


def _alone(text: str) -> str:
    """A statement without comments and semicolons before and after it."""
    found = [token for token in tokens(text) if token.text != ";"]
    return text.encode()[found[0].begin : found[-1].end].decode()
