"""Pinned answers: imputers that are fitted to whole tables answer every query as DuckDB does over completed tables."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import imputedb
from imputedb import Database
from tests.properties.beside import beside
from tests.properties.conditions import Conditional, conditional
from tests.properties.nested import Nested, nested
from tests.properties.queries import Case, cases
from tests.properties.test_answers import bag

PINNED = int(os.environ.get("PINNED", "16"))
"""Queries a property: 2,000 nightly, 50,000 before a release."""

IMPUTERS = ("tree", "mean", "hotdeck", "norm", "pmm", "knn")
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
WITHIN = settings(max_examples=PINNED, deadline=None, suppress_health_check=SLOW)


@contextmanager
def completed(db: Database, tables: dict[str, str], imputer: str, draw: int = 0) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB over the completed tables that an answer has read, each with its expected or its drawn values."""
    with beside() as con:
        _complete(con, db, tables, imputer, draw)
        yield con


def _complete(con: duckdb.DuckDBPyConnection, db: Database, tables: dict[str, str], imputer: str, draw: int) -> None:
    for (name,) in db.execute("SELECT table_name FROM duckdb_tables() WHERE NOT internal ORDER BY ALL"):
        values = tables.get(name, "expected")
        whole = db.complete(name, values=values, imputer=imputer, draw=draw)  # type: ignore[arg-type]
        con.register("whole", whole.arrow())
        shown = ", ".join(f'"{c}"::{t} AS "{c}"' for c, t in zip(whole.columns, whole.types, strict=True))
        con.execute(f'CREATE TABLE "{name}" AS SELECT {shown} FROM whole')


def equal(tables: tuple[str, ...], query: str, imputer: str, pick: int) -> None:
    """Asserts that a plan of a query that drops nothing gives what DuckDB gives over completed tables."""
    assume(not _asks(query) and _is_accepted(tables, query))
    with imputedb.connect() as db:
        for statement in tables:
            db.execute(statement)
        plans = _plans(db, query, imputer)
        wish = plans[pick % len(plans)]
        try:
            answer = db.sql(query, imputer=imputer, fit="table", **wish)
        except imputedb.DataError:  # a subquery of one row has several where imputed values are equal
            return
        assume(not answer.report.dropped)
        with completed(db, dict(answer.report.values), imputer) as con:
            assert bag(answer.fetchall()) == bag(con.sql(query).fetchall()), (query, wish, answer.report)


def _plans(db: Database, query: str, imputer: str) -> list[dict[str, Any]]:
    """Each plan of the frontier that imputes alone, and the base strategy."""
    frontier = db.frontier(query, imputer=imputer, fit="table") or ()
    alphas = [point.low for point in frontier if point.plan.imputes == point.plan.placements and point.low <= 1]
    return [*({"alpha": alpha} for alpha in alphas or [0.0]), {"strategy": "base"}]


def _is_accepted(tables: tuple[str, ...], query: str) -> bool:
    with beside(tables) as con:
        try:
            con.sql(query).fetchall()
        except duckdb.Error:
            return False
        return True


def _asks(text: str) -> bool:
    """Whether a query asks what is missing, of which completed tables know nothing."""
    return any(
        word in text.lower() for word in (" is null", "is not null", "coalesce", "distinct from", "ifnull", "unknown")
    )


@WITHIN
@given(cases(missing=True), st.sampled_from(IMPUTERS), st.integers(0, 5))
def test_queries_equal_duckdb_over_completed_tables(case: Case, imputer: str, pick: int) -> None:
    assume(" LIMIT " not in case.query or "ORDER BY ALL" in case.query)
    equal(case.tables, case.query, imputer, pick)


@WITHIN
@given(conditional(), st.sampled_from(IMPUTERS), st.integers(0, 5))
def test_conditions_equal_duckdb_over_completed_tables(case: Conditional, imputer: str, pick: int) -> None:
    equal(case.tables, case.query, imputer, pick)


@WITHIN
@given(nested(missing=True), st.sampled_from(IMPUTERS), st.integers(0, 5))
def test_nested_statements_equal_duckdb_over_completed_tables(case: Nested, imputer: str, pick: int) -> None:
    equal(case.tables, case.query, imputer, pick)


TABLE = """CREATE TABLE t AS SELECT i AS id, CASE WHEN i % 3 <> 0 THEN i % 7 + random() * 0 END AS x,
    CASE WHEN i % 4 <> 0 THEN i % 5 END AS n, CASE WHEN i % 5 <> 0 THEN ['a', 'b', 'c'][i % 3 + 1] END AS g,
    i % 11 AS z FROM range(200) r(i)"""


@pytest.mark.sampled(3)
@pytest.mark.parametrize("imputer", IMPUTERS)
def test_draws_are_pooled_over_completed_tables(imputer: str) -> None:
    query = "SELECT g, avg(x) AS a, count(*) AS c FROM t WHERE n > 1 GROUP BY g ORDER BY g"
    with imputedb.connect() as db:
        db.execute(TABLE)
        answer = db.sql(query, imputer=imputer, fit="table", m=5, interval="answer")
        draws: dict[str, list[tuple[float, int]]] = {}
        for draw in range(5):
            with completed(db, {"t": "drawn"}, imputer, draw) as con:
                rows = con.sql(query).fetchall()
            for g, a, c in rows:
                draws.setdefault(g, []).append((a, c))
        places = [answer.columns.index(name) for name in ("a", "c")]
        assert [row[0] for row in answer.fetchall()] == sorted(draws) != []
        for row in answer.fetchall():
            for place, numbers in zip(places, zip(*draws[row[0]], strict=True), strict=True):
                assert row[place] == pytest.approx(sum(numbers) / len(numbers), rel=1e-9)


@pytest.mark.parametrize("imputer", IMPUTERS)
def test_sums_of_groups_add_up(imputer: str) -> None:
    with imputedb.connect() as db:
        db.execute(TABLE)
        for group in ("z", "id % 3"):
            parts = db.sql(f"SELECT {group}, sum(x), count(x) FROM t GROUP BY 1", imputer=imputer, fit="table")
            total = db.sql("SELECT sum(x), count(x) FROM t", imputer=imputer, fit="table").fetchall()[0]
            rows = parts.fetchall()
            assert sum(row[1] for row in rows) == pytest.approx(total[0], rel=1e-9)
            assert sum(row[2] for row in rows) == total[1]
        some = db.sql("SELECT avg(x) FROM t WHERE z < 4", imputer=imputer, fit="table").fetchall()
        same = db.sql("SELECT avg(x) FILTER (WHERE z < 4) FROM t", imputer=imputer, fit="table").fetchall()
        assert some[0][0] == pytest.approx(same[0][0], rel=1e-9)


def test_writes_are_followed(tmp_path: Path) -> None:
    """Values are those of the table as it is: after each write they are fitted anew."""
    query = "SELECT id, x, g FROM t ORDER BY id"
    with imputedb.connect(tmp_path / "a.duckdb") as db:
        db.execute(TABLE)
        for number, write in enumerate(
            (
                "INSERT INTO t VALUES (1000, NULL, 3, 'a', 4)",
                "DELETE FROM t WHERE id % 17 = 0",
                "UPDATE t SET x = NULL WHERE id = 5",
                "BEGIN; DELETE FROM t WHERE id < 50; ROLLBACK",
                "DELETE FROM t WHERE id = 1; CHECKPOINT",
                "BEGIN; DELETE FROM t WHERE id = 2",
                "ROLLBACK",
            )
        ):
            db.execute(write)
            rows = [db.sql(query, fit="table").fetchall() for _ in range(2)]
            db.execute(f"COPY t TO '{tmp_path / str(number)}.parquet'")
            with imputedb.connect() as other:
                other.execute(f"CREATE TABLE t AS FROM '{tmp_path / str(number)}.parquet'")
                assert [other.sql(query, fit="table").fetchall()] * 2 == rows, write
