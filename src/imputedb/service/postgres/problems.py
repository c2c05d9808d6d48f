"""Errors as PostgreSQL's messages: severity, SQLSTATE and text."""

from __future__ import annotations

from imputedb.border import ours
from imputedb.errors import (
    CannotImpute,
    DataError,
    Error,
    InternalError,
    QueryError,
    SqlSyntaxError,
    StorageError,
    UnknownName,
    Unplanned,
)
from imputedb.service.errors import Refusal
from imputedb.service.postgres.answers import ColumnsChanged
from imputedb.service.postgres.formats import error_response


def state_of(error: Error) -> str:
    """The SQLSTATE of an error."""
    match error:
        case Refusal():
            return error.state
        case SqlSyntaxError():
            return "42601"
        case UnknownName():
            return "42P01" if str(error).startswith("no table") or "Table with name" in str(error) else "42703"
        case Unplanned():
            return "0A000"
        case CannotImpute():
            return "22004"
        case StorageError():  # before DataError, of which it is one
            return "58030"
        case DataError():
            return "22000"
        case InternalError():
            return "XX000"
        case QueryError():
            return _of_query(str(error))
        case _:
            return "XX000"


def _of_query(message: str) -> str:
    known = (
        ("Referenced column", "42703"),
        ("Table with name", "42P01"),
        ("Function with name", "42883"),
        ("No function matches", "42883"),
        ("must appear in the GROUP BY", "42803"),
        ("Division by zero", "22012"),
        ("Conversion Error", "22P02"),
        ("Could not convert", "22P02"),
        ("Out of Range", "22003"),
    )
    return next((state for words, state in known if words in message), "42000")


def problem(error: Exception, severity: str = "ERROR") -> bytes:
    """An error as a message; the text of an internal error stays in the log, since it may hold values."""
    known = ours(error)
    state = state_of(known)
    message = str(known) if state != "XX000" else "a mistake of imputedb's; the log has its place"
    hint = ""
    if isinstance(known, Refusal) and known.retry_after is not None:
        hint = f"ask again in {known.retry_after} seconds"
    routine = known.routine if isinstance(known, ColumnsChanged) else ""
    return error_response("error", severity, state, message, hint, routine)
