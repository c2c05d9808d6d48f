"""Estimates of what a run costs, measured on a sample of its rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.errors import QueryError, UnknownName
from tests.cli.command import run

ASKED: dict[str, Any] = {"imputer": "norm", "cycles": 1}


@pytest.fixture
def people(db: Database) -> Database:
    rng = np.random.default_rng(0)
    x = rng.normal(size=3000)
    y = np.where(rng.random(3000) < 0.3, np.nan, 2 * x)
    db.register("people", {"id": np.arange(3000), "x": x, "y": y, "n": rng.integers(0, 9, 3000)})
    db.missing("people", "n", [8])
    return db


def test_a_run_costs_about_what_was_estimated(people: Database, tmp_path: Path) -> None:
    before = people.tables()
    found = people.estimate("people", m=4, **ASKED)
    made = people.impute("people", tmp_path, m=4, **ASKED)
    assert (found.rows, found.draws, found.tried) == (3000, 4, 1000)
    assert found.missing == sum(column["imputed"] for column in made.manifest["columns"].values())
    assert found.written_bytes == pytest.approx(made.manifest["cost"]["written_bytes"], rel=0.5)
    assert 0.1 < found.cpu_seconds / made.manifest["cost"]["cpu_seconds"] < 20
    assert people.tables() == before


def test_more_draws_and_rows_cost_more(people: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock of which a run takes as many ticks as its rows squared, times one and a tenth for each draw."""
    ticks = {(500, 1): 1.1, (1000, 1): 4.4, (1000, 3): 5.2}

    def tried(engine: Any, request: Any, staged: Any, size: int, m: int) -> tuple[float, int]:  # noqa: ARG001
        return ticks[size, m], 100 * m

    monkeypatch.setattr("imputedb.completion.estimate._tried", tried)
    found = people.estimate("SELECT * FROM people", m=11, columns=["y"], **ASKED)
    assert found.cpu_seconds == pytest.approx((4.4 + 10 * 0.4) * 9, abs=1)
    assert (found.written_bytes, found.spent) == (3300, 10.7)
    ((missing,),) = people.execute("SELECT count(*) FILTER (y IS NULL OR isnan(y)) FROM people")
    assert found.missing == missing
    assert people.estimate("people", m="auto", **ASKED).draws == 20


def test_the_command_shows_it_and_makes_nothing(tmp_path: Path) -> None:
    with imputedb.connect(tmp_path / "d.duckdb") as db:
        db.register("t", {"x": [1.0, None, 3.0] * 20, "z": np.arange(60.0) % 7}, keep=True)
        with pytest.raises(UnknownName):
            db.estimate("none")
        with pytest.raises(QueryError):
            db.estimate("t", m=0)
    asked = ("impute", str(tmp_path / "d.duckdb"), "t", "--out", str(tmp_path / "out"), "--imputer", "norm")
    shown = run(*asked, "--estimate", "--budget", "0.0001", "--m", "2")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.split()[:5] == ["rows", "60", "missing", "cells", "20"]
    assert "more than the budget of 0.0001" in shown.stderr
    assert not (tmp_path / "out").exists()
