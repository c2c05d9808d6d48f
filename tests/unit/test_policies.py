"""Policies and declared values: what is accepted, and that they follow the data."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.errors import DataError, Error, StorageError
from imputedb.notes import NoteKind, is_of

ROWS = (
    "SELECT * FROM (VALUES (1, 10, 'a', true, DATE '2020-01-01'), (2, NULL, 'a', true, NULL), "
    "(3, 30, NULL, false, NULL)) v(id, x, s, went, day)"
)


@pytest.fixture
def kept(tmp_path: Path) -> Database:
    db = imputedb.connect(str(tmp_path / "a.duckdb"))
    db.execute(f"CREATE TABLE t AS {ROWS}")
    return db


@pytest.fixture(params=["file", "memory"])
def table(request: pytest.FixtureRequest, kept: Database, db: Database) -> Database:
    if request.param == "file":
        return kept
    db.execute(f"CREATE TABLE t AS {ROWS}")
    return db


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> list[Database]:
    """The table in a file and in memory, for what changes nothing."""
    found = [imputedb.connect(str(tmp_path_factory.mktemp("kept") / "a.duckdb")), imputedb.connect()]
    for db in found:
        db.execute(f"CREATE TABLE t AS {ROWS}")
    return found


@pytest.mark.parametrize(
    "clause",
    [
        *(
            "RANGE 5 TO 1",
            "RANGE 'a' TO 'b'",
            "RANGE 1.2 TO 1.8",
            "VALUES (zz)",
            "VALUES (5.5)",
            "RANGE 0 TO 1 VALUES (7)",
        ),
        *(
            "STRUCTURAL WHEN (sum(id) > 3)",
            "STRUCTURAL WHEN (row_number() OVER () > 1)",
            "STRUCTURAL WHEN (unnest([true]))",
        ),
        *("STRUCTURAL WHEN ('x')", "STRUCTURAL WHEN (id)", "STRUCTURAL WHEN (random() < 1)", "STRUCTURAL WHEN (nope)"),
        *("STRUCTURAL WHEN (id IN (SELECT 1))", "STRUCTURAL WHEN (EXISTS (FROM 'f.csv'))"),
        *(
            "IMPUTER drop",
            "IMPUTER nobody",
            "BEFORE s",
            "BEFORE x",
            "BEFORE nope",
            "PREDICTORS (nope)",
            "PREDICTORS (x)",
            "PREDICTORS (id, X)",
            "EXCLUDE (nope)",
        ),
        *(
            "DERIVED AS (x + id)",
            "WEIGHT s",
            "WEIGHT x",
            "CLUSTER x",
            "CLUSTER id",
            "PARTITION BY s ORDER BY s",
            "PARTITION BY id ORDER BY x",
            "PARTITION BY id",
            "MISSING BELOW 3",
        ),
        *("WARN ABOVE 0.3", "REFUSE ABOVE .05 BEFORE id", "WARN ABOVE 1"),
        *("PRIVATE", "WARN ABOVE 120 %", "REFUSE", "SOMETHING", "AS", "AS DATE"),
    ],
)
def test_what_cannot_hold_is_refused_when_it_is_said(untouched: list[Database], clause: str) -> None:
    for table in untouched:
        with pytest.raises(Error):
            table.sql(f"CREATE IMPUTATION POLICY ON t(x) {clause}")
        assert table.policies() == []
        assert len(table.sql("SELECT * FROM t", imputer="mean").fetchall()) == 3


def test_every_clause_is_shown_as_it_can_be_said_again(table: Database) -> None:
    said = "IMPUTE IMPUTER norm RANGE 0 TO 1234567.5 VALUES (10, 30) EXCLUDE (s) BEFORE id WARN ABOVE 20 %"
    table.sql(f"CREATE IMPUTATION POLICY ON t(x) {said}")
    table.sql("CREATE IMPUTATION POLICY ON t(day) RANGE '2019-01-01' TO '2021-12-31'")
    assert table.policies("t") == [("t", "day", "IMPUTE RANGE '2019-01-01' TO '2021-12-31'"), ("t", "x", said)]


def test_a_share_of_imputed_cells_is_warned_of_or_refused(table: Database) -> None:
    table.sql("CREATE IMPUTATION POLICY ON t(x) WARN ABOVE 20 %")
    assert any("33 %" in warning for warning in table.sql("SELECT avg(x) FROM t", imputer="mean").report.warnings)
    table.sql("CREATE IMPUTATION POLICY ON t(x) WARN ABOVE 40 %")
    assert not any("33 %" in warning for warning in table.sql("SELECT avg(x) FROM t", imputer="mean").report.warnings)
    table.sql("CREATE IMPUTATION POLICY ON t(x) REFUSE ABOVE 20 %")
    for m in (1, 2):
        with pytest.raises(Error, match="33 %"):
            table.sql("SELECT avg(x) FROM t", imputer="hotdeck", m=m)


@pytest.mark.parametrize(
    ("clause", "said"),
    [
        ("RANGE 100 TO 200", True),
        ("RANGE 3 TO 9", True),
        ("VALUES (50, 60)", True),
        ("RANGE 0 TO 3", False),
        ("VALUES (1, 2)", False),
    ],
)
def test_bounds_unlike_what_is_observed_are_said(tmp_path: Path, clause: str, said: bool) -> None:
    with imputedb.connect() as db:
        db.sql("CREATE TABLE t AS SELECT i AS id, CASE WHEN i % 3 > 0 THEN i % 4 END AS x FROM range(90) r(i)")
        db.sql(f"CREATE IMPUTATION POLICY ON t(x) AS NUMERIC {clause}")
        for m in (1, 3):
            warned = db.sql("SELECT avg(x) FROM t", imputer="norm", m=m).report.warnings
            assert [note.subject for note in warned if is_of(NoteKind.OUTSIDE, note)] == ["t.x"] * said
        run = db.impute("t", tmp_path / "run", m=2, imputer="norm")
        assert any("observed values lie outside what its policy permits" in one for one in run.warnings) == said


def test_a_policy_that_is_not_there_is_dropped_only_where_that_may_be(table: Database) -> None:
    for name in ("t(x)", "t(id, x)", "t(nope)", "t"):
        with pytest.raises(DataError, match="has no imputation policy to drop"):
            table.sql(f"DROP IMPUTATION POLICY ON {name}")
        assert table.sql(f"DROP IMPUTATION POLICY IF EXISTS ON {name}").fetchall() == []
    table.sql("CREATE IMPUTATION POLICY ON t(x) RANGE 0 TO 90")
    with pytest.raises(DataError, match=r"t\.id has no imputation policy"):
        table.sql("DROP IMPUTATION POLICY ON t(x, id)")
    assert [column for _, column, _ in table.policies()] == ["x"]
    table.sql("DROP IMPUTATION POLICY ON t(X)")
    assert table.policies() == []


def test_a_range_of_dates_holds() -> None:
    db = imputedb.connect()
    days = np.array("2020-01-01", "datetime64[D]") + np.arange(200)
    text = [None if place % 3 == 0 else str(day) for place, day in enumerate(days)]
    db.register("t", {"id": np.arange(200), "day": np.array(text, object)})
    db.execute("ALTER TABLE t ALTER day TYPE DATE")
    db.policy("t", "day", low="2020-03-01", high="2020-03-31")
    for imputer in ("norm", "hotdeck", "tree"):
        rows = db.sql(
            "SELECT min(day), max(day) FROM (SELECT day FROM t WHERE IMPUTED(day))", imputer=imputer
        ).fetchall()
        assert str(rows[0][0]) >= "2020-03-01"
        assert str(rows[0][1]) <= "2020-03-31"


def test_a_code_that_the_column_cannot_hold_is_refused(db: Database) -> None:
    with pytest.raises(Error, match="zz"):
        db.register("u", {"a": np.array([1.5, 2.5])}, missing={"a": ["zz"]})


def _say(db: Database) -> None:
    db.missing("t", "x", [10])
    db.sql("CREATE IMPUTATION POLICY ON t(s) STRUCTURAL WHEN (NOT went) EXCLUDE (x)")


def test_they_follow_alter_table(table: Database) -> None:
    _say(table)
    table.execute("ALTER TABLE t RENAME TO u")
    table.execute('ALTER TABLE u RENAME COLUMN went TO "went there"')
    table.execute("ALTER TABLE u RENAME s TO kind")
    table.execute("ALTER TABLE u RENAME x TO number")
    assert table.policies() == [("u", "kind", 'STRUCTURAL WHEN (NOT "went there") EXCLUDE (number)')]
    assert table.sql("SELECT id, number, kind FROM u ORDER BY id", imputer="mean").fetchall() == [
        (1, 30, "a"), (2, 30, "a"), (3, 30, None)
    ]  # fmt: skip
    table.execute('ALTER TABLE u DROP COLUMN "went there"')
    assert table.policies() == []
    table.execute("CREATE TABLE t AS SELECT 10 AS x")
    assert table.sql("SELECT x FROM t").fetchall() == [(10,)]


def test_they_keep_to_transactions(table: Database) -> None:
    table.sql("BEGIN")
    _say(table)
    table.sql("ROLLBACK")
    assert table.policies() == []
    assert table.sql("SELECT min(x) FROM t", imputer="mean").fetchall() == [(10,)]
    table.execute("BEGIN")
    _say(table)
    table.execute("COMMIT")
    table.execute("BEGIN")
    table.sql("DROP IMPUTATION POLICY ON t")
    table.missing("t", "x", [])
    table.execute("ROLLBACK")
    assert len(table.policies()) == 1
    assert table.sql("SELECT min(x) FROM t", imputer="mean").fetchall() == [(30,)]


def test_they_go_with_the_table_and_stay_with_one_that_replaces_it(table: Database) -> None:
    _say(table)
    table.execute(f"CREATE OR REPLACE TABLE t AS {ROWS}")
    assert len(table.policies()) == 1
    table.execute("DROP TABLE t")
    table.execute(f"CREATE TABLE t AS {ROWS}")
    assert table.policies() == []
    assert table.sql("SELECT min(x) FROM t", imputer="mean").fetchall() == [(10,)]


def test_register_keeps_what_still_suits(db: Database) -> None:
    gone = np.array([False, True, False])
    db.register("t", {"id": np.arange(3), "x": np.ma.masked_array([1.0, 2.0, 3.0], gone), "y": np.arange(3.0)})
    db.policy("t", "x", low=0)
    db.policy("t", "y", low=0)
    db.missing("t", "x", [3])
    db.register("t", {"id": np.arange(3), "x": np.ma.masked_array([1.0, 2.0, 3.0], gone)})
    assert db.policies() == [("t", "x", "IMPUTE RANGE 0 TO infinity")]
    assert db.sql("SELECT max(x) FROM t", imputer="mean").fetchall() == [(1.0,)]
    db.register("t", {"id": np.arange(3), "x": np.array(["a", "b", "c"], object)})
    assert db.policies() == []


def test_every_connection_sees_them(kept: Database) -> None:
    with imputedb.connect(kept.execute("SELECT path FROM duckdb_databases() WHERE path IS NOT NULL")[0][0]) as other:
        assert other.policies() == []
        _say(kept)
        assert len(other.policies()) == 1
        assert other.sql("SELECT min(x) FROM t", imputer="mean").fetchall() == [(30,)]


def test_an_attached_database_keeps_its_own(kept: Database, tmp_path: Path) -> None:
    kept.execute(f"ATTACH '{tmp_path / 'b.duckdb'}' AS b")
    kept.execute(f"CREATE TABLE b.t AS {ROWS}")
    kept.policy("b.t", "x", low=5)
    kept.close()
    with imputedb.connect(str(tmp_path / "a.duckdb")) as again:
        assert again.policies() == []
    with imputedb.connect(str(tmp_path / "b.duckdb")) as again:
        assert again.policies() == [("t", "x", "IMPUTE RANGE 5 TO infinity")]


def test_a_read_only_database_says_that_nothing_can_be_kept(kept: Database, tmp_path: Path) -> None:
    kept.close()
    with imputedb.connect(str(tmp_path / "a.duckdb"), read_only=True) as again:
        with pytest.raises(StorageError, match="reading only"):
            again.policy("t", "x", low=0)
        with pytest.raises(StorageError, match="reading only"):
            again.missing("t", "x", [10])
        assert len(again.sql("SELECT x FROM t", imputer="mean").fetchall()) == 3


@pytest.mark.parametrize("name", ["policies", "missing_values"])
def test_a_damaged_table_of_ours_says_the_way_out(kept: Database, name: str) -> None:
    _say(kept)
    kept.execute(f"CREATE OR REPLACE TABLE imputedb.{name} AS SELECT 1 AS odd")
    with pytest.raises(StorageError, match=f"imputedb.{name} is damaged"):
        kept.sql("SELECT x FROM t")
    kept.execute(f"DROP TABLE imputedb.{name}")
    assert len(kept.sql("SELECT x FROM t", imputer="mean").fetchall()) == 3


def test_damaged_statistics_are_gathered_anew(kept: Database) -> None:
    kept.sql("SELECT x FROM t", imputer="mean")
    kept.execute("UPDATE imputedb.statistics SET statistics = '{\"rows\": 1}'")
    assert len(kept.sql("SELECT x FROM t", imputer="mean").fetchall()) == 3
    kept.execute("CREATE OR REPLACE TABLE imputedb.statistics AS SELECT 1 AS odd")
    assert len(kept.sql("SELECT x FROM t", imputer="mean").fetchall()) == 3


@pytest.fixture
def mixed(db: Database) -> Database:
    """x is filled by norm and y by what is asked for; s stays NULL."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=200)
    gone = rng.random((3, 200)) < 0.3
    columns = {name: np.ma.masked_array(a + rng.normal(size=200), gone[i]) for i, name in enumerate("xys")}
    db.register("t", {"id": np.arange(200), "a": a, **columns})
    db.policy("t", "x", imputer="norm")
    db.policy("t", "s", "keep")
    return db


SAID = {"t.s": "KEEP", "t.x": "IMPUTE IMPUTER norm"}


@pytest.mark.parametrize(
    ("options", "plan"),
    [({}, "norm(t.x)"), ({"m": 3}, "norm(t.x)"), ({"strategy": "base"}, "tree(t.y), norm(t.x)")],
    ids=["single", "draws", "base"],
)
def test_an_answer_names_what_filled_each_column(mixed: Database, options: dict[str, Any], plan: str) -> None:
    for query in (
        "SELECT avg(x), avg(y) FROM t",
        "WITH u AS (SELECT * FROM t) SELECT avg(x), avg(y) FROM u WHERE y > 0",
    ):
        found = mixed.sql(query, **options)
        assert (found.report.methods, found.report.policies) == ({"t.x": "norm", "t.y": "tree"}, SAID)
        assert plan in found.plan
    others = {"t.x": "norm"} if "strategy" in options else {}  # base completes whole tables
    assert mixed.sql("SELECT avg(y) FROM t WHERE a > 0", **options).report.methods == {"t.y": "tree", **others}


def test_a_constant_is_named_and_what_fills_nothing_is_not(mixed: Database) -> None:
    found = mixed.sql("SELECT avg(x), avg(y) FROM t", imputer="mean").report
    assert found.methods == {"t.x": "norm", "t.y": "mean"}
    assert mixed.sql("SELECT avg(x) FROM t", imputer="drop").report.methods == {}
    assert mixed.sql("SELECT count(s) FROM t").report.policies == SAID
    assert mixed.sql("SELECT avg(x) FROM t", method="bounds").report.policies == SAID
    assert "norm(t.x)" in mixed.explain("SELECT avg(x), avg(y) FROM t").text
    assert "norm(t.x)" in str(mixed.explain("SELECT avg(x), avg(y) FROM t").data())


def test_other_functions_name_it_too(mixed: Database, tmp_path: Path) -> None:
    done = mixed.impute("t", tmp_path / "out", m=2, imputer="pmm")
    assert {name: told["method"] for name, told in done.manifest["columns"].items()} == {"x": "norm", "y": "pmm"}
    assert done.manifest["policies"] == {"s": "KEEP", "x": "IMPUTE IMPUTER norm"}
    found = mixed.evaluate("t", imputer=("tree", "mean"))
    methods = {(score.imputer, score.column): score.method for score in found.scores}
    assert methods == {("tree", "x"): "norm", ("mean", "x"): "norm", ("tree", "y"): "tree", ("mean", "y"): "mean"}
    assert found.policies == found.data()["policies"] == {"s": "KEEP", "x": "IMPUTE IMPUTER norm"}
    assert mixed.cells("t", "x", imputer="tree").imputer == "norm"
    mixed.policy("t", "y", low=0)
    assert mixed.why("t", "y", 3).policy == "IMPUTE RANGE 0 TO infinity"


def test_a_table_that_replaces_another_says_what_is_kept(table: Database) -> None:
    _say(table)
    table.policy("t", "x", low=0)
    whole = ROWS.replace("10, 'a'", "20, 'a'")
    kept = "t is replaced, and keeps the policies and declared values of s, x"
    assert table.sql(f"CREATE OR REPLACE TABLE t AS {whole}").report.notes == (kept,)
    assert kept in table.sql("CREATE OR REPLACE TABLE t AS SELECT * FROM t WHERE x > 0").report.notes
    with pytest.warns(UserWarning, match="keeps the policies and declared values of s, x") as remarks:
        table.execute(f"CREATE OR REPLACE TABLE t AS {ROWS}")
    assert remarks[0].filename == __file__
    found = table.sql("CREATE OR REPLACE TABLE t AS SELECT 1 AS id, DATE '2020-01-01' AS x, 'a' AS s, true AS went")
    assert any("what was said of x is forgotten" in note for note in found.report.notes)
    assert [column for _, column, _ in table.policies()] == ["s"]
    assert table.declared() == []
    assert table.sql("CREATE OR REPLACE TABLE u AS SELECT 1 AS x").report.notes == ()
    assert table.sql("SELECT x FROM t").report.notes == ()


def test_a_temporary_table_replaces_none_that_is_stored(kept: Database) -> None:
    kept.policy("t", "x", low=0)
    assert kept.sql("CREATE OR REPLACE TEMP TABLE t AS SELECT 'a' AS x").report.notes == ()
    assert kept.policies("a.main.t") == [("a.main.t", "x", "IMPUTE RANGE 0 TO infinity")]


def test_register_and_load_say_what_is_kept(kept: Database, tmp_path: Path) -> None:
    kept.policy("t", "x", low=0)
    (tmp_path / "t.csv").write_text("id,x\n1,2\n")
    with pytest.warns(UserWarning, match="keeps the policies and declared values of x") as remarks:
        kept.load(str(tmp_path / "t.csv"), replace=True)
    assert remarks[0].filename == __file__
    with pytest.warns(UserWarning, match="what was said of x is forgotten: no column 'x'"):
        kept.register("t", {"id": [1]}, keep=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept.register("t", {"id": [1]}, keep=True)


def test_impute_obeys_the_share_that_is_allowed(table: Database, tmp_path: Path) -> None:
    table.policy("t", "x", above=20)
    for source in ("t", "SELECT id, x FROM t"):
        assert any("33 % of the cells" in said for said in table.impute(source, tmp_path / "a", m=1).warnings)
    table.policy("t", "x", above=40)
    assert not any("33 %" in said for said in table.impute("t", tmp_path / "b", m=1).warnings)
    table.policy("t", "x", above=20, refuse=True)
    for source in ("t", "SELECT id, x FROM t"):
        with pytest.raises(DataError, match="33 % of the cells"):
            table.impute(source, tmp_path / "c", m=1)
    assert not (tmp_path / "c" / "CURRENT").exists()


def test_impute_takes_parameters(table: Database, tmp_path: Path) -> None:
    for text, given in (("?", [2]), ("$1", [2]), ("$most", {"most": 2})):
        run = table.impute(f"SELECT id, x FROM t WHERE id <= {text}", tmp_path / "out", m=1, params=given)
        assert run.manifest["rows"] == 2
    with pytest.raises(Error):
        table.impute("SELECT id, x FROM t WHERE id <= ?", tmp_path / "out", m=1, params=[1, 2])


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        ("DATE", "2020-03-01", "2020-03-31"),
        ("TIMESTAMP", "2020-03-01 10:30:00", "2020-03-05"),
        ("TIMESTAMP WITH TIME ZONE", "2020-03-01T10:30:00+00:00", "2020-03-05T00:00:00+00:00"),
    ],
)
@pytest.mark.parametrize("imputer", ["norm", "pmm", "tree", "knn", "hotdeck", "mean"])
def test_a_range_of_moments_holds_everywhere(
    imputer: str, kind: str, low: str, high: str, tmp_path: Path, db: Database
) -> None:
    rows = (
        "SELECT i AS id, i % 7 AS z, CASE WHEN i % 3 > 0 THEN TIMESTAMP '2020-02-20' + INTERVAL (i * 3) HOUR END AS day"
    )
    db.execute(f"SET TimeZone = 'UTC'; CREATE TABLE t AS {rows} FROM range(200) r(i)")
    db.execute(f"ALTER TABLE t ALTER day TYPE {kind}")
    db.policy("t", "day", low=low, high=high)
    inside = f"bool_and(day BETWEEN '{low}'::{kind} AND '{high}'::{kind})"
    count = "SELECT count(*) FROM t WHERE day IS NULL"
    found = db.sql(f"SELECT {inside}, count(DISTINCT day) FROM (SELECT day FROM t WHERE IMPUTED(day))", imputer=imputer)
    assert found.fetchall()[0][0] is True
    draws = db.sql(
        f"SELECT z, {inside} AS good FROM (SELECT * FROM t WHERE IMPUTED(day)) GROUP BY z", imputer=imputer, m=3
    )
    assert all(row[1] for row in draws.fetchall())
    if imputer != "mean":
        file = db.impute("t", tmp_path / "out", m=1, imputer=imputer).files[0]
        assert db.execute(f"SELECT {inside} FROM '{file}' WHERE day__imputed") == [(True,)]
    assert db.execute(count) == [(67,)]


def test_a_type_that_no_longer_suits_is_said(table: Database) -> None:
    table.policy("t", "x", low=0, high=30)
    table.policy("t", "s", "structural", when="x > 20")
    assert table.sql("ALTER TABLE t ALTER x SET DATA TYPE DOUBLE").report.notes == ()
    assert len(table.policies()) == 2
    notes = table.sql("ALTER TABLE t ALTER COLUMN x TYPE VARCHAR").report.notes
    assert [note.partition(":")[0] for note in notes] == [
        "t has changed, and what was said of s is forgotten",
        "t has changed, and what was said of x is forgotten",
    ]
    assert table.policies() == []
    assert len(table.sql("SELECT x, s FROM t", imputer="mean").fetchall()) == 3


@pytest.mark.parametrize("statement", ["DROP TABLE t, q.u", "DROP SCHEMA q CASCADE; DROP TABLE IF EXISTS main.t"])
def test_what_is_said_goes_with_whatever_drops_the_table(table: Database, statement: str) -> None:
    made = (
        f"CREATE SCHEMA IF NOT EXISTS q; CREATE OR REPLACE TABLE q.u AS {ROWS}; CREATE TABLE IF NOT EXISTS t AS {ROWS}"
    )
    table.execute(f"{made}; CREATE TABLE stays AS {ROWS}")
    for name in ("t", "q.u", "stays"):
        table.policy(name, "x", "keep")
        table.missing(name, "id", [1])
    try:
        table.execute(statement)
    except Error:
        for one in ("DROP TABLE t", "DROP TABLE q.u"):  # this DuckDB drops one table a statement
            table.execute(one)
    table.execute(made)
    assert table.policies() == [("stays", "x", "KEEP")]
    assert table.declared() == [("stays", "id", ("1",))]
    table.execute("BEGIN; DROP TABLE stays; ROLLBACK")
    assert table.policies() == [("stays", "x", "KEEP")]


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"when": "x > 0"}, "structural"),
        ({"action": "keep", "when": "x > 0"}, "structural"),
        ({"refuse": True}, "above"),
    ],
)
def test_a_clause_without_the_one_it_goes_with_is_refused(table: Database, said: dict[str, Any], match: str) -> None:
    with pytest.raises(imputedb.QueryError, match=match):
        table.policy("t", "x", **said)
    assert table.policies() == []


def test_another_action_takes_the_condition_back(table: Database) -> None:
    table.sql("CREATE IMPUTATION POLICY ON t(x) STRUCTURAL WHEN (x > 0)")
    table.sql("ALTER IMPUTATION POLICY ON t(x) KEEP")
    assert [policy for _, _, policy in table.policies()] == ["KEEP"]


TEXTS = [
    "id = 1) OR (1 = 1",
    "id, id = 1",
    "id = 1 -- so",
    "id = 1; SELECT 1",
    "id = 1 ORDER BY 1",
    "id AS one",
    "id = 1 FROM u",
]


@pytest.mark.parametrize("text", TEXTS)
def test_what_a_policy_states_is_one_expression(text: str) -> None:
    with imputedb.connect() as db:
        db.execute("CREATE TABLE u AS SELECT i AS id, CASE WHEN i > 2 THEN i * 1.0 END AS x FROM range(9) r(i)")
        asked: list[Callable[[], object]] = [
            lambda: db.policy("u", "x", action="structural", when=text),
            lambda: db.policy("u", "x", derived=text),
            lambda: db.sql("SELECT avg(x) FROM u", m=3, weights=text),
        ]
        for ask in asked:
            with pytest.raises(imputedb.QueryError):
                ask()
        assert db.policies() == []


def test_a_policy_may_name_its_own_table_which_may_be_renamed() -> None:
    with imputedb.connect() as db:
        db.execute(
            "CREATE TABLE u AS SELECT i AS id, {'id': i} AS s, CASE WHEN i > 2 THEN i * 1.0 END AS x FROM range(9) r(i)"
        )
        db.policy("u", "x", action="structural", when="u.id = 1 OR main.u.s.id = 2")
        db.execute("ALTER TABLE u RENAME TO w")

        assert [row[0] for row in db.sql("SELECT id, x FROM w ORDER BY id", imputer="mean") if row[1] is None] == [1, 2]
        db.policy("w", "x", derived="memory.main.w.id + w.s.id")
        assert db.sql("SELECT x FROM w WHERE id = 1").fetchall() == [(2,)]
        with pytest.raises(imputedb.QueryError, match=r"FROM memory\.main\.w") as refused:
            db.policy("w", "x", action="structural", when="t.id = 1")
        assert " t" not in str(refused.value).partition("FROM")[2]


@pytest.mark.parametrize("action", ["keep", "drop"])
@pytest.mark.parametrize(
    "clause",
    [{"low": 1}, {"high": 9.5}, {"imputer": "mean"}, {"predictors": ["id"]}, {"exclude": ["id"]}, {"before": "id"},
     {"weight": "id"}, {"above": 5}, {"below": 0.5}, {"values": [1, 2]}, {"partition": ["id"], "order": "id"}],
)  # fmt: skip
def test_a_clause_about_filling_in_is_refused_where_nothing_is_filled_in(
    action: str, clause: dict[str, object]
) -> None:
    with imputedb.connect() as db:
        db.execute("CREATE TABLE u AS SELECT i AS id, CASE WHEN i > 2 THEN i * 1.0 END AS x FROM range(9) r(i)")
        with pytest.raises(imputedb.QueryError, match=f"{action} imputes nothing, and {list(clause)[-1]} would have"):
            db.policy("u", "x", action=action, **clause)
        db.policy("u", "x", action=action, measure="ordinal", values=[3, 4, 5, 6, 7, 8])
