"""Data frames in variables of the caller, read by their names."""

import sys

import numpy as np
import pytest

import imputedb

ROWS = 60
_rng = np.random.default_rng(0)
_z = _rng.normal(size=ROWS)
_gone = _rng.random(ROWS) < 0.3
COLUMNS = {"id": np.arange(ROWS), "x": np.ma.masked_array(_z, _gone), "z": _z + _rng.normal(size=ROWS)}
everywhere = COLUMNS


def _made(kind: str) -> object:
    values = {name: np.ma.masked_array(column).tolist() for name, column in COLUMNS.items()}
    match kind:
        case "dictionary":
            return COLUMNS
        case "pandas" | "polars":
            return pytest.importorskip(kind).DataFrame(values)
        case "lazy":
            return pytest.importorskip("polars").DataFrame(values).lazy()
        case "arrow":
            return pytest.importorskip("pyarrow").table(values)
        case "relation":
            import duckdb

            connection = duckdb.connect()
            connection.register("given", pytest.importorskip("pyarrow").table(values))
            return connection.sql("SELECT * FROM given")
        case _:
            with imputedb.connect() as other:
                other.register("given", COLUMNS)
                return other.sql("SELECT id, IF(x IS NULL, NULL, x) AS x, z FROM given", imputer="drop")


@pytest.fixture
def db():
    with imputedb.connect() as db:
        yield db


@pytest.mark.sampled(3)
@pytest.mark.parametrize("kind", ["dictionary", "pandas", "polars", "lazy", "arrow", "relation"])
def test_a_frame_in_a_variable_is_imputed_like_a_table(db, kind: str) -> None:
    frame = _made(kind)
    db.register("t", COLUMNS)
    for text in ("SELECT avg(x) FROM {}", "WITH c AS (FROM {}) SELECT sum(x * z) FROM c", "SELECT id, x FROM {} AS f"):
        wanted = db.sql(text.format("t")).fetchall()
        assert np.allclose(db.sql(text.format("frame")).fetchall(), wanted, rtol=1e-9)
    assert db.sql("SELECT avg(x) FROM frame").report.imputed == {"frame.x": int(_gone.sum())}
    assert frame is not None


def test_an_answer_is_read_by_its_name(db) -> None:
    answer = db.sql("SELECT * FROM everywhere WHERE id < 10")
    assert db.sql("SELECT count(*), count(x) FROM answer").fetchall() == [(10, 10)]
    assert answer.columns == ["id", "x", "z"]


def test_names_mean_local_variables_then_global_ones_and_tables_first(db) -> None:
    assert db.sql("SELECT count(*) FROM everywhere").fetchall() == [(ROWS,)]
    everywhere = {"a": np.arange(3)}
    assert db.sql("SELECT count(*) FROM everywhere").fetchall() == [(len(everywhere["a"]),)]
    db.register("everywhere", {"a": np.arange(5)})
    assert db.sql("SELECT count(*) FROM everywhere").fetchall() == [(5,)]
    assert db.sql("WITH everywhere AS (SELECT 1) SELECT count(*) FROM everywhere").fetchall() == [(1,)]


def test_nothing_of_a_frame_stays(db) -> None:
    db.sql("CREATE TABLE kept AS SELECT * FROM everywhere WHERE id < 4")
    db.sql("INSERT INTO kept SELECT * FROM everywhere WHERE id = $1", [4])
    assert db.execute("SELECT count(*), count(x) FROM kept") == [(5, 5)]
    assert db.execute("SHOW TABLES") == [("kept",)]
    with pytest.raises(imputedb.QueryError):
        db.sql("SELECT avg(nothing) FROM everywhere")
    assert db.execute("SHOW TABLES") == [("kept",)]
    changing = {"a": np.arange(2)}
    assert db.sql("SELECT sum(a) FROM changing").fetchall() == [(1,)]
    changing = {"a": np.arange(4)}
    assert db.sql("SELECT sum(a) FROM changing").fetchall() == [(6,)]
    assert changing


STATEMENTS = """
    CREATE TEMP TABLE frame AS SELECT * FROM frame
    CREATE OR REPLACE TEMP TABLE frame AS SELECT a FROM frame
    CREATE TEMP TABLE IF NOT EXISTS frame AS FROM frame
    CREATE TABLE frame AS FROM frame; CREATE OR REPLACE TABLE frame AS SELECT * FROM frame WHERE a < 2
    CREATE TABLE "Frame" AS FROM frame; INSERT INTO frame SELECT * FROM frame
    INSERT INTO frame SELECT * FROM frame
    MERGE INTO frame USING (SELECT * FROM frame) AS s USING (a) WHEN NOT MATCHED THEN INSERT
    UPDATE frame SET a = 1
    DELETE FROM frame
    DROP TABLE frame
    ALTER TABLE frame ADD COLUMN c INT
    CREATE SCHEMA frame; CREATE TABLE frame.frame AS FROM frame; INSERT INTO frame.frame SELECT a + 1, b FROM frame
    CREATE TABLE kept AS WITH frame AS (SELECT a FROM frame) SELECT * FROM frame
    CREATE TABLE kept AS SELECT u.*, frame.b FROM (WITH frame AS (SELECT 7 AS q) FROM frame) AS u, frame
    CREATE TABLE kept AS WITH RECURSIVE n AS (SELECT 1 AS k UNION ALL SELECT k + 1 FROM n, frame WHERE k = a) FROM n
    CREATE TABLE kept AS SELECT * FROM (PIVOT frame ON a USING sum(b))
    CREATE TEMP TABLE frame AS SELECT * FROM (PIVOT frame ON a USING sum(b))
    BEGIN; CREATE TEMP TABLE frame AS FROM frame; ROLLBACK
    BEGIN; CREATE TEMP TABLE frame AS FROM frame; COMMIT; DROP TABLE frame; CREATE TABLE frame AS FROM frame
"""


_TABLES = """
    SELECT database_name, schema_name, table_name FROM duckdb_tables() WHERE schema_name <> 'imputedb' ORDER BY ALL
"""


def _left(rows) -> list[object]:
    """The tables, each with its rows."""
    return [(path, rows(f"FROM {'.'.join(path)} ORDER BY ALL")) for path in rows(_TABLES)]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("text", [line.strip() for line in STATEMENTS.strip().splitlines()])
def test_a_statement_around_a_frame_leaves_the_tables_that_duckdb_leaves(db, text: str) -> None:
    import duckdb

    frame = pytest.importorskip("pandas").DataFrame({"a": [1, 2, 3], "b": [1.5, 2.5, 4.5]})
    theirs = duckdb.connect()
    refused = []
    for run in (theirs.execute, db.sql):
        try:
            for statement in text.split("; "):
                run(statement)
            refused.append(False)
        except (duckdb.Error, imputedb.QueryError):
            refused.append(True)
    del frame
    assert refused[0] == refused[1]
    assert _left(db.execute) == _left(lambda query: theirs.execute(query).fetchall())


def test_everything_that_reads_a_table_reads_a_frame(db) -> None:
    mean = db.likelihood("SELECT * FROM everywhere", columns=["x", "z"]).average("x")
    assert mean == db.likelihood("everywhere", columns=["x", "z"]).average("x")
    assert db.profile("everywhere")[0].rows == ROWS
    assert db.scan("everywhere", ks=(3,)).k == 3
    assert db.why("everywhere", "x", int(np.flatnonzero(_gone)[0])).value is not None
    assert db.audit("everywhere", "everywhere") == _gone.sum()
    assert db.execute("SELECT count(*) FROM memory.everywhere") == [(_gone.sum(),)]


def test_it_is_read_inside_of_a_transaction(db) -> None:
    db.execute("CREATE TABLE mine (a INT); BEGIN; INSERT INTO mine VALUES (1)")
    assert db.sql("SELECT count(x) FROM everywhere").fetchall() == [(ROWS,)]
    db.execute("ROLLBACK")
    assert db.execute("SELECT count(*) FROM mine") == [(0,)]


def test_explain_impute_and_evaluate_read_it_too(db, tmp_path) -> None:
    assert "scan everywhere" in str(db.explain("SELECT avg(x) FROM everywhere"))
    assert db.evaluate("everywhere", imputer="mean").scores[0].column == "x"
    for number, source in enumerate(("everywhere", "SELECT id, x, z FROM everywhere")):
        done = db.impute(source, tmp_path / str(number), m=2)
        assert done.manifest["columns"]["x"]["imputed"] == _gone.sum()


@pytest.mark.parametrize("name", ["nowhere", "ROWS", "sys", "np"])
def test_what_is_no_frame_is_no_table(db, name: str) -> None:
    assert sys
    with pytest.raises(imputedb.UnknownName, match=name):
        db.sql(f"SELECT * FROM {name}")
    with pytest.raises(imputedb.UnknownName, match=name):
        db.evaluate(name)


def test_it_can_be_declined() -> None:
    with imputedb.connect(variables=False) as db, pytest.raises(imputedb.UnknownName, match="everywhere"):
        db.sql("SELECT * FROM everywhere")


def test_the_command_reads_no_variables(tmp_path) -> None:
    import subprocess

    path = str(tmp_path / "d.duckdb")
    with imputedb.connect(path) as db:
        db.execute("CREATE TABLE t (a INT)")
    done = subprocess.run(
        [sys.executable, "-m", "imputedb.cli", "query", path, "SELECT * FROM everywhere"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "everywhere" in done.stderr


@pytest.mark.parametrize(
    ("statement", "rows", "left"),
    [
        ("DESCRIBE frame", 2, 3),
        ("SUMMARIZE frame", 2, 3),
        ("SUMMARIZE SELECT b FROM frame", 1, 3),
        ("UPDATE kept SET b = frame.b FROM frame WHERE frame.a = kept.a", 1, 3),
        ("UPDATE kept SET b = (SELECT max(b) FROM frame)", 1, 3),
        ("DELETE FROM kept USING frame WHERE frame.a = kept.a", 1, 1),
        ("DELETE FROM kept WHERE a IN (SELECT a FROM frame)", 1, 1),
        ("MERGE INTO kept USING frame ON kept.a = frame.a WHEN NOT MATCHED THEN INSERT VALUES (7, 7)", 1, 4),
        ("EXPLAIN SELECT max(b) FROM frame", 1, 3),
    ],
)
def test_other_statements_read_a_frame_as_duckdb_does(db: imputedb.Database, statement: str, rows: int, left: int):
    frame = {"a": np.array([1, 2, 9]), "b": np.ma.masked_array([4.0, 5.0, 6.0], [False, True, False])}
    db.execute("CREATE TABLE kept AS SELECT * FROM (VALUES (1, 0.0), (2, 0.0), (3, 0.0)) AS v(a, b)")
    assert len(db.sql(statement).fetchall()) == rows
    assert db.execute("SELECT count(*) FROM kept") == [(left,)]
    assert len(frame["a"]) == 3
    assert list(db.tables()) == ["kept"]


@pytest.mark.parametrize("statement", ["DELETE FROM frame", "UPDATE frame SET a = 1", "INSERT INTO frame VALUES (1)"])
def test_a_frame_in_a_variable_is_not_written(db: imputedb.Database, statement: str):
    frame = {"a": np.array([1, 2, 9])}
    with pytest.raises(imputedb.UnknownName):
        db.sql(statement)
    assert len(frame["a"]) == 3
