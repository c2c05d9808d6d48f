"""What draws get wrong is measured on hidden cells and told by column and cause; where they are right nothing is."""

from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.algebra.column import Column
from imputedb.imputers import hidden
from imputedb.imputers.misfit import Misfit

ROWS = 800


def world(shape: str, seed: int = 0) -> Database:
    rng = np.random.default_rng(seed)
    x, noise = rng.normal(size=ROWS), rng.normal(size=ROWS)
    g = rng.choice(["a", "b"], ROWS)
    y = {
        "straight": x + noise,
        "bent": x**2 + 0.3 * noise,
        "by group": np.where(g == "a", x, -x) + 0.3 * noise,
        "label": x + noise > 0,
    }[shape]
    gone = rng.random(ROWS) < 0.35
    db = imputedb.connect()
    db.register("t", {"id": np.arange(ROWS), "x": x, "g": g, "y": np.ma.masked_array(y, gone)})
    return db


def told(db: Database, imputer: Any, query: str = "SELECT count(*) FILTER (WHERE y > 0.5) AS n FROM t") -> list[str]:
    warnings = db.sql(query, imputer=imputer, m=3).report.warnings
    return [one for one in warnings if "cells that were hidden" in one]


@pytest.mark.parametrize(("shape", "about"), [("bent", "t.x"), ("by group", "t.x")])
def test_a_straight_model_of_what_is_not_straight_is_told(shape: str, about: str) -> None:
    (said,) = [one for one in told(world(shape), "norm") if "vary" not in one]
    assert said.startswith("t.y: on ")
    assert "draws by norm miss some of how it bends or differs with" in said
    assert about in said


@pytest.mark.parametrize("imputer", ["norm", "pmm", "tree"])
@pytest.mark.parametrize("seed", range(3))
def test_what_fits_is_not_warned_of(imputer: str, seed: int) -> None:
    assert told(world("straight", seed), imputer) == []


def pair(seed: int, together: bool, rows: int = ROWS) -> Database:
    """x, and y and z that are x with correlated errors, and that miss in the same rows or each in its own."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    y, z = x + rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], rows).T
    gone = rng.random(rows) < 0.35
    other = gone if together else rng.random(rows) < 0.35
    masked = {"y": np.ma.masked_array(y, gone), "z": np.ma.masked_array(z, other)}
    db = imputedb.connect()
    db.register("t", {"id": np.arange(rows), "x": x, **masked})
    return db


@pytest.mark.sampled(2)
@pytest.mark.parametrize("imputer", ["norm", "tree"])
@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_pairs_that_fit_are_not_warned_of(imputer: str, together: bool, seed: int) -> None:
    assert told(pair(seed, together), imputer, "SELECT avg(y) AS a, corr(y, z) AS r FROM t") == []


class Apart:
    """Draws of y and z that are right given x, and know nothing of each other."""

    uses_predictors = proper = True
    name = "apart"

    def time(self, _: Any) -> float:
        return 1.0

    def penalty(self, _: Any) -> float:
        return 0.5

    def impute(self, rows: Any, targets: Any, seed: int, *_: Any, draw: int = 0, **__: Any) -> Any:
        x = next(cells for c, cells in rows.columns.items() if c.name == "x").values
        found = {}
        for column in targets:
            noise = np.random.default_rng([seed, draw, ord(column.name)]).normal(size=len(x))
            found[column] = (x + noise)[rows.columns[column].missing]
        return found


@pytest.mark.parametrize("comparisons", [1, 50, 500, 5000])
def test_however_many_comparisons_few_answers_are_warned_of_in_vain(comparisons: int) -> None:
    by_chance = 2 * NormalDist().cdf(-hidden.critical_value(comparisons)) * comparisons
    assert by_chance < 0.005


@pytest.mark.parametrize("together", [True, False])
def test_pairs_that_are_drawn_apart_are_told(together: bool) -> None:
    said = told(pair(0, together, 2000), Apart(), "SELECT avg(y) AS a, corr(y, z) AS r FROM t")
    assert any("miss some of how it goes with t." in one for one in said)


def test_a_label_that_fits_is_not_warned_of_either() -> None:
    assert told(world("label"), "norm", "SELECT count(*) FILTER (WHERE y) AS n FROM t") == []


class Low:
    """Draws of the right spread that are half a deviation too low, or do not vary enough."""

    uses_predictors = proper = True

    def __init__(self, low: float, narrow: float) -> None:
        self.low, self.narrow, self.name = low, narrow, "low"

    def time(self, _: Any) -> float:
        return 1.0

    def penalty(self, _: Any) -> float:
        return 0.5

    def impute(self, rows: Any, targets: Any, seed: int, *_: Any, draw: int = 0, **__: Any) -> Any:
        found = {}
        for column in targets:
            x = next(cells for c, cells in rows.columns.items() if c.name == "x").values[rows.columns[column].missing]
            noise = np.random.default_rng([seed, draw]).normal(size=len(x))
            found[column] = x + self.narrow * noise - self.low
        return found


def test_a_bias_is_told() -> None:
    said = told(world("straight"), Low(0.7, 1.0))
    assert len(said) == 1
    assert "are too low by 0." in said[0]


def test_draws_that_vary_too_little_are_told() -> None:
    said = told(world("straight"), Low(0.0, 0.3))
    assert len(said) == 1
    assert "vary too little" in said[0]


@pytest.mark.parametrize(
    ("imputer", "noise", "follows"), [("tree", 0.005, False), ("norm", 0.005, True), ("tree", 0.5, True)]
)
def test_draws_that_follow_a_close_column_less_closely_are_told(imputer: str, noise: float, follows: bool) -> None:
    rng = np.random.default_rng(0)
    x, gone = rng.normal(size=ROWS), rng.random(ROWS) < 0.3
    first = x + rng.normal(size=ROWS)
    last = first + 0.3 + noise * rng.normal(size=ROWS)
    masked = {name: np.ma.masked_array(values, gone) for name, values in {"first": first, "last": last}.items()}
    db = imputedb.connect()
    db.register("t", {"x": x, **masked})
    said = told(db, imputer, "SELECT count(*) FILTER (WHERE last < first) AS n FROM t")
    assert [f"draws by {imputer} follow t.first less closely than its values do" in one for one in said[1:]] == (
        [] if follows else [True]
    )


def test_it_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    db = world("bent")
    before = told(db, "norm")
    monkeypatch.setattr(hidden, "_HiddenCells", None)
    assert told(db, "norm") == before


def test_a_manifest_has_it(tmp_path: Path) -> None:
    run = world("bent").impute("t", tmp_path / "run", m=2, imputer="norm")
    assert "cells that were hidden" in str(run.manifest["columns"])


@pytest.mark.parametrize("kind", ["numbers", "categories"])
def test_cells_that_no_missing_one_can_be_like_are_not_hidden(kind: str) -> None:
    """Codes are among what is observed, and may not be filled in."""
    for seed in range(2):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=ROWS)
        y = np.where(rng.random(ROWS) < 0.3, -9.0, 10 + x + rng.normal(size=ROWS))
        gone = (rng.random(ROWS) < 0.5) & (y > 0)
        with imputedb.connect() as db:
            if kind == "numbers":
                db.register("t", {"x": x, "y": np.ma.masked_array(y, gone)})
                db.policy("t", "y", low=0)
                assert told(db, "tree") == []
            else:
                g = np.where(y < 0, "none", np.where(y > 10, "up", "down")).astype(object)
                db.register("t", {"x": x, "y": np.where(gone, None, g)})
                db.policy("t", "y", values=["up", "down"])
                assert told(db, "tree", "SELECT count(*) FILTER (WHERE y = 'up') AS n FROM t") == []


def test_a_permitted_category_that_is_not_among_what_is_looked_at_stops_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hidden, "SEEN", 100)
    monkeypatch.setattr(hidden, "FEWEST", 5)
    x, g = np.random.default_rng(0).normal(size=ROWS), np.array(["a", "b"] * (ROWS // 2), object)
    g[::3], g[1] = None, "rare"
    with imputedb.connect() as db:
        y = np.ma.masked_array(x + 1, np.arange(ROWS) % 4 == 0)
        db.register("t", {"x": x, "g": g, "y": y})
        db.policy("t", "g", values=["rare"])
        answer = db.sql("SELECT count(*) AS n FROM t WHERE g = 'rare' AND y > -9", imputer="tree", m=2)
        assert answer.estimates[0]["n"].estimate == 1 + sum(one is None for one in g)


def test_of_a_category_its_share_is_told() -> None:
    misfit = Misfit(Column("t", "g"), "mine", 100, 0.2, 5.0, level="a")
    assert "make the share of 'a' too low" in misfit.note
    assert "means" not in misfit.note
    assert "how the share of 'a' goes with t.x" in replace(misfit, about=(Column("t", "x"),)).note
