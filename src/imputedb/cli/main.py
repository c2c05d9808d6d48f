"""The command `imputedb`: data to standard output, everything else to standard error; 0, 1 (yours), 2 (ours)."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from imputedb import __version__
from imputedb.cli.bench import bench
from imputedb.errors import Error, InternalError, QueryError, StorageError

if TYPE_CHECKING:
    from imputedb.database import Database
    from imputedb.imputers.imputer import Progress
    from imputedb.inference.answers import Question

YOURS, OURS, INTERRUPTED = 1, 2, 130


def run() -> None:
    """Runs the command line, and turns what goes wrong into one sentence and an exit code."""
    sys.exit(_outcome())


def _outcome() -> int:
    try:
        main.main(standalone_mode=False)
    except click.exceptions.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        error.show(file=sys.stderr)
        return YOURS
    except InternalError as error:
        return _failed(f"internal error: {error}; please report it", OURS)
    except Error as error:
        return _failed(f"error: {error}", YOURS)
    except KeyboardInterrupt:
        return _failed("interrupted", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # the last resort: our mistake, said in one line
        return _failed(f"internal error: {type(error).__name__}: {error}; please report it", OURS)
    return 0


def _failed(message: str, code: int) -> int:
    click.echo(message, err=True)
    return code


@contextmanager
def opened(path: str, *, create: bool = False) -> Iterator[Database]:
    """The database of a path, for writing where that is possible.

    Raises:
        StorageError: there is none and none is to be made, or it cannot be opened.
    """
    from imputedb.database import connect

    if not create and not Path(path).exists():
        raise StorageError(f"no database {path}; `imputedb load {path} FILE...` makes one")
    try:
        db = connect(path)
    except StorageError:
        if not Path(path).exists() or os.access(path, os.W_OK):
            raise
        db = connect(path, read_only=True)
    with db:
        yield db


@contextmanager
def shown_progress() -> Iterator[Progress | None]:
    """A bar on standard error where somebody is looking."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("imputing", total=1.0)
        yield lambda share: bar.update(task, completed=share)


def with_planning(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that choose a plan."""
    for option in (
        click.option("--alpha", type=float, default=0.0, show_default=True, help="0: the best answer; 1: the fastest."),
        click.option(
            "--imputer",
            default="tree",
            show_default=True,
            help="tree, knn, pmm, mean, hotdeck, drop...; several with commas.",
        ),
        click.option("--seed", type=int, default=0, show_default=True, help="One seed gives one answer."),
        click.option(
            "--strategy", type=click.Choice(["planned", "base"]), default="planned", help="base: complete tables first."
        ),
    ):
        command = option(command)
    return command


def imputers(names: str) -> list[str]:
    """The imputers of an option."""
    return [name.strip() for name in names.split(",") if name.strip()]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(version)s")
def main() -> None:
    """SQL over data with missing values, answered as if nothing were missing."""


main.add_command(bench)


@main.command()
@click.argument("db", required=False)
def demo(db: str | None) -> None:
    """Make a survey with missing values, and answer a query at three alphas.

    The survey goes into DB when it is given, else it is gone afterwards.
    """
    from imputedb.cli.demo import demonstrate

    with opened(db or ":memory:", create=True) as database:
        demonstrate(database, click.echo)


@main.command()
@click.argument("db")
@click.argument("files", nargs=-1, required=True)
@click.option("--table", help="Name of the table; the file's name unless given.")
@click.option("--missing", multiple=True, metavar="COLUMN=VALUE", help="A value that means a missing one; repeatable.")
@click.option("--replace", is_flag=True, help="Replace a table of the name.")
def load(db: str, files: tuple[str, ...], table: str | None, missing: tuple[str, ...], *, replace: bool) -> None:
    """Load CSV, Parquet, JSON or SAS transport (.xpt) FILES into the database DB, a table each."""
    declared: dict[str, list[object]] = {}
    for text in missing:
        column, equals, value = text.partition("=")
        if not equals or not column:
            raise QueryError(f"--missing {text!r} is not COLUMN=VALUE")
        declared.setdefault(column, []).append(value)
    new = not Path(db).exists()
    try:
        with opened(db, create=True) as database:
            names = database.load(*files, table=table, missing=declared, replace=replace)
            for name, file in zip(names, files, strict=True):
                click.echo(f"{name}: {database.profile(name)[0].rows:,} rows from {file}", err=True)
    except BaseException:
        if new and not _holds_tables(db):
            for path in (db, db + ".wal"):
                with suppress(OSError):
                    Path(path).unlink()
        raise


def _holds_tables(db: str) -> bool:
    try:
        with opened(db) as database:
            return bool(database.tables())
    except Error:
        return False


@main.command()
@click.argument("db")
@click.argument("sql")
@with_planning
@click.option("--m", "draws", default="1", show_default=True, help="Draws for intervals, or auto; 1: none.")
@click.option("--interval", type=click.Choice(["population", "answer"]), default="population", help="What it is about.")
@click.option("--level", type=float, default=0.95, show_default=True, help="Of the intervals' confidence.")
@click.option(
    "--method", type=click.Choice(["imputation", "aipw", "bounds"]), default="imputation", help="Of answering."
)
@click.option("--format", "form", type=click.Choice(["table", "csv", "json", "parquet"]), default="table")
@click.option("--output", metavar="FILE", help="Write to a file, all of it or nothing.")
def query(
    db: str,
    sql: str,
    alpha: float,
    imputer: str,
    seed: int,
    strategy: str,
    draws: str,
    interval: Question,
    level: float,
    method: Literal["imputation", "aipw", "bounds"],
    form: str,
    output: str | None,
) -> None:
    """Answer SQL over the database DB as if nothing were missing."""
    from imputedb.cli.answers import number_of_draws, write

    if form == "parquet" and output is None:
        raise QueryError("parquet is no text: give --output FILE")
    with opened(db) as database, shown_progress() as progress:
        result = database.sql(
            sql,
            alpha=alpha,
            imputer=imputers(imputer),
            seed=seed,
            strategy=strategy,
            m=number_of_draws(draws),
            interval=interval,
            level=level,
            method=method,
            progress=progress,
        )
        write(result, form, output)


@main.command()
@click.argument("db")
@click.argument("sql")
@with_planning
@click.option("--analyze", is_flag=True, help="Run it, and show actual rows and times beside the estimates.")
@click.option("--format", "form", type=click.Choice(["tree", "json", "dot"]), default="tree")
def explain(
    db: str, sql: str, alpha: float, imputer: str, seed: int, strategy: str, form: str, *, analyze: bool
) -> None:
    """Show the plan that answers SQL over the database DB."""
    with opened(db) as database:
        explanation = database.explain(
            sql, alpha=alpha, imputer=imputers(imputer), seed=seed, strategy=strategy, analyze=analyze
        )
        match form:
            case "json":
                click.echo(json.dumps(explanation.data(), indent=2, ensure_ascii=False))
            case "dot":
                click.echo(explanation.dot())
            case _:
                click.echo(explanation.text)


@main.command()
@click.argument("db")
@click.argument("sql")
@click.option(
    "--imputer", default="tree", show_default=True, help="tree, knn, pmm, mean, hotdeck, drop...; several with commas."
)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
def frontier(db: str, sql: str, imputer: str, form: str) -> None:
    """Show every plan that no other beats in both penalty and time, and the alphas that pick it."""
    from imputedb.cli.tables import frontier_table, printed

    with opened(db) as database:
        found = database.frontier(sql, imputer=imputers(imputer))
        if form == "json":
            click.echo(json.dumps([point.data() for point in found or ()], indent=2, ensure_ascii=False))
        elif found is None:
            click.echo("nothing missing is read: DuckDB runs the text as it stands")
        else:
            click.echo(printed(frontier_table(found)))


@main.command()
@click.argument("db")
@click.argument("table", required=False)
def profile(db: str, table: str | None) -> None:
    """Show what is missing where: counts, shares and patterns, of one TABLE or of all."""
    from imputedb.cli.tables import printed, profile_tables

    with opened(db) as database:
        for found in database.profile(table):
            for part in profile_tables(found):
                click.echo(printed(part) + "\n")


@main.command()
@click.argument("db")
@click.argument("source")
@click.option("--out", required=True, metavar="DIR", help="Where the run appears when it is complete.")
@click.option("--m", type=int, default=20, show_default=True, help="Completed data sets.")
@click.option("--imputer", default="pmm", show_default=True, help="pmm, norm, logistic, multinomial, ordered, tree...")
@click.option("--seed", type=int, default=0, show_default=True, help="One seed gives one run.")
@click.option("--columns", help="Columns to fill, with commas; all incomplete ones unless given.")
@click.option("--flags", is_flag=True, help="Add a boolean COLUMN__imputed beside each filled column.")
@click.option("--long", is_flag=True, help="One file with .imp and .id, rather than one a data set.")
def impute(
    db: str, source: str, out: str, m: int, imputer: str, seed: int, columns: str | None, *, flags: bool, long: bool
) -> None:
    """Write m completed copies of SOURCE, a table or a SELECT over the database DB, with a manifest.

    All of it or nothing; a run that was killed is taken up where it stopped.
    """
    from imputedb.cli.tables import printed, rows_table
    from imputedb.completion.completed import described

    with opened(db) as database, shown_progress() as progress:
        wanted = None if columns is None else imputers(columns)
        done = database.impute(
            source, out, m=m, imputer=imputer, seed=seed, columns=wanted, flags=flags, long=long, progress=progress
        )
    click.echo(printed(rows_table(["column", "method", "imputed", "R-hat", "notes"], described(done))), err=True)
    for name, reason in done.manifest["left"].items():
        click.echo(f"warning: {name} is left as it is: {reason}", err=True)
    for file in done.files:
        click.echo(str(file))


@main.command()
@click.argument("folder", metavar="DIR")
@click.argument("formula")
@click.option("--model", default="ols", show_default=True, help="ols, logit, probit, poisson, mnlogit, quantreg...")
@click.option("--df-complete", type=float, help="Degrees of freedom of the complete data; the fits' own unless given.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table")
def analyze(folder: str, formula: str, model: str, df_complete: float | None, form: str) -> None:
    """Fit FORMULA to each completed data set in DIR, and pool the fits."""
    from imputedb.cli.answers import write_pool
    from imputedb.completion.completed import opened as opened_run

    write_pool(opened_run(folder).analyze(formula, model, df_complete=df_complete), form)


@main.command()
@click.argument("folder", metavar="DIR")
@click.option("--out", required=True, metavar="FILE", help="The page, all of it in one file.")
@click.option("--pictures", metavar="DIR", help="Where its pictures go one by one.")
@click.option("--format", "form", type=click.Choice(["png", "svg"]), default="png", help="Of these pictures.")
def report(folder: str, out: str, pictures: str | None, form: str) -> None:
    """Write an HTML page about the completed data sets in DIR: patterns, densities, chains, Little's test."""
    from imputedb.completion.completed import opened as opened_run

    opened_run(folder).report(out, pictures, form)
    click.echo(out)


@main.command()
@click.argument("file")
@click.option("--df-complete", type=float, help="Degrees of freedom of the complete data; infinite unless given.")
@click.option("--df", "rule", default="barnard-rubin", show_default=True, help="barnard-rubin, rubin1987 or normal.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table")
def pool(file: str, df_complete: float | None, rule: str, form: str) -> None:
    """Pool the estimates in FILE, a CSV or Parquet table with columns term, estimate and std.error."""
    import duckdb

    from imputedb.cli.answers import write_pool
    from imputedb.inference.pooling import pool as pooled

    try:
        with duckdb.connect() as reader:
            columns = reader.execute("SELECT * FROM query_table([?])", [file]).fetchnumpy()
    except duckdb.Error as error:
        raise StorageError(f"cannot read {file}: {str(error).splitlines()[0]}") from error
    write_pool(pooled(columns, df_complete=df_complete, df=rule), form)


@main.command()
@click.argument("db")
@click.argument("table")
@click.option("--imputer", default="tree,knn,mean,hotdeck", show_default=True, help="Those to compare, with commas.")
@click.option("--share", type=float, default=0.1, show_default=True, help="Of the cells (own: of the rows) to hide.")
@click.option("--pattern", type=click.Choice(["mcar", "own"]), default="mcar", help="own: as they go missing together.")
@click.option("--by", metavar="COLUMN", help="Error and bias for each value of this column.")
@click.option("--column", "columns", multiple=True, help="Judge by this column; repeatable.")
@click.option("--seed", type=int, default=0, show_default=True, help="One seed hides the same cells.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table")
@click.option("--chart", metavar="FILE", help="Also draw the errors, into a .png or .svg file.")
def evaluate(
    db: str,
    table: str,
    imputer: str,
    share: float,
    pattern: Literal["mcar", "own"],
    by: str | None,
    columns: tuple[str, ...],
    seed: int,
    form: str,
    chart: str | None,
) -> None:
    """Hide observed cells of TABLE, fill them with imputers, and show how wrong each is."""
    from imputedb.cli import evaluation

    with opened(db) as database, shown_progress() as progress:
        found = database.evaluate(
            table,
            imputer=imputers(imputer),
            share=share,
            pattern=pattern,
            by=by,
            columns=columns,
            seed=seed,
            progress=progress,
        )
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    written = {"table": evaluation.as_table, "csv": evaluation.as_csv, "json": evaluation.as_json}
    click.echo(written[form](found), nl=False)
    if chart:
        evaluation.draw(found, chart)


@main.command()
@click.argument("db")
@click.argument("table")
@click.argument("column")
@click.argument("row")
@click.option("-k", "k", type=int, default=20, show_default=True, help="Neighbours.")
@click.option("--metric", default="gower", show_default=True, help="gower, euclidean, manhattan or cosine.")
@click.option("--weights", type=click.Choice(["learnt", "equal"]), default="learnt", help="Of the columns.")
@click.option("--salt", metavar="SECRET", help="Name rows by hashes that only who knows it can resolve.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def why(
    db: str, table: str, column: str, row: str, k: int, metric: str, weights: str, salt: str | None, form: str
) -> None:
    """Show which rows the imputer knn takes the value of a cell from: COLUMN of TABLE where its key is ROW."""
    from imputedb.cli.why import as_text
    from imputedb.imputers.knn import KNN

    learnt: Literal["learnt"] | None = "learnt" if weights == "learnt" else None
    with opened(db) as database:
        imputer = KNN(k=k, metric=metric, weights=learnt)  # type: ignore[arg-type]
        found = database.why(table, column, row, imputer=imputer, salt=salt)
    if form == "json":
        click.echo(json.dumps(found.data(), indent=2, ensure_ascii=False))
    else:
        click.echo(as_text(found), nl=False)


@main.command()
@click.argument("db")
def shell(db: str) -> None:
    """Ask the database DB at a prompt, with history and completion."""
    from imputedb.cli.shell import Shell

    with opened(db, create=True) as database:
        Shell(database).loop()
