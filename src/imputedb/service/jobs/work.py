"""The process of one job: `python -m imputedb.service.jobs.work`.

It reads its task from standard input, and writes its progress and its result as lines of JSON to standard output. It
ends when its input is closed, as the end of the service does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from imputedb.border import ours
from imputedb.database import Database, connect
from imputedb.errors import QueryError
from imputedb.service.sandbox.confinement import confine
from imputedb.sql.paths import parts_of, quoted
from imputedb.sql.tokens import string_literal

Progress = Callable[[float], None]


def evaluate(db: Database, request: Mapping[str, Any], _: Path, progress: Progress) -> Any:
    """Errors of imputers on a table: observed cells are hidden, imputed and compared with their values."""
    names = ("imputer", "share", "pattern", "by", "columns", "seed")
    return db.evaluate(request["table"], **_given(request, names), progress=progress).data()


def impute(db: Database, request: Mapping[str, Any], out: Path, progress: Progress) -> Any:
    """Completed copies of a table, written to the folder of the job."""
    names = ("m", "imputer", "seed", "columns", "cycles")
    found = db.impute(request["table"], out, **_given(request, names), progress=progress)
    return {"folder": str(out), "m": found.m, "manifest": found.manifest}


def compare(db: Database, request: Mapping[str, Any], _: Path, progress: Progress) -> Any:
    """The answer to a query under several assumptions, beside that of complete cases where it has one row."""
    found = db.compare(request["sql"], **_given(request, ("ways", "m", "seed"))).table()
    progress(0.9)
    plain = db.sql(request["sql"], imputer="drop")
    rows = plain.first(2)
    return {"lines": found, "complete_cases": dict(zip(plain.columns, rows[0], strict=True)) if len(rows) == 1 else {}}


def cells(db: Database, request: Mapping[str, Any], _: Path, progress: Progress) -> Any:
    """The donors of a table's missing cells under nearest neighbours, with their distances, weights and fallbacks."""
    count = db.audit(request["table"], _CELLS, seed=request["seed"], **_given(request, ("columns", "limit")))
    progress(0.9)
    rows = db.execute(f"SELECT column_name, variance, fallback FROM {_CELLS}")
    varied = [(str(name), float(variance)) for name, variance, _ in rows if variance is not None]
    table, spreads, stood_in = quoted(parts_of(request["table"])), list[float](), Counter[str]()
    for column in sorted({name for name, _ in varied}):
        ((whole,),) = db.execute(f"SELECT var_pop({quoted((column,))}) FROM {table}")
        if whole:
            spreads += [variance / float(whole) for name, variance in varied if name == column]
    stood_in.update(str(stage) for *_, stage in rows if stage)
    return {"missing": count, "variance_ratios": sorted(spreads), "fallbacks": dict(stood_in)}


_CELLS = "imputed_cells"
"""A temporary table."""


WORK: Mapping[str, Callable[[Database, Mapping[str, Any], Path, Progress], Any]] = {
    "evaluate": evaluate,
    "impute": impute,
    "compare": compare,
    "cells": cells,
}
"""The function of each kind of job."""


def _given(request: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: request[name] for name in names if request.get(name) is not None}


def main() -> None:
    """Runs the job of the task that is read from standard input."""
    task = json.loads(sys.stdin.readline())
    words = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # so that prints of libraries are not taken for messages
    if task.get("confined") is not None:
        confine([Path(task["path"]), Path(task["path"] + ".wal")], task["confined"])
    threading.Thread(target=_watch, daemon=True).start()
    last = [0.0]

    def progress(share: float) -> None:
        if share >= last[0] + 0.01:
            last[0] = share
            _send(words, progress=share)

    try:
        work = WORK.get(task["kind"])
        if work is None:
            raise QueryError(f"there is no job of kind {task['kind']}; there are {', '.join(WORK)}")
        with connect(task["path"], locked=True, config=_settings(task)) as db:
            found = work(db, task["request"], Path(task["out"]), progress)
        _send(words, result=found)
    except Exception as error:
        known = ours(error)
        _send(words, error={"title": type(known).__name__, "detail": str(known)})


def _settings(task: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of DuckDB for a job; a job that writes files may access its own folder only."""
    reached = {"allowed_directories": f"[{string_literal(str(task['out']))}]"} if task["kind"] == "impute" else {}
    return {"memory_limit": task["memory"], "TimeZone": "UTC", **reached}


def _send(words: TextIO, /, **message: Any) -> None:
    from imputedb.answers.as_json import plain

    print(json.dumps(plain(message)), file=words, flush=True)


def _watch() -> None:
    """Ends the process when standard input is closed, as the end of the service does."""
    while os.read(0, 4096):
        pass
    signal.raise_signal(signal.SIGKILL)


if __name__ == "__main__":
    main()
