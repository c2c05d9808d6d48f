"""Promotion and rollback: the choice of the run that readers of a folder see."""

from pathlib import Path

from imputedb.completion.completed import Completed, opened
from imputedb.completion.publication import Publication, current, previous, publication, take_back, taken_back
from imputedb.errors import StorageError, UnknownName


def promoted(out: Path, run: str) -> Completed:
    """Makes a run of a folder the current one, after a check of its files; it may have been rolled back before.

    Raises:
        UnknownName: there is no such run.
        StorageError: a file of the run is missing or altered.
        Busy: another process is writing into the folder.
    """
    if not out.is_dir():
        raise UnknownName(f"no run {run!r} in {out}: there is no such folder")
    with publication(out, run) as writing:
        found = _whole(out, run)
        _show(writing)
    return found


def rolled_back(out: Path) -> Completed:
    """Makes the previous run the current one again; making the rolled back run again does not make it current.

    Raises:
        StorageError: there is no previous run, or its files are altered.
        Busy: another process is writing into the folder.
    """
    if previous(out) is None:
        raise StorageError(f"{out} has no earlier run to go back to")
    with publication(out, "") as folder:
        before, now = previous(out), current(out)
        if before is None or not (out / before).is_dir():
            raise StorageError(f"{before}, which readers saw before, is no longer in {out}: promote another run")
        found = _whole(out, before)
        if now is not None:
            take_back(out, taken_back(out) | {now})
        _show(Publication(folder.out, before))
    return found


def _whole(out: Path, run: str) -> Completed:
    """A run of a folder, after a check of its files against the manifest."""
    at = out / run
    if Path(run).name != run or run.startswith(".") or not at.is_dir() or at.is_symlink():
        known = ", ".join(sorted(one.name for one in out.glob("run-*"))) or "none"
        raise UnknownName(f"no run {run!r} in {out}; there are {known}")
    found = opened(at)
    found.check()
    return found


def _show(writing: Publication) -> None:
    writing.point()
    take_back(writing.out, taken_back(writing.out) - {writing.run})
