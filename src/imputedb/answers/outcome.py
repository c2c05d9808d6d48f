"""The kind of an answer, rows or a number of changed rows, by the kind of statement."""

from imputedb.engines.engine import Engine
from imputedb.result import Result
from imputedb.sql.effects import Effect
from imputedb.sql.statements import Classified, Execute

UNCOUNTED = -1
"""The number of changed rows of a statement that returns neither rows nor their number."""


def counted(engine: Engine, parsed: Classified, found: Result, shown: Result) -> Result:
    """The result to show for a statement, with the number of changed rows from the engine's result."""
    shown.changed = _changed(_effect(engine, parsed), found)
    return shown


def _effect(engine: Engine, parsed: Classified) -> Effect:
    """The kind of result of a statement; for EXECUTE, that of the prepared statement."""
    if isinstance(parsed.statement, Execute):
        return engine.prepared(parsed.statement.name).effect
    return parsed.effect


def _changed(gives: Effect, result: Result) -> int | None:
    """The number of changed rows; None for a statement that returns rows."""
    if gives is Effect.ROWS or (gives is Effect.UNKNOWN and len(result)):
        return None
    if gives is Effect.COUNT and result.columns == ["Count"]:
        counts = [count for (count,) in result]
        return int(counts[0]) if counts else UNCOUNTED
    return UNCOUNTED if result.columns in (["Success"], ["Count"]) else None
