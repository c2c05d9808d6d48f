"""The paragraph for the methods of a paper says what was done, and no more."""

import numpy as np
import pytest

from imputedb import Database
from imputedb.imputers import Chained, Normal, Shift


@pytest.fixture
def gaps(db: Database) -> Database:
    rng = np.random.default_rng(0)
    x = rng.normal(size=120)
    db.register(
        "t", {"id": np.arange(120), "x": np.ma.masked_array(x, rng.random(120) < 0.3), "y": x + rng.normal(size=120)}
    )
    return db


@pytest.mark.parametrize(
    ("text", "wishes", "words", "absent"),
    [
        ("SELECT avg(y) FROM t", {}, ["No missing value was imputed"], ["assumed", "Rubin"]),
        ("SELECT avg(x) FROM t", {}, ["regression trees", "A single imputation", "missing at random"], ["Rubin"]),
        (
            "SELECT avg(x) AS m FROM t",
            {"m": 5, "imputer": "pmm", "level": 0.9, "seed": 7},
            ["predictive mean matching", "5 imputations", "Rubin 1987", "at most", "90%", "the population", "seed 7"],
            ["single", "left out"],
        ),
        ("SELECT avg(x) FROM t", {"alpha": 1}, ["rows were left out", "completely at random"], ["cells"]),
        ("SELECT avg(x) FROM t", {"method": "bounds"}, ["Manski", "assumes nothing"], ["Values were assumed"]),
        ("SELECT avg(x) FROM t", {"method": "aipw"}, ["doubly robust", "Intervals of 95%"], ["imputations"]),
        ("SELECT x FROM t", {"imputer": "mean"}, ["understates spread", "missing completely at random"], ["Rubin"]),
        ("SELECT avg(x) FROM t", {"imputer": "hotdeck", "m": 2}, ["within the classes"], ["the other columns"]),
        (
            "SELECT avg(x) FROM t",
            {"imputer": Chained(Normal(), deltas=(("x", Shift(add=-10)),)), "m": 2, "fit": "table"},
            ["Assumed is that values that are missing differ", "x -10", "In all else", "fitted to the whole table"],
            ["Values were assumed", "the imputer"],
        ),
        (
            "SELECT avg(x) FROM t",
            {"m": 3, "imputer": "norm", "interval": "answer"},
            ["without a variance within imputations", "the complete table would give"],
            ["Barnard"],
        ),
    ],
)
def test_the_paragraph_says_what_was_done(
    gaps: Database, text: str, wishes: dict[str, object], words: list[str], absent: list[str]
) -> None:
    said = gaps.sql(text, **wishes).methods()  # type: ignore[arg-type]
    assert said.endswith(".")
    assert "\n" not in said
    for word in words:
        assert word in said, said
    for word in absent:
        assert word not in said, said


def test_it_names_the_imputer_of_each_column(gaps: Database) -> None:
    gaps.execute("CREATE TABLE u AS SELECT id, x, CASE WHEN id % 4 = 0 THEN NULL ELSE y END AS y FROM t")
    gaps.policy("u", "y", imputer="mean")
    said = gaps.sql("SELECT avg(x), avg(y) FROM u", imputer="norm").methods()
    assert "u.y (30 cells) were imputed by the column's mean" in said
    assert "u.x" in said
    assert "Bayesian linear regression" in said


def test_it_names_the_imputer_behind_a_kept_model_and_what_each_assumes(gaps: Database) -> None:
    gaps.execute("CREATE TABLE u AS SELECT id, x, CASE WHEN id % 4 = 0 THEN NULL ELSE y END AS y FROM t")
    gaps.sql("CREATE IMPUTATION MODEL line ON u (x) USING norm")
    said = gaps.sql("SELECT avg(x), avg(y) FROM u", fit="table", imputer="mean").methods()
    assert "Bayesian linear regression in chained equations (van Buuren 2018), fitted before and kept" in said
    assert "the imputation model line@1" in said
    assert "Values of u.x were assumed to be missing at random given the other columns" in said
    assert "Values of u.y were assumed to be missing completely at random" in said


def test_fractions_of_missing_information_that_are_not_known_are_counted(gaps: Database) -> None:
    said = gaps.sql("SELECT id % 2 AS g, avg(x), max(x) FROM t GROUP BY g", m=5, imputer="norm").methods()
    assert "where it is known; of 2 of 4 numbers it is not" in said
