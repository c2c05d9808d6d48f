"""A folder of files that appears whole or not at all, and takes up where a killed process left off."""

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

from imputedb.errors import StorageError

CURRENT, MANIFEST, LOCK = "CURRENT", "manifest.json", ".lock"
_TEMPORARY = ".tmp-"
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
"""So that nobody has a file of another place opened."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A run being written, under `.tmp-<run>` beside the place where it will appear.

    Attributes:
        out: the folder that readers look into.
        run: the name of the run.
    """

    out: Path
    run: str

    @property
    def folder(self) -> Path:
        """Where the parts are written."""
        return self.out / f"{_TEMPORARY}{self.run}"

    def finished(self, name: str) -> Mapping[str, Any] | None:
        """What was said of a part that is there, whole; None where it is not."""
        told = self.folder / f"{name}.json"
        try:
            record: Mapping[str, Any] = json.loads(told.read_text())
        except (OSError, ValueError):
            return None
        part = self.folder / str(record["file"])
        return record if part.is_file() and digest(part) == record["sha256"] else None

    @contextmanager
    def part(self, name: str, file: str, record: dict[str, Any]) -> Iterator[Path]:
        """A path to write a part to; it counts as finished, with its record, when the block ends well."""
        target = self.folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(target.name + ".unfinished")
        yield unfinished
        _sync(unfinished)
        unfinished.replace(target)
        whole = {**record, "file": file, "sha256": digest(target), "bytes": target.stat().st_size}
        _write(self.folder / f"{name}.json", json.dumps(whole))
        _sync(target.parent)

    def publish(self, manifest: Mapping[str, Any]) -> Path:
        """Makes the run what readers see: manifest, rename, pointer, each on disk before the next."""
        for told in self.folder.glob("*.json"):
            told.unlink()
        _write(self.folder / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False))
        _sync(self.folder)
        final = self.out / self.run
        if final.exists():
            shutil.rmtree(final)
        self.folder.replace(final)
        _sync(self.out)
        self.point()
        return final

    def point(self) -> None:
        """Lets readers see the run."""
        pointer = self.out / f"{_TEMPORARY}{CURRENT}"
        pointer.unlink(missing_ok=True)
        pointer.symlink_to(self.run)
        pointer.replace(self.out / CURRENT)
        _sync(self.out)


@contextmanager
def publication(out: Path, run: str) -> Iterator[Publication]:
    """A run that nobody else is writing; what other runs left unfinished is removed.

    Raises:
        StorageError: the folder cannot be written, or another process is writing into it.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(out / LOCK, os.O_CREAT | os.O_RDWR | _NO_LINKS, 0o666), "w") as lock:
            try:
                _hold(lock.fileno())
            except OSError as error:
                raise StorageError(
                    f"another process is writing into {out}: wait for it, or name another --out"
                ) from error
            for stale in out.glob(f"{_TEMPORARY}*"):
                if stale.is_dir() and not stale.is_symlink() and stale.name != f"{_TEMPORARY}{run}":
                    shutil.rmtree(stale)
            yield Publication(out, run)
    except OSError as error:
        raise StorageError(f"cannot write into {out}: {error.strerror or error}") from error


def _hold(descriptor: int) -> None:
    """Locks a file for this process until it is closed.

    Raises:
        OSError: another process holds it.
    """
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


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
