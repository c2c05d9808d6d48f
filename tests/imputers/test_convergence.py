"""Chains that have not forgotten their start say so, everywhere; others take as many cycles as that needs."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import Database, QueryError
from imputedb.algebra.column import Column
from imputedb.imputers.chained.chains import Chains, Movement, Settled, settled
from imputedb.imputers.checked import draws
from imputedb.imputers.permit import Permit
from imputedb.imputers.registry import IMPUTERS
from imputedb.imputers.request import Request
from imputedb.imputers.rows import Cells, Rows
from imputedb.statistics.policy import Policy
from imputedb.statistics.table import Kind

CHAINS = ("tree", "norm", "pmm")


def near(n: int, noise: float, seed: int = 0) -> dict[str, Any]:
    """Two columns that nearly determine one another and miss together, and apart so that chains are needed; a third."""
    rng = np.random.default_rng(seed)
    c = rng.normal(size=n)
    a = c + rng.normal(size=n)
    b = a + noise * rng.normal(size=n)
    both = rng.random(n) < 0.4
    gone = {"a": both | (rng.random(n) < 0.02), "b": both | (rng.random(n) < 0.02)}
    return {"c": c, "a": np.ma.masked_array(a, gone["a"]), "b": np.ma.masked_array(b, gone["b"])}


@pytest.fixture
def stuck() -> Database:
    db = imputedb.connect()
    db.register("t", near(600, 0.01))
    return db


@pytest.fixture
def moving() -> Database:
    db = imputedb.connect()
    db.register("t", near(600, 1.0))
    return db


@pytest.mark.parametrize("name", CHAINS)
def test_columns_that_determine_one_another_are_told(stuck: Database, name: str) -> None:
    report = stuck.sql("SELECT avg(a), avg(b) FROM t", imputer=name, m=10).report
    assert report.convergence is not None
    assert report.convergence.rhat > 1.1
    (said,) = [warning for warning in report.warnings if "not converged" in warning]
    assert report.convergence.statistic in said
    assert "R-hat" in said


@pytest.mark.parametrize("name", CHAINS)
def test_chains_that_have_forgotten_their_start_are_not_doubted(moving: Database, name: str) -> None:
    report = moving.sql("SELECT avg(a), avg(b) FROM t", imputer=name, m=10).report
    assert report.convergence is not None
    assert not report.convergence.doubtful
    assert not [warning for warning in report.warnings if "converged" in warning]


@pytest.mark.nightly
def test_false_alarms_are_rare() -> None:
    """Of 10 tables whose chains mix well, at most one is doubted."""
    doubted = 0
    for seed in range(10):
        db = imputedb.connect()
        db.register("t", near(150, 1.0, seed))
        doubted += any(
            "converged" in one for one in db.sql("SELECT avg(a) FROM t", imputer="norm", m=5).report.warnings
        )
    assert doubted <= 1


def test_nested_gaps_need_no_cycles(moving: Database) -> None:
    moving.execute("CREATE TABLE u AS SELECT c, CASE WHEN b IS NULL OR a IS NULL THEN NULL ELSE a END AS a FROM t")
    assert moving.sql("SELECT avg(a) FROM u", imputer="norm", m=5).report.convergence is None


@pytest.mark.parametrize("name", CHAINS)
def test_more_cycles_are_those_of_asking_at_once(moving: Database, tmp_path: Path, name: str) -> None:
    first = moving.impute("t", tmp_path / "first", m=5, imputer=name, cycles=3)
    further = moving.more(first, 4)
    once = moving.impute("t", tmp_path / "once", m=5, imputer=name, cycles=7)
    assert further.manifest["convergence"]["cycles"] == 7
    assert [part["sha256"] for part in further.manifest["files"]] == [p["sha256"] for p in once.manifest["files"]]
    assert further.manifest["files"] != first.manifest["files"]


def test_more_cycles_of_other_rows_are_refused(moving: Database, tmp_path: Path) -> None:
    run = moving.impute("t", tmp_path, m=5, imputer="norm")
    with pytest.raises(QueryError, match="pass that imputer"):
        moving.more(run, 4, imputer="pmm")
    moving.register("t", near(600, 1.0, 1))
    with pytest.raises(QueryError, match="rows have changed"):
        moving.more(run.folder, 4)


def test_a_manifest_and_its_analyses_say_how_well_chains_converged(stuck: Database, tmp_path: Path) -> None:
    run = stuck.impute("t", tmp_path, m=5, imputer="norm", flags=True)
    told = json.loads((run.folder / "manifest.json").read_text())["convergence"]
    assert told["rhat"] > 1.1
    assert "not converged" in told["warning"]
    assert any("not converged" in note for note in run.analyze("a ~ c").notes)
    run.report(tmp_path / "page.html")
    assert "not converged" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(("cycles", "said"), [(-1, "from 0"), (True, "from 0"), (2.5, "from 0"), ("many", "from 0")])
def test_cycles_that_are_none_are_refused(moving: Database, cycles: Any, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        moving.sql("SELECT avg(a) FROM t", m=5, cycles=cycles)


def test_imputers_without_chains_have_no_cycles(moving: Database) -> None:
    with pytest.raises(QueryError, match="knn runs none"):
        moving.sql("SELECT avg(a) FROM t", imputer="knn", m=5, cycles=5)


@pytest.mark.parametrize("name", CHAINS)
def test_the_first_draws_are_the_same_however_many_there_are(name: str) -> None:
    table = near(200, 0.2)
    cells = {
        Column("t", c): Cells(np.ma.getdata(v), np.array(np.ma.getmaskarray(v)), Kind.NUMBER) for c, v in table.items()
    }
    rows, targets = Rows(cells, np.arange(200, dtype=np.uint64)), [Column("t", "a"), Column("t", "b")]
    few, many = (list(draws(IMPUTERS[name](), rows, targets, 0, range(1, m + 1))) for m in (5, 9))
    for one, other in zip(few, many, strict=False):
        assert all((one[column] == other[column]).all() for column in targets)


def _chains(rhat: float) -> Chains:
    return Chains(rhat, "mean of x", 1.0, 1, 5, 1.05, 1.08)


def test_cycles_double_as_long_as_it_helps() -> None:
    helping = {10: 2.0, 20: 1.4, 40: 1.05}
    assert settled(10, 80, lambda cycles: _chains(helping[cycles])) == Settled(40)
    late = {10: 2.0, 20: 1.9, 40: 1.05}
    assert settled(10, 80, lambda cycles: _chains(late[cycles])) == Settled(40)
    assert settled(10, 80, lambda _: _chains(2.0)) == Settled(10, _chains(2.0))
    assert settled(10, 15, lambda _: _chains(2.0)) == Settled(10, _chains(2.0))
    assert settled(10, 80, lambda _: None) == Settled(10)


def test_what_draws_hardly_move_does_not_count() -> None:
    """A chain that stands still in four gaps of a thousand rows."""
    rng = np.random.default_rng(0)
    moments = np.empty((5, 20, 2, 2))
    for draw in range(5):
        mean = 1e-3 * rng.normal() * np.ones(20)
        moments[draw] = np.stack([np.ones(20), mean, mean, 1 + mean**2], axis=1).reshape(20, 2, 2)
    assert Movement(["x"], moments, 1000).chains is None
    found = Movement(["x"], moments, 10**8).chains
    assert found is not None
    assert found.rhat > 1.1


@pytest.mark.parametrize("own", ["norm", "pmm", "tree"])
def test_a_column_with_an_imputer_of_its_own_takes_the_cycles_that_are_asked_for(own: str) -> None:
    rows = Rows({Column("t", "a"): Cells(np.zeros(3), np.zeros(3, bool), Kind.NUMBER)}, np.arange(3, dtype=np.uint64))
    permits = {Column("t", "a"): Permit(Policy(imputer=own))}
    query = replace(IMPUTERS["pmm" if own != "pmm" else "norm"](), cycles=7)
    found = Request(rows, [Column("t", "a")], query, permits).filler(Column("t", "a"))
    assert (found.name, found.cycles) == (own, 7)
