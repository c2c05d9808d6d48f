"""The first wall: what reads is told from everything else by the syntax tree, the other walls being down."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

import imputedb
from imputedb import Database
from imputedb.errors import Error, UnknownName
from imputedb.service.configuration import Limits
from imputedb.service.errors import Forbidden, TooLarge
from imputedb.service.instance import guard as guard_of
from imputedb.service.security.statements import Guard
from tests.service.conftest import made

READS = (
    "SELECT 1",
    "VALUES (1), (2)",
    "FROM person",
    "TABLE person",
    "SELECT * FROM main.person",
    "SELECT * FROM survey.person",
    "SELECT * FROM survey.main.person",
    "SELECT * FROM secret.pin",
    "SELECT * FROM tall",
    "SELECT bmi(weight, height) FROM taller(170)",
    "SELECT IMPUTED(weight), COUNT_OBSERVED(weight) FROM person GROUP BY ALL",
    "SELECT list_transform([1, 2], lambda x: x + 1), {'a': 1}.a, [i for i in [1, 2] if i > 1], 'a' LIKE 'b%'",
    "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT sum(i) FROM n",
    'WITH "two words" AS (SELECT 1) SELECT * FROM "two words"',
    "SELECT sex, count(*) FILTER (WHERE weight > 60) FROM person GROUP BY ROLLUP (sex) HAVING count(*) > 1 LIMIT 5",
    "SELECT *, lag(id) OVER w, sum(id) OVER w FROM person WINDOW w AS (ORDER BY id) QUALIFY row_number() OVER w < 3",
    "SELECT * FROM person WHERE id IN (SELECT id FROM tall) AND EXISTS (SELECT 1) ORDER BY ALL LIMIT 10 %",
    "SELECT * FROM person p, LATERAL (SELECT p.id + 1 AS next)",
    "SELECT * FROM person p ASOF JOIN tall t ON p.id >= t.id",
    "SELECT * FROM (PIVOT person ON sex IN ('f', 'm') USING avg(weight))",
    "SELECT * FROM (UNPIVOT person ON height, weight)",
    "SELECT COLUMNS('h.*'), * EXCLUDE (id) FROM person USING SAMPLE 10",
    "SELECT 1 AS x UNION ALL BY NAME SELECT 2 AS x EXCEPT SELECT 3",
    "SELECT * FROM range(3), generate_series(1, 2), unnest([1, 2])",
    "SELECT date '2026-01-01' + INTERVAL 3 DAY, now()::DATE, TRY_CAST('x' AS INT), CASE WHEN true THEN 1 END",
    "SELECT ?::INT, $1",
    "DESCRIBE person",
    "SHOW TABLES",
    "SUMMARIZE person",
    "SELECT table_name FROM information_schema.tables",
)

SMUGGLES = (
    # writes
    "INSERT INTO person VALUES (1, 2, 3, 'f')",
    "WITH x AS (INSERT INTO person VALUES (1, 2, 3, 'f') RETURNING *) SELECT * FROM x",
    "WITH x AS (DELETE FROM person RETURNING *) SELECT * FROM x",
    "WITH x AS (UPDATE person SET id = 1 RETURNING *) SELECT * FROM x",
    "SELECT * FROM (WITH x AS (DELETE FROM person RETURNING *) SELECT * FROM x)",
    "SELECT (WITH x AS (DELETE FROM person RETURNING 1) SELECT * FROM x)",
    "CREATE TABLE t AS SELECT 1",
    "CREATE TEMP TABLE t AS SELECT 1",
    "CREATE OR REPLACE VIEW tall AS SELECT 1",
    "CREATE MACRO f(x) AS x",
    "DROP TABLE person",
    "TRUNCATE person",
    "EXPLAIN ANALYZE DELETE FROM person",
    "PREPARE p AS DELETE FROM person",
    "EXECUTE p",
    "BEGIN",
    "CHECKPOINT",
    "SELECT nextval('s')",
    "CREATE IMPUTATION POLICY ON person(weight) DROP",
    "DROP IMPUTATION MODEL vitals",
    "SELECT 1; DELETE FROM person",
    "MERGE INTO person USING tall ON person.id = tall.id WHEN MATCHED THEN DELETE",
    # files
    "COPY person TO 'out.csv'",
    "WITH x AS (COPY person TO 'out.csv') SELECT * FROM x",
    "COPY (SELECT 1) TO 'out.csv'",
    "EXPORT DATABASE 'out'",
    "FROM 'secret.csv'",
    'SELECT * FROM "secret.csv"',
    "SELECT * FROM 'https://example.org/x.parquet'",
    'WITH "secret.csv" AS (SELECT 1) SELECT 1 UNION ALL SELECT * FROM (SELECT * FROM "secret.csv")',
    "SELECT * FROM read_csv('secret.csv')",
    "SELECT * FROM read_text('secret.csv')",
    "SELECT * FROM read_blob('secret.csv')",
    "SELECT * FROM read_duckdb('other.duckdb')",
    "SELECT * FROM parquet_scan('x.parquet')",
    "SELECT * FROM glob('*')",
    "SELECT * FROM sniff_csv('secret.csv')",
    "SELECT * FROM query('SELECT * FROM read_text(''secret.csv'')')",
    "SELECT * FROM query_table('secret.csv')",
    "SELECT * FROM anything('SELECT * FROM read_text(''secret.csv'')')",
    "SELECT * FROM anyfile('secret.csv')",
    "SELECT * FROM json_execute_serialized_sql('{}')",
    "SELECT json_serialize_plan('SELECT * FROM read_csv(''secret.csv'')')",
    "SELECT * FROM arrow_scan_dumb(1, 2, 3)",
    "SELECT * FROM python_map_function(1, 2)",
    "SELECT * FROM pandas_scan(1)",
    "ATTACH 'other.duckdb'",
    "DETACH survey",
    "INSTALL httpfs",
    "LOAD httpfs",
    "IMPORT DATABASE 'x'",
    # settings, and what tells of the machine
    "SET threads = 8",
    "SET VARIABLE x = 1",
    "RESET threads",
    "USE memory",
    "PRAGMA enable_profiling",
    "CALL enable_logging()",
    "CREATE SECRET s (TYPE s3)",
    "SELECT current_setting('temp_directory')",
    "SELECT getvariable('x')",
    "SELECT setseed(0.5)",
    "SELECT write_log('x')",
    "SELECT pg_sleep(100)",
    # values of any size, which neither the memory limit nor a deadline bounds
    *(
        f"SELECT len({call})"
        for call in (
            "range(300000000)",
            "generate_series(1, 300000000)",
            "repeat('x', 300000000)",
            "list_resize([1], 300000000)",
            "array_resize([1], 300000000)",
            "lpad('x', 300000000, 'x')",
            "rpad('x', 300000000, 'x')",
            "bitstring('1', 300000000)",
            "format('{:300000000}', 1)",
            "printf('%300000000d', 1)",
            "damerau_levenshtein('x', 'y')",
        )
    ),
    "SELECT * FROM unnest(range(300000000))",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_logs()",
    "FROM duckdb_databases",
    "FROM duckdb_databases()",
    "FROM pragma_database_list",
    "FROM sqlite_master",
    "FROM pg_catalog.pg_settings",
    "SHOW DATABASES",
    "SHOW ALL TABLES",
    "WITH duckdb_settings AS (SELECT 1) SELECT * FROM duckdb_settings",
    "SELECT * FROM (WITH pg_settings AS (SELECT 1) SELECT 1), pg_settings",
    # what is ours
    "SELECT * FROM imputedb.policies",
    "SELECT * FROM survey.imputedb.models",
    "SELECT * FROM main.imputedb.policies",
    "SELECT imputedb.models.content FROM imputedb.models",
    "SHOW IMPUTATION POLICIES",
)


@pytest.fixture(scope="module")
def open_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database that anything can be done to: only the tree stands between it and a statement."""
    with imputedb.connect(made(tmp_path_factory.mktemp("open") / "survey.duckdb", rows=40)) as db:
        db.execute("CREATE SEQUENCE s")
        yield db


@pytest.fixture(scope="module")
def guard(open_database: Database) -> Guard:
    return guard_of(open_database, Limits())


@pytest.mark.parametrize("text", READS)
def test_what_reads_is_let_through(guard: Guard, open_database: Database, text: str) -> None:
    guard.check(text)
    if "?" not in text:
        open_database.execute(text.replace("IMPUTED(", "isnan(").replace("COUNT_OBSERVED(", "count("))


@pytest.mark.parametrize("text", SMUGGLES)
def test_what_does_more_is_refused_by_the_tree_alone(guard: Guard, text: str) -> None:
    with pytest.raises(Error):
        guard.check(text)


def test_names_in_other_letters_mean_the_same(guard: Guard) -> None:
    guard.check('SELECT BMI(Weight, height) FROM "MAIN"."Person"')
    for text in ('SELECT * FROM "IMPUTEDB".policies', "SELECT * FROM READ_TEXT('x')", "SELECT Current_Setting('x')"):
        with pytest.raises(Forbidden):
            guard.check(text)


def test_every_function_that_is_allowed_reads_nothing_but_its_arguments() -> None:
    """Functions of DuckDB's that write, wait or tell of the machine are none of those that are allowed."""
    from imputedb.service.security.statements import _FUNCTIONS

    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability = 'VOLATILE' AND "
            "function_type = 'scalar'"
        ).fetchall()
    volatile = {str(name) for (name,) in rows}
    assert volatile & _FUNCTIONS <= {"random", "uuid", "gen_random_uuid", "uuidv4", "uuidv7", "error"}
    assert not {name for name in _FUNCTIONS if name.startswith("__")}
    assert len(volatile) > 10


def test_size_and_depth_are_bounded(guard: Guard) -> None:
    with pytest.raises(TooLarge, match="100,000 bytes"):
        guard.check("SELECT " + "1," * 60_000 + "1")
    with pytest.raises(Error):
        guard.check("SELECT " + "(" * 5_000 + "1" + ")" * 5_000)
    with pytest.raises(TooLarge, match="200 levels"):
        guard.check("SELECT " + "abs(" * 400 + "1" + ")" * 400)


def test_a_macro_is_called_only_if_all_it_calls_isallowed(tmp_path: Path) -> None:
    with imputedb.connect(tmp_path / "x.duckdb") as db:
        for text in (
            "CREATE MACRO inner_file(x) AS (SELECT content FROM read_text(x))",
            "CREATE MACRO outer_file(x) AS inner_file(x) || '!'",
            "CREATE MACRO twice(x) AS x * 2",
            "CREATE MACRO four_times(x) AS twice(twice(x))",
        ):
            db.execute(text)
        guard = guard_of(db, Limits())
    guard.check("SELECT four_times(2)")
    for text in ("SELECT inner_file('x')", "SELECT outer_file('x')"):
        with pytest.raises(Forbidden):
            guard.check(text)


def test_a_macro_with_the_name_of_a_function_counts_as_the_macro(tmp_path: Path) -> None:
    with imputedb.connect(tmp_path / "x.duckdb") as db:
        for text in (
            "CREATE MACRO sqrt(x) AS (SELECT length(content) FROM read_text('/etc/hostname'))",
            "CREATE MACRO abs(x) AS CASE WHEN x < 0 THEN -x ELSE x END",
            "CREATE MACRO range(x) AS TABLE SELECT * FROM read_text('/etc/hostname')",
        ):
            db.execute(text)
        guard = guard_of(db, Limits())
    guard.check("SELECT abs(-1)")
    for text in ("SELECT sqrt(4)", "SELECT main.sqrt(4)", "SELECT abs(sqrt(4))", "SELECT * FROM range(3)"):
        with pytest.raises(Forbidden):
            guard.check(text)


def test_a_view_is_read_only_if_its_body_does_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("a\n1\n")
    with imputedb.connect(tmp_path / "x.duckdb") as db:
        for text in (
            "CREATE SCHEMA s",
            "CREATE TABLE s.t AS SELECT 1 AS a",
            "USE s",
            'CREATE VIEW "b AS SELECT ""1" (c, "AS d") AS SELECT a, a FROM t',
            "USE main",
            'CREATE VIEW again AS SELECT * FROM s."b AS SELECT ""1"',
            f"CREATE VIEW outside AS SELECT * FROM read_csv('{file}')",
            "CREATE VIEW further AS SELECT * FROM outside",
            "CREATE VIEW told AS SELECT * FROM duckdb_settings()",
        ):
            db.execute(text)
        guard = guard_of(db, Limits())
        for text in ("SELECT * FROM again", 'SELECT * FROM s."b AS SELECT ""1"'):
            guard.check(text)
            assert db.execute(text) == [(1, 1)]
    for name in ("outside", "further", "told"):
        with pytest.raises(UnknownName):
            guard.check(f"SELECT * FROM {name}")
