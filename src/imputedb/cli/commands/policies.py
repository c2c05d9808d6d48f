"""Commands about policies: show them, export them to a file, apply a file to a database."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import click

from imputedb.cli.database import opened


@click.group()
def policy() -> None:
    """Policies of missing values by column: show, export and apply them."""


@policy.command()
@click.argument("db")
@click.argument("table", required=False)
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table")
def show(db: str, table: str | None, form: str) -> None:
    """Show the policies and declared missing values of one TABLE or of all."""
    from imputedb.cli.output.tables import printed, rows_table

    with opened(db) as database:
        policies = {(name, column): words for name, column, words in database.policies(table)}
        codes = {(name, column): list(values) for name, column, values in database.declared(table)}
    names = ["table", "column", "policy", "missing"]
    rows = [(*place, policies.get(place), codes.get(place, [])) for place in sorted(policies.keys() | codes.keys())]
    if form == "json":
        click.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=2, ensure_ascii=False))
        return
    texts = [(*row[:2], row[2] or "", ", ".join(row[3])) for row in rows]
    if form == "csv":
        csv.writer(sys.stdout, lineterminator="\n").writerows([names, *texts])
    else:
        click.echo(printed(rows_table(names, texts)))


@policy.command()
@click.argument("db")
@click.option("--out", metavar="FILE", help="File to write atomically; default: standard output.")
def export(db: str, out: str | None) -> None:
    """Write all policies and declared missing values of the database DB as TOML."""
    with opened(db) as database:
        text = database.export_policies(out)
    if out is None:
        click.echo(text, nl=False)


@policy.command()
@click.argument("db")
@click.argument("file")
@click.option("--dry-run", is_flag=True, help="Show the changes without making them.")
@click.option("--exact", is_flag=True, help="Drop policies of columns that FILE does not name.")
def apply(db: str, file: str, *, dry_run: bool, exact: bool) -> None:
    """Set the policies and declared missing values of DB to those of FILE, after a check of all of them.

    The changes are shown: removed lines with a minus, added lines with a plus.
    """
    with opened(db) as database:
        changes = database.apply_policies(Path(file), dry_run=dry_run, exact=exact)
    for change in changes:
        click.echo(str(change))
    done = "would change" if dry_run else "changed"
    click.echo(f"{len(changes)} column{'s' * (len(changes) != 1)} {done}", err=True)
