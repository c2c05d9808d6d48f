"""Cells below a stated precision stay missing: those that are filled in are as precise as is stated."""

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.errors import QueryError

N = 1500


def groups(seed: int) -> tuple[Database, np.ndarray, np.ndarray]:
    """A group that follows from z where z is far from 0; its truth, and where it is missing."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=N)
    truth = np.where(rng.random(N) < 1 / (1 + np.exp(-2 * z)), "yes", "no").astype(object)
    gone = rng.random(N) < 0.3
    db = imputedb.connect()
    db.register("t", {"id": np.arange(N) + 7, "z": z, "g": np.where(gone, None, truth)})
    return db, truth, gone


@pytest.mark.parametrize("imputer", ["tree", "pmm"])
def test_categories_that_are_filled_in_are_as_often_right_as_stated(imputer: str) -> None:
    db, truth, gone = groups(1)
    db.policy("t", "g", below=0.85)
    found = np.array([g for _, g in db.sql("SELECT id, g FROM t ORDER BY id", imputer=imputer).fetchall()], object)
    filled = gone & np.array([value is not None for value in found])
    assert 0.1 < filled.sum() / gone.sum() < 0.9
    assert (found[filled] == truth[filled]).mean() > 0.85 - 2 * np.sqrt(0.13 / filled.sum())
    db.policy("t", "g")
    every = np.array([g for _, g in db.sql("SELECT id, g FROM t ORDER BY id", imputer=imputer).fetchall()], object)
    assert (every[gone] == truth[gone]).mean() < 0.85 - 2 * np.sqrt(0.13 / gone.sum())


def test_an_imputer_whose_draws_are_all_alike_is_not_taken_to_be_sure() -> None:
    """Every draw of the mode agrees; half of them are wrong."""
    db, _, gone = groups(2)
    db.policy("t", "g", below=0.7)
    assert db.sql("SELECT count(g) AS n FROM t", imputer="mean").fetchall() == [(int((~gone).sum()),)]


def test_widths_are_of_the_pattern() -> None:
    """y follows from x with an error of .3: a precision of .7 where x is there, of 0 where it is not."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=N)
    y = x + 0.3 / np.sqrt(1 - 0.09) * rng.normal(size=N)
    gone, lacks = rng.random((2, N)) < 0.3
    db = imputedb.connect()
    db.register("t", {"id": np.arange(N), "x": np.ma.masked_array(x, lacks), "y": np.ma.masked_array(y, gone)})
    for below, stays in ((0.3, gone & lacks), (0.6, gone & lacks), (0.8, gone)):
        db.policy("t", "y", below=below)
        rows = db.sql("SELECT id, y FROM t ORDER BY id", imputer="norm").fetchall()
        np.testing.assert_array_equal([value is None for _, value in rows], stays)


def test_too_few_cells_show_nothing_and_stay() -> None:
    db = imputedb.connect()
    db.register("t", {"x": [1.0, 2.0, 3.0, 4.0, 5.0], "y": [1.0, 2.0, None, 4.0, 5.0]})
    db.policy("t", "y", below=0.1)
    assert db.sql("SELECT count(y) AS n FROM t").fetchall() == [(4,)]
    db.policy("t", "y", below=0)
    assert db.sql("SELECT count(y) AS n FROM t").fetchall() == [(5,)]


@pytest.mark.parametrize("below", [-0.1, 1.5, float("nan"), "much"])
def test_what_is_no_precision_is_refused(below: object) -> None:
    db = groups(1)[0]
    with pytest.raises(QueryError):
        db.policy("t", "g", below=below)  # type: ignore[arg-type]
