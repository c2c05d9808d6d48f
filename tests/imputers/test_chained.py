"""The linear chain against the same algorithm row by row, against R, and what it says of itself."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imputedb.algebra.column import Column
from imputedb.errors import UnknownName
from imputedb.imputers.chained import crossproducts
from imputedb.imputers.chained.chained import Chained
from imputedb.imputers.chained.crossproducts import KEPT_ROWS, chain, patterns
from imputedb.imputers.chained.design import design
from imputedb.imputers.chained.normal import Normal
from imputedb.imputers.chained.pmm import Quantified
from imputedb.imputers.chained.shift import Shift
from imputedb.imputers.chained.trace import Trace
from imputedb.imputers.checked import draws
from imputedb.imputers.protocol import Imputer
from imputedb.imputers.registry import IMPUTERS
from imputedb.imputers.rows import Cells, Rows
from imputedb.inference.rubin import pooled
from imputedb.statistics.table import Kind

Matrix = np.ndarray[Any, np.dtype[np.float64]]


def correlated(n: int, q: int, seed: int = 0) -> tuple[Matrix, np.ndarray[Any, np.dtype[np.bool_]]]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2)) @ rng.normal(size=(2, q)) + rng.normal(size=(n, q))
    gone = rng.random((n, q)) < 0.25
    gone[:, 0] = False
    return x, gone


def as_rows(x: Matrix, gone: np.ndarray[Any, np.dtype[np.bool_]]) -> Rows:
    cells = {Column("t", f"c{j}"): Cells(x[:, j].copy(), gone[:, j], Kind.NUMBER) for j in range(x.shape[1])}
    return Rows(cells, np.arange(len(x), dtype=np.uint64))


def test_cross_products_equal_the_algorithm_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deterministic form: every row carries its expected value and covariance of its own."""
    monkeypatch.setattr(crossproducts, "START_CYCLES", 4)
    monkeypatch.setattr(crossproducts, "STILL", 0.0)
    given = as_rows(*correlated(80, 4))
    found = patterns(np.stack([c.missing for c in given.columns.values()], axis=1), given.keys)
    made = design({column: cells.at(found.order) for column, cells in given.columns.items()})
    n, q = made.x.shape
    flags = np.concatenate([np.zeros((n, 1), bool), made.missing], axis=1)
    steps = [1 + int(j) for j in np.argsort(made.missing.sum(axis=0), kind="stable") if made.missing[:, j].any()]
    values, spread = made.x.copy(), np.zeros((n, q, q))
    for _ in range(4):
        for j in steps:
            others, seen = np.arange(q) != j, ~flags[:, j]
            moments = values[seen].T @ values[seen] + spread[seen].sum(axis=0)
            b = np.zeros(q)
            b[others] = np.linalg.solve(moments[np.ix_(others, others)], moments[others, j])
            s2 = (moments[j, j] - b @ moments[:, j]) / (seen.sum() - q + 1)
            for row in np.flatnonzero(~seen):
                values[row, j] = values[row] @ b
                line = spread[row] @ b
                spread[row, :, j] = line
                spread[row, j, :] = line
                spread[row, j, j] = line @ b + s2
    ready = chain(made.x, made.flags(found.starts[:-1]), given.keys, found, steps, {})
    assert ready.filled(None) == pytest.approx(values, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("columns", [1, 9, 33, 70])
def test_patterns_have_the_rows_that_lack_the_same(columns: int) -> None:
    rng = np.random.default_rng(columns)
    gone = (rng.random((6, columns)) < 0.5)[rng.integers(0, 6, 200)]
    keys, learn = rng.permutation(200).astype(np.uint64), rng.random(200) < 0.5
    found = patterns(gone, keys, learn)
    assert sorted(found.order.tolist()) == list(range(200))
    assert len(found.fitted_rows) == len(np.unique(gone, axis=0))
    for start, stop, taught in zip(found.starts, found.starts[1:], found.fitted_rows, strict=False):
        rows = found.order[start:stop]
        assert (gone[rows] == gone[rows[0]]).all()
        assert learn[rows].tolist() == [True] * taught + [False] * (len(rows) - taught)
        assert (np.diff(keys[rows[:taught]].astype(np.int64)) > 0).all()


@pytest.mark.parametrize("cells", [20_000_000, 100])
def test_rows_of_patterns_that_are_not_learnt_from_are_filled_too(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crossproducts, "PATTERN_CELLS", cells)
    monkeypatch.setattr(crossproducts, "KEPT_ROWS", 30)
    assert KEPT_ROWS > 30
    x, gone = correlated(300, 5)
    targets = [Column("t", f"c{j}") for j in range(1, 5)]
    filled = IMPUTERS["norm"]().impute(as_rows(x, gone), targets, 0, drawn=targets, draw=1)
    for j in range(1, 5):
        values = filled[Column("t", f"c{j}")]
        assert len(values) == gone[:, j].sum()
        assert 0.4 < values.std() / x[:, j].std() < 1.8


def test_draws_by_cross_products_are_those_of_plain_chained_equations() -> None:
    """Mean and variance over draws of a mean and a slope, beside mice's algorithm written out; 4 Monte Carlo errors."""
    x, gone = correlated(250, 3, seed=3)
    rows, m = as_rows(x, gone), 250
    wanted = list(rows.columns)[1:]

    def statistics(full: Matrix) -> list[float]:
        return [full[:, 1].mean(), float(np.linalg.lstsq(np.c_[np.ones(250), full[:, 1:]], full[:, 0])[0][1])]

    ready, ours, plain = IMPUTERS["norm"]().prepared(rows, wanted), [], []  # type: ignore[attr-defined]
    rng = np.random.default_rng(7)
    for filled in ready.run_many(1, range(m)):
        full = x.copy()
        for column in wanted:
            full[gone[:, int(column.name[1])], int(column.name[1])] = filled[column]
        ours.append(statistics(full))
        plain.append(statistics(mice_norm(x, gone, rng)))
    for a, b in zip(np.array(ours).T, np.array(plain).T, strict=True):
        error = np.sqrt((a.var() + b.var()) / m)
        assert abs(a.mean() - b.mean()) < 4 * error
        assert abs(np.log(a.var() / b.var())) < 4 * np.sqrt(4 / m)


def mice_norm(x: Matrix, gone: np.ndarray[Any, np.dtype[np.bool_]], rng: np.random.Generator) -> Matrix:
    full = x.copy()
    for j in range(x.shape[1]):
        full[gone[:, j], j] = rng.choice(x[~gone[:, j], j], gone[:, j].sum())
    for _ in range(10):
        for j in range(1, x.shape[1]):
            design_ = np.c_[np.ones(len(x)), np.delete(full, j, axis=1)]
            seen = ~gone[:, j]
            v = np.linalg.inv(design_[seen].T @ design_[seen])
            beta = v @ design_[seen].T @ x[seen, j]
            rss = ((x[seen, j] - design_[seen] @ beta) ** 2).sum()
            sigma = np.sqrt(rss / rng.chisquare(seen.sum() - design_.shape[1]))
            star = beta + sigma * np.linalg.cholesky(v) @ rng.normal(size=len(beta))
            full[~seen, j] = design_[~seen] @ star + sigma * rng.normal(size=(~seen).sum())
    return full


@pytest.mark.sampled(2)
@pytest.mark.parametrize("seed", range(4))
def test_columns_that_are_constant_or_exact_where_others_are_missing(seed: int) -> None:
    """Indicators that never occur in a pattern, and a column that another gives exactly, leave values finite."""
    rng = np.random.default_rng(seed)
    n = 300
    x = rng.normal(size=n)
    code = (x > 0.5).astype(np.int32) + (x > 2)
    gone = rng.random(n) < 1 / (1 + np.exp(2 * x))
    none = np.zeros(n, bool)
    cells = {
        Column("t", "x"): Cells(x, rng.random(n) < 0.1, Kind.NUMBER),
        Column("t", "y"): Cells(x + rng.normal(size=n), gone, Kind.NUMBER),
        Column("t", "twice"): Cells(2 * x + 1, rng.random(n) < 0.2, Kind.NUMBER),
        Column("t", "code"): Cells(code.astype(np.int32), rng.random(n) < 0.1, Kind.CATEGORY, ("a", "b", "c")),
        Column("t", "whole"): Cells(code.astype(np.int32), none, Kind.CATEGORY, ("a", "b", "c")),
    }
    rows = Rows(cells, np.arange(n, dtype=np.uint64))
    targets = [c for c in cells if cells[c].missing.any()]
    filled = IMPUTERS["norm"]().impute(rows, targets, seed, drawn=targets, draw=1)
    assert all(np.isfinite(values.astype(float)).all() for values in filled.values())
    twice = filled[Column("t", "twice")]
    known = ~cells[Column("t", "x")].missing[cells[Column("t", "twice")].missing]
    assert twice[known] == pytest.approx((2 * x + 1)[cells[Column("t", "twice")].missing][known], abs=1e-3)


# -- against R --------------------------------------------------------------------------------------------------------


def read(path: Path, categories: tuple[str, ...] = ()) -> Rows:
    table = list(csv.DictReader(path.open()))
    cells = {}
    for name in table[0]:
        values = [row[name] for row in table]
        missing = np.array([value == "NA" for value in values])
        if name in categories:
            levels = tuple(sorted(set(values) - {"NA"}))
            codes = np.array(
                [0 if gone else levels.index(v) for v, gone in zip(values, missing, strict=True)], np.int32
            )
            cells[Column("t", name)] = Cells(codes, missing, Kind.CATEGORY, levels)
        else:
            floats = np.array([0.0 if gone else float(v) for v, gone in zip(values, missing, strict=True)])
            cells[Column("t", name)] = Cells(floats, missing, Kind.NUMBER)
    return Rows(cells, np.arange(len(table), dtype=np.uint64))


Analysis = Callable[[dict[str, Matrix]], tuple[Matrix, Matrix]]


def regressed(y: str, *names: str) -> Analysis:
    def fit(columns: dict[str, Matrix]) -> tuple[Matrix, Matrix]:
        ones = [np.ones(len(columns[y]))]
        x = np.stack([*ones, *(columns[n] if "=" not in n else _level(columns, n) for n in names)], axis=1)
        beta = np.linalg.lstsq(x, columns[y], rcond=None)[0]
        s2 = ((columns[y] - x @ beta) ** 2).sum() / (len(x) - x.shape[1])
        return beta, np.diag(np.linalg.inv(x.T @ x)) * s2

    return fit


def _level(columns: dict[str, Matrix], name: str) -> Matrix:
    column, _, code = name.partition("=")
    return (columns[column] == float(code)).astype(float)


NHANES2 = ("age=1", "age=2", "hyp=1", "chl")

CASES: list[tuple[str, str, Imputer, Analysis]] = [
    ("nhanes_norm_chl", "nhanes.csv", IMPUTERS["norm"](), regressed("chl", "age", "bmi")),
    ("nhanes_norm_mean_chl", "nhanes.csv", IMPUTERS["norm"](), regressed("chl")),
    ("nhanes_norm_mean_bmi", "nhanes.csv", IMPUTERS["norm"](), regressed("bmi")),
    ("nhanes_pmm_chl", "nhanes.csv", IMPUTERS["pmm"](), regressed("chl", "age", "bmi")),
    ("nhanes2_default_bmi", "nhanes2.csv", IMPUTERS["logistic"](), regressed("bmi", *NHANES2)),
]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("name", "data", "imputer", "analysis"), CASES, ids=[case[0] for case in CASES])
def test_stochastic_targets(name: str, data: str, imputer: Imputer, analysis: Analysis, reference: Path) -> None:
    """Pooled estimates within 4 Monte Carlo errors of R's, both ours and R's; variances between draws within 4 too."""
    targets = json.loads((reference / "stochastic_targets.json").read_text())["targets"]
    wanted = next(target for target in targets if target["id"] == name)
    rows, m = read(reference / "data" / data, ("age", "hyp") if data == "nhanes2.csv" else ()), 200
    incomplete = [column for column, cells in rows.columns.items() if cells.missing.any()]
    fits = []
    assert isinstance(imputer, Chained)
    ready = replace(imputer, cycles=10).prepared(rows, incomplete)  # as many as R ran
    for filled in ready.run_many(2026, range(m)):
        columns = {}
        for column, cells in rows.columns.items():
            full = cells.values.astype(float)
            full[cells.missing] = filled.get(column, np.zeros(0))
            columns[column.name] = full
        fits.append(analysis(columns))
    for place, row in enumerate(wanted["rows"]):
        q = np.array([fit[0][place] for fit in fits])
        one = pooled(q, [fit[1][place] for fit in fits])
        assert abs(one.estimate - row["estimate"]) < 4 * np.hypot(one.mc_error, row["mce_estimate"]), row["term"]
        # heavy tails: the error of B from the draws themselves, R's taken to be as large
        error = np.std((q - q.mean()) ** 2) / np.sqrt(m) / one.between
        assert abs(np.log(one.between / row["b"])) < 4 * np.sqrt(2) * error, row["term"]
        assert one.within == pytest.approx(row["ubar"], rel=0.15)


def test_airquality_agrees_with_amelia(reference: Path) -> None:
    """Amelia's bootstrapped EM on all columns but the day of the month; another method, so 4 Monte Carlo errors."""
    wanted = json.loads((reference / "stochastic_targets.json").read_text())["amelia_emb_airquality_m200"]
    rows = read(reference / "data" / "airquality.csv")
    rows = Rows({c: cells for c, cells in rows.columns.items() if c.name != "Day"}, rows.keys)
    incomplete = [column for column, cells in rows.columns.items() if cells.missing.any()]
    ready, fits = IMPUTERS["norm"]().prepared(rows, incomplete), []  # type: ignore[attr-defined]
    for filled in ready.run_many(1, range(200)):
        columns = {}
        for column, cells in rows.columns.items():
            columns[column.name] = cells.values.astype(float)
            columns[column.name][cells.missing] = filled.get(column, np.zeros(0))
        fits.append(regressed("Temp", "Ozone", "Solar.R", "Wind")(columns))
    for place, row in enumerate(wanted):
        one = pooled([fit[0][place] for fit in fits], [fit[1][place] for fit in fits])
        assert abs(one.estimate - row["estimate"]) < 4 * np.hypot(one.mc_error, row["mce_estimate"]), row["term"]
        assert one.within == pytest.approx(row["ubar"], rel=0.05)


# -- what it says, and departures from missing at random --------------------------------------------------------------


@pytest.mark.parametrize("name", ["norm", "pmm", "logistic", "multinomial", "ordered"])
def test_rows_that_do_not_teach_do_not_change_what_is_drawn_for_others(name: str) -> None:
    """Neither by their values nor by how often they miss a column."""
    x, gone = correlated(260, 5)
    two, three = Column("t", "two"), Column("t", "three")

    def drawn(more: int) -> list[Matrix]:
        mine, lost = x.copy(), gone.copy()
        mine[200:] += more
        lost[200:] = np.random.default_rng(more).random((60, 5)) < 0.1
        lost[200:, more % 5] = True
        lost[-1] = True
        given = as_rows(mine, lost)
        columns = dict(given.columns)
        columns[two] = Cells((mine[:, 3] > 0).astype(np.int32), lost[:, 3], Kind.CATEGORY, ("a", "b"))
        codes = np.digitize(mine[:, 4], [-0.5, 0.5]).astype(np.int32)
        columns[three] = Cells(codes, lost[:, 4], Kind.CATEGORY, ("a", "b", "c"))
        rows = Rows(columns, given.keys, np.arange(260) < 200)
        filled = IMPUTERS[name]().impute(rows, [two, three, Column("t", "c1")], 3, draw=1)
        return [values[: int(columns[column].missing[:200].sum())] for column, values in filled.items()]

    for one, other in zip(drawn(1), drawn(2), strict=True):
        assert np.allclose(one.astype(float), other.astype(float), rtol=1e-12)


def test_a_trace_has_every_cycle_and_what_fell_back() -> None:
    rng = np.random.default_rng(0)
    n = 120
    gone = rng.random(n) < 0.3
    cells = {
        Column("t", "x"): Cells(rng.normal(50, 9, n), gone, Kind.NUMBER),
        Column("t", "y"): Cells(rng.normal(size=n), np.zeros(n, bool), Kind.NUMBER),
        Column("t", "z"): Cells(rng.integers(0, 2, n).astype(np.int32), rng.random(n) < 0.3, Kind.CATEGORY, ("a", "b")),
    }
    trace, chained = Trace(), IMPUTERS["norm"]()
    assert isinstance(chained, Chained)
    chained.run(
        Rows(cells, np.arange(n, dtype=np.uint64)), [Column("t", "x"), Column("t", "z")], 0, draw=1, trace=trace
    )
    assert len(trace.means[Column("t", "x")]) in range(11, 42)
    assert abs(trace.means[Column("t", "x")][-1] - 50) < 6
    assert trace.notes[Column("t", "z")] == ["norm does not suit it: modelled by logistic"]


def test_a_shift_moves_what_is_imputed_and_what_depends_on_it() -> None:
    x, gone = correlated(400, 3)
    rows, c1, c2 = as_rows(x, gone), Column("t", "c1"), Column("t", "c2")
    plain = Chained(Normal())
    for add, times in ((-1.5, 1.0), (0.25, 0.9)):
        moved = plain.with_deltas({"t.c1": Shift(add=add, times=times)})
        before, after = (imputer.impute(rows, [c1, c2], 3, drawn=[c1, c2], draw=2) for imputer in (plain, moved))
        assert abs(after[c1].mean() - (times * before[c1].mean() + add)) < 0.35
        assert not np.allclose(before[c2], after[c2])
    one = Rows({c: rows.columns[c] for c in (Column("t", "c0"), c1)}, rows.keys)
    alone = plain.with_deltas({"c1": Shift(add=-1.5)})
    moved_alone, as_it_was = (imputer.impute(one, [c1], 3, drawn=[c1], draw=2)[c1] for imputer in (alone, plain))
    assert moved_alone == pytest.approx(as_it_was - 1.5)
    scaled = plain.with_deltas({"c1": Shift(add=-0.25, times=0.9)})
    assert scaled.impute(one, [c1], 3, drawn=[c1], draw=2)[c1] == pytest.approx(0.9 * as_it_was - 0.25)


@pytest.mark.parametrize("name", ["logistic", "multinomial", "ordered", "pmm"])
def test_odds_make_a_level_more_frequent(name: str) -> None:
    rng = np.random.default_rng(4)
    n = 600
    a = rng.normal(size=n)
    code = (a + rng.normal(size=n) > 0).astype(np.int32)
    s = Column("t", "s")
    cells = {
        Column("t", "a"): Cells(a, np.zeros(n, bool), Kind.NUMBER),
        s: Cells(code, rng.random(n) < 0.4, Kind.CATEGORY, ("no", "yes")),
    }
    rows = Rows(cells, np.arange(n, dtype=np.uint64))
    imputer = IMPUTERS[name]()
    assert isinstance(imputer, Chained)
    shares = [
        float(imputer.with_deltas({"s": Shift(odds={"yes": odds})}).impute(rows, [s], 0, drawn=[s], draw=1)[s].mean())
        for odds in (0.2, 1.0, 5.0)
    ]
    assert shares[0] < shares[1] - 0.1
    assert shares[1] < shares[2] - 0.1
    single = [
        float(imputer.with_deltas({"s": Shift(odds={"yes": odds})}).impute(rows, [s], 0)[s].mean())
        for odds in (0.2, 1.0, 5.0)
    ]
    assert single[0] < single[1] - 0.1
    assert single[1] < single[2] - 0.1
    with pytest.raises(UnknownName, match="no level 'maybe'"):
        imputer.with_deltas({"s": Shift(odds={"maybe": 2})}).impute(rows, [s], 0, drawn=[s], draw=1)


@pytest.mark.parametrize("drawn", [True, False])
def test_odds_reach_one_of_many_levels(drawn: bool) -> None:
    """Of matched categories too: a level of few rows is as frequent as its odds say, though few donors have it."""
    rng = np.random.default_rng(5)
    n, levels, odds = 500, 50, 200.0
    s = Column("t", "s")
    cells = {
        Column("t", "a"): Cells(rng.normal(size=n), np.zeros(n, bool), Kind.NUMBER),
        s: Cells(rng.integers(0, levels, n).astype(np.int32), rng.random(n) < 0.3, Kind.CATEGORY, tuple(range(levels))),
    }
    rows = Rows(cells, np.arange(n, dtype=np.uint64))
    imputer = Chained(Quantified()).with_deltas({"s": Shift(odds={7: odds})})
    found = imputer.impute(rows, [s], 0, drawn=[s] if drawn else [], draw=1)[s]
    share = float(np.mean(cells[s].values[~cells[s].missing] == 7))
    if drawn:
        assert np.mean(found == 7) == pytest.approx(odds * share / (odds * share + 1 - share), abs=0.12)
    else:
        assert np.mean(found == 7) > 0.9


@pytest.mark.parametrize("name", ["norm", "pmm"])
def test_a_column_that_another_determines_and_misses_with_is_drawn_given_the_rest(name: str) -> None:
    """Each follows exactly from the other, and both are missing together: no cycle would ever move them."""
    rng = np.random.default_rng(0)
    n = 1600
    first = rng.normal(70, 15, n)
    second = first + rng.normal(3, 8, n)
    gone = rng.random(n) < 0.04
    given = {"first": first, "second": second, "change": second - first}
    cells = {Column("t", c): Cells(v, gone & (c != "first"), Kind.NUMBER) for c, v in given.items()}
    rows = Rows(cells, rng.permutation(n).astype(np.uint64))
    targets = [Column("t", "change"), Column("t", "second")]
    means = []
    for values in draws(IMPUTERS[name](), rows, targets, 0, range(20)):
        change, after = (values[column] for column in targets)
        means.append(change.mean())
        assert np.abs(after - first[gone] - change).mean() < (1e-3 if name == "norm" else 1)
    spread = 8 / np.sqrt(gone.sum())
    assert abs(np.mean(means) - 3) < 2 * spread
    assert 0.5 * spread < np.std(means) < 1.7 * spread


def test_where_predictors_say_nothing_every_donor_is_as_near() -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(0, 1, 600)
    gone = rng.random(600) < 0.3
    rows = Rows({Column("t", "y"): Cells(y, gone, Kind.NUMBER)}, np.arange(600, dtype=np.uint64))
    means = [v[Column("t", "y")].mean() for v in draws(IMPUTERS["pmm"](), rows, [Column("t", "y")], 0, range(40))]
    assert np.std(means) == pytest.approx(np.sqrt(1 / gone.sum() + 1 / (~gone).sum()), rel=0.35)
