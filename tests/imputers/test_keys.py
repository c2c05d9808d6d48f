"""Whole numbers that differ in every row: nothing is learnt from keys, which is said where they tell of a column."""

from pathlib import Path

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.notes import Note, NoteKind

N = 200


def loaded(order: bool) -> Database:
    """y rises with the year by a tenth, and differs from that by 1; a third is missing."""
    rng = np.random.default_rng(4)
    year = np.arange(N)
    y = year * 0.1 + rng.normal(size=N)
    db = imputedb.connect()
    key = year if order else rng.permutation(N)
    gone = rng.random(N) < 0.3
    db.register("t", {"year": key + 1800, "z": rng.normal(size=N), "y": np.ma.masked_array(y, gone)})
    return db


def left_out(notes: object) -> list[str]:
    assert isinstance(notes, tuple | list)
    return [note.subject for note in notes if isinstance(note, Note) and note.kind is NoteKind.LEFT_OUT]


@pytest.mark.parametrize("imputer", ["tree", "norm", "pmm"])
def test_a_key_that_tells_of_a_column_is_said(imputer: str, tmp_path: Path) -> None:
    """Years were taken for keys without a word: a series was imputed as if they were not there."""
    db = loaded(order=True)
    for options in ({}, {"m": 3}):
        report = db.sql("SELECT avg(y) FROM t WHERE z > 0", imputer=imputer, **options).report
        assert left_out(report.warnings) == ["t.y"]
    assert left_out(db.impute("t", out=tmp_path / "run", m=2, imputer=imputer).warnings) == ["t.y"]
    assert not left_out(db.sql("SELECT avg(z) FROM t", imputer=imputer, m=3).report.warnings)


def test_keys_in_no_order_and_imputers_that_learn_nothing_have_no_note() -> None:
    assert not left_out(loaded(order=False).sql("SELECT avg(y) FROM t", imputer="norm").report.warnings)
    for imputer in ("mean", "hotdeck"):
        assert not left_out(loaded(order=True).sql("SELECT avg(y) FROM t", imputer=imputer).report.warnings)


@pytest.mark.parametrize("said", [("year", {"measure": "numeric"}), ("y", {"predictors": ["year"]})])
def test_a_policy_makes_a_predictor_of_it(said: tuple[str, dict[str, object]]) -> None:
    """PREDICTORS (year) left nothing to learn from."""
    column, policy = said
    db = loaded(order=True)
    before = db.sql("SELECT avg(y) AS a FROM t", imputer="norm", m=20).estimates[0]["a"]
    db.policy("t", column, **policy)
    result = db.sql("SELECT avg(y) AS a FROM t", imputer="norm", m=20)
    assert not left_out(result.report.warnings)
    assert result.estimates[0]["a"].fmi < before.fmi / 3
    error = np.array(db.sql("SELECT y - 0.1 * (year - 1800) FROM t WHERE IMPUTED(y)", imputer="norm").fetchall())
    assert np.abs(error).mean() < 0.5
