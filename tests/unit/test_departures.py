"""Departures from missing at random, by group too, in any pooled query; where its answer tips."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.errors import CannotImpute, QueryError, UnknownName
from imputedb.imputers.chained.chained import Chained
from imputedb.imputers.chained.shift import Shift
from imputedb.imputers.registry import single_imputer
from imputedb.sensitivity import Departures

N = 400


@pytest.fixture
def trial(db: Database) -> Database:
    rng = np.random.default_rng(3)
    arm = np.array(["drug", "placebo", "other"], object)[np.arange(N) % 3]
    x = rng.normal(size=N)
    y = x + (arm == "drug") + rng.normal(size=N)
    gone = rng.random(N) < 0.3
    db.register(
        "trial",
        {
            "id": np.arange(N),
            "arm": arm,
            "coded": np.arange(N) % 3,
            "dosed": (arm == "drug").astype(int),
            "x": x,
            "y": np.ma.masked_array(y, gone),
            "well": np.ma.masked_array(y > 0, gone),
            "z": np.ma.masked_array(y + rng.normal(size=N), rng.random(N) < 0.2),
        },
    )
    return db


def departing(name: str, **shifts: Shift) -> Chained:
    imputer = single_imputer(name, "a test needs")
    assert isinstance(imputer, Chained)
    return imputer.with_deltas(shifts)


def means(db: Database, imputer: Any, column: str = "y", by: str = "arm") -> dict[str, float]:
    text = f"SELECT {by}, avg({column}::DOUBLE) AS a FROM trial GROUP BY {by}"
    found = db.sql(text, m=5, imputer=imputer)
    return {str(row[0]): one["a"].estimate for row, one in zip(found, found.estimates, strict=True)}


def number(db: Database, text: str, imputer: Any) -> float:
    ((_, estimate),) = db.sql(text, m=5, imputer=imputer).estimates[0].items()
    return float(estimate.estimate)


def missing(db: Database, by: str = "arm") -> dict[str, float]:
    return {str(k): v for k, v in db.execute(f"SELECT {by}, avg((y IS NULL)::INT) FROM trial GROUP BY {by}")}


def only(db: Database, columns: str) -> None:
    """The trial without its other columns, so that nothing is drawn from what is shifted."""
    db.execute(f"CREATE TABLE copied AS SELECT {columns} FROM trial")
    db.execute("DROP TABLE trial; CREATE TABLE trial AS SELECT * FROM copied")


@pytest.mark.parametrize("by", ["arm", "dosed"])
def test_a_group_moves_by_its_shift_times_its_missing_share(trial: Database, by: str) -> None:
    """Its draws keep their random numbers; of the others nothing moves but by what is drawn from this one: z."""
    treated: object = "drug" if by == "arm" else 1
    only(trial, "id, arm, dosed, x, y")
    shares = missing(trial, by)
    before = means(trial, "norm", by=by)
    after = means(trial, departing("norm", y=Shift(add={treated: -2.0}, by=by)), by=by)
    for group, share in shares.items():
        assert after[group] - before[group] == pytest.approx(-2 * share * (group == str(treated)), abs=1e-9)


@pytest.mark.nightly
def test_pmm_moves_alike_and_what_is_drawn_from_it_follows(trial: Database) -> None:
    shares = missing(trial)
    trial.execute("CREATE TABLE both_gone AS SELECT id FROM trial WHERE y IS NULL AND z IS NULL AND arm = 'drug'")
    for name in ("pmm", "norm"):
        plain = departing(name, y=Shift(add=0.0))
        moved = departing(name, y=Shift(add={"drug": -3.0, "other": 1.0}, by="arm"))
        before, after = means(trial, plain), means(trial, moved)
        assert after["drug"] - before["drug"] < -3 * shares["drug"] + 0.1
        assert after["other"] - before["other"] > shares["other"] - 0.1
        assert after["placebo"] - before["placebo"] == pytest.approx(0, abs=0.25)
        follows = "SELECT avg(z) FILTER (id IN (SELECT id FROM both_gone)) AS z FROM trial"
        assert number(trial, follows, moved) < number(trial, follows, plain) - 0.5


def test_odds_by_group(trial: Database) -> None:
    only(trial, "id, arm, x, well")
    for name in ("logistic", "multinomial", "pmm", "ordered"):
        before = means(trial, name, "well::INT")
        after = means(trial, departing(name, well=Shift(odds={True: {"drug": 0.01}}, by="arm")), "well::INT")
        assert after["drug"] < before["drug"] - 0.05
        assert after["placebo"] == pytest.approx(before["placebo"], abs=0.04)


def test_narfcs_demo(db: Database, reference: Path) -> None:
    """mice's example: Y by 2 + ZCat1 - 3 ZCat2, X by log-odds -4."""
    path = reference / "data" / "mnar_demo_data.csv"
    if not path.exists():
        pytest.skip("mnar_demo_data.csv is not among the reference values")
    rows = list(csv.DictReader(path.open()))
    y = np.array([float(row["Y"]) if row["Y"] not in ("", "NA") else np.nan for row in rows])
    x = np.array([row["X"] if row["X"] not in ("", "NA") else None for row in rows], object)
    db.register("demo", {"X": x, "Y": y, "Z": np.array([row["Z"] for row in rows], object)})
    imputer = departing(
        "norm",
        Y=Shift(add={"Cat0": 2.0, "Cat1": 3.0, "Cat2": -1.0}, by="Z"),
        X=Shift(odds={"Yes": float(np.exp(-4))}),
    )
    text = (
        "SELECT regr_slope(Y, (X = 'Yes')::INT) AS slope, avg(Y) FILTER (WHERE Z = 'Cat1') AS one, "
        "avg((X = 'Yes')::INT) AS yes FROM demo"
    )
    found = db.sql(text, m=50, imputer=imputer).estimates[0]
    plain = db.sql(text, m=50, imputer="norm").estimates[0]
    assert found["yes"].estimate < plain["yes"].estimate - 0.02
    gone = float(np.isnan(y[[row["Z"] == "Cat1" for row in rows]]).mean())
    assert found["one"].estimate - plain["one"].estimate == pytest.approx(3 * gone, abs=0.6)


def test_the_answer_of_any_query_tips_where_its_interval_reaches_a_value(trial: Database) -> None:
    text = "SELECT avg(y) FILTER (WHERE arm = 'drug') - avg(y) FILTER (WHERE arm = 'placebo') AS effect FROM trial"
    wanted = Departures("y", (-4, -2), of=Shift(add={"drug": 1.0}, by="arm"))
    result = trial.sql(text, m=5, imputer="norm", sensitivity=wanted)
    found = result.sensitivity
    assert found is not None
    key = ((), "effect")
    points = found.points[key]
    assert [point.size for point in points] == [-4, -2, 0]
    assert (points[-1].estimate, points[-1].low) == pytest.approx(
        (result.estimates[0]["effect"].estimate, result.fetchall()[0][2])
    )
    (tip,) = found.tipping[key]
    low = [
        trial.sql(text, m=5, imputer=departing("norm", y=Shift(add={"drug": size}, by="arm")))
        .estimates[0]["effect"]
        .interval()
        .low
        for size in (tip - 0.02, tip + 0.02)
    ]
    assert low[0] < 0 < low[1]
    assert len(found.table()["size"]) == 3
    assert any("effect: tips at y -" in note for note in result.report.notes)
    pytest.importorskip("matplotlib")
    assert len(found.figure().axes) == 1


def test_an_answer_that_does_not_tip_says_so(trial: Database) -> None:
    result = trial.sql(
        "SELECT arm, count(*) AS n, avg(y) AS a FROM trial GROUP BY arm",
        m=3,
        imputer="norm",
        sensitivity=Departures("y", (-1,), crosses=-50.0),
    )
    assert result.sensitivity is not None
    assert len(result.sensitivity.tipping) == 6
    assert all("does not tip from y -1 to y +0" in note for note in result.report.notes if "tip" in note)


def test_what_does_not_suit_is_named(trial: Database) -> None:
    text = "SELECT avg(y) FROM trial"
    for shift, kind, says in (
        (Shift(add={"x": 1.0}, by="arm"), UnknownName, "no group 'x' in .*arm; there are drug"),
        (Shift(add={"drug": 1.0}, by="nope"), UnknownName, "no column 'nope' that groups"),
        (Shift(add={0.5: 1.0}, by="z"), CannotImpute, "z misses"),
        (Shift(add={0: 1.0, 1: 5.0}, by="coded"), CannotImpute, "make it text"),
    ):
        with pytest.raises(kind, match=says):
            trial.sql(text, m=2, imputer=departing("norm", y=shift))
    with pytest.raises(QueryError, match="by=, the column"):
        Shift(add={"drug": 1.0})
    with pytest.raises(QueryError, match="departures need shifts"):
        Departures("y", (0,))
    for asked, says in (
        ({"m": 2}, "departures act inside a chain, which tree has not"),
        ({"m": 2, "imputer": ["norm", "pmm"]}, "which norm, pmm has not"),
        ({"imputer": "norm"}, "m = 1 has no interval"),
    ):
        with pytest.raises(QueryError, match=says):
            trial.sql(text, sensitivity=Departures("y", (-1,)), **asked)
    with pytest.raises(QueryError, match="moves with imputed values of 'w'"):
        trial.sql(text, m=2, imputer="norm", sensitivity=Departures("w", (-1,)))


def test_comparison_has_shifts_side_by_side() -> None:
    with imputedb.connect() as db:
        rng = np.random.default_rng(0)
        y = np.ma.masked_array(rng.normal(size=200), rng.random(200) < 0.25)
        db.register("t", {"id": np.arange(200), "x": rng.normal(size=200), "y": y})
        found = db.compare(
            "SELECT avg(y) AS a, sum(y) AS s FROM t", ways=("norm", "bounds"), shifts={"y": (-1.0, 1.0)}, m=5
        )
        lines = {line.way: line for line in found.lines if line.name == "a"}
        assert set(lines) == {"norm", "bounds", "norm, y -1", "norm, y +1"}
        share = float(np.ma.getmaskarray(y).mean())
        assert lines["norm, y +1"].estimate - lines["norm"].estimate == pytest.approx(share, abs=1e-9)
        pytest.importorskip("matplotlib")
        assert [axes.get_title() for axes in found.forest().axes] == ["a", "s"]


def test_of_size_0_a_column_is_missing_at_random_whatever_the_imputer_says_of_it(trial: Database) -> None:
    text = "SELECT avg(y) AS a FROM trial"
    plain = trial.sql(text, m=2, imputer="norm").estimates[0]["a"].estimate
    for name in ("y", "trial.y"):
        own = departing("norm", **{name: Shift(add=5.0), "z": Shift(add=0.0)})
        found = trial.sql(text, m=2, imputer=own, sensitivity=Departures("y", (-1,))).sensitivity
        assert found is not None
        assert found.points[(), "a"][-1].estimate == pytest.approx(plain)


def test_shifts_that_are_equal_have_one_hash() -> None:
    odds = {"a": 2.0, "b": {"drug": 3.0, "placebo": 1.0}}
    one, other = Shift(odds=odds, by="arm"), Shift(odds=dict(reversed(odds.items())), by="arm")
    assert one == other
    assert hash(one) == hash(other)
