"""Odd numbers in public calls: answers or errors of ours, and never a warning of NumPy's."""

from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.answers.remarks import doubts
from imputedb.answers.request import QueryOptions
from imputedb.execution.outcome import Outcome
from imputedb.imputers import KNN

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

N = 40
QUERY = "SELECT avg(y) AS a, count(*) FILTER (WHERE y > 0) AS n, corr(x, y) AS r, regr_slope(y, x) AS b FROM t"


def table(shape: str, rows: int = N) -> Database:
    rng = np.random.default_rng(3)
    x = rng.normal(size=rows)
    y = {
        "constant": np.full(rows, 0.1),
        "huge": np.clip(x, -1, 1) * 1e308,
        "tiny": np.abs(x) * 1e-308,
        "infinite": np.where(x < -0.8, -np.inf, x),
        "all but one": np.where(np.arange(rows) == 0, 1.0, 0.0),
    }[shape]
    db = imputedb.connect()
    word = rng.choice(["u", "v"], rows).astype(object)
    db.register("t", {"id": np.arange(rows), "x": x, "word": word, "y": np.ma.masked_array(y, rng.random(rows) < 0.5)})
    return db


def refused(db: Database, query: str, **wishes: Any) -> str:
    """Why there is no answer; nothing where there is one."""
    try:
        db.sql(query, **wishes).fetchall()
    except imputedb.Error as error:
        return str(error)
    return ""


@pytest.mark.sampled(6)
@pytest.mark.parametrize("shape", ["constant", "huge", "tiny", "infinite", "all but one"])
@pytest.mark.parametrize("imputer", ["tree", "norm", "pmm", "knn"])
def test_draws_of_odd_numbers_warn_in_our_words(shape: str, imputer: str) -> None:
    assert "please report it" not in refused(table(shape), QUERY, m=3, imputer=imputer)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("shape", ["constant", "huge", "tiny", "infinite", "all but one"])
@pytest.mark.parametrize("method", ["aipw", "bounds", "ml"])
@pytest.mark.parametrize("rows", [2, N])
def test_answers_without_draws_of_odd_numbers_warn_in_our_words(shape: str, method: str, rows: int) -> None:
    found = refused(table(shape, rows), "SELECT avg(y) AS a FROM t WHERE x > 0", method=method)
    assert "please report it" not in found


def test_an_infinite_number_is_no_value_of_a_model() -> None:
    with pytest.raises(imputedb.Error, match=r"avg\(t.y\) reads an infinite number"):
        table("infinite").sql("SELECT word, avg(y) AS a FROM t GROUP BY word", method="aipw")


def test_text_puts_no_rows_in_order() -> None:
    with pytest.raises(imputedb.Error, match="word does not put rows in order"):
        table("tiny").sql("SELECT count(*) FILTER (WHERE y > 0) AS n FROM t", imputer=KNN(before="word"))


def test_at_alpha_0_no_smaller_alpha_is_advised() -> None:
    (said,) = doubts(0.9, Outcome(), QueryOptions(0.0, (), 0, "planned"))
    assert "smaller alpha" not in said
    (said,) = doubts(0.9, Outcome(), QueryOptions(0.5, (), 0, "planned"))
    assert "a smaller alpha answers better" in said


_TWICE = "SELECT max(n) FROM t UNION ALL SELECT count(*) FROM t WHERE n IS NULL"
"""The same table read completed, and asked about: one of its two scans reads values of the column."""


@pytest.mark.parametrize("fit", ["query", "table"])
@pytest.mark.parametrize(
    ("low", "kind", "step"),
    [(2**52, "BIGINT", 0), (2**53, "BIGINT", 2), (-(2**60), "BIGINT", 256), (2**70, "HUGEINT", 2**18)],
)
def test_whole_numbers_that_are_no_doubles_are_told_of(fit: Any, low: int, kind: str, step: int) -> None:
    with imputedb.connect() as db:
        number = f"CASE WHEN i % 5 > 0 THEN {low}::HUGEINT + i END::{kind}"
        db.execute(f"CREATE TABLE t AS SELECT i AS x, {number} AS n FROM range(60) r(i)")
        for imputer in ("norm", "mean", "knn"):
            report = db.sql("SELECT max(n) FROM t", imputer=imputer, fit=fit).report
            said = [str(one) for one in report.warnings if "2^53" in one]
            assert len(said) == (step > 0), imputer
            assert all(f"{step:,} apart" in one for one in said)
        for text, count in (("SELECT max(n) FROM t", 1), ("SELECT max(x) FROM t", 0), (_TWICE, 1)):
            report = db.sql(text, imputer="mean", strategy="base", fit=fit).report
            assert sum("2^53" in str(one) for one in report.warnings) == (count if step else 0), text
