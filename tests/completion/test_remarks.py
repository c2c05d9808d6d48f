"""What is refused of a run, what it warns of, and columns whose names or types are hard to write."""

from pathlib import Path

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.errors import QueryError

ROWS = 40


@pytest.fixture
def db() -> Database:
    rng = np.random.default_rng(0)
    x = rng.normal(size=ROWS)
    found = imputedb.connect()
    y = np.ma.masked_array(x + rng.normal(size=ROWS), np.arange(ROWS) % 4 == 0)
    found.register("t", {"id": np.arange(ROWS), "x": x, "y": y}, keep=True)
    return found


def test_a_run_of_complete_columns_is_refused_or_said(db: Database, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="id: nothing is missing"):
        db.impute("t", tmp_path / "id", m=2, columns=["id"])
    assert not (tmp_path / "id").exists()
    assert db.impute("t", tmp_path / "both", m=2, columns=["id", "y"]).warnings == ()
    assert db.impute("SELECT id, x FROM t", tmp_path / "none", m=2).warnings == (
        "nothing was imputed: the 2 data sets are equal",
    )
    assert "says nothing of how uncertain" in db.impute("t", tmp_path / "one", m=1).warnings[0]


@pytest.mark.parametrize(("imputer", "said"), [("mean", 2), ("knn", 1), ("hotdeck", 1), ("norm", 0), ("tree", 0)])
def test_a_run_says_where_its_draws_agree_or_differ_too_little(
    db: Database, tmp_path: Path, imputer: str, said: int
) -> None:
    made = db.impute("t", tmp_path / "run", m=3, imputer=imputer)
    assert len(made.warnings) == said, made.warnings
    assert any("the same in all 3 data sets" in warning for warning in made.warnings) == (imputer == "mean")
    assert made.analyze("y ~ x").notes == made.warnings
    kinds = {"mean": ["SAME_DRAWS", "IMPROPER"], "knn": ["IMPROPER"], "hotdeck": ["UNRELATED"]}
    assert [one.kind.name for one in imputedb.completed(made.folder).warnings] == kinds.get(imputer, [])


def test_a_run_is_named_by_settings_and_not_by_where_an_imputer_lies_in_memory(db: Database, tmp_path: Path) -> None:
    class Mine:
        name, uses_predictors = "mine", False

        def __init__(self, value: float) -> None:
            self.value = value

        def time(self, work: object) -> float:  # noqa: ARG002
            return 1.0

        def penalty(self, work: object) -> float:  # noqa: ARG002
            return 0.5

        def impute(self, rows, targets, *_, **__):  # type: ignore[no-untyped-def]
            return {c: np.full(rows.columns[c].missing.sum(), self.value) for c in targets}

    first = db.impute("t", tmp_path / "run", m=2, imputer=Mine(1))
    assert db.impute("t", tmp_path / "run", m=2, imputer=Mine(1)).folder == first.folder
    assert db.impute("t", tmp_path / "run", m=2, imputer=Mine(2)).folder != first.folder
    assert first.frame(1)["y"][0] == 1
    means = [db.impute("t", tmp_path / "mean", m=2, imputer="mean").folder for _ in range(2)]
    assert means[0] == means[1]


@pytest.mark.parametrize("name", [".imp", ".ID", "Y__imputed"])
def test_a_column_that_the_run_would_add_is_refused_by_name(db: Database, tmp_path: Path, name: str) -> None:
    source = f'SELECT y, x AS "{name}" FROM t'
    with pytest.raises(QueryError, match=f"(?i)a column {name}, but a column of that name exists"):
        db.impute(source, tmp_path / "run", m=2, long=True)
    assert list(db.impute(source, tmp_path / "run", m=2, flags=False).frame(1).columns) == ["y", name]


@pytest.mark.parametrize("name", ["file_row_number", "filename", "hive", "part", "numbers", "draw", "range"])
def test_long_files_hold_columns_of_any_other_name(db: Database, tmp_path: Path, name: str) -> None:
    made = db.impute(f'SELECT id AS "{name}", x, y FROM t', tmp_path / "run", m=2, long=True)
    for frame in made:
        assert list(frame[name]) == list(range(ROWS))
        assert not frame["y"].isna().any()


@pytest.mark.parametrize("long", [False, True])
def test_intervals_keep_their_sign_and_microseconds(db: Database, tmp_path: Path, long: bool) -> None:
    span = "CASE WHEN id % 5 > 0 THEN to_microseconds((id - 9) * 1000001) END"
    db.execute(f"CREATE TABLE late AS SELECT id, x, {span} AS d FROM t")
    made = db.impute("late", tmp_path / "run", m=2, long=long)
    first = made.frame(1)
    spans = first["d"].dt.total_seconds()
    kept = ~first["d__imputed"]
    assert np.allclose(spans[kept], (first["id"][kept] - 9) * 1.000001)
    assert not spans.isna().any()
    assert spans.min() < 0


ENDS = {
    "UTINYINT": ("255", "0"),
    "TINYINT": ("-128", "127"),
    "BIGINT": ("9223372036854775807", "-9223372036854775808"),
    "UBIGINT": ("18446744073709551615", "18446744073709551614"),
    "HUGEINT": ("170141183460469231731687303715884105727", "-170141183460469231731687303715884105728"),
    "UHUGEINT": ("340282366920938463463374607431768211455", "0"),
    "DECIMAL(38,0)": ("99999999999999999999999999999999999999", "-99999999999999999999999999999999999999"),
    "DECIMAL(18,18)": ("0.999999999999999999", "-0.999999999999999999"),
    "DECIMAL(4,1)": ("999.9", "-999.9"),
    "TIMESTAMP": ("294247-01-10 04:00:54.775806", "290309-12-22 (BC) 00:00:00"),
    "TIMESTAMP_NS": ("2262-04-11 23:47:16.854775806", "1677-09-22 00:00:00"),
    "INTERVAL": ("9223372036854775807 microseconds", "-9223372036854775807 microseconds"),
    "DOUBLE": ("1e300", "-1e300"),
}


@pytest.mark.sampled(23)
@pytest.mark.parametrize("imputer", ["mean", "tree", "norm", "pmm", "knn", "hotdeck"])
@pytest.mark.parametrize("kind", ENDS)
def test_values_at_the_ends_of_a_type_stay_inside_it(kind: str, imputer: str) -> None:
    """A double of the largest whole number may lie beyond it: what is filled in is a value of the type."""
    for values in (ENDS[kind][:1], ENDS[kind][1:], ENDS[kind]):
        with imputedb.connect() as db:
            even, odd = values[0], values[-1]
            known = f"CASE WHEN id % 4 > 0 THEN CAST(CASE id % 2 WHEN 0 THEN '{even}' ELSE '{odd}' END AS {kind}) END"
            db.execute(f"CREATE TABLE b AS SELECT id, {known} AS v FROM range(40) AS r(id)")
            rows = db.sql("SELECT CAST(v AS VARCHAR), typeof(v) FROM b", imputer=imputer).fetchall()
            assert len(rows) == 40
            for text, found in rows:
                assert found == kind
                assert db.execute(f"SELECT TRY_CAST('{text}' AS {kind}) IS NOT NULL") == [(True,)], text


def test_numbers_too_large_to_compute_with_are_refused_by_name() -> None:
    with imputedb.connect() as db:
        x = np.ma.masked_array(np.linspace(1.6e308, 1.7e308, 30), np.arange(30) % 5 == 0)
        db.register("t", {"x": x, "y": np.arange(30.0)})
        with pytest.raises(imputedb.CannotImpute, match=r"t.x .*too large to compute with"):
            db.sql("SELECT x FROM t", imputer="knn")
        assert all(np.isfinite(x) for (x,) in db.sql("SELECT x FROM t", imputer="norm"))
