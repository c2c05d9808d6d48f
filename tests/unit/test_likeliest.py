"""Queries answered by maximum likelihood, without draws."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import imputedb
from imputedb import Database, QueryError


@pytest.fixture
def table(db: Database) -> Database:
    rng = np.random.default_rng(0)
    n = 400
    a = rng.normal(size=n)
    x = 1 + a + rng.normal(size=n)
    y = 2 * x + rng.normal(size=n)
    gone = rng.random(n) < 1 / (1 + np.exp(-a))
    db.register(
        "t",
        {
            "id": np.arange(n),
            "a": a,
            "x": np.ma.masked_array(x, rng.random(n) < 0.2),
            "y": np.ma.masked_array(y, gone),
            "g": np.array(["u", "v"], object)[np.arange(n) % 2],
            "flag": np.ma.masked_array((y > 2).astype(int), gone),
        },
    )
    return db


TEXT = (
    "SELECT avg(y) AS m, corr(y, x) AS r, regr_slope(y, x) AS b, regr_intercept(y, x) AS c, "
    "covar_pop(x, y) AS s, stddev_pop(y) AS d, var_samp(y) AS v FROM t"
)


def test_it_is_the_likelihood_of_the_named_columns_and_those_beside(table: Database) -> None:
    result = table.sql(TEXT, method="ml")
    found = result.estimates[0]
    wanted = table.likelihood("SELECT a, x, y, flag FROM t", columns=["x", "y", "a"])
    assert found["m"].estimate == pytest.approx(wanted.average("y").estimate, abs=0.02)
    table.execute("ALTER TABLE t DROP COLUMN flag")
    found = table.sql(TEXT, method="ml").estimates[0]
    for name, one in (
        ("m", wanted.average("y")),
        ("r", wanted.correlation("y", "x")),
        ("b", wanted.regression("y", ["x"])["x"]),
        ("c", wanted.regression("y", ["x"])["(Intercept)"]),
        ("s", wanted.covary("x", "y")),
        ("d", wanted.deviation("y")),
    ):
        assert (found[name].estimate, found[name].se) == pytest.approx((one.estimate, one.se), rel=1e-5), name
        assert found[name].interval() == pytest.approx(one.interval(), rel=1e-5)
    assert found["v"].estimate == pytest.approx(found["d"].estimate ** 2 * 400 / 399)
    assert any("normal together and missing at random" in note for note in result.report.notes)
    assert result.columns[:5] == ["m", "m_se", "m_low", "m_high", "m_fmi"]


def test_it_agrees_with_draws_and_is_biased_less_than_complete_rows(table: Database) -> None:
    likely = table.sql("SELECT avg(y) AS m, regr_slope(y, x) AS b FROM t", method="ml").estimates[0]
    drawn = table.sql("SELECT avg(y) AS m, regr_slope(y, x) AS b FROM t", m=100, imputer="norm").estimates[0]
    for name in ("m", "b"):
        assert likely[name].estimate == pytest.approx(drawn[name].estimate, abs=drawn[name].se / 3)
        assert likely[name].se == pytest.approx(drawn[name].se, rel=0.15)
    (plain,) = table.execute("SELECT avg(y) FROM t")[0]
    assert plain < likely["m"].estimate - 0.3


def test_complete_data_are_what_duckdb_says(db: Database) -> None:
    rng = np.random.default_rng(1)
    db.register("whole", {"x": rng.normal(size=50), "y": rng.normal(size=50), "g": np.arange(50) % 2})
    text = "SELECT g, avg(y) a, corr(y, x) r, regr_slope(y, x) b, var_samp(x) v FROM whole GROUP BY g ORDER BY g DESC"
    rows = db.sql(text, method="ml")
    for row, wanted, known in zip(rows, db.execute(text), rows.estimates, strict=True):
        assert [row[0], *(one.estimate for one in known.values())] == pytest.approx(list(wanted))
        assert known["a"].fmi == pytest.approx(0, abs=1e-5)


def test_groups_filters_joins_and_expressions(table: Database) -> None:
    table.register("s", {"id": np.arange(400), "w": np.arange(400) % 3})
    by_group = {row[0]: row[1] for row in table.sql("SELECT g, avg(y + 1) AS m FROM t GROUP BY g", method="ml")}
    assert len(by_group) > 1
    for group, mean in by_group.items():
        for text in (
            f"SELECT avg(y) FROM t WHERE g = '{group}'",
            f"SELECT avg(y) FILTER (WHERE g = '{group}') FROM t",
            f"SELECT avg(y) FROM t JOIN s ON t.id = s.id WHERE g = '{group}'",
        ):
            assert table.sql(text, method="ml").fetchall()[0][0] == pytest.approx(mean - 1, abs=0.05), text


REFERENCE = Path(__file__).resolve().parents[2].parent / "shared" / "reference"


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference values of R are not here")
def test_it_is_rs_em(db: Database) -> None:
    case = json.loads((REFERENCE / "em_mcar.json").read_text())["tests"]["airquality"]
    db.load(str(REFERENCE / case["data"]), table="air")
    names = list(case["columns"])
    columns = ", ".join(f'TRY_CAST("{name}" AS DOUBLE) AS "{name}"' for name in names)
    db.execute(f"CREATE TABLE used AS SELECT {columns} FROM air")
    text = ", ".join(f'avg("{name}") AS "{name}"' for name in names)
    row = db.sql(f"SELECT {text} FROM used", method="ml").estimates[0]
    for name, mean in zip(names, case["em_mu"], strict=True):
        assert row[name].estimate == pytest.approx(mean, rel=1e-5), name


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SELECT median(y) FROM t", "none of AVG, VAR_SAMP"),
        ("SELECT sum(y) FROM t", "none of AVG"),
        ("SELECT max(y) FROM t", "none of AVG"),
        ("SELECT avg((y > 2)::INT) FROM t", "has 2 values, which are not normally distributed numbers"),
        ("SELECT avg(flag) FROM t", "flag has 2 values"),
        ("SELECT avg(a) FROM t WHERE y > 2", "a condition of .* reads a column that misses values"),
        ("SELECT flag, avg(y) FROM t GROUP BY flag", "groups by a column that misses values"),
        ("SELECT avg(y) / avg(x) FROM t", "none of AVG"),
        ("SELECT corr(y, 2 * y) FROM t", "determine one another"),
    ],
)
def test_what_it_cannot_answer_is_named(table: Database, text: str, says: str) -> None:
    with pytest.raises(QueryError, match=says):
        table.sql(text, method="ml")


def test_what_it_does_not_know_is_named(table: Database) -> None:
    with pytest.raises(QueryError, match="a population alone"):
        table.sql("SELECT avg(y) FROM t", method="ml", interval="answer")
    with pytest.raises(QueryError, match="makes no draws"):
        table.sql("SELECT avg(y) FROM t", method="ml", m=20)


@pytest.mark.nightly
def test_intervals_cover() -> None:
    """Means, slopes and correlations of 50 samples where two in five values miss, given what is known of all."""
    rng = np.random.default_rng(5)
    hits = np.zeros(3)
    with imputedb.connect() as db:
        for _ in range(50):
            a = rng.normal(size=150)
            y = a + rng.normal(size=150)
            gone = rng.random(150) < 1 / (1 + np.exp(0.4 - a))
            db.register("s", {"a": a, "y": np.ma.masked_array(y, gone)})
            row = db.sql("SELECT avg(y) m, regr_slope(y, a) b, corr(y, a) r FROM s", method="ml").estimates[0]
            for place, (name, true) in enumerate((("m", 0.0), ("b", 1.0), ("r", math.sqrt(0.5)))):
                low, high = row[name].interval()
                hits[place] += low < true < high
    assert (hits / 50 > 0.87).all()
