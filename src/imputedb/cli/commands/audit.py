"""Commands about the audit log of a service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imputedb.cli.commands import analysis
from imputedb.errors import DataError, StorageError

if TYPE_CHECKING:
    from imputedb.service.side import Side


@click.group()
def audit() -> None:
    """Audits: the log of a service's answers, and the donors of a table's imputed cells."""


@audit.command()
@click.argument("db")
@click.option("--after", default=0, show_default=True, help="Number of the record before the first one shown.")
@click.option("--count", type=int, help="Maximum number of records; default: all.")
def log(db: str, after: int, count: int | None) -> None:
    """Show the audit records of the service of the database DB, one JSON object per line."""
    with side_of(db) as side:
        from imputedb.service.audit import entries

        for one in entries(side, after, count):
            click.echo(json.dumps({"number": one.number, "hash": one.hash, **one.record}, ensure_ascii=False))


@audit.command()
@click.argument("db")
@click.option("--head", metavar="HASH", help="Hash that must occur, such as the last one in the service's log.")
def verify(db: str, head: str | None) -> None:
    """Check that no audit record was changed, left out or, with --head, cut off."""
    with side_of(db) as side:
        from imputedb.service.audit import verify as verified

        number, last = verified(side, head)
        click.echo(f"{number:,} record{'' if number == 1 else 's'}, head {last}")


audit.add_command(analysis.audit, "cells")


@contextmanager
def side_of(db: str) -> Iterator[Side]:
    """The side file of a database; the path may also be that of the side file itself."""
    try:
        from imputedb.service.side import Side
    except ImportError as error:
        raise DataError(f"the service needs further packages ({error.name}): pip install 'imputedb[server]'") from error
    path = Path(db)
    if not path.name.endswith(".imputedb"):
        path = path.with_name(path.name + ".imputedb")
    if not path.exists():
        raise StorageError(f"there is no audit log {path}: no service has run, or its `side` is elsewhere")
    side = Side(path, read_only=True)
    try:
        yield side
    finally:
        side.close()
