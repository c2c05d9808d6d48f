"""Deep and long queries, up to the depth that DuckDB takes; and bounds of users, which are not for our statements."""

import sys
import threading

import pytest

import imputedb
from imputedb import Database
from imputedb.sql import ast as t
from imputedb.sql import deep

QUERIES = {
    "sum of 600": (f"SELECT {'+'.join(['x'] * 600)} FROM t ORDER BY 1", [(600,), (900,), (1200,)]),
    "400 selects": ("SELECT * FROM (" * 400 + "SELECT x FROM t" + ") q" * 400 + " ORDER BY x", [(1,), (1.5,), (2,)]),
    "100 renamed": ("SELECT max(x) FROM (" * 100 + "SELECT x FROM t" + ") q(x)" * 100, [(2,)]),
    "200 together": (" UNION ALL ".join(["SELECT sum(x) AS n FROM t"] * 200), [(4.5,)] * 200),
    "1,500 conditions": ("SELECT sum(x) FROM t WHERE " + " AND ".join(f"x < {i + 10}" for i in range(1500)), [(4.5,)]),
    "nested CASE": ("SELECT sum(" + "CASE WHEN x > 5 THEN 0 ELSE " * 90 + "x" + " END" * 90 + ") FROM t", [(4.5,)]),
}


@pytest.fixture
def small(db: Database) -> Database:
    db.execute("CREATE TABLE t AS SELECT * FROM (VALUES (1.0::DOUBLE), (2), (NULL)) v(x)")
    return db


WIDE = {
    "10,000 values": (f"SELECT sum(x) FROM t WHERE x IN ({','.join(map(str, range(10_000)))})", [(3,)]),
    "400 parentheses": (f"SELECT {'(' * 400}sum(x){')' * 400} FROM t", [(4.5,)]),
    "60 together": (" UNION ALL ".join(["SELECT sum(x) AS n FROM t"] * 60), [(4.5,)] * 60),
    "a short chain": (f"SELECT {'+'.join(['x'] * 250)} FROM t ORDER BY 1", [(250,), (375,), (500,)]),
    "100 CTEs": (
        f"WITH c0 AS (SELECT x FROM t), {', '.join(f'c{k} AS (SELECT x FROM c{k - 1})' for k in range(1, 100))} "
        "SELECT sum(x) FROM c99",
        [(4.5,)],
    ),
    "a long text": (f"SELECT sum(x) FROM t WHERE 'a' <> '{'b' * 1_000_000}'", [(4.5,)]),
    "500 items": (f"SELECT {', '.join(f'sum(x + {k}) AS c{k}' for k in range(500))} FROM t", None),
}

QUERIES |= WIDE


def test_the_recursion_limit_is_where_it_was_after_a_call(small: Database) -> None:
    """Whichever call it is, in whichever thread; two at one time leave it too."""
    before = sys.getrecursionlimit()
    within: list[int] = []

    def told(_: float) -> None:
        within.append(sys.getrecursionlimit())

    calls = [threading.Thread(target=lambda: imputedb.connect().sql(f"SELECT {'+'.join(['1'] * 500)}")) for _ in "ab"]
    for call in calls:
        call.start()
    small.sql(f"SELECT {'+'.join(['x'] * 300)} FROM t", imputer="hotdeck", progress=told)
    for call in calls:
        call.join()
    with pytest.raises(imputedb.QueryError):
        small.sql(f"SELECT {'(' * 3000}x{')' * 3000} FROM t")
    assert sys.getrecursionlimit() == before
    assert all(limit > before for limit in within)


@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", QUERIES)
def test_deep_queries_are_answered(small: Database, name: str) -> None:
    text, expected = QUERIES[name]
    found = small.sql(text, imputer="mean").fetchall()
    assert expected is None or found == expected
    assert len(found) > 0


def test_deeper_ones_are_refused_in_duckdbs_words(small: Database) -> None:
    with pytest.raises(imputedb.QueryError, match="Max expression depth"):
        small.sql(f"SELECT {'+'.join(['x'] * 1100)} FROM t")


def test_a_bound_of_the_users_does_not_break_statements_of_ours(small: Database) -> None:
    small.execute("SET max_expression_depth TO 7")
    assert small.sql("SELECT 42").fetchall() == [(42,)]
    assert small.sql("SELECT avg(x) FROM t", imputer="mean").fetchall() == [(1.5,)]
    with pytest.raises(imputedb.QueryError, match="limit of 7 exceeded"):
        small.execute("SELECT current_setting('max_expression_depth')")


def test_pieces_are_put_together_as_duckdb_would_write_the_whole(small: Database) -> None:
    """A chain that DuckDB can write at once, cut as if it were too deep."""
    node = small._engine.texts.tree(f"SELECT {'+'.join(['x'] * 40)} AS a, 'imputedb' FROM t WHERE NOT x IN (SELECT 1)")
    whole = small._engine.text(node)
    assert not deep.is_deep(whole)
    tree = node
    for _ in range(70):
        tree = t.select([t.star()], t.subquery(tree, "q"))
    text = small._engine.session.call(lambda: small._engine.text(tree))
    assert whole in text
    assert "imputedb_query" not in text
    assert "imputedb_value" not in text


ASKED = "SELECT current_setting('max_expression_depth')"


def test_a_bound_of_the_users_is_what_he_is_told(small: Database) -> None:
    small.execute("SET max_expression_depth = 100")
    small.execute(f"PREPARE asked AS {ASKED}")
    for text in (
        ASKED,
        "EXECUTE asked",
        "SELECT value::INT FROM duckdb_settings() WHERE name = 'max_expression_depth'",
    ):
        assert small.sql(text).fetchall() == [(100,)], text
    found = small.sql("SELECT avg(x), 1 + current_setting('Max_expression_depth') FROM t", imputer="mean")
    assert (found.fetchall(), found.columns[1]) == ([(1.5, 101)], "(1 + current_setting('Max_expression_depth'))")
    with pytest.raises(imputedb.QueryError, match="limit of 100 exceeded"):
        small.sql(f"SELECT {'+'.join(['1'] * 200)}")


def test_a_bound_of_the_users_outlives_a_transaction_that_failed(small: Database) -> None:
    small.execute("SET max_expression_depth = 100; BEGIN")
    with pytest.raises(imputedb.QueryError, match="of mine"):
        small.sql("SELECT avg(x), error('of mine') FROM t")
    small.execute("ROLLBACK")
    assert small.execute(ASKED) == [(100,)]


def test_a_bound_for_all_sessions_is_no_sessions_own(small: Database) -> None:
    small.execute("SET GLOBAL max_expression_depth = 100")
    assert small.sql("SELECT avg(x) FROM t", imputer="mean").fetchall() == [(1.5,)]
    small.execute("SET GLOBAL max_expression_depth = 90")
    assert small.execute(ASKED) == [(90,)]
