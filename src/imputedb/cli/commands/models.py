"""Commands about kept models: fit, list, move them between databases, apply them to files."""

from __future__ import annotations

import json

import click

from imputedb.cli.database import opened, shown_progress

_FIELDS = ("name", "version", "table", "columns", "imputer", "where", "draws", "rows", "fitted_at", "stale", "error")


@click.group()
def model() -> None:
    """Kept models of imputers: create, refresh, show, move and drop them."""


@model.command()
@click.argument("db")
@click.argument("name")
@click.argument("table")
@click.option("--column", "columns", multiple=True, help="Column to impute; default: all incomplete ones; repeatable.")
@click.option("--where", help="Condition in SQL on the rows to learn from.")
@click.option("--imputer", default="tree", show_default=True, help="Imputer.")
@click.option("--sample", default=50_000, show_default=True, help="Maximum number of rows to learn from.")
@click.option("--draws", default=20, show_default=True, help="Number of draws of each cell.")
@click.option("--seed", default=0, show_default=True)
@click.option("--replace", is_flag=True, help="Replace a model of the name.")
def create(
    db: str,
    name: str,
    table: str,
    *,
    columns: tuple[str, ...],
    where: str | None,
    imputer: str,
    sample: int,
    draws: int,
    seed: int,
    replace: bool,
) -> None:
    """Fit a model NAME of columns of TABLE, and store it in the database DB."""
    with opened(db) as database, shown_progress() as progress:
        made = database.create_model(
            name,
            table,
            columns,
            where=where,
            imputer=imputer,
            sample=sample,
            draws=draws,
            seed=seed,
            replace=replace,
            progress=progress,
        )
    click.echo(f"{made.name}@{made.version}: {_errors(made.error)}")


@model.command()
@click.argument("db")
@click.argument("name")
@click.option("--canary", is_flag=True, help="Store the version without making it the current one.")
def refresh(db: str, name: str, *, canary: bool) -> None:
    """Fit the model NAME to the present rows of its table, as its next version."""
    with opened(db) as database, shown_progress() as progress:
        made = database.refresh_model(name, canary=canary, progress=progress)
    click.echo(f"{made.name}@{made.version}: {_errors(made.error)}")


@model.command()
@click.argument("db")
@click.argument("name", required=False)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
def show(db: str, name: str | None, form: str) -> None:
    """Show the model NAME, such as vitals or vitals@2, or the current version of each."""
    from imputedb.cli.output.tables import printed, rows_table

    with opened(db) as database:
        found = [database.model(name)] if name else database.models()
    rows = [{field: getattr(one, field) for field in _FIELDS} for one in found]
    if form == "json":
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    texts = [
        [
            _errors(value) if field == "error" else ", ".join(value) if field == "columns" else str(value or "")
            for field, value in row.items()
        ]
        for row in rows
    ]
    click.echo(printed(rows_table(list(_FIELDS), texts)))


@model.command()
@click.argument("db")
@click.argument("name")
@click.argument("file")
def export(db: str, name: str, file: str) -> None:
    """Write the model NAME to FILE, which `imputedb model import` and `imputedb.load_model` read."""
    with opened(db) as database:
        database.model(name).save(file)


@model.command("import")
@click.argument("db")
@click.argument("file")
@click.option("--table", help="Table of the model; default: the table of the name in FILE.")
@click.option("--replace", is_flag=True, help="Replace a model of the name.")
def import_(db: str, file: str, *, table: str | None, replace: bool) -> None:
    """Store the model in FILE in the database DB."""
    from imputedb.models.model import load_model

    with opened(db) as database:
        made = database.import_model(load_model(file), table=table, replace=replace)
    click.echo(f"{made.name}@{made.version}: {_errors(made.error)}")


@model.command()
@click.argument("db")
@click.argument("one")
@click.argument("other")
def diff(db: str, one: str, other: str) -> None:
    """Show the differences between two models, or versions such as vitals@1 and vitals@2."""
    from imputedb.cli.output.tables import printed, rows_table

    with opened(db) as database:
        pair = [database.model(name) for name in (one, other)]
        both = pair[0].table == pair[1].table and pair[0].digest and pair[1].digest
        differing = database.compare_models(one, other) if both else []
    rows = [(field, *(str(getattr(each, field)) for each in pair)) for field in (*_FIELDS[2:-1], "digest")]
    columns = dict.fromkeys(column for each in pair for column in each.error)
    rows += [
        (f"error of {column}", *(f"{each.error.get(column, float('nan')):.3f}" for each in pair)) for column in columns
    ]
    for each in differing:
        if each.means is not None:
            rows.append((f"mean filled into {each.column}", *(f"{mean:.6g}" for mean in each.means)))
    click.echo(printed(rows_table(["", one, other], [row for row in rows if row[1] != row[2]])))
    for each in differing:
        moved = "" if each.index is None else f", stability index {each.index:.3f}"
        click.echo(f"{each.column}: {each.differing:.1%} of {each.cells:,} missing cells get another value{moved}")


@model.command()
@click.argument("db")
@click.argument("name")
def drop(db: str, name: str) -> None:
    """Drop the model NAME, or one version of it, such as vitals@1."""
    with opened(db) as database:
        database.drop_model(name)


def _errors(errors: object) -> str:
    return ", ".join(f"{column} {error:.3f}" for column, error in dict(errors).items()) or "no error measured"  # type: ignore[call-overload]
