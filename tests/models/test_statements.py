"""Statements about imputation models, and what queries make of the models."""

from pathlib import Path

import duckdb
import numpy as np
import pytest

import imputedb
from imputedb import DataError, QueryError, SqlSyntaxError, StorageError, UnknownName
from imputedb.notes import NoteKind, is_of

TABLE = """CREATE TABLE t AS SELECT i AS id, (i * 7 % 13)::DOUBLE AS x,
    CASE WHEN i % 4 <> 0 THEN (i * 7 % 13) * 2.0 + i % 3 END AS y,
    CASE WHEN i % 5 <> 0 THEN ['a', 'b', 'c'][i % 3 + 1] END AS g, i % 2 = 0 AS train FROM range(400) r(i)"""
MEAN = "SELECT avg(y) FROM t"


@pytest.fixture
def db(tmp_path: Path) -> imputedb.Database:
    found = imputedb.connect(tmp_path / "t.duckdb")
    found.execute(TABLE)
    return found


def shown(db: imputedb.Database) -> list[tuple[str, str, str]]:
    return [(row[0], row[1], row[2]) for row in db.sql("SHOW IMPUTATION MODELS").fetchall()]


def used(db: imputedb.Database, text: str = MEAN) -> dict[str, str]:
    return dict(db.sql(text, fit="table").report.methods)


def test_a_model_fills_in_what_it_covers(db: imputedb.Database) -> None:
    db.sql("CREATE IMPUTATION MODEL line ON t (y) USING norm")
    assert used(db, "SELECT avg(y), count(*) FILTER (WHERE g = 'a') FROM t") == {"t.g": "kept tree", "t.y": "line@1"}
    assert dict(db.sql(MEAN, fit="query").report.methods) == {"t.y": "tree"}


def test_versions_are_made_chosen_and_dropped(db: imputedb.Database) -> None:
    first = db.sql("CREATE IMPUTATION MODEL line ON t (y) USING norm").fetchall()
    assert first[0][:3] == ("line", "1", "True")
    before = db.sql(MEAN, fit="table").fetchall()
    db.execute("UPDATE t SET y = y + 100")
    stale = db.sql(MEAN, fit="table")
    assert "model line@1 was fitted to 400 rows of t, which has changed since" in stale.report.warnings[0]
    db.sql("REFRESH IMPUTATION MODEL line")
    fresh = db.sql(MEAN, fit="table")
    assert fresh.report.methods == {"t.y": "line@2"}
    assert not fresh.report.warnings
    assert fresh.fetchall()[0][0] == pytest.approx(before[0][0] + 100, abs=1)
    assert [row[1:3] for row in db.sql("DESCRIBE IMPUTATION MODEL line").fetchall()] == [("1", "False"), ("2", "True")]
    with pytest.raises(DataError, match="line@2 is the current version"):
        db.sql("DROP IMPUTATION MODEL line@2")
    db.sql("ALTER IMPUTATION MODEL line SET VERSION 1")
    assert db.sql(MEAN, fit="table").fetchall() == stale.fetchall()
    db.sql("DROP IMPUTATION MODEL line@2")
    db.sql("ALTER IMPUTATION MODEL line RENAME TO other")
    assert shown(db) == [("other", "1", "True")]
    db.sql("DROP IMPUTATION MODEL other")
    db.sql("DROP IMPUTATION MODEL IF EXISTS other")
    assert shown(db) == []


def test_a_model_outlives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "kept.duckdb"
    with imputedb.connect(path) as db:
        db.execute(TABLE)
        db.sql("CREATE IMPUTATION MODEL line ON t (y, g) USING norm WITH (draws = 3, seed = 5)")
        answers = [db.sql(MEAN, fit="table").fetchall(), db.sql(MEAN, fit="table", m=3).fetchall()]
        digest = db.model("line").digest
    with imputedb.connect(path, read_only=True) as db:
        assert [db.sql(MEAN, fit="table").fetchall(), db.sql(MEAN, fit="table", m=3).fetchall()] == answers
        assert db.model("line").digest == digest
        assert not db.model("line@1").stale
        with pytest.raises(StorageError, match="open for reading only"):
            db.sql("REFRESH IMPUTATION MODEL line")


def test_a_model_follows_its_table_to_another_name(db: imputedb.Database) -> None:
    db.create_model("line", "t", ("y",), imputer="norm")
    before = db.sql(MEAN, fit="table").fetchall()
    db.execute("ALTER TABLE t RENAME TO s")
    after = db.sql("SELECT avg(y) FROM s", fit="table")
    assert (after.report.methods, after.fetchall()) == ({"s.y": "line@1"}, before)
    assert [one.name for one in db.models("s")] == ["line"]


def test_models_follow_transactions(db: imputedb.Database) -> None:
    db.execute("BEGIN")
    db.sql("CREATE IMPUTATION MODEL line ON t (y) USING norm")
    assert used(db) == {"t.y": "line@1"}
    db.execute("ROLLBACK")
    assert shown(db) == []
    assert used(db) == {"t.y": "kept tree"}
    db.sql("CREATE IMPUTATION MODEL line ON t (y) USING norm")
    db.execute("BEGIN")
    db.sql("REFRESH IMPUTATION MODEL line")
    db.sql("DROP IMPUTATION MODEL line@1")
    db.execute("ROLLBACK")
    assert shown(db) == [("line", "1", "True")]


def test_another_session_sees_a_model_once_it_is_committed(db: imputedb.Database) -> None:
    other = db.session()
    db.execute("BEGIN")
    db.sql("CREATE IMPUTATION MODEL line ON t (y) USING norm")
    assert shown(other) == []
    db.execute("COMMIT")
    assert shown(other) == [("line", "1", "True")]
    assert used(other) == {"t.y": "line@1"}


@pytest.mark.parametrize("place", ["temporary", "attached"])
def test_models_of_tables_elsewhere(tmp_path: Path, place: str) -> None:
    with imputedb.connect() as db:
        if place == "attached":
            db.execute(f"ATTACH '{tmp_path / 'other.duckdb'}' AS other; USE other")
        db.execute(TABLE.replace("CREATE TABLE", "CREATE TEMP TABLE") if place == "temporary" else TABLE)
        db.sql("CREATE IMPUTATION MODEL line ON t (y) USING norm")
        assert used(db) == {"t.y": "line@1"}
        assert [name for (name,) in db.sql("SHOW TABLES").fetchall()] == ["t"]
        if place == "attached":
            db.execute("USE memory; DETACH other")
            assert shown(db) == []
            db.execute(f"ATTACH '{tmp_path / 'other.duckdb'}' AS other; USE other")
            assert used(db) == {"t.y": "line@1"}


def test_what_is_not_learnt_from_decides_nothing(db: imputedb.Database) -> None:
    text = "CREATE OR REPLACE IMPUTATION MODEL line ON t (y) WHERE train USING norm"
    db.sql(text)
    digest = db.model("line").digest
    db.execute("UPDATE t SET y = y * 1000, g = 'c' WHERE NOT train")
    db.sql(text)
    again = db.model("line")
    assert (again.digest, again.version, again.where, again.rows) == (digest, 1, "train", 200)


def test_draws_are_as_many_as_were_made(db: imputedb.Database) -> None:
    db.sql("CREATE IMPUTATION MODEL line ON t (y) USING norm WITH (draws = 2)")
    found = db.sql(MEAN, fit="table", m=2)
    assert found.report.m == 2
    assert db.sql(MEAN, m=3).report.methods == {"t.y": "tree"}  # no choice of the planner's
    with pytest.raises(QueryError, match="model line@1 has 2 draws, no draw 3"):
        db.sql(MEAN, fit="table", m=3)


def test_draws_of_a_model_are_doubted_as_fresh_ones_are() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    y, gone = np.exp(x + 0.5 * rng.normal(size=200)), rng.random(200) < 1 / (1 + np.exp(-2 * x))
    with imputedb.connect() as db:
        db.register("given", {"x": x, "y": np.ma.masked_array(y, gone)})
        db.execute("CREATE TABLE t AS FROM given")
        for imputer, said in (
            ("norm", "not lie around a straight line as normal ones do"),
            ("tree", "lie beyond those"),
        ):
            db.sql(f"CREATE OR REPLACE IMPUTATION MODEL line ON t (y) USING {imputer} WITH (draws = 5)")
            for fit in ("table", "query"):
                told = db.sql("SELECT avg(y) FROM t", m=5, fit=fit, imputer=imputer).report.warnings
                assert any(said in one for one in told), (imputer, fit)


@pytest.mark.parametrize("draws", [1, 4])
def test_a_model_that_was_learnt_from_few_values_says_so_in_every_answer(draws: int) -> None:
    rng = np.random.default_rng(2)
    x, gone = rng.normal(size=60), np.arange(60) % 2 == 1
    with imputedb.connect() as db:
        db.register("t", {"id": np.arange(60), "x": x, "y": np.ma.masked_array(x + rng.normal(size=60), gone)})
        for where, count in (("id < 18", 9), ("id < 20", 10)):
            db.sql(f"CREATE OR REPLACE IMPUTATION MODEL m ON t(y) WHERE {where} USING norm WITH (draws = 4)")
            told = db.sql("SELECT avg(y) FROM t", fit="table", imputer="norm", m=draws).report.warnings
            said = [note for note in told if is_of(NoteKind.FEW_OBSERVED, note)]
            assert [note for note in said if "model m@1 has learnt from" in note] == said
            assert [note.subject for note in said] == (["t.y"] if count < 10 else [])


def test_the_default_is_measured_on_hidden_cells(db: imputedb.Database) -> None:
    db.sql("CREATE IMPUTATION MODEL best ON t (y, g) WITH (draws = 2)")
    model = db.model("best")
    assert model.imputer == "tree"
    assert model.error["y"] < 0.5
    assert set(model.error) == {"y", "g"}
    assert used(db, "SELECT avg(y), count(*) FILTER (WHERE g = 'a') FROM t") == {"t.g": "best@1", "t.y": "best@1"}


def test_a_model_without_functions_keeps_its_imputer(db: imputedb.Database) -> None:
    db.sql("CREATE IMPUTATION MODEL near ON t (y) USING knn")
    assert used(db) == {"t.y": "kept knn"}
    with pytest.raises(DataError, match="near@1 by knn has no functions"):
        _ = db.model("near").fitted


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("CREATE IMPUTATION MODEL line ON t (yy)", UnknownName, "did you mean 'y'"),
        ("CREATE IMPUTATION MODEL line ON tt", UnknownName, "tt"),
        ("CREATE IMPUTATION MODEL line ON t (y) USING nobody", UnknownName, "nobody"),
        ("CREATE IMPUTATION MODEL line ON t (y) USING drop", QueryError, "one imputer"),
        ("CREATE IMPUTATION MODEL line ON t (y) WHERE nope USING norm", UnknownName, "WHERE nope"),
        ("CREATE IMPUTATION MODEL line ON t (y) WHERE x > 99 USING norm", DataError, "no row of t satisfies x > 99"),
        ("CREATE IMPUTATION MODEL line ON t (y) WHERE train USING knn", QueryError, "leave WHERE out"),
        ("CREATE IMPUTATION MODEL line ON t (y) USING norm WITH (draws = 0)", QueryError, "draws is 0"),
        ("CREATE IMPUTATION MODEL line ON t (y) WITH (trees = 3)", SqlSyntaxError, "trees"),
        ("CREATE IMPUTATION MODEL line", SqlSyntaxError, "ON table"),
        ("REFRESH IMPUTATION MODEL line", UnknownName, "no imputation model 'line'; there is none"),
        ("DROP IMPUTATION MODEL line@3", UnknownName, "no imputation model 'line'"),
        ("ALTER IMPUTATION MODEL line SET VERSION 1.5", SqlSyntaxError, "SET VERSION"),
    ],
)
def test_mistakes_are_told_by_name(db: imputedb.Database, text: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said.replace("(", r"\(")):
        db.sql(text)
    assert shown(db) == []


def test_damage_is_told_by_name(tmp_path: Path) -> None:
    path = tmp_path / "d.duckdb"
    for damage, said in (
        ("UPDATE imputedb.models SET content = 'abc'::BLOB", "line@1 is damaged, its hash differs"),
        ("UPDATE imputedb.models SET definition = '{'", "line@1 is damaged"),
        ("UPDATE imputedb.models SET format = 99", "format 99"),
        ("ALTER TABLE imputedb.models DROP COLUMN definition", "DROP TABLE"),
    ):
        path.unlink(missing_ok=True)
        with imputedb.connect(path) as db:
            db.execute(TABLE)
            db.sql("CREATE IMPUTATION MODEL line ON t (y) USING norm")
        with duckdb.connect(path) as con:
            con.execute(damage)
        with imputedb.connect(path) as db, pytest.raises(StorageError, match=said):
            db.sql(MEAN, fit="table")


def test_a_column_that_a_model_reads_is_missed_by_name(db: imputedb.Database) -> None:
    db.sql("CREATE IMPUTATION MODEL line ON t (y) USING norm")
    db.execute("ALTER TABLE t DROP COLUMN x")
    found = db.sql(MEAN, fit="table")
    assert any("line@1 reads x, which t does not have any more" in said for said in found.report.warnings)
    assert "line@1" not in found.report.methods["t.y"]
    assert db.sql(MEAN).fetchall()


def test_rows_of_a_pattern_that_was_not_there_at_the_fit_are_told_of(db: imputedb.Database) -> None:
    db.sql("CREATE IMPUTATION MODEL line ON t (y) USING norm")
    assert not any("fewer columns" in said for said in db.sql(MEAN, fit="table").report.warnings)
    db.execute("INSERT INTO t (id, x, g) VALUES (1000, 70, 'a')")
    found = db.sql(MEAN, fit="table")
    assert any(said.startswith("1 cells of t.y are predicted from fewer columns") for said in found.report.warnings)


def test_kept_models_are_further_choices_of_the_planner(db: imputedb.Database) -> None:
    assert dict(db.sql(MEAN).report.methods) == {"t.y": "tree"}
    db.create_model("line", "t", ("y",), imputer="norm")
    assert dict(db.sql(MEAN).report.methods) == {"t.y": "line@1"}
    assert dict(db.sql(MEAN, fit="query").report.methods) == {"t.y": "tree"}
    both = db.sql("SELECT avg(y) FROM t WHERE g = 'a'")
    assert set(both.report.methods) == {"t.y", "t.g"}
    assert "kept" not in both.report.methods["t.g"]
    assert db.sql(MEAN).report.penalty == pytest.approx(db.model("line").error["y"])  # it is what was measured
    assert db.sql(MEAN, method="aipw").report.strategy == "aipw"


@pytest.mark.parametrize(
    "clause", ["RANGE 0 TO 9", "EXCLUDE (x)", "PREDICTORS (id)", "IMPUTER pmm", "MISSING BELOW 0.9"]
)
def test_a_policy_that_came_later_holds(db: imputedb.Database, clause: str) -> None:
    db.create_model("line", "t", ("y",), imputer="norm")
    db.sql(f"CREATE IMPUTATION POLICY ON t(y) {clause}")
    found = db.sql("SELECT id, y FROM t ORDER BY id", fit="table")
    assert "line@1" not in found.report.methods.get("t.y", "")
    assert any("the column is imputed by a fit to its table" in said for said in found.report.warnings)
    if clause.startswith("RANGE"):
        stored = dict(db.execute("SELECT id, y FROM t"))
        assert all(0 <= y <= 9 for key, y in found.fetchall() if stored[key] is None)


def test_what_becomes_of_a_stale_model_is_a_policy(db: imputedb.Database) -> None:
    db.create_model("line", "t", ("y",), imputer="norm")
    db.sql("CREATE IMPUTATION POLICY ON t(y) WHEN STALE REFUSE")
    assert not db.model("line").stale
    db.execute("INSERT INTO t (id, x) VALUES (1000, 3)")
    with pytest.raises(DataError, match="line@1 was fitted to 400 rows of t, which has changed since"):
        db.sql(MEAN, fit="table")
    db.policy("t", "y", stale="refresh")
    assert db.sql(MEAN, fit="table").report.methods == {"t.y": "line@2"}
    assert db.policies("t") == [("t", "y", "IMPUTE WHEN STALE REFRESH")]
    with pytest.raises(SqlSyntaxError, match="WHEN STALE WARN"):
        db.sql("CREATE IMPUTATION POLICY ON t(y) WHEN STALE NEVER")


def test_a_model_whose_column_has_another_name_now_is_named(db: imputedb.Database) -> None:
    db.create_model("line", "t", ("y",), imputer="norm")
    db.execute("ALTER TABLE t RENAME y TO why")
    found = db.sql("SELECT avg(why) FROM t", fit="table")
    assert any(
        "model line@1 fills in y, which t does not have any more: t.why" in said for said in found.report.warnings
    )
    assert not any("line@1" in said for said in db.sql("SELECT avg(x) FROM t", fit="table").report.warnings)


def test_a_stale_model_of_a_read_only_database_cannot_be_refreshed_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    with imputedb.connect(path) as db:
        db.execute("CREATE TABLE t AS SELECT i AS x, CASE WHEN i % 3 > 0 THEN 2 * i END AS y FROM range(300) AS r(i)")
        db.create_model("line", "t", ("y",), imputer="norm")
        db.policy("t", "y", stale="refresh")
        db.execute("INSERT INTO t VALUES (1000, NULL)")
    with imputedb.connect(path, read_only=True) as db:
        found = db.sql("SELECT avg(y) FROM t", fit="table")
        assert any("which has changed since" in said for said in found.report.warnings)
        assert found.report.methods == {"t.y": "line@1"}


def test_of_few_kept_draws_as_many_are_made_as_there_are(db: imputedb.Database) -> None:
    db.sql("CREATE IMPUTATION MODEL m ON t (y) USING norm WITH (draws = 25)")
    found = db.sql("SELECT avg(y) AS mean FROM t", fit="table", m="auto", precision=0.001)
    assert found.report.m == 25
    assert any("would be needed for standard errors within 0.001; 25 were made" in one for one in found.report.warnings)
    few = db.sql("SELECT avg(y) AS mean FROM t ERROR 1 %", fit="table")
    assert few.report.m <= 25


def test_a_canary_is_compared_before_it_becomes_current(db: imputedb.Database) -> None:
    db.sql("CREATE IMPUTATION MODEL m ON t USING norm WITH (draws = 2)")
    (same,) = [one for one in db.compare_models("m", "m@1") if one.column == "y"]
    assert (same.differing, same.index) == (0.0, 0.0)
    before = db.sql("SELECT sum(y) FROM t", fit="query", imputer="norm").fetchall()
    db.execute("UPDATE t SET y = y * 2 + 100")
    assert db.sql("REFRESH IMPUTATION MODEL m AS CANARY").fetchall()[0][1:3] == ("2", "False")
    assert used(db, "SELECT avg(y) FROM t") == {"t.y": "m@1"}
    (moved,) = [one for one in db.compare_models("m@1", "m@2") if one.column == "y"]
    assert moved.cells > 0
    assert moved.differing == 1.0
    assert moved.means is not None
    assert moved.means[1] > moved.means[0] + 50
    assert moved.index is not None
    assert moved.index > 0.25
    db.sql("ALTER IMPUTATION MODEL m SET VERSION 2")
    assert used(db, "SELECT avg(y) FROM t") == {"t.y": "m@2"}
    db.sql("ALTER IMPUTATION MODEL m SET VERSION 1")
    assert used(db, "SELECT avg(y) FROM t") == {"t.y": "m@1"}
    assert before != db.sql("SELECT sum(y) FROM t", fit="query", imputer="norm").fetchall()
    db.sql("REFRESH IMPUTATION MODEL m")
    assert used(db, "SELECT avg(y) FROM t") == {"t.y": "m@3"}


def test_cells_that_mean_something_of_their_own_are_not_compared(db: imputedb.Database) -> None:
    db.execute(
        "CREATE TABLE s AS SELECT i::DOUBLE AS a, CASE WHEN i % 2 = 0 THEN 'no' ELSE 'yes' END AS g, "
        "CASE WHEN i % 2 > 0 AND i % 3 > 0 THEN i * 2.0 END AS b FROM range(300) r(i)"
    )
    db.sql("CREATE IMPUTATION POLICY ON s (b) STRUCTURAL WHEN (g = 'no')")
    db.sql("CREATE IMPUTATION MODEL v ON s (b) USING mean WITH (draws = 1)")
    db.execute("UPDATE s SET b = b + 10")
    db.sql("REFRESH IMPUTATION MODEL v AS CANARY")
    (moved,) = db.compare_models("v@1", "v@2")
    assert (moved.cells, moved.differing) == (50, 1.0)
    assert moved.means is not None
    assert moved.means[1] == pytest.approx(moved.means[0] + 10)


def test_models_of_different_tables_are_not_compared(db: imputedb.Database) -> None:
    db.execute("CREATE TABLE u AS FROM t")
    db.sql("CREATE IMPUTATION MODEL one ON t USING mean WITH (draws = 1)")
    db.sql("CREATE IMPUTATION MODEL other ON u USING mean WITH (draws = 1)")
    db.sql("CREATE IMPUTATION MODEL rows ON t (y) USING hotdeck")
    with pytest.raises(DataError, match="other@1 of u"):
        db.compare_models("one", "other")
    with pytest.raises(DataError, match="no functions"):
        db.compare_models("one", "rows")
    with pytest.raises(UnknownName):
        db.compare_models("one", "one@7")
    for wrong in ("REFRESH IMPUTATION MODEL one AS", "REFRESH IMPUTATION MODEL one CANARY"):
        with pytest.raises(QueryError):
            db.sql(wrong)
