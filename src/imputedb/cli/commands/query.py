"""Commands about queries: run one, explain its plan, list the frontier of plans, start a shell."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from click.core import ParameterSource

from imputedb.cli.database import shown_progress
from imputedb.cli.options import (
    listed,
    number_of_cycles,
    number_of_draws,
    parameters,
    trial_imputer,
    with_fit,
    with_params,
    with_planning,
    with_trial,
)
from imputedb.cli.questions import database_at, question, with_question
from imputedb.cli.thresholds import ANSWER, check, of_answer, thresholds
from imputedb.errors import QueryError

if TYPE_CHECKING:
    from imputedb.answers.request import Fit
    from imputedb.cli.questions import Question as Statements
    from imputedb.notes import Question


@click.command()
@with_question
@with_planning
@with_params
@click.option("--flags", is_flag=True, help="Add a column NAME__imputed for each column.")
@click.option("--na", help="Words for missing values in files, separated by commas; '' for none.")
@click.option("--fail-on", metavar="FIGURES", help="Exit code 3 if exceeded: imputed>0.2,fmi>0.5,rhat>1.1,penalty>0.5.")
@click.option("--rows", type=click.IntRange(min=0), default=40, show_default=True, help="Maximum number of rows shown.")
@click.option("--m", "draws", default="1", show_default=True, help="Number of draws, for intervals; or auto.")
@click.option(
    "--interval", type=click.Choice(["population", "answer"]), default="population", help="What intervals are about."
)
@click.option("--level", type=float, default=0.95, show_default=True, help="Confidence level of intervals.")
@click.option(
    "--method", type=click.Choice(["imputation", "aipw", "ml", "bounds"]), default="imputation", help="Method."
)
@click.option("--cycles", default="auto", show_default=True, help="Number of cycles of chained equations, or auto.")
@click.option("--weights", metavar="COLUMN", help="Column of sampling weights, for AVG, SUM and COUNT.")
@click.option("--clusters", metavar="COLUMN", help="Column of sampled clusters, for intervals.")
@click.option("--within-ms", type=float, metavar="MS", help="Time limit in milliseconds.")
@click.option("--error", type=float, metavar="SHARE", help="Largest relative half-width of intervals, such as 0.02.")
@click.option(
    "--measure", "measures", multiple=True, metavar="NAME", help="Measure of an installed package; repeatable."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "tsv", "json", "jsonl", "markdown", "line", "parquet"]),
    help="Output format; default: by the extension of FILE, else a table.",
)
@click.option(
    "--output",
    metavar="FILE",
    help="File to write atomically (.csv, .tsv, .json, .jsonl, .md, .parquet, .txt).",
)
@with_trial
def query(
    db: str | None,
    sql: str | None,
    command: str | None,
    file: str | None,
    na: str | None,
    fail_on: str | None,
    rows: int,
    alpha: float,
    imputer: str,
    seed: int,
    strategy: str,
    fit: Fit,
    draws: str,
    interval: Question,
    level: float,
    method: Literal["imputation", "aipw", "ml", "bounds"],
    cycles: str,
    weights: str | None,
    clusters: str | None,
    within_ms: float | None,
    error: float | None,
    form: str | None,
    output: str | None,
    params: tuple[str, ...],
    measures: tuple[str, ...],
    treatment: str | None,
    reference: str | None,
    visits: str,
    covariates: str,
    *,
    flags: bool,
) -> None:
    """Answer SQL over DB, a database or a file of data, as if nothing were missing.

    Without DB the query names files: FROM 'survey.csv'. SQL is an argument, -c, -f, or standard input.
    """
    from imputedb.cli.output.answers import write
    from imputedb.files import check_place

    form = form or _format_of(output)
    if form == "parquet" and output is None:
        raise QueryError("parquet is not a text format: give --output FILE")
    if output is not None:
        check_place(output)
    if error is None:
        _check_has_intervals(draws, method)
    wanted, given = thresholds(fail_on, ANSWER), question(db, sql, command, file)
    _check_is_one(given.texts, output, form)
    wishes: dict[str, Any] = {
        "alpha": alpha,
        "imputer": trial_imputer(imputer, treatment, reference, visits, covariates) or listed(imputer),
        "seed": seed,
        "strategy": strategy,
        "fit": fit,
        "m": number_of_draws(draws) if _is_given("draws") or draws != "1" else None,
        "interval": interval,
        "level": level,
        "method": method,
        "cycles": number_of_cycles(cycles),
        "measures": measures,
        "weights": weights,
        "clusters": clusters,
        "flags": flags,
        "within_ms": within_ms,
        "error": error,
    }
    _check_is_no_source(given, output)
    with given.database(None if na is None else listed(na)) as (database, texts):
        for text in texts:
            with shown_progress() as progress:
                result = database.sql(text, parameters(text, params), progress=progress, **wishes)
            write(result, form, output, rows)
            check(wanted, of_answer(database, result) if wanted else {})


def _check_is_one(texts: Sequence[str], output: str | None, form: str) -> None:
    """Refuses several statements where the output is one file, or a format that programs parse."""
    if len(texts) > 1 and (output is not None or form != "table"):
        raise QueryError(f"{output or form} holds the rows of one statement, and there are {len(texts)}: give one")


_FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".md": "markdown",
    ".parquet": "parquet",
    ".txt": "table",
}


def _check_is_no_source(given: Statements, output: str | None) -> None:
    """Refuses an output path that is also an input: the database, or a file that a statement reads.

    Raises:
        QueryError: a string literal of a statement is the path of the output file, or a pattern that matches it.
    """
    if output is None or not Path(output).exists():
        return
    names = [name for text in given.texts for pair in re.findall(r"'([^']*)'|\"([^\"]*)\"", text) for name in pair]
    for name in filter(None, [given.of, *names]):
        with suppress(OSError, ValueError):  # the literal is not a path
            if any(Path(one).samefile(output) for one in (name, *glob(name, recursive=True)) if Path(one).exists()):
                raise QueryError(f"{output} is read by the query, and cannot hold its answer: name another file")


def _format_of(output: str | None) -> str:
    """The format that the extension of a file's name stands for.

    Raises:
        QueryError: no format has this extension.
    """
    if output is None:
        return "table"
    suffix = Path(output).suffix.lower()
    if suffix not in _FORMATS:
        raise QueryError(f"{output}: files end in {', '.join(_FORMATS)}; for another name add --format csv, say")
    return _FORMATS[suffix]


def _is_given(name: str) -> bool:
    """Whether an option stands in the command line."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def _check_has_intervals(draws: str, method: str) -> None:
    for name in ("interval", "level"):
        if _is_given(name) and draws == "1" and method == "imputation":
            raise QueryError(f"--{name} is about intervals, and one draw has none: add --m 20, or --method aipw")


@click.command()
@click.argument("db")
@click.argument("sql")
@with_planning
@with_params
@click.option("--analyze", is_flag=True, help="Run the query, and show measured rows and times.")
@click.option("--format", "form", type=click.Choice(["tree", "json", "dot"]), default="tree")
def explain(
    db: str,
    sql: str,
    alpha: float,
    imputer: str,
    seed: int,
    strategy: str,
    fit: Fit,
    form: str,
    params: tuple[str, ...],
    *,
    analyze: bool,
) -> None:
    """Show the plan that answers SQL over DB, a database or a file of data."""
    with database_at(db, create=False) as database:
        explanation = database.explain(
            sql,
            parameters(sql, params),
            alpha=alpha,
            imputer=listed(imputer),
            seed=seed,
            strategy=strategy,
            fit=fit,
            analyze=analyze,
        )
        match form:
            case "json":
                click.echo(json.dumps(explanation.data(), indent=2, ensure_ascii=False))
            case "dot":
                click.echo(explanation.dot())
            case _:
                click.echo(explanation.text)


@click.command()
@click.argument("db")
@click.argument("sql")
@click.option(
    "--imputer",
    default="tree",
    show_default=True,
    help="tree, knn, pmm, mean, hotdeck, drop, ...; several separated by commas.",
)
@with_fit
@with_params
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
def frontier(db: str, sql: str, imputer: str, fit: Fit, form: str, params: tuple[str, ...]) -> None:
    """Show the plans that no other plan beats in both penalty and time, and the alphas that choose them."""
    from imputedb.cli.output.tables import frontier_table, printed

    with database_at(db, create=False) as database:
        found = database.frontier(sql, parameters(sql, params), imputer=listed(imputer), fit=fit)
        if form == "json":
            click.echo(json.dumps([point.data() for point in found or ()], indent=2, ensure_ascii=False))
        elif found is None:
            click.echo("nothing missing is read: DuckDB runs the text as it stands")
        else:
            click.echo(printed(frontier_table(found)))


@click.command()
@click.argument("db", required=False)
def shell(db: str | None) -> None:
    """Open a prompt for DB, a database or a file of data, with history and completion.

    The exit code is 1 if a statement of standard input fails.
    """
    from imputedb.cli.questions import database_at
    from imputedb.cli.shell import Shell

    with database_at(db) as database:
        talk = Shell(database)
        talk.loop()
    if talk.failed and not sys.stdin.isatty():
        click.get_current_context().exit(1)
