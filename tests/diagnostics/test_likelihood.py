"""Maximum likelihood without draws, against closed forms and R's EM."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import imputedb
from imputedb.diagnostics.likelihood import likelihood
from imputedb.errors import DataError, UnknownName

REFERENCE = Path(__file__).resolve().parents[2].parent / "shared" / "reference"


def test_of_complete_data_it_is_the_moments() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 1)) + rng.normal(size=(300, 3)) * [1, 2, 3]
    found = likelihood(x, ["a", "b", "c"])
    spread = np.cov(x.T, ddof=0)
    assert found.average("b").estimate == pytest.approx(x[:, 1].mean())
    assert found.average("b").se == pytest.approx(math.sqrt(spread[1, 1] / 300), rel=1e-5)
    assert found.average("b").fmi == pytest.approx(0, abs=1e-5)
    assert found.covary("a", "a").se == pytest.approx(spread[0, 0] * math.sqrt(2 / 300), rel=1e-5)
    r = found.correlation("a", "c")
    assert r.estimate == pytest.approx(np.corrcoef(x.T)[0, 2])
    assert r.se == pytest.approx((1 - r.estimate**2) / math.sqrt(300), rel=1e-4)
    design = np.column_stack([np.ones(300), x[:, 1:]])
    least = np.linalg.lstsq(design, x[:, 0], rcond=None)[0]
    off = x[:, 0] - design @ least
    errors = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * (off @ off) / 300)
    told = found.regression("a", ["b", "c"])
    assert [one.estimate for one in told.values()] == pytest.approx(least)
    assert [one.se for one in told.values()] == pytest.approx(errors, rel=1e-3)


def test_where_one_column_stops_it_is_andersons() -> None:
    """Monotone missingness (Anderson 1957): the line is that of complete rows, the mean is the line's at the mean."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(500, 1)) @ [[1.0, 0.8]] + rng.normal(size=(500, 2)) * [0, 0.6]
    x[300:, 1] = np.nan
    found = likelihood(x, ["x", "y"])
    slope, start = np.polyfit(x[:300, 0], x[:300, 1], 1)
    line = found.regression("y", ["x"])
    assert (line["x"].estimate, line["(Intercept)"].estimate) == pytest.approx((slope, start), rel=1e-7)
    assert found.average("y").estimate == pytest.approx(start + slope * x[:, 0].mean(), rel=1e-7)
    off = x[:300, 1] - start - slope * x[:300, 0]
    s2, sxx, vx = off.var(), ((x[:300, 0] - x[:300, 0].mean()) ** 2).sum(), x[:, 0].var()
    gap = x[:, 0].mean() - x[:300, 0].mean()
    variance = s2 * (1 / 300 + gap**2 / sxx) + slope**2 * vx / 500
    assert found.average("y").se == pytest.approx(math.sqrt(variance), rel=1e-4)
    assert 0 < found.average("y").fmi < 0.4


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference values of R are not here")
@pytest.mark.parametrize("name", ["airquality", "nhanes"])
def test_it_is_rs_em(name: str) -> None:
    case = json.loads((REFERENCE / "em_mcar.json").read_text())["tests"][name]
    table = np.genfromtxt(REFERENCE / case["data"], delimiter=",", names=True, missing_values="NA", dtype=np.float64)
    columns = [column.replace(".", "") for column in case["columns"]]
    x = np.column_stack(
        [table[column if column in table.dtype.names else column.replace("R", "_R")] for column in columns]
    )
    found = likelihood(x, case["columns"])
    assert found.mean == pytest.approx(case["em_mu"], rel=1e-6)
    assert found.covariance.ravel() == pytest.approx(np.ravel(case["em_sigma"]), rel=1e-5, abs=1e-5)


def test_what_has_no_maximum_is_refused() -> None:
    x = np.random.default_rng(0).normal(size=(50, 1)) @ [[1.0, 2.0]]
    with pytest.raises(DataError, match="determine one another"):
        likelihood(x, ["a", "b"])
    with pytest.raises(DataError, match="vary"):
        likelihood(np.ones((5, 1)), ["a"])


def test_of_a_table() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=400)
    y = x + rng.normal(size=400)
    gone = rng.random(400) < 1 / (1 + np.exp(-2 * x))
    with imputedb.connect() as db:
        db.register(
            "t", {"id": np.arange(400), "x": x, "y": np.ma.masked_array(y, gone), "k": np.array(["a", "b"] * 200)}
        )
        found = db.likelihood("t", level=0.9)
        assert set(found.names) == {"x", "y"}
        one = found.average("y")
        assert abs(one.estimate) < 3 * one.se
        assert one.interval().low < one.estimate < one.interval(0.95).high
        assert found.regression("y", ["x"])["x"].p_value < 1e-6
        with pytest.raises(UnknownName, match="no column 'k'"):
            db.likelihood("t", columns=["x", "k"])
        with pytest.raises(UnknownName, match="no column 'w'"):
            found.average("w")


@pytest.mark.nightly
@pytest.mark.parametrize("n", [5, 10])
def test_intervals_of_few_rows_cover(n: int) -> None:
    """Of large samples' intervals 88 % did with 5 rows."""
    rng, hits = np.random.default_rng(0), 0
    for _ in range(400):
        low, high = likelihood(rng.normal(size=(n, 1)), ["x"]).average("x").interval()
        hits += low < 0 < high
    assert 0.91 < hits / 400 < 0.985
