"""Tables of ours are in no list of tables; the user's are, whatever they are called."""

from pathlib import Path

import pytest

import imputedb

LISTS = (
    ("duckdb_tables()", "table_name"),
    ("duckdb_columns()", "table_name"),
    ("information_schema.tables", "table_name"),
    ("information_schema.columns", "table_name"),
    ("(FROM sqlite_master WHERE name <> 'imputedb_rows_1')", "name"),
    ("(FROM pg_catalog.pg_tables WHERE tablename <> 'imputedb_rows_1')", "tablename"),
    ("(FROM pg_class WHERE relname <> 'imputedb_rows_1')", "relname"),
    ("duckdb_views()", "view_name"),
)


@pytest.fixture
def db():
    with imputedb.connect() as db:
        db.execute("CREATE TABLE t AS FROM (VALUES (1, 'a', 1.0), (2, 'b', NULL), (3, 'a', 3.0)) v(id, k, x)")
        db.execute("CREATE TABLE imputedb_mine AS FROM (VALUES (1, 1.0), (2, NULL), (3, 2.5)) v(id, x)")
        db.execute("CREATE TABLE imputedb_rows_1 AS FROM imputedb_mine; CREATE VIEW seen AS FROM t")
        yield db


@pytest.mark.parametrize(("source", "column"), LISTS)
def test_a_statement_that_lists_tables_shows_none_of_ours(db, source: str, column: str) -> None:
    wanted = {name for (name,) in db.execute(f"SELECT {column} FROM {source}")}
    for missing in (
        "(SELECT k, avg(x) AS m FROM t GROUP BY k) AS q",
        "(SELECT avg(x) AS m FROM t) AS q",
        "(SELECT avg(t.x) AS m FROM t LEFT JOIN imputedb_mine AS i USING (id)) AS q",
    ):
        found = db.sql(f"SELECT l.{column}, m FROM {source} AS l, {missing}")
        assert found.report.imputed
        assert {name for name, _ in found.fetchall()} == wanted


def test_a_table_is_not_hidden_by_its_name(db) -> None:
    for name in ("imputedb_mine", "imputedb_rows_1"):
        assert db.sql(f"SELECT count(x) FROM {name}").fetchall() == [(3,)]
        assert db.sql(f"SELECT avg(x) FROM {name}").report.imputed == {f"{name}.x": 1}
    assert {one.table for one in db.profile()} >= {"imputedb_mine", "imputedb_rows_1"}


def test_row_ids_of_a_completed_table_can_be_read(db) -> None:
    found = db.sql("SELECT t.rowid, t.x IS NULL, t.x FROM t LEFT JOIN imputedb_mine i ON t.id = i.id ORDER BY 1")
    assert [row[0] for row in found.fetchall()] == [0, 1, 2]
    assert found.report.imputed == {"t.x": 1}
    wide = db.sql("SELECT t.*, i.* FROM t LEFT JOIN imputedb_mine i ON t.id = i.id WHERE t.rowid > 0")
    assert wide.columns == db.sql("SELECT t.*, i.* FROM t JOIN imputedb_mine i ON t.id = i.id").columns


def test_fields_of_a_struct_are_asked_about_and_shown(db) -> None:
    db.execute("CREATE TABLE s AS FROM (VALUES (1, {'f': 1, 'g': 2}), (2, {'f': NULL, 'g': 3}), (3, NULL)) v(id, s)")
    assert db.sql("SELECT id FROM s WHERE s.f IS NULL ORDER BY id").fetchall() == [(2,), (3,)]
    assert db.sql("SELECT id, s.f FROM s WHERE s.f IS NOT NULL").fetchall() == [(1, 1)]
    shown = db.sql("SELECT id, s.f FROM s ORDER BY id")
    assert shown.fetchall() == [(1, 1), (2, None), (3, None)]
    assert any("shown as NULL" in said for said in shown.report.warnings)
    with pytest.raises(imputedb.CannotImpute):
        db.sql("SELECT avg(s.f) FROM s")


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_outputs_that_show_one_column_that_cannot_be_imputed_are_null(db, alpha: float) -> None:
    """A cast or a strict function of such a column was refused, where the column itself was shown."""
    db.execute(
        "CREATE TABLE w AS SELECT i, if(i % 3 > 0, [i, 1], NULL) AS l, if(i > 2, md5(i::TEXT)::UUID, NULL) AS u, "
        "if(i % 2 > 0, i, NULL) AS x FROM range(8) r(i)"
    )
    shown = "SELECT i, u::TEXT, upper(u::TEXT) AS a, l[1], -len(l), l[1:1] FROM w"
    for text in (shown, f"SELECT * FROM ({shown})", f"WITH q AS MATERIALIZED ({shown}) FROM q UNION ALL FROM q"):
        found = db.sql(text, alpha=alpha)
        assert sorted(found.fetchall()) == sorted(db.execute(text))
        assert {note.subject for note in found.report.warnings if "shown as NULL" in note} == {"w.u", "w.l"}
    for text in (
        "len(l) FROM w ORDER BY len(l)",
        "DISTINCT u::TEXT FROM w",
        "x + l[1] FROM w",
        "i FROM w WHERE len(l) > 1",
    ):
        with pytest.raises(imputedb.CannotImpute):
            db.sql(f"SELECT {text}", imputer="mean")


def test_the_note_on_stars_stands_only_where_there_is_one(db) -> None:
    text = "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r, t WHERE t.id = i AND x > 0 AND i < 3)"
    notes = db.sql(f"{text} SELECT max(i) FROM r").report.notes
    assert any("a recursive CTE" in note for note in notes)
    assert not any("star" in note for note in notes)


@pytest.mark.parametrize(
    "text",
    [
        "WITH i AS (INSERT INTO kept SELECT avg(x) FROM t RETURNING a) FROM i",
        "WITH i AS (DELETE FROM kept RETURNING a) SELECT count(*), avg(t.x) FROM i, t",
        "WITH i AS (INSERT INTO kept SELECT avg(x) FROM seen RETURNING a) FROM i",
    ],
)
def test_a_query_that_writes_says_that_nothing_is_imputed(db, text: str) -> None:
    db.execute("CREATE TABLE kept (a DOUBLE)")
    assert any("nothing is imputed" in said for said in db.sql(text).report.warnings)
    db.sql("WITH i AS (INSERT INTO kept VALUES (7) RETURNING a) INSERT INTO kept SELECT a + 1 FROM i")
    assert db.execute("SELECT count(*) FROM kept WHERE a IN (7, 8)") == [(2,)]
    assert not db.sql("WITH i AS (INSERT INTO kept VALUES (1) RETURNING a) FROM i").report.warnings


def test_a_text_that_fails_half_way_leaves_its_transaction_open_or_over(db) -> None:
    with pytest.raises(imputedb.UnknownName):
        db.execute("BEGIN; FROM nowhere")
    db.execute("ROLLBACK")
    assert db.sql("SELECT count(x) FROM t").fetchall() == [(3,)]
    with pytest.raises(imputedb.UnknownName):
        db.execute("BEGIN; INSERT INTO t VALUES (4, 'a', 4); COMMIT; FROM nowhere")
    assert db.sql("SELECT count(x) FROM t").fetchall() == [(4,)]
    with pytest.raises(imputedb.SqlSyntaxError):
        db.execute("BEGIN; SELEC 1")  # nothing of it runs
    with pytest.raises(imputedb.QueryError, match="no transaction is active"):
        db.execute("ROLLBACK")
    db.execute("BEGIN; INSERT INTO t VALUES (5, 'a', 5)")
    assert db.sql("SELECT count(x) FROM t").fetchall() == [(5,)]
    db.execute("ROLLBACK")
    assert db.sql("SELECT count(x) FROM t").fetchall() == [(4,)]


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        ("/* why */ BEGIN", "-- done\nCOMMIT"),
        ("-- why\nSTART TRANSACTION;", "END"),
        ("/**/begin;", "/* no */ ROLLBACK"),
    ],
)
def test_a_transaction_may_begin_behind_a_comment(begins: str, ends: str) -> None:
    with imputedb.connect() as db:
        db.execute("CREATE TABLE t(id INTEGER, y DOUBLE); INSERT INTO t VALUES (1, 1), (2, NULL), (3, 3)")
        db.execute(begins)
        assert db.sql("SELECT count(*) FROM t WHERE y > 0", imputer="mean").fetchall() == [(3,)]
        db.execute(ends)
        assert db.sql("SELECT avg(y) FROM t", imputer="mean").fetchall() == [(2,)]


KEPT = (
    *("duckdb_tables()", "duckdb_columns", "duckdb_constraints()", "duckdb_schemas()", "duckdb_indexes()"),
    *("information_schema.tables", "information_schema.columns", "information_schema.schemata", "sqlite_master"),
    *("information_schema.table_constraints", "pg_tables", "pg_namespace", "pg_catalog.pg_class", "pg_attribute"),
    *("pg_constraint", "pg_index", "pg_type", "(SHOW ALL TABLES)", "(SHOW SCHEMAS)"),
)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("source", KEPT)
def test_what_is_kept_in_a_file_is_listed_nowhere(tmp_path: Path, source: str) -> None:
    """With policies and statistics kept, each list has just what it has without them, numbers of objects apart."""

    def names(db: imputedb.Database) -> list[tuple[str, ...]]:
        rows = db.sql(source[1:-1] if "SHOW" in source else f"FROM {source}").fetchall()
        return sorted(tuple(str(part) for part in row if not isinstance(part, int)) for row in rows)

    made = "CREATE TABLE t (id INT PRIMARY KEY, x DOUBLE); INSERT INTO t VALUES (1, NULL), (2, 3); CREATE SCHEMA s"
    with imputedb.connect(tmp_path / "f.db") as db:
        db.execute(made)
        before = names(db)
        db.sql("CREATE IMPUTATION POLICY ON t(x) RANGE 1 TO 5")
        db.sql("SELECT avg(x) FROM t")
        assert db.execute("SELECT count(*) FROM imputedb.policies") == [(1,)]
        assert names(db) == before


def test_a_query_of_with_may_be_named_like_a_list(tmp_path: Path) -> None:
    with imputedb.connect(tmp_path / "f.db") as db:
        db.execute("CREATE TABLE t AS SELECT * FROM (VALUES (1, NULL), (2, 3)) v(id, x)")
        assert db.sql("WITH pg_class AS (FROM t) SELECT sum(x) FROM pg_class", imputer="mean").fetchall() == [(6,)]


def test_an_export_with_policies_goes_into_a_database_without(tmp_path: Path) -> None:
    made = "CREATE TABLE {} AS SELECT * FROM (VALUES (1, NULL), (2, 3)) v(id, x)"
    with imputedb.connect(tmp_path / "a.db") as db:
        db.execute(made.format("t"))
        db.sql("CREATE IMPUTATION POLICY ON t(x) RANGE 1 TO 5")
        said = db.policies()
        db.execute(f"EXPORT DATABASE '{tmp_path / 'out'}'")
    with imputedb.connect(tmp_path / "b.db") as db:
        db.execute(f"IMPORT DATABASE '{tmp_path / 'out'}'")
        assert db.policies() == said
    with imputedb.connect(tmp_path / "c.db") as db:
        db.execute(made.format("u"))
        db.sql("CREATE IMPUTATION POLICY ON u(x) KEEP")
        for run in (db.execute, db.sql):
            with pytest.raises(imputedb.QueryError, match=r"policies, and so does this database: .* apply_policies"):
                run(f"IMPORT DATABASE '{tmp_path / 'out'}'")
        assert len(db.policies()) == 1
