"""Archives of inputs: the rows of a run as Parquet, with all that is needed to make the run again."""

import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imputedb import duckdb_errors
from imputedb.algebra.relation import Table
from imputedb.completion.completed import Completed
from imputedb.completion.manifest import intact, sealed
from imputedb.completion.publication import current, digest
from imputedb.completion.request import Request
from imputedb.completion.source import STAGED, Source, Staged
from imputedb.engines.engine import Engine
from imputedb.errors import DataError, StorageError, UnknownName
from imputedb.files import published
from imputedb.imputers.registry import cycles_of
from imputedb.sql.paths import one_file, quoted
from imputedb.sql.tokens import string_literal
from imputedb.statistics.policy import Policy

ARCHIVE = "archive"
"""Folder of archives, within the folder of the runs."""

FORMAT = 1

_AS_TEXT = ("BIT", "HUGEINT", "INTERVAL", "TIME WITH TIME ZONE", "UHUGEINT")
"""Types that Parquet does not hold."""


@dataclass(frozen=True, slots=True)
class Archived:
    """An archived run.

    Attributes:
        folder: folder of archives.
        manifest: manifest of the run.
        record: all that the manifest does not say of the request and of the rows.
    """

    folder: Path
    manifest: Mapping[str, Any]
    record: Mapping[str, Any]

    @property
    def path(self) -> Path:
        """The Parquet file of the rows."""
        return self.folder / str(self.record["file"])


def keep(engine: Engine, request: Request, found: Source, made: Completed) -> None:
    """Archives the rows of a run, unless this was done before; runs over equal rows share one file.

    Raises:
        DataError: a type does not survive Parquet.
        StorageError: the archive cannot be written.
    """
    folder = made.folder.parent / ARCHIVE
    place = folder / f"{made.folder.name}.json"
    with suppress(UnknownName, StorageError):
        read(made.folder.parent, made.folder.name)
        return
    try:
        folder.mkdir(exist_ok=True)
        file = _written(engine, found, folder)
    except OSError as error:
        raise StorageError(f"cannot write into {folder}: {error.strerror or error}") from error
    shape = engine.shape(found.table)
    record = {
        "format": FORMAT,
        "manifest": made.manifest,
        "m": request.m,
        "columns": None if request.columns is None else list(request.columns),
        "cycles": cycles_of(request.imputer),
        "file": file,
        "digest": digest(folder / file),
        "types": dict(found.types),
        "missing": {name: list(codes) for name, codes in shape.missing.items()},
        "policies": {name: policy.data() for name, policy in shape.policies.items()},
    }
    with published(str(place)) as temporary:
        Path(temporary).write_text(json.dumps(sealed(record), indent=1, ensure_ascii=False), encoding="utf-8")


def _written(engine: Engine, found: Source, folder: Path) -> str:
    """Writes the rows to a Parquet file, which is named by its hash."""
    temporary = folder / f".{secrets.token_hex(8)}.parquet"
    stored = ", ".join(
        f"CAST({quoted((name,))} AS VARCHAR) AS {quoted((name,))}" if kind in _AS_TEXT else quoted((name,))
        for name, kind in found.types.items()
    )
    table = quoted(found.table.path)
    try:
        with published(str(temporary)) as path:
            engine.execute(f"COPY (SELECT {stored} FROM {table}) TO {string_literal(path)} (FORMAT parquet)")
            _compare(engine, found.types, table, _rows(Path(path), found.types, "TRY_CAST"))
        name = f"{digest(temporary)[:16]}.parquet"
        temporary.replace(folder / name)
    finally:
        temporary.unlink(missing_ok=True)
    return name


def _compare(engine: Engine, types: Mapping[str, str], one: str, other: str) -> None:
    """Compares the rows that were written with those that were to be.

    Raises:
        DataError: they differ; the message has the columns.
    """
    names = [quoted((name,)) for name in types]
    sums = ", ".join(f"sum(CAST(hash({name}) AS HUGEINT))" for name in names)
    (before,), (after,) = (engine.fetched(f"SELECT count(*), {sums} FROM {rows}") for rows in (one, other))
    wrong = [f"{name} ({types[name]})" for name, a, b in zip(types, before[1:], after[1:], strict=True) if a != b]
    if wrong or before[0] != after[0]:
        raise DataError(
            f"{', '.join(wrong) or 'the rows'} cannot be archived, since Parquet holds other values: cast in a SELECT"
        )


def _rows(path: Path, types: Mapping[str, str], cast: str = "CAST") -> str:
    """The rows of an archive, in their types, as an item of FROM."""
    items = ", ".join(f"{cast}({quoted((name,))} AS {kind}) AS {quoted((name,))}" for name, kind in types.items())
    return f"(SELECT {items} FROM read_parquet({string_literal(one_file(path))}, hive_partitioning = false))"


def read(folder: Path, run: str | None = None) -> Archived:
    """The archive of a run, by default of the one that readers of the folder see.

    Raises:
        UnknownName: the run was not archived.
        StorageError: the archive is missing, altered, or of a newer version.
    """
    at, name = folder / ARCHIVE, current(folder) if run is None else run
    place = at / f"{name}.json"
    if name is None or Path(name).name != name or not place.is_file():
        known = ", ".join(sorted(one.stem for one in at.glob("run-*.json"))) or "none"
        raise UnknownName(
            f"no archive of {name or 'a run'} in {folder} (impute --archive writes it); there are {known}"
        )
    try:
        record = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StorageError(f"{place} is damaged: it cannot be read") from error
    if not isinstance(record, dict) or not intact(record, strictly=True):
        raise StorageError(f"{place} is damaged, it does not say what was written")
    if record["format"] > FORMAT:
        raise StorageError(f"{place} was written by a newer imputedb: read it with that version")
    found = Archived(at, record["manifest"], record)
    if not found.path.is_file() or digest(found.path) != record["digest"]:
        raise StorageError(f"{found.path} is missing, or is not what {place.name} says")
    return found


def staged(engine: Engine, archived: Archived) -> Staged:
    """The archived rows as a temporary table, with their policies and declared missing values.

    Raises:
        StorageError: DuckDB cannot read them.
    """
    record, table = archived.record, Table("temp", "main", STAGED)
    try:
        engine.stage(f"FROM {_rows(archived.path, record['types'])}", STAGED)
    except duckdb_errors.Refused as error:
        raise StorageError(f"{archived.path} cannot be read: {str(error).partition(chr(10))[0]}") from error
    policies = {name: Policy.of(data) for name, data in record["policies"].items()}
    engine.restate(table, {name: tuple(codes) for name, codes in record["missing"].items()}, policies)
    return Staged(table)
