"""Whether an answer is rows or says how many a statement has changed: by the statement, not by its columns' names."""

from imputedb.engines.duckdb.engine import DuckDB
from imputedb.result import Result
from imputedb.sql.effects import Effect, effect
from imputedb.sql.policy_statement import PolicyStatement
from imputedb.sql.statements import Execute, Query

UNCOUNTED = -1
"""Of a statement that gives no rows, and does not say how many it has changed."""


def counted(engine: DuckDB, text: str, found: Result, shown: Result) -> Result:
    """The result that is shown of a statement, which notes how many rows have changed by what was found."""
    shown.changed = _changed(engine, text, found)
    return shown


def _changed(engine: DuckDB, text: str, result: Result) -> int | None:
    """How many rows a statement, or the one that it executes, has changed; None of one that gives rows."""
    statement = engine.texts.statement(text)
    if isinstance(statement, Query | PolicyStatement):
        return None
    gives = effect(engine.texts.prepared(statement.name) if isinstance(statement, Execute) else text)
    if gives is Effect.ROWS or (gives is Effect.UNKNOWN and len(result)):
        return None
    if gives is Effect.COUNT and result.columns == ["Count"]:
        counts = [count for (count,) in result]
        return int(counts[0]) if counts else UNCOUNTED
    return UNCOUNTED if result.columns in (["Success"], ["Count"]) else None
