"""Rows in an order: what is carried over, what is between, what a season says, and lags that predict."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.completion.completed import opened
from imputedb.errors import CannotImpute, DataError, QueryError

ROWS = [("a", 1, None), ("a", 2, 10.0), ("a", 4, None), ("a", 5, 40.0), ("a", 9, None), ("b", 1, 7.0), ("b", 2, None),
        ("c", 1, None)]  # fmt: skip
GIVEN = {
    "previous": [None, 10.0, 10.0, 40.0, 40.0, 7.0, 7.0, None],
    "next": [10.0, 10.0, 40.0, 40.0, None, 7.0, None, None],
    "linear": [10.0, 10.0, 30.0, 40.0, 40.0, 7.0, 7.0, None],
}


def small() -> Database:
    db = imputedb.connect()
    shuffled = [ROWS[place] for place in (3, 0, 7, 5, 1, 6, 2, 4)]
    g, tick, x = zip(*shuffled, strict=True)
    db.register("t", {"g": list(g), "tick": list(tick), "x": list(x)})
    return db


@pytest.mark.sampled(2)
@pytest.mark.parametrize("imputer", GIVEN)
@pytest.mark.parametrize("strategy", ["planned", "base"])
@pytest.mark.parametrize("by_policy", [True, False])
def test_values_follow_the_order(imputer: str, strategy: str, by_policy: bool) -> None:
    db = small()
    db.policy("t", "x", partition=["g"], order="tick", imputer=imputer if by_policy else None)
    asked = {"imputer": "tree" if by_policy else imputer, "strategy": strategy}
    rows = db.sql("SELECT x FROM t ORDER BY g, tick", **asked)  # type: ignore[arg-type]
    assert [value for (value,) in rows.fetchall()] == GIVEN[imputer]
    assert any("no row of their group" in said for said in rows.report.warnings)
    some = db.sql("SELECT x FROM t WHERE tick = 4", **asked)  # type: ignore[arg-type]
    assert some.fetchall() == [(GIVEN[imputer][2],)]


def test_completed_data_follow_it_too(tmp_path: Path) -> None:
    db = small()
    db.policy("t", "x", partition=["g"], order="tick", imputer="previous")
    for source in ("t", "SELECT g, tick, x FROM t"):
        db.impute(source, tmp_path / "out", m=2)
        found = opened(tmp_path / "out").frame(1).sort_values(["g", "tick"])["x"]
        assert [None if np.isnan(value) else value for value in found] == GIVEN["previous"]
    with pytest.raises(DataError, match="order"):
        db.impute("SELECT g, x FROM t", tmp_path / "out", m=2)


def test_a_bridge_is_as_unsure_as_a_walk(tmp_path: Path) -> None:
    """Of 90 % intervals of 30 draws of each missing row, 90 % hold what a random walk had there."""
    rng = np.random.default_rng(3)
    walks = np.cumsum(rng.normal(size=(20, 60)), axis=1)
    gone = np.repeat(rng.random((20, 12)) < 0.4, 5, axis=1)
    db = imputedb.connect()
    tick = np.tile(np.arange(60), 20)
    db.register(
        "t", {"g": np.repeat(np.arange(20), 60), "tick": tick, "x": np.ma.masked_array(walks.ravel(), gone.ravel())}
    )
    db.policy("t", "x", partition=["g"], order="tick", imputer="linear")
    run = db.impute("t", tmp_path / "out", m=30)
    draws = [run.frame(draw).sort_values(["g", "tick"])["x"].to_numpy() for draw in range(1, 31)]
    low, high = np.quantile(draws, [0.05, 0.95], axis=0)
    inside = ((low <= walks.ravel()) & (walks.ravel() <= high))[gone.ravel()]
    assert 0.82 < inside.mean() < 0.96
    assert (np.array(draws)[:, ~gone.ravel()] == walks.ravel()[~gone.ravel()]).all()


def test_a_season_is_found() -> None:
    rng = np.random.default_rng(1)
    days = [date(2024, 1, 1) + timedelta(days=k) for k in range(280)]
    week = np.array([0, 1, 2, 3, 8, 20, 15])
    x = 0.05 * np.arange(280) + week[np.arange(280) % 7] + 0.3 * rng.normal(size=280)
    gone = rng.random(280) < 0.3
    db = imputedb.connect()
    db.register("t", {"shop": ["one"] * 280, "day": days, "x": np.ma.masked_array(x, gone)})
    db.policy("t", "x", partition=["shop"], order="day")
    for imputer, error in (("seasonal", 0.5), ("linear", 8.0)):
        found = np.array([v for _, v in db.sql("SELECT day, x FROM t ORDER BY day", imputer=imputer).fetchall()])
        assert np.sqrt(np.mean((found - x)[gone] ** 2)) < error
    assert np.sqrt(np.mean((found - x)[gone] ** 2)) > 3


def test_lags_predict() -> None:
    rng = np.random.default_rng(2)
    x = np.cumsum(rng.normal(size=(10, 80)), axis=1).ravel()
    gone = rng.random(800) < 0.2
    db = imputedb.connect()
    columns = {"g": [f"g{k}" for k in np.repeat(np.arange(10), 80)], "tick": np.tile(np.arange(80), 10)}
    db.register("t", {**columns, "x": np.ma.masked_array(x, gone)})
    errors = []
    for order in (None, "tick"):
        db.policy("t", "x", partition=["g"] if order else [], order=order)
        for imputer in ("norm", "tree"):
            found = db.sql("SELECT x FROM t ORDER BY g, tick", imputer=imputer).fetchall()
            errors.append(np.sqrt(np.mean((np.array(found)[:, 0] - x)[gone] ** 2)))
    assert errors[2] < 0.5 * errors[0]
    assert errors[3] < 0.7 * errors[1]


def test_draws_that_are_all_alike_say_so() -> None:
    db = small()
    db.policy("t", "x", partition=["g"], order="tick")
    said = db.sql("SELECT avg(x) FROM t", imputer="previous", m=3).report.warnings
    assert any("differ less than what is unknown" in one for one in said)


def test_what_does_not_put_rows_in_order_is_refused() -> None:
    db = small()
    for wrong in ({"partition": ["g"], "order": "g"}, {"partition": ["x"], "order": "tick"}, {"partition": ["g"]},
                  {"order": "tick"}, {"partition": ["nope"], "order": "tick"},
                  {"partition": ["g"], "order": "tick", "before": "x"}):  # fmt: skip
        with pytest.raises((DataError, QueryError)):
            db.policy("t", "x", **wrong)  # type: ignore[arg-type]
    db.register("u", {"g": ["a", None], "tick": [1, 2], "x": [1.0, None]})
    with pytest.raises(DataError, match="missing in 1 rows"):
        db.policy("u", "x", partition=["g"], order="tick")
    with pytest.raises(CannotImpute, match="PARTITION BY"):
        db.sql("SELECT avg(x) FROM u", imputer="linear")
    db.policy("t", "x", partition=["g"], order="tick")
    with pytest.raises(CannotImpute, match="season"):
        db.sql("SELECT avg(x) FROM t", imputer="seasonal")
    with pytest.raises(QueryError, match="PARTITION BY"):
        db.sql("SELECT avg(x) FROM t", method="aipw")
