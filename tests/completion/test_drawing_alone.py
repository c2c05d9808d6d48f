"""Draws that several processes make: the same run as of one, published by whoever comes last."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.cli.main import LATER
from imputedb.completion.completed import Completed
from imputedb.completion.publication import preparation, publication
from imputedb.errors import Busy, QueryError
from tests.cli.command import run

OWN = ("seconds", "cost", "sha256")
"""What a manifest says of the processes that made a run, and the hash of all that it says."""


@pytest.fixture
def survey(tmp_path: Path) -> str:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3)).cumsum(axis=1)
    gone = rng.random((80, 3)) < 0.25
    columns: dict[str, Any] = {name: np.where(gone[:, k], np.nan, x[:, k]) for k, name in enumerate("xyz")}
    group = np.where(rng.random(80) < 0.2, None, rng.choice(["a", "b"], 80)).astype(object)
    with imputedb.connect(tmp_path / "survey.duckdb") as db:
        db.register("t", {"id": np.arange(80), "g": group, **columns}, keep=True)
    return str(tmp_path / "survey.duckdb")


def told(done: Completed) -> dict[str, Any]:
    return {name: value for name, value in done.manifest.items() if name not in OWN}


def contents(done: Completed) -> list[bytes]:
    return [path.read_bytes() for path in done.files]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "asked",
    [
        {"imputer": "norm", "cycles": 3},
        {"imputer": "pmm", "long": True, "cycles": 1},
        {"formula": "y ~ x + I(x**2)", "cycles": 1},
    ],
    ids=str,
)
def test_draws_of_several_processes_are_the_run_of_one(survey: str, tmp_path: Path, asked: dict[str, Any]) -> None:
    """Each opens the database for itself, as processes do; they share nothing but the folder."""
    for draws in ([3], [2]):
        with imputedb.connect(survey, read_only=True) as db:
            assert db.impute_draws("t", tmp_path / "many", draws, m=3, **asked).startswith("run-")
    assert not (tmp_path / "many" / "CURRENT").exists()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "many").glob(".tmp-*/m=*/part.parquet")}
    assert len(kept) == 2
    with imputedb.connect(survey, read_only=True) as db:
        many, one = (db.impute("t", tmp_path / name, m=3, **asked) for name in ("many", "one"))
        assert db.impute_draws("t", tmp_path / "many", [3], m=3, **asked) == many.folder.name
    assert told(many) == told(one)
    assert contents(many) == contents(one)
    assert many.manifest["convergence"] is not None
    assert many.manifest["cost"]["cpu_seconds"] > 0
    assert sorted(path.name for path in many.folder.iterdir() if path.is_file()) == sorted(
        path.name for path in one.folder.iterdir() if path.is_file()
    )
    assert not list((tmp_path / "many").glob(".tmp-*"))


def test_policies_and_order_of_parts_change_nothing(survey: str, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"m": 2, "imputer": "norm", "cycles": 2}
    with imputedb.connect(survey) as db:
        db.policy("t", "x", low=-2, high=2)
        db.policy("t", "y", imputer="tree")
        db.impute_draws("t", tmp_path / "many", [2], **asked)
        many, one = (db.impute("t", tmp_path / name, **asked) for name in ("many", "one"))
    assert told(many) == told(one)
    assert contents(many) == contents(one)


def test_a_run_that_was_killed_has_the_convergence_of_all_its_draws(survey: str, tmp_path: Path) -> None:
    def stop(share: float) -> None:
        if share > 0.7:
            raise KeyboardInterrupt

    with imputedb.connect(survey, read_only=True) as db:
        asked: dict[str, Any] = {"m": 4, "imputer": "norm", "cycles": 4}
        with pytest.raises(KeyboardInterrupt):
            db.impute("t", tmp_path / "killed", progress=stop, **asked)
        again, whole = (db.impute("t", tmp_path / name, **asked) for name in ("killed", "whole"))
    assert again.manifest["convergence"] == whole.manifest["convergence"]


def test_the_command_draws_alone_and_publishes_what_is_in(survey: str, tmp_path: Path) -> None:
    asked = ("impute", survey, "t", "--out", str(tmp_path / "out"), "--m", "4", "--imputer", "norm", "--cycles", "1")
    alone = run(*asked, "--draw", "2", "--draw", "3-4")
    assert (alone.returncode, alone.stdout) == (0, "")
    assert "drawn 2, 3-4 of 4" in alone.stderr
    done = run(*asked)
    assert done.returncode == 0
    assert len(done.stdout.split()) == 4
    for wrong, said in (
        ("5", "a draw is 5"),
        ("0", "a draw is 0"),
        ("x", "'x' are not numbers"),
        ("3-2", "not numbers"),
    ):
        refused = run(*asked, "--draw", wrong)
        assert (refused.returncode, said in refused.stderr) == (1, True), refused.stderr


def test_what_is_in_use_is_told_apart_from_mistakes(survey: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = ("impute", survey, "t", "--out", str(out), "--m", "2", "--imputer", "norm")
    with preparation(out, "run-x") as writing, preparation(out, "run-y"):
        busy = run(*asked)
        assert (busy.returncode, "another process is writing" in busy.stderr) == (LATER, True)
        with writing.alone("7"), pytest.raises(Busy, match="part 7 of run-x"), writing.alone("7"):
            pass
    with publication(out, "run-x"):
        assert run(*asked, "--draw", "1").returncode == LATER


def test_no_draw_is_none(db: Database, tmp_path: Path) -> None:
    db.register("t", {"x": [1.0, None, 3.0], "z": [1.0, 2.0, 3.0]})
    with pytest.raises(QueryError, match="no draw is named"):
        db.impute_draws("t", tmp_path, [])
