"""Commands about completed data sets: make them, fit models to them, report on them, pool estimates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from imputedb.cli.copies import copies, with_copies
from imputedb.cli.database import opened, shown_progress
from imputedb.cli.options import whole_numbers
from imputedb.cli.thresholds import POOL, check, of_pool, thresholds
from imputedb.errors import QueryError, StorageError

if TYPE_CHECKING:
    from imputedb.completion.completed import Completed
    from imputedb.completion.estimate import Estimate


@click.command()
@click.argument("db")
@click.argument("source")
@click.option("--out", required=True, metavar="DIR", help="Where the run appears when it is complete.")
@with_copies
@click.option("--draw", "draws", multiple=True, metavar="N|A-B", help="Write these alone, for a run that others share.")
@click.option("--beside", is_flag=True, help="Leave what readers see as it is: a canary, for `runs promote`.")
@click.option(
    "--budget", type=float, metavar="SECONDS", help="Processor time; the run stops in good order before it is spent."
)
@click.option("--contract", metavar="FILE", help="What has to hold of rows and run (TOML); exit 3 where it does not.")
@click.option("--report", metavar="FILE", help="The result of each check of the contract, as JSON.")
@click.option("--breaker", type=int, metavar="N", help="After N failures in a row serve the last good run for an hour.")
@click.option("--estimate", is_flag=True, help="Show what the run would cost, by trials on a sample, and make none.")
@click.option("--archive", is_flag=True, help="Keep the rows, so that `runs repeat` can make the run again.")
def impute(db: str, source: str, out: str, draws: tuple[str, ...], **options: Any) -> None:
    """Write m completed copies of SOURCE, a table or a SELECT over the database DB, with a manifest.

    All of it or nothing; a run that was killed is taken up where it stopped. With --draw nothing is published: several
    processes draw at once, and the same command without it draws what is left and publishes.
    """
    estimate = options.pop("estimate")
    terms = {name: options.pop(name) for name in ("beside", "budget", "contract", "report", "archive", "breaker")}
    wanted = copies(source, **options)
    with opened(db, read_only=bool(draws)) as database, shown_progress() as progress:
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
@click.option("--out", required=True, metavar="DIR", help="Where the run appears when it is complete.")
@click.option("--model", required=True, metavar="NAME", help="A kept model: vitals, or vitals@2.")
@click.option("--key", required=True, metavar="COLUMNS", help="What tells rows apart from run to run, with commas.")
@click.option("--m", type=int, help="Completed data sets; all draws of the model unless given.")
@click.option("--beside", is_flag=True, help="Leave what readers see as it is: a canary, for `runs promote`.")
@click.option("--budget", type=float, metavar="SECONDS", help="Processor time; the run stops before it is spent.")
@click.option("--param", "params", multiple=True, help="A parameter of the SELECT, VALUE or NAME=VALUE.")
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
@click.option("--cycles", type=int, required=True, help="How many more.")
def more(db: str, folder: str, cycles: int) -> None:
    """Run more cycles of the chains of the completed data sets in DIR: what asking for all at once gives."""
    with opened(db) as database, shown_progress() as progress:
        _show(database.more(folder, cycles, progress=progress))


def _show_estimate(found: Estimate, budget: float | None) -> None:
    click.echo(f"rows             {found.rows:,}")
    click.echo(f"missing cells    {found.missing:,}")
    click.echo(f"draws            {found.draws}")
    click.echo(f"CPU seconds      about {found.cpu_seconds:,.1f}")
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
@click.option("--model", default="ols", show_default=True, help="ols, logit, probit, poisson, mnlogit, quantreg...")
@click.option("--df-complete", type=float, help="Degrees of freedom of the complete data; the fits' own unless given.")
@click.option("--clusters", metavar="COLUMN", help="Of clusters that were sampled: standard errors go by them.")
@click.option("--fail-on", metavar="FIGURES", help="Exit 3 beyond them: fmi>0.5.")
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
    """Fit FORMULA to each completed data set in DIR, and pool the fits; what the run warned of is said again."""
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
@click.option("--out", required=True, metavar="FILE", help="The page, all of it in one file.")
@click.option("--pictures", metavar="DIR", help="Where its pictures go one by one.")
@click.option("--format", "form", type=click.Choice(["png", "svg"]), default="png", help="Of these pictures.")
def report(folder: str, out: str, pictures: str | None, form: str) -> None:
    """Write an HTML page about the completed data sets in DIR: patterns, densities, chains, Little's test."""
    from imputedb.completion.completed import opened as opened_run

    opened_run(folder).report(out, pictures, form)
    click.echo(out)


@click.command()
@click.argument("file")
@click.option("--df-complete", type=float, help="Degrees of freedom of the complete data; infinite unless given.")
@click.option("--df", "rule", default="barnard-rubin", show_default=True, help="barnard-rubin, rubin1987 or normal.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table")
def pool(file: str, df_complete: float | None, rule: str, form: str) -> None:
    """Pool the estimates in FILE, a CSV or Parquet table with columns term, estimate and std.error."""
    from imputedb import duckdb_errors
    from imputedb.cli.output.answers import write_pool
    from imputedb.inference.pooling import pool as pooled
    from imputedb.sql.parse import apart

    try:
        with apart() as reader:
            columns = reader.execute("SELECT * FROM query_table([?])", [file]).fetchnumpy()
    except duckdb_errors.Refused as error:
        reason = str(error).partition(": ")[2] or str(error)
        raise StorageError(f"cannot read {file}: {reason.splitlines()[0]}") from error
    write_pool(pooled(columns, df_complete=df_complete, df=rule), form)
