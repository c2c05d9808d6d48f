"""Files that appear whole or not at all."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from imputedb.errors import Error, StorageError


@contextmanager
def published(path: str) -> Iterator[str]:
    """A temporary path beside `path`; what was written there takes its place when the block ends well.

    It ends as `path` does, and nobody else could have made it.

    Raises:
        StorageError: the file cannot be written; nothing of it is left then.
    """
    target = Path(path)
    temporary = target.with_name(f".{secrets.token_hex(8)}.{target.name}")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield str(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    except (OSError, duckdb.IOException) as error:
        raise StorageError(f"cannot write {path}: {_reason(error)}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_place(path: str) -> None:
    """Refuses a path at which no file can appear, before the work for it is done.

    Raises:
        StorageError: it is a folder, or there is no folder that it could be in.
    """
    target = Path(path)
    if target.is_dir():
        raise StorageError(f"cannot write {path}: it is a folder")
    if not target.parent.is_dir():
        raise StorageError(f"cannot write {path}: there is no folder {target.parent}")


@contextmanager
def copied(path: str) -> Iterator[str]:
    """Where COPY writes what is to appear under `path`, which may become a folder.

    What is no place for a new file of this machine is written straight: an address, a folder that is there, a device.

    Raises:
        StorageError: it cannot be written; nothing of it is left then.
    """
    target = Path(path)
    if "://" in path or (target.exists() and not target.is_file()):
        yield path
        return
    temporary = target.with_name(f".{secrets.token_hex(8)}.{target.name}")
    try:
        yield str(temporary)
        if temporary.is_file():
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        temporary.replace(target)
    except Error as error:
        raise type(error)(str(error).replace(str(temporary), path)) from error
    except OSError as error:
        raise StorageError(f"cannot write {path}: {_reason(error)}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).partition(": ")[2].splitlines()[0] or str(error)
