"""The experiments, one after the other: what each found is kept as files, and a report is made of all that is there."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.paper import charts, figure5, figure6, large, machine, planning, report, simple, table5, truth
from benchmarks.paper.part import Absent, Part, Setting, Size
from imputedb.errors import QueryError, StorageError
from imputedb.files import published

PARTS: Mapping[str, Part] = {
    part.name: part
    for part in (figure5.PART, table5.PART, figure6.PART, simple.PART, planning.PART, large.PART, truth.PART)
}
"""The experiments, in the order of the report."""

REFERENCE = "reference"
"""Where the original's figures are looked for: beside the folder of the data."""

Tell = Callable[[str, float], object]
"""Told a part and the share of it that is done."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of the experiments did.

    Attributes:
        done: parts that were measured.
        skipped: parts that were not, with the name of the input that is missing.
        page: the report.
    """

    done: tuple[str, ...]
    skipped: Mapping[str, str]
    page: Path


def paper(setting: Setting, out: Path, only: Sequence[str], tell: Tell) -> Outcome:
    """Runs all experiments, or `only` some where any are named, and writes the report of all that were ever run.

    Each part writes its files when it is done, whole or not at all; one whose input is not there writes nothing.

    Raises:
        QueryError: there is no part of a name.
        DataError: matplotlib is not installed.
        StorageError: `out` cannot be written.
    """
    parts = chosen(only)
    charts.blank(1, 1)
    _check_writable(out)
    skipped = {}
    for part in parts:
        inner = replace(setting, tell=partial(tell, part.name))
        try:
            _done(part, inner, out)
        except Absent as error:
            skipped[part.name] = str(error)
        tell(part.name, 1.0)
    page = report.write(out, list(PARTS.values()), skipped)
    return Outcome(tuple(part.name for part in parts if part.name not in skipped), skipped, page)


def chosen(only: Sequence[str]) -> list[Part]:
    """The parts of some names, in the order of the report; all where none is named.

    Raises:
        QueryError: there is no part of a name.
    """
    for name in only:
        if name not in PARTS:
            raise QueryError(f"no experiment {name!r}; there are {', '.join(PARTS)}")
    return [part for name, part in PARTS.items() if not only or name in only]


def _check_writable(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot write {out}: {error.strerror}") from error
    with written(out / ".writable"):
        pass
    (out / ".writable").unlink()


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """A temporary file that takes the place of `path` when the block ends well."""
    with published(str(path)) as temporary:
        Path(temporary).touch()
        yield Path(temporary)


def _done(part: Part, setting: Setting, out: Path) -> None:
    """Measures a part and writes what was found: data, tables, figures."""
    facts, began = machine.facts(), perf_counter()
    data = part.measure(setting)
    told: dict[str, Any] = {
        "part": part.name,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(perf_counter() - began, 1),
        "facts": facts,
        "data": data,
    }
    for grid in part.tables(data):
        with written(out / f"{grid.name}.csv") as path:
            path.write_text(grid.csv(), encoding="utf-8")
    figure = part.figure(data)
    for form in ("png", "svg"):
        with written(out / f"{part.name}.{form}") as path:
            path.write_bytes(charts.drawn(figure, form))
    with written(out / f"{part.name}.json") as path:
        path.write_text(json.dumps(told) + "\n", encoding="utf-8")


def setting_of(data: str | None, reference: str | None, size: Size) -> Setting:
    """The setting of some folders; the reference is beside the data unless it is given.

    Raises:
        StorageError: a folder that was given is not there.
    """
    folder = Path(data) if data else None
    beside = Path(reference) if reference else None
    for given in (folder, beside):
        if given is not None and not given.is_dir():
            raise StorageError(f"no folder {given}")
    if beside is None and folder is not None and (folder.resolve().parent / REFERENCE).is_dir():
        beside = folder.resolve().parent / REFERENCE
    return Setting(folder, beside, size, lambda _: None)
