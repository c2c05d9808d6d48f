"""Numbers that are drawn by straight lines on scales of their own, which held-out cells choose."""

import numpy as np
import pytest
from numpy.typing import NDArray

import imputedb
from imputedb.algebra.column import Column
from imputedb.imputers.checked import draws
from imputedb.imputers.monotone_scales import MonotoneScale, PowerScale, RankScale, TwoPartScale, ranks, scales_of
from imputedb.imputers.registry import IMPUTERS, with_cycles
from imputedb.imputers.rows import Cells, Rows
from imputedb.imputers.scales import Scale
from imputedb.statistics.table import Kind

Floats = NDArray[np.float64]
X, Y = Column("t", "x"), Column("t", "y")
N = 800


def world(kind: str, seed: int = 0) -> tuple[Rows, Floats]:
    """Rows of x and y, of which y is missing in a third, the likelier the larger x is; and y as it is."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=N)
    eta = 0.6 * x + 0.6 * rng.normal(size=N)
    there = rng.random(N) < 1 / (1 + np.exp(-0.5 - x))
    y = {
        "normal": eta,
        "lognormal": np.exp(eta),
        "zero": np.where(there, np.exp(eta), 0.0),
        "bounded": 1 / (1 + np.exp(-4 * eta)),
    }[kind]
    gone = rng.random(N) < 1 / (1 + np.exp(0.8 - x))
    cells = {X: Cells(x, np.zeros(N, bool), Kind.NUMBER), Y: Cells(np.where(gone, 0, y), gone, Kind.NUMBER)}
    return Rows(cells, np.arange(N, dtype=np.uint64)), y


def completed(name: str, rows: Rows, y: Floats) -> Floats:
    gone = rows.columns[Y].missing
    found = np.tile(y, (5, 1))
    for one, values in zip(found, draws(IMPUTERS[name](), rows, [Y], 1, range(1, 6)), strict=True):
        one[gone] = values[Y]
    return found


@pytest.mark.parametrize(
    "stretch",
    [
        PowerScale(Scale("cube root")),
        PowerScale(Scale("logarithm", 0.5), 0.0),
        ranks(np.array([0.0, 0.5, 3.0, 8.0, 8.0, 90])),
    ],
)
def test_scales_go_both_ways(stretch: MonotoneScale) -> None:
    values = np.array([0.0, 0.5, 3.0, 8.0, 90.0])
    assert np.allclose(stretch.inverse(stretch.forward(values)), values)
    assert (np.diff(stretch.forward(values)) > 0).all()
    assert np.isnan(TwoPartScale(stretch).forward(values)).tolist() == [True, False, False, False, False]


@pytest.mark.parametrize(
    ("kind", "name"), [("normal", None), ("lognormal", "logarithm"), ("zero", "two parts"), ("bounded", "ranks")]
)
def test_held_out_cells_choose_the_scale(kind: str, name: str | None) -> None:
    found = [scales_of(world(kind, seed)[0], {Y: True}).get(Y) for seed in range(5)]
    names = [one.name if one else "" for one in found]
    assert sum(one.startswith(name) if name else not one for one in names) >= 4, names


def test_draws_have_the_distribution_that_is_there() -> None:
    """Shares below some numbers, which a line through the numbers as they are gets wrong."""
    for kind, limit in (("lognormal", 0.5), ("zero", 0.01), ("bounded", 0.05)):
        rows, y = world(kind)
        truth = (y < limit).mean()
        error = np.sqrt(truth * (1 - truth) / N)
        apart = {name: abs((completed(name, rows, y) < limit).mean() - truth) for name in ("norm", "normscale")}
        assert apart["normscale"] < 1.5 * error, (kind, apart, error)
        assert apart["normscale"] < apart["norm"]


def test_what_is_drawn_stays_in_the_range_of_the_scale() -> None:
    for kind in ("lognormal", "zero", "bounded"):
        rows, y = world(kind)
        found = completed("normscale", rows, y)
        assert found.min() >= 0
        assert ((found == 0).any()) == (kind == "zero")
        assert kind != "bounded" or found.max() <= 1


def test_whole_numbers_stay_whole() -> None:
    rows, y = world("zero")
    cells = {**rows.columns, Y: rows.columns[Y].like(np.rint(100 * y).astype(np.int64), rows.columns[Y].missing)}
    whole = Rows({**cells, Y: Cells(cells[Y].values, cells[Y].missing, Kind.INTEGER)}, rows.keys)
    (values,) = draws(IMPUTERS["normscale"](), whole, [Y], 1, [1])
    assert values[Y].dtype == np.int64


def test_an_answer_names_the_scale_and_columns_keep_their_names() -> None:
    rows, y = world("zero")
    db = imputedb.connect()
    gone = rows.columns[Y].missing
    db.register("t", {"x": rows.columns[X].values, "y": np.ma.masked_array(y, gone), "y is not 0": np.arange(N)})
    result = db.sql("SELECT avg(y), count(*) FILTER (WHERE y = 0) FROM t", imputer="normscale", m=3, cycles=2)
    assert any("t.y is drawn on the scale of its two parts" in note for note in result.report.notes)
    ((mean, *_, zeros, _, _, _, _),) = result.fetchall()
    assert abs(mean - y.mean()) < 0.2
    assert abs(zeros - (y == 0).sum()) < 40


def test_cycles_are_those_of_the_chain() -> None:
    (one,) = with_cycles((IMPUTERS["normscale"](),), 3)
    assert one.cycles == 3  # type: ignore[attr-defined]


def test_ranks_of_equal_numbers_stand_in_their_middle() -> None:
    found = ranks(np.array([1.0, 1, 2, 2]))
    assert isinstance(found, RankScale)
    assert np.allclose(found.middles, [-0.6744898, 0.6744898])
    assert found.inverse(np.array([-3.0, -0.01, 0.01, 3.0])).tolist() == [1, 1, 2, 2]
