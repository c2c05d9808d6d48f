"""Models of one column against numbers that R gave, and against arithmetic by hand."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imputedb.algebra.column import Column
from imputedb.imputers.chained import logistic, multinomial, ordered
from imputedb.imputers.chained.augmentation import augmented
from imputedb.imputers.chained.column_model import Observed, Randomness
from imputedb.imputers.chained.design import design
from imputedb.imputers.chained.pmm import Pmm, Quantified, nearest, quantified
from imputedb.imputers.chained.regression import of_rows
from imputedb.imputers.chained.shift import Shift
from imputedb.imputers.rows import Cells, Rows
from imputedb.statistics.table import Kind

Matrix = np.ndarray[Any, np.dtype[np.float64]]


@pytest.fixture(scope="module")
def kernels(reference: Path) -> dict[str, Any]:
    path = reference / "imputation_kernels.json"
    if not path.exists():
        pytest.skip("imputation_kernels.json is not among the reference values")
    return json.loads(path.read_text())["kernels"]  # type: ignore[no-any-return]


def column(path: Path, name: str) -> list[str]:
    return [row[name] for row in csv.DictReader(path.open())]


def numbers(path: Path, *names: str) -> Matrix:
    return np.array([[np.nan if v == "NA" else float(v) for v in column(path, name)] for name in names]).T


def with_ones(x: Matrix) -> Matrix:
    return np.column_stack([np.ones(len(x)), x])


def standardised(x: Matrix) -> Matrix:
    return with_ones((x - x.mean(axis=0)) / x.std(axis=0))


def test_bayesian_regression(kernels: dict[str, Any], reference: Path) -> None:
    wanted = kernels["norm"]
    table = numbers(reference / "data" / "boys.csv", "age", "hgt", "wgt", "tv")
    table = table[~np.isnan(table).any(axis=1)]
    found = of_rows(with_ones(table[:, :3]), table[:, 3])
    assert found.beta == pytest.approx(wanted["coef"], rel=1e-9)
    assert found.rss == pytest.approx(wanted["rss"], rel=1e-9)
    assert found.df == wanted["df"]
    assert found.root @ found.root.T == pytest.approx(np.array(wanted["V"]), rel=1e-8)
    generator = np.random.default_rng(0)
    draws = [found.drawn(generator) for _ in range(20_000)]
    variances = np.array([sigma**2 for _, sigma in draws])
    assert abs(variances.mean() - wanted["analytic"]["E_sigma2"]) < 4 * variances.std() / np.sqrt(len(draws))
    spread = np.cov(np.array([beta for beta, _ in draws]).T)
    assert spread == pytest.approx(np.array(wanted["analytic"]["Cov_beta"]), rel=0.06)


def test_collinear_predictors_and_few_rows_are_said() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 2))
    y = x @ [1.0, 2.0] + rng.normal(size=40)
    plain, twice = of_rows(with_ones(x), y), of_rows(with_ones(np.column_stack([x, x[:, 0]])), y)
    assert plain.note is None
    assert twice.note is not None
    assert "1 predictors are combinations" in twice.note
    unknown = rng.normal(size=(5, 2))
    again = with_ones(np.column_stack([unknown, unknown[:, 0]])) @ twice.beta
    assert again == pytest.approx(with_ones(unknown) @ plain.beta)
    few = of_rows(with_ones(x[:3]), y[:3])
    assert few.note is not None
    assert few.beta == pytest.approx([y[:3].mean(), 0, 0])


def test_augmentation_and_logistic_regression(kernels: dict[str, Any]) -> None:
    for name, one in (("augment_separated", "y"), ("logreg_nhanes_hyp", "2")):
        wanted = kernels[name]
        everyone = with_ones(np.array(wanted["x"], float))
        seen = [place for place, value in enumerate(wanted["y"]) if value is not None]
        codes = np.array([wanted["y"][place] == one for place in seen], float)
        data = augmented(everyone[seen], codes, 2, everyone)
        added = np.array(wanted["aug_x"], float)[-(len(data.codes) - len(seen)) :]
        order = [np.lexsort(rows.round(9).T) for rows in (data.features[len(seen) :, 1:], added)]
        assert data.features[len(seen) :, 1:][order[0]] == pytest.approx(added[order[1]])
        assert data.weights[len(seen) :].sum() == pytest.approx(everyone.shape[1])
        (beta,), root = multinomial.fitted(*data, 2)
        assert beta == pytest.approx(wanted["coef"], rel=1e-8)
        # R's glm reports the covariance of its last step but one
        assert root @ root.T == pytest.approx(np.array(wanted["cov_unscaled"]), rel=2e-3)
        gone = [place for place in range(len(everyone)) if place not in seen]
        chances = wanted.get("p_missing") or wanted["p_at_coef_missing"]
        assert logistic.logistic(everyone[gone] @ beta) == pytest.approx(chances, rel=1e-8)


def test_ordered_regression(kernels: dict[str, Any], reference: Path) -> None:
    """R's polr stops at 1e-8 of the deviance: ours is never worse, and equal to 1e-3 in probabilities."""
    path = reference / "data" / "boys_completed_for_kernels.csv"
    x = standardised(numbers(path, "age", "hgt"))
    gen = column(path, "gen")
    seen = [place for place, value in enumerate(gen) if value != "NA"]
    codes = np.array([int(gen[place][1]) - 1 for place in seen], float)
    for name, data in (
        ("polr_boys_gen", augmented(x[seen], codes, 5, x)),
        ("polr_boys_gen_noaug", (x[seen], codes, np.ones(len(seen)))),
    ):
        wanted = kernels[name]
        theta, root = ordered.fitted(*data, 5)
        deviance = -2 * ordered._loglik(*data, theta, 4)
        assert deviance <= wanted["deviance"] + 1e-6
        assert deviance == pytest.approx(wanted["deviance"], rel=1e-6)
        slopes = theta[4:] / numbers(path, "age", "hgt").std(axis=0)
        assert slopes == pytest.approx(wanted["coef"], rel=1e-3)
        variance = (root @ root.T)[4, 4] / numbers(path, "age").std() ** 2
        assert variance == pytest.approx(wanted["vcov"][0][0], rel=1e-2)
    chances = kernels["polr_boys_gen"]["probs_first10_missing"]
    rows = np.array(kernels["polr_boys_gen"]["row_index_first10_missing"]) - 1
    theta, _ = ordered.fitted(*augmented(x[seen], codes, 5, x), 5)
    assert ordered.chances(x[rows], theta, 4) == pytest.approx(np.array(chances), abs=1e-6)


def test_ordered_regression_of_rows_far_from_their_class() -> None:
    """Chances below what a difference of near-equal numbers can tell: the information stays positive definite."""
    rng = np.random.default_rng(0)
    x = with_ones(rng.normal(size=(300, 3)))
    codes, weights = np.clip(np.rint(x[:, 1] + rng.normal(size=300) + 1), 0, 3), np.ones(300)
    for slope in (0.3, 30.0):
        theta = np.array([-1, 0.5, 2, slope, 0.2, -0.1])
        _, information = ordered._derivatives(x, codes, weights, theta, 3)
        steps = [
            (ordered._derivatives(x, codes, weights, theta + 1e-5 * e, 3)[0]
             - ordered._derivatives(x, codes, weights, theta - 1e-5 * e, 3)[0]) / 2e-5
            for e in np.eye(6)
        ]  # fmt: skip
        assert np.array(steps) == pytest.approx(-information, abs=1e-7 * np.abs(information).max())
        assert np.linalg.eigvalsh(information).min() > 0


def test_multinomial_regression(kernels: dict[str, Any], reference: Path) -> None:
    wanted = kernels["polyreg_boys_reg"]
    path = reference / "data" / "boys_completed_for_kernels.csv"
    x, reg = standardised(numbers(path, "age", "hgt")), column(path, "reg")
    seen = [place for place, value in enumerate(reg) if value != "NA"]
    codes = np.array([wanted["levels"].index(reg[place]) for place in seen], float)
    data = augmented(x[seen], codes, 5, x)
    beta, _ = multinomial.fitted(*data, 5)
    likely = multinomial.chances(data.features, beta)[np.arange(len(data.codes)), data.codes.astype(int)]
    assert -2 * data.weights @ np.log(likely) == pytest.approx(wanted["deviance"], rel=1e-9)
    rows = np.array(wanted["row_index_missing"]) - 1
    assert multinomial.chances(x[rows], beta) == pytest.approx(np.array(wanted["probs_missing"]), rel=1e-6)
    quantity = kernels["pmm_quantify_boys_reg"]["quantification_by_level"]
    scores = quantified(codes, 5, x[seen])
    found = [scores[codes == place][0] for place in range(5)]
    sign = np.sign(found[0] * quantity["north"])
    assert np.array(found) * sign == pytest.approx([quantity[level] for level in wanted["levels"]], rel=1e-8)


def test_donors(kernels: dict[str, Any]) -> None:
    wanted = kernels["pmm_donor_sets"]
    observed, unknown = np.array(wanted["yhat_obs"]), np.array(wanted["yhat_mis"])
    for donors, sets in wanted["donor_index_1based"].items():
        found = nearest(observed, unknown, int(donors), np.zeros(len(observed))) + 1
        if donors == "1":
            # 3.0 is as far from 2.9 as from 3.1
            assert [found[place, 0] for place in (0, 1, 3, 4)] == [sets[0][place] for place in (0, 1, 3, 4)]
        else:
            assert [sorted(one.tolist()) for one in found] == sets


def test_ties_are_broken_by_a_hash() -> None:
    ties = np.array([0.9, 0.1, 0.5, 0.2])
    assert set(nearest(np.zeros(4), np.zeros(1), 2, ties)[0].tolist()) == {1, 3}


def test_departures_are_those_of_narfcs(kernels: dict[str, Any]) -> None:
    """Shifts and scales of values, standardised and back, against R's (Tompsett et al. 2018): equal to 1e-12."""
    wanted = kernels["delta_adjustment"]
    mar = np.array(wanted["mar_norm"])
    y, rows = Column("t", "y"), np.arange(50, dtype=np.uint64)
    cells = Cells(np.random.default_rng(0).normal(0.7, 1.9, 50), np.zeros(50, bool), Kind.NUMBER)
    made = design({y: cells})
    centre, scale = made.parts[y].centre, made.parts[y].scale
    for key, shift in (
        ("mnar_minus1.5", Shift(add=-1.5)),
        ("post_scale0.9_shift_minus0.25", Shift(add=-0.25, times=0.9)),
    ):
        delta = shift.delta(y, Rows({y: cells}, rows), made)
        moved = (delta.scale * (mar - centre) / scale + delta.shift[0]) * scale + centre
        assert moved == pytest.approx(np.array(wanted[key]), rel=1e-12)


def test_predictive_mean_matching_of_a_real_column(kernels: dict[str, Any], reference: Path) -> None:
    """Mean and deviation of imputed testicular volumes over repetitions, within 4 Monte Carlo errors of R's."""
    wanted = kernels["pmm_boys_tv"]
    table = numbers(reference / "data" / "boys.csv", "age", "hgt", "wgt", "tv")
    table = table[~np.isnan(table[:, :3]).any(axis=1)]
    x, y = standardised(table[:, :3]), table[:, 3]
    seen, keys = ~np.isnan(y), np.arange(len(y), dtype=np.uint64)
    observed = Observed(y[seen], Kind.NUMBER, 0, keys[seen])
    draws = [Pmm().draw(observed, x[seen], x[~seen], Randomness(keys[~seen], (1, rep))) for rep in range(300)]
    assert np.isin(draws, y[seen]).all()
    means = np.mean(draws, axis=1)
    assert abs(means.mean() - wanted["mean_of_imputed"]) < 4 * wanted["between_rep_sd_of_mean"] / np.sqrt(300)
    assert means.std(ddof=1) == pytest.approx(wanted["between_rep_sd_of_mean"], rel=4 / np.sqrt(600))
    assert np.std(draws) == pytest.approx(wanted["sd_of_imputed"], rel=0.02)


def test_the_best_of_donors_that_predictors_do_not_tell_apart_is_in_their_middle() -> None:
    """A group of a category has one prediction; what one row of it happens to have is not all of its gaps'."""
    rng = np.random.default_rng(4)
    group = np.repeat([0.0, 1.0, 2.0], 200)
    x = np.column_stack([np.ones(600), group == 1, group == 2]).astype(float)
    y = 10 * group + rng.normal(size=600)
    observed = Observed(y, Kind.NUMBER, 0, rng.permutation(600).astype(np.uint64))
    found = Pmm().predict(observed, x, x[::200])
    assert np.allclose(found, [y[group == k].mean() for k in range(3)], atol=0.05)
    assert np.isin(found, y).all()
    codes = rng.choice(3, 600, p=[0.5, 0.3, 0.2]).astype(float)
    named = Observed(codes, Kind.CATEGORY, 3, observed.keys)
    modes = [float(np.bincount(codes[group == k].astype(int)).argmax()) for k in range(3)]
    assert Quantified().predict(named, x, x[::200]).tolist() == modes
