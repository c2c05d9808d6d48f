"""Queries that show of each value whether it was imputed."""

from imputedb.answers.understand import classified
from imputedb.engines.engine import Engine
from imputedb.errors import QueryError
from imputedb.markup import FLAG
from imputedb.sql.parameters import Given, by_name
from imputedb.sql.paths import quoted
from imputedb.sql.statements import Query
from imputedb.sql.tokens import tokens


def flagged(engine: Engine, text: str, m: object, params: Given = None) -> str:
    """A query with a column `<name>__imputed` more for each of its columns; its parameters stay in it.

    Raises:
        QueryError: the text is no query, a parameter has no value, two of its columns have one name, or its answer is
            of several draws.
    """
    if m != 1:
        raise QueryError("flags are of single values, and several draws have several: leave flags or m out")
    with engine.callers_frames(text, statement=True):
        statement = classified(engine, text).statement
        if not isinstance(statement, Query):
            raise QueryError("flags are of the rows that a SELECT gives: ask one, or leave flags out")
        filled = engine.filled(statement, engine.constants(by_name(params)))
        assert isinstance(filled, Query)  # as what is filled
        names = engine.described(filled.text)[0]
    lower = [name.lower() for name in names]
    twice = next((name for place, name in enumerate(names) if lower[place] in lower[:place]), None)
    if twice is not None:
        raise QueryError(f"two columns are called {twice!r}: name them apart, so that each has a flag of its own")
    flags = "".join(f", IMPUTED({quoted((name,))}) AS {quoted((name + FLAG,))}" for name in names)
    return f"SELECT *{flags} FROM ({_alone(text)}) AS answer"


def _alone(text: str) -> str:
    """A statement without what stands before its first token and behind its last: comments and semicolons."""
    found = [token for token in tokens(text) if token.text != ";"]
    return text.encode()[found[0].begin : found[-1].end].decode()
