"""Every policy in every function that imputes: a cell each. x is the excluded label's copy, so that a leak shows."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import imputedb
from imputedb import Database
from imputedb.completion.completed import opened
from imputedb.errors import DataError, QueryError

N = 600
IDS = np.arange(N)
RNG = np.random.default_rng(2)
LABEL = RNG.normal(size=N)
Z = RNG.normal(size=N)
X = LABEL + 0.05 * RNG.normal(size=N)
GONE = RNG.random(N) < 0.3
SKIPPED = RNG.random(N) < 0.2

Filled = NDArray[np.float64]
Function = Callable[[Database, Path], Filled]
"""The 600 values of x as a function fills them in, NaN where it leaves NULL."""


def database() -> Database:
    db = imputedb.connect()
    columns = {"id": IDS + 1000, "z": Z, "label": LABEL, "skipped": SKIPPED, "day": RNG.permutation(N)}
    db.register("t", {**columns, "x": np.ma.masked_array(X, GONE)})
    return db


def sql(db: Database, _: Path) -> Filled:
    rows = db.sql("SELECT id, x FROM t", imputer="norm").fetchall()
    found = np.full(N, np.nan)
    for row, value in rows:
        found[row - 1000] = np.nan if value is None else value
    return found


def drawn(db: Database, _: Path) -> Filled:
    rows = db.sql("SELECT id, avg(x) AS x FROM t GROUP BY id", imputer="norm", m=3).fetchall()
    found = np.full(N, np.nan)
    for row in rows:
        found[row[0] - 1000] = np.nan if row[1] is None else row[1]
    return found


def _completed(db: Database, source: str, out: Path) -> Filled:
    db.impute(source, out, m=1, imputer="norm")
    return opened(out).frame(1).sort_values("id")["x"].to_numpy(np.float64)


def impute(db: Database, out: Path) -> Filled:
    return _completed(db, "t", out)


def impute_select(db: Database, out: Path) -> Filled:
    return _completed(db, "SELECT id, z, label AS renamed, skipped, day, x FROM t", out)


def impute_star(db: Database, out: Path) -> Filled:
    return _completed(db, "SELECT * FROM t WHERE id >= 0", out)


def audit(db: Database, _: Path) -> Filled:
    db.audit("t", "why_x", columns=["x"], limit=10_000)
    found = np.where(GONE, np.nan, X)
    for row, value in db.execute("SELECT row, value FROM why_x"):
        found[int(row) - 1000] = np.nan if value is None else float(value)
    return found


def why(db: Database, _: Path) -> Filled:
    found = np.where(GONE, np.nan, X)
    for place in np.flatnonzero(GONE)[:60].tolist():
        try:
            value = db.why("t", "x", place + 1000).value
            found[place] = np.nan if value is None else value
        except DataError as error:
            if "means something" not in str(error):
                raise
    return found


FUNCTIONS: tuple[Function, ...] = (sql, drawn, impute, impute_select, impute_star, audit, why)


def refused(error: DataError, policy: str) -> None:
    assert f"is {policy}: it is not imputed" in str(error)


def leak(values: Filled) -> float:
    here = GONE & ~np.isnan(values)
    return abs(float(np.corrcoef(values[here], LABEL[here])[0, 1]))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_without_a_policy_the_label_is_seen(function: Function, tmp_path: Path) -> None:
    assert leak(function(database(), tmp_path / "out")) > 0.8


@pytest.mark.sampled(2)
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("said", [{"exclude": ["label"]}, {"predictors": ["z"]}], ids=["exclude", "predictors"])
def test_what_is_excluded_does_not_leak(function: Function, said: dict[str, list[str]], tmp_path: Path) -> None:
    db = database()
    db.policy("t", "x", **said)  # type: ignore[arg-type]
    assert leak(function(db, tmp_path / "out")) < 0.3


@pytest.mark.sampled(2)
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_a_range_and_values_hold(function: Function, tmp_path: Path) -> None:
    db = database()
    db.policy("t", "x", low=0.25, high=1.5)
    values = function(db, tmp_path / "a")[GONE]
    values = values[~np.isnan(values)]
    assert values.min() >= 0.25
    assert values.max() <= 1.5
    db.policy("t", "x", values=[0.5, 1.0])
    values = function(db, tmp_path / "b")[GONE]
    if function is not drawn:  # a mean of draws is between them
        assert set(values[~np.isnan(values)]) <= {0.5, 1.0}


@pytest.mark.parametrize("function", [sql, drawn, impute, impute_select, impute_star], ids=lambda f: f.__name__)
def test_the_column_s_own_imputer_fills_it(function: Function, tmp_path: Path) -> None:
    db = database()
    db.policy("t", "x", imputer="hotdeck")
    assert leak(function(db, tmp_path / "out")) < 0.3


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_kept_and_structural_nulls_stay(function: Function, tmp_path: Path) -> None:
    db = database()
    db.policy("t", "x", "structural", when="skipped")
    values = function(db, tmp_path / "out")
    assert np.isnan(values[GONE & SKIPPED]).all()
    tried = np.flatnonzero(GONE)[:60] if function is why else np.flatnonzero(GONE)
    assert not np.isnan(values[tried[~SKIPPED[tried]]]).any()
    db.policy("t", "x", "keep")
    try:
        values = function(db, tmp_path / "kept")
    except DataError as error:
        refused(error, "KEEP")
    else:
        assert np.isnan(values[GONE]).all()


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_rows_that_miss_a_dropped_column_are_not_filled_in(function: Function, tmp_path: Path) -> None:
    db = database()
    db.policy("t", "x", "drop")
    try:
        values = function(db, tmp_path / "out")
    except DataError as error:
        refused(error, "DROP")
    else:
        assert np.isnan(values[GONE]).all()


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_declared_values_are_filled_in(function: Function, tmp_path: Path) -> None:
    db = database()
    db.register(
        "t", {"id": IDS + 1000, "z": Z, "label": LABEL, "skipped": SKIPPED, "day": IDS, "x": np.where(GONE, 99.0, X)}
    )
    db.missing("t", "x", [99])
    values = function(db, tmp_path / "out") if function is not impute_star else sql(db, tmp_path)
    assert not (values == 99).any()
    assert np.array_equal(values[~GONE], X[~GONE])


@pytest.mark.sampled(2)
@pytest.mark.parametrize("function", [sql, drawn, impute, impute_select, why, audit], ids=lambda f: f.__name__)
def test_what_comes_later_changes_nothing(function: Function, tmp_path: Path) -> None:
    day = np.random.default_rng(1).permutation(N)
    found = []
    for noise in (0, 50):
        db = imputedb.connect()
        later = day > 300
        x, label = np.where(later, X + noise, X), np.where(later, LABEL * (1 + noise), LABEL)
        columns = {"id": IDS + 1000, "z": Z, "label": label, "skipped": SKIPPED, "day": day}
        db.register("t", {**columns, "x": np.ma.masked_array(x, GONE)})
        db.policy("t", "x", before="day")
        found.append(function(db, tmp_path / str(noise))[GONE & ~later])
    np.testing.assert_array_equal(*found)
    assert not np.isnan(found[0]).all()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_what_is_not_precise_enough_stays_missing_everywhere(function: Function, tmp_path: Path) -> None:
    """Rows without their label say nothing of x: these stay missing, the others not."""
    db = imputedb.connect()
    unlabelled = np.random.default_rng(5).random(N) < 0.3
    columns = {"id": IDS + 1000, "z": Z, "skipped": SKIPPED, "day": IDS, "label": np.ma.masked_array(LABEL, unlabelled)}
    db.register("t", {**columns, "x": np.ma.masked_array(X, GONE)})
    db.policy("t", "x", below=0.3)
    values = function(db, tmp_path / "out")
    tried = np.flatnonzero(GONE)[:60] if function is why else np.flatnonzero(GONE)
    np.testing.assert_array_equal(np.isnan(values[tried].astype(float)), unlabelled[tried])
    assert not np.isnan(values[~GONE]).any()


def test_what_stays_missing_is_said_and_counted(tmp_path: Path) -> None:
    db = database()
    db.policy("t", "x", below=0.6, exclude=["label"])
    count = int(GONE.sum())
    for m, strategy in ((1, "planned"), (3, "planned"), (1, "base")):
        found = db.sql("SELECT count(x) AS n, avg(x) AS a FROM t", imputer="norm", m=m, strategy=strategy)
        assert found.fetchall()[0][0] == N - count
        assert any(f"{count} cells of t.x stay NULL" in said for said in found.report.warnings)
    db.impute("t", tmp_path / "out", m=2, imputer="norm")
    told = opened(tmp_path / "out").manifest["columns"]["x"]
    assert told["imputed"] == 0
    assert any(f"{count} cells stay NULL" in note["text"] for note in told["notes"])
    assert any("stay missing" in note for note in db.evaluate("t", imputer="norm", columns=["x"]).notes)
    cells = db.cells("t", "x", imputer="norm")
    assert all(one.value is None for one in cells.cells)
    assert any("stay missing" in note for note in cells.notes)
    for method in ("aipw", "bounds", "ml"):
        with pytest.raises(QueryError, match="MISSING BELOW"):
            db.sql("SELECT avg(x) AS a FROM t", method=method)  # type: ignore[arg-type]


def test_evaluate_and_scan_hide_the_label() -> None:
    db = database()
    free = db.evaluate("t", imputer="norm", columns=["x"]).overall("norm")
    near = min(db.scan("t", columns=["x"]).errors.values())
    db.policy("t", "x", exclude=["label"])
    assert free < 0.2 < 0.8 < db.evaluate("t", imputer="norm", columns=["x"]).overall("norm")
    assert near < 0.5 < 0.8 < min(db.scan("t", columns=["x"]).errors.values())
    db.policy("t", "x", imputer="hotdeck")
    found = db.evaluate("t", imputer="norm", columns=["x"])
    assert found.overall("norm") > 1
    assert any("hotdeck" in note for note in found.notes)
    with pytest.raises(DataError, match="neighbours"):
        db.scan("t", columns=["x"])
    with pytest.raises(DataError, match="hotdeck"):
        db.why("t", "x", 1000)
    db.policy("t", "x", "drop")
    with pytest.raises(DataError, match="DROP"):
        db.evaluate("t", columns=["x"])


def test_sensitivity_sees_no_label_and_keeps_to_a_range() -> None:
    from imputedb.completion.sensitivity import mean_of

    def correlation(columns: dict[str, NDArray[np.float64]]) -> tuple[float, float]:
        return float(np.corrcoef(columns["x"][GONE], columns["label"][GONE])[0, 1]), 0.01

    db = database()
    db.policy("t", "x", exclude=["label"])
    sweep = db.sensitivity("t", "x", [0.0], correlation, m=3)  # type: ignore[arg-type]
    assert abs(sweep.points[0].pooled.estimate) < 0.2
    db.policy("t", "x", imputer="tree")
    with pytest.raises(QueryError, match="tree"):
        db.sensitivity("t", "x", [0.0], mean_of("x"), m=2)


def test_aipw_and_bounds_ask_policies() -> None:
    db = database()
    text = "SELECT avg(x) AS x FROM t"
    free = db.sql(text, method="aipw").estimates[0]["x"].se
    db.policy("t", "x", exclude=["label"])
    assert db.sql(text, method="aipw").estimates[0]["x"].se > 1.1 * free
    db.policy("t", "x", low=-1, high=1)
    ((low, high),) = db.sql(text, method="bounds").fetchall()
    assert high - low == pytest.approx(2 * GONE.mean())
    db.policy("t", "x", values=[-0.5, 0, 0.5])
    ((low, high),) = db.sql(text, method="bounds").fetchall()
    assert high - low == pytest.approx(GONE.mean())
    db.policy("t", "x", before="day")
    with pytest.raises(QueryError, match="earlier"):
        db.sql(text, method="aipw")


def test_a_self_join_does_not_show_the_label() -> None:
    db = database()
    db.policy("t", "x", exclude=["label"])
    rows = db.sql("SELECT a.x, b.label FROM t a JOIN t b ON a.id = b.id WHERE IMPUTED(a.x)", imputer="norm").fetchall()
    assert abs(np.corrcoef(np.array(rows, float).T)[0, 1]) < 0.2
