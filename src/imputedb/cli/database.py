"""The database that a command is about, and the bar of one that takes long."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from imputedb.errors import StorageError

if TYPE_CHECKING:
    from imputedb.database import Database
    from imputedb.imputers.protocol import Progress


@contextmanager
def opened(path: str, *, create: bool = False) -> Iterator[Database]:
    """The database of a path, for writing where that is possible.

    Raises:
        StorageError: there is none and none is to be made, or it cannot be opened.
    """
    from imputedb.database import connect

    if not create and not Path(path).exists():
        raise StorageError(f"no database {path}; `imputedb load {path} FILE...` makes one")
    try:
        db = connect(path, variables=False)
    except StorageError:
        if not Path(path).exists() or os.access(path, os.W_OK):
            raise
        db = connect(path, read_only=True, variables=False)
    with db:
        yield db


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
    """A bar on standard error where somebody is looking."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("imputing", total=1.0)
        yield lambda share: bar.update(task, completed=share)
