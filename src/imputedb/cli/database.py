"""The database that a command is about, and the bar of one that takes long."""

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


@contextmanager
def opened(path: str, *, create: bool = False, read_only: bool = False) -> Iterator[Database]:
    """The database of a path, for writing where that is possible and wished, under the command's own settings.

    Raises:
        StorageError: there is none and none is to be made, or it cannot be opened.
    """
    from imputedb.database import connect

    if not create and not Path(path).exists():
        raise StorageError(f"no database {path}; `imputedb load {path} FILE...` makes one")
    try:
        db = connect(path, read_only=read_only, variables=False, config=_settings())
    except StorageError:
        if not Path(path).exists() or (not read_only and os.access(path, os.W_OK)):
            raise
        # what this process has open for writing it cannot open for reading alone
        db = connect(path, read_only=not read_only, variables=False, config=_settings())
    with db:
        yield db


def _settings() -> dict[str, object]:
    """DuckDB's settings that the options of the whole command name."""
    context = click.get_current_context(silent=True)
    given = context.find_root().params if context else {}
    wanted = {"memory_limit": given.get("memory"), "threads": given.get("threads")}
    return {name: value for name, value in wanted.items() if value is not None}


@contextmanager
def announced() -> Iterator[None]:
    """What is warned of inside, as notes on standard error."""
    with warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always")
        yield
    for remark in remarks:
        click.echo(f"note: {remark.message}", err=True)


@contextmanager
def standard_input(files: Sequence[str]) -> Iterator[list[str]]:
    """Files, with a copy of standard input in the place of `-`."""
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
    """A bar with the time that is left, on standard error where somebody is looking, of what takes longer than 2 s."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = ("{task.description}", BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    bar = Bar(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("working", total=None)  # until somebody says how far it is
    shown = Timer(_UNSEEN, bar.start)
    shown.daemon = True
    shown.start()
    try:
        yield lambda share: bar.update(task, description="imputing", total=1.0, completed=share)
    finally:
        shown.cancel()
        bar.stop()
