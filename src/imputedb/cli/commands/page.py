"""The command that shows a database in a browser."""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from imputedb.cli.database import absent, opened, settings
from imputedb.cli.questions import database_at, is_data
from imputedb.errors import DataError

if TYPE_CHECKING:
    from imputedb.database import Database


@click.command()
@click.argument("db", required=False)
@click.option("--http", metavar="HOST:PORT", help="Address on this machine; default 127.0.0.1:8085.")
@click.option("--no-browser", is_flag=True, help="Print the link without opening a browser.")
@click.option("--writable", is_flag=True, help="Allow changes of policies, and statements that write.")
def ui(db: str | None, http: str | None, *, no_browser: bool, writable: bool) -> None:
    """Show DB, a database or a file of data, in a browser, read-only; by default a synthetic survey."""
    try:
        from imputedb.pages.server import address, serve
        from imputedb.pages.site import Site
    except ImportError as error:
        raise DataError(f"the page needs further packages ({error.name}): pip install 'imputedb[ui]'") from error
    host, port = address(http)

    def ready(link: str) -> None:
        click.echo(link)
        if not no_browser:
            _open(link, folder)

    with TemporaryDirectory(prefix="imputedb-") as folder, _database(db, writable=writable) as database:
        in_file = db is not None and not is_data(db)
        title = Path(db).name if db else "demo survey"
        site = Site(database, title, Path(db) if db and in_file else None, writable or not in_file)
        if db is not None and in_file:
            site.audit, site.jobs = partial(_audit, db), partial(_jobs, db)
        serve(site, host, port, ready)


def _open(link: str, folder: str) -> None:
    """Opens a link through a file that only its owner can read, since all users can see the browser's arguments."""
    page = Path(folder, "page.html")
    page.touch(mode=0o600)
    page.write_text(f'<!doctype html><meta http-equiv="refresh" content="0; url={escape(link)}">')
    webbrowser.open(page.as_uri())


def _audit(db: str) -> list[list[object]]:
    """The audit records of the database's service: number, time, caller, tables, cells and methods."""
    from imputedb.cli.commands.audit import side_of
    from imputedb.service.audit import entries

    with side_of(db) as side:
        found = [(one.number, one.record) for one in entries(side)]
    return [
        [number, record.get("time"), record.get("principal"), *(_listed(record.get(name)) for name in _SHOWN)]
        for number, record in found
    ]


_SHOWN = ("tables", "cells", "methods")


def _listed(found: object) -> str:
    if isinstance(found, dict):
        return ", ".join(f"{name}: {value}" for name, value in found.items())
    return ", ".join(map(str, found)) if isinstance(found, list) else ""


def _jobs(db: str) -> list[tuple[object, ...]]:
    """The jobs of the database's service, the latest first."""
    from imputedb.cli.commands.audit import side_of

    with side_of(db) as side:
        return side.rows("SELECT kind, state, progress, created, error FROM jobs ORDER BY created DESC LIMIT 500")


@contextmanager
def _database(path: str | None, *, writable: bool) -> Iterator[Database]:
    """The database to show: a file, opened read-only unless `writable`, or one in memory."""
    from imputedb.cli.survey import survey
    from imputedb.database import connect

    if path is None:
        with opened(":memory:", create=True) as db:
            for name, columns in survey().items():
                db.register(name, columns, keep=True)
            yield db
    elif writable or is_data(path) or path.startswith("sc://"):
        with database_at(path, create=False) as db:
            yield db
    elif not Path(path).exists():
        raise absent(path)
    else:
        with connect(path, locked=True, config=settings()) as db:
            yield db
