"""Statements of every kind: DuckDB's rows, names and types for them, parameters, files that are written."""

import datetime
import decimal
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.engines.duckdb import statements
from imputedb.errors import InternalError
from imputedb.sql.statements import classify

MADE = """
    CREATE TABLE t(i INTEGER PRIMARY KEY, s VARCHAR, d DECIMAL(9,2));
    INSERT INTO t VALUES (1, 'a', 1.50), (2, 'b', 2.25), (3, NULL, 3);
    CREATE TABLE whole AS SELECT i, d FROM t;
    CREATE SEQUENCE counter;
    PREPARE adding AS INSERT INTO whole VALUES ($1, $2) RETURNING *;
    PREPARE above AS SELECT i FROM whole WHERE d > $least ORDER BY i;
    PREPARE shown AS SELECT $1 AS one, $2 AS other;
    PREPARE chosen AS SELECT COLUMNS($1) FROM whole ORDER BY ALL;
    CREATE SCHEMA schema;
    CREATE TABLE schema.table(col STRUCT(field INTEGER), from_ INTEGER);
    CREATE TABLE named(values INTEGER, x INTEGER);
"""
STATEMENTS = (
    "EXPLAIN SELECT 1",
    "PRAGMA table_info('t')",
    "PRAGMA threads = 2",
    "CALL range(3)",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "DESCRIBE t",
    "SUMMARIZE whole",
    "EXECUTE above(least := 2)",
    "EXECUTE adding(8, 9.5)",
    "EXECUTE shown([1, [2, 3][1], 4], {'a': 1, 'b': [5, 6]})",
    "EXECUTE shown(MAP {'a, b': 1, 'c': 2}, (1, 'it''s; {'))",
    "CREATE TRIGGER seen AFTER DELETE ON t REFERENCING OLD TABLE AS o FOR EACH STATEMENT "
    "WITH o AS (SELECT 1 AS s) INSERT INTO whole SELECT s, s FROM o",
    "PIVOT whole FULL JOIN (SELECT 1 AS i) b USING (i) ON i",
    "PIVOT (VALUES (1, 2), (1, 3)) v(y, z) ON z USING first(y)",
    "EXECUTE chosen('s|d')",
    "EXECUTE chosen(['i', 'd'])",
    "INSERT INTO schema.table VALUES ({'field': 42}, 1)",
    "INSERT INTO named(values, x) VALUES (1, 2)",
    "INSERT INTO named(x, values) SELECT 1, 2",
    "INSERT INTO t VALUES (4, 'c', 4)",
    "INSERT INTO t VALUES (4, 'c', 4) RETURNING d, i AS number",
    "INSERT INTO t BY NAME SELECT 7 AS i, 'z' AS s",
    "INSERT OR REPLACE INTO t VALUES (1, 'other', NULL) RETURNING *",
    "UPDATE t SET s = 'x' WHERE i > 1 RETURNING i, s",
    "DELETE FROM t RETURNING *",
    "MERGE INTO t USING whole AS w ON t.i = w.i WHEN MATCHED THEN DELETE RETURNING t.i, merge_action",
    "WITH w AS (SELECT 1) INSERT INTO whole SELECT i + 10, d FROM whole RETURNING *",
    "WITH gone AS (DELETE FROM whole RETURNING i) SELECT sum(i) AS total FROM gone",
    "CREATE TABLE u AS SELECT NULL AS nothing, [] AS empty, nextval('counter') AS n FROM whole",
    "CREATE TABLE u AS FROM whole WITH NO DATA",
    "SELECT nextval('counter'), currval('counter')",
    "BEGIN",
    "SET threads = 2",
    "CHECKPOINT",
    "PIVOT whole ON i USING sum(d)",
    "SELECT * FROM (PIVOT whole ON i USING sum(d))",
    "FROM whole",
    "TABLE whole",
    "VALUES (1, 'a'), (2, 'b')",
    "SELECT NULL AS a, 1 AS a, 2 AS A, {'x': [1]} AS n",
    "(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1",
)


@pytest.fixture
def bare() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(MADE)
        yield connection


@pytest.mark.sampled(3)
@pytest.mark.parametrize("text", STATEMENTS)
def test_every_statement_gives_what_duckdb_gives(db: Database, bare: duckdb.DuckDBPyConnection, text: str) -> None:
    db.execute(MADE)
    result = db.sql(text)
    expected: Any = bare.sql(text).materialize() if "nextval" not in text else bare.sql(text)
    if text.startswith("SELECT NULL"):
        assert result.columns == ["a", "a", "A", "n"]
    else:
        assert result.columns == expected.columns
    assert result.types == [str(kind) for kind in expected.types]
    shown = [row[:1] for row in result] if text.startswith("EXPLAIN") else list(result)
    given = expected.fetchall()
    assert shown == ([row[:1] for row in given] if text.startswith("EXPLAIN") else given)
    counted = "SELECT nextval('counter')"
    assert db.execute(counted) == bare.execute(counted).fetchall()


@pytest.mark.parametrize("end", ["ROLLBACK", "ABORT", "rollback;", "COMMIT"])
def test_a_transaction_that_was_aborted_can_be_ended(db: Database, bare: duckdb.DuckDBPyConnection, end: str) -> None:
    """A text of one word was looked up among the tables, which an aborted transaction refuses."""
    db.execute(MADE)
    for run in (db.sql, bare.sql):
        run("BEGIN")
        run("INSERT INTO whole VALUES (9, 9)")
        with pytest.raises((imputedb.QueryError, duckdb.Error)):
            run("INSERT INTO t VALUES (1, 'a', 1)")
        with suppress(imputedb.QueryError, duckdb.Error):  # COMMIT says that nothing is kept
            run(end)
    assert db.sql("FROM whole").fetchall() == bare.sql("FROM whole").fetchall()
    db.sql("BEGIN")
    db.sql("COMMIT")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1; SELECT 2",
        "DROP TABLE t; SELECT 1",
        "COPY (SELECT 1) TO 'never.csv'; DROP TABLE t",
        "PIVOT whole ON i USING sum(d); DROP TABLE t",
        "CREATE TABLE u AS SELECT s FROM t; DROP TABLE t",
        "INSERT INTO whole SELECT i, d FROM t; DROP TABLE t",
        "EXECUTE above(1); DROP TABLE t",
    ],
)
def test_a_second_statement_is_refused_before_anything_ran(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    db.execute(MADE)
    with pytest.raises(imputedb.Unplanned, match="one statement at a time: the text holds 2"):
        db.sql(text)
    assert set(db.tables()) == {"t", "whole", "named", "schema.table"}
    assert not list(tmp_path.iterdir())


def test_nothing_of_ours_is_shown(people: Database) -> None:
    held = [people.sql("SELECT avg(age) FROM person WHERE sex = 'f'", m=m, imputer="pmm") for m in (1, 3)]
    held.append(people.sql("WITH w AS (SELECT id, max(height) AS h FROM exam GROUP BY id) SELECT avg(h) FROM w"))
    for listing in ("duckdb_tables()", "duckdb_columns()", "duckdb_views()", "information_schema.tables"):
        text = f"SELECT count(*) FROM {listing} WHERE COLUMNS(*)::VARCHAR LIKE '%imputedb_%'"
        assert people.sql(text.replace("COLUMNS(*)::VARCHAR", "columns(lambda c: c LIKE '%_name')::VARCHAR")).fetchall()
    names = {name for (name,) in people.sql("SELECT table_name FROM duckdb_tables() WHERE NOT internal")}
    names |= {name for (name,) in people.sql("SHOW TABLES")}
    names |= {name for (name,) in people.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal")}
    assert names == {"person", "exam"}
    people.execute("CREATE TEMP TABLE part AS FROM exam")
    people.sql("CREATE IMPUTATION MODEL m ON part (height)")
    for listing in (
        "SHOW TABLES; -- all",
        "SHOW",
        "DESCRIBE",
        "DESC TABLES",
        "SHOW TABLES FROM temp",
        "PRAGMA show_tables",
    ):
        assert "imputedb" not in str(people.sql(listing).fetchall()), listing
    for listing in ("SELECT name FROM (SHOW TABLES)", "WITH w AS (FROM (SHOW ALL TABLES)) SELECT name FROM w"):
        assert {"part", "person"} <= {name for (name,) in people.sql(listing)} <= {"part", "person", "exam"}
    with pytest.raises(imputedb.UnknownName) as refused:
        people.sql("FROM imputedb_answer_9")
    assert "imputedb_answer_1" not in str(refused.value)


def test_a_result_outlives_what_happens_later(people: Database) -> None:
    people.sql("BEGIN")
    people.sql("CREATE TABLE short AS SELECT 1 AS a")
    first = people.sql("SELECT a + 1 AS b FROM short")
    second = people.sql("SELECT count(*) FROM person WHERE age > 20", imputer="mean")
    rows = second.fetchall()
    people.sql("ROLLBACK")
    third = people.sql("SELECT 'other' AS c")
    assert first.fetchall() == [(2,)]
    assert second.fetchall() == rows
    assert third.fetchall() == [("other",)]


def test_a_result_is_read_while_a_transaction_is_aborted(people: Database) -> None:
    people.execute("BEGIN")
    result = people.sql("SELECT max(age) FROM person", imputer="mean")
    with pytest.raises(imputedb.QueryError):
        people.execute("SELECT 'x'::INTEGER")
    assert len(result) == 1
    assert result.fetchall() == [tuple(result.df().iloc[0])]
    people.execute("ROLLBACK")


def test_rows_are_taken_one_after_the_other(db: Database) -> None:
    result = db.sql("SELECT i, i::VARCHAR AS s FROM range(5) r(i)")
    assert [one[:2] for one in result.description] == [("i", "BIGINT"), ("s", "VARCHAR")]
    assert result.fetchone() == (0, "0")
    assert result.fetchmany(2) == [(1, "1"), (2, "2")]
    assert result.fetchall() == [(3, "3"), (4, "4")]
    assert result.fetchmany(9) == [(3, "3"), (4, "4")]
    assert (result.fetchone(), result.fetchmany(3), result.fetchall()) == (None, [], [])
    assert len(list(result)) == len(result) == 5


# -- parameters -------------------------------------------------------------------------------------------------------

VALUES = (
    5,
    2**40,
    2**100,
    -1.5,
    float("nan"),
    True,
    None,
    "it's",
    b"\x00\xff'",
    datetime.date(2020, 2, 29),
    datetime.datetime(2020, 2, 29, 12, 0, 0, 1),
    datetime.timedelta(days=1, microseconds=3),
    datetime.time(1, 2, 3),
    decimal.Decimal("-12.340"),
    [1, 2, None],
    {"a": 1, "b": "x'y"},
    ["a,b", 'c"d', ""],
)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_parameter_is_what_duckdb_binds(people: Database, value: object) -> None:
    text = "SELECT $v AS v, typeof($v), count(*) FILTER (WHERE age >= 0) FROM person GROUP BY ALL"
    (given,) = people.sql(text, {"v": value}, imputer="mean").fetchall()
    ((expected, kind),) = duckdb.execute("SELECT $v, typeof($v)", {"v": value}).fetchall()
    assert repr(given[:2]) == repr((expected, kind))
    assert given[2] == 400


def test_parameters_are_imputed_like_any_query(people: Database) -> None:
    plain = people.sql("SELECT sex, avg(height) AS h FROM person JOIN exam USING (id) WHERE age > 30 GROUP BY sex")
    for text, params in (("?", [30]), ("$1", (30,)), ("$least", {"least": np.int64(30)})):
        query = f"SELECT sex, avg(height) AS h FROM person JOIN exam USING (id) WHERE age > {text} GROUP BY sex"
        result = people.sql(query, params)
        assert sorted(result) == sorted(plain)
        assert result.report.imputed == plain.report.imputed
        assert people.explain(query, params).text.splitlines()[1:] != []
    people.sql(
        "PREPARE older AS SELECT sex, avg(height) AS h FROM person JOIN exam USING (id) WHERE age > ? GROUP BY sex"
    )
    assert sorted(people.sql("EXECUTE older(30)")) == sorted(plain)
    assert people.explain("EXECUTE older(30)").plan is not None
    people.sql("CREATE TABLE kept AS SELECT id, age FROM person WHERE age > $1", [30])
    assert people.execute("SELECT count(*) FROM kept WHERE age IS NULL OR age <= ?", [30]) == [(0,)]
    people.sql("INSERT INTO kept SELECT ?, max(age) FROM person RETURNING *", [-1]).fetchall()
    assert people.execute("SELECT count(*) FROM kept WHERE id = $id", {"id": -1}) == [(1,)]


COLLATED = """WITH RECURSIVE t(k, v) USING KEY (k) AS (
    VALUES (1, 'a') UNION SELECT CASE ascii(v) WHEN 97 THEN 1 ELSE 2 END, upper(v) FROM t
) TABLE t"""


@pytest.mark.parametrize(
    ("statement", "setting", "other"),
    [
        (COLLATED, "default_collation = 'nocase'", "default_collation = ''"),
        ("SELECT i / 2 FROM whole ORDER BY i", "integer_division = true", "integer_division = false"),
        (
            "INSERT INTO whole SELECT i / 2, 1 FROM whole RETURNING *",
            "integer_division = true",
            "integer_division = false",
        ),
        ("SELECT i FROM whole WHERE d < 'B' ORDER BY i", "default_order = 'desc'", "default_order = 'asc'"),
    ],
)
def test_execute_means_what_was_prepared(statement: str, setting: str, other: str) -> None:
    steps = [f"SET {setting}", f"PREPARE one AS {statement}", f"SET {other}"]
    made = "CREATE TABLE whole AS SELECT * FROM (VALUES (1, 'a'), (3, 'b')) v(i, d)"
    with imputedb.connect() as db, duckdb.connect() as plain:
        for text in (made, *steps):
            db.execute(text)
            plain.execute(text)
        assert db.sql("EXECUTE one").fetchall() == plain.execute("EXECUTE one").fetchall()


@pytest.mark.parametrize(("before", "after"), [("false", "true"), ("true", "false")])
def test_execute_divides_as_it_did_when_it_was_prepared(people: Database, before: str, after: str) -> None:
    people.execute(f"SET integer_division = {before}")
    people.execute('PREPARE "Half" AS SELECT id / 2, age, (age / 7)::INT / $2 FROM person WHERE id > $1 ORDER BY ALL')
    people.execute(
        "CREATE TABLE held(a DOUBLE, b DOUBLE); PREPARE kept AS INSERT INTO held SELECT id / 2, age FROM person"
    )
    wanted = people.sql('EXECUTE "half"(3, 4)', imputer="mean").fetchall()
    people.sql("EXECUTE kept", imputer="mean")
    people.execute(f"SET integer_division = {after}")
    assert people.sql('EXECUTE "half"(3, 4)', imputer="mean").fetchall() == wanted
    people.sql("EXECUTE kept", imputer="mean")
    assert people.execute("SELECT count(*) FROM held GROUP BY ALL HAVING count(*) % 2 = 1") == []


def test_execute_is_refused_where_only_its_own_text_divides(people: Database) -> None:
    people.execute(
        "CREATE TABLE held(a DOUBLE); PREPARE kept AS INSERT INTO held SELECT age FROM person RETURNING a / 2"
    )
    people.execute("SET integer_division = true")
    with pytest.raises(imputedb.QueryError, match="integer_division was changed after PREPARE kept"):
        people.sql("EXECUTE kept", imputer="mean")


def test_execute_without_a_division_is_answered_whatever_divisions_mean(people: Database) -> None:
    people.execute("PREPARE plain AS SELECT sum(age), '1/2' FROM person /* a/b */")
    wanted = people.sql("EXECUTE plain", imputer="mean").fetchall()
    people.execute("SET integer_division = true")
    assert people.sql("EXECUTE plain", imputer="mean").fetchall() == wanted


def test_a_parameter_without_a_value_is_a_variable(people: Database) -> None:
    people.execute("SET VARIABLE least = 30; PREPARE over AS SELECT count(*), $of FROM person WHERE age > $least")
    expected = people.sql("SELECT count(*), 'x' FROM person WHERE age > 30").fetchall()
    assert people.sql("EXECUTE over(of := 'x')").fetchall() == expected
    assert people.sql("SELECT count(*), $of FROM person WHERE age > $least", {"of": "x"}).fetchall() == expected
    assert people.sql("EXECUTE over(of := 'x', least := -1)").fetchall() == [(400, "x")]
    with pytest.raises(imputedb.QueryError, match=r"no value for the parameter \$of"):
        people.sql("EXECUTE over")
    people.execute("RESET VARIABLE least")


def test_a_null_has_the_type_that_execute_gives_it(people: Database) -> None:
    people.execute("PREPARE kind AS SELECT DISTINCT typeof($1), age > $1 FROM person")
    assert people.sql("EXECUTE kind(NULL::DATE - NULL::DATE)").fetchall() == [("BIGINT", None)]


LISTINGS = (
    "SELECT EXISTS(SELECT * FROM sqlite_master)",
    "SELECT EXISTS(FROM duckdb_tables()), 1 + (SELECT 0 * count(*) FROM information_schema.tables)",
    "SELECT * FROM (SELECT CASE WHEN EXISTS (FROM duckdb_views()) THEN 1 END)",
)


@pytest.mark.parametrize("text", LISTINGS)
def test_names_of_columns_stay_where_our_own_tables_are_left_out(people: Database, text: str) -> None:
    assert people.sql(text).columns == [name for name, *_ in people.execute(f"DESCRIBE {text}")]


def test_columns_that_a_macro_is_given_keep_their_names(people: Database) -> None:
    people.execute("CREATE OR REPLACE MACRO shown(v) AS coalesce(v, NULL)")
    for text in ("SELECT shown(COLUMNS(*)) FROM person", "SELECT shown(COLUMNS('age')) + 1 FROM person"):
        assert people.sql(text, imputer="mean").columns == [name for name, *_ in people.execute(f"DESCRIBE {text}")]


def test_names_of_columns_are_those_of_the_text(people: Database) -> None:
    people.execute("CREATE TABLE IF NOT EXISTS whole AS SELECT 1 AS i")
    for text in (
        "SELECT ?, ? + 1 FROM whole",
        "SELECT * FROM (SELECT ?, i + ? FROM whole)",
        "SELECT NOT (? = ANY (SELECT i FROM whole LIMIT ?)) FROM whole",
        "SELECT (SELECT i + ?), -?::INTEGER FROM whole",
        "SELECT EXISTS (SELECT * FROM whole WHERE i > ?), coalesce(?, 1) FROM whole",
    ):
        complete, missing = "whole", "(SELECT 1 AS i, age FROM person)"
        expected = [name.replace(complete, missing) for name in people.sql(text, [1, 2]).columns]
        query = text.replace(complete, missing)
        assert people.sql(query, [1, 2]).columns == expected


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (None, r"no value for the parameters \$1, \$2"),
        ([1], r"no value for the parameter \$2"),
        ([1, 2, 3], r"no parameter \$3: its parameters are \$1, \$2"),
        ({"a": 1}, r"no value for the parameters"),
        ({"1": 1, "2, z := 3": 4}, r"'2, z := 3': names of parameters are words"),
        ("ab", "give a list of values"),
        (5, "give a list of values"),
        ([1, object()], "object"),
    ],
)
def test_parameters_and_values_must_match(people: Database, params: Any, words: str) -> None:
    with pytest.raises(imputedb.QueryError, match=words):
        people.sql("SELECT count(*) FROM person WHERE age > ? AND id < ?", params)


# -- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reader", "options"),
    [
        ("x.csv", "read_csv", ""),
        ("x.parquet", "read_parquet", ""),
        ("x.parquet", "read_parquet", "(FIELD_IDS {i: 7, m: 8}, WRITE_BLOOM_FILTER false)"),
        ("x.json", "read_json", ""),
        ("x.csv.gz", "read_csv", ""),
        ("x.csv.zst", "read_csv", ""),
        ("it's.csv", "read_csv", "(HEADER true, DELIMITER ';')"),
        ("no_suffix", "read_parquet", "(FORMAT parquet)"),
    ],
)
def test_copy_writes_the_format_that_the_name_says(
    people: Database, tmp_path: Path, name: str, reader: str, options: str
) -> None:
    path = str(tmp_path / name).replace("'", "''")
    for query in ("SELECT id AS i, age AS m FROM person", "SELECT id AS i, id AS m FROM person"):
        result = people.sql(f"COPY ({query}) TO '{path}' {options}", imputer="mean")
        assert (result.columns, result.fetchall()) == (["Count"], [(400,)])
        assert people.execute(f"SELECT count(m) FROM {reader}('{path}')") == [(400,)]
        assert os.listdir(tmp_path) == [name]
    magic = (tmp_path / name).read_bytes()[:4]
    assert (magic == b"PAR1") == (reader == "read_parquet")
    assert (magic[:2] == b"\x1f\x8b") == name.endswith(".gz")


def test_copy_says_what_it_wrote(people: Database, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    query = "SELECT id, age, sex FROM person"
    result = people.sql(f"COPY ({query}) TO '{path}' (RETURN_FILES)", imputer="mean")
    assert result.fetchall() == [(400, [str(path)])]
    result = people.sql(f"COPY ({query}) TO '{path}' (RETURN_STATS)", imputer="mean")
    assert result.fetchall()[0][:2] == (str(path), 400)
    folder = tmp_path / "parts"
    result = people.sql(
        f"COPY ({query}) TO '{folder}' (FORMAT parquet, PARTITION_BY sex, RETURN_FILES)", imputer="mean"
    )
    ((count, files),) = result.fetchall()
    assert count == 400
    assert all(Path(file).is_file() and Path(file).is_relative_to(folder) for file in files)
    assert sorted(os.listdir(tmp_path)) == ["parts", "x.parquet"]
    with pytest.raises(imputedb.Error, match="not empty"):
        people.sql(f"COPY ({query}) TO '{folder}' (FORMAT parquet, PARTITION_BY sex)", imputer="mean")


def test_copy_of_no_rows_may_write_no_file(people: Database, tmp_path: Path) -> None:
    for name in ("none.parquet", "there.parquet"):
        if name == "there.parquet":
            people.execute(f"COPY (SELECT 1 AS a) TO '{tmp_path / name}'")
        text = f"COPY (SELECT 42 AS a WHERE 42 = 84) TO '{tmp_path / name}' (WRITE_EMPTY_FILE false)"
        assert people.sql(text).fetchall() == [(0,)]
    assert [path.name for path in tmp_path.iterdir()] == ["there.parquet"]
    assert people.execute(f"FROM '{tmp_path / 'there.parquet'}'") == [(1,)]


@pytest.mark.parametrize("query", ["SELECT id, age FROM person", "SELECT id FROM person"])
def test_a_copy_that_fails_leaves_nothing_behind(people: Database, tmp_path: Path, query: str) -> None:
    (tmp_path / "x.csv").write_text("before")
    refused = query.replace("id", "CASE WHEN id = 399 THEN error('no more') ELSE id END AS id", 1)
    with pytest.raises(imputedb.Error, match="no more"):
        people.sql(f"COPY ({refused}) TO '{tmp_path}/x.csv'", imputer="mean")
    with pytest.raises(imputedb.Error):
        people.sql(f"COPY ({query}) TO '{tmp_path}/y.csv' (NO_SUCH_OPTION 1)", imputer="mean")
    with pytest.raises(imputedb.StorageError, match=r"/missing/x\.csv"):
        people.sql(f"COPY ({query}) TO '{tmp_path}/missing/x.csv'", imputer="mean")
    assert os.listdir(tmp_path) == ["x.csv"]
    assert (tmp_path / "x.csv").read_text() == "before"


def test_nothing_is_left_of_the_files_that_a_query_reads(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("a,b\n1,2\n3,\n5,6\n")
    query = f"SELECT a, b FROM '{path}' ORDER BY a"
    result = db.sql(query, imputer="mean")
    assert db.explain(query, imputer="mean", analyze=True).plan is not None
    assert db.frontier(query) is not None
    assert db.sql("SHOW TABLES").fetchall() == []
    assert result.fetchall() == [(1, 2), (3, 4), (5, 6)]
    path.write_text("a,b\n1,x\n3,\n5,y\n")
    with pytest.raises(imputedb.Error):
        db.sql(f"SELECT a, b FROM read_csv('{path}', columns = {{'a': 'INT', 'b': 'INT'}})")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1" + bytes(40) + b"PAR1")
    with pytest.raises(imputedb.Error):
        db.sql(f"SELECT * FROM '{tmp_path}/bad.parquet'")
    assert db.sql("SHOW TABLES").fetchall() == []


def test_kinds_are_told_in_one_look(bare: duckdb.DuckDBPyConnection) -> None:
    kinds = {
        "SELECT 1": "Query",
        "/* CREATE TABLE */ SELECT 1 -- ;": "Query",
        "SELECT ';', $$;$$, \";\" FROM t": "Query",
        "CREATE VIEW v AS SELECT 1": "Other",
        "CREATE MACRO f() AS TABLE SELECT 1": "Other",
        "CREATE TABLE \"as\" (a INT)": "Other",
        "CREATE TEMP TABLE u(a) AS VALUES (1)": "EnclosingStatement",
        "INSERT INTO t DEFAULT VALUES": "Other",
        "INSERT INTO t(i) VALUES ((SELECT 1))": "EnclosingStatement",
        "INSERT INTO t VALUES (DEFAULT, (SELECT 'a'))": "Other",
        "COPY t TO 'x'": "Other",
        "COPY (SELECT ')') TO 'x'": "EnclosingStatement",
        "CREATE IMPUTATION POLICY ON t(s) KEEP": "PolicyStatement",
        "EXECUTE p": "Execute",
    }  # fmt: skip
    assert {text: type(classify(bare, text).statement).__name__ for text in kinds} == kinds


def test_the_same_look_tells_verb_and_effect(bare: duckdb.DuckDBPyConnection) -> None:
    told = {
        "/* a */ WITH w AS (SELECT 1) SELECT * FROM w": ("with", "ROWS"),
        "DELETE FROM t": ("delete", "COUNT"),
        "DELETE FROM t RETURNING *": ("delete", "ROWS"),
        "CREATE VIEW v AS SELECT 1": ("create", "COUNT"),
        "CALL range(3)": ("call", "UNKNOWN"),
        "; BEGIN": ("begin", "NOTHING"),
        "DROP IMPUTATION POLICY ON t": ("drop", "ROWS"),
    }
    assert {text: (one := classify(bare, text)) and (one.verb, one.effect.name) for text in told} == told


def test_a_text_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr(statements, "classify", lambda bare, text: looked.append(text) or classify(bare, text))
    with imputedb.connect() as db:
        db.execute("CREATE TABLE t AS SELECT 1 AS a, NULL::INTEGER AS b")
        for text in (
            "SELECT b FROM t",
            "INSERT INTO t SELECT a, b FROM t",
            "PREPARE p AS SELECT b FROM t",
            "EXECUTE p",
        ):
            db.sql(text, imputer="drop")
    assert sorted(set(looked)) == sorted(looked)


def test_alias_is_the_name_of_a_column(db: Database) -> None:
    db.execute("CREATE TABLE named AS SELECT * FROM (VALUES (1, 2.5), (2, NULL)) v(id, x)")
    for query in (
        "SELECT alias(X), alias(id)",
        "SELECT alias(q.y) FROM (SELECT x AS y FROM named) q",
        "SELECT alias(x + 1)",
    ):
        query += "" if "FROM" in query else " FROM named"
        assert db.sql(query, imputer="mean").fetchall() == db.execute(query)
    both = db.sql("SELECT alias(x) || '!' AS n, x FROM named ORDER BY id", imputer="mean")
    assert both.fetchall() == [("x!", 2.5), ("x!", 2.5)]


@pytest.mark.parametrize("bad", ["inf", "-1"])
def test_weights_that_no_row_can_have_are_refused_by_name(db: Database, bad: str) -> None:
    db.execute(
        "CREATE TABLE w AS SELECT i AS id, CASE WHEN i % 4 > 0 THEN i END AS x,"
        f" CASE WHEN i = 3 THEN '{bad}'::DOUBLE ELSE 1 END AS k FROM range(20) r(i)"
    )
    for query in ("SELECT avg(x) FROM w", "SELECT sum(id), count(*) FROM w WHERE x > 2"):
        with pytest.raises(imputedb.DataError, match="weight k is infinite or negative in 1 rows"):
            db.sql(query, weights="k", m=2, imputer="mean")
    assert db.sql("SELECT sum(id) FROM w WHERE id > 3", weights="k").fetchall()[0][0] == sum(range(4, 20))


def test_a_kind_of_statement_that_has_no_name_in_python_is_duckdbs(people: Database) -> None:
    with pytest.raises(imputedb.Error) as refused:
        people.sql("CREATE EXTERNAL RESOURCE 'nothing@nowhere' AS mine")
    assert not isinstance(refused.value, InternalError)


def test_a_copy_in_with_runs_once_and_warns_of_what_is_stored(people: Database, tmp_path: Path) -> None:
    people.execute("CREATE TABLE IF NOT EXISTS whole AS SELECT 1 AS i")
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    for text in (
        f"WITH c AS (COPY whole TO '{one}') SELECT * FROM c",
        f"COPY (WITH c AS MATERIALIZED (COPY (FROM whole) TO '{one}') SELECT * FROM c) TO '{other}' (HEADER false)",
        f"CREATE OR REPLACE TABLE counted AS WITH c AS (COPY whole TO '{one}') SELECT * FROM c",
    ):
        one.unlink(missing_ok=True)
        assert people.sql(text).fetchall() == [(1,)]
        assert one.read_text().split() == ["i", "1"]
    assert other.read_text().split() == ["1"]
    warnings = people.sql(f"WITH c AS (COPY person TO '{one}') SELECT * FROM c").report.warnings
    assert any("of person it reads what is stored" in warning for warning in warnings)
    assert people.sql("WITH q AS (SELECT id AS copy FROM person) SELECT min(copy) FROM q").fetchall() == [(0,)]


@pytest.mark.parametrize("explained", ["EXPLAIN SELECT 1", "EXPLAIN ANALYZE SELECT avg(age) FROM person"])
def test_explain_leaves_a_transaction_as_it_is(people: Database, explained: str) -> None:
    people.execute("CREATE TABLE held(a INT); BEGIN; INSERT INTO held VALUES (1)")
    for ask in (people.sql, people.execute):
        ask(explained)
        assert people.in_transaction
    people.execute("COMMIT")
    assert people.execute("SELECT count(*) FROM held") == [(1,)]
    people.execute("EXPLAIN ANALYZE BEGIN")
    assert people.in_transaction
    people.execute("ROLLBACK")
    people.execute(explained)
    assert not people.in_transaction


@pytest.mark.parametrize(
    "query",
    [
        "SELECT avg(y) FROM u WHERE x > ?",
        "SELECT y FROM u WHERE x + 1 > ? ORDER BY i",
        "SELECT count(*) FROM u WHERE y > ?",
    ],
)
@pytest.mark.parametrize("m", [1, 2])
def test_values_that_cannot_be_read_are_told_without_a_text_that_nobody_wrote(query: str, m: int) -> None:
    with imputedb.connect() as db:
        db.execute(
            "CREATE TABLE u AS SELECT i, i::DOUBLE AS x, CASE WHEN i % 3 > 0 THEN i + 0.5 END AS y FROM range(30) r(i)"
        )
        with pytest.raises(imputedb.QueryError, match=r"Could not convert string .abc. to") as told:
            db.sql(query, ["abc"], m=m, imputer="norm")
        assert "\n" not in str(told.value)
