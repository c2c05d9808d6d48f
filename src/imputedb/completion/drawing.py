"""The draws of a run, each written with a record: by one process, or by several at once."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from imputedb.algebra.column import Column
from imputedb.completion import congenial, remarks
from imputedb.completion import source as sources
from imputedb.completion.cost import Meter
from imputedb.completion.enough import monitored, sufficient_draws
from imputedb.completion.publication import Publication
from imputedb.completion.request import AUTO, Request
from imputedb.completion.source import DRAW, ROW, Source
from imputedb.engines.engine import Engine
from imputedb.imputers import conversion
from imputedb.imputers.chained.chained import Chained
from imputedb.imputers.chained.chains import Chains, Movement, Movements, chains_of
from imputedb.imputers.chained.prepared import Prepared
from imputedb.imputers.chained.trace import Trace
from imputedb.imputers.doubts import doubts
from imputedb.imputers.hidden import misfits
from imputedb.imputers.protocol import Progress
from imputedb.imputers.request import Request as Wanted
from imputedb.imputers.rows import Array
from imputedb.notes import as_data
from imputedb.sql.paths import one_file
from imputedb.sql.tokens import string_literal

Record = Mapping[str, Any]
"""The record of a written draw."""

Drawn = tuple[int, Mapping[Column, Array], Trace]
"""A draw: its number, its values, and the trace of its chains."""


def draw(
    engine: Engine,
    request: Request,
    found: Source,
    writing: Publication,
    numbers: Sequence[int],
    meter: Meter,
    progress: Progress,
) -> list[Record]:
    """Writes the draws with these numbers, unless they exist already, until they suffice where m is `auto`.

    Raises:
        Beyond: the budget is spent; the draws that exist stay, and a later call goes on from them.
    """
    known = {number: record for number in numbers if (record := writing.finished(str(number))) is not None}
    adaptive = request.m == AUTO
    records: list[Record] = []
    for number in numbers if adaptive else ():
        if number not in known or (records and sufficient_draws(records)):
            break
        records.append(known[number])
    if adaptive and records and sufficient_draws(records):
        return records
    left = [number for number in numbers if number not in known]
    moved, done, made = Movements(), len(numbers) - len(left), 0

    def room() -> int:
        return meter.available_bytes(made, done, len(numbers))

    for number, values, trace in _drawn(engine, request, found, left, moved, room) if left else ():
        record = _record(found, values, trace) | {"moved": list(map(_packed, moved.of(number)))}
        with writing.alone(str(number)):
            if writing.finished(str(number)) is None:
                _write(engine, request, found, writing, number, values, record | {"cost": meter.lap()})
        known[number] = writing.finished(str(number)) or {}
        done, made = done + 1, made + 1
        progress(done / len(numbers))
        records = [known[one] for one in numbers if one <= number and one in known]
        if adaptive and sufficient_draws(records):
            return records
    return [known[number] for number in numbers]


def chains(records: Sequence[Record]) -> list[Chains]:
    """The convergence of the chains of all draws, whichever process made them."""
    return chains_of([list(map(_unpacked, record["moved"])) for record in records])


def _packed(movement: Movement | None) -> dict[str, Any] | None:
    """The movement of a chain in the form of a record: numbers as bytes, little-endian."""
    if movement is None:
        return None
    record = {"columns": list(movement.columns), "rows": movement.rows, "shape": movement.moments.shape}
    numbers = b64encode(movement.moments.astype("<f8").tobytes()).decode()
    stuck = movement.stuck and asdict(movement.stuck)
    return record | {"moments": numbers, "stuck": stuck}


def _unpacked(record: Record | None) -> Movement | None:
    if record is None:
        return None
    moments = np.frombuffer(b64decode(record["moments"]), "<f8").reshape(record["shape"])
    return Movement(record["columns"], moments, record["rows"], record["stuck"] and Chains(**record["stuck"]))


def _drawn(
    engine: Engine,
    request: Request,
    found: Source,
    numbers: Sequence[int],
    moved: Movements,
    room: Callable[[], int],
) -> Iterator[Drawn]:
    """Draws with their numbers and traces; the movement of a draw's chains is recorded before the draw is given.

    `room` is asked before draws are computed for how many may be; it raises an error where none may.
    """
    traces = [Trace() for _ in numbers]
    if not found.targets:
        yield from ((number, {}, trace) for number, trace in zip(numbers, traces, strict=True))
        return
    if request.substantive is not None:
        drawn = congenial.drawn(engine, request.substantive, found, request.imputer, numbers, request.seed, moved)
        yield from _paced(drawn, numbers, room)
        return
    wanted = found.request(request.imputer, request.seed)
    _note_doubts(wanted, traces[0])
    ready = _ready(wanted)
    if ready is None:
        for trace in traces:
            trace.methods |= {column: wanted.method(column) for column in found.targets}
        yield from _paced(zip(numbers, wanted.draws(numbers, None, moved), traces, strict=True), numbers, room)
        return
    streamed = ready.run_many(wanted.parts()[0].seed, numbers, None, traces, room)
    for number, values, trace in zip(numbers, streamed, traces, strict=True):
        moved.add(0, number, ready.movement)
        yield number, values, trace


def _paced(drawn: Iterable[Drawn], numbers: Sequence[int], room: Callable[[], int]) -> Iterator[Drawn]:
    """Draws, each but the first one asked for when there is room for it."""
    for one in drawn:
        yield one
        if one[0] != numbers[-1]:
            room()


def _note_doubts(wanted: Wanted, trace: Trace) -> None:
    """Notes down what makes draws doubtful, and what they get wrong on hidden cells."""
    for part in wanted.parts():
        for column in part.targets if part.imputer.uses_predictors else ():
            for sentence in doubts(part.imputer, part.rows, [column], "population"):
                trace.note(column, sentence)
    for column, sentences in misfits(wanted).items():
        for sentence in sentences:
            trace.note(column, sentence)


def _ready(wanted: Wanted) -> Prepared | None:
    """The chain that imputes all targets, whose cycles are traced; None where there is no single chain."""
    parts = wanted.parts()
    if len(parts) != 1 or not all(wanted.permit(column).policy.plain for column in wanted.targets):
        return None
    (part,) = parts
    return part.imputer.prepared(part.rows, part.targets) if isinstance(part.imputer, Chained) else None


def _record(found: Source, values: Mapping[Column, Array], trace: Trace) -> dict[str, Any]:
    return {
        "rows": len(found.rows.keys),
        "digests": remarks.digests(values),
        "watched": monitored(found, values),
        "means": {column.name: trace.means[column] for column in values if column in trace.means},
        "deviations": {column.name: trace.deviations[column] for column in values if column in trace.deviations},
        "stay": {column.name: _staying(found, column, given) for column, given in values.items()},
        "notes": {column.name: list(map(as_data, trace.notes[column])) for column in trace.notes},
        "methods": {column.name: trace.methods[column] for column in trace.methods},
    }


def _write(
    engine: Engine,
    request: Request,
    found: Source,
    writing: Publication,
    number: int,
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
        with writing.part(str(number), f"m={number}/part.parquet", record) as path:
            engine.execute(f"COPY ({text}) TO {string_literal(str(path))} (FORMAT parquet)")
    finally:
        if patch:
            engine.forget([patch])


def joined(engine: Engine, writing: Publication, records: Sequence[Record]) -> Record:
    """One long file of all draws, beginning with `.imp` and `.id`; the separate files are removed.

    Rows are numbered in the order of their file by a positional join with a range.
    """
    parts = " UNION ALL ".join(
        f'SELECT {draw} AS "{DRAW}", numbers."{ROW}", part.* '
        f'FROM range(1, {int(record["rows"]) + 1}) AS numbers("{ROW}") POSITIONAL JOIN '
        f"read_parquet({string_literal(one_file(writing.folder / record['file']))}, hive_partitioning = false) AS part"
        for draw, record in enumerate(records, 1)
    )
    rows = sum(int(record["rows"]) for record in records)
    with writing.part("long", "long.parquet", {"rows": rows}) as path:
        engine.execute(f"COPY ({parts}) TO {string_literal(str(path))} (FORMAT parquet)")
    for record in records:
        part = writing.folder / record["file"]
        part.unlink()
        part.parent.rmdir()
    return json.loads((writing.folder / "long.json").read_text())  # type: ignore[no-any-return]


def _staying(found: Source, column: Column, given: Array) -> int:
    """The number of missing cells that stay missing."""
    stays, meant = np.ma.getmaskarray(given), found.meant.get(column)
    return int((stays if meant is None else stays & ~meant[found.rows.columns[column].missing]).sum())
