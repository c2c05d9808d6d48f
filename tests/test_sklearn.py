"""The transformers, as scikit-learn and its users meet them."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import KNNImputer as Theirs
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import imputedb
from imputedb.sklearn import ChainedImputer, KNNImputer, ModelImputer

BOTH = [KNNImputer, ChainedImputer]


@pytest.mark.sampled(2)
@parametrize_with_checks(
    [
        KNNImputer(),
        KNNImputer(metric="gower"),
        ChainedImputer(),
        ChainedImputer(mode="draw"),
        ModelImputer(imputer="mean", n_draws=1),
    ]
)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    if getattr(estimator, "mode", "") == "draw" and check.func.__name__ == "check_methods_sample_order_invariance":
        pytest.skip("a draw is keyed by the row's place, and another order gives other draws")
    if getattr(estimator, "mode", "") == "draw" and check.func.__name__ == "check_methods_subset_invariance":
        pytest.skip("a draw is keyed by the row's place in what is transformed")
    check(estimator)


def matrix(n: int = 300, d: int = 6, share: float = 0.2, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 2)) @ rng.normal(size=(2, d)) + 0.3 * rng.normal(size=(n, d))
    return np.where(rng.random((n, d)) < share, np.nan, values)


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("k", [1, 3, 10, 1000])
def test_equal_to_scikit_learns_imputer(weights: str, k: int) -> None:
    train, new = matrix(), matrix(80, seed=1)
    train[0], new[0] = np.nan, np.nan
    ours = KNNImputer(n_neighbors=k, weights=weights).fit(train)
    theirs = Theirs(n_neighbors=k, weights=weights).fit(train)
    np.testing.assert_allclose(ours.transform(train), theirs.transform(train), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ours.transform(new), theirs.transform(new), rtol=1e-9, atol=1e-9)


def test_equal_to_the_reference_on_new_rows(shared: Path) -> None:
    path = shared / "reference" / "sklearn_knnimputer.json"
    if not path.exists():
        pytest.skip("the reference values of ../shared/reference are not here")
    data = json.loads(path.read_text())

    def floats(rows: Any) -> np.ndarray:
        return np.array([[np.nan if v is None else v for v in row] for row in rows], float)

    whole = floats(next(case["X"] for case in data["cases"] if case["id"] == "random30x5"))
    for case in data["fit_transform_new_rows"]:
        ours = KNNImputer(n_neighbors=case["k"], weights=case["weights"]).fit(whole[:20]).transform(whole[20:])
        np.testing.assert_allclose(ours, floats(case["imputed_test"]), rtol=1e-9, atol=1e-9)
    example = data["add_indicator_example"]
    ours = KNNImputer(n_neighbors=2, add_indicator=True).fit(floats(example["X"]))
    np.testing.assert_allclose(ours.transform(floats(example["X"])), floats(example["out"]))
    assert ours.get_feature_names_out().tolist() == example["names"]


@pytest.mark.parametrize("kind", BOTH)
def test_rows_beside_a_row_change_nothing(kind: Any) -> None:
    train, new = matrix(), matrix(50, seed=2)
    imputer = kind().fit(train)
    whole = imputer.transform(new)
    beside = new.copy()
    beside[1:] *= 1000
    assert np.array_equal(imputer.transform(new[:1])[0], whole[0])
    assert np.array_equal(imputer.transform(beside)[0], whole[0])


@pytest.mark.parametrize("kind", BOTH)
def test_in_a_pipeline_with_names_and_frames(kind: Any) -> None:
    values = matrix(share=0.1)
    frame = pd.DataFrame(values, columns=list("abcdef"))
    y = np.nan_to_num(values[:, 0]) + 0.1
    picked = ColumnTransformer([("filled", kind(add_indicator=True), list("bcd"))], remainder="passthrough")
    picked.set_output(transform="pandas")
    out = picked.fit_transform(frame.fillna({"a": 0, "e": 0, "f": 0}))
    assert {"filled__b", "filled__missingindicator_c", "remainder__a"} <= set(out.columns)
    assert not out.isna().any().any()
    model = make_pipeline(StandardScaler(), kind(), LinearRegression())
    assert cross_val_score(model, frame, y, cv=4).mean() > 0.3


@pytest.mark.parametrize("kind", BOTH)
def test_empty_columns_are_dropped_or_kept(kind: Any) -> None:
    values = matrix()
    values[:, 2] = np.nan
    names = ["a", "b", "c", "d", "e", "f"]
    assert kind().fit_transform(values).shape == (300, 5)
    kept = kind(keep_empty_features=True).fit(values)
    assert (kept.transform(values)[:, 2] == 0).all()
    assert kept.get_feature_names_out(names).tolist() == names
    assert kind().fit(values).get_feature_names_out(names).tolist() == ["a", "b", "d", "e", "f"]


@pytest.mark.parametrize("kind", BOTH)
def test_categories_stay_categories(kind: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=500)
    code = np.digitize(x, [-0.5, 0.5]).astype(float) * 7
    code[rng.random(500) < 0.2] = np.nan
    out = kind(categorical_features=[1]).fit_transform(np.column_stack([x, code]))
    assert set(out[:, 1]) == {0.0, 7.0, 14.0}
    gone = np.isnan(code)
    assert (out[gone, 1] == np.digitize(x[gone], [-0.5, 0.5]) * 7).mean() > 0.9


def test_gower_keeps_the_range_of_fit_and_says_what_lies_beyond(caplog: pytest.LogCaptureFixture) -> None:
    train = np.array([[0.0, 0.0, 1.0], [10.0, 1.0, 2.0], [5.0, 9.0, 3.0]])
    imputer = KNNImputer(n_neighbors=1, metric="gower").fit(train)
    with caplog.at_level("INFO", "imputedb.sklearn"):
        # 1000 is as far from 0 as 10 is: all are clipped to 1, and the second column decides
        out = imputer.transform([[1000.0, 8.0, np.nan]])
    assert out[0, 2] == 3.0
    assert "1 values lie beyond what fit has seen" in caplog.text


def test_other_missing_values() -> None:
    values = np.array([[1.0, -1], [2, 5], [3, 7], [-1, 6]])
    out = KNNImputer(missing_values=-1, n_neighbors=1).fit_transform(values)
    assert out.tolist() == [[1, 5], [2, 5], [3, 7], [2, 6]]


def test_a_pickled_imputer_fills_the_same() -> None:
    values = matrix()
    imputer = KNNImputer().fit(values)
    again = pickle.loads(pickle.dumps(imputer))
    assert np.array_equal(again.transform(values), imputer.transform(values))


def test_draws_keep_the_spread() -> None:
    values = matrix(3000, share=0.3)
    gone = np.isnan(values[:, 0])
    predicted = ChainedImputer(random_state=0).fit_transform(values)[gone, 0]
    drawn = ChainedImputer(mode="draw", random_state=0).fit_transform(values)[gone, 0]
    assert predicted.std() < drawn.std()
    assert drawn.std() == pytest.approx(np.nanstd(values[:, 0]), rel=0.1)


@pytest.mark.parametrize(
    ("imputer", "said"),
    [
        (KNNImputer(metric="hamming"), "no metric 'hamming'"),
        (KNNImputer(weights="big"), "no weighting 'big'"),
        (KNNImputer(n_neighbors=0), "k is 0"),
        (ChainedImputer(mode="guess"), "no mode 'guess'"),
        (KNNImputer(categorical_features=["z"]), "no feature 'z'"),
    ],
)
def test_mistakes_are_said(imputer: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        imputer.fit(pd.DataFrame(matrix(), columns=list("abcdef")))


def test_chained_draws_of_columns_that_are_missing_together() -> None:
    rng = np.random.default_rng(2)
    a = rng.normal(50, 10, 1500)
    x = np.stack([a, a + rng.normal(0, 3, 1500)], axis=1)
    gone = rng.random(1500) < 0.3
    found = ChainedImputer(mode="draw", random_state=0).fit_transform(np.where(gone[:, None], np.nan, x))
    assert np.corrcoef(found[gone].T)[0, 1] == pytest.approx(np.corrcoef(x.T)[0, 1], abs=0.02)
    assert abs(found.mean() - x.mean()) < 1


@pytest.mark.parametrize("mode", ["predict", "draw"])
@pytest.mark.parametrize("features", [[0], [True, False], np.array([True, False])])
def test_codes_of_categories_may_be_any_numbers(mode: str, features: Any) -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=400)
    x = np.stack([np.where(y > 0, 0.5, -1.5), y], axis=1)
    x[::4, 0] = np.nan
    found = ChainedImputer(mode=mode, categorical_features=features).fit_transform(x)
    assert set(found[:, 0]) == {0.5, -1.5}
    assert np.mean(found[::4, 0] == np.where(y > 0, 0.5, -1.5)[::4]) > 0.9
    assert np.array_equal(found[:, 1], y)


@pytest.mark.parametrize("features", [[True], [2], ["x"]])
def test_features_that_are_none_are_refused(features: Any) -> None:
    for one in (ChainedImputer, KNNImputer):
        with pytest.raises(ValueError, match="categorical_features"):
            one(categorical_features=features).fit(np.ones((4, 2)))


def frame(rows: int = 300) -> pd.DataFrame:
    """Columns of all kinds that predict each other, a fifth of each missing, and one that is empty."""
    rng = np.random.default_rng(5)
    z = rng.normal(size=rows)
    days = pd.to_timedelta((z * 100).astype(int), unit="D")
    found = pd.DataFrame(
        {
            "number": z + rng.normal(size=rows) / 10,
            "whole": np.round(z * 3),
            "text": np.where(z > 0, "high", "low"),
            "level": pd.Categorical(np.where(z > 0.5, "a", "b")),
            "truth": pd.array(z > 0, dtype="boolean"),
            "day": pd.to_datetime("2020-01-01") + days,
            "nothing": np.nan,
        },
        index=[f"r{place}" for place in range(rows)],
    )
    for name in found.columns:
        found.loc[rng.random(rows) < 0.2, name] = None
    return found


@pytest.mark.parametrize("imputer", ["tree", "norm", "pmm", "mean"])
def test_a_model_is_learnt_once_and_fills_columns_of_all_kinds(imputer: str, tmp_path: Path) -> None:
    """What was fitted, pickled, or saved and loaded gives new rows the same values, in frames of either package."""
    known, new = frame()[:240], frame()[240:]
    model = ModelImputer(imputer=imputer, n_draws=2, random_state=1).fit(known)
    filled = model.transform(new)
    assert list(filled.columns) == list(model.get_feature_names_out()) == list(new.columns[:-1])
    assert list(filled.index) == list(new.index)
    assert not filled.isna().to_numpy().any()
    for name in filled.columns:
        assert (filled[name] == new[name])[new[name].notna()].all()
        assert filled[name].dtype == new[name].dtype
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(model)).transform(new), filled)
    model.model_.save(tmp_path / "a.model")
    loaded = imputedb.load_model(tmp_path / "a.model")
    named = new.set_axis([f"c{place}" for place in range(new.shape[1])], axis=1)
    for draw, one in ((None, filled), *enumerate(model.transform_draws(new))):
        again = loaded.apply(named, draw=draw)
        assert all((again[f"c{place}"] == one[name]).all() for place, name in enumerate(one.columns))
    one, other = model.transform_draws(new)
    assert one.equals(other) == (imputer == "mean")
    error = np.mean((filled["number"] - filled["whole"] / 3)[new["number"].isna()] ** 2)
    assert error < (1.5 if imputer == "mean" else 0.3)


def test_a_mode_that_is_changed_after_fit_is_checked_where_it_is_read() -> None:
    model = ModelImputer(imputer="mean", n_draws=1).fit(matrix(60, 3))
    with pytest.raises(ValueError, match="no mode 'guess'"):
        model.set_params(mode="guess").transform(matrix(5, 3))


def test_a_pickled_model_holds_no_rows() -> None:
    """Of functions nothing but extremes and bins of columns, of donors their values, and no row of several columns."""
    values = matrix(400, 5)
    model = ModelImputer(imputer="norm", n_draws=1).fit(values)
    content = pickle.dumps(model)
    held = [np.float64(one).tobytes() in content for one in values[~np.isnan(values)]]
    assert np.mean(held) < 0.1
    assert len(pickle.dumps(ModelImputer(imputer="norm", n_draws=1).fit(matrix(1600, 5)))) < 2 * len(content)
    donors = pickle.dumps(ModelImputer(imputer="pmm", n_draws=1).fit(values))
    assert not any(row.tobytes() in donors for row in values[~np.isnan(values).any(axis=1)])


@pytest.mark.parametrize(
    ("imputer", "said"),
    [
        (ModelImputer(imputer="knn"), "no functions"),
        (ModelImputer(imputer="none"), "no imputer"),
        (ModelImputer(mode="mean"), "no mode"),
        (ModelImputer(n_draws=0), "draws"),
    ],
)
def test_models_that_are_none_are_refused(imputer: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        imputer.fit(matrix(60, 3))


def test_new_rows_of_another_kind_are_refused() -> None:
    model = ModelImputer(imputer="mean", n_draws=1).fit(frame()[:100])
    with pytest.raises(ValueError, match="not a value of"):
        model.transform(frame()[100:].assign(number="high"))
    with pytest.raises(ValueError, match="feature names"):
        model.transform(frame().rename(columns={"number": "n"}))
