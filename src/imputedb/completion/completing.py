"""The making of a run: its draws are written by one process or by several, and then published together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from imputedb import arguments
from imputedb.algebra.column import Column
from imputedb.completion import archive, cost, drawing, remarks
from imputedb.completion import source as sources
from imputedb.completion.completed import Completed, opened
from imputedb.completion.contract import Contract
from imputedb.completion.cost import Meter
from imputedb.completion.drawing import Record
from imputedb.completion.enough import MOST, error
from imputedb.completion.manifest import sealed
from imputedb.completion.publication import Publication, current, preparation, publication, taken_back
from imputedb.completion.request import AUTO, Request, run_name, settings
from imputedb.completion.source import Source, Staged
from imputedb.completion.survival import with_hazard
from imputedb.engines.engine import Engine
from imputedb.errors import Beyond, QueryError
from imputedb.execution.keys import key_notes
from imputedb.imputers.chained.chains import worst
from imputedb.imputers.protocol import Progress
from imputedb.notes import Note, NoteKind, as_data


@dataclass(frozen=True, slots=True, eq=False)
class _Begun:
    """The state of a run that is being made.

    Attributes:
        request: the request.
        found: rows to complete.
        shares: warnings about shares of missing values and about keys.
        settings: all that determines the run.
        began: start time.
        meter: counter of this process's costs.
    """

    request: Request
    found: Source
    shares: Sequence[Note]
    settings: Mapping[str, Any]
    began: float
    meter: Meter

    @property
    def name(self) -> str:
        """Name of the run."""
        return run_name(self.settings)


@dataclass(frozen=True, slots=True)
class Terms:
    """Conditions of making and publishing a run.

    Attributes:
        fingerprint: fingerprint that the rows must have; None for any.
        beside: whether the published run stays the current one.
        budget: limit of this process's processor seconds; None for no limit.
        contract: conditions on rows and run that must hold before the run becomes the current one; None for none.
        archive: whether the rows are kept, so that the run can be made again later.
    """

    fingerprint: str | None = None
    beside: bool = False
    budget: float | None = None
    contract: Contract | None = None
    archive: bool = False

    def __post_init__(self) -> None:
        arguments.flag("beside", self.beside)
        arguments.flag("archive", self.archive)
        if self.budget is not None:
            arguments.positive("the budget", self.budget, example="processor seconds, such as 600")


ANY = Terms()


def complete(
    engine: Engine,
    request: Request,
    out: Path,
    progress: Progress | None = None,
    terms: Terms = ANY,
    rows: Staged | None = None,
) -> Completed:
    """The run, published. Draws that exist already are reused, and a run that exists already is not made again.

    Memory holds one copy of the rows as arrays, and a few draws. `rows` stand in for those of the request's text.

    Raises:
        Beyond: the budget is spent; or the contract is broken, by the rows (nothing is made) or by the run (it is
            published but not made the current one); or the run was rolled back and not promoted since.
        QueryError: the SELECT or m is wrong, or the rows do not have the `fingerprint`.
        UnknownName: no such table or column.
        StorageError: the folder cannot be written, or another process is writing into it.
    """
    with engine.lock:
        begun = _read_begun(engine, request, terms.budget, rows)
        if terms.fingerprint not in (None, begun.found.fingerprint):
            raise QueryError("the rows have changed since the run was made: impute them again")
        contract = None if terms.contract is None else terms.contract.on(begun.found, flags=request.flags)
        with publication(out, begun.name) as writing:
            last = opened(out) if contract is not None and current(out) not in (None, begun.name) else None
            if contract is not None:
                if last is not None:
                    contract.check_last(last)
                contract.check_rows(begun.found, last)
            if not writing.is_there:
                _make(engine, begun, writing, progress or (lambda _: None))
            if contract is not None:
                contract.check_run(opened(writing.final), last)
            if terms.archive:
                archive.keep(engine, request, begun.found, opened(writing.final))
            if not terms.beside:
                point(writing)
        return opened(writing.final)


def point(writing: Publication) -> None:
    """Makes a run the current one, unless it was rolled back.

    Raises:
        Beyond: the run was rolled back and not promoted since.
    """
    seen = current(writing.out)
    if writing.run in taken_back(writing.out) and seen != writing.run:
        raise Beyond(
            f"{writing.run} was rolled back, so that readers go on seeing {seen}: "
            "`imputedb runs promote` shows it again"
        )
    writing.point()


def _make(engine: Engine, begun: _Begun, writing: Publication, progress: Progress) -> None:
    """Makes and publishes a run, without making it the current one."""
    request = begun.request
    numbers = range(1, (MOST if request.m == AUTO else request.m) + 1)
    drawn = drawing.draw(engine, request, begun.found, writing, numbers, begun.meter, progress)
    records = [drawing.joined(engine, writing, drawn)] if request.long else drawn
    writing.publish(sealed(_manifest(begun, drawn, records)))


def draw_alone(
    engine: Engine, request: Request, out: Path, numbers: Sequence[int], progress: Progress | None = None
) -> str:
    """Writes some draws of a run, while other processes may write others; returns the run's name.

    `complete` with the same request makes the missing draws and publishes the run, with the files of one process.

    Raises:
        QueryError: a draw number is out of range; and as `complete`.
        StorageError: as `complete`.
    """
    if request.m == AUTO:
        raise QueryError("single draws need a known number of draws: give m, since auto decides from all draws")
    listed = arguments.listed("draws", numbers, example="such as [7]")
    numbers = sorted({arguments.whole("a draw", number, 1, request.m) for number in listed})
    if not numbers:
        raise QueryError("no draw is named: give draws, such as 7, or leave draw out to make the whole run")
    with engine.lock:
        begun = _read_begun(engine, request)
        with preparation(out, begun.name) as writing:
            if not writing.is_there:
                report = progress or (lambda _: None)
                drawing.draw(engine, request, begun.found, writing, numbers, begun.meter, report)
        return begun.name


def _read_begun(engine: Engine, request: Request, budget: float | None = None, rows: Staged | None = None) -> _Begun:
    """The rows of a request, read and checked."""
    began, meter = perf_counter(), Meter(budget)
    found = sources.read(engine, rows or sources.staged(engine, request.text), request.columns)
    remarks.check_targets(found, request.columns)
    if request.survival is not None:
        found = with_hazard(engine, found, *request.survival)
    shares = [*remarks.shares(found), *_keys(engine, request, found)]
    remarks.check_names(found, flags=request.flags, long=request.long)
    return _Begun(request, found, shares, settings(request, found), began, meter)


def _keys(engine: Engine, request: Request, source: Source) -> list[Note]:
    """Notes on imputed columns whose predictors are determined by a key."""
    if not request.imputer.uses_predictors:
        return []
    return key_notes(engine, source.table, engine.statistics(source.table), [column.name for column in source.targets])


def _manifest(begun: _Begun, drawn: Sequence[Record], records: Sequence[Record]) -> dict[str, Any]:
    """The manifest of a run whose draws are all written."""
    request, found = begun.request, begun.found
    files = [{key: record[key] for key in ("file", "sha256", "bytes", "rows")} for record in records]
    warned = [*begun.shares, *remarks.warnings(found, request.imputer, len(drawn), drawn)]
    written = sum(file["bytes"] for file in files)
    return {
        **begun.settings,
        "m": len(drawn),
        "monte_carlo_error": None if len(drawn) == 1 and found.targets else round(error(drawn), 4),
        "policies": found.policies,
        "warnings": list(map(as_data, warned)),
        "intervals": [name for name, kind in found.types.items() if kind == sources.INTERVAL],
        "convergence": remarks.chains_record(worst(drawing.chains(drawn))),
        "files": files,
        "columns": _columns(request, found, drawn),
        "left": found.left,
        "seconds": round(perf_counter() - begun.began, 3),
        "cost": cost.total([*(record["cost"] for record in drawn), begun.meter.lap()], written),
    }


def _columns(request: Request, found: Source, records: Sequence[Record]) -> dict[str, Any]:
    """By filled column: method, imputed share, notes, and convergence of its chains."""
    return {
        column.name: {
            "method": records[0]["methods"].get(column.name, request.imputer.name),
            "imputed": found.missing[column] - records[0]["stay"].get(column.name, 0),
            "imputed_share": (found.missing[column] - records[0]["stay"].get(column.name, 0)) / len(found.rows.keys),
            "notes": _once(note for record in records for note in record["notes"].get(column.name, []))
            + _staying(found, column, records[0]["stay"].get(column.name, 0)),
            **remarks.column_record([record["means"].get(column.name, []) for record in records]),
        }
        for column in found.targets
    }


def _once(notes: Iterable[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """The notes without repeated texts."""
    return [note for _, note in sorted({note["text"]: note for note in notes}.items())]


def _staying(found: Source, column: Column, count: int) -> list[Mapping[str, str]]:
    words = f"{count:,} cells stay NULL: {found.permits[column].policy.left}"
    return [as_data(Note(NoteKind.STAYS, column.name, words))] if count else []
