"""Numbers that R gave: mice, mitml, mitools. Deterministic ones within 1e-8."""

import csv
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from imputedb.inference.association import correlation, r_squared
from imputedb.inference.degrees_of_freedom import freedom, rubin1987
from imputedb.inference.hypotheses import JointTest, Robust, d1, d2, d3, d4, wald
from imputedb.inference.multivariate import Several, several
from imputedb.inference.number_of_draws import enough, point_rule
from imputedb.inference.prediction import prediction
from imputedb.inference.rubin import Pooled, jackknife, pooled
from imputedb.inference.scale import LOGIT, pooled_on

Matrix = NDArray[np.float64]


def loaded(reference: Path, name: str) -> Any:
    path = reference / name
    if not path.exists():
        pytest.skip(f"{name} is not among the reference values")
    return json.loads(path.read_text())


def near(found: float, wanted: object, rel: float = 1e-9) -> None:
    assert found == pytest.approx(float(wanted), rel=rel, abs=1e-300, nan_ok=True)  # type: ignore[arg-type]


def agree(found: JointTest, wanted: dict[str, Any], rel: float = 1e-9) -> None:
    near(found.statistic, wanted["F"], rel)
    near(found.df2, wanted["df2"], rel)
    near(found.p_value, wanted["p"], rel * 100)
    near(found.riv, wanted["riv"], rel)


def test_one_number_by_rubins_rules(reference: Path) -> None:
    for case in loaded(reference, "pool_scalar.json")["cases"]:
        found, wanted = pooled(case["Q"], case["U"], float(case["dfcom"])), case["rubin1987_mice_3.19.10"]
        low, high = found.interval()
        told = {
            "qbar": found.estimate,
            "ubar": found.within,
            "b": found.between,
            "t": found.total,
            "df": found.df,
            "r": found.riv,
            "fmi": found.fmi,
            "lambda": found.lambda_,
            "se": found.se,
            "ci_lo": low,
            "ci_hi": high,
            "p_two_sided": found.p_value,
        }
        for name, value in told.items():
            near(value, wanted[name])
        assert low <= found.estimate <= high


def test_synthetic_data_and_monte_carlo_errors(reference: Path) -> None:
    for case in loaded(reference, "pool_scalar.json")["cases"]:
        found = pooled(case["Q"], case["U"], synthetic=True)
        near(found.total, case["reiter2003_synthetic"]["t"])
        near(found.df, case["reiter2003_synthetic"]["df"])
        near(found.mc_error, case["mc_error"]["qbar_closed_form_sqrt_B_over_m"])
        error = case["mc_error"]["se_jackknife"]
        near(jackknife(lambda one: one.se, case["Q"], case["U"]), math.nan if error is None else error)
        near(
            jackknife(lambda one: one.estimate, case["Q"], case["U"]), found.mc_error if found.m > 2 else math.nan, 1e-6
        )
        # R's value floors lambda at 1e-4
        near(pooled(case["Q"], case["U"], float(case["dfcom"])).relative_efficiency, case["relative_efficiency"], 1e-6)


def test_degrees_of_freedom_over_a_grid(reference: Path) -> None:
    rows = list(csv.DictReader((reference / "barnard_rubin_grid.csv").open()))
    assert len(rows) >= 100
    for row in rows:
        share, m, complete = float(row["lambda"]), int(row["m"]), float(row["dfcom"])
        near(freedom(share, m, complete), row["df_mice_3.19.10"])
        near(rubin1987(share, m), row["df_rubin1987"])
        total = float(row["t"])
        found = Pooled(0.0, total * (1 - share), float(row["b"]), m, complete)
        near(found.fmi, row["fmi_from_3.19_df"], 1e-8)


def test_how_many_draws_are_enough(reference: Path) -> None:
    rows = list(csv.DictReader((reference / "how_many_imputations.csv").open()))
    assert len(rows) >= 100
    for row in rows:
        fmi, cv = float(row["fmi"]), float(row["cv"])
        found = enough(fmi, int(row["m"]), cv=cv, level=1 - float(row["alpha"]))
        assert found.m == int(row["m_needed"])
        near(found.fmi_upper, row["fmi_upper"])
        near(point_rule(fmi, cv), row["m_point"])


def test_fits_of_models(reference: Path) -> None:
    for model in loaded(reference, "pool_models.json")["models"]:
        found = several(model["terms"], model["estimates"], model["vcov"], model["dfcom"])
        assert found.covariance == pytest.approx(np.array(model["pooled_vcov_T"]), rel=1e-9)
        for old, new, large in zip(
            model["pooled_mice_3.15.0"], model["pooled_mice_3.19.10"], model["mitml_testEstimates_inf"], strict=True
        ):
            one = found[old["term"]]
            for name, value in (("df", one.df), ("riv", one.riv), ("fmi", one.fmi), ("lambda", one.lambda_)):
                near(value, new[name])
            low, high = one.interval()
            for name, value in (("std.error", one.se), ("conf.low", low), ("conf.high", high)):
                near(value, old[name])
            near(one.p_value, old["p.value"])
            near(one.fmi_large_sample, large["FMI"])


def multiparameter(reference: Path) -> Iterable[dict[str, Any]]:
    return loaded(reference, "multiparam_tests.json")["tests"]  # type: ignore[no-any-return]


def parameters(test: dict[str, Any], complete: float) -> Several:
    q, u = np.array(test["Q"], float), np.array(test["U"], float)
    k = test["k"]
    return several([str(place) for place in range(k)], q.reshape(-1, k), u.reshape(-1, k, k), complete)


def test_d1_and_d2(reference: Path) -> None:
    for test in multiparameter(reference):
        large = parameters(test, math.inf)
        agree(d1(large), test["D1_large"])
        small = d1(parameters(test, test["dfcom"]))
        agree(small, test["D1_reiter2007"])
        assert (small.warning is not None) == (test["k"] * (test["m"] - 1) <= 4)
        assert wald(large) == pytest.approx(test["wald_chi2"], rel=1e-9)
        agree(d2(test["wald_chi2"], test["k"]), test["D2_wald"])
        agree(d2(test["lrt_chi2"], test["k"]), test["D2_likelihood"])
    for case in loaded(reference, "multiparam_tests.json")["D2_from_chi2"]:
        agree(d2(case["chi2"], case["df"]), {**case, "riv": case["r"]})


def test_constraints_linear_and_not(reference: Path) -> None:
    """R differentiates constraints numerically, so it is good to 1e-8 only, and 1e-6 where D2 subtracts."""
    model = loaded(reference, "pool_models.json")["models"][3]
    whole = several(model["terms"], model["estimates"], model["vcov"])
    first, second, third = loaded(reference, "multiparam_tests.json")["constraints_boys_hgt_age_wgt_hc_tv_m5"]
    contrast = whole.linear([[0, 1, -1, 0, 0]])
    agree(d1(contrast), first["D1"], 1e-7)
    agree(d1(replace(contrast, df_complete=743)), first["D1_dfcom743"], 1e-7)
    agree(d2(wald(contrast), 1), first["D2"], 1e-6)
    both = whole.linear([[0, 0, 0, 1, -1], [0, 0, 1, 0, 0]])
    agree(d1(both), second["D1"], 1e-7)
    agree(d2(wald(both), 2), second["D2"], 1e-5)
    agree(d1(whole.nonlinear(lambda q: [q[1] * q[2] - 1])), third["D1"], 1e-7)


def table(path: Path) -> dict[str, list[str]]:
    rows = list(csv.DictReader(path.open()))
    return {name: [row[name] for row in rows] for name in rows[0]}


def design(columns: dict[str, list[str]], names: Sequence[str]) -> Matrix:
    """Treatment contrasts as R codes them."""
    parts = [np.ones(len(columns[".imp"]))]
    for name in names:
        try:
            parts.append(np.array(columns[name], float))
        except ValueError:
            levels = sorted(set(columns[name]) - {"NA"})
            parts += [np.array([value == level for value in columns[name]], float) for level in levels[1:]]
    return np.stack(parts, axis=1)


def gaussian(y: Matrix, x: Matrix) -> tuple[Matrix, float, float]:
    """Coefficients, residual variance (ML) and log-likelihood of a linear model."""
    b = np.linalg.lstsq(x, y, rcond=None)[0]
    s2 = float(np.mean((y - x @ b) ** 2))
    return b, s2, loglik(y, x, b, s2)


def loglik(y: Matrix, x: Matrix, b: Matrix, s2: float) -> float:
    return float(-0.5 * len(y) * np.log(2 * np.pi * s2) - 0.5 * np.sum((y - x @ b) ** 2) / s2)


def names_of(formula: str) -> list[str]:
    right = formula.split("~")[1]
    return [] if right == "1" else right.split("+")


def test_d3_and_d4_from_likelihoods(reference: Path) -> None:
    seen = 0
    for test in multiparameter(reference):
        if "yes" in test["full"]:
            continue  # mitml has no D3 and D4 of a logistic model
        columns = {
            name: [v for v, i in zip(values, table(reference / test["data"])[".imp"], strict=True) if i != "0"]
            for name, values in table(reference / test["data"]).items()
        }
        draws = np.array(columns[".imp"], int)
        y = np.array(columns[test["full"].split("~")[0]], float)
        xs = [design(columns, names_of(test[which])) for which in ("full", "null")]
        fits = [[gaussian(y[draws == j], x[draws == j]) for j in range(1, test["m"] + 1)] for x in xs]
        own = [2 * (full[2] - null[2]) for full, null in zip(*fits, strict=True)]
        assert own == pytest.approx(test["lrt_chi2"], rel=1e-9)
        means = [(np.mean([b for b, _, _ in fit], axis=0), float(np.mean([s for _, s, _ in fit]))) for fit in fits]
        at_mean = [
            2
            * (
                loglik(y[draws == j], xs[0][draws == j], *means[0])
                - loglik(y[draws == j], xs[1][draws == j], *means[1])
            )
            for j in range(1, test["m"] + 1)
        ]
        agree(d3(own, at_mean, test["k"]), test["D3"], 1e-8)
        stacked = [gaussian(y, x)[2] / test["m"] for x in xs]
        agree(d4(own, 2 * (stacked[0] - stacked[1]), test["k"]), test["D4"], 1e-8)
        robust = Robust(2 * float(np.mean([fit[2] for fit in fits[0]])), 2 * stacked[0], xs[0].shape[1] + 1)
        agree(d4(own, 2 * (stacked[0] - stacked[1]), test["k"], robust=robust), test["D4_robust"], 1e-8)
        seen += 1
    assert seen == 4


def test_correlations_and_r_squared(reference: Path) -> None:
    values = loaded(reference, "r2_cor_predict.json")
    for case in values["correlations"]:
        found = correlation(case["r_per_imputation"], case["N"])
        near(found.estimate, case["pooled_r"])
        near(found.se, case["rse_miceadds"])
        near(found.pooled.df, case["df_barnard_rubin_dfcom_Nminus2"])
        near(found.pooled.fmi, case["fmi_barnard_rubin"])
        assert found.interval() == pytest.approx(case["ci95_t_barnard_rubin"], rel=1e-9)
        large = correlation(case["r_per_imputation"], case["N"], df="rubin1987")
        assert large.interval() == pytest.approx(case["ci95_t_rubin_df"], rel=1e-9)
    for case in values["r_squared"]:
        found = r_squared(case["r_squared_per_imputation"], case["nobs"][0])
        near(found.estimate, case["est"])
        near(found.pooled.fmi, case["fmi"])
        half = 1.96 * found.pooled.se  # mice's quantile; ours is t
        ends = [found.scale.back(found.pooled.estimate + sign * half) for sign in (-1, 1)]
        assert ends == pytest.approx([case["lo95"], case["hi95"]], rel=1e-9)
        assert found.interval().low <= found.estimate <= found.interval().high


def test_predictions_and_proportions(reference: Path) -> None:
    values = loaded(reference, "r2_cor_predict.json")
    fits = values["predict"]["per_imputation"]
    for place, case in enumerate(values["predict"]["dfcom_correct"]):
        means, errors = ([fit[what][place] for fit in fits] for what in ("fit", "se"))
        found = prediction(means, errors, [fit["sigma"] for fit in fits], 22)
        near(found.mean.df, case["df_conf"])
        assert found.mean.interval() == pytest.approx(case["conf"], rel=1e-9)
        near(found.df, case["df_pred"])
        assert found.interval() == pytest.approx(case["pred"], rel=1e-9)
    for case in values["proportions"]:
        variances = [p * (1 - p) / case["n"] for p in case["p"]]
        on = pooled_on(LOGIT, case["p"], variances)
        near(on.estimate, case["logit"]["est"])
        near(on.pooled.df, case["logit"]["df"])
        assert on.interval() == pytest.approx([case["logit"]["lo"], case["logit"]["hi"]], rel=1e-9)
        plain = pooled(case["p"], variances)
        assert plain.interval() == pytest.approx([case["identity"]["lo"], case["identity"]["hi"]], rel=1e-9)
