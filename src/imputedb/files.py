"""Files that appear whole or not at all."""

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
    """A temporary path beside `path`; what was written there takes its place when the block ends well.

    It ends as `path` does, and nobody else could have made it. What is no file, such as a device, is written straight.

    Raises:
        StorageError: the file cannot be written; nothing of it is left then.
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
        raise StorageError(f"{path!r} is no path of a file")
    return Path(path)


def check_place(path: str) -> None:
    """Refuses a path at which no file can appear, before the work for it is done.

    Raises:
        StorageError: it is a folder, or there is no folder that it could be in.
    """
    target = _target(path)
    if target.is_dir():
        raise StorageError(f"cannot write {path}: it is a folder")
    if not target.parent.is_dir():
        raise StorageError(f"cannot write {path}: there is no folder {target.parent}")


@contextmanager
def copied(path: str, options: Collection[str]) -> Iterator[str]:
    """Where COPY writes what is to appear under `path`, which may become a folder.

    What is no place for files of this machine is written straight, an address or a device; so is a folder that holds
    something, for which COPY states neither that it is replaced nor that files are added: DuckDB refuses that.

    Args:
        path: as COPY names it, the home folder written out; links in it are followed.
        options: those that are on, in lower case.

    Raises:
        StorageError: it cannot be written; nothing of it is left then.
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
            return  # COPY writes nothing of no rows, if it is told so
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
    """Makes a folder that is written the contents of another one, or moves its files there one by one.

    Args:
        folder: that is there.
        written: beside it.
        replaced: whether nothing else stays in the folder.
        anew: whether a file of the same name stays, and the new one gets another.
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
    """Puts a folder in the place of a file."""
    old = file.with_name(f".{secrets.token_hex(8)}.{file.name}")
    file.rename(old)
    try:
        folder.rename(file)
    except OSError:
        old.rename(file)
        raise
    old.unlink()


def _swapped(folder: Path, written: Path, old: Path) -> None:
    """Exchanges what a folder holds, where the folder itself stays because the process works in it."""
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
