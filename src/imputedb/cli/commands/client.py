"""The command that sends a query to a service."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import click

from imputedb.cli.options import listed, number_of_draws, parameters, with_params
from imputedb.cli.questions import question
from imputedb.errors import QueryError, StorageError

_WISHES = ("alpha", "imputer", "seed", "fit", "m", "interval", "level", "method", "weights", "clusters", "within_ms",
           "error")  # fmt: skip


@click.command()
@click.argument("sql", required=False)
@click.option("-c", "--command", metavar="SQL", help="SQL, instead of the argument.")
@click.option("-f", "--file", metavar="FILE", help="File of SQL, instead of the argument.")
@click.option("--url", default="http://127.0.0.1:8080", show_default=True, help="Address of the service (HTTP).")
@click.option("--token-file", metavar="FILE", help="File of the token; default: the variable IMPUTEDB_TOKEN.")
@click.option("--authority", metavar="FILE", help="Certificates (PEM) to verify the service with.")
@click.option("--wait", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds to retry if busy.")
@with_params
@click.option("--alpha", type=float, help="0 for the best answer, 1 for the fastest.")
@click.option(
    "--imputer", metavar="NAMES", help="tree, knn, pmm, mean, hotdeck, drop, ...; several separated by commas."
)
@click.option("--seed", type=int, help="Random seed; equal seeds give equal answers.")
@click.option("--fit", type=click.Choice(["auto", "query", "table"]), help="Fit to the query's rows, or to tables.")
@click.option("--m", metavar="DRAWS", help="Number of draws, for intervals; auto for as many as needed, 1 for none.")
@click.option("--interval", type=click.Choice(["population", "answer"]), help="What intervals are about.")
@click.option("--level", type=float, help="Confidence level of intervals.")
@click.option("--method", type=click.Choice(["imputation", "aipw", "ml", "bounds"]), help="Method.")
@click.option("--weights", metavar="COLUMN", help="Column of sampling weights.")
@click.option("--clusters", metavar="COLUMN", help="Column of sampled clusters.")
@click.option("--within-ms", type=float, metavar="MS", help="Time limit in milliseconds.")
@click.option("--error", type=float, metavar="SHARE", help="Largest relative half-width of intervals, such as 0.02.")
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json", "jsonl"]), default="table", help="Output format."
)
def client(
    sql: str | None,
    command: str | None,
    file: str | None,
    url: str,
    token_file: str | None,
    authority: str | None,
    wait: float,
    params: tuple[str, ...],
    form: str,
    **wishes: Any,
) -> None:
    """Send SQL to a service; SQL is an argument, -c, -f, or standard input.

    Options that are not given have the service's defaults. Warnings go to standard error. The exit code is 1 if not all
    rows were sent.
    """
    from imputedb.service.client import Client

    (text,) = _one(question(None, sql, command, file).texts)
    given = {name: wishes[name] for name in _WISHES if wishes[name] is not None}
    if "m" in given:
        given["m"] = number_of_draws(given["m"])
    if "imputer" in given:
        given["imputer"] = listed(given["imputer"])
    request = {"sql": text, "parameters": parameters(text, params), **given}
    there = Client(url, _token(token_file), None if authority is None else Path(authority), wait)
    answer = there.post("/v1/query", request)
    try:
        columns, rows, report = answer["columns"], answer["rows"], answer["report"]
        warnings = [*report["warnings"], *report["notes"]]
    except (KeyError, TypeError) as error:
        raise StorageError(f"{url} does not answer as imputedb's service does") from error
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(_written(form, columns, rows), nl=False)
    if answer["truncated"]:
        raise QueryError(f"these are the first {len(rows):,} rows, and there are more: add LIMIT, or aggregate")


def _one(texts: tuple[str, ...]) -> tuple[str, ...]:
    if len(texts) != 1:
        raise QueryError(f"a service takes one statement at a time; these are {len(texts)}")
    return texts


def _token(file: str | None) -> str | None:
    """The token from a file or from the environment. It is never an argument, since other users can see arguments.

    Raises:
        StorageError: the file cannot be read.
    """
    if file is None:
        return os.environ.get("IMPUTEDB_TOKEN") or None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from error


def _written(form: str, columns: list[str], rows: list[list[object]]) -> str:
    if form == "table":
        from imputedb.cli.output.tables import printed, rows_table

        return printed(rows_table(columns, rows)) + "\n"
    if form == "csv":
        sink = io.StringIO()
        writer = csv.writer(sink, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
        return sink.getvalue()
    records = [dict(zip(columns, row, strict=True)) for row in rows]
    return "".join(json.dumps(one) + "\n" for one in records) if form == "jsonl" else json.dumps(records) + "\n"
