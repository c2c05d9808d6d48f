"""The Nelson-Aalen cumulative hazard, and what it does for covariates of a survival outcome."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.completion.completed import opened
from imputedb.completion.survival import nelson_aalen
from imputedb.errors import DataError, QueryError, UnknownName

REFERENCE = Path(__file__).parents[3] / "shared" / "reference"


def test_by_hand() -> None:
    """Times 1, 2, 2+, 3, 5: 1/5, then 1/4 of four at risk, 1/2 of two, 1 of one."""
    times, events = np.array([3.0, 1, 2, 5, 2]), np.array([True, True, True, True, False])
    np.testing.assert_allclose(nelson_aalen(times, events), [0.95, 0.2, 0.45, 1.95, 0.45])


@pytest.mark.skipif(not REFERENCE.exists(), reason="reads the reference files")
def test_mice_has_the_same_numbers() -> None:
    told = json.loads((REFERENCE / "nelsonaalen.json").read_text())
    with (REFERENCE / told["data"]).open() as file:
        rows = list(csv.DictReader(file))
    times, events = (np.array([float(row[name]) for row in rows]) for name in ("time", "status"))
    found = nelson_aalen(times, events == 1)
    np.testing.assert_allclose(found[: len(told["head"])], told["head"], rtol=1e-10)
    np.testing.assert_allclose(found, [float(row["na_cumhaz"]) for row in rows], rtol=1e-10)


def lives(seed: int) -> tuple[Database, np.ndarray, np.ndarray]:
    """Rows that live the shorter the larger x is (a log hazard ratio of 1 of the cube root); 40 % miss x."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=1500)
    lived = rng.exponential(size=1500) * np.exp(-x)
    gone = rng.random(1500) < 0.4
    db = imputedb.connect()
    columns = {"id": np.arange(1500) + 5, "time": np.minimum(lived, 8.0) ** 3, "died": (lived < 8).astype(int)}
    db.register("t", {**columns, "x": np.ma.masked_array(x, gone)})
    return db, np.log(lived), gone


def test_covariates_know_of_survival(tmp_path: Path) -> None:
    db, lived, gone = lives(1)
    found = {}
    for survival in (None, ("time", "died")):
        run = db.impute("t", tmp_path / str(survival is None), m=5, imputer="norm", survival=survival)
        assert "cumulative hazard of time" not in run.frame(1).columns
        draws = [run.frame(draw).sort_values("id")["x"].to_numpy() for draw in range(1, 6)]
        found[survival] = float(np.mean([np.corrcoef(x[gone], lived[gone])[0, 1] for x in draws]))
    assert found[("time", "died")] < found[None] - 0.05
    told = opened(tmp_path / "False").manifest
    assert told["survival"] == ["time", "died"]
    assert "cumulative hazard of time" in told["predictors"]


def test_what_is_no_survival_is_refused(tmp_path: Path) -> None:
    db, *_ = lives(0)
    for wrong, error in ((("time", "nope"), UnknownName), (("died", "time"), DataError), (("x", "died"), DataError),
                         ("time", QueryError), (("time",), QueryError)):  # fmt: skip
        with pytest.raises(error):
            db.impute("t", tmp_path / "out", m=1, imputer="norm", survival=wrong)  # type: ignore[arg-type]
