"""Commands about data: load files, make a demonstration, show what is missing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from imputedb.cli.database import announced, opened, standard_input
from imputedb.cli.options import NEGATIVE, listed
from imputedb.cli.questions import database_at
from imputedb.errors import Error, QueryError, StorageError

if TYPE_CHECKING:
    from imputedb.database import Database


@click.command()
@click.argument("db", required=False)
def demo(db: str | None) -> None:
    """Make a survey with missing values, and answer a query at three alphas.

    The survey is stored in DB if it is given, and discarded otherwise.
    """
    from imputedb.cli.demo import demonstrate

    with opened(db or ":memory:", create=True) as database:
        demonstrate(database, click.echo)


@click.command()
@click.argument("db")
@click.argument("files", nargs=-1, required=True)
@click.option("--table", help="Name of the table; default: the file's name.")
@click.option("--missing", multiple=True, metavar="COLUMN=VALUE", help="Value that means a missing one; repeatable.")
@click.option("--replace", is_flag=True, help="Replace an existing table.")
@click.option("--na", help="Words for missing values in all columns, separated by commas; '' for none.")
@click.option("--encoding", help="Encoding of text, such as cp1252; default: detected.")
@click.option("--delimiter", help="Delimiter of values; default: detected.")
@click.option("--decimal", type=click.Choice([".", ","]), help="Decimal separator; default: detected.")
@click.option("--dates", metavar="FORMAT", help="Format of dates, such as %d/%m/%Y; default: detected.")
@click.option("--sheet", help="Sheet of a workbook; default: the first one.")
@click.option("--query", metavar="SQL", help="Query for a database, in its SQL; its rows become --table.")
@click.option("--password-file", metavar="FILE", help="File whose first line is the database's password.")
def load(
    db: str,
    files: tuple[str, ...],
    table: str | None,
    missing: tuple[str, ...],
    na: str | None,
    *,
    replace: bool,
    **reading: Any,
) -> None:
    """Load FILES into the database DB, a table each: text, Parquet, JSON, workbooks, SPSS, Stata, SAS, R.

    A folder stands for the files in it, - for standard input. Words such as NA that mean a missing value are counted.

    Instead of files: postgresql://USER@HOST/NAME, mysql://USER@HOST/NAME, a file of SQLite, each with --table or
    --query; a folder of Delta Lake or Iceberg.
    """
    if db == ":memory:":
        raise QueryError("a database in memory ends with this command: load into a file, such as survey.duckdb")
    _check_addresses(files)
    declared = _declared(missing)
    new = not Path(db).exists()
    try:
        with standard_input(files) as given, opened(db, create=True) as database:
            with announced():
                words = None if na is None else listed(na)
                names = database.load(*given, table=table, missing=declared, replace=replace, na=words, **reading)
            places = (
                [f" from {file.partition('?')[0]}" for file in files] if len(files) == len(names) else [""] * len(names)
            )
            for name, place in zip(names, places, strict=True):
                click.echo(f"{name}: {database.profile(name)[0].rows:,} rows{place}", err=True)
    except BaseException:
        if new and not _holds_tables(db):
            for path in (db, db + ".wal"):
                with suppress(OSError):
                    Path(path).unlink()
        raise


def _check_addresses(files: Sequence[str]) -> None:
    """Refuses an address with a password, which every user could read in the list of processes.

    Raises:
        QueryError: an address holds a password.
    """
    from imputedb.engines.address import states_password

    if any(states_password(file) for file in files):
        raise QueryError("a password in an address is seen by all users of this machine: give --password-file FILE")


def _declared(missing: Sequence[str]) -> dict[str, list[object]]:
    """The values that stand for a missing value, by column."""
    found: dict[str, list[object]] = {}
    for text in missing:
        column, equals, value = text.partition("=")
        if not equals or not column:
            raise QueryError(f"--missing {text!r} is not COLUMN=VALUE")
        found.setdefault(column, []).append(value)
    return found


def _holds_tables(db: str) -> bool:
    try:
        with opened(db) as database:
            return bool(database.tables())
    except Error:
        return False


@click.command()
@click.argument("db")
@click.argument("table", required=False)
@click.option("--format", "form", type=click.Choice(["table", "json", "html"]), default="table")
@click.option("--pictures", metavar="DIR", help="Also write pictures of missingness, TABLE-NAME.png.")
@click.option("--picture-format", type=click.Choice(["png", "svg"]), default="png", help="Format of the pictures.")
def profile(db: str, table: str | None, form: str, pictures: str | None, picture_format: str) -> None:
    """Show counts, shares and patterns of missing values, of one TABLE or of all, and suspect values."""
    from imputedb.cli.output.tables import printed, profile_tables, suspicions

    with database_at(db, create=False) as database:
        found = database.profile(table)
        match form:
            case "json":
                click.echo(json.dumps([one.data() for one in found], indent=2, ensure_ascii=False))
            case "html":
                click.echo("\n".join(one.html() for one in found))
            case _:
                for one in found:
                    for part in profile_tables(one):
                        click.echo(printed(part) + "\n")
                    for line in suspicions(one, db):
                        click.echo(line)
        for one in found if pictures is not None else ():
            _draw(database, one.table, Path(str(pictures)), picture_format)


def _draw(database: Database, table: str, folder: Path, form: str) -> None:
    from imputedb.files import published

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot write into {folder}: {error.strerror}") from error
    for name, figure in database.pictures(table).items():
        path = str(folder / f"{table}-{name}.{form}".replace("/", "_"))
        with published(path) as temporary:
            figure.savefig(temporary, format=form)
        click.echo(path, err=True)


@click.command(context_settings=NEGATIVE)
@click.argument("db")
@click.argument("table")
@click.argument("column")
@click.argument("values", nargs=-1, type=click.UNPROCESSED)
def missing(db: str, table: str, column: str, values: tuple[str, ...]) -> None:
    """Declare that VALUES of COLUMN mean a missing one; without VALUES, drop the declaration."""
    with opened(db) as database, announced():
        database.missing(table, column, list(values))
        rows = next(one.missing for one in database.profile(table)[0].columns if one.name.lower() == column.lower())
    click.echo(f"{table}.{column}: {rows:,} cells are missing", err=True)


@click.command()
@click.argument("db")
@click.argument("table")
@click.argument("into")
@click.option("--share", type=float, default=0.2, show_default=True, help="Share of each column's cells.")
@click.option("--mechanism", type=click.Choice(["mcar", "mar", "mnar"]), default="mcar", show_default=True)
@click.option(
    "--columns", default="", help="Columns, separated by commas; default: all, or all numeric ones (mar, mnar)."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed; equal seeds give equal tables.")
def ampute(
    db: str, table: str, into: str, share: float, mechanism: Literal["mcar", "mar", "mnar"], columns: str, seed: int
) -> None:
    """Copy TABLE to INTO with further missing values, to test methods where the truth is known.

    Mechanisms: mcar, independent of the data; mar, by the row's other numbers; mnar, by the value itself.
    """
    with opened(db) as database:
        made = database.ampute(table, into, share=share, mechanism=mechanism, columns=listed(columns), seed=seed)
    for column, holes in made.items():
        message = f"{holes.made:,} holes were made, {holes.missing:,} cells miss a value in all"
        click.echo(f"{into}.{column}: {message}", err=True)
