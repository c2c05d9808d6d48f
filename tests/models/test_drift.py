"""Drift: rows that have moved are told from those that have not."""

import numpy as np
import pytest

from imputedb.imputers.rows import Cells, Rows
from imputedb.models.drift import index
from imputedb.models.fitted import Fitted
from imputedb.models.learning import fit
from imputedb.models.target import FitSettings
from tests.models.test_fitted import TARGETS, C, X, Y, rows


@pytest.fixture(scope="module")
def model() -> Fitted:
    return fit(rows(3000), TARGETS, {}, FitSettings("mean"))


def test_rows_that_have_not_moved_are_not_said_to_have(model: Fitted) -> None:
    again = Fitted.loaded(model.dumped())
    for one in (model, again):
        assert all(value == 0 for value in one.drift(rows(3000)).values())
        assert all(value is not None and value < 0.03 for value in one.drift(rows(3000, seed=1)).values())


def test_what_goes_missing_moves(model: Fitted) -> None:
    """It is a bin of its own."""
    given = rows(3000, seed=1)
    gone = np.random.default_rng(0).random(3000) < 0.95
    moved = model.drift(Rows({**given.columns, Y: given.columns[Y].like(given.columns[Y].values, gone)}, given.keys))
    assert moved[Y] is not None
    assert moved[Y] > 0.25
    assert moved[X] is not None
    assert moved[X] < 0.03


@pytest.mark.parametrize("shift", [1.0, 100.0])
def test_numbers_that_grow_and_leave_the_range_move(model: Fitted, shift: float) -> None:
    given = rows(3000, seed=1)
    cells = given.columns[X]
    moved = model.drift(Rows({**given.columns, X: cells.like(cells.values + shift, cells.missing)}, given.keys))
    assert moved[X] is not None
    assert moved[X] > 0.25


def test_categories_never_seen_move(model: Fitted) -> None:
    given = rows(3000, seed=1)
    cells = given.columns[C]
    strange = Cells(cells.values, cells.missing, cells.kind, ("low", "odd", "top"))
    assert (model.drift(Rows({**given.columns, C: strange}, given.keys))[C] or 0) > 0.25


def test_no_rows_have_no_index(model: Fitted) -> None:
    assert set(model.drift(rows().at(np.zeros(0, np.intp))).values()) == {None}
    assert index(np.array([5, 5]), np.array([0, 0])) is None
    assert index(np.array([50, 50]), np.array([100, 0])) == pytest.approx(0.5 / 1.01 * np.log(201))
