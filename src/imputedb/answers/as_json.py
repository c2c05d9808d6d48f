"""An answer as JSON-ready data."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from imputedb import notes
from imputedb.result import Result


def as_data(result: Result) -> dict[str, Any]:
    """Columns, rows and report."""
    return {
        "columns": result.columns,
        "rows": plain_rows(result.fetchall()),
        "report": report_data(result),
    }


def plain_rows(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Rows of JSON-ready values."""
    return [[plain(value) for value in row] for row in rows]


def report_data(result: Result) -> dict[str, Any]:
    """The report with the plan."""
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
        "warnings": list(map(notes.as_data, report.warnings)),
        "notes": list(map(notes.as_data, report.notes)),
        "convergence": plain(known["convergence"]),
        "budget": plain(known["budget"]),
    }


def _intervals(result: Result) -> dict[str, object]:
    """What the intervals are about, and their level; None for both where there are none."""
    one = next((one for row in result.estimates for one in row.values()), None) if result.has_estimates else None
    return {"interval": one.question if one else None, "level": one.level if one else None}


def plain(value: Any) -> Any:
    """A JSON-ready value: decimals as numbers, NaN and infinities as text, times in ISO 8601, bytes in hexadecimal."""
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
