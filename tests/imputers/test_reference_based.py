"""Reference-based imputation of trials, against the closed forms of Carpenter, Roger & Kenward (2013)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.errors import CannotImpute, QueryError
from imputedb.imputers.arms import Moments
from imputedb.imputers.reference_based import STRATEGIES, ReferenceBased, Strategy, joined

VISITS = ("y1", "y2", "y3")
MEANS = {"active": np.array([1.0, 2.0, 3.0]), "placebo": np.array([1.0, 1.2, 1.4])}
COVARIANCES = {
    "active": np.array([[1.0, 0.6, 0.4], [0.6, 1.2, 0.7], [0.4, 0.7, 1.5]]),
    "placebo": np.array([[0.8, 0.3, 0.2], [0.3, 1.0, 0.5], [0.2, 0.5, 0.9]]),
}


def trial(n: int, seed: int, between: float = 0.0) -> dict[str, Any]:
    """A trial whose patients leave, at random given the last value; with holes in between if wanted."""
    rng = np.random.default_rng(seed)
    arm = np.array(["active", "placebo"], object)[np.arange(n) % 2]
    y = np.empty((n, 3))
    for one in MEANS:
        y[arm == one] = rng.multivariate_normal(MEANS[one], COVARIANCES[one], int((arm == one).sum()))
    first = rng.random(n) < 0.05
    second = rng.random(n) < 1 / (1 + np.exp(1.5 - 0.5 * y[:, 0]))
    third = rng.random(n) < 1 / (1 + np.exp(1.5 - 0.5 * y[:, 1]))
    gone = np.stack([first, first | second, first | second | third], axis=1)
    gone[:, 1] |= rng.random(n) < between
    columns = {name: np.ma.masked_array(y[:, k], gone[:, k]) for k, name in enumerate(VISITS)}
    return {"id": np.arange(n), "arm": arm, **columns}


def of(strategy: Strategy) -> ReferenceBased:
    return ReferenceBased(strategy, "arm", "placebo", VISITS)


def closed_form(strategy: Strategy, t: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of all visits of an active patient who is last seen at visit t, written out by hand."""
    (ma, a), (mr, r) = ((MEANS[arm], COVARIANCES[arm]) for arm in ("active", "placebo"))
    if strategy == "mar":
        return ma, a
    if strategy == "cr" or (t == 0 and strategy != "lmcf"):
        return mr, r
    if strategy == "lmcf":
        return (np.concatenate([ma[:t], np.full(3 - t, ma[t - 1])]) if t else ma), a
    after = mr[t:] if strategy == "j2r" else ma[t - 1] + mr[t:] - mr[t - 1]
    on = r[t:, :t] @ np.linalg.inv(r[:t, :t])
    low = on @ a[:t, :t]
    last = r[t:, t:] - on @ (r[:t, :t] - a[:t, :t]) @ on.T
    return np.concatenate([ma[:t], after]), np.block([[a[:t, :t], low.T], [low, last]])


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("t", [0, 1, 2])
def test_joint_distributions_are_those_of_the_paper(strategy: Strategy, t: int) -> None:
    own, ref = (Moments(MEANS[arm][None], COVARIANCES[arm]) for arm in ("active", "placebo"))
    found = joined(strategy, own, ref, t)
    means, covariance = closed_form(strategy, t)
    assert found.coefficients[0] == pytest.approx(means, rel=1e-12)
    assert found.covariance == pytest.approx(covariance, rel=1e-12)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_draws_have_the_conditional_means_and_variances(strategy: Strategy) -> None:
    """30,000 patients, so that drawn parameters are near the true ones: residuals over deviations are standard."""
    n = 30_000
    table = trial(n, 3)
    whole = {name: np.ma.getdata(table[name]) for name in VISITS}
    with imputedb.connect() as db:
        db.register("trial", table)
        rows = db.sql("SELECT id, y1, y2, y3 FROM trial ORDER BY id", imputer=Drawn(of(strategy))).fetchnumpy()
    gone = np.stack([np.ma.getmaskarray(table[name]) for name in VISITS], axis=1)
    y = np.stack([np.asarray(rows[name]) for name in VISITS], axis=1)
    assert all((y[~gone[:, k], k] == whole[name][~gone[:, k]]).all() for k, name in enumerate(VISITS))
    for t in (0, 1, 2):
        mine = (gone.sum(axis=1) == 3 - t) & (table["arm"] == "active")
        means, s = closed_form(strategy, t)
        on = s[t:, :t] @ np.linalg.inv(s[:t, :t])
        residuals = y[mine][:, t:] - means[t:] - (y[mine][:, :t] - means[:t]) @ on.T
        left = s[t:, t:] - on @ s[:t, t:]
        count = int(mine.sum())
        assert residuals.mean(axis=0) == pytest.approx(0, abs=4.5 * np.sqrt(left.max() / count) + 0.04)
        assert np.cov(residuals.T).reshape(left.shape) == pytest.approx(left, abs=8 * left.max() / np.sqrt(count))


class Drawn:
    """The first draw of an imputer as its single value."""

    uses_predictors = True
    reads_whole_tables = True
    name = "drawn"

    def __init__(self, imputer: ReferenceBased) -> None:
        self._imputer = imputer
        self.time, self.penalty = imputer.time, imputer.penalty

    def impute(self, rows: Any, targets: Any, seed: int, progress: Any = None, **asked: Any) -> Any:
        return self._imputer.impute(rows, targets, seed, progress, drawn=targets, draw=asked.get("draw", 0))


def estimate(db: Database, text: str, strategy: Strategy, m: int = 20) -> Mapping[str, float]:
    found = db.sql(text, m=m, imputer=of(strategy)).estimates[0]
    return {name: one.estimate for name, one in found.items()}


def test_every_entrance_sees_one_trial(db: Database, tmp_path: Path) -> None:
    """A filter, a condition on a drawn visit, a join that repeats rows, a view and completed data sets."""
    db.register("trial", trial(300, 5, between=0.05), keep=True)
    db.register("samples", {"id": np.repeat(np.arange(300), 2), "w": np.ones(600)})
    db.execute("CREATE VIEW treated AS SELECT * FROM trial WHERE arm = 'active'")
    whole = estimate(db, "SELECT avg(y3) FILTER (WHERE arm = 'active') AS a FROM trial", "j2r", 6)["a"]
    for text in (
        "SELECT avg(y3) AS a FROM trial WHERE arm = 'active'",
        "SELECT avg(y3) AS a FROM treated",
        "SELECT avg(y3) AS a FROM trial t JOIN samples s ON t.id = s.id WHERE arm = 'active'",
    ):
        assert estimate(db, text, "j2r", 6)["a"] == pytest.approx(whole, rel=1e-12)
    both = estimate(db, "SELECT avg(y3) FILTER (WHERE y2 > 1) AS a, avg(y2) AS b FROM trial", "cir", 6)
    assert estimate(db, "SELECT avg(y3) AS a FROM trial WHERE y2 > 1", "cir", 6)["a"] == pytest.approx(
        both["a"], rel=1e-12
    )
    completed = db.impute("trial", tmp_path / "run", m=8, imputer=of("j2r"))
    means = [frame.y3[frame.arm == "active"].mean() for frame in completed]
    assert np.mean(means) == pytest.approx(whole, abs=4 * np.std(means) * np.sqrt(1 / 8 + 1 / 6))
    assert "jump to the means of arm = placebo" in completed.manifest["assumption"]


@pytest.mark.nightly
def test_under_mar_it_agrees_with_regressions_by_arm(db: Database) -> None:
    db.register("trial", trial(600, 7, between=0.1))
    db.execute("CREATE TABLE active AS SELECT id, y1, y2, y3 FROM trial WHERE arm = 'active'")
    ours = db.sql("SELECT avg(y3) AS a FROM trial WHERE arm = 'active'", m=100, imputer=of("mar")).estimates[0]["a"]
    norm = db.sql("SELECT avg(y3) AS a FROM active", m=100, imputer="norm").estimates[0]["a"]
    assert ours.estimate == pytest.approx(norm.estimate, abs=4 * (norm.pooled.between / 100) ** 0.5 * 1.5)
    assert ours.se == pytest.approx(norm.se, rel=0.08)


def test_the_reference_arm_is_the_same_under_all_that_borrow_from_it(db: Database) -> None:
    db.register("trial", trial(200, 8))
    text = "SELECT avg(y3) AS a FROM trial WHERE arm = 'placebo'"
    wanted = estimate(db, text, "mar")["a"]
    for strategy in ("j2r", "cr", "cir"):
        assert estimate(db, text, strategy)["a"] == pytest.approx(wanted, rel=1e-12)


def test_an_arm_nobody_of_whom_stays_jumps_all_the_same(db: Database) -> None:
    table = trial(200, 9)
    table["y3"] = np.ma.masked_array(table["y3"], np.ma.getmaskarray(table["y3"]) | (table["arm"] == "active"))
    db.register("trial", table)
    found = db.sql("SELECT avg(y3) AS a FROM trial WHERE arm = 'active'", m=10, imputer=of("j2r"))
    assert found.estimates[0]["a"].estimate == pytest.approx(1.4, abs=0.5)
    assert any("jump to the means of arm = placebo" in one for one in found.report.warnings)
    with pytest.raises(CannotImpute, match="no row of arm 'active' has y3"):
        db.sql("SELECT avg(y3) AS a FROM trial", m=2, imputer=of("mar"))


@pytest.mark.nightly
def test_single_values_are_what_draws_average_to(db: Database) -> None:
    db.register("trial", trial(300, 10, between=0.1))
    text = "SELECT avg(y3) AS a FROM trial WHERE arm = 'active'"
    drawn = db.sql(text, m=15, imputer=of("cir")).estimates[0]["a"]
    (single,) = db.sql(text, imputer=of("cir")).fetchall()[0]
    assert single == pytest.approx(drawn.estimate, abs=4 * (drawn.pooled.between / 15) ** 0.5)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"treatment": "drug"}, "no column 'drug'"),
        ({"reference": "sham"}, "none of the rows at hand has arm = 'sham'"),
        ({"visits": ("arm2", "y3")}, "visit 'arm2' does not hold numbers"),
        ({"covariates": ("y1",), "visits": ("y2", "y3")}, "covariate 'y1' misses"),
        ({"treatment": "arm2"}, "treatment 'arm2' misses"),
    ],
)
def test_what_does_not_suit_is_named(db: Database, change: Mapping[str, Any], says: str) -> None:
    table = trial(60, 11)
    second = table["arm"].copy()
    second[0] = None
    db.register("trial", {**table, "arm2": second})
    wanted = {"strategy": "j2r", "treatment": "arm", "reference": "placebo", "visits": VISITS, **change}
    with pytest.raises(CannotImpute, match=says):
        db.sql("SELECT avg(y3) FROM trial", imputer=ReferenceBased(**wanted))


def test_what_is_no_strategy_is_named() -> None:
    with pytest.raises(QueryError, match="no strategy 'jr'; there are mar, j2r"):
        ReferenceBased("jr", "arm", "placebo", VISITS)  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="'y1' is named twice"):
        ReferenceBased("cr", "arm", "placebo", ("y1", "y1"))


def test_the_command_asks_for_it(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from imputedb.cli.main import main

    path = str(tmp_path / "trial.duckdb")
    with imputedb.connect(path) as db:
        db.register("trial", trial(100, 12), keep=True)
        wanted = estimate(db, "SELECT avg(y3) AS a FROM trial", "j2r", m=5)["a"]
    question = ["query", path, "SELECT avg(y3) AS a FROM trial", "--m", "5", "--format", "csv", "--imputer"]
    described = ["--treatment", "arm", "--reference", "placebo", "--visits", "y1,y2,y3"]
    ran = CliRunner().invoke(main, [*question, "j2r", *described])
    assert float(ran.stdout.splitlines()[1].split(",")[0]) == pytest.approx(wanted, rel=1e-6)
    for asked, says in ((["j2r"], "needs --treatment"), (["tree", *described], "a trial is described for imputer mar")):
        found = CliRunner().invoke(main, [*question, *asked])
        assert found.exit_code != 0
        assert says in str(found.exception) + found.output
    out = str(tmp_path / "out")
    assert (
        CliRunner()
        .invoke(main, ["impute", path, "trial", "--out", out, "--m", "2", "--imputer", "cir", *described])
        .exit_code
        == 0
    )


@pytest.mark.parametrize("strategy", ["j2r", "cr", "cir", "mar"])
def test_a_visit_that_an_arm_never_has_before_one_that_it_has_is_refused(strategy: Strategy) -> None:
    rng = np.random.default_rng(1)
    arm = np.arange(60) % 2
    score = 100 + rng.normal(size=(60, 2))
    with imputedb.connect() as db:
        weeks = {"week1": np.ma.masked_array(score[:, 0], arm == 1), "week2": np.ma.masked_array(score[:, 1], arm > 1)}
        db.register("trial", {"id": np.arange(60), "arm": arm, **weeks})
        how = ReferenceBased(strategy, treatment="arm", reference=0, visits=("week1", "week2"))
        with pytest.raises(CannotImpute, match="has week1"):
            db.sql("SELECT avg(week1) FROM trial", imputer=how, m=2)
