"""Runs beside each other in a folder: what is published, rolled back and pruned leaves others as they are."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imputedb import Database
from imputedb.cli.main import LATER
from imputedb.completion.promotion import promoted, rolled_back
from imputedb.completion.publication import current, preparation, publication, taken_back
from imputedb.completion.runs import LEFT_FOR
from imputedb.errors import Beyond, Busy
from tests.cli.command import run

ASKED: dict[str, Any] = {"m": 2, "imputer": "norm", "cycles": 1}


@pytest.fixture
def people(db: Database) -> Database:
    x = np.arange(40.0)
    db.register("people", {"id": np.arange(40), "x": x, "y": np.where(x % 4 == 0, np.nan, 2 * x)})
    return db


def age(folder: Path) -> None:
    for one in (*folder.rglob("*"), folder):
        os.utime(one, (one.stat().st_mtime - LEFT_FOR,) * 2)


def test_publishing_a_run_leaves_the_draws_of_others(people: Database, tmp_path: Path) -> None:
    name = people.impute_draws("people", tmp_path, [1], **ASKED)
    (part,) = tmp_path.glob(".tmp-*/m=1/part.parquet")
    written = part.stat().st_mtime_ns
    other = people.impute("people", tmp_path, **ASKED, seed=1)
    assert run("runs", "prune", str(tmp_path)).returncode == 0
    assert part.stat().st_mtime_ns == written
    done = people.impute("people", tmp_path, **ASKED)
    assert (done.folder.name, done.files[0].stat().st_mtime_ns) == (name, written)
    assert other.m == 2


def test_old_draws_go_when_runs_are_pruned(people: Database, tmp_path: Path) -> None:
    people.impute_draws("people", tmp_path, [1], **ASKED)
    (left,) = tmp_path.glob(".tmp-*")
    people.impute("people", tmp_path, **ASKED, seed=1)
    age(left)
    assert run("runs", "prune", str(tmp_path), "--dry-run").stdout.split() == [left.name]
    with preparation(tmp_path, "run-other"):
        assert run("runs", "prune", str(tmp_path)).returncode == LATER
    assert left.exists()
    done = run("runs", "prune", str(tmp_path))
    assert (done.stdout.split(), left.exists(), current(tmp_path) is None) == ([left.name], False, False)
    assert "0 of 1 runs, and 1 that were not published were removed" in done.stderr


def test_pruning_keeps_what_rollback_goes_to(people: Database, tmp_path: Path) -> None:
    made = [people.impute("people", tmp_path, **ASKED, seed=seed).folder for seed in range(3)]
    assert run("runs", "prune", str(tmp_path)).stdout.split() == [made[0].name]
    assert rolled_back(tmp_path).folder == made[1]


def test_a_repeated_command_shows_no_run_that_was_rolled_back(people: Database, tmp_path: Path) -> None:
    first, second = (people.impute("people", tmp_path, **ASKED, seed=seed).folder.name for seed in range(2))
    rolled_back(tmp_path)
    for _ in range(2):
        with pytest.raises(Beyond, match=f"{second} was rolled back, so that readers go on seeing {first}"):
            people.impute("people", tmp_path, **ASKED, seed=1)
        assert current(tmp_path) == first
    assert people.impute("people", tmp_path, **ASKED).folder.name == first
    promoted(tmp_path, second)
    assert people.impute("people", tmp_path, **ASKED, seed=1).folder.name == current(tmp_path) == second
    assert not taken_back(tmp_path)


def test_runs_are_verified_while_nobody_else_writes(
    people: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a run could be pruned between its being verified and being shown."""
    first, second = (people.impute("people", tmp_path, **ASKED, seed=seed).folder.name for seed in range(2))
    verified = []

    def check(_: object) -> None:
        verified.append(current(tmp_path))
        with pytest.raises(Busy), publication(tmp_path, "run-other"):
            pass

    monkeypatch.setattr("imputedb.completion.completed.Completed.check", check)
    promoted(tmp_path, first)
    rolled_back(tmp_path)
    assert (verified, current(tmp_path)) == ([second, first], second)
