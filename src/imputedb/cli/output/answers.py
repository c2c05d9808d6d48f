"""Answers in the formats of `imputedb query`."""

import csv
import io
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from imputedb.answers.as_json import as_data, plain
from imputedb.cli.output.tables import SHOWN, printed, rows_table
from imputedb.diagnostics.likelihood import Likely
from imputedb.inference.doubly_robust import Robust
from imputedb.inference.estimate import Estimate
from imputedb.inference.pooling import Pool
from imputedb.result import Budget, Report, Result


def write(result: Result, form: str, output: str | None, rows: int = SHOWN) -> None:
    """Writes an answer to standard output or to a file, and its warnings to standard error."""
    remark(result.report)
    if form == "parquet" and output is not None:
        result.write(output, form)
        return
    text = as_table(result, rows if output is None else len(result)) if form == "table" else TEXTS[form](result)
    if output is None:
        sys.stdout.write(text)
        return
    from imputedb.files import published

    with published(output) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        file.write(text)


def remark(report: Report) -> None:
    """Prints the warnings and the budget of an answer to standard error."""
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
        click.echo(json.dumps({name: [plain(cell) for cell in cells] for name, cells in table.items()}))
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))


def as_table(result: Result, most: int = SHOWN) -> str:
    """At most so many rows as a drawn table, with a summary below."""
    rows = result.fetchall()
    more = f"\n{most:,} of {len(rows):,} rows are shown" if len(rows) > most else ""
    if not result.has_estimates:
        return f"{printed(rows_table(result.columns, rows, most))}{more}\n\n{summary(result.report, len(rows))}\n"
    columns, shown = with_intervals(result, rows)
    return (
        f"{printed(rows_table(columns, shown, most))}{more}\n\n{summary(result.report, len(rows))}\n{about(result)}\n"
    )


def with_intervals(result: Result, rows: Sequence[Sequence[object]]) -> tuple[list[str], list[list[object]]]:
    """The columns and rows of a pooled answer: estimates with intervals and the fraction of missing information."""
    numbers = {name for row in result.estimates for name in row}
    parts = {f"{name}_{part}" for name in numbers for part in ("se", "low", "high")}
    kept = [place for place, name in enumerate(result.columns) if name not in parts]
    shown = [
        [_shown(row[place], result.columns[place], known) for place in kept]
        for row, known in zip(rows, result.estimates, strict=True)
    ]
    titles = [result.columns[place] for place in kept]
    short = [f"fmi {title.removesuffix('_fmi')}" if title.removesuffix("_fmi") in numbers and title.endswith("_fmi")
             else title for title in titles]  # fmt: skip
    return short, shown


def _shown(value: Any, name: str, known: Mapping[str, Estimate | Robust | Likely]) -> object:
    if name in known and value is not None:
        low, high = known[name].interval()
        at = f"{value:.6g}"
        return at if math.isnan(low) else f"{at} [{low:.6g}, {high:.6g}]"
    if isinstance(value, float) and (name.endswith("_fmi") or name == "in_draws"):
        return f"{value:.0%}"
    return value


def about(result: Result) -> str:
    """One line on what the intervals are about and what they assume."""
    one = next((one for row in result.estimates for one in row.values()), None)
    if one is None:
        return f"pooled of {result.report.m} draws"
    what = {
        "population": "for the population that the table is a sample of",
        "answer": "for the answer if nothing were missing",
    }[one.question]
    how = {"aipw": "doubly robust", "ml": "maximum likelihood"}.get(
        result.report.strategy, f"pooled of {result.report.m} draws"
    )
    chains = result.report.convergence
    moved = f"; R-hat at worst {chains.rhat:.3f} ({chains.statistic})" if chains else ""
    return f"{how}; {one.level:.0%} intervals {what}, missing at random assumed{moved}"


def summary(report: Report, rows: int) -> str:
    """One line on how the answer was computed."""
    done = f"{rows:,} row{'' if rows == 1 else 's'} in {report.planning_ms + report.execution_ms:.1f} ms"
    done += _kept_to(report.budget) if report.budget else ""
    if report.strategy == "verbatim":
        return f"{done}; nothing missing was read"
    if report.strategy in ("aipw", "ml", "bounds"):
        return f"{done}; nothing was imputed"
    cells = ", ".join(_filled(report, column, count) for column, count in report.imputed.items() if count) or "nothing"
    spared = f" ({sum(report.avoided.values()):,} more were not needed)" if report.avoided else ""
    return f"{done}; penalty {report.penalty:.4f}; imputed {cells}{spared}; dropped {report.dropped:,} rows"


def _kept_to(budget: Budget) -> str:
    """The budget of an answer: as set, as predicted, and as reached."""
    text = ""
    if budget.within_ms is not None and budget.predicted_ms is not None:
        text += (
            f"; within {budget.within_ms:g} ms, predicted {budget.predicted_ms:.1f}, reached {budget.reached_ms:.1f}"
        )
    if budget.error is not None and budget.reached_error is not None:
        predicted = "" if budget.predicted_error is None else f", predicted {budget.predicted_error:.3g}"
        text += f"; error {budget.error:.3g} at most{predicted}, reached {budget.reached_error:.3g}"
    return text


def _filled(report: Report, column: str, count: int) -> str:
    """The number of imputed cells of a column, with the method where it is another than the chosen imputer."""
    method = report.methods.get(column, "")
    return f"{count:,} of {column}" + ("" if method in report.imputer.split(",") else f" by {method}")


def as_csv(result: Result, delimiter: str = ",") -> str:
    """Rows as CSV with a header; NULL is an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", delimiter=delimiter)
    writer.writerow(result.columns)
    writer.writerows(result.fetchall())
    return text.getvalue()


def as_tsv(result: Result) -> str:
    """Rows with tab-separated values."""
    return as_csv(result, "\t")


def as_json_lines(result: Result) -> str:
    """Rows as JSON Lines, one object for each row."""
    rows = [dict(zip(result.columns, map(plain, row), strict=True)) for row in result.fetchall()]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def as_markdown(result: Result) -> str:
    """Rows as a Markdown table."""
    rows = [list(map(_in_markdown, row)) for row in result.fetchall()]
    lines = [list(map(_in_markdown, result.columns)), ["---"] * len(result.columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _in_markdown(value: object) -> str:
    text = _cell(value).replace("\\", "\\\\").replace("|", "\\|")
    return "<br>".join(text.splitlines()) if text else text


def as_lines(result: Result) -> str:
    """One line for each value, with a line between rows."""
    width = max(map(len, result.columns), default=0)
    rows = [zip(result.columns, row, strict=True) for row in result.fetchall()]
    return "\n".join("".join(f"{name:>{width}} = {_cell(value)}\n" for name, value in row) for row in rows)


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def as_json(result: Result) -> str:
    """Columns, rows and report as JSON."""
    return json.dumps(as_data(result), ensure_ascii=False) + "\n"


TEXTS: Mapping[str, Callable[[Result], str]] = {
    "table": as_table,
    "csv": as_csv,
    "tsv": as_tsv,
    "json": as_json,
    "jsonl": as_json_lines,
    "markdown": as_markdown,
    "line": as_lines,
}
"""The formats of text, by name."""
