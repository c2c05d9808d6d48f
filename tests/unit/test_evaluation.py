"""Evaluations, reasons and audits through the database."""

import time
from pathlib import Path

import duckdb
import numpy as np
import pytest

import imputedb
from imputedb import CannotImpute, Database, DataError, QueryError, UnknownName
from imputedb.imputers.knn import KNN
from imputedb.imputers.mean import Mean
from imputedb.imputers.rows import Rows
from imputedb.neighbours import index_file
from imputedb.neighbours.column import Attribute
from imputedb.neighbours.settings import Settings
from imputedb.neighbours.tuning import scanned
from imputedb.provenance.why import hashed


def people(db: Database, n: int = 1500, keep: bool = False) -> np.ndarray:
    """Height by age and sex, with a tenth of it missing; what it truly is."""
    rng = np.random.default_rng(0)
    age, sex = rng.integers(1, 80, n), rng.integers(0, 2, n)
    height = 80 + 5 * np.minimum(age, 18) + 12 * sex * (age > 14) + rng.normal(0, 3, n)
    gone = rng.random((2, n)) < 0.1
    names = np.where(sex == 1, "m", "f").astype(object)
    names[gone[1]] = None
    table = {"id": np.arange(n) + 100, "age": age, "sex": names, "height": np.ma.masked_array(height, gone[0])}
    db.register("people", {**table, "visit": rng.integers(0, 300, n)}, keep=keep)
    return height


# -- evaluation ------------------------------------------------------------------------------------------------------


def test_neighbours_and_trees_beat_the_mean(db: Database) -> None:
    people(db)
    found = db.evaluate("people", by="sex")
    assert {s.column for s in found.scores} == {"height", "sex"}
    assert found.overall("knn") < 0.6 * found.overall("mean")
    assert found.overall("tree") < 0.6 * found.overall("mean")
    mean = next(s for s in found.scores if (s.imputer, s.column, s.group) == ("mean", "height", None))
    assert mean.error == pytest.approx(1.0, abs=0.15)
    assert mean.bias == pytest.approx(0.0, abs=0.2)


def test_bias_of_a_group_is_seen(db: Database) -> None:
    truth = people(db, 12_000)
    found = db.evaluate("people", imputer="mean", by="sex", columns=["height"], share=0.4)
    bias = {s.group: s.bias for s in found.scores}
    sexes = np.array(db.execute("SELECT coalesce(sex, '?') FROM people ORDER BY id"))[:, 0]
    expected = (truth.mean() - truth[sexes == "m"].mean()) / truth.std()
    assert bias["m"] == pytest.approx(expected, abs=0.1)
    assert bias["f"] > 0 > bias["m"]
    assert "NULL" in bias


def test_imputers_never_see_what_is_hidden(db: Database) -> None:
    people(db)

    class Spy(Mean):
        name = "spy"
        seen: Rows

        def impute(self, rows, targets, seed, progress=None):  # type: ignore[no-untyped-def]
            Spy.seen = rows
            return super().impute(rows, targets, seed, progress)

    found = db.evaluate("people", imputer=Spy(), share=0.2, columns=["height"])
    height = next(cells for column, cells in Spy.seen.columns.items() if column.name == "height")
    stored = db.execute("SELECT count(*) FILTER (height IS NULL) FROM people")[0][0]
    assert height.missing.sum() == stored + found.hidden
    assert found.hidden == pytest.approx(0.2 * 1350, rel=0.2)


def test_the_tables_own_pattern_hides_columns_together(db: Database) -> None:
    rng = np.random.default_rng(0)
    gone = rng.random(1000) < 0.2
    x = rng.normal(size=(3, 1000))
    db.register("t", {"a": np.ma.masked_array(x[0], gone), "b": np.ma.masked_array(x[1], gone), "c": x[2]})
    found = db.evaluate("t", imputer="mean", pattern="own", share=0.25)
    cells = {s.column: s.cells for s in found.scores}
    assert cells["a"] == cells["b"] == pytest.approx(200, abs=40)
    db.register("u", {"c": x[2], "d": x[1]})
    with pytest.raises(DataError, match="no pattern of its own"):
        db.evaluate("u", pattern="own")
    assert {s.column for s in db.evaluate("u").scores} == {"c", "d"}


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"imputer": "drop"}, QueryError, "nothing to compare"),
        ({"share": 1.0}, QueryError, "the share to hide is 1.0"),
        ({"pattern": "mnar"}, QueryError, "no pattern 'mnar'"),
        ({"by": "sexx"}, UnknownName, "no column 'sexx'"),
        ({"columns": ["heigth"]}, UnknownName, "no column 'heigth'"),
        ({"columns": ["id"]}, DataError, "is a key"),
        ({"share": 1e-9}, DataError, "no observed cell"),
    ],
)
def test_evaluations_that_cannot_be(db: Database, wrong: dict[str, object], error: type[Exception], said: str) -> None:
    people(db)
    with pytest.raises(error, match=said):
        db.evaluate("people", **wrong)  # type: ignore[arg-type]


# -- the imputer in SQL ----------------------------------------------------------------------------------------------


def test_sql_by_neighbours_and_what_it_says(db: Database) -> None:
    truth = people(db)
    result = db.sql("SELECT avg(height), count(sex) FROM people", imputer="knn")
    assert result.fetchall()[0][0] == pytest.approx(truth.mean(), abs=0.3)
    assert result.fetchall()[0][1] == 1500
    assert result.report.warnings == ()
    lonely = {"a": np.array([1.0, np.nan, 3.0, 4.0]), "b": np.array([np.nan, 2.0, np.nan, np.nan])}
    db.register("lonely", lonely)
    told = db.sql("SELECT avg(b) FROM lonely", imputer="knn").report.warnings
    assert any("3 cells of lonely.b have no neighbour and take the median or mode of the column" in w for w in told)


def test_the_planner_weighs_neighbours_against_trees(db: Database) -> None:
    people(db)
    frontier = db.frontier("SELECT avg(height) FROM people WHERE age > 20", imputer=("tree", "knn", "mean"))
    assert frontier is not None
    points = [point.plan for point in frontier]
    assert [p.penalty for p in points] == sorted(p.penalty for p in points)
    assert [p.time for p in points] == sorted((p.time for p in points), reverse=True)
    best = min(
        (db.frontier("SELECT avg(height) FROM people WHERE age > 20", imputer=one) for one in ("tree", "knn")),
        key=lambda f: f.choose(0).penalty,  # type: ignore[union-attr]
    )
    assert points[0].penalty == pytest.approx(best.choose(0).penalty)  # type: ignore[union-attr]


def test_k_is_chosen_by_hidden_cells_and_told(db: Database) -> None:
    people(db)
    told = db.sql("SELECT avg(height) FROM people", imputer=KNN(k="chosen")).report.warnings
    assert any(w.startswith("k is ") and "of hidden cells" in w for w in told)


def test_nothing_stands_in_and_that_is_an_error(db: Database) -> None:
    db.register("lonely", {"a": np.array([1.0, np.nan, 3.0]), "b": np.array([np.nan, 2.0, np.nan])})
    with pytest.raises(CannotImpute, match="none of the fallbacks"):
        db.sql("SELECT avg(b) FROM lonely", imputer=KNN(fallback=("group",)))


def test_declared_measures_weights_groups_and_times(db: Database) -> None:
    people(db)
    plain = KNN(weights=(("age", 3.0), ("people.visit", 0.0)), measures=(("age", "ordinal"),), k=5)
    assert db.sql("SELECT avg(height) FROM people", imputer=plain).fetchall()[0][0] > 100
    grouped = db.why("people", "height", 105, imputer=KNN(group="sex", before="visit", k=5))
    for near in grouped.neighbours:
        rows = db.execute(f"SELECT sex, visit FROM people WHERE id IN (105, {near.row}) ORDER BY id = 105")
        assert rows[0][0] == rows[1][0]
        assert rows[0][1] < rows[1][1]
    with pytest.raises(UnknownName, match="no column 'agee'"):
        db.sql("SELECT avg(height) FROM people", imputer=KNN(weights=(("agee", 1.0),)))
    with pytest.raises(QueryError, match="no measure 'nearly'"):
        db.sql("SELECT avg(height) FROM people", imputer=KNN(measures=(("age", "nearly"),)))


# -- the scan --------------------------------------------------------------------------------------------------------


def test_one_scan_tells_every_k_and_metric() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-3, 3, (2, 3000))
    noisy = np.sin(x[0]) + 0.8 * rng.normal(size=3000)
    clean = np.sin(x[0]) + 0.01 * rng.normal(size=3000)
    for target, low, high in ((noisy, 10, 40), (clean, 1, 10)):
        columns = [Attribute(v, np.zeros(3000, bool)) for v in (x[0], target)]
        columns[1] = Attribute(target, rng.random(3000) < 0.1)
        scan = scanned(
            columns, [1], Settings(weighting="uniform"), rng.permutation(3000), metrics=("gower", "euclidean")
        )
        assert len(scan.errors) == 12
        assert low <= scan.k <= high
        assert scan.errors[scan.metric, scan.k] == min(scan.errors.values())


def test_a_scan_of_a_table(db: Database) -> None:
    people(db)
    scan = db.scan("people", ks=(1, 10), columns=["height"])
    assert set(scan.errors) == {(m, k) for m in ("gower", "euclidean", "manhattan", "cosine") for k in (1, 10)}
    assert scan.errors["gower", 10] < scan.errors["gower", 1] < 0.6
    assert scan.k == 10
    with pytest.raises(QueryError, match="at least one k"):
        db.scan("people", ks=())
    with pytest.raises(QueryError, match="k is 0"):
        db.scan("people", ks=(0, 5))


# -- why -------------------------------------------------------------------------------------------------------------


def test_why_tells_what_the_imputer_fills_in(db: Database) -> None:
    people(db)
    ours = KNN(k=7)
    filled = dict(db.sql("SELECT id, height FROM people", imputer=ours).fetchall())
    missing = [row[0] for row in db.execute("SELECT id FROM people WHERE height IS NULL LIMIT 20")]
    assert len(missing) == 20
    for row in missing:
        reason = db.why("people", "height", row, imputer=ours)
        assert reason.value == pytest.approx(filled[row])
        assert reason.observed is None
        assert len(reason.neighbours) == 7
        assert reason.fallback is None
        values = [float(near.value) for near in reason.neighbours]  # type: ignore[arg-type]
        assert reason.value == pytest.approx(np.mean(values))
        assert reason.variance == pytest.approx(np.var(values, ddof=1))
        assert reason.effective == pytest.approx(7)
        stored = dict(
            db.execute(f"SELECT id, height FROM people WHERE id IN {tuple(n.row for n in reason.neighbours)}")
        )
        assert values == [stored[near.row] for near in reason.neighbours]
        assert [n.distance for n in reason.neighbours] == sorted(n.distance for n in reason.neighbours)


def test_why_of_an_observed_cell_leaves_its_own_row_out(db: Database) -> None:
    people(db)
    reason = db.why("people", "sex", 104)
    assert reason.observed in ("f", "m")
    assert 104 not in [near.row for near in reason.neighbours]
    assert len(reason.neighbours) == 20
    share = sum(near.weight for near in reason.neighbours if near.value == reason.value)
    other = 1 - share
    terms = [p * np.log(p) for p in (share, other) if p > 1e-12]
    assert reason.entropy == pytest.approx(-sum(terms))
    assert reason.variance is None


def test_salted_names_tell_nobody_and_are_the_same_each_time(db: Database) -> None:
    people(db)
    plain = db.why("people", "height", 105)
    salted = db.why("people", "height", 105, salt="pepper")
    assert salted.row == hashed(105, "pepper") != hashed(105, "other")
    assert [n.row for n in salted.neighbours] == [hashed(n.row, "pepper") for n in plain.neighbours]
    assert "105" not in str(salted.row)


def test_why_sees_what_was_written_since(db: Database) -> None:
    people(db)
    before = db.why("people", "height", 105, imputer=KNN(k=3))
    db.execute(f"UPDATE people SET height = 999 WHERE id = {before.neighbours[0].row}")
    assert 999 in [near.value for near in db.why("people", "height", 105, imputer=KNN(k=3)).neighbours]


def test_why_of_a_row_without_neighbours(db: Database) -> None:
    db.register("t", {"a": np.array([1.0, np.nan, 3.0, 5.0]), "b": np.array([np.nan, 2.0, np.nan, np.nan])})
    reason = db.why("t", "b", 0)
    assert (reason.fallback, reason.value, reason.neighbours) == ("column", 2.0, ())
    with pytest.raises(UnknownName, match="no row of t has rowid 9"):
        db.why("t", "b", 9)


# -- audit -----------------------------------------------------------------------------------------------------------


def test_an_audit_has_a_row_for_each_missing_cell_or_a_sample(db: Database) -> None:
    people(db)
    total = db.audit("people", "reasons")
    assert db.execute("SELECT count(*) FROM reasons") == [(total,)]
    assert total == db.execute("SELECT sum((height IS NULL)::INT + (sex IS NULL)::INT) FROM people")[0][0]
    row, value, effective, variance = db.execute(
        "SELECT row, value, effective, variance FROM reasons WHERE column_name = 'height' LIMIT 1"
    )[0]
    reason = db.why("people", "height", row)
    assert (str(reason.value), reason.effective, reason.variance) == (value, effective, variance)
    assert db.audit("people", "reasons", limit=40, salt="x") == total
    assert 35 <= db.execute("SELECT count(*) FROM reasons")[0][0] <= 40
    assert db.execute("SELECT bool_and(length(row) = 16) FROM reasons") == [(True,)]
    with pytest.raises(DataError, match="nothing is missing"):
        db.audit("people", "reasons", columns=["age"])


@pytest.mark.parametrize("into", ["precious", "PRECIOUS"])
def test_an_audit_replaces_no_other_table(db: Database, into: str) -> None:
    people(db)
    db.execute("CREATE TABLE precious AS SELECT 1 AS row")
    with pytest.raises(DataError, match=r"there is a table \w+ already"):
        db.audit("people", into)
    assert db.execute("FROM precious") == [(1,)]


# -- stored indexes ---------------------------------------------------------------------------------------------------


def test_an_index_is_kept_beside_the_database_and_rebuilt_when_stale(tmp_path: Path) -> None:
    path = str(tmp_path / "p.duckdb")
    way = KNN(search="approximate", k=5)
    with imputedb.connect(path) as db:
        people(db, keep=True)
        first = db.why("people", "height", 105, imputer=way)
        assert first.recall is not None
        assert 0.9 <= first.recall <= 1
    kept = list((tmp_path / "p.duckdb.neighbours").iterdir())
    assert len(kept) == 1
    made = kept[0].stat().st_mtime_ns
    with imputedb.connect(path) as db:
        again = db.why("people", "height", 105, imputer=way)
        assert again.neighbours == first.neighbours
        assert again.age > first.age  # type: ignore[operator]
        assert kept[0].stat().st_mtime_ns == made
        db.execute("DELETE FROM people WHERE id = 300")
        fresh = db.why("people", "height", 105, imputer=way)
        assert fresh.age < again.age  # type: ignore[operator]
    assert len(list((tmp_path / "p.duckdb.neighbours").iterdir())) == 2


@pytest.mark.parametrize("damage", [b"", b"not an archive", None])
def test_a_damaged_index_is_made_anew(tmp_path: Path, damage: bytes | None) -> None:
    path = str(tmp_path / "p.duckdb")
    way = KNN(search="approximate", k=5)
    with imputedb.connect(path) as db:
        people(db, keep=True)
        first = db.why("people", "height", 105, imputer=way)
    (kept,) = (tmp_path / "p.duckdb.neighbours").iterdir()
    kept.write_bytes(kept.read_bytes()[:200] if damage is None else damage)
    with imputedb.connect(path) as db:
        assert db.why("people", "height", 105, imputer=way).neighbours == first.neighbours
    assert index_file.taken(path, "something else") is None


def test_a_database_for_reading_only_keeps_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "p.duckdb")
    duckdb.connect(path).execute("CREATE TABLE t AS SELECT i, i % 7 AS a, nullif(i % 5, 0) AS b FROM range(900) r(i)")
    with imputedb.connect(path, read_only=True) as db:
        assert db.why("t", "b", 5, imputer=KNN(search="approximate")).recall is not None
    assert not (tmp_path / "p.duckdb.neighbours").exists()


def test_an_index_stays_warm_when_something_else_is_written(db: Database) -> None:
    people(db)
    way = KNN(search="approximate", k=5)
    first = db.why("people", "height", 105, imputer=way)
    time.sleep(0.5)
    db.execute("CREATE TABLE other AS SELECT 1 AS one")
    second = db.why("people", "height", 105, imputer=way)
    assert second.age >= 0.5  # type: ignore[operator]
    assert second.neighbours == first.neighbours
    db.execute("UPDATE people SET age = age + 1 WHERE id = 500")
    assert db.why("people", "height", 105, imputer=way).age < 0.5  # type: ignore[operator]


def test_tables_of_other_schemas(db: Database) -> None:
    people(db)
    db.execute("CREATE SCHEMA other; CREATE TABLE other.people AS SELECT id, age + 5 AS age, height FROM people")
    assert len(db.why("other.people", "height", 105, imputer=KNN(k=3)).neighbours) == 3
    assert {s.column for s in db.evaluate("other.people", imputer="mean").scores} == {"height"}


def test_subgroups_are_of_few_numbers(db: Database) -> None:
    db.execute("CREATE TABLE g AS SELECT i AS id, i % 20 AS few, i % 21 AS many, i / 9 AS x FROM range(200) r(i)")
    assert {score.group for score in db.evaluate("g", imputer="mean", by="few", columns=["x"]).scores if score.group}
    for by in ("many", "x"):
        with pytest.raises(QueryError, match="different numbers, which make no subgroups"):
            db.evaluate("g", imputer="mean", by=by)
