"""Pooling without R: the textbook, the edges, and what may be given to `pool`."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import imputedb
from imputedb.errors import DataError, QueryError, UnknownName
from imputedb.inference.hypotheses import d1
from imputedb.inference.number_of_draws import enough
from imputedb.inference.rubin import monte_carlo_errors, pooled
from imputedb.inference.scale import FISHER, LOG, LOGIT, pooled_on

Q, U = [1.20, 1.45, 1.10, 1.33, 1.52], [0.040, 0.038, 0.045, 0.041, 0.043]


def test_the_textbook() -> None:
    one = pooled(Q, U)
    assert one.estimate == pytest.approx(1.32)
    assert one.total == pytest.approx(0.07734)
    assert one.df == pytest.approx(18.5230364463867)
    assert one.fmi == pytest.approx(0.514443248386867)
    assert pooled(Q, U, 22).df == pytest.approx(6.83596866302192)
    assert pooled(Q, U, 22, df="rubin1987").df == one.df
    assert math.isinf(pooled(Q, U, 22, df="normal").df)


def test_draws_that_agree_have_no_missing_information() -> None:
    one = pooled([3.5] * 5, [0.04] * 5)
    assert (one.lambda_, one.fmi, one.fmi_large_sample, one.riv, one.df) == (0, 0, 0, 0, math.inf)
    exact = pooled([0.1] * 3, [0.0] * 3, 10)
    assert exact.interval() == (0.1, 0.1)
    assert exact.lambda_ == 0


def test_one_draw_has_no_interval_and_says_why() -> None:
    one = pooled([2.0], [1.0])
    assert all(math.isnan(end) for end in one.interval())
    assert one.reason is not None
    assert "m = 1" in one.reason
    assert math.isnan(one.p_value)


def test_no_variance_within_is_undefined_and_says_why() -> None:
    one = pooled([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], 20)
    assert (one.lambda_, one.riv, one.df) == (1, math.inf, 0)
    assert math.isnan(one.fmi)
    assert one.reason is not None
    assert "FMI is undefined" in one.reason
    assert one.interval() == (-math.inf, math.inf)
    assert pooled([1.0, 2.0, 3.0], [0.0, 0.0, 0.0]).df == 2


@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0, 1e6)), min_size=2, max_size=8),
    st.one_of(st.just(math.inf), st.floats(0.5, 1e5)),
    st.randoms(),
)
def test_laws(draws: list[tuple[float, float]], complete: float, random: object) -> None:
    """Order-free; the interval never excludes its estimate; more variance than within; df never above complete."""
    q, u = zip(*draws, strict=True)
    one = pooled(q, u, complete)
    shuffled = draws.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    again = pooled(*zip(*shuffled, strict=True), complete)
    assert one.estimate == pytest.approx(again.estimate, rel=1e-9, abs=1e-6)
    assert one.total == pytest.approx(again.total, rel=1e-9, abs=1e-9)
    low, high = one.interval()
    assert low <= one.estimate <= high
    assert one.total >= one.within
    assert 0 <= one.lambda_ <= 1
    assert one.df <= complete or math.isinf(complete)
    assert math.isnan(one.fmi) or 0 <= one.fmi <= 1


@given(st.floats(0.01, 0.99), st.floats(1e-6, 0.5))
def test_scales_come_back(p: float, spread: float) -> None:
    for scale in (LOGIT, FISHER, LOG):
        on = pooled_on(scale, [p, p * 0.9], [spread, spread])
        low, high = on.interval()
        assert low <= on.estimate <= high
        assert scale.back(scale.there(p)) == pytest.approx(p)


def test_what_a_scale_cannot_hold_is_refused() -> None:
    with pytest.raises(DataError, match="draw 2 is 1"):
        pooled_on(LOGIT, [0.5, 1.0], [0.1, 0.1])


def test_mistakes_are_named() -> None:
    with pytest.raises(DataError, match="draw 2 is nan"):
        pooled([1.0, math.nan], [1.0, 1.0])
    with pytest.raises(DataError, match="variance of draw 1 is -1"):
        pooled([1.0], [-1.0])
    with pytest.raises(QueryError, match="barnard-rubin, rubin1987, normal"):
        pooled(Q, U, df="bernard")
    with pytest.raises(DataError, match="pooled test needs two"):
        d1(imputedb.pool([[1.0, 2.0]], [np.eye(2)]).parameters)  # type: ignore[arg-type]


def test_how_many_at_the_edges() -> None:
    assert enough(0.5, 20).m == 86
    assert enough([0.1, 0.3], 20).m == 41
    assert enough(0.0, 20).m == 20
    assert enough(1.0, 20).m == 201
    assert enough(math.nan, 20).reason is not None


def test_monte_carlo_errors_shrink_with_draws() -> None:
    few, many = (monte_carlo_errors(Q * times, U * times) for times in (1, 20))
    assert all(many[name] < few[name] for name in few)


# -- what may be given ------------------------------------------------------------------------------------------------


def test_pairs_lists_tables_and_frames_agree() -> None:
    import pandas as pd

    pairs = imputedb.pool(list(zip(Q, U, strict=True)), df_complete=22)
    lists = imputedb.pool(Q, U, df_complete=22)
    tidy = {"term": ["x"] * 5, "estimate": Q, "std.error": np.sqrt(U)}
    one_table = imputedb.pool(tidy, df_complete=22)
    frame = imputedb.pool(pd.DataFrame(tidy), df_complete=22)
    each = imputedb.pool(
        [{"term": ["x"], "estimate": [q], "variance": [u]} for q, u in zip(Q, U, strict=True)], df_complete=22
    )
    for found in (pairs["estimate"], lists["estimate"], one_table["x"], frame["x"], each["x"]):
        assert found.df == pytest.approx(6.83596866302192)
    assert lists.df()["estimate"].iloc[0] == pytest.approx(1.32)
    assert "1.32" in str(lists)


def test_statsmodels_and_scikit_learn_agree() -> None:
    import statsmodels.formula.api as smf
    from pandas import DataFrame
    from sklearn.linear_model import LinearRegression

    rng = np.random.default_rng(0)
    frames = [DataFrame({"x": x, "y": 2 * x + rng.normal(size=40)}) for x in rng.normal(size=(5, 40))]
    fits = [smf.ols("y ~ x", frame).fit() for frame in frames]
    ours = imputedb.pool(fits)
    assert ours["x"].df_complete == 38
    assert abs(ours["x"].estimate - 2) < 0.5
    lines = [LinearRegression().fit(frame[["x"]], frame["y"]) for frame in frames]
    theirs = imputedb.pool(lines, [fit.cov_params() for fit in fits], df_complete=38)
    assert theirs["x"].p_value == pytest.approx(ours["x"].p_value)
    assert ours.test(["x"]).statistic == pytest.approx(ours["x"].statistic ** 2)
    robust = imputedb.pool([smf.ols("y ~ x", frame).fit(cov_type="HC3") for frame in frames])
    assert math.isinf(robust["x"].df_complete)


def test_pool_names_what_is_wrong() -> None:
    with pytest.raises(DataError, match="nothing to pool"):
        imputedb.pool([])
    with pytest.raises(DataError, match="call it 'std"):
        imputedb.pool({"term": ["x"], "estimate": [1.0]})
    with pytest.raises(DataError, match="different numbers of draws"):
        imputedb.pool({"term": ["x", "x", "z"], "estimate": [1, 2, 3], "se": [1, 1, 1]})
    with pytest.raises(DataError, match="give \\(estimate, variance\\) a draw"):
        imputedb.pool([1.0, 2.0])
    with pytest.raises(DataError, match="joint test needs"):
        imputedb.pool(Q, U).test(["estimate"])
    with pytest.raises(UnknownName, match="no term 'z'"):
        imputedb.pool(Q, U)["z"]


def test_pooling_imports_no_scipy_before_it_is_asked_for() -> None:
    import subprocess
    import sys

    heavy = "('scipy', 'pandas', 'statsmodels')"
    code = f"import imputedb, sys; imputedb.pool, imputedb.connect; sys.exit(any(n in sys.modules for n in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
