"""Incremental runs: rows that are new or have changed are filled in by a kept model, all others keep their values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from imputedb import arguments
from imputedb.algebra.column import Column
from imputedb.algebra.relation import Scan, Table
from imputedb.completion import by_model, changes, cost
from imputedb.completion import source as sources
from imputedb.completion.by_model import ModelRows
from imputedb.completion.changes import Changes
from imputedb.completion.completed import Completed, opened
from imputedb.completion.completing import point
from imputedb.completion.cost import Meter
from imputedb.completion.manifest import FORMAT, sealed
from imputedb.completion.publication import Publication, current, digest, publication
from imputedb.completion.request import run_name, versions
from imputedb.completion.source import FLAG
from imputedb.engines.engine import Engine
from imputedb.errors import DataError, QueryError, StorageError
from imputedb.execution.model import ModelTable
from imputedb.imputers.protocol import Progress
from imputedb.models.drift import MUCH
from imputedb.notes import Note, NoteKind, as_data
from imputedb.sql.model_statement import versioned
from imputedb.sql.paths import one_file, quoted
from imputedb.sql.tokens import string_literal

INDEX = "rows.parquet"
"""File of a run with the key, the hash and the change of each row."""

ENOUGH = 200
"""Rows from which on drift is a warning: of fewer the index is large by chance."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request for an incremental run.

    Attributes:
        text: a table's name or a SELECT.
        model: name of a kept model, such as `vitals` or `vitals@2`.
        key: columns that tell rows apart from run to run.
        m: number of draws; None for all that the model has.
        beside: whether the published run stays the current one.
        budget: limit of processor seconds; None for no limit.
    """

    text: str
    model: str
    key: tuple[str, ...]
    m: int | None = None
    beside: bool = False
    budget: float | None = None

    def __post_init__(self) -> None:
        arguments.flag("beside", self.beside)
        if self.m is not None:
            object.__setattr__(self, "m", arguments.draws(self.m, 1, example=" completed data sets"))
        if self.budget is not None:
            arguments.positive("the budget", self.budget, example="processor seconds, such as 600")


def increment(engine: Engine, wanted: Wanted, out: Path, progress: Progress | None = None) -> Completed:
    """The run, published: that of all rows by the model, to which only new and changed rows are handed.

    1. Rows are compared by key with those of the run that readers see, if that is of the same model, key, columns and
       policies: a row is new, has changed (any of its values), is the same, or is gone.
    2. New and changed rows are filled in by the model. Draws are keyed by the key, so that a row has the same values
       whatever run it came with.
    3. The files have all rows; rows that are the same take their values from the files of the earlier run.

    Raises:
        UnknownName: there is no such table, model, or column of the key.
        DataError: the key does not tell rows apart; the model has no functions of a row, lacks a column, or does not
            suit the policies.
        QueryError: the SELECT is wrong, or the model has fewer draws.
        Beyond: the budget is spent, or the run was rolled back and not promoted since.
        StorageError: the folder cannot be written, or another process is writing into it.
    """
    began, meter = perf_counter(), Meter(wanted.budget)
    with engine.lock:
        staged = sources.staged(engine, wanted.text)
        rows = _read(engine, wanted, staged.table)
        with publication(out, run_name(rows.settings)) as writing:
            if not writing.is_there:
                base, why = _base(rows, out)
                earlier = None if base is None else base.folder / INDEX
                with changes.since(engine, rows.table, rows.shape.types, rows.key, earlier) as found:
                    made = _written(engine, rows, found, base, writing, meter, progress or (lambda _: None))
                    warned = [*staged.notes, *_warnings(made, rows)]
                    told = {"base": None if base is None else base.folder.name, "why": why, **made}
                    writing.publish(sealed(_manifest(engine, rows, writing, told, warned, perf_counter() - began)))
            if not wanted.beside:
                point(writing)
        return opened(writing.final)


def _read(engine: Engine, wanted: Wanted, table: Table) -> ModelRows:
    """The rows of a request, checked against key and model."""
    if engine.models is None:
        raise QueryError("this engine keeps no imputation models")
    record = engine.models.named(*versioned(wanted.model))
    shape, statistics = engine.shape(table), engine.statistics(table)
    if not record.has_functions:
        raise DataError(f"model {record.title} by {record.imputer} has no functions of a row: take tree, norm or pmm")
    applied = ModelTable(engine, Scan(table, "t"), statistics, record)
    features = tuple(one.column.name for one in applied.fitted().features)
    if lost := [name for name in features if name not in shape.types]:
        raise DataError(
            f"model {record.title} reads {', '.join(lost)}, which {wanted.text} does not have: add them, or create the "
            "model anew"
        )
    for name in record.columns:
        if words := applied.unsuited(Column("t", name)):
            raise DataError(words)
    m = record.draws if wanted.m is None else wanted.m
    applied.check_draw(m - 1)
    key = changes.own_key(shape.types, wanted.key)
    changes.check_key(engine, table, key)
    settings = {
        "format": FORMAT,
        "source": wanted.text,
        "fingerprint": sources.fingerprint(engine, table),
        "m": m,
        "seed": record.seed,
        "imputer": record.imputer,
        "settings": f"model {record.title}, {record.digest}",
        "targets": list(record.columns),
        "predictors": list(features),
        "flags": True,
        "long": False,
        "rows": statistics.rows,
        "assumption": "missing at random given the predictors",
        "versions": versions(),
        "key": list(key),
    }
    return ModelRows(table, shape, statistics, record, features, key, m, settings)


def _base(rows: ModelRows, out: Path) -> tuple[Completed | None, str | None]:
    """The run that readers see, if its values can be taken over; else None, and the reason."""
    if current(out) is None:
        return None, None
    try:
        base = opened(out)
        known = base.manifest.get("increment")
        if known is None:
            return None, f"{base.folder.name} was not made by a kept model"
        if digest(base.folder / INDEX) != known["index_sha256"]:
            return None, f"{base.folder.name} is damaged"
        base.check()
    except (OSError, StorageError):
        return None, f"{current(out)} is damaged"
    for name, mine, what in (
        ("digest", rows.record.digest, f"is of model {known['model']}"),
        ("key", list(rows.key), f"has the key {', '.join(known['key'])}"),
        ("rules", rows.rules, "has other columns, types, policies or declared missing values"),
    ):
        if known[name] != mine:
            return None, f"{base.folder.name} {what}"
    if base.manifest["versions"] != versions():
        return None, f"{base.folder.name} was made by other versions"
    if base.m < rows.m:
        return None, f"{base.folder.name} has {base.m} draws"
    return base, None


def _written(
    engine: Engine,
    rows: ModelRows,
    found: Changes,
    base: Completed | None,
    writing: Publication,
    meter: Meter,
    progress: Progress,
) -> dict[str, Any]:
    """Writes all draws and the index; gives what the manifest has to say of them."""
    records: list[Mapping[str, Any]] = []
    before: Sequence[Path | None] = [None] * rows.m if base is None else base.files
    with by_model.handed_rows(engine, rows, found) as applied:
        numbers = found.numbers(applied.scan.table.name)
        drift = applied.drift() if len(numbers) else {}
        made = 0
        for draw in range(1, rows.m + 1):
            record = writing.finished(str(draw))
            if record is None:
                meter.available_bytes(made, draw - 1, rows.m)
                with by_model.filled(engine, applied, numbers, draw) as values:
                    text = by_model.completed(engine, rows, found, values, before[draw - 1])
                    with writing.part(str(draw), f"m={draw}/part.parquet", {"rows": rows.statistics.rows}) as path:
                        engine.execute(f"COPY ({text}) TO {string_literal(str(path))} (FORMAT parquet)")
                record, made = writing.finished(str(draw)) or {}, made + 1
            records.append(record)
            progress(draw / rows.m)
    with writing.part("index", INDEX, {}) as path:
        engine.execute(f"COPY ({found.text()}) TO {string_literal(str(path))} (FORMAT parquet)")
    index = digest(writing.folder / INDEX)
    files = [{key: record[key] for key in ("file", "sha256", "bytes", "rows")} for record in records]
    written = sum(file["bytes"] for file in files)
    told: dict[str, Any] = {
        **found.counts(),
        "handed": len(numbers),
        "drift": drift,
        "index": INDEX,
        "index_sha256": index,
    }
    return told | {"files": files, "cost": cost.total([meter.lap()], written)}


def _warnings(made: Mapping[str, Any], rows: ModelRows) -> list[Note]:
    """Warnings of drift, and of a single draw."""
    found = []
    moved = {name: index for name, index in made["drift"].items() if index is not None and index > MUCH}
    if moved and made["handed"] >= ENOUGH:
        names = ", ".join(f"{name} ({index:.2f})" for name, index in sorted(moved.items()))
        words = f"new and changed rows are not like those that model {rows.record.title} has learnt from: {names}"
        found.append(Note(NoteKind.DRIFT, ", ".join(sorted(moved)), words + "; REFRESH IMPUTATION MODEL"))
    if rows.m == 1:
        words = "one completed data set says nothing of how uncertain its imputed values are: ask for m = 20"
        found.append(Note(NoteKind.ONE_DRAW, "", words))
    return found


def _manifest(
    engine: Engine,
    rows: ModelRows,
    writing: Publication,
    told: Mapping[str, Any],
    warned: Sequence[Note],
    seconds: float,
) -> dict[str, Any]:
    first, others = told["files"][0]["file"], ("files", "cost")
    flags = [f"count(*) FILTER (WHERE {quoted((name + FLAG,))})" for name in rows.record.columns]
    file = f"read_parquet({string_literal(one_file(writing.folder / first))}, hive_partitioning = false)"
    (counts,) = engine.fetched(f"SELECT {', '.join(flags)} FROM {file}")
    share = max(rows.statistics.rows, 1)
    left = [name for name in rows.shape.types if name in rows.statistics.dirty and name not in rows.record.columns]
    return {
        **rows.settings,
        "monte_carlo_error": None,
        "policies": rows.statistics.policy_texts,
        "warnings": list(map(as_data, warned)),
        "intervals": [name for name, kind in rows.shape.types.items() if kind == sources.INTERVAL],
        "convergence": None,
        "files": told["files"],
        "columns": {
            name: {"method": rows.record.title, "imputed": int(n), "imputed_share": int(n) / share, "notes": []}
            for name, n in zip(rows.record.columns, counts, strict=True)
        },
        "left": dict.fromkeys(sorted(left), f"model {rows.record.title} does not fill it in"),
        "seconds": round(seconds, 3),
        "cost": told["cost"],
        "increment": {
            "model": rows.record.title,
            "digest": rows.record.digest,
            "key": list(rows.key),
            "rules": rows.rules,
            **{name: value for name, value in told.items() if name not in others},
        },
    }
