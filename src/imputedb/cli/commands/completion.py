"""Commands about completed data sets: make them, fit models to them, report on them, pool estimates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from imputedb.cli.copies import copies, with_copies
from imputedb.cli.database import opened, shown_progress
from imputedb.cli.options import whole_numbers
from imputedb.cli.questions import database_at
from imputedb.cli.thresholds import POOL, check, of_pool, thresholds
from imputedb.errors import QueryError, StorageError

if TYPE_CHECKING:
    from imputedb.completion.completed import Completed
    from imputedb.completion.estimate import Estimate


@click.command()
@click.argument("db")
@click.argument("source")
@click.option("--out", required=True, metavar="DIR", help="Folder of the run, which appears when it is complete.")
@with_copies
@click.option(
    "--draw", "draws", multiple=True, metavar="N|A-B", help="Only write these draws; other processes write others."
)
@click.option("--beside", is_flag=True, help="Keep the current run; `runs promote` can make this one current.")
@click.option(
    "--budget",
    type=float,
    metavar="SECONDS",
    help="Limit of processor time; the run stops before it, and can be continued.",
)
@click.option("--contract", metavar="FILE", help="Conditions on rows and run (TOML); exit code 3 if violated.")
@click.option("--report", metavar="FILE", help="The result of each check of the contract, as JSON.")
@click.option("--breaker", type=int, metavar="N", help="After N failures in a row serve the last good run for an hour.")
@click.option("--estimate", is_flag=True, help="Estimate the cost of the run from a sample, without making it.")
@click.option("--archive", is_flag=True, help="Store the rows, so that `runs repeat` can make the run again.")
def impute(db: str, source: str, out: str, draws: tuple[str, ...], **options: Any) -> None:
    """Write m completed copies of SOURCE, a table or a SELECT over DB, a database or a file of data, with a manifest.

    The run appears atomically, and a killed run is continued. With --draw nothing is published: several processes write
    draws at once, and the same command without it writes the remaining draws and publishes the run.
    """
    estimate = options.pop("estimate")
    terms = {name: options.pop(name) for name in ("beside", "budget", "contract", "report", "archive", "breaker")}
    wanted = copies(source, **options)
    with database_at(db, create=False, read_only=bool(draws)) as database, shown_progress() as progress:
        if estimate:
            _show_estimate(database.estimate(source, **wanted), terms["budget"])
            return
        if draws:
            if any(value not in (None, False) for value in terms.values()):
                names = ", ".join(f"--{name}" for name in terms)
                raise QueryError(f"{names} are of the run that is published: leave out --draw")
            numbers = [number for one in draws for number in whole_numbers(one)]
            run = database.impute_draws(source, out, numbers, **wanted, progress=progress)
            click.echo(f"{run}: drawn {', '.join(draws)} of {wanted['m']}", err=True)
            return
        done = database.impute(source, out, **wanted, **terms, progress=progress)
    _show(done)


@click.command()
@click.argument("db")
@click.argument("source")
@click.option("--out", required=True, metavar="DIR", help="Folder of the run, which appears when it is complete.")
@click.option("--model", required=True, metavar="NAME", help="A kept model: vitals, or vitals@2.")
@click.option("--key", required=True, metavar="COLUMNS", help="Columns that identify rows, separated by commas.")
@click.option("--m", type=int, help="Number of completed data sets; default: all draws of the model.")
@click.option("--beside", is_flag=True, help="Keep the current run; `runs promote` can make this one current.")
@click.option("--budget", type=float, metavar="SECONDS", help="Limit of processor time; the run stops before it.")
@click.option("--param", "params", multiple=True, help="Value of a parameter, VALUE or NAME=VALUE; repeatable.")
def increment(db: str, source: str, out: str, model: str, key: str, params: tuple[str, ...], **options: Any) -> None:
    """Complete SOURCE by a kept model that is handed new and changed rows alone; all others keep their values.

    SOURCE has all rows as they are now. Rows are compared by key with those of the run in DIR that readers see; what
    comes out is the run of all rows, byte for byte. A repeated command makes nothing.
    """
    from imputedb.cli.options import listed, parameters

    with opened(db) as database, shown_progress() as progress:
        given: dict[str, Any] = {"params": parameters(source, params), "progress": progress, **options}
        done = database.increment(source, out, model, listed(key), **given)
    _show(done)
    found = done.manifest["increment"]
    counts = ", ".join(f"{found[name]:,} {name}" for name in ("new", "changed", "gone"))
    click.echo(f"{counts}, {found['same']:,} the same: {found['handed']:,} handed to {found['model']}", err=True)
    if found["why"]:
        click.echo(f"note: all rows are new: {found['why']}", err=True)


@click.command()
@click.argument("db")
@click.argument("folder", metavar="DIR")
@click.option("--cycles", type=int, required=True, help="Number of further cycles.")
def more(db: str, folder: str, cycles: int) -> None:
    """Run further cycles of the chains of the run in DIR; the result equals that of all cycles at once."""
    with opened(db) as database, shown_progress() as progress:
        _show(database.more(folder, cycles, progress=progress))


def _show_estimate(found: Estimate, budget: float | None) -> None:
    click.echo(f"rows             {found.rows:,}")
    click.echo(f"missing cells    {found.missing:,}")
    click.echo(f"draws            {found.draws}")
    click.echo(f"CPU seconds      about {found.cpu_seconds:,g}")
    click.echo(f"bytes            about {found.written_bytes:,}")
    click.echo(f"measured on {found.tried:,} rows, in {found.spent:.1f} CPU seconds", err=True)
    if budget is not None and found.cpu_seconds > budget:
        click.echo(f"note: more than the budget of {budget:g}: it would stop, to be continued", err=True)


def _show(done: Completed) -> None:
    from imputedb.cli.output.tables import printed, rows_table
    from imputedb.completion.completed import described

    click.echo(printed(rows_table(["column", "method", "imputed", "R-hat", "notes"], described(done))), err=True)
    for note in done.chains:
        click.echo(f"note: {note}", err=True)
    for name, reason in done.manifest["left"].items():
        click.echo(f"warning: {name} is left as it is: {reason}", err=True)
    for warning in done.warnings:
        click.echo(f"warning: {warning}", err=True)
    for file in done.files:
        click.echo(str(file))


@click.command()
@click.argument("folder", metavar="DIR")
@click.argument("formula")
@click.option("--model", default="ols", show_default=True, help="ols, logit, probit, poisson, mnlogit, quantreg, ...")
@click.option("--df-complete", type=float, help="Complete-data degrees of freedom; default: those of the fits.")
@click.option("--clusters", metavar="COLUMN", help="Column of sampled clusters, for standard errors.")
@click.option("--fail-on", metavar="FIGURES", help="Exit code 3 if exceeded: fmi>0.5.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table")
def analyze(
    folder: str,
    formula: str,
    model: str,
    df_complete: float | None,
    clusters: str | None,
    fail_on: str | None,
    form: str,
) -> None:
    """Fit FORMULA to each completed data set in DIR, and pool the fits; warnings of the run are repeated."""
    from imputedb.cli.output.answers import write_pool
    from imputedb.completion.completed import opened as opened_run

    wanted, run = thresholds(fail_on, POOL), opened_run(folder)
    for warning in run.warnings:
        click.echo(f"warning: {warning}", err=True)
    found = run.analyze(formula, model, df_complete=df_complete, clusters=clusters)
    write_pool(found, form)
    check(wanted, of_pool(found))


@click.command()
@click.argument("folder", metavar="DIR")
@click.option("--out", required=True, metavar="FILE", help="File of the page.")
@click.option("--pictures", metavar="DIR", help="Folder for the single pictures.")
@click.option(
    "--format", "form", type=click.Choice(["png", "svg"]), default="png", help="Format of the single pictures."
)
def report(folder: str, out: str, pictures: str | None, form: str) -> None:
    """Write an HTML page about the completed data sets in DIR: patterns, densities, chains, Little's test."""
    from imputedb.completion.completed import opened as opened_run

    opened_run(folder).report(out, pictures, form)
    click.echo(out)


@click.command()
@click.argument("file")
@click.option("--df-complete", type=float, help="Complete-data degrees of freedom; default: infinite.")
@click.option("--df", "rule", default="barnard-rubin", show_default=True, help="barnard-rubin, rubin1987 or normal.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table")
def pool(file: str, df_complete: float | None, rule: str, form: str) -> None:
    """Pool the estimates in FILE, a CSV or Parquet table with columns term, estimate and std.error."""
    from imputedb import duckdb_errors
    from imputedb.cli.output.answers import write_pool
    from imputedb.inference.pooling import pool as pooled
    from imputedb.sql.parse import scratch_connection

    try:
        with scratch_connection() as reader:
            columns = reader.execute("SELECT * FROM query_table([?])", [file]).fetchnumpy()
    except duckdb_errors.Refused as error:
        reason = str(error).partition(": ")[2] or str(error)
        raise StorageError(f"cannot read {file}: {reason.splitlines()[0]}") from error
    write_pool(pooled(columns, df_complete=df_complete, df=rule), form)
