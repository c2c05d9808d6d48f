"""Files in FROM and in `load`: read once, under any name, with errors that name the file and the line."""

import numpy as np
import pytest

import imputedb


@pytest.fixture
def db(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with imputedb.connect() as db:
        db.execute("COPY (FROM (VALUES (1, 2), (NULL, 3), (4, 5)) v(a, b)) TO 'p.parquet'")
        db.execute("COPY (FROM (VALUES (1, 2), (3, 4)) v(a, z)) TO 'q.parquet'")
        for name in ("g.csv.gz", "h.csv.zst", "c.csv", "d.csv"):
            db.execute(f"COPY (FROM (VALUES (1, 2), (NULL, 3)) v(a, b)) TO '{name}'")
        yield db


@pytest.mark.parametrize("second", ["2", ""])
def test_a_file_is_read_once_whether_it_misses_a_value_or_not(db, tmp_path, second: str) -> None:
    (tmp_path / "rejected.csv").write_text(f"a,b\n1,{second}\nx,3\n4,5\n")
    reader = "read_csv('rejected.csv', columns = {'a': 'INT', 'b': 'INT'}, store_rejects = true)"
    assert db.sql(f"SELECT sum(a) FROM {reader} AS r").fetchall() == [(5,)]
    assert db.execute("SELECT count(*) FROM reject_errors") == [(1,)]
    db.sql(f"CREATE TABLE kept AS SELECT sum(r.a) FROM {reader} AS r WHERE r.a > 0")
    assert db.execute("SELECT count(*) FROM reject_errors") == [(2,)]
    assert db.execute("DESCRIBE kept")[0][0] == "sum(r.a)"


@pytest.mark.parametrize("source", ["'p.parquet'", "read_parquet('p.parquet')"])
def test_columns_that_a_star_does_not_show_are_read_where_they_are_named(db, source: str) -> None:
    assert db.sql(f"SELECT *, file_row_number FROM {source}").columns == ["a", "b", "file_row_number"]
    found = db.sql(f"SELECT b, filename, file_row_number, a IS NULL FROM {source} WHERE file_row_number > 0").fetchall()
    assert found == [(3, "p.parquet", 1, True), (5, "p.parquet", 2, False)]
    assert db.sql(f"SELECT * FROM {source} WHERE filename = 'p.parquet'").columns == ["a", "b"]
    assert db.sql("SELECT *, filename FROM 'q.parquet'").columns == ["a", "z", "filename"]


WRONG = {
    "lines.csv": ("a,b\n1,2\n" * 3, "SELECT sum(a) FROM read_csv('{}', types = {{'a': 'INT'}})", "{}, line 3: "),
    "late.csv": (
        "a,b\n" + "1,2\n" * 4000 + "True,2\n",
        "SELECT sum(a) FROM read_csv('{}', sample_size = 10)",
        "{}, line 4002",
    ),
    "widths.csv": ("a,b\n" + "1,2\n" * 3000 + "1,2,3,4\n", "FROM '{}'", "{} has no form of CSV"),
    "torn.parquet": ("PAR1xxxxxxxxxxxxxxxxPAR1", "FROM '{}'", "{}"),
    "torn.json": ('{"a": 1}\n{"a":\n', "FROM '{}'", "{}"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_a_file_names_it_and_the_line(db, tmp_path, name: str) -> None:
    content, query, said = WRONG[name]
    (tmp_path / name).write_text(content)
    with pytest.raises(imputedb.DataError) as error:
        db.sql(query.format(name)).fetchall()
    assert said.format(name) in str(error.value)
    assert "LINE 1" not in str(error.value)
    assert "delimiter =" not in str(error.value)


@pytest.mark.parametrize("files", ["['p.parquet', 'q.parquet']", "['q.parquet', 'p.parquet']"])
def test_files_of_different_columns_are_told_apart(db, files: str) -> None:
    with pytest.raises(imputedb.DataError, match=r"q\.parquet.*p\.parquet|p\.parquet.*q\.parquet"):
        db.sql(f"SELECT * FROM read_parquet({files})")


def test_patterns_and_compressed_files_load(db) -> None:
    assert db.load("*.csv.*") == ["g", "h"]
    assert db.load("[cd].csv") == ["c", "d"]
    assert db.load("[cd].csv", table="two") == ["two"]
    assert db.execute("SELECT count(*) FROM two") == [(4,)]
    assert db.sql("SELECT count(a) FROM g").fetchall() == [(2,)]
    with pytest.raises(imputedb.StorageError, match="no file matches"):
        db.load("*.none")


NAMES = ("\x01\x1f", "$x^$", "a b", 'a"b', "rowid", "x\ny", "imputedb key", "%s{}", "filename", "select", " ")


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", NAMES)
def test_a_column_of_any_name_comes_in_anywhere(db, name: str) -> None:
    rng = np.random.default_rng(0)
    values = np.ma.masked_array(rng.normal(size=40), rng.random(40) < 0.3)
    db.register("t", {"id": np.arange(40), name: values, "z": values.data + rng.normal(size=40)})
    db.execute("COPY t TO 'named.parquet'")
    column = '"' + name.replace('"', '""') + '"'
    wanted = db.sql(f"SELECT avg(v) FROM (SELECT id, {column} AS v, z FROM t)").fetchall()
    for source in ("t", "'named.parquet'", "(FROM t) AS q"):
        assert db.sql(f"SELECT avg({column}) FROM {source}").fetchall() == wanted
        assert name in db.sql(f"SELECT * FROM {source}", m=2).columns
    db.policy("t", name, low=-9)
    assert db.policies("t")[0][1] == name


def test_a_column_without_a_name_is_shown(db, tmp_path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    pa = pytest.importorskip("pyarrow")
    pq.write_table(pa.table({"": [1.0, None, 3.0], "b": [1, 2, 3]}), tmp_path / "nameless.parquet")
    assert all(row[0] is not None for row in db.sql("FROM 'nameless.parquet'").fetchall())


def _made(db: imputedb.Database) -> None:
    db.execute(
        "COPY (SELECT i, i // 2 AS half, CASE WHEN i % 3 > 0 THEN i END AS x, i::DOUBLE AS d, "
        "CASE WHEN i = 5 THEN 'nan'::DOUBLE ELSE i END AS n, [i] AS l FROM range(9000) r(i)) "
        "TO 'rows.parquet' (ROW_GROUP_SIZE 2048)"
    )
    db.execute("COPY (SELECT i, CASE WHEN i % 3 > 0 THEN i END AS x FROM range(90) r(i)) TO 'rows.csv'")


def _groups(db: imputedb.Database, query: str) -> tuple[list[tuple[object, ...]], dict[str, int]]:
    """The answer, and how many row groups were read and skipped."""
    db.execute("CALL enable_logging('PhysicalOperator')")
    db.execute("CALL truncate_duckdb_logs()")
    rows = db.sql(query, imputer="mean").fetchall()
    logged = "FROM duckdb_logs_parsed('PhysicalOperator') WHERE class = 'ParquetReader'"
    return rows, dict(db.execute(f"SELECT event, count(*) {logged} GROUP BY event"))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM 'rows.parquet' WHERE i < 10",
        "SELECT sum(half) FROM read_parquet('rows.parquet') AS r WHERE r.i < 10",
        "WITH c AS (SELECT i FROM parquet_scan(['rows.parquet'], filename = true) WHERE i < 10) SELECT max(i) FROM c",
        "SELECT count(*) FROM shown WHERE i < 10",
        "SELECT i, (SELECT max(a) FROM whole) FROM 'rows.parquet' WHERE i < 2",
    ],
)
def test_a_parquet_file_that_misses_nothing_read_is_read_where_it_is(db, query: str) -> None:
    _made(db)
    db.execute("CREATE VIEW shown AS FROM 'rows.parquet'")
    db.execute("CREATE TABLE whole AS SELECT 1 AS a")
    rows, groups = _groups(db, query)
    assert rows == db.execute(query)
    assert groups == {"ReadRowGroup": 1, "SkipRowGroup": 4}


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("SELECT count(x) FROM 'rows.parquet'", 9000),
        ("SELECT count(n) FROM 'rows.parquet'", 9000),
        ("SELECT count(i) FROM 'rows.parquet' AS r(x, half, i)", 9000),
        ("SELECT count(x) FROM shown", 9000),
        ("SELECT count(x) FROM listed", 90),
        ("SELECT count(x) FROM (FROM listed JOIN 'rows.csv' USING (i, x))", 90),
    ],
)
def test_what_a_file_misses_is_filled_in_behind_any_name(db, query: str, answer: int) -> None:
    """A view over a file was answered by complete cases, without a word."""
    _made(db)
    db.execute("CREATE VIEW shown AS FROM 'rows.parquet'")
    db.execute("CREATE VIEW listed AS FROM 'rows.csv'")
    assert db.sql(query, imputer="mean").fetchall() == [(answer,)]


def test_a_macro_that_reads_a_file_is_answered_from_completed_rows(db) -> None:
    _made(db)
    db.execute("CREATE MACRO listed() AS TABLE FROM 'rows.csv'")
    (found,) = db.sql("SELECT count(x), count(*), count_observed(x) FROM listed()", imputer="mean").fetchall()
    assert found[0] == found[1] > found[2]
    db.execute("COPY (SELECT 1 AS x) TO 'rows.csv'")
    assert db.sql("SELECT count(x) FROM listed()").fetchall() == [(1,)]


@pytest.mark.parametrize("name", ["filename", "file_index", "part"])
def test_folders_that_name_no_value_are_missing_whatever_they_are_called(db, name: str) -> None:
    value = f"CASE WHEN i % 3 > 0 THEN 10 + i % 2 END AS {name}"
    db.execute(f"COPY (SELECT i, {value} FROM range(90) r(i)) TO 'parts' (FORMAT parquet, PARTITION_BY ({name}))")
    assert db.sql(f"SELECT count({name}), max(i) FROM 'parts/*/*.parquet'", imputer="mean").fetchone() == (90, 89)
