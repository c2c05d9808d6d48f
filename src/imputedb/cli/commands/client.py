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
@click.option("-c", "--command", metavar="SQL", help="SQL in place of the argument.")
@click.option("-f", "--file", metavar="FILE", help="A file of SQL.")
@click.option("--url", default="http://127.0.0.1:8080", show_default=True, help="Of the service's HTTP door.")
@click.option("--token-file", metavar="FILE", help="Holds the token; without, IMPUTEDB_TOKEN of the environment does.")
@click.option("--authority", metavar="FILE", help="Certificates (PEM) that the service's own is checked against.")
@click.option("--wait", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds, if it is busy.")
@with_params
@click.option("--alpha", type=float, help="0: the best answer; 1: the fastest.")
@click.option("--imputer", metavar="NAMES", help="tree, knn, pmm, mean, hotdeck, drop...; several with commas.")
@click.option("--seed", type=int, help="One seed gives one answer.")
@click.option("--fit", type=click.Choice(["auto", "query", "table"]), help="table: kept models.")
@click.option("--m", metavar="DRAWS", help="Draws for intervals, or auto; 1: none.")
@click.option("--interval", type=click.Choice(["population", "answer"]), help="What it is about.")
@click.option("--level", type=float, help="Of the intervals' confidence.")
@click.option("--method", type=click.Choice(["imputation", "aipw", "ml", "bounds"]), help="Of answering.")
@click.option("--weights", metavar="COLUMN", help="Of sampling weights.")
@click.option("--clusters", metavar="COLUMN", help="Of clusters that were sampled.")
@click.option("--within-ms", type=float, metavar="MS", help="Milliseconds that the answer may take.")
@click.option("--error", type=float, metavar="SHARE", help="Of intervals: half their width beside the number, as 0.02.")
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json", "jsonl"]), default="table", help="Of rows."
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
    """Ask a service that runs elsewhere; SQL is an argument, -c, -f, or standard input.

    What is not given is the service's own. Warnings go to standard error. Where not all rows came, it exits with 1.
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
        raise QueryError(f"a service is asked one statement at a time; these are {len(texts)}")
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
