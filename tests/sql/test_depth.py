"""Deep and long queries, up to the depth that DuckDB takes; and bounds of users, which are not for our statements."""

import pytest

import imputedb
from imputedb import Database
from imputedb.sql import deep
from imputedb.sql import tree as t

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


@pytest.mark.parametrize("name", QUERIES)
def test_deep_queries_are_answered(small: Database, name: str) -> None:
    text, expected = QUERIES[name]
    assert small.sql(text, imputer="mean").fetchall() == expected


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
