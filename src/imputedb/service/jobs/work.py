"""What jobs do, each in a process of its own: `python -m imputedb.service.jobs.work`.

It reads what to do from its standard input, tells its progress and what came of it in lines of JSON on its standard
output, and ends when its input does: then the service has ended.
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
from imputedb.sql.paths import parts_of, quoted

Progress = Callable[[float], None]


def evaluate(db: Database, asked: Mapping[str, Any], _: Path, progress: Progress) -> Any:
    """How well imputers fill in a table: observed cells are hidden, filled and compared."""
    names = ("imputer", "share", "pattern", "by", "columns", "seed")
    return db.evaluate(asked["table"], **_given(asked, names), progress=progress).data()


def impute(db: Database, asked: Mapping[str, Any], out: Path, progress: Progress) -> Any:
    """Completed copies of a table, in a folder of the job's own."""
    names = ("m", "imputer", "seed", "columns", "cycles")
    found = db.impute(asked["table"], out, **_given(asked, names), progress=progress)
    return {"folder": str(out), "m": found.m, "manifest": found.manifest}


def compare(db: Database, asked: Mapping[str, Any], _: Path, progress: Progress) -> Any:
    """The same answer under several assumptions, beside that of complete cases where it has one row."""
    found = db.compare(asked["sql"], **_given(asked, ("ways", "m", "seed"))).table()
    progress(0.9)
    plain = db.sql(asked["sql"], imputer="drop")
    rows = plain.first(2)
    return {"lines": found, "complete_cases": dict(zip(plain.columns, rows[0], strict=True)) if len(rows) == 1 else {}}


def cells(db: Database, asked: Mapping[str, Any], _: Path, progress: Progress) -> Any:
    """What missing cells of a table are imputed from by nearest neighbours: how alike these are, and what stood in."""
    count = db.audit(asked["table"], _CELLS, seed=asked["seed"], **_given(asked, ("columns", "limit")))
    progress(0.9)
    rows = db.execute(f"SELECT column_name, variance, fallback FROM {_CELLS}")
    varied = [(str(name), float(variance)) for name, variance, _ in rows if variance is not None]
    table, spreads, stood_in = quoted(parts_of(asked["table"])), list[float](), Counter[str]()
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
"""What jobs can be of, by kind."""


def _given(asked: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: asked[name] for name in names if asked.get(name) is not None}


def main() -> None:
    """Does one job."""
    told = json.loads(sys.stdin.readline())
    words = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what anything else prints is none of our words
    threading.Thread(target=_watch, daemon=True).start()
    last = [0.0]

    def progress(share: float) -> None:
        if share >= last[0] + 0.01:
            last[0] = share
            _say(words, progress=share)

    try:
        work = WORK.get(told["kind"])
        if work is None:
            raise QueryError(f"there is no job of kind {told['kind']}; there are {', '.join(WORK)}")
        with connect(told["path"], locked=True, config=_settings(told)) as db:
            found = work(db, told["asked"], Path(told["out"]), progress)
        _say(words, result=found)
    except Exception as error:
        known = ours(error)
        _say(words, error={"title": type(known).__name__, "detail": str(known)})


def _settings(told: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of DuckDB for a job; one that writes files may reach its own folder, and nothing else."""
    folder = str(told["out"]).replace("'", "''")
    reached = {"allowed_directories": f"['{folder}']"} if told["kind"] == "impute" else {}
    return {"memory_limit": told["memory"], **reached}


def _say(words: TextIO, /, **told: Any) -> None:
    from imputedb.answers.as_json import plain

    print(json.dumps(plain(told)), file=words, flush=True)


def _watch() -> None:
    """Ends with the service: its end of the pipe is closed then, however it ends."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
