"""Scales of skewed numbers: chosen by held-out cells, given back to the last bit, and of draws alone."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imputedb
from imputedb.algebra.column import Column
from imputedb.imputers import tree
from imputedb.imputers.rows import Cells, Rows
from imputedb.imputers.scales import Scale, distinct, scaled, scales, unscaled
from imputedb.statistics.table import Kind

X, Y = Column("t", "x"), Column("t", "y")


def rows(y: Any, x: Any) -> Rows:
    gone = np.arange(len(y)) % 4 == 0
    cells = {X: Cells(x, np.zeros(len(x), bool), Kind.NUMBER), Y: Cells(y, gone, Kind.NUMBER)}
    return Rows(cells, np.arange(len(y), dtype=np.uint64))


def chosen(shape: str, seed: int = 0) -> str | None:
    rng = np.random.default_rng(seed)
    x, e = rng.normal(size=1200), rng.normal(size=1200)
    y = {
        "normal": x + e,
        "lognormal": np.exp(x + e),
        "cubic": (x + e) ** 3,
        "zeros": np.where(rng.random(1200) < 0.3, 0.0, np.exp(x + e)),
        "uniform": rng.random(1200),
    }[shape]
    found = scales(rows(y, x), [Y])
    return found[Y].name if Y in found else None


@pytest.mark.parametrize("seed", range(3))
def test_held_out_cells_choose_the_scale(seed: int) -> None:
    found = {shape: chosen(shape, seed) for shape in ("normal", "lognormal", "cubic", "zeros", "uniform")}
    assert found == {
        "normal": None,
        "lognormal": "logarithm",
        "cubic": "cube root",
        "zeros": "cube root",
        "uniform": None,
    }


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 2**62) | st.floats(1e-300, 1e300), min_size=1, max_size=20),
    st.sampled_from([Scale("cube root"), Scale("logarithm", 0.5)]),
)
def test_values_come_back_as_they_were(values: list[float], scale: Scale) -> None:
    cells = Cells(np.array(values, np.float64), np.zeros(len(values), bool), Kind.NUMBER)
    back = unscaled(scaled(cells, scale).values, *distinct(cells, scale))
    assert set(back) <= set(cells.values)
    assert np.array_equal(scale(back.astype(np.float64)), scale(cells.values.astype(np.float64)))


def loaded(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    u, z, e = rng.normal(size=(3, 1500))
    y = np.exp(0.8 * 1.2 * u + 0.5 * z + 0.5 * e)
    db = imputedb.connect()
    gone = rng.random(1500) < 0.33
    db.register("t", {"id": np.arange(1500), "x": np.exp(1.2 * u), "z": z, "y": np.ma.masked_array(y, gone)})
    return db, y, gone


def test_draws_follow_small_values_too() -> None:
    query = "SELECT regr_slope(ln(y), ln(x)) AS slope FROM t"
    found = [loaded(seed)[0].sql(query, m=5, imputer="tree") for seed in range(4)]
    assert abs(np.mean([one.estimates[0]["slope"].estimate for one in found]) - 0.8) < 0.02
    assert all("t.y is drawn on the scale of its logarithm, by held-out cells" in one.report.notes for one in found)


def test_means_are_predicted_on_the_numbers_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    db, y, gone = loaded(0)
    before = db.sql("SELECT avg(y) FROM t WHERE IMPUTED(y)", imputer="tree").fetchall()
    assert abs(before[0][0] - y[gone].mean()) < 4 * y.std() / np.sqrt(gone.sum())
    monkeypatch.setattr(tree, "scales", lambda *_: {})
    assert loaded(0)[0].sql("SELECT avg(y) FROM t WHERE IMPUTED(y)", imputer="tree").fetchall() == before


def test_draws_are_observed_values() -> None:
    db, y, gone = loaded(1)
    (values,) = db.sql("SELECT list(y) FROM t", imputer="tree", alpha=0).fetchall()[0]
    assert set(values) <= set(y[~gone])
