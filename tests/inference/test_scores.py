"""Pooled scores of predictions, against arithmetic by hand and against what leaks."""

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.errors import DataError, QueryError, UnknownName
from imputedb.inference.rubin import pooled


def test_auc_by_hand_with_delongs_variance() -> None:
    """Every pair counted; placement values of cases and controls."""
    y = np.repeat([1, 0], [12, 16])
    one, other = np.array([0.9, 0.6, 0.4, 0.5, 0.4, 0.2, 0.1]), np.array([0.8, 0.3, 0.5, 0.6, 0.1, 0.2, 0.4])
    draws = [np.concatenate([np.tile(p[:3], 4), np.tile(p[3:], 4)]) for p in (one, other)]
    logits, variances = [], []
    for p in draws:
        cases, controls = p[y == 1], p[y == 0]
        above = (cases[:, None] > controls) + 0.5 * (cases[:, None] == controls)
        area = above.mean()
        variance = above.mean(axis=1).var(ddof=1) / 12 + above.mean(axis=0).var(ddof=1) / 16
        logits.append(math.log(area / (1 - area)))
        variances.append(variance / (area * (1 - area)) ** 2)
    found = imputedb.pool_scores(y, draws)
    wanted = pooled(logits, variances, 27.0)
    assert found["auc"].pooled.estimate == pytest.approx(wanted.estimate, rel=1e-12)
    assert found["auc"].pooled.total == pytest.approx(wanted.total, rel=1e-12)
    low, high = wanted.interval()
    assert found["auc"].interval() == pytest.approx((1 / (1 + math.exp(-low)), 1 / (1 + math.exp(-high))))
    losses = [(y - p) ** 2 for p in draws]
    assert found["brier"].estimate == pytest.approx(math.exp(np.mean([math.log(one.mean()) for one in losses])))


def test_auc_agrees_with_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    y = (rng.random(200) < 0.3).astype(float)
    p = np.round(1 / (1 + np.exp(-(y + rng.normal(size=200)))), 1)
    found = imputedb.pool_scores(y, [p, p])
    assert found["auc"].estimate == pytest.approx(metrics.roc_auc_score(y, p), rel=1e-12)
    assert found["brier"].estimate == pytest.approx(metrics.brier_score_loss(y, p), rel=1e-12)
    assert found["auc"].pooled.between == 0


def test_calibration_of_the_true_chances_and_of_twice_their_logits() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(-0.5, 1.0, 40_000)
    y = (rng.random(40_000) < 1 / (1 + np.exp(-logits))).astype(float)
    true = imputedb.pool_scores(y, [1 / (1 + np.exp(-logits))] * 2)
    assert true["slope"].estimate == pytest.approx(1, abs=4 * true["slope"].se)
    assert true["intercept"].estimate == pytest.approx(0, abs=4 * true["intercept"].se)
    over = imputedb.pool_scores(y, [1 / (1 + np.exp(-2 * logits))] * 2)
    assert over["slope"].estimate == pytest.approx(true["slope"].estimate / 2, rel=1e-6)
    models = pytest.importorskip("statsmodels.api")
    fit = models.Logit(y, np.column_stack([np.ones(len(y)), logits])).fit(disp=0)
    assert (true["slope"].estimate, true["slope"].se) == pytest.approx((fit.params[1], fit.bse[1]), rel=1e-6)


def test_numbers_by_hand() -> None:
    rng = np.random.default_rng(2)
    y = rng.normal(size=100)
    draws = [y + rng.normal(0, 0.5, 100) for _ in range(3)]
    found = imputedb.pool_scores(y, draws)
    roots = [math.sqrt(np.mean((y - p) ** 2)) for p in draws]
    assert found["rmse"].estimate == pytest.approx(math.exp(np.mean(np.log(roots))))
    assert found["slope"].estimate == pytest.approx(np.mean([np.polyfit(p, y, 1)[0] for p in draws]))
    assert found["intercept"].estimate == pytest.approx(np.mean([(y - p).mean() for p in draws]))


@pytest.mark.nightly
def test_intervals_cover() -> None:
    """The AUC of a known pair of normals, and the RMSE of a known error, in 95 % of 400 samples."""
    rng = np.random.default_rng(3)
    area, hits = 0.5 * (1 + math.erf(1 / math.sqrt(2))), np.zeros(2)
    for _ in range(400):
        y = np.repeat([0.0, 1.0], 60)
        p = 1 / (1 + np.exp(-(y * math.sqrt(2) + rng.normal(size=120))))
        low, high = imputedb.pool_scores(y, [p, p])["auc"].interval()
        x = rng.normal(size=120)
        small, large = imputedb.pool_scores(x, [x + rng.normal(size=120)] * 2)["rmse"].interval()
        hits += [low < area < high, small < 1 < large]
    assert (hits / 400 > 0.92).all()
    assert (hits / 400 < 0.985).all()


def test_what_is_told_apart_without_an_error_has_no_calibration() -> None:
    found = imputedb.pool_scores([0, 0, 1, 1], [[0.1, 0.2, 0.8, 0.9]] * 2)
    assert set(found.scores) == {"auc", "brier"}
    assert found["auc"].estimate == 1
    low, high = found["auc"].interval()
    assert 0 <= low < 0.6
    assert high == 1
    assert "without an error" in found.notes[0]
    assert "2 cases and 2 controls are few" in found.notes[1]
    tied = imputedb.pool_scores([0, 0, 1, 1], [[0.1, 0.5, 0.5, 0.9]] * 2)  # the best slope is infinite here too
    assert set(tied.scores) == {"auc", "brier"}


@pytest.mark.nightly
@pytest.mark.parametrize(("cases", "controls", "area"), [(1, 60, 0.6), (1, 60, 0.9), (5, 100, 0.8), (5, 5, 0.95)])
def test_intervals_of_few_cases_cover(cases: int, controls: int, area: float) -> None:
    rng = np.random.default_rng(6)
    y, hits = np.repeat([1.0, 0.0], [cases, controls]), 0
    shift = math.sqrt(2) * NormalDist().inv_cdf(area)
    for _ in range(300):
        p = 1 / (1 + np.exp(-(y * shift + rng.normal(size=len(y)))))
        low, high = imputedb.pool_scores(y, [p, p])["auc"].interval()
        assert 0 <= low <= high <= 1
        hits += low <= area <= high
    assert hits / 300 > 0.9


def test_predictions_without_an_error_have_no_error_below_0() -> None:
    y = np.arange(20.0)
    found = imputedb.pool_scores(y, [y, y + 0.5 * (-1) ** np.arange(20)])
    assert found["rmse"].interval().low >= 0


@pytest.fixture
def patients(db: Database) -> Database:
    rng = np.random.default_rng(4)
    n = 300
    x, z = rng.normal(size=n), rng.normal(size=n)
    ill = (rng.random(n) < 1 / (1 + np.exp(-1.5 * x))).astype(float)
    db.register(
        "patients",
        {
            "id": np.arange(n),
            "x": np.ma.masked_array(x, rng.random(n) < 0.3),
            "z": np.ma.masked_array(z, rng.random(n) < 0.3),
            "y": 2 * x + z + rng.normal(size=n),
            "ill": np.ma.masked_array(ill, rng.random(n) < 0.1),
        },
    )
    return db


def test_cross_validated_scores(patients: Database) -> None:
    pytest.importorskip("statsmodels")
    found = patients.pool_scores("SELECT x, z, ill FROM patients", "ill ~ x + z", "logit", m=3, folds=4, imputer="norm")
    assert found["auc"].interval().low < 0.78 < found["auc"].interval().high + 0.05
    assert found.rows == patients.execute("SELECT count(ill) FROM patients")[0][0]
    assert "learnt from, and not scored" in found.notes[1]
    numbers = patients.pool_scores("SELECT x, z, y FROM patients", "y ~ x + z", m=3, imputer="pmm")
    assert set(numbers.scores) == {"rmse", "slope", "intercept"}
    assert numbers["slope"].estimate == pytest.approx(1, abs=0.3)


def test_neither_an_outcome_nor_a_fold_leaks(db: Database) -> None:
    """A predictor that tells all, and mostly misses: were outcomes seen, they would fill it in."""
    pytest.importorskip("statsmodels")
    rng = np.random.default_rng(5)
    n = 300
    y = (rng.random(n) < 0.5).astype(float)
    signal = y + rng.normal(0, 0.3, n)
    db.register("told", {"y": y, "x": np.ma.masked_array(signal, rng.random(n) < 0.6)})
    half = db.pool_scores("SELECT y, x FROM told", "y ~ x", "logit", m=4, imputer="norm")
    assert half["auc"].estimate < 0.9  # three in five rows tell nothing; with leaks it is nearly 1


def test_predictions_of_a_fold_do_not_depend_on_its_outcomes(patients: Database, monkeypatch: Any) -> None:
    pytest.importorskip("statsmodels")
    from imputedb.completion import scoring

    seen: list[list[np.ndarray]] = []
    monkeypatch.setattr(
        scoring, "pool_scores", lambda truths, found: seen.append(found) or imputedb.pool_scores(truths, found)
    )
    real = scoring._folds
    monkeypatch.setattr(
        scoring, "_folds", lambda *given: np.where(np.arange(300) < 60, 0, np.where(real(*given) >= 0, 1, -1))
    )
    text = "SELECT x, z, y FROM patients ORDER BY id"
    patients.pool_scores(text, "y ~ x + z", m=2, folds=2, imputer="norm")
    patients.execute("UPDATE patients SET y = y + 100 WHERE id < 60")
    patients.pool_scores(text, "y ~ x + z", m=2, folds=2, imputer="norm")
    for before, after in zip(*seen, strict=True):
        assert before[:60] == pytest.approx(after[:60], abs=1e-9)
        assert not np.allclose(before[60:], after[60:])


def test_mistakes_are_named(patients: Database) -> None:
    for formula, asked, kind, says in (
        ("log(y) ~ x", {}, UnknownName, "stands alone at the left"),
        ("y ~ x", {"m": 1}, QueryError, "it goes from 2 to 1,000"),
        ("y ~ x", {"folds": 1}, QueryError, "folds is 1"),
        ("y ~ x", {"folds": 400}, DataError, "too few for 400 folds"),
    ):
        with pytest.raises(kind, match=says):
            patients.pool_scores("patients", formula, **{"m": 2, "imputer": "norm", **asked})  # type: ignore[arg-type]
    for truths, predictions, says in (
        ([0, 1, 1, 0], [[0.1, 2.0, 0.3, 0.2]], "probabilities from 0 to 1"),
        ([1, 1, 1], [[0.1, 0.2, 0.3]], "all true values are equal"),
        ([1, 2, 3], [[0.1, 0.2]], "as many predictions"),
        ([1, 2, 3], [[1.0, math.nan, 2.0]], "a prediction of draw 1 is not finite"),
    ):
        with pytest.raises(DataError, match=says):
            imputedb.pool_scores(truths, predictions)
