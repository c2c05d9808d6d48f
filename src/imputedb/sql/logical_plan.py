"""DuckDB's logical plan of a query that reads one table, as JSON: whether it binds, and what it reads."""

from collections.abc import Mapping
from typing import Any

Plan = Mapping[str, Any]


def does_not_bind(plan: Plan) -> bool:
    """Whether DuckDB refuses a statement, and not only to write its plan: readers of files have none in text."""
    unwritten = plan.get("error_type") == "not implemented" or "serializ" in str(plan.get("error_message")).lower()
    return is_none(plan) and not unwritten


def is_none(plan: Plan) -> bool:
    """Whether there is an error in the place of a plan."""
    return bool(plan.get("error"))


def path_read(plan: Plan) -> tuple[str, ...]:
    """The path of the table that a plan of `SELECT 1 FROM path` reads itself: none of a view's, which is a projection.

    Of a table in a schema within another it has more than three parts.
    """
    if is_none(plan):
        return ()
    (below,) = plan["plans"][0]["children"]
    read = below.get("function_data") or {}
    path = read.get("qualified_name", {}).get("path", ())
    return tuple(path) if below["type"] == "LOGICAL_GET" else ()
