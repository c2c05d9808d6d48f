"""Shifts of columns that are missing with others: said where values move by more than the shift, and what ends it."""

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.imputers.chained.chained import Chained
from imputedb.imputers.chained.shift import Shift
from imputedb.imputers.registry import imputers_of
from imputedb.notes import NoteKind, is_of
from imputedb.sensitivity import Departures

N = 400


def loaded(*, nested: bool = False, together: bool = True) -> Database:
    rng = np.random.default_rng(0)
    z = rng.normal(size=N)
    x = z + rng.normal(size=N)
    y = x + rng.normal(size=N) * 0.3
    gone = rng.random(N) < 0.3
    also = rng.random(N) < 0.2
    misses = gone | also if nested else (gone & (rng.random(N) < 0.8)) | also
    if not together:
        misses = ~gone & also
    db = imputedb.connect()
    db.register("t", {"id": np.arange(N), "z": z, "x": np.ma.masked_array(x, gone), "y": np.ma.masked_array(y, misses)})
    return db


def moved(db: Database, m: int) -> tuple[float, bool]:
    """How far the mean moves, in shares of what a shift of the missing cells alone would do; and whether it is said."""
    (norm,) = imputers_of("norm")
    shifted = Departures("x", (2.0,)).moved(norm, 2.0)
    answers = [db.sql("SELECT avg(x) AS a FROM t", m=m, imputer=one, seed=3) for one in (norm, shifted)]
    before, after = (one.fetchall()[0][0] for one in answers)
    share = db.execute("SELECT count(*) FILTER (x IS NULL) / count(*) FROM t")[0][0]
    return (after - before) / (2.0 * share), any(is_of(NoteKind.FEEDBACK, one) for one in answers[1].report.warnings)


@pytest.mark.parametrize("m", [1, 3])
def test_what_moves_by_more_than_the_shift_is_said(m: int) -> None:
    times, said = moved(loaded(), m)
    assert times > 1.5
    assert said


@pytest.mark.parametrize("m", [1, 3])
def test_with_the_others_excluded_values_move_by_the_shift(m: int) -> None:
    db = loaded()
    db.policy("t", "x", exclude=("y",))
    assert moved(db, m) == (pytest.approx(1.0, abs=0.01), False)


@pytest.mark.parametrize("name", ["x", "t.x"])
def test_the_policy_that_is_named_ends_it_whatever_columns_are_called(name: str) -> None:
    db = loaded()
    db.execute('ALTER TABLE t RENAME y TO "odd, (name"')
    (norm,) = imputers_of("norm")
    shifted = Departures(name, (2.0,)).moved(norm, 2.0)
    answer = db.sql("SELECT avg(x) FROM t", m=2, imputer=shifted)
    (warning,) = [one for one in answer.report.warnings if is_of(NoteKind.FEEDBACK, one)]
    policy = warning.split("the policy ")[1].split(" of x makes")[0]
    db.sql(f"CREATE IMPUTATION POLICY ON t(x) {policy}")
    again = db.sql("SELECT avg(x) FROM t", m=2, imputer=shifted).report.warnings
    assert not [one for one in again if is_of(NoteKind.FEEDBACK, one)]


def test_nested_patterns_are_drawn_without_cycles() -> None:
    assert moved(loaded(nested=True), 3) == (pytest.approx(1.0), False)


@pytest.mark.parametrize("m", [1, 3])
def test_columns_that_miss_apart_add_nothing(m: int) -> None:
    times, said = moved(loaded(together=False), m)
    assert times == pytest.approx(1.0, abs=0.15)
    assert not said


def test_a_completed_run_says_it_too(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (norm,) = imputers_of("norm")
    done = loaded().impute("t", tmp_path / "run", m=2, imputer=Departures("x", (2.0,)).moved(norm, 2.0))
    assert [one["kind"] for one in done.manifest["columns"]["x"]["notes"]] == ["FEEDBACK"]


@pytest.mark.parametrize("nothing", [Shift(), Shift(odds={"u": 1})])
def test_a_shift_of_nothing_is_not_said(nothing: Shift) -> None:
    db = loaded()
    (norm,) = imputers_of("norm")
    assert isinstance(norm, Chained)
    report = db.sql("SELECT avg(x) FROM t", m=2, imputer=norm.with_deltas({"x": nothing})).report
    assert not [note for note in report.warnings + report.notes if note.kind in (NoteKind.FEEDBACK, NoteKind.ASSUMED)]
