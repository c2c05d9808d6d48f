"""Doubly robust totals and means: known answers, what they withstand, and what can be said without any model."""

import itertools
import math

import numpy as np
import pytest

from imputedb.algebra.column import Column
from imputedb.answers.unimputed.crossfit import FOLDS, CrossFit
from imputedb.answers.unimputed.curves import classification, regression
from imputedb.errors import CannotImpute, DataError, QueryError
from imputedb.imputers.mean import Mean
from imputedb.imputers.random import mixed
from imputedb.imputers.registry import imputers_of
from imputedb.imputers.rows import Cells, Rows
from imputedb.inference import doubly_robust as dr
from imputedb.inference.bounds import RowBounds, limits
from imputedb.statistics.table import Kind

YES = np.ones(4, bool)


def rows(**columns: np.ndarray) -> Rows:
    n = len(next(iter(columns.values())))
    cells = {Column("t", name): Cells(x, np.isnan(x), Kind.NUMBER) for name, x in columns.items()}
    return Rows(cells, mixed(np.arange(n, dtype=np.uint64)))


# -- known answers ----------------------------------------------------------------------------------------------------


def test_weights_and_residuals_by_hand() -> None:
    """Weights (1 - e) / e are 1 and 3, scaled to the two missing rows .5 and 1.5; residuals 1 and 3, their mean 2.5."""
    part = dr.PartlyObserved(
        np.array([3.0, 7.0, np.nan, np.nan]),
        np.array([True, True, False, False]),
        np.array([2.0, 4.0, 5.0, 1.0]),
        np.array([0.5, 0.25, 0.5, 0.5]),
    )
    found = dr.corrected(part)
    assert found.scores == pytest.approx([3 + 0.5 * (1 - 2.5), 7 + 1.5 * (3 - 2.5), 7.5, 3.5])
    assert found.total == pytest.approx(3 + 7 + (5 + 2.5) + (1 + 2.5))
    assert found.df == pytest.approx(1 / (0.25**2 + 0.75**2) - 1)
    cautious = np.array([1.5 / 0.75, 0.5 / 0.25]) ** 2
    plain = 0.5 * 1.5 * 1.5**2 + 1.5 * 2.5 * 0.5**2
    variances = np.array([0.5 * 1.5, 1.5 * 2.5])
    assert found.error == pytest.approx(max(variances @ cautious, (0.25 * cautious[0] + 0.75 * cautious[1]) * 4.5))
    assert found.spare == pytest.approx(found.error - plain)


def test_weights_that_sum_up_give_the_textbook_form() -> None:
    """psi = f + R (z - f) / e, its mean and its error, where the weights happen to sum to the missing rows."""
    rng = np.random.default_rng(1)
    n = 40
    observed = np.arange(n) % 2 == 0
    z, f, e = rng.normal(size=n), rng.normal(size=n), np.full(n, 0.5)
    found = dr.corrected(dr.PartlyObserved(z, observed, f, e))
    assert found.total == pytest.approx(float((f + observed * (z - f) / e).sum()))


def test_nothing_missing_is_the_plain_answer() -> None:
    z = np.array([1.0, 2.0, 4.0, 9.0])
    mean, total = dr.average(dr.known(z), dr.known(np.ones(4))), dr.total(dr.known(z))
    assert (mean.estimate, mean.variance) == (4.0, pytest.approx(z.var(ddof=1) / 4))
    assert (total.estimate, total.variance, total.df) == (16.0, pytest.approx(4 * z.var(ddof=1)), pytest.approx(3))
    assert mean.fmi == 0.0
    assert mean.interval().high - 4 == pytest.approx(3.182446305284263 * mean.se)
    exact = dr.average(dr.known(z), dr.known(np.ones(4)), "answer")
    assert (exact.variance, exact.interval()) == (0.0, (4.0, 4.0))


def test_a_group_without_missing_values_is_not_touched() -> None:
    z = np.array([1.0, 3.0, np.nan, 8.0])
    part = dr.PartlyObserved(z, ~np.isnan(z), np.full(4, 7.0), np.full(4, 0.5))
    group = np.array([True, True, False, False])
    found = dr.average(part.within(group), dr.known(group.astype(float)), "answer")
    assert (found.estimate, found.variance) == (2.0, 0.0)


def test_a_groups_mean_is_that_of_its_rows_alone() -> None:
    rng = np.random.default_rng(2)
    z, group = rng.normal(size=200), np.arange(200) % 2 == 0
    part = dr.PartlyObserved(z, rng.random(200) < 0.6, rng.normal(size=200), rng.uniform(0.4, 0.8, 200))
    alone = dr.PartlyObserved(z[group], part.observed[group], part.expected[group], part.chance[group])
    for about in ("answer", "population"):
        whole = dr.average(part.within(group), dr.known(group.astype(float)), about)
        own = dr.average(alone, dr.known(np.ones(100)), about)
        assert (whole.estimate, whole.variance) == (pytest.approx(own.estimate), pytest.approx(own.variance))


def test_a_proportion_stays_inside_its_range() -> None:
    z = np.array([0.0] * 40 + [1.0])
    found = dr.average(dr.known(z), dr.known(np.ones(41)))
    low, high = found.interval()
    assert 0 < low < found.estimate < high < 1
    none = dr.average(dr.known(np.zeros(5)), dr.known(np.ones(5)))
    assert none.interval() == (0, 0)


def test_what_cannot_be_said_says_why() -> None:
    gone = dr.PartlyObserved(np.full(4, np.nan), ~YES, np.arange(4.0), np.full(4, 0.5))
    alone = dr.average(gone, dr.known(np.ones(4)))
    assert alone.estimate == 1.5
    assert "imputer alone" in str(alone.reason)
    assert all(math.isnan(end) for end in alone.interval())
    one = dr.PartlyObserved(np.array([1.0, np.nan, np.nan, np.nan]), np.arange(4) == 0, np.zeros(4), np.full(4, 0.5))
    assert "one observed row" in str(dr.average(one, dr.known(np.ones(4)), "answer").reason)
    assert math.isnan(dr.average(gone, dr.known(np.zeros(4))).estimate)
    with pytest.raises(QueryError, match="no interval 'truth'"):
        dr.total(gone, "truth")  # type: ignore[arg-type]


# -- models that have not seen the row --------------------------------------------------------------------------------


def test_a_fold_is_judged_by_the_others() -> None:
    x = np.random.default_rng(3).normal(size=300)
    z = 2 * x
    fit = CrossFit(rows(x=x), None)
    before = fit.part(z, x < 1)
    changed = fit.folds == 2
    after = fit.part(np.where(changed, z + 100, z), x < 1)
    assert after.expected[changed & (x < 1)].max() < 50
    assert sorted(set(fit.folds.tolist())) == list(range(FOLDS))
    assert before.chance.max() < 1


def test_the_same_seed_gives_the_same_whatever_the_order_of_rows() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=400), rng.normal(size=400)
    observed = rng.random(400) < 0.6
    one = CrossFit(rows(x=x), imputers_of("tree")[0], 7).part(x + y, observed)
    two = CrossFit(rows(x=x), imputers_of("tree")[0], 7).part(x + y, observed)
    assert np.array_equal(one.expected, two.expected)
    turn = rng.permutation(400)
    keys = mixed(np.arange(400, dtype=np.uint64))[turn]
    cells = {Column("t", "x"): Cells(x[turn], np.zeros(400, bool), Kind.NUMBER)}
    other = CrossFit(Rows(cells, keys), imputers_of("tree")[0], 7).part((x + y)[turn], observed[turn])
    assert other.expected == pytest.approx(one.expected[turn], abs=1e-9)
    assert other.chance == pytest.approx(one.chance[turn], abs=1e-9)


def test_a_copy_that_is_missing_with_the_quantity_predicts_nothing() -> None:
    x, y, observed, _ = _simulated(0)
    plain = CrossFit(rows(x=x), None).part(y, observed)
    with_copy = CrossFit(rows(x=x, copy=np.where(observed, y, np.nan)), None).part(y, observed)
    assert np.array_equal(plain.expected, with_copy.expected)
    assert np.array_equal(plain.chance, with_copy.chance)


def test_separation_and_constants_leave_everything_finite() -> None:
    x = np.linspace(-1, 1, 100)
    part = CrossFit(rows(x=x, dull=np.zeros(100)), Mean()).part(np.full(100, 3.0), x < 0)
    assert np.isfinite(part.chance).all()
    assert (part.expected == 3).all()
    with pytest.raises(CannotImpute, match="no row"):
        CrossFit(rows(x=x), None).part(x, np.zeros(100, bool))


def test_ridge_regressions_find_straight_lines() -> None:
    rng = np.random.default_rng(5)
    x = np.column_stack([np.ones(20_000), rng.normal(size=20_000)])
    assert regression(x, x @ [1.0, 2.0]) == pytest.approx([1, 2], abs=1e-3)
    odds = rng.random(20_000) < 1 / (1 + np.exp(-(x @ [0.5, -1.0])))
    assert classification(x, odds.astype(float)) == pytest.approx([0.5, -1.0], abs=0.06)


class _Constant:
    """Expects what nobody should."""

    name, uses_predictors = "constant", False

    def impute(self, given: Rows, targets: list[Column], *_: object) -> dict[Column, np.ndarray]:
        return {column: np.full(int(given.columns[column].missing.sum()), 99.0) for column in targets}


def _simulated(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=1500)
    y = 1 + x**2 + rng.normal(size=1500)
    chance = 1 / (1 + np.exp(x - 0.5))
    return x, y, rng.random(1500) < chance, chance


def test_either_model_may_be_wrong() -> None:
    """Where f is nonsense the true e rescues the mean, where e is nonsense the true f does; both wrong, nothing."""
    wrong_f, wrong_e, neither = [], [], []
    ones = dr.known(np.ones(1500))
    for seed in range(40):
        x, y, observed, chance = _simulated(seed)
        bad_f, bad_e = np.full(1500, 1.0), np.full(1500, 0.6)
        wrong_f.append(dr.average(dr.PartlyObserved(y, observed, bad_f, chance), ones).estimate - 2)
        wrong_e.append(dr.average(dr.PartlyObserved(y, observed, 1 + x**2, bad_e), ones).estimate - 2)
        neither.append(dr.average(dr.PartlyObserved(y, observed, bad_f + x, bad_e), ones).estimate - 2)
    assert abs(np.mean(wrong_f)) < 0.06
    assert abs(np.mean(wrong_e)) < 0.03
    assert abs(np.mean(neither)) > 0.1


def test_intervals_cover_where_the_imputer_is_wrong() -> None:
    covered = {"answer": 0, "population": 0}
    ones = dr.known(np.ones(1500))
    for seed in range(60):
        x, y, observed, _ = _simulated(seed)
        part = CrossFit(rows(x=x), _Constant(), seed).part(np.where(observed, y, np.nan), observed)  # type: ignore[arg-type]
        for about, truth in (("answer", y.mean()), ("population", 2.0)):
            low, high = dr.average(part, ones, about).interval()  # type: ignore[arg-type]
            covered[about] += low <= truth <= high
    assert min(covered.values()) >= 51


def test_who_belongs_may_be_missing_too() -> None:
    """AVG(y) WHERE a > 0 and COUNT, a missing in some rows: a ratio of two corrected totals."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=4000)
    a, y = x + rng.normal(size=4000), x + rng.normal(size=4000)
    observed = rng.random(4000) < 1 / (1 + np.exp(-1 - x))
    fit, belongs = CrossFit(rows(x=x), None), (a > 0).astype(float)
    members = fit.part(belongs, observed)
    mean = dr.average(fit.part(belongs * y, observed), members, "answer")
    count = dr.total(members, "answer")
    assert abs(mean.estimate - y[a > 0].mean()) < 4 * mean.se < 0.2
    assert abs(count.estimate - belongs.sum()) < 4 * count.se < 200


# -- bounds -----------------------------------------------------------------------------------------------------------


def test_bounds_by_hand() -> None:
    reach = RowBounds(np.array([1.0, 2, -5, 0]), np.array([1.0, 4, 5, 10]), np.array([1, 1, 0, 0], bool), ~YES)
    assert (reach.total(), reach.count(), reach.average()) == ((3, 5), (2, 2), (1.5, 2.5))
    reach = RowBounds(reach.low, reach.high, reach.certain, ~reach.certain)
    assert (reach.total(), reach.count()) == ((3 - 5, 5 + 15), (2, 4))
    assert reach.average() == (pytest.approx(-2 / 3), pytest.approx((1 + 4 + 5 + 10) / 4))
    assert (reach.least(), reach.largest()) == ((-5, 1), (2, 10))


@pytest.mark.parametrize("seed", range(20))
def test_bounds_are_those_of_every_way_to_fill_in(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.integers(-3, 3, 6).astype(float)
    high = low + rng.integers(0, 3, 6)
    certain = rng.random(6) < 0.4
    possible = ~certain & (rng.random(6) < 0.6)
    reach = RowBounds(low, high, certain, possible)
    found: dict[str, list[float]] = {"total": [], "average": [], "least": [], "largest": [], "count": []}
    for joined in itertools.product(*[(False, True) if p else (c,) for c, p in zip(certain, possible, strict=True)]):
        for cells in itertools.product(*zip(low, high, strict=True)):
            chosen_ones = np.array(cells)[list(joined)]
            found["total"].append(chosen_ones.sum())
            found["count"].append(len(chosen_ones))
            if len(chosen_ones):
                found["average"].append(chosen_ones.mean())
                found["least"].append(chosen_ones.min())
                found["largest"].append(chosen_ones.max())
    for name, values in found.items():
        if values:
            assert getattr(reach, name)() == pytest.approx((min(values), max(values)))


def test_limits_of_a_column() -> None:
    seen = np.array([1.0, 2.0, 6.0])
    assert limits(seen) == (1, 6)
    assert limits(seen, low=0) == (0, 6)
    assert limits(seen, 2) == pytest.approx((3 - 2 * seen.std(ddof=1), 3 + 2 * seen.std(ddof=1)))
    assert limits(seen[:0], low=0, high=1) == (0, 1)
    with pytest.raises(DataError, match="RANGE"):
        limits(seen[:0])
    with pytest.raises(DataError, match="not negative"):
        limits(seen, -1)
