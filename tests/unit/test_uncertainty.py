"""Intervals on answers: variances within draws by hand, what is asked for, what is refused."""

import math

import numpy as np
import pytest
from scipy import stats

from imputedb import Database
from imputedb.answers.multiple.measures import MEASURES, Call, Closed
from imputedb.errors import QueryError
from imputedb.sql import ast as t


@pytest.fixture
def sample(db: Database) -> Database:
    """500 complete rows, so that nothing but the variance within a draw is left."""
    rng = np.random.default_rng(3)
    n = 500
    x = rng.gamma(2.0, 3.0, n)
    y = 2 * x + rng.normal(0, 4, n)
    db.register("s", {"id": np.arange(n), "x": x, "y": y, "g": np.arange(n) % 2})
    return db


def columns(db: Database) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values = db._engine.connection.execute("SELECT x, y, g FROM s ORDER BY id").fetchnumpy()
    return values["x"], values["y"], values["g"]


def test_closed_forms_are_those_of_the_books(sample: Database) -> None:
    x, y, g = columns(sample)
    n, mine = len(x), x[g == 0]
    (row,) = sample.sql(
        "SELECT avg(x) a, sum(x) FILTER (WHERE g = 0) s, count(*) FILTER (WHERE g = 0) c, var_samp(x) v, stddev(x) d, "
        "corr(x, y) r, regr_slope(y, x) b, regr_intercept(y, x) i, avg((x > 5)::INTEGER) p FROM s",
        m=2,
    ).estimates
    z = np.where(g == 0, x, 0)
    line = stats.linregress(x, y)
    design = np.column_stack([np.ones(n), x])
    inverse = np.linalg.inv(design.T @ design)
    leverage = np.einsum("ni,ij,nj->n", design, inverse, design)
    off = (y - line.intercept - line.slope * x) / (1 - leverage)
    hc3 = inverse @ (design.T * off**2) @ design @ inverse
    fourth = ((x - x.mean()) ** 4).mean()
    var = x.var(ddof=1)
    expected = {
        "a": var / n,
        "s": n * z.var(ddof=1),
        "c": n * (g == 0).var(ddof=1),
        "v": (fourth - var**2 * (n - 3) / (n - 1)) / n,
        "b": hc3[1, 1],
        "i": hc3[0, 0],
        "p": (x > 5).var(ddof=1) / n,
    }
    for name, variance in expected.items():
        assert row[name].se ** 2 == pytest.approx(variance, rel=1e-9), name
    assert row["d"].se == pytest.approx(row["v"].se / (2 * math.sqrt(var)), rel=1e-9)
    zx, zy = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    r = float((zx * zy).mean())
    curve = (zx * zy - r * (zx**2 + zy**2) / 2) / (1 - (1 + zx**2 + zy**2) / n)
    error = math.sqrt((curve**2).sum()) / n / (1 - r**2)
    half = stats.t.ppf(0.975, (n - 2) * (n - 1) / (n + 1)) * error
    low, high = row["r"].interval()
    assert (math.atanh(low), math.atanh(high)) == pytest.approx((math.atanh(r) - half, math.atanh(r) + half), rel=1e-6)
    assert row["s"].estimate == pytest.approx(mine.sum())
    assert row["p"].scale.name == "score"
    assert (row["d"].scale.name, row["r"].scale.name) == ("log", "fisher")


def test_an_expression_is_pooled_as_a_whole(sample: Database) -> None:
    """The ratio of two means: the delta method's variance is that of y - R x over the squared mean of x."""
    x, y, _ = columns(sample)
    n, ratio = len(x), y.mean() / x.mean()
    query = "SELECT sum(y) / sum(x) a, avg(y) / avg(x) b, round(100.0 * avg(y) / avg(x), 9) c, avg(y) - avg(x) d FROM s"
    (row,) = sample.sql(query, m=2).estimates
    variance = (y - ratio * x).var(ddof=1) / n / x.mean() ** 2
    assert row["a"].se ** 2 == pytest.approx(variance, rel=1e-9)
    assert row["b"].se ** 2 == pytest.approx(variance, rel=1e-9)
    assert row["c"].se ** 2 == pytest.approx(1e4 * variance, rel=1e-6)
    assert row["d"].se ** 2 == pytest.approx((y - x).var(ddof=1) / n, rel=1e-9)


def test_a_bootstrap_stands_in_for_a_formula(sample: Database) -> None:
    x, y, _ = columns(sample)
    text = "SELECT median(x) q, covar_samp(x, y) c, avg(x) * median(y) e, approx_quantile(x, 0.5) p, sem(x) m FROM s"
    (row,) = sample.sql(text, m=5).estimates
    rng = np.random.default_rng(0)
    places = rng.integers(0, len(x), (2000, len(x)))
    medians = np.median(x[places], axis=1)
    assert row["q"].se == pytest.approx(medians.std(), rel=0.2)
    assert row["p"].se == pytest.approx(medians.std(), rel=0.2)
    assert row["m"].se == pytest.approx(x[places].std(axis=1).std() / len(x) ** 0.5, rel=0.2)
    covariances = [np.cov(x[one], y[one])[0, 1] for one in places[:500]]
    assert row["c"].se == pytest.approx(np.std(covariances), rel=0.2)
    assert row["e"].se > 0


def test_nothing_missing_is_no_missing_information(sample: Database) -> None:
    result = sample.sql("SELECT g, avg(x), count(*) FROM s GROUP BY g ORDER BY g", m=7)
    assert [row[:2] for row in result.fetchall()] == sample.execute("SELECT g, avg(x) FROM s GROUP BY g ORDER BY g")
    assert all(one.fmi == 0 for row in result.estimates for one in row.values())
    assert result.columns[-1] == "in_draws"


def test_the_two_questions_have_two_intervals(people: Database) -> None:
    query = "SELECT avg(height) h, min(height) low FROM exam"
    (population,) = people.sql(query, m=10).estimates
    result = people.sql(query, m=10, interval="answer")
    (answer,) = result.estimates
    wide, narrow = population["h"].interval(), answer["h"].interval()
    assert wide.low < narrow.low < narrow.high < wide.high
    assert answer["h"].df == 9
    assert math.isnan(population["low"].se)
    assert "sample" in str(population["low"].reason)
    assert answer["low"].interval().low <= answer["low"].estimate


def test_a_group_that_only_some_draws_have_says_so(db: Database) -> None:
    x = np.ma.masked_array(np.r_[np.arange(40.0), 39.4, 0], np.r_[np.zeros(40), 1, 1].astype(bool))
    db.register("r", {"id": np.arange(42), "x": x})
    result = db.sql("SELECT id, count(*) n FROM r WHERE x > 20 AND id >= 40 GROUP BY id", m=20, imputer="hotdeck")
    shares = [row[-1] for row in result.fetchall()]
    assert shares
    assert all(0 < share < 1 for share in shares)
    assert all(one.share == share for row, share in zip(result.estimates, shares, strict=True) for one in row.values())


def test_order_and_limit_are_of_the_pooled_answer(people: Database) -> None:
    for ordering in ("2 DESC", "avg(height) DESC", "h DESC", "avg(height) * 2 DESC"):
        query = (
            f"SELECT sex, avg(height) AS h FROM person JOIN exam USING (id) GROUP BY sex ORDER BY {ordering} LIMIT 1"
        )
        rows = people.sql(query, m=4).fetchall()
        both = people.sql("SELECT sex, avg(height) AS h FROM person JOIN exam USING (id) GROUP BY sex", m=4).fetchall()
        assert rows == [max(both, key=lambda row: row[1])]


def test_order_by_all_and_by_a_quoted_name(people: Database) -> None:
    rows = people.sql("SELECT sex, avg(height) FROM person JOIN exam USING (id) GROUP BY sex ORDER BY ALL DESC", m=3)
    assert [row[0] for row in rows.fetchall()] == ["m", "f"]
    left = "SELECT p.sex, avg(e.height) FROM person p LEFT JOIN exam e USING (id) GROUP BY p.sex ORDER BY ALL"
    assert [row[0] for row in people.sql(left, m=3).fetchall()] == ["f", "m"]
    quoted = 'SELECT sex, avg(age) AS "the ""mean""" FROM person GROUP BY sex ORDER BY "the ""mean""" LIMIT 1'
    everyone = people.sql("SELECT sex, avg(age) FROM person GROUP BY sex", m=3).fetchall()
    assert people.sql(quoted, m=3).fetchall() == [min(everyone, key=lambda row: row[1])]


def test_what_is_no_number_is_the_most_frequent_value(people: Database) -> None:
    result = people.sql("SELECT max(sex) AS last, avg(age) FROM person", m=4)
    assert result.fetchone()[0] == "m"  # type: ignore[index]
    assert any("no number" in warning for warning in result.report.warnings)


def test_of_two_values_as_frequent_the_lesser_is_told(db: Database) -> None:
    db.execute("CREATE TABLE r AS SELECT i AS id, CASE WHEN i < 20 THEN i % 2 END AS x FROM range(21) t(i)")
    query = "SELECT max(x)::VARCHAR AS most, max(x) AS mean FROM r WHERE id = 20"
    answers = [db.sql(query, m=2, imputer="hotdeck", seed=seed).fetchall()[0][:2] for seed in range(20)]
    assert set(answers) == {("0", 0.0), ("0", 0.5), ("1", 1.0)}


def test_nested_blocks_run_draw_by_draw(people: Database) -> None:
    query = (
        "WITH t AS (SELECT sex, avg(age) a FROM person GROUP BY sex) SELECT max(a) - min(a) AS gap, count(*) n FROM t"
    )
    (row,) = people.sql(query, m=6, interval="answer").estimates
    assert row["gap"].pooled.between > 0
    assert row["n"].estimate == 2


def test_a_nested_block_needs_no_name(people: Database) -> None:
    inner = "(SELECT sex, avg(age) a FROM person GROUP BY sex)"
    named = people.sql(f"SELECT max(a) AS most FROM {inner} AS t", m=3, interval="answer")
    unnamed = people.sql(f"SELECT max(a) AS most FROM {inner}", m=3, interval="answer")
    assert unnamed.fetchall() == named.fetchall()
    both = people.sql(f"SELECT count(*) AS n FROM {inner}, {inner}", m=3, interval="answer")
    assert both.estimates[0]["n"].estimate == 4


def test_a_set_operation_is_not_pooled_and_says_so(people: Database) -> None:
    result = people.sql("SELECT avg(age) FROM person UNION ALL SELECT avg(pulse) FROM exam", m=3)
    assert len(result) == 2
    assert any(note.startswith("no intervals") for note in result.report.notes)


def test_a_spread_that_is_no_number_is_no_error(db: Database) -> None:
    for odd in (np.inf, 1e200):
        x = np.r_[np.arange(50.0), odd]
        db.register("r", {"x": np.ma.masked_array(np.r_[x, 0], np.r_[np.zeros(51), 1].astype(bool))})
        (row,) = db.sql("SELECT var_samp(x) AS v, stddev(x) AS d, avg(x) AS a FROM r", m=3, imputer="hotdeck").estimates
        assert all(math.isinf(one.estimate) or one.estimate > 1e100 for one in row.values())


def test_a_block_that_is_not_planned_runs_draw_by_draw(people: Database) -> None:
    query = (
        "SELECT p.sex AS s, avg(e.height) AS h, count(*) AS n, median(e.pulse) AS p "
        "FROM person p LEFT JOIN exam e USING (id) "
        "GROUP BY 1 HAVING n > 5 ORDER BY h DESC LIMIT 2"
    )
    result = people.sql(query, m=5, imputer="norm")
    assert result.report.strategy == "completed"
    assert [row["h"].estimate for row in result.estimates] == sorted((r[1] for r in result.fetchall()), reverse=True)
    assert all(0 < row["h"].fmi < 1 and math.isnan(row["p"].se) for row in result.estimates)
    assert any("not planned" in warning for warning in result.report.warnings)


def test_an_aggregation_of_no_rows_has_its_one_row(people: Database) -> None:
    result = people.sql("SELECT count(*) AS n, sum(age) AS s FROM person WHERE false", m=3)
    assert [row[0] for row in result.fetchall()] == [0]
    assert people.sql("SELECT count(*) FROM person WHERE age > 1000", m=3).fetchall()[0][0] == 0
    rare = people.sql("SELECT count(*) AS n FROM person WHERE age > 78.9", m=8, imputer="norm")
    assert len(rare) == 1
    assert rare.estimates[0]["n"].share == 1


def test_rows_are_not_pooled_and_say_so(people: Database) -> None:
    result = people.sql("SELECT age FROM person", m=5)
    assert any(note.startswith("no intervals") for note in result.report.notes)
    with pytest.raises(QueryError, match="no intervals"):
        _ = result.estimates
    with pytest.raises(QueryError, match="m = 1 has no interval"):
        _ = people.sql("SELECT avg(age) FROM person").estimates


def test_as_many_draws_as_are_needed(people: Database) -> None:
    result = people.sql("SELECT avg(age) FROM person", m="auto", imputer="norm", precision=0.05)
    assert result.report.m > 20
    rough = people.sql("SELECT avg(age) FROM person", m="auto", imputer="norm", precision=0.5)
    assert rough.report.m == 20


def test_an_improper_imputer_is_warned_of(people: Database) -> None:
    for imputer, improper in (("mean", True), ("norm", False)):
        warnings = people.sql("SELECT avg(age) FROM person", m=3, imputer=imputer).report.warnings
        assert any("too short" in one for one in warnings) is improper


def test_a_measure_of_your_own(sample: Database) -> None:
    def variance(call: Call) -> t.Tree:
        return t.arithmetic("/", call.of("max", call.argument(0)), call.count)

    own = Closed(frozenset({"max"}), variance)
    (row,) = sample.sql("SELECT max(x) a FROM s", m=2, measures=(own, *MEASURES)).estimates
    assert row["a"].se ** 2 == pytest.approx(row["a"].estimate / 500)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"m": 0}, "m is 0"),
        ({"m": 100_000}, "m is 100000"),
        ({"m": 5, "interval": "maybe"}, "no interval 'maybe'"),
        ({"m": 5, "level": 95}, "level"),
        ({"m": "auto", "precision": 0}, "precision"),
        ({"m": "many"}, "m is 'many'"),
        ({"m": True}, "m is True"),
        ({"m": 5, "level": "0.9"}, "level is '0.9'"),
        ({"m": "auto", "precision": "a"}, "precision is 'a'"),
        ({"alpha": "a"}, "alpha is 'a'"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"deviations": 2}, "choose it, or leave deviations out"),
        ({"deviations": float("nan"), "method": "bounds"}, "deviations is nan"),
        ({"deviations": "2", "method": "bounds"}, "deviations is '2'"),
        ({"imputer": None}, "None is not an imputer"),
        ({"imputer": ()}, "choice of imputers is empty"),
        ({"measures": None}, "measures are None"),
        ({"measures": ("avg",)}, "no installed package has a measure 'avg'"),
    ],
)
def test_bad_wishes_are_refused(people: Database, asked: dict[str, object], said: str) -> None:
    with pytest.raises(QueryError, match=said):
        people.sql("SELECT avg(age) FROM person", **asked)  # type: ignore[arg-type]


def test_a_query_is_a_text(people: Database) -> None:
    with pytest.raises(QueryError, match="the query is None"):
        people.sql(None)  # type: ignore[arg-type]


def test_numbers_of_other_libraries_are_numbers(people: Database) -> None:
    wishes = {"m": np.int64(3), "level": np.float64(0.5), "seed": np.int32(1)}
    result = people.sql("SELECT avg(age) FROM person", **wishes)  # type: ignore[arg-type]
    assert result.fetchall() == people.sql("SELECT avg(age) FROM person", m=3, level=0.5, seed=1).fetchall()


def test_answers_are_kept_with_their_intervals(people: Database) -> None:
    people.sql("CREATE TABLE kept AS SELECT avg(age) AS a FROM person", m=3)
    (row,) = people.execute("SELECT a, a_se, a_low, a_high, a_fmi FROM kept")
    assert row[2] < row[0] < row[3]


@pytest.mark.parametrize("imputer", ["hotdeck", "norm", "tree"])
def test_draws_that_know_nothing_of_other_columns_are_said(db: Database, imputer: str) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=200)
    y = np.ma.masked_array(x + rng.normal(size=200), rng.random(200) < 0.3)
    db.register("r", {"id": np.arange(200), "x": x, "y": y})
    warnings = db.sql("SELECT corr(x, y) AS r FROM r", m=3, imputer=imputer).report.warnings
    assert any("know nothing of other columns" in one for one in warnings) == (imputer == "hotdeck")
