"""The paragraph for the methods of a paper says what was done, and no more."""

import numpy as np
import pytest

from imputedb import Database


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
        ("SELECT x FROM t", {"imputer": "mean"}, ["understates spread"], ["Rubin"]),
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
