"""What is said of tables follows them through texts of several statements, one after another."""

import contextlib
from pathlib import Path

import duckdb
import pytest

import imputedb
from imputedb import Database

SAID = {("one.t", "a"): "DROP", ("two.t", "a"): "KEEP", ("two.t", "b"): "EXCLUDE (a)"}

SCRIPTS = {
    "USE two; DROP TABLE t": {("one.t", "a"): "DROP"},
    "SET schema = 'two'; DROP TABLE t; USE main": {("one.t", "a"): "DROP"},
    "SET search_path = 'two'; ALTER TABLE t RENAME TO u; RESET search_path": {
        ("one.t", "a"): "DROP", ("two.u", "a"): "KEEP", ("two.u", "b"): "EXCLUDE (a)"},
    "USE two; ALTER TABLE t RENAME a TO z; USE main": {
        ("one.t", "a"): "DROP", ("two.t", "z"): "KEEP", ("two.t", "b"): "EXCLUDE (z)"},
    "DROP TABLE one.t; SELECT error('x'); DROP TABLE two.t": {
        ("two.t", "a"): "KEEP", ("two.t", "b"): "EXCLUDE (a)"},
    "ALTER TABLE one.t RENAME TO u; SELECT error('x')": {**SAID, ("one.u", "a"): "DROP", ("one.t", "a"): ""},
    "BEGIN; DROP TABLE one.t; ROLLBACK": SAID,
    "BEGIN; DROP TABLE one.t; ROLLBACK; DROP TABLE two.t": {("one.t", "a"): "DROP"},
    "BEGIN; DROP TABLE one.t; COMMIT; BEGIN; DROP TABLE two.t; ABORT": {
        ("two.t", "a"): "KEEP", ("two.t", "b"): "EXCLUDE (a)"},
    "BEGIN; DROP TABLE one.t; SELECT error('x')": SAID,
    "DROP TABLE one.t; CREATE TABLE one.t (a INT); ALTER TABLE one.t RENAME a TO c": {
        ("two.t", "a"): "KEEP", ("two.t", "b"): "EXCLUDE (a)"},
    "CREATE TEMP TABLE t (a INT); DROP TABLE t": SAID,
    "USE one; CREATE TEMP TABLE t (a INT); CREATE OR REPLACE TABLE t (b INT); USE main": {
        ("two.t", "a"): "KEEP", ("two.t", "b"): "EXCLUDE (a)"},
    "USE two; CREATE OR REPLACE TEMP TABLE t (b INT); DROP TABLE temp.t; USE main": SAID,
    "ALTER TABLE two.t DROP COLUMN a": {("one.t", "a"): "DROP"},
    "ALTER TABLE two.t DROP COLUMN s.a": SAID,
    "ALTER TABLE two.t RENAME COLUMN s.a TO b": SAID,
    "ALTER TABLE IF EXISTS two.t RENAME s TO a2; DROP SCHEMA one CASCADE": {
        ("two.t", "a"): "KEEP", ("two.t", "b"): "EXCLUDE (a)"},
    "DROP TABLE one.t; SELECT FROM": SAID,
    "-- nothing\nUSE two /* here */; -- and\nDROP TABLE IF EXISTS \"T\"; -- there\n": {("one.t", "a"): "DROP"},
}  # fmt: skip


@pytest.mark.sampled(4)
@pytest.mark.parametrize("kept", [True, False], ids=["file", "memory"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_each_statement_of_a_text_is_followed_before_the_next(tmp_path: Path, script: str, kept: bool) -> None:
    with imputedb.connect(tmp_path / "d.duckdb" if kept else ":memory:") as db:
        for schema in ("one", "two"):
            db.execute(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.t (a INT, b INT, s STRUCT(a INT, c INT))")
        db.policy("one.t", "a", "drop")
        db.policy("two.t", "a", "keep")
        db.policy("two.t", "b", exclude="a")
        with contextlib.suppress(imputedb.QueryError), pytest.warns() if "REPLACE TABLE" in script else _nothing():
            db.execute(script)
        with contextlib.suppress(imputedb.QueryError):
            db.execute("ROLLBACK")
        db.execute("USE main")
        wanted = {place: words for place, words in SCRIPTS[script].items() if words}
        if "DROP COLUMN a" in script:
            wanted |= {("two.t", "b"): "IMPUTE"}
        found = {(table, column): words for table, column, words in db.policies()}
        assert found.keys() == wanted.keys()
        for place, words in wanted.items():
            assert words in found[place] or words == "IMPUTE"


def _nothing() -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()


def test_a_transaction_that_commit_undoes_takes_back_what_was_said() -> None:
    with imputedb.connect() as db:
        db.execute("CREATE TABLE t (a INT); BEGIN")
        db.policy("t", "a", "drop")
        with pytest.raises(imputedb.QueryError):
            db.execute("SELECT error('x')")
        with pytest.warns(UserWarning, match="COMMIT has kept nothing of it"):
            db.execute("COMMIT")
        assert db.policies() == []
        db.execute("CREATE TABLE u (a INT PRIMARY KEY); BEGIN")
        db.policy("t", "a", "keep")
        db.execute("COMMIT")
        assert [words for *_, words in db.policies()] == ["KEEP"]


def test_what_is_said_of_a_database_in_memory_goes_with_it() -> None:
    with imputedb.connect() as db:
        for said in (["DROP"], []):
            db.execute("ATTACH ':memory:' AS other; CREATE TABLE other.t (a INT)")
            if said:
                db.policy("other.t", "a", "drop")
            assert [words for *_, words in db.policies()] == said
            db.execute("DETACH other")


@pytest.mark.parametrize(("clause", "left"), [("PREDICTORS (c)", None), ("PREDICTORS (c, b)", "PREDICTORS (b)"),
                                              ("EXCLUDE (c, b)", "EXCLUDE (b)"), ("EXCLUDE (c)", ""),
                                              ("BEFORE c", None)])  # fmt: skip
def test_a_policy_lets_go_of_a_column_that_is_dropped(db: Database, clause: str, left: str | None) -> None:
    db.execute("CREATE TABLE t (a DOUBLE, b DOUBLE, c DOUBLE)")
    db.sql(f"CREATE IMPUTATION POLICY ON t(a) RANGE 0 TO 9 {clause}")
    drop = "ALTER TABLE t DROP COLUMN c"
    if left is None:
        with pytest.warns(UserWarning, match="what was said of a is forgotten: it rests on c"):
            db.execute(drop)
        assert db.policies() == []
        return
    db.execute(drop)
    ((_, _, words),) = db.policies()
    assert left in words
    assert " c" not in words
    db.execute("ALTER TABLE t ADD COLUMN c INT")
    assert db.policies() == [("t", "a", words)]


def test_a_text_with_a_statement_that_does_not_parse_runs_none_of_it(db: Database) -> None:
    with pytest.raises(imputedb.QueryError):
        db.execute("CREATE TABLE t (a INT); SELECT FROM")
    assert db.tables() == {}
    assert db.execute("CREATE TABLE t (a INT); SELECT $v + 1; -- end", {"v": 3}) == [(4,)]


_YEARS = """
    CREATE TABLE y AS SELECT i AS id, CASE WHEN i % 4 > 0 THEN i END AS x, i % 2 AS g, i % 3 AS year,
        DATE '2020-01-01' + i::INTEGER AS d, CASE WHEN i % 5 > 0 THEN 2020 + i % 3 END AS z FROM range(20) r(i)
"""


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    ("policy", "alter", "why"),
    [
        ("x) STRUCTURAL WHEN (g = 1)", "g TYPE DATE USING DATE '2020-01-01' + g::INTEGER", "cast"),
        ("x) STRUCTURAL WHEN (g + 1 = 1)", "g TYPE VARCHAR", r"\+\(VARCHAR"),
        ("x) RANGE 1 TO 10", "x TYPE VARCHAR", "range"),
        ("x) VALUES (1, 2)", "x TYPE DATE USING DATE '2020-01-01' + x::INTEGER", "value"),
        ("x) WEIGHT id", "id TYPE VARCHAR", "weight|id is VARCHAR"),
        ("x) BEFORE id", "id TYPE VARCHAR", "order|id is VARCHAR"),
        ("z) DERIVED AS (extract(year FROM d) + year)", "d TYPE VARCHAR", "date_part"),
    ],
)
@pytest.mark.parametrize("how", ["at once", "in a transaction", "by others"])
def test_what_does_not_run_after_a_change_of_type_is_forgotten_or_refused(
    tmp_path: Path, policy: str, alter: str, why: str, how: str
) -> None:
    column = policy[0]
    with imputedb.connect(tmp_path / "f.db") as db:
        db.execute(_YEARS)
        db.sql(f"CREATE IMPUTATION POLICY ON y({policy}")
        if how != "by others":
            begin, end = ("BEGIN; ", "; COMMIT") if how == "in a transaction" else ("", "")
            with pytest.warns(UserWarning, match=f"what was said of {column} is forgotten: .*({why})"):
                db.execute(f"{begin}ALTER TABLE y ALTER COLUMN {alter}{end}")
            assert db.policies() == []
            assert None not in db.sql(f"SELECT min({column}), max({column}) FROM y", imputer="mean").fetchall()[0]
            return
    with duckdb.connect(tmp_path / "f.db") as other:
        other.execute(f"ALTER TABLE y ALTER COLUMN {alter}")
    with imputedb.connect(tmp_path / "f.db") as db:
        with pytest.raises(imputedb.QueryError, match=rf"policy on y\({column}\).*({why}).*DROP IMPUTATION POLICY"):
            db.sql(f"SELECT min({column}) FROM y")
        db.sql(f"DROP IMPUTATION POLICY ON y({column})")
        assert None not in db.sql(f"SELECT min({column}), max({column}) FROM y", imputer="mean").fetchall()[0]


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ("year", "jahr", "extract(year FROM d) + year"),
        ("d", "date", "extract(year FROM d) + year"),
        ("year", "a b", "date_part('year', d) + \"year\" + 0 * length('ö year')"),
        ("year", "k", "extract(year FROM d) + list_sum(list_transform([year], lambda year: year + 0))"),
    ],
)
def test_a_renamed_column_is_no_type_and_no_keyword(db: Database, before: str, after: str, text: str) -> None:
    db.execute(_YEARS)
    db.sql(f"CREATE IMPUTATION POLICY ON y(z) DERIVED AS ({text})")
    expected = db.sql("SELECT sum(z) FROM y", imputer="mean").fetchall()
    db.execute(f'ALTER TABLE y RENAME COLUMN {before} TO "{after}"')
    assert db.sql("SELECT sum(z) FROM y", imputer="mean").fetchall() == expected
    assert f'"{after}"' in db.policies()[0][2]
