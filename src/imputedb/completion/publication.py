"""Atomic publication of a run's folder, which can be continued after a process was killed."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imputedb.errors import Busy, StorageError

CURRENT, PREVIOUS, MANIFEST, LOCK = "CURRENT", ".previous", "manifest.json", ".lock"
TEMPORARY = ".tmp-"
_TAKEN_BACK = ".rolled-back"
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
"""Links are not followed, so that no file of another folder is opened."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A run that is being written, in `.tmp-<run>` beside its final place.

    Attributes:
        out: folder that readers look into.
        run: name of the run.
    """

    out: Path
    run: str

    @property
    def folder(self) -> Path:
        """The folder into which parts are written."""
        return self.out / f"{TEMPORARY}{self.run}"

    def finished(self, name: str) -> Mapping[str, Any] | None:
        """The record of a finished part whose file is intact; None where there is none."""
        path = self.folder / f"{name}.json"
        try:
            record: Mapping[str, Any] = json.loads(path.read_text())
        except (OSError, ValueError):
            return None
        part = self.folder / str(record["file"])
        return record if part.is_file() and digest(part) == record["sha256"] else None

    @contextmanager
    def part(self, name: str, file: str, record: dict[str, Any]) -> Iterator[Path]:
        """A path to write a part to; the part with its record is finished when the block ends without an error."""
        target = self.folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(target.name + ".unfinished")
        yield unfinished
        _sync(unfinished)
        unfinished.replace(target)
        whole = {**record, "file": file, "sha256": digest(target), "bytes": target.stat().st_size}
        _write(self.folder / f"{name}.json", json.dumps(whole))
        _sync(target.parent)

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """A lock on a part, so that no other process writes it.

        Raises:
            Busy: another process writes it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder / f"{name}.lock", f"another process is writing part {name} of {self.run}"):
            yield

    @property
    def is_there(self) -> bool:
        """Whether the run is published."""
        return (self.final / MANIFEST).exists()

    @property
    def final(self) -> Path:
        """The final place of the run."""
        return self.out / self.run

    def publish(self, manifest: Mapping[str, Any]) -> None:
        """Publishes the run: the manifest is synced, then the folder is renamed. `point` makes it the current run."""
        for path in (*self.folder.glob("*.json"), *self.folder.glob("*.lock")):
            path.unlink()
        _write(self.folder / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False))
        _sync(self.folder)
        if self.final.exists():
            shutil.rmtree(self.final)
        self.folder.replace(self.final)
        _sync(self.out)

    def point(self) -> None:
        """Makes the run the current one of its folder."""
        before = current(self.out)
        if before is not None and before != self.run:
            _write(self.out / PREVIOUS, before + "\n")
        pointer = self.out / f"{TEMPORARY}{CURRENT}"
        pointer.unlink(missing_ok=True)
        pointer.symlink_to(self.run)
        pointer.replace(self.out / CURRENT)
        _sync(self.out)


def current(out: Path) -> str | None:
    """The name of the current run of a folder, which readers see; None where there is none."""
    pointer = out / CURRENT
    return pointer.resolve().name if pointer.exists() else None


def previous(out: Path) -> str | None:
    """The name of the previous run of a folder; None where there is none."""
    try:
        return (out / PREVIOUS).read_text().strip() or None
    except OSError:
        return None


def taken_back(out: Path) -> frozenset[str]:
    """The runs of a folder that were rolled back, and not promoted since."""
    try:
        return frozenset((out / _TAKEN_BACK).read_text().split())
    except FileNotFoundError:
        return frozenset()


def take_back(out: Path, runs: frozenset[str]) -> None:
    """Stores the set of runs of a folder that were rolled back, in place of the earlier set."""
    if runs != taken_back(out):
        _write(out / _TAKEN_BACK, "".join(f"{run}\n" for run in sorted(runs)))
        _sync(out)


@contextmanager
def publication(out: Path, run: str) -> Iterator[Publication]:
    """A run to publish while no other process writes into the folder; draws of other runs are left as they are.

    Raises:
        StorageError: the folder cannot be written.
        Busy: another process is writing into it.
    """
    with written(out, shared=False):
        yield Publication(out, run)


@contextmanager
def preparation(out: Path, run: str) -> Iterator[Publication]:
    """A run whose parts several processes may write at once; none of them publishes it.

    Raises:
        StorageError: the folder cannot be written.
        Busy: another process is publishing into it.
    """
    with written(out, shared=True):
        yield Publication(out, run)


@contextmanager
def written(out: Path, *, shared: bool) -> Iterator[None]:
    """A lock on a folder: exclusive to this process, or shared.

    Raises:
        StorageError: the folder cannot be written.
        Busy: another process is writing into it.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        message = f"another process is writing into {out}: wait for it, or name another --out"
        with locked(out / LOCK, message, shared=shared):
            yield
    except OSError as error:
        raise StorageError(f"cannot write into {out}: {error.strerror or error}") from error


@contextmanager
def locked(path: Path, message: str, *, shared: bool = False) -> Iterator[None]:
    """A lock on a file, held by this process.

    Raises:
        Busy: another process holds the lock.
    """
    with os.fdopen(os.open(path, os.O_CREAT | os.O_RDWR | _NO_LINKS, 0o666), "w") as lock:
        try:
            _hold(lock.fileno(), shared=shared)
        except OSError as error:
            raise Busy(message) from error
        yield


def _hold(descriptor: int, *, shared: bool) -> None:
    """Locks a file until it is closed; on Windows, which has no shared locks, always exclusively.

    Raises:
        OSError: another process holds the lock.
    """
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, text: str) -> None:
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666), "w", encoding="utf-8") as file:
        file.write(text)
    _sync(unfinished)
    unfinished.replace(path)


def _sync(path: Path) -> None:
    if sys.platform == "win32" and path.is_dir():  # folders cannot be opened there
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
