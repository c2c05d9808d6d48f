"""Commands about runs of completed data sets in a folder: list them, verify them, prune them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import click

from imputedb.errors import StorageError


@click.group()
def runs() -> None:
    """Runs of completed data sets in a folder: list, verify and prune them."""


def _found(folder: str) -> tuple[list[Path], Path | None]:
    """The runs of a folder, the oldest first, and the one that readers see."""
    from imputedb.completion.publication import CURRENT, MANIFEST

    at = Path(folder)
    if not at.is_dir():
        raise StorageError(f"no folder {folder}")
    known = sorted((one.parent for one in at.glob(f"*/{MANIFEST}") if one.parent.name != CURRENT), key=_made)
    current = (at / CURRENT).resolve() if (at / CURRENT).exists() else None
    return [one for one in known if not one.name.startswith(".")], current


def _told_apart(found: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Folders that are whole runs, and those that are not: links, what others have written, damaged runs."""
    from imputedb.completion.completed import opened

    runs, others = list[Path](), list[Path]()
    for path in found:
        try:
            is_run = not path.is_symlink() and opened(path).folder == path.resolve()
        except StorageError:
            is_run = False
        (runs if is_run else others).append(path)
    return runs, others


def _made(run: Path) -> float:
    return run.stat().st_mtime


@runs.command("list")
@click.argument("folder", metavar="DIR")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
def listing(folder: str, form: str) -> None:
    """List the runs in DIR, the oldest first; the one that readers see has a mark."""
    from imputedb.cli.output.tables import printed, rows_table
    from imputedb.completion.completed import opened

    found, current = _found(folder)
    names = ["run", "current", "m", "source", "imputer", "seed", "warnings"]
    rows = []
    for path in found:
        one = opened(path)
        told = [one.manifest.get(name) for name in ("source", "imputer", "seed")]
        rows.append([path.name, path.resolve() == current, one.m, *told, len(one.warnings)])
    if form == "json":
        click.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=2, ensure_ascii=False))
    else:
        click.echo(printed(rows_table(names, [[row[0], "*" if row[1] else "", *row[2:]] for row in rows])))


@runs.command()
@click.argument("folder", metavar="DIR")
def verify(folder: str) -> None:
    """Compare every file of every run in DIR with its manifest; exit with 1 where one is not what was written."""
    from imputedb.completion.completed import opened

    found, _ = _found(folder)
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
@click.option("--keep", type=click.IntRange(min=1), default=1, show_default=True, help="Runs that stay, the newest.")
@click.option("--dry-run", is_flag=True, help="Show what would go, and remove nothing.")
def prune(folder: str, keep: int, *, dry_run: bool) -> None:
    """Remove the runs in DIR but for the newest ones, and never the one that readers see.

    Links, damaged runs, and folders with a manifest.json that is of no run stay, and are named.
    """
    there, current = _found(folder)
    found, others = _told_apart(there)
    for path in others:
        click.echo(f"{path.name} stays: it is no whole run of imputedb", err=True)
    going = [path for path in found[: max(0, len(found) - keep)] if path.resolve() != current]
    for path in going:
        if not dry_run:
            try:
                shutil.rmtree(path)
            except OSError as error:
                raise StorageError(f"cannot remove {path}: {error.strerror}") from error
        click.echo(path.name)
    click.echo(f"{len(going)} of {len(found)} runs {'would be' if dry_run else 'were'} removed", err=True)
