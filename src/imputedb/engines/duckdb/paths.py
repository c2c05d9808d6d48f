"""Paths of files, folders, and patterns of files."""

import gzip
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from glob import glob, has_magic
from pathlib import Path
from typing import BinaryIO

import duckdb

from imputedb.errors import DataError, StorageError
from imputedb.sql.paths import one_file

_WAY_OUT = "say by a pattern, such as 'data/*/*.csv', which files are meant"


def files(path: str, kinds: Sequence[str]) -> list[str]:
    """The files of a path, which may be a pattern such as `data/*.csv`, or a folder: its files of some kinds.

    A file of exactly that name takes precedence. In a folder of partitions, these are the files in the partitions.

    Raises:
        StorageError: there is no such file.
        DataError: files lie beside partitions.
    """
    if Path(path).is_file():
        return [path]
    if parts := partitions(path, kinds):
        return parts
    if Path(path).is_dir():
        there = _in(Path(path), kinds)
        if not there:
            raise StorageError(f"the folder {path} has no file that ends in {', '.join(kinds)}")
        return there
    found = sorted(one for one in glob(path, recursive=True) if not Path(one).is_dir()) if has_magic(path) else []
    if not found:
        raise StorageError(f"no file {'matches ' if has_magic(path) else ''}{path}")
    return found


def partitions(path: str, kinds: Sequence[str]) -> list[str]:
    """The files of some kinds in a folder's partitions, which are folders such as `year=2020`; else empty.

    Folders whose names begin with a point or an underscore are skipped, as tools keep their own data there.

    Raises:
        DataError: files lie beside partitions, have other partition columns than the first, or a folder is a link.
    """
    top = Path(path)
    if not (top.is_dir() and any(one.is_dir() and "=" in one.name for one in top.iterdir())):
        return []
    found, other = list[Path](), None
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if name[0] not in "._")
        if link := next((Path(folder, name) for name in folders if Path(folder, name).is_symlink()), None):
            raise DataError(f"the folder {link} is a link, and links among partitions are not followed: {_WAY_OUT}")
        there = sorted(Path(folder, name) for name in names if _kind(Path(name)) in kinds)
        if there and not (parts := Path(folder).relative_to(top).parts):
            other = f"{there[0]} lies beside the partition {next(name for name in folders if '=' in name)}: {_WAY_OUT}"
        elif there and (plain := next((part for part in parts if "=" not in part), None)):
            other = f"{there[0]} lies in the folder {plain}, which is not a partition such as year=2020: {_WAY_OUT}"
        else:
            found += there
    if found and other:
        raise DataError(other)
    for file in found:
        if partition_columns(str(file)) != partition_columns(str(found[0])):
            raise DataError(f"{found[0]} and {file} lie in partitions of different columns: {_WAY_OUT}")
    return [str(file) for file in found]


def check_partitions(paths: Sequence[str]) -> None:
    """Refuses files of one item of FROM in uneven partitions, whose columns DuckDB would leave out.

    Raises:
        DataError: one lies in other partitions than the first; the message names both.
    """
    for path in paths:
        if partition_columns(path) != partition_columns(paths[0]):
            raise DataError(
                f"{paths[0]} and {path} lie in partitions of different columns, which would be left out: {_WAY_OUT}, "
                "or leave them out by read_csv(..., hive_partitioning = false)"
            )


def skipped_folders(path: str, kinds: Sequence[str]) -> list[str]:
    """The folders with files of some kinds that are passed over among the partitions of a folder."""
    found = list[str]()
    if not partitions(path, kinds):
        return found
    for folder, folders, _ in os.walk(path):
        hidden = [name for name in folders if name[0] in "._"]
        folders[:] = sorted(name for name in folders if name not in hidden)
        found += [str(one) for one in (Path(folder, name) for name in sorted(hidden)) if _holds(one, kinds)]
    return found


def _holds(folder: Path, kinds: Sequence[str]) -> bool:
    return any(_kind(Path(name)) in kinds for _, _, names in os.walk(folder) for name in names)


def partition_columns(path: str) -> list[str]:
    """The partition columns in the path of a file."""
    return [part.partition("=")[0] for part in Path(path).parts[:-1] if "=" in part]


def _in(folder: Path, kinds: Sequence[str]) -> list[str]:
    return sorted(str(one) for one in folder.iterdir() if one.is_file() and _kind(one) in kinds)


def _kind(path: Path) -> str:
    return Path(str(path).removesuffix(".gz").removesuffix(".zst")).suffix.lower()


@contextmanager
def decompressed(path: str) -> Iterator[BinaryIO]:
    """The bytes of a file; those of a `.gz` file decompressed.

    Raises:
        StorageError: the file is truncated or damaged.
    """
    try:
        with gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb") as file:
            yield file  # type: ignore[misc]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise StorageError(f"{path} cannot be unpacked, and is cut off or damaged: {error}") from error


def compression_option(path: str) -> str:
    """The reader's option for a file's compression, which DuckDB does not detect behind a question mark."""
    kinds = {".gz": "gzip", ".zst": "zstd"}
    return f", compression = '{kinds[Path(path).suffix]}'" if Path(path).suffix in kinds else ""


def check_columns(connection: duckdb.DuckDBPyConnection, reader: str, paths: Sequence[str]) -> None:
    """Refuses partitioned files with a column of their own that DuckDB would take from their folders.

    Raises:
        DataError: the first file has such a column; the message names both.
    """
    told = partition_columns(paths[0])
    if not told or any(partition_columns(path) != told for path in paths):
        return
    text = f"DESCRIBE FROM {reader.removesuffix(')')}, hive_partitioning = false)"
    for column in [row[0] for row in connection.execute(text, [one_file(paths[0])]).fetchall()]:
        if column.lower() in map(str.lower, told):
            call = reader.partition("(")[0]
            raise DataError(
                f"{paths[0]} has a column {column!r}, and so has its partition: rename one, or take the file's with "
                f"FROM {call}(..., hive_partitioning = false)"
            )
