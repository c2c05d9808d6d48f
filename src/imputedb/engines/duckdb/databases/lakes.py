"""Tables of Delta Lake and Iceberg: folders of Parquet files with a log of those that are current."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from imputedb.engines.address import Address
from imputedb.engines.duckdb.databases.rows import Rows, as_they_are
from imputedb.engines.duckdb.packages import package
from imputedb.errors import StorageError


def read_delta(address: Address) -> Rows:
    """The rows of the newest version of a Delta Lake table.

    Raises:
        StorageError: it cannot be read, or needs a feature that the package lacks.
    """
    delta = package("deltalake", "lakes", "tables of Delta Lake")
    package("pyarrow", "lakes", "tables of Delta Lake")
    try:
        return as_they_are(delta.DeltaTable(address.path).to_pyarrow_dataset().scanner().to_reader())
    except Exception as error:  # whatever the package says of a table that it cannot read
        raise StorageError(f"{address.path} cannot be read as a table of Delta Lake: {error}") from error


def read_iceberg(address: Address) -> Rows:
    """The rows of the newest snapshot of an Iceberg table, or of the one with the given metadata file.

    Raises:
        StorageError: it cannot be read.
    """
    iceberg: Any = package("pyiceberg.table", "lakes", "tables of Iceberg")
    package("pyarrow", "lakes", "tables of Iceberg")
    try:
        table = iceberg.StaticTable.from_metadata(_metadata(Path(address.path)))
        return as_they_are(table.scan().to_arrow_batch_reader())
    except Exception as error:  # whatever the package says of a table that it cannot read
        raise StorageError(f"{address.path} cannot be read as a table of Iceberg: {error}") from error


def _metadata(path: Path) -> str:
    """The newest metadata file, by the version number at the start of its name."""
    if path.is_file():
        return str(path)
    found = list((path / "metadata").glob("*.metadata.json"))
    if not found:
        raise StorageError(f"{path} has no file of metadata")
    return str(max(found, key=lambda one: (int((re.findall(r"\d+", one.name) or ["0"])[0]), one.stat().st_mtime)))
