"""Rows that carry the share of the draws in which they qualify."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from imputedb import Database, QueryError
from imputedb.completion.source import completed_columns, read, staged
from imputedb.imputers.registry import single_imputer

N, M = 60, 20


@pytest.fixture
def tables(db: Database) -> Database:
    rng = np.random.default_rng(3)
    x = rng.normal(size=N)
    label = np.array(["lo", "hi"], object)[(x > 0).astype(int)]
    label[rng.random(N) < 0.3] = None
    columns = {"id": np.arange(N), "w": x + 0.7 * rng.normal(size=N), "x": np.ma.masked_array(x, rng.random(N) < 0.4)}
    db.register("t", columns)
    db.register("pair", {**columns, "label": label})
    db.register("s", {"sid": np.arange(2 * N), "id": np.repeat(np.arange(N), 2)})
    return db


def drawn(db: Database, table: str) -> Sequence[pd.DataFrame]:
    """The draws of a query that reads all incomplete columns, asked of the imputer itself."""
    found = read(db._engine, staged(db._engine, table))
    request = found.request(single_imputer("norm", "a test needs"), 0)
    whole = [pd.DataFrame(completed_columns(found, values)) for values in request.draws(range(M))]
    return [one.assign(id=np.arange(N)) for one in whole]


@pytest.fixture
def draws(tables: Database) -> Sequence[pd.DataFrame]:
    return drawn(tables, "t")


def shares(db: Database, text: str) -> dict[int, float]:
    result = db.sql(text, m=M, imputer="norm")
    place = result.columns.index("p")
    assert result.columns[place + 1] == "p_mce"
    rows = result.fetchall()
    for row in rows:
        assert row[place + 1] == pytest.approx(math.sqrt(row[place] * (1 - row[place]) / M))
    return {row[0]: row[place] for row in rows}


def counted(members: Sequence[Sequence[int]]) -> dict[int, float]:
    return {key: count / M for key, count in Counter(int(one) for some in members for one in some).items()}


def test_a_filter(tables: Database) -> None:
    wanted = counted([one.id[(one.x > 0.5) & (one.label == "hi")] for one in drawn(tables, "pair")])
    assert shares(tables, "SELECT id, likelihood() AS p FROM pair WHERE x > 0.5 AND label = 'hi'") == pytest.approx(
        wanted
    )
    assert any(0 < share < 1 for share in wanted.values())


def test_the_first_few(tables: Database, draws: Sequence[pd.DataFrame]) -> None:
    wanted = counted([one.sort_values("x", ascending=False).id[:5] for one in draws])
    for text in (
        "SELECT id, likelihood() AS p FROM t ORDER BY x DESC LIMIT 5",
        "SELECT id, x AS z, likelihood() AS p FROM t ORDER BY 2 DESC LIMIT 5",
        "SELECT id, likelihood() AS p, x AS z FROM t ORDER BY z DESC LIMIT 5",
        "SELECT id, likelihood() AS p, x FROM t ORDER BY 3 DESC LIMIT 5",
        "SELECT id, likelihood() AS p FROM t QUALIFY row_number() OVER (ORDER BY x DESC) <= 5",
    ):
        assert shares(tables, text) == pytest.approx(wanted), text
    assert sum(wanted.values()) == pytest.approx(5)
    assert len(wanted) > 5


def test_joins_views_and_subqueries(tables: Database, draws: Sequence[pd.DataFrame]) -> None:
    wanted = counted([one.id[one.x > 0.5] for one in draws])
    by_partner = "SELECT s.sid, likelihood() AS p FROM t JOIN s ON t.id = s.id WHERE x > 0.5"
    assert shares(tables, by_partner) == pytest.approx(
        {2 * k + j: share for k, share in wanted.items() for j in (0, 1)}
    )
    tables.execute("CREATE VIEW seen AS SELECT id, x FROM t")
    for text in (
        "SELECT id, likelihood() AS p FROM seen WHERE x > 0.5",
        "WITH c AS (SELECT * FROM t) SELECT id, likelihood() AS p FROM c WHERE x > 0.5",
        "SELECT id, likelihood() AS p FROM t WHERE x > 0.5 AND id IN (SELECT id FROM s)",
        "SELECT id, likelihood() AS p FROM t SEMI JOIN s USING (id) WHERE x > 0.5",
    ):
        assert shares(tables, text) == pytest.approx(wanted), text
    above = counted([one.id[one.x > one.x.mean()] for one in draws])
    assert shares(tables, "SELECT id, likelihood() AS p FROM t WHERE x > (SELECT avg(x) FROM t)") == pytest.approx(
        above
    )


def test_rows_are_ordered_and_cut_by_their_likelihood(tables: Database) -> None:
    text = "SELECT id, likelihood() AS p FROM t WHERE x > 0.5"
    whole = shares(tables, text)
    assert list(whole) == sorted(whole)
    ranked = sorted(whole, key=lambda key: (whole[key], -key))
    assert list(shares(tables, text + " ORDER BY p, id DESC LIMIT 3 OFFSET 1")) == ranked[1:4]
    assert list(shares(tables, text + " ORDER BY likelihood(), id DESC LIMIT 3")) == ranked[:3]
    assert list(shares(tables, text + " ORDER BY 2, 1 DESC LIMIT 3")) == ranked[:3]


def test_values_are_those_of_draws_that_have_the_row(tables: Database, draws: Sequence[pd.DataFrame]) -> None:
    rows = tables.sql("SELECT *, likelihood() FROM t WHERE x > 0.5", m=M, imputer="norm")
    assert rows.columns == ["id", "w", "x", "likelihood()", "likelihood()_mce"]
    assert rows.types == ["BIGINT", "DOUBLE", "DOUBLE", "DOUBLE", "DOUBLE"]
    for key, _, x, _, _ in rows:
        mine = [one.x[one.id == key].item() for one in draws]
        assert x == pytest.approx(np.mean([one for one in mine if one > 0.5]))


def test_what_is_kept_carries_it_too(tables: Database) -> None:
    tables.sql("CREATE TABLE kept AS SELECT id, likelihood() AS p FROM t WHERE x > $1", [0.5], m=M, imputer="norm")
    assert dict(tables.execute("SELECT id, p FROM kept")) == shares(
        tables, "SELECT id, likelihood() AS p FROM t WHERE x > 0.5"
    )


def test_a_table_without_a_key_says_by_what_its_rows_are_told_apart(tables: Database) -> None:
    rng = np.random.default_rng(0)
    tables.register(
        "bare", {"a": np.repeat(np.arange(20), 2), "x": np.ma.masked_array(rng.normal(size=40), rng.random(40) < 0.4)}
    )
    result = tables.sql("SELECT a, likelihood() FROM bare WHERE x > 0", m=5, imputer="norm")
    assert "bare has no key: its rows are told apart by a" in result.report.notes


def test_nothing_missing_is_certain(tables: Database) -> None:
    assert set(shares(tables, "SELECT sid, likelihood() AS p FROM s WHERE id > 5").values()) == {1.0}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SELECT avg(x), likelihood() FROM t", "in_draws"),
        ("SELECT w, likelihood() FROM t GROUP BY w", "in_draws"),
        ("SELECT id FROM t WHERE likelihood() > 0.5", "stands alone"),
        ("SELECT id, 2 * likelihood() FROM t", "stands alone"),
        ("SELECT id, likelihood(), likelihood() FROM t", "stands alone"),
        ("SELECT likelihood() FROM t", "select columns that identify them"),
    ],
)
def test_where_it_cannot_be_asked_for_is_said(tables: Database, text: str, says: str) -> None:
    with pytest.raises(QueryError, match=says):
        tables.sql(text, m=5, imputer="norm")


def test_it_needs_draws(tables: Database) -> None:
    for asked in ({}, {"method": "bounds"}):
        with pytest.raises(QueryError, match="m=20"):
            tables.sql("SELECT id, likelihood() FROM t", **asked)  # type: ignore[arg-type]


ORDERS = """
    SELECT id AS k, w AS id, likelihood() AS p FROM u ORDER BY id
    SELECT id, w AS x, likelihood() AS p FROM u ORDER BY X DESC
    SELECT id, likelihood() AS p, w AS q FROM u ORDER BY P, Q
    SELECT id, h, likelihood() FROM u ORDER BY h NULLS FIRST, id
    SELECT id, h, likelihood() FROM u ORDER BY h DESC NULLS LAST, id DESC
    SELECT id, h, likelihood() FROM u ORDER BY ALL
    SELECT h, likelihood(), id FROM u ORDER BY ALL DESC NULLS FIRST LIMIT 7
    SELECT *, likelihood() AS p FROM u ORDER BY ALL DESC
    SELECT h, *, likelihood() AS p, u.* FROM u ORDER BY 2 DESC LIMIT 9
    SELECT likelihood() AS p, * FROM u ORDER BY 1, 3, 2 OFFSET 2
    SELECT id, likelihood() AS p, name AS n FROM u ORDER BY n COLLATE nocase, 1
    SELECT name AS id, likelihood() AS p FROM u ORDER BY id COLLATE nocase DESC, u.id
    SELECT w AS id, likelihood() AS p FROM u ORDER BY id + 0 LIMIT 5
    SELECT u.id, likelihood() AS p FROM u JOIN u AS v USING (id) ORDER BY v.w LIMIT 5
    SELECT id, LIKELIHOOD() AS p FROM u ORDER BY Likelihood() DESC, id LIMIT 3
    SELECT DISTINCT h, likelihood() AS p FROM u ORDER BY h NULLS FIRST
    SELECT id, likelihood() AS p FROM u ORDER BY 0
    SELECT id, likelihood() AS p FROM u ORDER BY 9
    SELECT id, likelihood() AS p FROM u ORDER BY -1
    SELECT id, likelihood() AS p FROM u ORDER BY 'a'
    SELECT id, likelihood() AS p FROM u ORDER BY nothing
"""


@pytest.mark.sampled(2)
@pytest.mark.parametrize("text", [line.strip() for line in ORDERS.strip().splitlines()])
def test_rows_come_in_the_order_of_duckdb(db: Database, text: str) -> None:
    rng = np.random.default_rng(1)
    names = np.array(["a", "B", "b", "C"], object)[rng.integers(0, 4, 12)]
    half = np.ma.masked_array(rng.integers(0, 3, 12), rng.random(12) < 0.3)
    db.register("u", {"id": rng.permutation(12), "w": rng.normal(size=12), "name": names, "h": half}, keep=True)
    db.policy("u", "h", "keep")
    plain = text.replace("LIKELIHOOD()", "1.0::DOUBLE").replace("Likelihood()", "1.0::DOUBLE")
    plain = plain.replace("likelihood()", "1.0::DOUBLE")
    if refused := _refusal(db, plain):
        with pytest.raises(QueryError) as caught:
            db.sql(text, m=2)
        assert str(caught.value).splitlines()[0] == refused
        return
    wanted = db.execute(plain)
    result = db.sql(text, m=2)
    place = next(n for n, name in enumerate(result.columns) if name.endswith("_mce"))
    assert [(*row[:place], *row[place + 1 :]) for row in result.fetchall()] == wanted


def _refusal(db: Database, text: str) -> str:
    try:
        db.execute(text)
    except QueryError as error:
        return str(error).splitlines()[0]
    return ""


def test_a_macro_of_the_name_comes_first(tables: Database) -> None:
    tables.execute("CREATE SCHEMA other; CREATE MACRO other.likelihood() AS 7")
    assert tables.sql("SELECT id, likelihood() AS p FROM s WHERE id < 1", m=2).columns[-1] == "p_mce"
    tables.execute("CREATE MACRO likelihood(a) AS a * 2")
    assert tables.sql("SELECT sid, likelihood(sid) AS p FROM s WHERE sid = 4", m=2).fetchall() == [(4, 8)]
    with pytest.raises(QueryError, match=r"Macro likelihood\(\)"):
        tables.sql("SELECT sid, likelihood() FROM s", m=2)
