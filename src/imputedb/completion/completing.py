"""m completed data sets of one source: drawn one after another, each written, then published together."""

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from imputedb import arguments
from imputedb.algebra.column import Column
from imputedb.completion import congenial, remarks
from imputedb.completion import source as sources
from imputedb.completion.completed import Completed, opened
from imputedb.completion.congenial import Substantive
from imputedb.completion.manifest import FORMAT, sealed
from imputedb.completion.publication import MANIFEST, Publication, publication
from imputedb.completion.source import DRAW, ROW, Source
from imputedb.completion.survival import with_hazard
from imputedb.engines.engine import Engine
from imputedb.errors import QueryError
from imputedb.imputers import conversion
from imputedb.imputers.chained.chained import Chained
from imputedb.imputers.chained.chains import Chains, worst
from imputedb.imputers.chained.prepared import Prepared
from imputedb.imputers.chained.trace import Trace
from imputedb.imputers.checked import OnChains
from imputedb.imputers.doubts import doubts
from imputedb.imputers.hidden import misfits
from imputedb.imputers.protocol import Imputer, Progress, assumption_of
from imputedb.imputers.request import Request as Wanted
from imputedb.imputers.rows import Array
from imputedb.sql.paths import one_file


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What is asked for.

    Attributes:
        text: a table's name or a SELECT.
        m: completed data sets, 1 or more.
        imputer: that draws them.
        seed: what draws are keyed by.
        columns: to fill; all incomplete ones when None.
        flags: whether each filled column gets a boolean one beside it, `<column>__imputed`.
        long: one file with `.imp` and `.id` rather than m.
        survival: columns of times and of events, whose cumulative hazard is a further predictor.
        substantive: the model whose columns are drawn in agreement with it.
    """

    text: str
    m: int
    imputer: Imputer
    seed: int = 0
    columns: Sequence[str] | None = None
    flags: bool = True
    long: bool = False
    survival: tuple[str, str] | None = None
    substantive: Substantive | None = None

    def __post_init__(self) -> None:
        checked: dict[str, object] = {
            "m": arguments.draws(self.m, 1, example=" completed data sets; 'auto' is of queries"),
            "seed": arguments.seed(self.seed),
            "flags": arguments.flag("flags", self.flags),
            "long": arguments.flag("long", self.long),
            "columns": None if self.columns is None else arguments.names("columns", self.columns),
        }
        if self.survival is not None:
            checked["survival"] = names = arguments.names("survival", self.survival)
            if len(names) != 2:
                raise QueryError(f"survival is {self.survival!r}; it names a time and an event, ('time', 'died')")
        for name, value in checked.items():
            object.__setattr__(self, name, value)


def complete(
    engine: Engine, request: Request, out: Path, progress: Progress | None = None, *, fingerprint: str | None = None
) -> Completed:
    """Writes the run, or what is left of it, and gives it; a run that is there already is not made again.

    Memory holds the rows once, as arrays, and some draws.

    Raises:
        QueryError: the SELECT is wrong, or m is; or the rows are not those of the `fingerprint`.
        UnknownName: no such table or column.
        StorageError: the folder cannot be written, or is being written by another process.
    """
    began = perf_counter()
    with engine.lock:
        found = sources.read(engine, sources.staged(engine, request.text), request.columns)
        remarks.check_targets(found, request.columns)
        if request.survival is not None:
            found = with_hazard(engine, found, *request.survival)
        shares = remarks.shares(found)
        remarks.check_names(found, flags=request.flags, long=request.long)
        told = _told(request, found)
        if fingerprint not in (None, found.fingerprint):
            raise QueryError("the rows have changed since the run was made: impute them anew")
        run = "run-" + hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
        with publication(out, run) as writing:
            if (out / run / MANIFEST).exists():
                writing.point()
                return opened(out)
            records = _draws(engine, request, found, writing, progress or (lambda _: None))
            if request.long:
                records = [_joined(engine, writing, records)]
            drawn = _records(writing, request.m)
            columns = _columns(request, found, drawn)
            files = [{key: record[key] for key in ("file", "sha256", "bytes", "rows")} for record in records]
            seconds = round(perf_counter() - began, 3)
            chains = next((one["convergence"] for one in drawn if one.get("convergence")), None)
            warnings = [*shares, *remarks.warnings(found, request.imputer, request.m, drawn)]
            intervals = [name for name, kind in found.types.items() if kind == sources.INTERVAL]
            told |= {"policies": found.policies, "warnings": warnings, "intervals": intervals, "convergence": chains}
            whole = {**told, "files": files, "columns": columns, "left": found.left, "seconds": seconds}
            writing.publish(sealed(whole))
        return opened(out)


def _told(request: Request, found: Source) -> dict[str, Any]:
    """What the run is decided by: its hash is the run's name."""
    return {
        "format": FORMAT,
        "source": request.text,
        "fingerprint": found.fingerprint,
        "m": request.m,
        "seed": request.seed,
        "imputer": request.imputer.name,
        "settings": remarks.settings(request.imputer),
        "targets": [column.name for column in found.targets],
        "predictors": [column.name for column in found.predictors],
        "flags": request.flags,
        "long": request.long,
        "rows": len(found.rows.keys),
        "assumption": assumption_of(request.imputer) or "missing at random given the predictors",
        "versions": _versions(),
        **({"survival": list(request.survival)} if request.survival else {}),
        **(request.substantive.manifest if request.substantive else {}),
    }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("imputedb", "duckdb", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


# -- drawing ----------------------------------------------------------------------------------------------------------


def _draws(
    engine: Engine, request: Request, found: Source, writing: Publication, progress: Progress
) -> list[Mapping[str, Any]]:
    """Every draw's file with its record; those that an earlier process finished are kept."""
    done = {draw: record for draw in range(1, request.m + 1) if (record := writing.finished(str(draw))) is not None}
    left = [draw for draw in range(1, request.m + 1) if draw not in done]
    if left:
        chains: list[Chains] = []
        for draw, values, trace in _drawn(engine, request, found, left, chains.append):
            record = _record(found, values, trace)
            if draw == left[-1]:
                record["convergence"] = remarks.chains_told(worst(chains))
            _write(engine, request, found, writing, draw, values, record)
            done[draw] = writing.finished(str(draw)) or {}
            progress(draw / request.m)
    return [done[draw] for draw in range(1, request.m + 1)]


def _drawn(
    engine: Engine, request: Request, found: Source, numbers: Sequence[int], heard: OnChains
) -> Iterator[tuple[int, Mapping[Column, Array], Trace]]:
    """Some draws with their numbers and what their chains told."""
    traces = [Trace() for _ in numbers]
    if not found.targets:
        yield from ((draw, {}, trace) for draw, trace in zip(numbers, traces, strict=True))
        return
    if request.substantive is not None:
        yield from congenial.drawn(engine, request.substantive, found, request.imputer, numbers, request.seed, heard)
        return
    asked = found.request(request.imputer, request.seed)
    for part in asked.parts():
        for column in part.targets if part.imputer.uses_predictors else ():
            for sentence in doubts(part.imputer, part.rows, [column]):
                traces[0].note(column, sentence)
    for column, sentences in misfits(asked).items():
        for sentence in sentences:
            traces[0].note(column, sentence)
    ready = _ready(asked)
    if ready is None:
        for trace in traces:
            trace.methods |= {column: asked.method(column) for column in found.targets}
        drawn = asked.draws(numbers, None, heard)
    else:
        drawn = ready.run_many(asked.parts()[0].seed, numbers, None, traces)
    for place, draw in enumerate(numbers):
        values = next(drawn)
        if ready is not None and place == len(numbers) - 1 and ready.chains:
            heard(ready.chains)
        yield draw, values, traces[place]


def _ready(asked: Wanted) -> Prepared | None:
    """The one chain that all targets are of, if they are: its cycles are told of."""
    parts = asked.parts()
    if len(parts) != 1 or not all(asked.permit(column).policy.plain for column in asked.targets):
        return None
    (part,) = parts
    return part.imputer.prepared(part.rows, part.targets) if isinstance(part.imputer, Chained) else None


def _record(found: Source, values: Mapping[Column, Array], trace: Trace) -> dict[str, Any]:
    return {
        "rows": len(found.rows.keys),
        "digests": remarks.digests(values),
        "means": {column.name: trace.means[column] for column in values if column in trace.means},
        "deviations": {column.name: trace.deviations[column] for column in values if column in trace.deviations},
        "stay": {column.name: _stay(found, column, given) for column, given in values.items()},
        "notes": {column.name: trace.notes[column] for column in trace.notes},
        "methods": {column.name: trace.methods[column] for column in trace.methods},
    }


def _write(
    engine: Engine,
    request: Request,
    found: Source,
    writing: Publication,
    draw: int,
    values: Mapping[Column, Array],
    record: dict[str, Any],
) -> None:
    patches = {
        column.name: conversion.patch(filled, np.flatnonzero(cells.missing), cells, len(cells.missing))
        for column, filled in values.items()
        for cells in (found.rows.columns[column],)
    }
    patch = engine.register(patches) if patches else ""
    try:
        text = sources.completed(engine, found, patch, list(values), flags=request.flags)
        with writing.part(str(draw), f"m={draw}/part.parquet", record) as path:
            engine.execute(f"COPY ({text}) TO {_quoted(path)} (FORMAT parquet)")
    finally:
        if patch:
            engine.forget([patch])


def _joined(engine: Engine, writing: Publication, records: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """One long file of all draws, `.imp` and `.id` first; the others are gone then.

    The rows of a file are numbered in its order by joining it, place by place, with as many numbers.
    """
    parts = " UNION ALL ".join(
        f'SELECT {draw} AS "{DRAW}", numbers."{ROW}", part.* '
        f'FROM range(1, {int(record["rows"]) + 1}) AS numbers("{ROW}") POSITIONAL JOIN '
        f"read_parquet({_quoted(one_file(writing.folder / record['file']))}, hive_partitioning = false) AS part"
        for draw, record in enumerate(records, 1)
    )
    rows = sum(int(record["rows"]) for record in records)
    with writing.part("long", "long.parquet", {"rows": rows}) as path:
        engine.execute(f"COPY ({parts}) TO {_quoted(path)} (FORMAT parquet)")
    for record in records:
        part = writing.folder / record["file"]
        part.unlink()
        part.parent.rmdir()
    return json.loads((writing.folder / "long.json").read_text())  # type: ignore[no-any-return]


def _quoted(path: Path | str) -> str:
    return "'" + str(path).replace("'", "''") + "'"


# -- what is said of it -----------------------------------------------------------------------------------------------


def _records(writing: Publication, m: int) -> list[Mapping[str, Any]]:
    return [json.loads((writing.folder / f"{draw}.json").read_text()) for draw in range(1, m + 1)]


def _columns(request: Request, found: Source, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """By filled column: its method, its imputed share, notes, and how its chains converged."""
    return {
        column.name: {
            "method": records[0]["methods"].get(column.name, request.imputer.name),
            "imputed": found.missing[column] - records[0]["stay"].get(column.name, 0),
            "imputed_share": (found.missing[column] - records[0]["stay"].get(column.name, 0)) / len(found.rows.keys),
            "notes": sorted({note for record in records for note in record["notes"].get(column.name, [])})
            + _staying(found, column, records[0]["stay"].get(column.name, 0)),
            **remarks.column_told([record["means"].get(column.name, []) for record in records]),
        }
        for column in found.targets
    }


def _stay(found: Source, column: Column, given: Array) -> int:
    """How many cells that miss a value stay so."""
    stays, meant = np.ma.getmaskarray(given), found.meant.get(column)
    return int((stays if meant is None else stays & ~meant[found.rows.columns[column].missing]).sum())


def _staying(found: Source, column: Column, count: int) -> list[str]:
    return [f"{count:,} cells stay NULL: {found.permits[column].policy.left}"] if count else []
