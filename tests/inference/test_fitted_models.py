"""Fits of many kinds of models, pooled: terms of several equations, survival, groups, and what is left out."""

from pathlib import Path

import numpy as np
import pytest

import imputedb
from imputedb.completion.completed import Completed
from imputedb.errors import DataError, QueryError
from imputedb.inference.hypotheses import d3
from imputedb.inference.pooling import pool


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Completed:
    """Four completed data sets with outcomes of every kind; z stays incomplete."""
    rng = np.random.default_rng(2)
    n = 240
    x, z = rng.normal(size=(2, n))
    g = np.arange(n) // 8
    y = 1 + x + rng.normal(size=n // 8)[g] + rng.normal(size=n)
    kind = np.array(["a", "b", "c"])[np.digitize(x + rng.logistic(size=n), [-1, 1])]
    gone = rng.random((2, n)) < 0.2
    columns = {
        "id": np.arange(n), "x": np.ma.masked_array(x, gone[0]), "z": np.ma.masked_array(z, gone[1]), "y": y, "g": g,
        "yes": (x + rng.logistic(size=n) > 0).astype(np.int64), "many": rng.poisson(np.exp(0.3 * x + 1)),
        "time": rng.exponential(np.exp(-0.5 * x)), "seen": (rng.random(n) < 0.7).astype(np.int64), "kind": kind,
        "rank": np.searchsorted(["a", "b", "c"], kind),
    }  # fmt: skip
    columns["spread"] = rng.negative_binomial(1.5, 1.5 / (1.5 + np.exp(0.3 * x + 1)))
    with imputedb.connect() as db:
        db.register("t", columns)
        folder: Path = tmp_path_factory.mktemp("models")
        return db.impute("t", folder, m=4, imputer="norm", columns=["x"])


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("formula", "wishes", "term", "low", "high"),
    [
        ("y ~ x", {}, "x", 0.6, 1.4),
        ("yes ~ x", {"model": "logit"}, "x", 0.5, 2),
        ("many ~ x", {"model": "poisson"}, "x", 0.15, 0.45),
        ("spread ~ x", {"model": "negativebinomial"}, "x", 0.05, 0.6),
        ("time ~ x", {"model": "phreg", "status": "seen"}, "x", 0.2, 0.8),
        ("y ~ x", {"model": "mixedlm", "groups": "g"}, "x", 0.7, 1.3),
        ("y ~ x", {"model": "gee", "groups": "g"}, "x", 0.7, 1.3),
        ("yes ~ x", {"model": "gee", "groups": "g", "family": "binomial"}, "x", 0.5, 2),
        ("kind ~ x", {"model": "mnlogit"}, "c:x", 0.8, 3),
        ("rank ~ 0 + x", {"model": "ordered"}, "x", 0.5, 2),
        ("y ~ x", {"model": "quantreg", "q": 0.25}, "x", 0.5, 1.5),
    ],
)
def test_models(run: Completed, formula: str, wishes: dict[str, object], term: str, low: float, high: float) -> None:
    one = run.analyze(formula, **wishes)[term]  # type: ignore[arg-type]
    assert low < one.estimate < high
    assert one.m == 4
    assert 0 < one.se < 1


def test_a_fit_at_the_edge_of_its_parameters_is_told() -> None:
    """Counts that spread less than Poisson's have no dispersion to estimate, and the fit no covariance."""

    class Fit:
        params = (1.0, 0.0)

        def cov_params(self) -> object:
            raise ValueError("need covariance of parameters for computing (unnormalized) covariances")

    with pytest.raises(DataError, match=r"the fit of draw 1 has no covariance .* another model"):
        pool([Fit(), Fit()])


def test_a_cox_models_degrees_of_freedom_are_of_events(run: Completed) -> None:
    one = run.analyze("time ~ x", "phreg", status="seen")["x"]
    assert one.df_complete == run.frame(1)["seen"].sum() - 1


def test_equations_of_several_levels_stay_apart(run: Completed) -> None:
    sm = pytest.importorskip("statsmodels.api")
    fits = [sm.MNLogit(frame["kind"], sm.add_constant(frame[["x"]])).fit(disp=0) for frame in run]
    found = pool(fits)
    assert list(found) == ["b:const", "b:x", "c:const", "c:x"]
    expected = np.mean([fit.params.iloc[1, 1] for fit in fits])
    assert found["c:x"].estimate == pytest.approx(expected)
    assert found["c:x"].within == pytest.approx(np.mean([fit.bse.iloc[1, 1] ** 2 for fit in fits]))
    assert found.test(["b:x", "c:x"]).p_value < 0.01


def test_tidy_tables_of_several_equations() -> None:
    def table(shift: float, **more: list[str]) -> dict[str, list[object]]:
        rows = {"term": ["x", "z", "x", "z"], "estimate": [1 + shift, 2, 30 + shift, 40], "std.error": [1, 1, 2, 2]}
        return {**rows, **more}  # type: ignore[dict-item]

    levels = {"y.level": ["b", "b", "c", "c"]}
    found = pool([table(0, **levels), table(1, **levels)])
    assert {term: found[term].estimate for term in found} == {"b:x": 1.5, "b:z": 2, "c:x": 30.5, "c:z": 40}
    with pytest.raises(DataError, match="term x is there twice in draw 1"):
        pool([table(0), table(1)])
    with pytest.raises(DataError, match="standard error in row 1 is -1"):
        pool({"term": ["x", "x"], "estimate": [1, 2], "std.error": [-1, 1]})


def test_a_test_of_few_draws_that_agree_is_no_division_by_zero() -> None:
    covariance = np.eye(2)
    for m in (2, 3, 5):
        found = pool([[1.0, 2.0]] * m, [covariance] * m, terms=["a", "b"], df_complete=30).test(["a", "b"])
        assert np.isfinite(found.statistic)
        assert 0 < found.p_value < 1
    assert pool([[1.0], [1.0], [1.0], [1.0], [1.0]], [[[1.0]]] * 5, terms=["a"], df_complete=30).test(["a"]).riv == 0


def test_d3_never_has_less_than_nothing_missing() -> None:
    found = d3([4.0, 5.0], [5.0, 6.0], 2)
    assert found.riv == 0
    assert found.warning is not None


def test_rows_that_are_left_out_are_told(run: Completed) -> None:
    whole, some = run.analyze("y ~ x"), run.analyze("y ~ x + z")
    assert not any("left out" in one for one in whole.notes)
    (note,) = [one for one in some.notes if "left out" in one]
    gone = int(run.frame(1)["z"].isna().sum())
    assert note.startswith(f"{gone} of 240 rows were left out: z")
    assert note in str(some)


@pytest.mark.parametrize(
    ("formula", "wishes"),
    [
        ("y ~ log(x)", {}),
        ("y ~ np.sqrt(x)", {}),
        ("y ~ I(x ** 0.5)", {}),
        ("log(y) ~ x", {}),
        ("many ~ log(x)", {"model": "poisson"}),
        ("time ~ sqrt(x)", {"model": "phreg", "status": "seen"}),
        ("y ~ log(x)", {"model": "gee", "groups": "g"}),
        ("y ~ log(x)", {"clusters": "g"}),
    ],
)
def test_a_formula_that_is_no_number_in_some_rows_is_refused(
    run: Completed, formula: str, wishes: dict[str, object]
) -> None:
    with pytest.raises(QueryError, match=r"is not a number in \d+ of 240 rows"):
        run.analyze(formula, **wishes)  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="is not a number in"):
        run.analyze(formula.replace("x", "z").replace("log(y)", "log(y + z)"), **wishes)  # type: ignore[arg-type]


def test_what_a_model_needs_is_asked_for(run: Completed) -> None:
    for wishes, said in (
        ({"model": "phreg"}, "status"),
        ({"model": "mixedlm"}, "groups"),
        ({"model": "ols", "groups": "g"}, "groups"),
        ({"model": "gee", "groups": "nobody"}, "no column 'nobody'"),
        ({"model": "quantreg", "q": 2}, "quantile"),
        ({"model": "sorcery"}, "no model"),
    ):
        with pytest.raises(QueryError, match=said):
            run.analyze("y ~ x", **wishes)  # type: ignore[arg-type]
