"""Commands about assumptions: missingness, the choice of an imputer, the number of draws, sensitivity of an answer."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from imputedb.cli.database import opened
from imputedb.cli.options import NEGATIVE, listed
from imputedb.cli.questions import database_at
from imputedb.errors import QueryError

_FORM = click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table")


def _show(names: Sequence[str], rows: Sequence[Sequence[Any]], form: str) -> None:
    """Prints rows as a table, CSV or JSON; a NaN is printed as an empty cell."""
    from imputedb.cli.output.tables import printed, rows_table

    plain = [[None if isinstance(one, float) and math.isnan(one) else one for one in row] for row in rows]
    if form == "json":
        click.echo(json.dumps([dict(zip(names, row, strict=True)) for row in plain], indent=2, ensure_ascii=False))
    elif form == "csv":
        csv.writer(sys.stdout, lineterminator="\n").writerows([names, *plain])
    else:
        click.echo(printed(rows_table(list(names), [[_shown(one) for one in row] for row in plain])))


def _shown(value: Any) -> Any:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else value


@click.command()
@click.argument("db")
@click.argument("table")
@_FORM
def mcar(db: str, table: str, form: str) -> None:
    """Little's test of whether the numbers of TABLE are missing completely at random."""
    with database_at(db, create=False) as database:
        found = database.mcar(table)
    names = ["statistic", "df", "p", "patterns", "effect"]
    _show(names, [[found.statistic, found.df, found.p_value, found.patterns, found.effect]], form)
    click.echo(f"note: {found.caution}", err=True)
    if found.dropped:
        click.echo(f"note: left out, constant or combinations of others: {', '.join(found.dropped)}", err=True)


@click.command()
@click.argument("db")
@click.argument("table")
@_FORM
def flux(db: str, table: str, form: str) -> None:
    """Show influx and outflux of each column of TABLE: how others help to impute it, and how it helps others."""
    with database_at(db, create=False) as database:
        found = database.flux(table)
    names = ["column", "observed", "influx", "outflux", "inbound", "outbound", "incomplete"]
    _show(names, [[name, *asdict(one).values()] for name, one in found.items()], form)


@click.command()
@click.argument("db")
@click.argument("table")
@click.option("--columns", default="", help="Columns to hide cells of, separated by commas; default: incomplete ones.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed; equal seeds hide equal cells.")
@_FORM
def scan(db: str, table: str, columns: str, seed: int, form: str) -> None:
    """Find the number of neighbours and the metric that the imputer knn errs least with on hidden cells of TABLE."""
    with database_at(db, create=False) as database:
        found = database.scan(table, columns=listed(columns), seed=seed)
    _show(["metric", "k", "error"], [[metric, k, error] for (metric, k), error in found.errors.items()], form)
    click.echo(f"best: metric {found.metric}, k {found.k}", err=True)


@click.command()
@click.argument("db")
@click.argument("table")
@click.argument("into")
@click.option("--columns", default="", help="Columns of the cells, separated by commas; default: all incomplete.")
@click.option("--limit", type=int, default=10_000, show_default=True, help="Maximum number of rows.")
@click.option("--salt", metavar="SECRET", help="Replace row keys by hashes with this secret.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of the sample of cells.")
def audit(db: str, table: str, into: str, columns: str, limit: int, salt: str | None, seed: int) -> None:
    """Write the donors of TABLE's missing cells by the imputer knn to a new table INTO."""
    with opened(db) as database:
        cells = database.audit(table, into, columns=listed(columns), limit=limit, salt=salt, seed=seed)
    click.echo(f"{into}: {min(cells, limit):,} of {cells:,} missing cells", err=True)


@click.command()
@click.argument("db")
@click.argument("sql")
@click.option(
    "--ways", default="tree,pmm,norm,aipw,bounds", show_default=True, help="Methods: imputers, aipw, ml, bounds."
)
@click.option(
    "--shift",
    "shifts",
    multiple=True,
    metavar="COLUMN=SIZE",
    help="Further method: norm with imputed values shifted; repeatable.",
)
@click.option("--m", type=int, default=20, show_default=True, help="Number of draws of each imputer.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed; equal seeds give equal answers.")
@click.option("--picture", metavar="FILE", help="Also write a forest plot, a .png or .svg file.")
@_FORM
def compare(
    db: str, sql: str, ways: str, shifts: tuple[str, ...], m: int, seed: int, picture: str | None, form: str
) -> None:
    """Answer SQL over DB under several assumptions, side by side."""
    from imputedb.cli.output import evaluation
    from imputedb.files import published

    sizes: dict[str, list[float]] = {}
    for text in shifts:
        column, _, size = text.partition("=")
        try:
            sizes.setdefault(column, []).append(float(size))
        except ValueError:
            raise QueryError(f"--shift {text!r} is not COLUMN=SIZE") from None
    if picture is not None:
        evaluation.check_chart(picture)
    with database_at(db, create=False) as database:
        found = database.compare(sql, ways=listed(ways), shifts=sizes, m=m, seed=seed)
    table = found.table()
    rows = list(zip(*table.values(), strict=True))
    _show(list(table), [[" ".join(one) if isinstance(one, tuple) else one for one in row] for row in rows], form)
    if picture is not None:
        with published(picture) as temporary:
            found.forest().savefig(temporary, format=picture.rpartition(".")[2].lower())


@click.command(context_settings=NEGATIVE)
@click.argument("db")
@click.argument("sql")
@click.argument("column")
@click.argument("shifts", nargs=-1, type=float, required=True)
@click.option("--crosses", type=float, default=0.0, show_default=True, help="Value of the null hypothesis.")
@click.option("--m", type=int, default=20, show_default=True, help="Number of draws.")
@click.option("--imputer", default="norm", show_default=True, help="norm, pmm, logistic, multinomial or ordered.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed; equal seeds give equal answers.")
@_FORM
def sensitivity(
    db: str,
    sql: str,
    column: str,
    shifts: tuple[float, ...],
    crosses: float,
    m: int,
    imputer: str,
    seed: int,
    form: str,
) -> None:
    """Answer SQL where imputed values of COLUMN depart from missing at random by SHIFTS, in its units.

    Put -- before negative shifts: imputedb sensitivity DB SQL COLUMN -- -2 -1
    """
    from imputedb.sensitivity import Departures

    wanted = Departures(column, shifts, crosses=crosses)
    with database_at(db, create=False) as database:
        result = database.sql(sql, m=m, imputer=imputer, seed=seed, sensitivity=wanted)
    assert result.sensitivity is not None  # present, since the query has asked for it
    table = result.sensitivity.table()
    _show(list(table), list(zip(*table.values(), strict=True)), form)
    for note in result.sensitivity.sentences():
        click.echo(f"note: {note}", err=True)


@click.command("how-many")
@click.argument("db")
@click.argument("sql")
@click.option("--pilot", type=int, default=20, show_default=True, help="Number of draws of the pilot.")
@click.option(
    "--precision",
    type=float,
    default=0.05,
    show_default=True,
    help="Coefficient of variation of standard errors between runs.",
)
@click.option("--imputer", default="tree", show_default=True, help="tree, knn, pmm, norm, hotdeck...")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed; equal seeds give equal answers.")
@_FORM
def how_many(db: str, sql: str, pilot: int, precision: float, imputer: str, seed: int, form: str) -> None:
    """Find the number of draws that SQL needs for standard errors that another run repeats (von Hippel 2020)."""
    from imputedb.inference.number_of_draws import enough

    with database_at(db, create=False) as database:
        result = database.sql(sql, m=pilot, imputer=listed(imputer), seed=seed)
    known = [one.fmi for row in result.estimates for one in row.values()]
    found = enough([one for one in known if not math.isnan(one)] or [0.0], pilot, cv=precision)
    _show(["m", "fmi", "fmi_upper", "precision"], [[found.m, found.fmi, found.fmi_upper, found.cv]], form)
    if found.reason:
        click.echo(f"note: {found.reason}", err=True)
