"""Files that appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from imputedb.errors import StorageError


@contextmanager
def published(path: str) -> Iterator[str]:
    """A temporary path beside `path`; what was written there takes its place when the block ends well.

    Raises:
        StorageError: the file cannot be written; nothing of it is left then.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        yield str(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    except (OSError, duckdb.IOException) as error:
        raise StorageError(f"cannot write {path}: {_reason(error)}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).partition(": ")[2].splitlines()[0] or str(error)
