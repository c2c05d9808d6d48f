"""Commands about runs of completed data sets in a folder: list, verify, compare, promote and prune them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import click

from imputedb.cli.thresholds import RUNS, check, of_runs, thresholds
from imputedb.errors import StorageError


@click.group()
def runs() -> None:
    """Runs of completed data sets in a folder: list, verify, compare, promote and prune them."""


@runs.command("list")
@click.argument("folder", metavar="DIR")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
def listing(folder: str, form: str) -> None:
    """List the runs in DIR, the oldest first; the current one is marked."""
    from imputedb.cli.output.tables import printed, rows_table
    from imputedb.completion.completed import opened
    from imputedb.completion.publication import current
    from imputedb.completion.runs import runs_of
    from imputedb.notes import NoteKind

    found, seen = runs_of(Path(folder)), current(Path(folder))
    names = ["run", "current", "m", "source", "imputer", "seed", "warnings"]
    rows = []
    for path in found:
        one = opened(path)
        settings = [one.manifest.get(name) for name in ("source", "imputer", "seed")]
        warned = [*one.warnings, *(note for note in one.chains if note.kind is NoteKind.CONVERGENCE)]
        rows.append([path.name, path.name == seen, one.m, *settings, len(warned)])
    if form == "json":
        click.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=2, ensure_ascii=False))
    else:
        click.echo(printed(rows_table(names, [[row[0], "*" if row[1] else "", *row[2:]] for row in rows])))


@runs.command()
@click.argument("folder", metavar="DIR")
def verify(folder: str) -> None:
    """Compare every file of every run in DIR with its manifest; the exit code is 1 if one differs."""
    from imputedb.completion.completed import opened
    from imputedb.completion.runs import runs_of

    found = runs_of(Path(folder))
    if not found:
        raise StorageError(f"no run of completed data sets in {folder}, so there is nothing to verify")
    wrong = []
    for path in found:
        try:
            opened(path).check()
            click.echo(f"{path.name}: as it was written")
        except StorageError as error:
            wrong.append(path.name)
            click.echo(f"{path.name}: {error}", err=True)
    if wrong:
        raise StorageError(f"{len(wrong)} of {len(found)} runs are not what was written: {', '.join(wrong)}")


@runs.command()
@click.argument("folder", metavar="DIR")
@click.argument("run", required=False)
@click.option("--out", required=True, metavar="DIR", help="New folder for the repeated run.")
def repeat(folder: str, run: str | None, out: str) -> None:
    """Make RUN again from its archive (impute --archive), and compare it byte for byte; exit with 1 where it differs.

    RUN is the one that readers of DIR see unless given. It may have been pruned: the archive is enough.
    """
    from imputedb.cli.database import settings, shown_progress
    from imputedb.database import connect

    with connect(variables=False, config=settings()) as database, shown_progress() as progress:
        made = database.repeat(folder, out, run, progress=progress)
    for file in made.files:
        click.echo(str(file))
    click.echo(f"{len(made.files)} files are those of the run, byte for byte", err=True)


@runs.command()
@click.argument("folder", metavar="DIR")
@click.option("--keep", type=click.IntRange(min=1), default=1, show_default=True, help="Number of newest runs to keep.")
@click.option("--dry-run", is_flag=True, help="Show what would be removed, without removing it.")
def prune(folder: str, keep: int, *, dry_run: bool) -> None:
    """Remove the runs in DIR except the newest ones, the current one and the previous one.

    Draws of unpublished runs are removed a day after the last was written. Links, damaged runs, and folders with a
    manifest.json of another kind are kept and listed.
    """
    from imputedb.completion import runs as of_folder

    done = of_folder.prune(Path(folder), keep, dry_run=dry_run)
    for name in done.others:
        click.echo(f"{name} stays: it is not a complete run of imputedb", err=True)
    for name in (*done.runs, *done.left):
        click.echo(name)
    would = "would be" if dry_run else "were"
    left = f", and {len(done.left)} that were not published" if done.left else ""
    click.echo(f"{len(done.runs)} of {done.known} runs{left} {would} removed", err=True)


@runs.command()
@click.argument("folder", metavar="DIR")
@click.argument("run")
@click.argument("other", required=False)
@click.option("--fail-on", metavar="FIGURES", help="Exit code 3 if exceeded: shift>3,psi>0.25,imputed>0.1.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
def compare(folder: str, run: str, other: str | None, fail_on: str | None, form: str) -> None:
    """Compare RUN with OTHER, by default the current run in DIR: pooled means, shares, imputed values.

    OTHER is the baseline and comes first, as in contracts: a positive shift means that RUN is higher.
    """
    from dataclasses import asdict

    from imputedb.answers.as_json import plain
    from imputedb.cli.output.tables import printed, rows_table
    from imputedb.completion.comparison import compared
    from imputedb.completion.completed import opened

    wanted = thresholds(fail_on, RUNS)
    lines = compared(opened(Path(folder, other) if other else folder), opened(Path(folder, run)))
    if form == "json":
        click.echo(json.dumps(plain([asdict(line) for line in lines]), indent=2, ensure_ascii=False))
    else:
        titles = [name.replace("_", " ") for name in asdict(lines[0])]
        rows = [[f"{v:.4g}" if isinstance(v, float) else str(v) for v in asdict(line).values()] for line in lines]
        click.echo(printed(rows_table(titles, rows)))
    check(wanted, of_runs(lines))


@runs.command()
@click.argument("file")
@click.option("--to", required=True, type=click.Choice(["great-expectations", "pandera"]), help="The other tool.")
def contract(file: str, to: Literal["great-expectations", "pandera"]) -> None:
    """Show the checks of a contract FILE (TOML) on rows in the form of another tool, which is not needed here."""
    from imputedb.completion.contract_export import export_contract

    click.echo(export_contract(file, to), nl=False)


@runs.command()
@click.argument("folder", metavar="DIR")
@click.argument("run")
def promote(folder: str, run: str) -> None:
    """Make RUN the current run of DIR, such as one of impute --beside, after a check of its files."""
    from imputedb.completion.promotion import promoted

    click.echo(promoted(Path(folder), run).folder.name)


@runs.command()
@click.argument("folder", metavar="DIR")
def rollback(folder: str) -> None:
    """Make the previous run of DIR the current one again."""
    from imputedb.completion.promotion import rolled_back

    click.echo(rolled_back(Path(folder)).folder.name)
