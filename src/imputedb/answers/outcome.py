"""Whether an answer is rows or says how many a statement has changed: by the statement, not by its columns' names."""

from imputedb.engines.engine import Engine
from imputedb.result import Result
from imputedb.sql.effects import Effect
from imputedb.sql.statements import Classified, Execute

UNCOUNTED = -1
"""Of a statement that gives no rows, and does not say how many it has changed."""


def counted(engine: Engine, told: Classified, found: Result, shown: Result) -> Result:
    """The result that is shown of a statement, which notes how many rows have changed by what was found."""
    shown.changed = _changed(_effect(engine, told), found)
    return shown


def _effect(engine: Engine, told: Classified) -> Effect:
    """What a statement gives, or the one that it executes."""
    if isinstance(told.statement, Execute):
        return engine.prepared(told.statement.name).effect
    return told.effect


def _changed(gives: Effect, result: Result) -> int | None:
    """How many rows have changed; None of a statement that gives rows."""
    if gives is Effect.ROWS or (gives is Effect.UNKNOWN and len(result)):
        return None
    if gives is Effect.COUNT and result.columns == ["Count"]:
        counts = [count for (count,) in result]
        return int(counts[0]) if counts else UNCOUNTED
    return UNCOUNTED if result.columns in (["Success"], ["Count"]) else None
