"""Questions about missingness: about what is stored, but for those that an outer join answers."""

from collections.abc import Iterator

import pytest

import imputedb
from imputedb import Database


@pytest.fixture(scope="module")
def orders() -> Iterator[Database]:
    """Of 20 customers the first ten have orders; a third of the orders misses its customer, a quarter its total."""
    with imputedb.connect() as db:
        db.execute("CREATE TABLE cust AS SELECT i AS id FROM range(20) r(i)")
        db.execute(
            "CREATE TABLE ord AS SELECT i % 10 AS whose, CASE WHEN i % 3 > 0 THEN i % 10 END AS key,"
            " CASE WHEN i % 4 > 0 THEN i * 1.0 END AS total FROM range(60) r(i)"
        )
        yield db


WITHOUT = [
    "SELECT count(*) FROM cust LEFT JOIN ord ON cust.id = ord.key WHERE ord.key IS NULL",
    "SELECT count(*) FROM ord RIGHT JOIN cust ON cust.id = ord.key WHERE ord.key IS NOT DISTINCT FROM NULL",
    "SELECT count(*) FROM cust FULL JOIN ord ON cust.id = ord.key WHERE ord.key IS NULL",
    "SELECT count(*) FROM cust LEFT JOIN ord ON cust.id = ord.key WHERE (ord.total > 0) IS UNKNOWN",
    "SELECT count(*) FROM cust LEFT JOIN (SELECT * FROM ord) o ON cust.id = o.key WHERE o.total IS NULL",
    "SELECT count(*) FROM (SELECT ord.key FROM cust LEFT JOIN ord ON cust.id = ord.key) WHERE key IS NULL",
    "SELECT count_if(coalesce(key, -1) = -1) FROM cust LEFT JOIN ord ON cust.id = ord.key",
    "SELECT count(*) FROM cust WHERE NOT EXISTS (FROM ord WHERE ord.key = cust.id)",
    "SELECT count(*) FROM cust WHERE id NOT IN (SELECT key FROM ord)",
    "SELECT count(*) FROM cust ANTI JOIN ord ON cust.id = ord.key",
    "SELECT count(*) FROM (SELECT id FROM cust EXCEPT SELECT key FROM ord)",
]


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("query", WITHOUT)
def test_customers_without_orders_are_the_same_in_every_spelling(orders: Database, query: str, alpha: float) -> None:
    """What an imputed key has matched is no customer without orders."""
    assert orders.sql(query, imputer="hotdeck", alpha=alpha).fetchall() == [(10,)]


STORED = [
    ("SELECT count(*) FROM ord WHERE total IS NOT DISTINCT FROM NULL", (15,)),
    ("SELECT count(*) FROM ord WHERE NULL::INTEGER IS DISTINCT FROM total", (45,)),
    ("SELECT count(*) FROM ord WHERE (total = 1) IS UNKNOWN", (15,)),
    ("SELECT count(*) FROM ord WHERE (total = 1) IS NOT UNKNOWN", (45,)),
    ("SELECT count(*) FILTER (WHERE total IS NULL), count(total) FROM ord", (15, 60)),
    ("SELECT sum(IMPUTED(total)::INT), round(avg(total) * 0) FROM ord", (15, 0)),
    ("SELECT n FROM (SELECT total IS NULL AS c, count(*) AS n, avg(total) FROM ord GROUP BY c) WHERE c", (15,)),
    ("SELECT count_observed(total), count(total) FROM cust LEFT JOIN ord ON cust.id = whose", (45, 60)),
    ("SELECT count(*) FROM cust LEFT JOIN ord ON id = whose AND total IS NULL WHERE whose IS NOT NULL", (15,)),
    ("SELECT count(*) FROM (SELECT total FROM ord UNION ALL SELECT total + 1 FROM ord) WHERE total IS NULL", (30,)),
    ("SELECT count(*) FROM (SELECT * FROM ord UNION ALL SELECT * FROM ord) WHERE total IS NULL", (30,)),
    (
        "SELECT count_if(v IS NULL), count(v) FROM (SELECT id FROM cust UNION ALL FROM (SELECT total FROM ord)) q(v)",
        (15, 80),
    ),
    (
        "WITH a AS (SELECT whose, total FROM ord), b AS (FROM a UNION ALL SELECT whose, total FROM ord WHERE key = 1) "
        "SELECT count(*) - count(*) FILTER (WHERE total IS NOT NULL) >= 15, bool_or(imputed(total)) FROM b",
        (True, True),
    ),
    ("SELECT count(*) FROM (SELECT unnest([total]) AS total FROM ord UNION ALL SELECT NULL) WHERE total IS NULL", (1,)),
    ("SELECT count(*) FROM cust LEFT JOIN ord ON id = whose WHERE total IS NULL AND whose IS NOT NULL", (15,)),
    (
        "SELECT sum(n) FROM (SELECT total AS v, whose AS w, 1 AS n FROM cust LEFT JOIN ord ON id = whose "
        "WHERE v IS NULL AND w IS NOT NULL)",
        (15,),
    ),
    ("SELECT count(*) FROM (SELECT first(total) IS NULL AS m FROM ord GROUP BY rowid) WHERE m", (15,)),
    ("SELECT count_if(m) FROM (SELECT list(total)[1] IS NULL AS m, max(total) FROM ord GROUP BY rowid)", (15,)),
    ("SELECT len(list_filter(list(total), lambda z: z IS NULL)) FROM ord", (15,)),
    ("SELECT max(n) FROM (SELECT count_observed(total) OVER () AS n FROM ord)", (45,)),
    (
        "SELECT count(*) FROM (SELECT total FROM ord UNION ALL (FROM ord SELECT total LIMIT 0)) WHERE total IS NULL",
        (15,),
    ),
]


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize(("query", "expected"), STORED)
def test_a_question_is_about_what_is_stored(
    orders: Database, query: str, expected: tuple[int, ...], alpha: float
) -> None:
    """Rows that miss a column which is asked about do not go, whatever alpha says."""
    assert orders.sql(query, imputer="hotdeck", alpha=alpha).fetchall() == [expected]


HALF = [
    "SELECT count(*) FROM cust LEFT JOIN ord ON id = whose WHERE total IS NULL",
    "SELECT count(*) FROM (SELECT whose, lag(total) OVER (ORDER BY whose) AS l FROM ord) WHERE l IS NULL",
    "SELECT lag(total) OVER (ORDER BY whose) IS NULL FROM ord",
    "SELECT (SELECT total FROM ord WHERE whose = cust.id LIMIT 1) IS NULL FROM cust",
    "SELECT v IS NULL FROM (SELECT (SELECT total FROM ord WHERE whose = cust.id LIMIT 1) AS v FROM cust)",
]


@pytest.mark.parametrize("query", HALF)
def test_a_question_about_what_is_there_or_stored_warns_that_it_sees_completed_values(
    orders: Database, query: str
) -> None:
    warnings = orders.sql(query, imputer="mean").report.warnings
    assert any("is asked about through" in warning for warning in warnings)
    complete = query.replace("total", "whose").replace(" WHERE whose = cust.id", " WHERE ord.whose = cust.id")
    assert not any("asked about" in one for one in orders.sql(complete, imputer="mean").report.warnings)


def test_nothing_is_imputed_where_a_join_found_no_row() -> None:
    with imputedb.connect() as db:
        db.execute("CREATE TABLE a AS SELECT i AS k FROM range(1, 6) r(i)")
        db.execute("CREATE TABLE b AS SELECT * FROM (VALUES (1, 1.0), (2, NULL), (3, 3.0)) v(k, y)")
        for join in ("a LEFT JOIN b USING (k)", "b RIGHT JOIN a USING (k)", "a FULL JOIN b USING (k)"):
            rows = db.sql(f"SELECT k, imputed(b.y), imputed(y) AS i FROM {join} ORDER BY k", imputer="mean")
            assert rows.columns == ["k", "imputed(y)", "i"]
            assert [row[1:] for row in rows.fetchall()] == [(key == 2, key == 2) for key in range(1, 6)]
            total = db.sql(f"SELECT count(*) FILTER (WHERE imputed(b.y)) FROM {join}", imputer="mean")
            assert total.fetchall() == [(1,)]
