"""The database that a command works on, and the progress bar of long work."""

from __future__ import annotations

import os
import shutil
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import TYPE_CHECKING

import click

from imputedb.errors import StorageError

if TYPE_CHECKING:
    from imputedb.database import Database
    from imputedb.imputers.protocol import Progress

_UNSEEN = 2.0
"""Seconds before a bar is shown."""


FILES = (
    *(".csv", ".tsv", ".tab", ".dat", ".txt", ".gz", ".zst", ".parquet", ".json", ".jsonl", ".ndjson"),
    *(".xlsx", ".xls", ".ods", ".sav", ".por", ".dta", ".sas7bdat", ".xpt", ".rds", ".rdata"),
)
"""How files end that are loaded where a database would stand."""


def _is_named_as_data(path: str) -> bool:
    return Path(path).suffix.lower() in FILES


def absent(path: str) -> StorageError:
    """The error that there is no database, or no file of data, at a path."""
    if _is_named_as_data(path):
        return StorageError(f"no file {path}; the name of a database ends otherwise, as in survey.duckdb")
    return StorageError(f"no database {path}; `imputedb load {path} FILE...` makes one")


@contextmanager
def opened(path: str, *, create: bool = False, read_only: bool = False) -> Iterator[Database]:
    """The database at a path, opened for writing where that is possible and wanted, with the settings of the options.

    A Spark session belongs to the command and ends with it.

    Raises:
        StorageError: the database does not exist and is not to be created, or it cannot be opened.
    """
    from imputedb.database import connect

    if path.startswith("sc://"):
        with connect(path) as db:
            yield db
        return
    if not Path(path).exists() and (not create or _is_named_as_data(path)):
        raise absent(path)
    try:
        db = connect(path, read_only=read_only, variables=False, config=settings())
    except StorageError:
        if not Path(path).exists() or (not read_only and os.access(path, os.W_OK)):
            raise
        # a file that this process has open for writing cannot be opened read-only too
        db = connect(path, read_only=not read_only, variables=False, config=settings())
    with db:
        yield db


def settings() -> dict[str, object]:
    """DuckDB's settings from the options of the whole command line."""
    context = click.get_current_context(silent=True)
    given = context.find_root().params if context else {}
    wanted = {"memory_limit": given.get("memory"), "threads": given.get("threads")}
    return {name: value for name, value in wanted.items() if value is not None}


@contextmanager
def announced() -> Iterator[None]:
    """A context in which Python warnings are printed as notes on standard error."""
    with warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always")
        yield
    for remark in remarks:
        click.echo(f"note: {remark.message}", err=True)


@contextmanager
def standard_input(files: Sequence[str]) -> Iterator[list[str]]:
    """The files, with a copy of standard input in the place of `-`."""
    if "-" not in files:
        yield list(files)
        return
    with TemporaryDirectory() as folder:
        copy = Path(folder, "stdin.csv")
        with copy.open("wb") as written:
            shutil.copyfileobj(sys.stdin.buffer, written)
        yield [str(copy) if file == "-" else file for file in files]


@contextmanager
def shown_progress() -> Iterator[Progress | None]:
    """A progress bar on standard error, if that is a terminal, for work that takes longer than 2 s."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = ("{task.description}", BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    bar = Bar(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("working", total=None)  # until progress is reported
    shown = Timer(_UNSEEN, bar.start)
    shown.daemon = True
    shown.start()
    try:
        yield lambda share: bar.update(task, description="imputing", total=1.0, completed=share)
    finally:
        shown.cancel()
        bar.stop()
