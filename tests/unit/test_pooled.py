"""What is pooled of a query's answer: equal forms, groups that draws lack, HAVING, joins that repeat rows, ranges."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import imputedb
from imputedb import Database
from imputedb.inference.estimate import Estimate
from imputedb.inference.score_interval import Score

N = 400


def loaded(seed: int = 0, n: int = N) -> Database:
    """x complete, y one third missing, five groups."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = x + rng.normal(size=n)
    db = imputedb.connect()
    gone = rng.random(n) < 0.33
    db.register("t", {"id": np.arange(n), "x": x, "y": np.ma.masked_array(y, gone), "g": np.arange(n) % 5})
    return db


@pytest.fixture(scope="module")
def table() -> Iterator[Database]:
    with loaded() as db:
        yield db


def one(db: Database, query: str, m: int = 10) -> Estimate:
    """The one number of an answer."""
    (row,) = db.sql(query, m=m, imputer="norm").estimates
    (found,) = row.values()
    assert isinstance(found, Estimate)
    return found


FORMS = {
    "count": (
        "count(*) FROM t WHERE {c}",
        "count(*) FILTER (WHERE {c}) FROM t",
        "sum(CASE WHEN {c} THEN 1 ELSE 0 END) FROM t",
        "sum(({c})::INTEGER) FROM t",
        "count_if({c}) FROM t",
        "count(CASE WHEN {c} THEN id END) FROM t",
    ),
    "share": (
        "avg(({c})::INTEGER) FROM t",
        "avg(CASE WHEN {c} THEN 1.0 ELSE 0 END) FROM t",
        "count(*) FILTER (WHERE {c}) / count(*) FROM t",
        "sum(CASE WHEN {c} THEN 1 ELSE 0 END) / count(*) FROM t",
        "count_if({c}) / count(id) FROM t",
    ),
    "sum": (
        "sum(x) FROM t WHERE {c}",
        "sum(x) FILTER (WHERE {c}) FROM t",
        "sum(CASE WHEN {c} THEN x ELSE 0 END) FROM t",
        "sum(CASE WHEN {c} THEN x END) FROM t",
    ),
    "mean": (
        "avg(x) FROM t WHERE {c}",
        "avg(x) FILTER (WHERE {c}) FROM t",
        "avg(CASE WHEN {c} THEN x END) FROM t",
        "sum(x) FILTER (WHERE {c}) / count(*) FILTER (WHERE {c}) FROM t",
        "sum(CASE WHEN {c} THEN x ELSE 0 END) / sum(({c})::INTEGER) FROM t",
    ),
}


@settings(max_examples=6, deadline=None)
@given(st.sampled_from(sorted(FORMS)), st.sampled_from(("y", "x", "y + x")), st.floats(-1, 2.5))
def test_equal_forms_have_equal_intervals(kind: str, column: str, bound: float) -> None:
    with loaded() as db:
        told = [one(db, "SELECT " + text.format(c=f"{column} > {bound:.3f}")) for text in FORMS[kind]]
    for other in told[1:]:
        for name, a, b in (
            ("estimate", told[0].estimate, other.estimate),
            ("se", told[0].se, other.se),
            ("low", told[0].interval().low, other.interval().low),
            ("high", told[0].interval().high, other.interval().high),
        ):
            assert a == pytest.approx(b, rel=1e-7, abs=1e-9, nan_ok=True), (kind, name)


def test_a_complete_count_has_the_degrees_of_freedom_of_the_table(table: Database) -> None:
    """3 of 400: Wilson's interval with t of 399 (as adjusted for complete data) degrees of freedom."""
    few = one(table, "SELECT count(*) AS c FROM t WHERE id < 3")
    assert few.df == pytest.approx(399 * 400 / 402)
    t = stats.t.ppf(0.975, few.df)
    p, n = 3 / N, N - 1
    centre, half = p + t**2 / (2 * n), t * math.sqrt(p * (1 - p) / n + t**2 / (4 * n * n))
    expected = [N * (centre + sign * half) / (1 + t**2 / n) for sign in (-1, 1)]
    assert few.interval() == pytest.approx(expected, rel=1e-9)


def test_nothing_and_everything_have_a_width(table: Database) -> None:
    nothing = one(table, "SELECT avg((x > 99)::INTEGER) AS p FROM t")
    everything = one(table, "SELECT avg((x < 99)::INTEGER) AS p FROM t")
    assert nothing.interval().low == 0
    assert everything.interval().high == 1
    assert 0.005 < nothing.interval().high < 0.015
    assert nothing.interval().high == pytest.approx(1 - everything.interval().low)
    assert nothing.se > 0
    for written in ("avg(CASE WHEN x < 99 THEN 50 ELSE 0 END)", "sum((x < 99)::INT * 50) / count(*)"):
        assert one(table, f"SELECT {written} AS p FROM t").interval() == pytest.approx(
            [50 * end for end in everything.interval()], rel=1e-9
        )
    for certain in ("CASE WHEN x < 99 THEN 50 END", "CASE WHEN x > 0 THEN NULL ELSE 1 END"):  # 0 is not among them
        always = one(table, f"SELECT avg({certain}) AS p FROM t").interval()
        assert always.low == always.high
    none = one(table, "SELECT count(*) AS c FROM t WHERE x > 99")
    assert (none.estimate, none.interval().low) == (0, 0)
    assert 3 < none.interval().high < 6
    assert one(table, "SELECT count(*) AS c FROM t").interval() == (N, N)


@settings(max_examples=200, deadline=None)
@given(st.floats(0, 1), st.floats(1e-9, 1), st.floats(0.5, 50), st.sampled_from((1.0, 400.0, math.inf)))
def test_intervals_keep_in_range_and_hold_their_estimate(
    share: float, variance: float, quantile: float, top: float
) -> None:
    estimate = share * (top if math.isfinite(top) else 1e3)
    low, high = Score(top, 1.0).interval(estimate, variance, quantile)
    assert 0 <= low <= estimate * (1 + 1e-9)
    assert estimate * (1 - 1e-9) <= high <= top


def test_groups_add_up_to_the_whole(table: Database) -> None:
    """A group that a draw lacks counts 0 there."""
    query = "SELECT floor(y * 2) AS k, count(*) AS n, sum(x) AS s FROM t GROUP BY k"
    result = table.sql(query, m=10, imputer="norm")
    assert min(row[-1] for row in result.fetchall()) < 1
    assert sum(row["n"].estimate for row in result.estimates) == pytest.approx(N)
    whole = table.sql("SELECT sum(x) AS s FROM t", m=10, imputer="norm").estimates[0]["s"].estimate
    assert sum(row["s"].estimate for row in result.estimates) == pytest.approx(whole)


def test_having_is_decided_by_the_pooled_value(table: Database) -> None:
    every = table.sql("SELECT g, avg(y) AS a FROM t GROUP BY g ORDER BY g", m=15, imputer="norm")
    pooled = {row[0]: row[1] for row in every.fetchall()}
    bound = sorted(pooled.values())[2] - 1e-3
    kept = table.sql(f"SELECT g, avg(y) AS a FROM t GROUP BY g HAVING avg(y) > {bound}", m=15, imputer="norm")
    assert {row[0]: row[1] for row in kept.fetchall()} == {g: a for g, a in pooled.items() if a > bound}
    shares = [row[-1] for row in kept.fetchall()]
    assert all(0 < share <= 1 for share in shares)
    assert min(shares) < 1


@pytest.mark.parametrize(
    "having",
    [
        "count(*) > 10 AND NOT avg(y) > 100",
        "avg(y) BETWEEN -100 AND 100 OR g = 3",
        "avg(y) < (SELECT avg(y) + 100 FROM t)",
        "max(id::VARCHAR) > '0'",
        "g IN (0, 1, 2, 3, 4)",
        "avg(y) IS NOT NULL",
    ],
)
def test_having_of_any_shape(table: Database, having: str) -> None:
    result = table.sql(f"SELECT g, count(*) AS n FROM t GROUP BY g HAVING {having} ORDER BY max(id::VARCHAR)", m=3)
    assert sorted(row[0] for row in result.fetchall()) == [0, 1, 2, 3, 4]
    assert all(row[-1] == 1 for row in result.fetchall())


@pytest.fixture(scope="module")
def parents() -> Iterator[tuple[Database, np.ndarray, np.ndarray]]:
    """150 complete parents, of which each has one to five children."""
    rng = np.random.default_rng(5)
    x, many = rng.normal(size=150), rng.integers(1, 6, 150)
    child = np.repeat(np.arange(150), many)
    with imputedb.connect() as db:
        db.register("p", {"id": np.arange(150), "x": x, "w": x + rng.normal(size=150)})
        db.register("c", {"cid": np.arange(len(child)), "pid": child, "y": x[child] + rng.normal(size=len(child))})
        yield db, x, child


def test_the_sampled_unit_is_the_stored_row(parents: tuple[Database, np.ndarray, np.ndarray]) -> None:
    """Of a mean over a join that repeats parents: the variance of a ratio of parents' totals (Cochran 1977, 6.3)."""
    db, x, child = parents
    a = one(db, "SELECT avg(x) AS a FROM p JOIN c ON p.id = c.pid")
    n, k = len(child), np.bincount(child)
    z = k * (x - x[child].mean())
    expected = math.sqrt((z**2).sum() * 150 / 149 / n / (n - 1))
    assert a.se == pytest.approx(expected, rel=1e-9)
    alike = (k.sum() ** 2 / (k**2).sum()) - 1  # as many parents of equally many children would say as much
    assert a.df == pytest.approx(alike * (alike + 1) / (alike + 3))
    own = one(db, "SELECT avg(y) AS a FROM p JOIN c ON p.id = c.pid")
    assert own.se == pytest.approx(one(db, "SELECT avg(y) AS a FROM c").se, rel=1e-9)
    total = one(db, "SELECT sum(x) FILTER (WHERE x > 1) AS s FROM p JOIN c ON p.id = c.pid")
    added = k * np.where(x > 1, x, 0)
    assert total.se == pytest.approx(math.sqrt(150 * added.var(ddof=1)), rel=1e-9)


def test_a_join_by_keys_repeats_nothing(parents: tuple[Database, np.ndarray, np.ndarray]) -> None:
    db, _, _ = parents
    alone = one(db, "SELECT corr(x, w) AS r FROM p")
    joined = one(db, "SELECT corr(p.x, q.w) AS r FROM p JOIN p AS q ON p.id = q.id")
    assert joined.interval() == pytest.approx(alone.interval(), rel=1e-9)


def test_codes_are_not_averaged(table: Database) -> None:
    result = table.sql("SELECT arg_max(id, y) AS a, any_value(g) AS b, mode(g) AS c FROM t", m=7, imputer="norm")
    row = result.fetchone()
    assert row is not None
    assert all(isinstance(value, int) for value in row)
    assert sum("perhaps a code" in warning for warning in result.report.warnings) == 3


def test_too_few_degrees_of_freedom_are_undefined_and_say_why() -> None:
    db = imputedb.connect()
    db.register("s", {"x": np.ma.masked_array(np.arange(6.0), [0, 0, 1, 1, 1, 1]), "g": np.array([0, 0, 0, 1, 1, 1])})
    result = db.sql("SELECT g, avg(x) AS a FROM s GROUP BY g", m=3, imputer="hotdeck")
    assert len(result.estimates) == 2
    for row in result.estimates:
        low, high = row["a"].interval()
        assert (math.isnan(low) and "undefined" in str(row["a"].reason)) or high - low < 1e4


def test_ways_of_grouping_stay_apart(table: Database) -> None:
    result = table.sql("SELECT g, count(*) AS n, corr(x, y) AS r FROM t GROUP BY ROLLUP (g) ORDER BY g", m=4)
    assert [row[0] for row in result.fetchall()] == [0, 1, 2, 3, 4, None]
    assert result.estimates[-1]["n"].estimate == N
    whole = table.sql("SELECT corr(x, y) AS r FROM t", m=4).estimates[0]["r"]
    assert result.estimates[-1]["r"].pooled.within == pytest.approx(whole.pooled.within, rel=1e-6)


WORLDS = {
    "lognormal": lambda rng, n: _sloped(np.exp(rng.normal(size=n)), lambda x: 0.5 * x + x * rng.normal(size=n)),
    "zero-inflated": lambda rng, n: _sloped(
        rng.normal(size=n), lambda x: (rng.random(n) < 0.5) * (x + 2 + 0.5 * rng.normal(size=n)), 0.5
    ),
    "interaction": lambda rng, n: _sloped(
        rng.normal(size=n), lambda x: x + 1.5 * x * rng.normal(size=n) + rng.normal(size=n), 1.0
    ),
}


def _sloped(x: np.ndarray, of: object, slope: float = 0.5) -> tuple[np.ndarray, np.ndarray, float]:
    return x, of(x), slope  # type: ignore[operator]


@pytest.mark.parametrize("world", sorted(WORLDS))
def test_slopes_of_complete_data_cover(world: str) -> None:
    """400 samples of 300 at once, a group each; intervals of normal theory cover 40 to 82 %."""
    rng, worlds, n = np.random.default_rng(11), 400, 300
    made = [WORLDS[world](rng, n) for _ in range(worlds)]
    with imputedb.connect() as db:
        g = np.repeat(np.arange(worlds), n)
        x, y = (np.concatenate([one[k] for one in made]) for k in (0, 1))
        db.register("s", {"g": g, "x": x, "y": y})
        rows = db.sql("SELECT g, regr_slope(y, x) AS b FROM s GROUP BY g", m=2).estimates
    covered = [row["b"].interval().low <= made[0][2] <= row["b"].interval().high for row in rows]
    assert np.mean(covered) > 0.92


def test_correlations_of_heavy_tails_cover() -> None:
    """t of 3 degrees of freedom, where intervals of normal theory cover 62 %."""
    rng, worlds, n = np.random.default_rng(12), 400, 200
    s = np.sqrt(3 / rng.chisquare(3, (worlds, n)))
    a, b = rng.normal(size=(2, worlds, n))
    with imputedb.connect() as db:
        both = {"x": (a * s).ravel(), "y": ((0.6 * a + 0.8 * b) * s).ravel()}
        db.register("s", {"g": np.repeat(np.arange(worlds), n), **both})
        rows = db.sql("SELECT g, corr(x, y) AS r FROM s GROUP BY g", m=2).estimates
    covered = [row["r"].interval().low <= 0.6 <= row["r"].interval().high for row in rows]
    assert np.mean(covered) > 0.92


def warned(db: Database, query: str, m: int = 10, imputer: str = "norm") -> list[str]:
    return list(db.sql(query, m=m, imputer=imputer).report.warnings)


def test_suspect_intervals_are_told_by_what_is_measured() -> None:
    rng = np.random.default_rng(0)
    n = 150
    x = rng.normal(size=n)
    gone = rng.random((2, n)) < 0.3
    with imputedb.connect() as db:
        y, z = np.exp(x + 2.5 * rng.normal(size=n)), x + rng.normal(size=n)
        columns = {"x": x, "y": np.ma.masked_array(y, gone[0]), "z": np.ma.masked_array(z, gone[1])}
        db.register("t", {"id": np.arange(n), **columns, "g": np.arange(n) % 40})
        assert warned(db, "SELECT avg(x) AS a, avg(z) AS b, corr(x, z) AS r FROM t") == []
        *_, skewed = warned(db, "SELECT avg(y) AS a, avg(x) AS b FROM t", imputer="pmm")
        assert skewed.startswith("a: with a skewness of ")
        assert any("degrees of freedom in the worst" in one for one in warned(db, "SELECT avg(z) FROM t GROUP BY g"))
        (few,) = warned(db, "SELECT count(*) AS c FROM t WHERE z > 2.9")
        assert "events" in few
        lacking = warned(db, "SELECT floor(z * 4) AS k, avg(x) AS a FROM t GROUP BY k")
        assert any("the draws that have them" in one for one in lacking)


def test_a_join_above_completed_tables_is_told() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=300)
    with imputedb.connect() as db:
        db.register("a", {"id": np.arange(300), "x": x})
        db.register("b", {"id": np.arange(300), "y": np.ma.masked_array(x, rng.random(300) < 0.5)})
        for m in (1, 3):
            told = warned(db, "SELECT corr(x, y) AS r FROM a LEFT JOIN b ON a.id = b.id", m)
            assert any("y of b were completed from columns of their own table" in one for one in told)
        assert warned(db, "SELECT corr(x, y) AS r FROM a JOIN b ON a.id = b.id") == []


def of_group(db: Database, query: str) -> Estimate:
    """The last number of the last group of an answer."""
    *_, row = db.sql(query, m=10, imputer="norm").estimates
    *_, found = row.values()
    assert isinstance(found, Estimate)
    return found


@pytest.mark.parametrize(
    ("window", "plain"),
    [
        ("y > .4 AS high, count(*) / sum(count(*)) OVER () FROM t GROUP BY 1 ORDER BY 1", "avg((y > .4)::INT) FROM t"),
        (
            "y > .4 AS high, round(count(*) * 100.0 / sum(count(*)) OVER (), 9) FROM t GROUP BY 1 ORDER BY 1",
            "100 * avg((y > .4)::INT) FROM t",
        ),
        (
            "y > .4 AS high, sum(x) / sum(sum(x)) OVER () FROM t WHERE x > -1 GROUP BY 1 ORDER BY 1",
            "sum(x) FILTER (WHERE y > .4) / sum(x) FROM t WHERE x > -1",
        ),
        (
            "g, y > .4 AS high, count(*) / sum(count(*)) OVER (PARTITION BY g) FROM t GROUP BY 1, 2 ORDER BY 1, 2",
            "g, avg((y > .4)::INT) FROM t GROUP BY g ORDER BY g",
        ),
        (
            "g, count(*) FILTER (WHERE y > .4) / sum(count(*)) OVER () FROM t GROUP BY g ORDER BY g",
            "avg((y > .4 AND g = 4)::INT) FROM t",
        ),
    ],
)
def test_a_share_of_a_window_has_the_interval_of_a_share(table: Database, window: str, plain: str) -> None:
    share, expected = of_group(table, f"SELECT {window}"), of_group(table, f"SELECT {plain}")
    assert share.estimate == pytest.approx(expected.estimate, rel=1e-9)
    assert share.se == pytest.approx(expected.se, rel=1e-6)
    assert share.interval() == pytest.approx(expected.interval(), rel=1e-6)


@pytest.mark.parametrize("below", ["count(*) FILTER (WHERE x > 1)", "count_if(x > 1)"])
def test_a_ratio_of_counts_that_are_no_part_of_the_whole_may_be_above_1(table: Database, below: str) -> None:
    query = "SELECT y > .4 AS high, count(*) / sum({}) OVER () FROM t GROUP BY 1 ORDER BY 1"
    ratio, share = of_group(table, query.format(below)), of_group(table, query.format("count(*)"))
    low, high = ratio.interval()
    assert low < ratio.estimate < high
    assert ratio.estimate > share.estimate
    assert high > 1
    assert 0 <= share.interval().low <= share.interval().high <= 1


@pytest.mark.parametrize(
    "output",
    [
        "rank() OVER (ORDER BY avg(y))",
        "avg(y) - avg(avg(y)) OVER ()",
        "sum(count(*)) OVER (ORDER BY g)",
        "count(*) / sum(count(*)) OVER (ORDER BY g)",
        "max(y) / max(max(y)) OVER ()",
    ],
)
def test_of_other_windows_no_variance_is_told(table: Database, output: str) -> None:
    answer = table.sql(f"SELECT g, {output} AS w FROM t WHERE y > 0 GROUP BY g", m=5, imputer="norm")
    for row in answer.estimates:
        assert math.isnan(row["w"].se)
    assert any("no variance within draws is known" in one for one in answer.report.warnings)


def test_windows_see_the_groups_that_having_leaves(table: Database) -> None:
    query = "SELECT g, count(*) / sum(count(*)) OVER () AS w FROM t WHERE y > 0 GROUP BY g HAVING g < 2"
    answer = table.sql(query, m=5, imputer="norm")
    assert sum(share for _, share in answer.fetchall()) == pytest.approx(1)
    assert any("no intervals" in one for one in answer.report.notes)


@pytest.mark.parametrize("column", ["id", "x", "y", "t.y"])
def test_a_column_without_gaps_counts_as_its_rows_do(table: Database, column: str) -> None:
    rows, found = one(table, "SELECT count(*) FROM t"), one(table, f"SELECT count({column}) FROM t")
    assert (found.estimate, found.se, *found.interval(0.95)) == (rows.estimate, rows.se, *rows.interval(0.95))


def test_a_column_that_keeps_its_gaps_counts_as_a_share_does() -> None:
    db = loaded()
    db.policy("t", "y", action="keep")
    found = one(db, "SELECT count(y) FROM t")
    low, high = found.interval(0.95)
    assert low < found.estimate < high < N


def test_medians_of_subtotals_have_no_interval_and_say_why() -> None:
    """They were said to be of too few rows; the total took the variance of a group whose key is NULL."""
    db = imputedb.connect()
    db.execute(
        "CREATE TABLE t AS SELECT nullif(i % 3, 0) AS g, CASE WHEN i % 5 > 0 THEN i + (i * 7) % 11 END AS x "
        "FROM range(900) r(i)"
    )
    db.sql("CREATE IMPUTATION POLICY ON t (g) KEEP")
    found = db.sql("SELECT grouping(g) AS level, median(x) AS half FROM t GROUP BY CUBE (g)", m=3, imputer="norm")
    levels = found.fetchnumpy()["level"]
    assert sorted(levels) == [0, 0, 0, 1]
    for level, row in zip(levels, found.estimates, strict=True):
        one = row["half"]
        assert isinstance(one, Estimate)
        assert math.isnan(one.se) == (level == 1)
        assert ("subtotals" in (one.reason or "")) == (level == 1)
    assert any("half: no variance within a draw is looked for in subtotals" in one for one in found.report.warnings)
