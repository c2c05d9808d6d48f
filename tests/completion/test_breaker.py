"""The breaker of runs: failures in a row, the last good run, what is missing marked, and a way back."""

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.completion import breaker
from imputedb.completion.breaker import AGAIN, FAILURES, FALLBACK, METRICS, Failures
from imputedb.completion.completed import STALE
from imputedb.completion.publication import current, locked, publication
from imputedb.errors import Beyond, Busy, CannotImpute, QueryError
from imputedb.notes import NoteKind
from tests.cli.command import run

ASKED: dict[str, Any] = {"m": 2, "imputer": "norm", "cycles": 1, "breaker": 2}


@pytest.fixture
def people(db: Database) -> Database:
    x = np.arange(40.0)
    db.register("people", {"id": np.arange(40), "x": x, "y": np.where(x % 4 == 0, np.nan, 2 * x)})
    db.policy("people", "y", above=50, refuse=True)
    return db


def metrics(out: Path) -> dict[str, float]:
    lines = [line.split() for line in (out / METRICS).read_text().splitlines() if line[0] != "#"]
    return {name.removeprefix("imputedb_"): float(value) for name, value in lines}


def test_failures_in_a_row_leave_the_last_good_run_and_say_so(
    people: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    good = people.impute("people", out, **ASKED)
    assert (metrics(out)["breaker_open"], metrics(out)["failures_in_a_row"]) == (0, 0)
    people.execute("UPDATE people SET y = NULL WHERE id > 3")
    with pytest.raises(CannotImpute):
        people.impute("people", out, **ASKED)
    assert imputedb.completed(out).warnings == good.warnings
    with pytest.raises(Beyond, match=rf"2 attempts in a row .* CannotImpute: .*go on seeing {good.folder.name}"):
        people.impute("people", out, **ASKED)
    tried = []
    monkeypatch.setattr("imputedb.completion.completing.complete", lambda *_: tried.append(1))
    with pytest.raises(Beyond, match="2 attempts in a row"):
        people.impute("people", out, **ASKED)
    assert not tried
    monkeypatch.undo()
    seen = imputedb.completed(out)
    assert (seen.folder, seen.manifest["stale"]["count"]) == (good.folder, 2)
    assert [note.kind for note in seen.warnings if note not in good.warnings] == [NoteKind.OLD_RUN]
    assert "an old run: 2 newer ones in a row have failed" in run("analyze", str(out), "y ~ x").stderr
    assert imputedb.completed(good.folder).warnings == good.warnings
    rows = duckdb.sql(f"SELECT count(*), count(y), count(*) FILTER (y__missing) FROM '{out / FALLBACK}'").fetchall()
    assert rows == [(40, 3, 37)]
    told = metrics(out)
    assert (told["breaker_open"], told["failures_in_a_row"]) == (1, 2)
    assert told["last_good_run_timestamp_seconds"] == (good.folder / "manifest.json").stat().st_mtime
    stale = (out / STALE).read_text()
    (out / STALE).write_text(json.dumps(json.loads(stale) | {"run": "another"}))  # which was current, and is no more
    assert imputedb.completed(out).warnings == good.warnings
    (out / STALE).write_text(stale)
    monkeypatch.setattr(breaker, "time", lambda: 1e12)
    with pytest.raises(Beyond, match="3 attempts in a row"):
        people.impute("people", out, **ASKED)
    people.execute("UPDATE people SET y = id WHERE id > 10")
    aside = people.impute("people", out, **(ASKED | {"breaker": None, "beside": True, "seed": 5}))
    assert aside.folder != good.folder
    assert imputedb.completed(out).manifest["stale"]["count"] == 3  # readers see the old one still
    assert metrics(out)["breaker_open"] == 1
    again = people.impute("people", out, **(ASKED | {"breaker": None}))
    assert current(out) == again.folder.name
    assert not (out / STALE).exists()
    assert not (out / FALLBACK).exists()
    assert metrics(out)["failures_in_a_row"] == 0
    assert imputedb.completed(out).warnings == again.warnings


def test_a_killed_process_is_a_failure_and_a_spent_budget_is_none(people: Database, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for _ in range(2):
        with pytest.raises(Beyond, match="the budget of"):
            people.impute("people", out, **(ASKED | {"m": 5}), budget=1e-9)
    with publication(out, "run-x"), pytest.raises(Busy):
        people.impute("people", out, **ASKED)
    assert breaker.read(out).count == 0
    with locked(out / f"{FAILURES}.lock", ""), pytest.raises(Busy, match="another process is making a run"):
        people.impute("people", out, **ASKED)
    (out / FAILURES).write_text(json.dumps({"count": 1, "since": 1.0, "last": 1.0, "reason": "x", "running": True}))
    with pytest.raises(Beyond, match="2 attempts in a row have failed, the last one by a process that was killed"):
        people.impute("people", out, **ASKED)
    assert json.loads((out / STALE).read_text())["run"] is None
    (out / FAILURES).write_text("torn")
    assert breaker.read(out) == Failures()
    assert people.impute("people", out, **ASKED).m == 2
    with pytest.raises(QueryError, match="breaker"):
        people.impute("people", out, **(ASKED | {"breaker": 0}))
    assert AGAIN > 60


def test_the_command_ends_with_3_and_marks_what_it_cannot_read(tmp_path: Path) -> None:
    with imputedb.connect(tmp_path / "d.duckdb") as db:
        db.register("t", {"x": [1.0, None, 3.0]}, keep=True)
    asked = ("impute", str(tmp_path / "d.duckdb"), "nothing", "--out", str(tmp_path / "out"), "--breaker", "1")
    broken = run(*asked)
    assert (broken.returncode, "readers see no run, the rows cannot be read" in broken.stderr) == (3, True)
    assert "leave out --draw" in run(*asked, "--draw", "1").stderr
