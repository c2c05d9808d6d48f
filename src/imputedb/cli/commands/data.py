"""Commands about data: load it, make some up, look at what is missing."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Literal

import click

from imputedb.cli.database import announced, opened, standard_input
from imputedb.cli.options import listed
from imputedb.errors import Error, QueryError


@click.command()
@click.argument("db", required=False)
def demo(db: str | None) -> None:
    """Make a survey with missing values, and answer a query at three alphas.

    The survey goes into DB when it is given, else it is gone afterwards.
    """
    from imputedb.cli.demo import demonstrate

    with opened(db or ":memory:", create=True) as database:
        demonstrate(database, click.echo)


@click.command()
@click.argument("db")
@click.argument("files", nargs=-1, required=True)
@click.option("--table", help="Name of the table; the file's name unless given.")
@click.option("--missing", multiple=True, metavar="COLUMN=VALUE", help="A value that means a missing one; repeatable.")
@click.option("--replace", is_flag=True, help="Replace a table of the name.")
@click.option("--na", help="Words that mean a missing value in every column, with commas; '' for none.")
@click.option("--encoding", help="Of text, such as cp1252; found out unless given.")
@click.option("--delimiter", help="Between values of text; found out unless given.")
@click.option("--decimal", type=click.Choice([".", ","]), help="Before decimals; found out unless given.")
@click.option("--dates", metavar="FORMAT", help="Of dates, such as %d/%m/%Y; found out unless given.")
@click.option("--sheet", help="Of a workbook; the first one unless given.")
def load(
    db: str,
    files: tuple[str, ...],
    table: str | None,
    missing: tuple[str, ...],
    na: str | None,
    encoding: str | None,
    delimiter: str | None,
    decimal: Literal[".", ","] | None,
    dates: str | None,
    sheet: str | None,
    *,
    replace: bool,
) -> None:
    """Load FILES into the database DB, a table each: text, Parquet, JSON, workbooks, SPSS, Stata, SAS, R.

    A folder stands for the files in it, - for standard input. Words such as NA that mean a missing value are counted.
    """
    if db == ":memory:":
        raise QueryError("a database in memory ends with this command: load into a file, such as survey.duckdb")
    declared: dict[str, list[object]] = {}
    for text in missing:
        column, equals, value = text.partition("=")
        if not equals or not column:
            raise QueryError(f"--missing {text!r} is not COLUMN=VALUE")
        declared.setdefault(column, []).append(value)
    new = not Path(db).exists()
    try:
        with standard_input(files) as given, opened(db, create=True) as database:
            with announced():
                names = database.load(
                    *given,
                    table=table,
                    missing=declared,
                    replace=replace,
                    na=None if na is None else listed(na),
                    encoding=encoding,
                    delimiter=delimiter,
                    decimal=decimal,
                    dates=dates,
                    sheet=sheet,
                )
            places = [f" from {file}" for file in files] if len(files) == len(names) else [""] * len(names)
            for name, place in zip(names, places, strict=True):
                click.echo(f"{name}: {database.profile(name)[0].rows:,} rows{place}", err=True)
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


@click.command()
@click.argument("db")
@click.argument("table", required=False)
def profile(db: str, table: str | None) -> None:
    """Show what is missing where: counts, shares and patterns, of one TABLE or of all."""
    from imputedb.cli.output.tables import printed, profile_tables

    with opened(db) as database:
        for found in database.profile(table):
            for part in profile_tables(found):
                click.echo(printed(part) + "\n")
