"""Expressions that choose a branch by an aggregate: near the threshold their error is that of the choice too."""

from collections.abc import Iterator

import numpy as np
import pytest

import imputedb
from imputedb import Database


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=400)
    x += 5.02 - x.mean()
    missing = rng.random(400) < 0.2
    rows = ", ".join(f"({n}, {'NULL' if gone else value})" for n, (value, gone) in enumerate(zip(x, missing)))  # noqa: B905
    with imputedb.connect() as db:
        db.execute(f"CREATE TABLE t AS SELECT id, x::DOUBLE AS x FROM (VALUES {rows}) v(id, x)")
        yield db


def _error(db: Database, expression: str) -> float | None:
    ((_, error, *_),) = db.sql(f"SELECT {expression} AS a FROM t", m=3, imputer="hotdeck").fetchall()
    return float(error) if error is not None else None


NEAR = {
    "CASE WHEN avg(x) > 5 THEN avg(x) ELSE 0 END": 2.3,
    "if(avg(x) BETWEEN 5 AND 9, 2 * avg(x), 0)": 4.6,
    "CASE WHEN avg(x) > 5 THEN 10 ELSE avg(x) END": 2.3,
    "2 * CASE WHEN NOT avg(x) <= 5 THEN avg(x) ELSE 0 END + 1": 4.6,
    "CASE WHEN random() > 0.5 THEN avg(x) ELSE 0 END": 2.5,
    "greatest(avg(x), 5.05)": 0.03,
    "CASE WHEN avg(x) BETWEEN 5.025 AND 5.06 THEN avg(x) + 10 ELSE avg(x) END": 4.5,
}


@pytest.mark.parametrize("expression", NEAR)
def test_near_a_threshold_the_error_is_that_of_replications(db: Database, expression: str) -> None:
    found = _error(db, expression)
    assert found is not None
    assert NEAR[expression] / 2 < found < NEAR[expression] * 2


FAR = (
    *("CASE WHEN avg(x) > 4 THEN avg(x) ELSE 0 END", "greatest(avg(x), 1, 2)", "least(avg(x), sum(x))"),
    *("if(count(*) > 399, avg(x), 0)", "coalesce(avg(x), 0)", "nullif(avg(x), 5)", "abs(avg(x))"),
    *("CASE WHEN avg(x) < 4 OR sum(x) < 0 THEN 0 ELSE avg(x) END", "avg(x)"),
)


def test_far_from_it_the_error_is_that_of_the_branch(db: Database) -> None:
    shown = ", ".join(f"{one} AS a{n}" for n, one in enumerate(FAR))
    (row,) = db.sql(f"SELECT {shown} FROM t", m=3, imputer="hotdeck").fetchall()
    errors = row[1::5]
    assert errors == pytest.approx([errors[-1]] * len(FAR), rel=0.01)


def test_by_group_and_where_nothing_tells(db: Database) -> None:
    choice = "CASE WHEN avg(x) > 5 THEN avg(x) ELSE 0 END"
    found = db.sql(f"SELECT id < 4 AS few, {choice} AS a FROM t GROUP BY id < 4", m=2, imputer="hotdeck")
    assert all(row[2] is None or row[2] > 0.5 for row in found)
    assert _error(db, "CASE WHEN max(x) > 5 THEN avg(x) ELSE 0 END") is None


# avg(x) is 5.028 with an interval of 4.929 to 5.126
IMAGES = {
    "greatest(avg(x), 5.05)": ("5.05", "{high}"),
    "least(5.0, avg(x))": ("{low}", "5"),
    "CASE WHEN avg(x) > 5 THEN avg(x) ELSE 0 END": ("0", "{high}"),
    "CASE WHEN avg(x) > 5 THEN 10.5 - avg(x) ELSE avg(x) END": ("{low}", "5.5"),
    "abs(avg(x) - 5)": ("0", "{high} - 5"),
    "3 * greatest(avg(x), 5.05) + 1": ("3 * 5.05 + 1", "3 * {high} + 1"),
    "CASE WHEN avg(x) > 4.9 THEN avg(x) END": ("{low}", "{high}"),
}


@pytest.mark.parametrize("question", ["population", "answer"])
def test_an_interval_has_the_values_that_the_choice_has_in_that_of_its_number(db: Database, question: str) -> None:
    shown = ", ".join(f"{one} AS a{n}" for n, one in enumerate(("avg(x)", *IMAGES)))
    text = f"SELECT {shown} FROM t"
    (row,) = db.sql(text, m=3, imputer="hotdeck", interval=question).estimates  # type: ignore[arg-type]
    of_mean, *others = row.values()
    low, high = of_mean.interval()
    for expression, wanted, one in zip(IMAGES, IMAGES.values(), others, strict=True):
        ends = [eval(end.format(low=low, high=high)) for end in wanted]
        kept = [min(ends[0], one.estimate), ends[1]] if question == "answer" else ends
        if low < 5 < high:
            assert list(one.interval()) == pytest.approx(kept, abs=0.03 * (high - low)), expression
        assert one.interval().low <= one.estimate <= one.interval().high


def test_near_the_bound_the_error_goes_on_to_that_of_a_normal_distribution(db: Database) -> None:
    """Two standard errors from it, it was a third of what replications have."""
    (row,) = db.sql("SELECT avg(x) AS a FROM t", m=3, imputer="hotdeck").estimates
    mean, error = row["a"].estimate, row["a"].se
    wanted = {0: 0.584, 1: 0.262, 2: 0.0756}  # standard deviation of max(z, d), z standard normal
    shown = ", ".join(f"greatest(avg(x), {mean + d * error}) AS g{d}" for d in wanted)
    (row,) = db.sql(f"SELECT {shown} FROM t", m=3, imputer="hotdeck").estimates
    assert [row[f"g{d}"].se / error for d in wanted] == pytest.approx(list(wanted.values()), rel=0.02)


def test_two_numbers_that_choose_are_looked_at_together(db: Database) -> None:
    text = "SELECT greatest(avg(x), median(x)) AS a, avg(x) AS b, median(x) AS c FROM t"
    (row,) = db.sql(text, m=3, imputer="hotdeck").estimates
    assert row["a"].estimate == max(row["b"].estimate, row["c"].estimate)
    assert row["a"].interval().high >= max(row["b"].interval().high, row["c"].interval().high)
    assert row["a"].interval().low <= max(row["b"].interval().low, row["c"].interval().low)


def test_a_choice_that_may_be_null_has_no_interval_and_says_so(db: Database) -> None:
    result = db.sql("SELECT CASE WHEN avg(x) > 5 THEN avg(x) END AS a FROM t", m=3, imputer="hotdeck")
    assert result.fetchall()[0][1:4] == (None, None, None)
    assert any("may leave it NULL" in note for note in result.report.warnings)


def test_by_group_only_those_in_doubt_have_other_errors(db: Database) -> None:
    shown = "greatest(avg(x), if(g = 0, 5.0, -9)) AS a, avg(x) AS b"
    text = f"SELECT g, {shown} FROM (SELECT id % 2 AS g, x FROM t) GROUP BY g ORDER BY g"
    even, odd = db.sql(text, m=3, imputer="hotdeck").estimates
    assert odd["a"].interval() == pytest.approx(odd["b"].interval(), rel=1e-9)
    assert even["a"].interval() == pytest.approx((5.0, even["b"].interval().high), rel=1e-9)


def test_the_end_of_a_kink_is_in_its_interval_wherever_it_lies(db: Database) -> None:
    """The absolute value of a number whose interval has 0: a sixth of the intervals began beyond 0."""
    (row,) = db.sql("SELECT avg(x) AS a FROM t", m=3, imputer="hotdeck").estimates
    places = [row["a"].estimate + z * row["a"].se for z in np.linspace(-1.9, 1.9, 12)]
    shown = ", ".join(f"abs(avg(x) - ({float(place)!r})) AS a{n}" for n, place in enumerate(places))
    (row,) = db.sql(f"SELECT {shown} FROM t", m=3, imputer="hotdeck").estimates
    assert [one.interval().low for one in row.values()] == pytest.approx([0.0] * len(places), abs=1e-9)
