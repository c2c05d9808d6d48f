"""A macro means what its text means: the same numbers, intervals and names of columns."""

from collections.abc import Iterator

import duckdb
import numpy as np
import pytest

import imputedb
from imputedb import Database

FORMS = {
    "geomean(x)": "exp(avg(ln(x)))",
    "geometric_mean(t.x)": "exp(avg(ln(x)))",
    "geomean(x) + 1": "exp(avg(ln(x))) + 1",
    "middle(x)": "avg(x)",
    "avg(twice(x))": "avg(x * 2)",
    "twice(avg(x))": "avg(x) * 2",
    "around(x)": "avg(x * 2)",
    "either(x)": "avg(x)",
    "either(x, y)": "sum(x * y)",
    "sum(zero(x))": "sum(coalesce(x, 0))",
}


@pytest.fixture(scope="module")
def db() -> Database:
    rng = np.random.default_rng(0)
    x = rng.normal(10, 2, 120)
    found = imputedb.connect()
    found.register("t", {"x": np.ma.masked_array(x, rng.random(120) < 0.3), "y": x + rng.normal(size=120),
                         "g": rng.integers(0, 3, 120)}, keep=True)  # fmt: skip
    for text in ("middle(v) AS avg(v)", "twice(a) AS a * 2", "around(a) AS avg(twice(a))",
                 "either(a) AS avg(a), (a, b) AS sum(a * b)", "zero(v) AS coalesce(v, 0)"):  # fmt: skip
        found.execute(f"CREATE MACRO {text}")
    return found


@pytest.mark.sampled(4)
@pytest.mark.parametrize("m", [1, 4])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("around", ["SELECT {} FROM t", "SELECT g, {} FROM t GROUP BY g ORDER BY g",
                                    "SELECT * FROM (SELECT {} FROM t) AS q"])  # fmt: skip
def test_a_macro_is_its_text(db: Database, form: str, around: str, m: int) -> None:
    named, plain = db.sql(around.format(form), m=m), db.sql(around.format(FORMS[form]), m=m)
    assert [
        [pytest.approx(cell, rel=1e-12, nan_ok=True) if isinstance(cell, float) else cell for cell in row]
        for row in plain
    ] == [list(row) for row in named]
    shown = [name for (name, *_) in db.execute(f"DESCRIBE {around.format(form)}")]
    assert [name for name in named.columns if name in shown] == shown
    if "q" not in around:
        assert named.report.notes == plain.report.notes == ()


def test_a_weighted_mean_has_an_interval_over_completed_values(db: Database) -> None:
    """DuckDB's macro leaves out weights of NULL: none is left once values are filled in."""
    plain = db.sql("SELECT sum(x * y) / sum(y) AS w FROM t", m=4).fetchall()
    assert db.sql("SELECT weighted_avg(x, y) AS w FROM t", m=4).fetchall() == plain


def test_what_a_macro_reads_of_a_table_is_still_refused(db: Database) -> None:
    db.execute("CREATE MACRO more(v) AS v + (SELECT max(x) FROM t)")
    with pytest.raises(imputedb.Unplanned, match="the macro more reads t"):
        db.sql("SELECT avg(more(x)) FROM t")


SAME = """
    field(s); field({'a': x, 'b': id}); fields(s) + fields(q); FIELD(t.s); q.field(); deep({'c': {'a': x}}); deep(q)
    sum(field({'a': x})); total(q); total({'a': x}); avg_of(field({'a': x})); self(s); self(q); twice_field({'a': x})
    plus(x); plus(x, 4); plus(x, b := 4); plus(b := x, a := 2); less(b := x, a := 2); main.less(x, 1); one.less(x, 1)
    memory.one.less(x, 1); upper_of(n); upper_of('b'); of_column(x, 3); x.of_column(2)
    x.abs(); t.x.abs(); x.round(1).abs(); n.upper(); s.a.abs(); x.greatest(2); x.sum(); t.x.avg(); sum(x.abs())
    sum(x) FILTER (x.abs() > 3); x.max().abs(); count(*) FILTER (t.x.isfinite()); [x].list_sum(); one.lower(n)
    n.lower(); n.one(); list_sum(through([x])); list_sum(hidden(x)); sum(x) OVER (ORDER BY x.abs(), id)
"""

TEXTS = """
    field(s) AS s.a; fields(s) AS s.a + s.b; deep(q) AS q.c.a; total(s) AS sum(s.a); avg_of(v) AS avg(v); self(t) AS t.a
    twice_field(v) AS field(v) * 2; plus(a, b := 3) AS a + b; less(a, b) AS a - b; one.less(a, b) AS a + b * 10
    upper_of(n) AS n.upper(); of_column(a, x) AS a.power(x); one.lower(v) AS v || '!'; one.upper() AS 'no'
    one.avg(v) AS 'no'; through(n) AS list_transform(n, lambda x: x + 1)
    hidden(id) AS list_transform([1], lambda e: e + id)
"""


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Database, duckdb.DuckDBPyConnection]]:
    """A table with missing values, and the same as `mean` completes it, each beside the same macros."""
    made = """
        CREATE TABLE t AS SELECT i AS id, i % 2 AS g, {'a': i, 'b': i * 10} AS s, 'n' || i AS n,
            {'a': i + 100, 'b': 7, 'c': {'a': i + 5}} AS q, (i * 2)::DOUBLE AS x FROM range(6) AS r(i)
    """
    with imputedb.connect() as ours, duckdb.connect() as theirs:
        for run in (ours.execute, theirs.execute):
            run(made)
            run("CREATE SCHEMA one")
            for text in TEXTS.replace("\n", ";").split(";"):
                if text.strip():
                    run(f"CREATE MACRO {text}")
        ours.execute("UPDATE t SET x = NULL WHERE id IN (2, 4)")
        theirs.execute("UPDATE t SET x = (SELECT avg(x) FROM t WHERE id NOT IN (2, 4)) WHERE id IN (2, 4)")
        yield ours, theirs


@pytest.mark.sampled(4)
@pytest.mark.parametrize("call", [call.strip() for call in SAME.replace("\n", ";").split(";") if call.strip()])
def test_a_call_means_what_duckdb_takes_it_for(pair, call: str) -> None:
    ours, theirs = pair
    for text in ("SELECT {} FROM t ORDER BY ALL", "SELECT g, {} AS r FROM t GROUP BY g ORDER BY ALL",
                 "SELECT id FROM t WHERE {} > 3 ORDER BY 1",
                 "SELECT r FROM (SELECT {} AS r FROM t) ORDER BY 1"):  # fmt: skip
        try:
            wanted = theirs.execute(text.format(call))
        except duckdb.Error:
            with pytest.raises(imputedb.QueryError):
                ours.sql(text.format(call), imputer="mean")
            continue
        found = ours.sql(text.format(call), imputer="mean")
        assert found.columns == [name for name, *_ in wanted.description]
        assert found.fetchall() == wanted.fetchall()


ROWS = """
    one_of(c) AS TABLE SELECT c, id FROM t; all_of(q) AS TABLE SELECT * FROM query_table(q::VARCHAR)
    own(id) AS TABLE SELECT id.x FROM t id; topmost(c) AS TABLE SELECT c AS v, id FROM t ORDER BY c DESC, id LIMIT 1
    above(low) AS TABLE SELECT low, low AS z, id FROM t WHERE x > low
    counted(q, c) AS TABLE WITH w AS (SELECT c AS v FROM query_table(q)) SELECT count(*), max(v) FROM w
    last_two(q, n := 2) AS TABLE SELECT * FROM query_table(q) ORDER BY 1 DESC LIMIT n
"""
CALLED = """
    FROM one_of(x); FROM one_of(t.x * 2); FROM one_of(c := x); FROM all_of(t); FROM all_of('t'); FROM own(id)
    FROM own(7); FROM topmost(x); FROM topmost(id + 1); FROM above(3); FROM o, above(o.y); FROM o, above(o.y + 1) AS w
    FROM counted(t, x); FROM counted('t', id - x); SELECT y, (SELECT v FROM topmost(x)) FROM o
    SELECT y, (SELECT v FROM topmost(o.y)) FROM o; SELECT q.b FROM one_of(x) AS q(b, c); FROM last_two(o)
    FROM last_two('o'); FROM t JOIN one_of(x) AS w ON w.id = t.id + 1
"""


@pytest.mark.sampled(2)
@pytest.mark.parametrize("query", [one.strip() for one in CALLED.replace("\n", ";").split(";") if one.strip()])
def test_a_macro_of_rows_reads_what_its_arguments_say(pair, query: str) -> None:
    ours, theirs = pair
    for run in (ours.execute, theirs.execute):
        run("CREATE OR REPLACE TABLE o AS SELECT * FROM (VALUES (2.0), (6.0)) v(y)")
        for text in ROWS.replace("\n", ";").split(";"):
            run(f"CREATE OR REPLACE MACRO {text}") if text.strip() else None
    wanted = theirs.execute(query)
    found = ours.sql(query, imputer="mean")
    assert found.columns == [name for name, *_ in wanted.description]
    assert sorted(map(repr, found)) == sorted(map(repr, wanted.fetchall()))


def test_a_macro_of_rows_that_goes_by_its_defaults_is_refused_where_values_are_missing(pair) -> None:
    ours, _ = pair
    ours.execute("CREATE MACRO few(q, n := 2) AS TABLE SELECT * FROM query_table(q) LIMIT n")
    ours.execute("CREATE MACRO these(q := 't') AS TABLE SELECT * FROM query_table(q)")
    for query, words in (
        ("FROM few(t)", "few reads t, which misses"),
        ("FROM these()", "the defaults of the macro these"),
    ):
        with pytest.raises(imputedb.Unplanned, match=words):
            ours.sql(query)
    assert len(ours.sql("FROM few(t, 3)").fetchall()) == 3


def test_in_a_view_a_macro_is_its_text_too(pair) -> None:
    ours, _ = pair
    ours.execute("CREATE MACRO known(v) AS v IS NOT NULL; CREATE VIEW w AS SELECT known(x) AS k, x.abs() AS y FROM t")
    assert ours.sql("SELECT count(*) FILTER (k), count(y) FROM w").fetchall() == [(4, 6)]


def test_a_macro_that_asks_by_its_defaults_is_refused_where_values_are_missing(pair) -> None:
    ours, _ = pair
    ours.execute("CREATE MACRO instead(v, b := 0) AS coalesce(v, b)")
    assert ours.sql("SELECT sum(instead(x, 1)) FROM t").fetchall() == [(0 + 2 + 1 + 6 + 1 + 10,)]
    assert ours.sql("SELECT sum(instead(id)) FROM t").fetchall() == [(15,)]
    with pytest.raises(imputedb.Unplanned, match="the macro instead asks about missing values"):
        ours.sql("SELECT sum(instead(x)) FROM t")


def test_macros_are_read_once_until_more_than_tables_and_views_changes(tmp_path) -> None:
    for path in (":memory:", str(tmp_path / "a.duckdb")):
        with imputedb.connect(path) as db:
            looks = lambda: next(use.misses for use in db.caches() if use.name == "definitions of macros")  # noqa: E731
            db.execute(
                "CREATE TABLE t AS SELECT i AS id, CASE WHEN i % 3 > 0 THEN i * 1.0 END AS x FROM range(40) r(i)"
            )
            ask = "SELECT sum(own(x)) FROM t"
            db.execute("CREATE MACRO own(a) AS a + 1")
            first, before = db.sql(ask, imputer="mean").fetchall(), looks()
            db.register("u", {"y": np.arange(3)}, keep=True)
            db.missing("u", "y", [2])
            for text in ("CREATE VIEW v AS FROM t", "ALTER TABLE u ADD COLUMN z INTEGER", "DROP VIEW v",
                         "INSERT INTO u VALUES (1, 2)", "CREATE OR REPLACE TEMP TABLE w AS FROM t"):  # fmt: skip
                db.execute(text)
                assert db.sql(ask, imputer="mean").fetchall() == first
            assert looks() == before
            db.execute("CREATE OR REPLACE MACRO own(a) AS a + 2")
            assert db.sql(ask, imputer="mean").fetchall() == [(first[0][0] + 40,)]
            db.execute("BEGIN")
            db.execute("CREATE OR REPLACE MACRO own(a) AS a + 3")
            assert db.sql(ask, imputer="mean").fetchall() == [(first[0][0] + 80,)]
            db.execute("ROLLBACK")
            assert db.sql(ask, imputer="mean").fetchall() == [(first[0][0] + 40,)]
