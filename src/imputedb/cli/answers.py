"""Answers in the formats of `imputedb query`."""

import csv
import io
import json
import math
import sys
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import click

from imputedb.cli.tables import printed, rows_table
from imputedb.inference.pooling import Pool
from imputedb.result import Report, Result


def write(result: Result, form: str, output: str | None) -> None:
    """Writes an answer to standard output or to a file, and its warnings to standard error."""
    remark(result.report)
    if form == "parquet" and output is not None:
        result.write(output, form)
        return
    text = {"table": as_table, "csv": as_csv, "json": as_json}[form](result)
    if output is None:
        sys.stdout.write(text)
        return
    from imputedb.engines.publish import published

    with published(output) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        file.write(text)


def remark(report: Report) -> None:
    """What a reader of the answer must know, to standard error."""
    for warning in report.warnings:
        click.echo(f"warning: {warning}", err=True)
    for note in report.notes:
        click.echo(f"note: {note}", err=True)


def write_pool(pool: Pool, form: str) -> None:
    """Writes pooled estimates to standard output: a table of the main columns, or all columns as CSV or JSON."""
    if form == "table":
        click.echo(str(pool))
        return
    table = pool.table()
    if form == "json":
        click.echo(json.dumps({name: [_plain(cell) for cell in cells] for name, cells in table.items()}))
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))


def as_table(result: Result) -> str:
    """Rows in a drawn table, with a line of what was done."""
    rows = result.fetchall()
    return f"{printed(rows_table(result.columns, rows))}\n\n{summary(result.report, len(rows))}\n"


def summary(report: Report, rows: int) -> str:
    """What was done, in a line."""
    done = f"{rows:,} row{'' if rows == 1 else 's'} in {report.planning_ms + report.execution_ms:.1f} ms"
    if report.strategy == "verbatim":
        return f"{done}; nothing missing was read"
    cells = ", ".join(f"{count:,} of {column}" for column, count in report.imputed.items() if count) or "nothing"
    spared = f" ({sum(report.avoided.values()):,} more were not needed)" if report.avoided else ""
    return f"{done}; penalty {report.penalty:.4f}; imputed {cells}{spared}; dropped {report.dropped:,} rows"


def as_csv(result: Result) -> str:
    """Rows as CSV with a header, NULL as nothing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(result.columns)
    writer.writerows(result.fetchall())
    return text.getvalue()


def as_json(result: Result) -> str:
    """Columns, rows and report."""
    return json.dumps(as_data(result), ensure_ascii=False) + "\n"


def as_data(result: Result) -> dict[str, Any]:
    """Columns, rows and report as JSON-ready data."""
    report = result.report
    wanted = ("alpha", "imputer", "seed", "penalty", "strategy", "planning_ms", "execution_ms")
    known = asdict(report)
    return {
        "columns": result.columns,
        "rows": [[_plain(value) for value in row] for row in result.fetchall()],
        "report": {
            **{name: known[name] for name in wanted},
            "plan": result.plan,
            "imputed": dict(report.imputed),
            "avoided": dict(report.avoided),
            "dropped": report.dropped,
            "warnings": list(report.warnings),
            "notes": list(report.notes),
        },
    }


def _plain(value: Any) -> Any:
    """A value as JSON has it: decimals as numbers, NaN and infinities as text, moments in ISO 8601."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case Decimal():
            return float(value)
        case list() | tuple():
            return [_plain(part) for part in value]
        case dict():
            return {str(name): _plain(part) for name, part in value.items()}
        case _:
            return value.isoformat() if hasattr(value, "isoformat") else str(value)
