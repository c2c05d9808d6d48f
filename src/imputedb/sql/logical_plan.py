"""DuckDB's logical plans, as JSON, of queries over one table: whether they bind, and what they read."""

from collections.abc import Mapping
from typing import Any

Plan = Mapping[str, Any]


def does_not_bind(plan: Plan) -> bool:
    """Whether DuckDB rejects the statement itself; some functions that read files bind but cannot be shown as JSON."""
    unwritten = plan.get("error_type") == "not implemented" or "serializ" in str(plan.get("error_message")).lower()
    return is_none(plan) and not unwritten


def is_none(plan: Plan) -> bool:
    """Whether there is an error instead of a plan."""
    return bool(plan.get("error"))


def path_read(plan: Plan) -> tuple[str, ...]:
    """The path of the table that a plan of `SELECT 1 FROM path` scans; empty for a view, which is a projection.

    For a table in a nested schema the path has more than three parts.
    """
    if is_none(plan):
        return ()
    (below,) = plan["plans"][0]["children"]
    read = below.get("function_data") or {}
    path = read.get("qualified_name", {}).get("path", ())
    return tuple(path) if below["type"] == "LOGICAL_GET" else ()
