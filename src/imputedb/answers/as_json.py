"""An answer as JSON-ready data."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from imputedb.result import Result


def as_data(result: Result) -> dict[str, Any]:
    """Columns, rows and report."""
    return {
        "columns": result.columns,
        "rows": plain_rows(result.fetchall()),
        "report": report_data(result),
    }


def plain_rows(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Rows of values as JSON has them."""
    return [[plain(value) for value in row] for row in rows]


def report_data(result: Result) -> dict[str, Any]:
    """What was done, with the plan."""
    report = result.report
    wanted = ("alpha", "imputer", "seed", "penalty", "strategy", "planning_ms", "execution_ms")
    known = asdict(report)
    return {
        **{name: known[name] for name in wanted},
        "m": report.m,
        "method": report.strategy if report.strategy in ("aipw", "ml", "bounds") else "imputation",
        **_intervals(result),
        "plan": result.plan,
        "imputed": dict(report.imputed),
        "methods": dict(report.methods),
        "policies": dict(report.policies),
        "avoided": dict(report.avoided),
        "dropped": report.dropped,
        "warnings": list(report.warnings),
        "notes": list(report.notes),
        "convergence": plain(known["convergence"]),
        "budget": plain(known["budget"]),
    }


def _intervals(result: Result) -> dict[str, object]:
    """What intervals are about, and their level; nothing known where there are none."""
    one = next((one for row in result.estimates for one in row.values()), None) if result.has_estimates else None
    return {"interval": one.question if one else None, "level": one.level if one else None}


def plain(value: Any) -> Any:
    """A value as JSON has it: decimals as numbers, NaN and infinities as text, moments in ISO 8601, bytes in hex."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case Decimal():
            return float(value)
        case list() | tuple():
            return [plain(part) for part in value]
        case dict():
            return {str(name): plain(part) for name, part in value.items()}
        case bytes() | bytearray():
            return value.hex()
        case _:
            return value.isoformat() if hasattr(value, "isoformat") else str(value)
