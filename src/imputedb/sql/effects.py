"""The kind of a statement's result, by its tokens: rows, a number of changed rows, or nothing."""

from collections.abc import Sequence
from enum import Enum

from imputedb.sql.tokens import Token

_QUERIES = ("select", "from", "values", "table", "pivot", "pivot_wider", "unpivot", "pivot_longer", "(")
_SHOWS = ("show", "describe", "desc", "summarize", "explain")
_CALLS = ("call", "pragma")
_CHANGES = ("insert", "update", "delete", "merge")
_KEEPS = ("truncate", "create", "copy")


class Effect(Enum):
    """The kind of a statement's result."""

    ROWS = "rows"
    COUNT = "count"
    NOTHING = "nothing"
    UNKNOWN = "rows or nothing"


def effect(found: Sequence[Token]) -> Effect:
    """The kind of result of a statement; one that changes rows gives rows if it has RETURNING."""
    words = [token.word for token in found if token.depth == 0 and token.text != ";"]
    verb = words[0] if words else ""
    if verb == "with":
        verb = next((word for word in words if word in _QUERIES[:-1] + _CHANGES), "select")
    if verb in _CHANGES:
        return Effect.ROWS if "returning" in words else Effect.COUNT
    if verb in _QUERIES + _SHOWS:
        return Effect.ROWS
    if verb in _CALLS:
        return Effect.UNKNOWN
    return Effect.COUNT if verb in _KEEPS else Effect.NOTHING
