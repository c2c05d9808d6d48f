"""Atomic writing of files."""

import os
import secrets
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from imputedb import duckdb_errors
from imputedb.errors import Error, StorageError


@contextmanager
def published(path: str) -> Iterator[str]:
    """A temporary path beside `path`; the file replaces `path` when the block ends without an error.

    It has the suffix of `path` and is created exclusively. Devices and other special files are written directly.

    Raises:
        StorageError: the file cannot be written; nothing of it remains.
    """
    target = _target(path)
    if target.is_dir():
        raise StorageError(f"cannot write {path}: it is a folder")
    if target.exists() and not target.is_file():
        with _written(path):
            yield path
        return
    temporary = target.with_name(f".{secrets.token_hex(8)}.{target.name}")
    try:
        with _written(path):
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            yield str(temporary)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def _written(path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, duckdb_errors.Unreadable) as error:
        raise StorageError(f"cannot write {path}: {_reason(error)}") from error


def _target(path: str) -> Path:
    if not path or "\0" in path:
        raise StorageError(f"{path!r} is not the path of a file")
    return Path(path)


def check_place(path: str) -> None:
    """Refuses a path at which no file can be created, before the work for it is done.

    Raises:
        StorageError: the path is a folder, or its folder does not exist.
    """
    target = _target(path)
    if target.is_dir():
        raise StorageError(f"cannot write {path}: it is a folder")
    if not target.parent.is_dir():
        raise StorageError(f"cannot write {path}: there is no folder {target.parent}")


@contextmanager
def copied(path: str, options: Collection[str]) -> Iterator[str]:
    """The path to which COPY writes, before the result is moved to `path`; it may become a folder.

    Addresses and devices are written directly. So is a folder with content if COPY states neither OVERWRITE nor APPEND,
    which DuckDB refuses.

    Args:
        path: target of COPY with the home folder expanded; links are followed.
        options: options that are switched on, in lower case.

    Raises:
        StorageError: the target cannot be written; nothing of it remains.
    """
    target = _target(path)
    replaced, adds = "overwrite" in options, bool({"append", "overwrite_or_ignore"} & set(options))
    refused = target.is_dir() and any(target.iterdir()) and not (replaced or adds)
    if (
        "://" in path
        or path.startswith("file:")
        or refused
        or (target.exists() and not (target.is_file() or target.is_dir()))
    ):
        yield path
        return
    target = Path(os.path.realpath(target))
    temporary = target.with_name(f".{secrets.token_hex(8)}.{target.name}")
    try:
        yield str(temporary)
        if temporary.is_file():
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        if not temporary.exists():
            return  # without rows COPY may write no file
        if target.is_dir() and temporary.is_dir():
            _put_into(target, temporary, replaced=replaced, anew="append" in options)
        elif temporary.is_dir() and target.is_file():
            if not replaced:
                raise StorageError(f"cannot write {path}: it is a file, and COPY makes a folder; OVERWRITE replaces it")
            _exchanged(target, temporary)
        else:
            temporary.replace(target)
    except Error as error:
        raise type(error)(str(error).replace(str(temporary), path)) from error
    except OSError as error:
        raise StorageError(f"cannot write {path}: {_reason(error)}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _put_into(folder: Path, written: Path, *, replaced: bool, anew: bool) -> None:
    """Replaces the content of a folder by that of another one, or moves the files into it one by one.

    Args:
        folder: existing folder.
        written: folder beside it.
        replaced: whether the old content is removed.
        anew: whether a file of an existing name gets another name.
    """
    if replaced or not any(folder.iterdir()):
        old = folder.with_name(f".{secrets.token_hex(8)}.{folder.name}")
        if folder.samefile(os.curdir):
            _swapped(folder, written, old)
        else:
            folder.rename(old)
            written.rename(folder)
        shutil.rmtree(old)
        return
    for file in sorted(found for found in written.rglob("*") if found.is_file()):
        place = folder / file.relative_to(written)
        place.parent.mkdir(parents=True, exist_ok=True)
        if anew and place.exists():
            place = place.with_name(f"{place.stem}_{secrets.token_hex(8)}{place.suffix}")
        file.replace(place)


def _exchanged(file: Path, folder: Path) -> None:
    """Replaces a file by a folder."""
    old = file.with_name(f".{secrets.token_hex(8)}.{file.name}")
    file.rename(old)
    try:
        folder.rename(file)
    except OSError:
        old.rename(file)
        raise
    old.unlink()


def _swapped(folder: Path, written: Path, old: Path) -> None:
    """Exchanges the content of a folder that must itself remain, since it is the working directory."""
    old.mkdir()
    moved: list[tuple[Path, Path]] = []
    try:
        for source, place in ((folder, old), (written, folder)):
            for file in list(source.iterdir()):
                file.rename(place / file.name)
                moved.append((file, place / file.name))
    except OSError:
        for before, after in reversed(moved):
            after.rename(before)
        old.rmdir()
        raise


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).partition(": ")[2].splitlines()[0] or str(error)
