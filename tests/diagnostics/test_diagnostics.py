"""Diagnostics against R, and on data whose answer is known."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imputedb.algebra.column import Column
from imputedb.diagnostics.em import em
from imputedb.diagnostics.mcar import little
from imputedb.diagnostics.missing import flux, nelson_aalen, pairs, pattern_table, predictors
from imputedb.diagnostics.overimputation import overimpute
from imputedb.errors import DataError
from imputedb.imputers.chained.convergence import (
    autocorrelation,
    basic_rhat,
    convergence,
    ess_bulk,
    ess_mean,
    ess_tail,
    gelman_rubin,
    rhat,
)
from imputedb.imputers.registry import IMPUTERS
from imputedb.imputers.rows import Cells, Rows
from imputedb.statistics.table import Kind

Matrix = np.ndarray[Any, np.dtype[np.float64]]


def loaded(reference: Path, name: str) -> Any:
    if not (reference / name).exists():
        pytest.skip(f"{name} is not among the reference values")
    return json.loads((reference / name).read_text())


def table(reference: Path, data: str) -> tuple[Matrix, list[str]]:
    """Numbers with NaN, factors as the codes of their levels."""
    types = loaded(reference, "data/_types.json")["columns"].get(Path(data).stem, {})
    rows = list(csv.DictReader((reference / data).open()))
    names, columns = list(rows[0]), []
    for name in names:
        values = [row[name] for row in rows]
        try:
            columns.append([np.nan if v == "NA" else float(v) for v in values])
        except ValueError:
            levels = types.get(name, {}).get("levels") or sorted(set(values) - {"NA"})
            columns.append([np.nan if v == "NA" else levels.index(v) + 1.0 for v in values])
    return np.array(columns).T, names


def test_patterns_pairs_flux_and_predictors(reference: Path) -> None:
    for case in loaded(reference, "patterns.json")["datasets"]:
        values, names = table(reference, case["data"])
        missing = np.isnan(values)
        found, wanted = pattern_table(missing, names), case["md_pattern"]
        assert list(found.columns) == wanted["columns"][:-1]
        assert found.rows.tolist() == [int(count) for count in wanted["row_counts"][:-1]]
        shown = np.array(wanted["matrix"])
        assert found.observed.astype(int).tolist() == shown[:-1, :-1].tolist()
        assert found.lacking.tolist() == shown[:-1, -1].tolist()
        assert found.missing.tolist() == shown[-1, :-1].tolist()
        for which in ("rr", "rm", "mr", "mm"):
            assert getattr(pairs(missing), which).tolist() == case["md_pairs"][which]
        flow = flux(missing, names)
        for row in case["flux"]:
            one = flow[row["variable"]]
            ours = [one.observed, one.influx, one.outflux, one.inbound, one.outbound, one.incomplete]
            theirs = [row[key] for key in ("pobs", "influx", "outflux", "ainb", "aout", "fico")]
            assert ours == pytest.approx(theirs, rel=1e-10)
        for key, wish in (
            ("quickpred_default_mincor0.1", {}),
            ("quickpred_mincor0.3_minpuc0.25", {"correlation": 0.3, "usable": 0.25}),
        ):
            kept = predictors(values, names, **wish)
            assert [[int(b in kept.get(a, ())) for b in names] for a in names] == case[key]


def test_em_and_littles_test(reference: Path) -> None:
    for case in loaded(reference, "em_mcar.json")["tests"].values():
        values, names = table(reference, case["data"])
        values = values[:, [names.index(name) for name in case["columns"]]]
        moments, wanted = em(values), case["little_full_EM"]
        assert moments.mean == pytest.approx(case["em_mu"], rel=1e-9)
        assert moments.covariance == pytest.approx(np.array(case["em_sigma"]), rel=1e-8)
        assert moments.loglik == pytest.approx(case["loglik_obs"], rel=1e-10)
        found = little(values, case["columns"])
        assert found.statistic == pytest.approx(wanted["statistic"], rel=1e-9)
        assert (found.df, found.patterns) == (wanted["df"], wanted["missing.patterns"])
        assert found.p_value == pytest.approx(wanted["p.value"], rel=1e-8)


def test_littles_test_finds_what_is_not_at_random_and_survives_collinear_columns() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 2))
    values = np.column_stack([x, x[:, 0] * 2 + 1, np.ones(2000)])
    random, dependent = values.copy(), values.copy()
    random[rng.random(2000) < 0.3, 1] = np.nan
    dependent[x[:, 0] > 0.5, 1] = np.nan
    calm, alarmed = (little(one, "abcd") for one in (random, dependent))
    assert calm.dropped == ("c", "d")
    assert calm.p_value > 0.001
    assert alarmed.p_value < 1e-10
    assert alarmed.effect > 5 * calm.effect
    assert "does not show" in calm.caution
    with pytest.raises(DataError, match="no column varies"):
        little(np.ones((5, 2)), "ab")


def test_convergence_of_real_chains(reference: Path) -> None:
    values = loaded(reference, "convergence.json")
    chains = [case[what] for case in values["nhanes_pmm_seed7"] for what in ("mean", "sd")]
    for case in [*chains, values["bad_chain"]]:
        x = np.array(case["chains_iter_by_m"], float)
        half = len(x) // 2
        halves = np.concatenate([x[:half], x[len(x) - half :]], axis=1)
        for found, key in (
            (rhat(x), "rhat_final"),
            (basic_rhat(halves), "rhat_basic_split_final"),
            (basic_rhat(x), "rhat_basic_nosplit_final"),
            (ess_bulk(x), "ess_bulk"),
            (ess_tail(x), "ess_tail"),
            (ess_mean(x), "ess_mean"),
            (gelman_rubin(x), "gelman_rubin_1992_mitml"),
        ):
            assert found == pytest.approx(case[key] if case[key] is not None else np.nan, rel=1e-9, nan_ok=True), key
        assert autocorrelation(x)[1:] == pytest.approx(case["mice_ac_per_iteration"][1:], rel=1e-9, abs=1e-12)
        # below four iterations R splits a matrix into vectors by accident
        for k in range(4, len(x) + 1):
            assert rhat(x[:k]) == pytest.approx(case["rhat_rank_split_folded_per_iteration"][k - 1], rel=1e-9)


def test_chains_of_noise_have_converged_and_trends_have_not() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(100, 4))
    good, bad = convergence(noise), convergence(noise * 0.1 + np.arange(4))
    assert good.rhat < 1.05
    assert 200 < good.ess_bulk < 800
    assert bad.rhat > 2
    assert bad.ess_bulk < 20
    assert np.isnan(rhat(noise[:3]))


def test_cumulative_hazard(reference: Path) -> None:
    values, names = table(reference, "data/lung.csv")
    time, event = values[:, names.index("time")], values[:, names.index("status")] == 1
    assert nelson_aalen(time, event) == pytest.approx(values[:, names.index("na_cumhaz")], rel=1e-10)
    assert nelson_aalen(time, event)[:3] == pytest.approx([0.676952807415312, 1.12801443040603, 2.89156483734711])


@pytest.mark.nightly
def test_overimputation_covers_where_the_model_is_right() -> None:
    rng = np.random.default_rng(2)
    n = 500
    a = rng.normal(size=n)
    b = a + rng.normal(size=n)
    names = [Column("t", name) for name in "abs"]
    cells = {
        names[0]: Cells(a, rng.random(n) < 0.2, Kind.NUMBER),
        names[1]: Cells(b, rng.random(n) < 0.2, Kind.NUMBER),
        names[2]: Cells((b > 0).astype(np.int32), rng.random(n) < 0.2, Kind.CATEGORY, ("n", "p")),
    }
    rows, told = Rows(cells, np.arange(n, dtype=np.uint64)), []
    found = overimpute(IMPUTERS["norm"](), rows, names, m=10, folds=5, progress=told.append)
    assert told == [0.2, 0.4, 0.6, 0.8, 1.0]
    for name in names[:2]:
        one = found[name]
        assert len(one.truth) == (~cells[name].missing).sum()
        assert 0.85 < one.coverage < 0.95  # 4 binomial errors about .9
        assert abs(one.bias) < 0.2
        assert sum(count for count, _, _ in one.by_lacking().values()) == len(one.truth)
    assert 0.55 < found[names[2]].mean.mean() < 0.95
    assert np.isnan(found[names[2]].coverage)
    narrow = overimpute(IMPUTERS["mean"](), rows, names[:2], m=5, folds=2)
    assert narrow[names[0]].coverage < 0.2
