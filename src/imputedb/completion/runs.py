"""The runs of a folder: a list of them, and the removal of old runs and leftovers."""

import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import time

from imputedb.completion.completed import opened
from imputedb.completion.publication import CURRENT, MANIFEST, TEMPORARY, current, previous, written
from imputedb.errors import StorageError

LEFT_FOR = 24 * 3600
"""Seconds after which the draws of an unpublished run count as abandoned."""

_GOING = f"{TEMPORARY}going-"


@dataclass(frozen=True, slots=True)
class Pruned:
    """The folders that were removed, or would be.

    Attributes:
        known: number of runs before.
        runs: removed runs.
        left: removed draws of runs that were never published.
        others: folders and links that are not intact runs, and were kept.
    """

    known: int
    runs: tuple[str, ...]
    left: tuple[str, ...]
    others: tuple[str, ...]


def runs_of(folder: Path) -> list[Path]:
    """The runs of a folder, the oldest first, damaged ones included.

    Raises:
        StorageError: there is no such folder.
    """
    if not folder.is_dir():
        raise StorageError(f"no folder {folder}")
    known = (one.parent for one in folder.glob(f"*/{MANIFEST}"))
    return sorted((one for one in known if one.name != CURRENT and not one.name.startswith(".")), key=_made)


def prune(folder: Path, keep: int, *, dry_run: bool) -> Pruned:
    """Removes all runs but the newest ones, the current one and the previous one.

    Draws of unpublished runs are removed a day after the last was written. No other process may write meanwhile.

    Raises:
        StorageError: there is no such folder, or something cannot be removed.
        Busy: another process is writing into it.
    """
    runs_of(folder)
    with nullcontext() if dry_run else written(folder, shared=False):
        found, others = _runs_and_others(runs_of(folder))
        seen = {current(folder), previous(folder)}
        going = [path for path in found[: max(0, len(found) - keep)] if path.name not in seen]
        left = [path for path in sorted(folder.glob(f"{TEMPORARY}*")) if _is_left(path)]
        for path in () if dry_run else (*going, *left):
            _remove(path)
    names = [tuple(path.name for path in paths) for paths in (going, left, others)]
    return Pruned(len(found), *names)


def _remove(path: Path) -> None:
    """Removes a folder; it is renamed first, so that it is never seen as a damaged run."""
    try:
        if not path.name.startswith(TEMPORARY):
            path = path.replace(path.with_name(_GOING + path.name))
        shutil.rmtree(path)
    except OSError as error:
        raise StorageError(f"cannot remove {path}: {error.strerror}") from error


def _is_left(path: Path) -> bool:
    if path.is_symlink() or not path.is_dir():
        return False
    last = max(one.lstat().st_mtime for one in (path, *path.rglob("*")))
    return path.name.startswith(_GOING) or time() - last > LEFT_FOR


def _runs_and_others(found: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Folders that are intact runs, and all others: links, foreign folders, damaged runs."""
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
