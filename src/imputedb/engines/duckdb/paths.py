"""Paths of files, and patterns, which stand for files."""

from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import Path

from imputedb.errors import StorageError


def files(path: str, kinds: Sequence[str]) -> list[str]:
    """The files of a path, which may be a pattern such as `data/*.csv`, or a folder: all files of some kinds in it.

    A file of the very name comes first.

    Raises:
        StorageError: there is none.
    """
    if Path(path).is_file():
        return [path]
    if Path(path).is_dir():
        there = sorted(str(one) for one in Path(path).iterdir() if one.is_file() and _kind(one) in kinds)
        if not there:
            raise StorageError(f"the folder {path} has no file that ends in {', '.join(kinds)}")
        return there
    found = sorted(one for one in glob(path, recursive=True) if not Path(one).is_dir()) if has_magic(path) else []
    if not found:
        raise StorageError(f"no file {'matches ' if has_magic(path) else ''}{path}")
    return found


def _kind(path: Path) -> str:
    return Path(str(path).removesuffix(".gz").removesuffix(".zst")).suffix.lower()


def squeezing(path: str) -> str:
    """The option of a reader that says how a file is compressed: DuckDB looks for it before a question mark only."""
    kinds = {".gz": "gzip", ".zst": "zstd"}
    return f", compression = '{kinds[Path(path).suffix]}'" if Path(path).suffix in kinds else ""
