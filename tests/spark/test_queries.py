"""Queries over Spark: the same rows, names and types as DuckDB gives, and nothing missing in them."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from imputedb.errors import Unplanned
from tests.spark.conftest import Pair, paired

TPCH = (Path(__file__).parent / "tpch.sql").read_text().splitlines()

REFUSED: dict[int, str] = {}
"""Those of TPC-H's queries that are not answered over Spark, by their number, and why."""

ROWS = dict(line.split(": ", 1) for line in (Path(__file__).parent / "tables.sql").read_text().splitlines())
"""Small tables of TPC-H's kind; of some columns one value in ten is missing."""


@pytest.fixture(scope="module")
def tpch(session: Any) -> Pair:
    made = duckdb.connect()
    made.execute("CREATE MACRO pick(i, k) AS ((i * 7919 + k * 104729) % 1000003 * 31) % 100003")
    made.execute("CREATE MACRO money(i) AS (100 + pick(i, 99) % 90000 / 7)::DECIMAL(15, 2)")
    made.execute("CREATE MACRO holes(i, k, x) AS CASE WHEN pick(i, k) % 10 = 0 THEN NULL ELSE x END")
    return paired(session, {name: made.sql(text).to_arrow_table() for name, text in ROWS.items()})


@pytest.mark.sampled(7)
@pytest.mark.parametrize("number", range(1, 23))
def test_the_queries_of_tpch(tpch: Pair, number: int) -> None:
    text = TPCH[number - 1]
    for imputer in ("mean", "drop"):
        if number in REFUSED:
            with pytest.raises(Unplanned, match=REFUSED[number]):
                tpch.spark.sql(text, imputer=imputer)
        else:
            tpch.rows(text, imputer=imputer)


def test_most_of_these_have_rows(tpch: Pair) -> None:
    assert sum(bool(tpch.duck.sql(text, imputer="mean").fetchall()) for text in TPCH) >= 18
    assert len(REFUSED) <= 2


@pytest.mark.parametrize(
    "text",
    [
        "SELECT member, count(*), avg(id) FROM person GROUP BY ALL ORDER BY ALL",
        "SELECT id, id / 7, id // 7, id % 7, -id, (id - 5) / 2.5 FROM person WHERE id < 20 ORDER BY id",
        "SELECT id, 1 / id FROM person WHERE id < 3 ORDER BY id",
        "SELECT round(avg(id), 2), CAST(2.5 AS INTEGER), CAST(2.5e0 AS INTEGER), CAST(-3.5e0 AS BIGINT) FROM person",
        "SELECT born, born - INTERVAL 1 MONTH, extract(year FROM born), born + 3 FROM person ORDER BY id LIMIT 5",
        "SELECT id, row_number() OVER (PARTITION BY member ORDER BY born DESC, id) AS n FROM person ORDER BY n, id",
        "SELECT id, lag(id) OVER (ORDER BY id), sum(id) OVER (ORDER BY id) FROM person ORDER BY id LIMIT 4",
        "SELECT 'it''s ' || CAST(id AS VARCHAR), 'back\\slash', upper('a') FROM person ORDER BY id LIMIT 2",
        "SELECT count(*) FROM person WHERE born BETWEEN '2001-01-01' AND '2004-01-01' AND NOT member",
        "SELECT median(id), quantile_cont(id, 0.9), stddev(id), var_pop(id) FROM person",
        "WITH a AS (SELECT id FROM person WHERE id < 9) SELECT id FROM a UNION ALL SELECT id + 1 FROM a ORDER BY id",
        "SELECT sum(9223372036854775807 - id) FROM person",
        "SELECT id FROM person WHERE id IN (SELECT id FROM exam WHERE id > 290) ORDER BY id DESC",
        "SELECT greatest(id, 5), least(id, 5), coalesce(NULL, id), nullif(id, 1) FROM person ORDER BY id LIMIT 3",
    ],
)
def test_what_reads_nothing_missing_is_the_same(people: Pair, text: str) -> None:
    assert people.rows(text)
    assert people.spark.sql(text).report.strategy == "verbatim"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT avg(height), count(height), avg(pulse) FROM exam",
        "SELECT sex, avg(height) AS h FROM person JOIN exam USING (id) WHERE age > 30 GROUP BY sex ORDER BY h",
        "SELECT id, (SELECT max(pulse) FROM exam e WHERE e.id = p.id) FROM person p ORDER BY id LIMIT 9",
        "SELECT count(*) FROM person p LEFT JOIN exam e ON p.id = e.id AND e.pulse > 70 WHERE e.height IS NULL",
        "SELECT * FROM exam ORDER BY id LIMIT 12",
        "SELECT count(*) FROM exam WHERE pulse = 999",
    ],
)
@pytest.mark.parametrize("imputer", ["mean", "drop"])
def test_constants_and_dropped_rows_are_the_same(people: Pair, text: str, imputer: str) -> None:
    people.rows(text, imputer=imputer)
    one, other = (db.sql(text, imputer=imputer).report for db in people)
    assert (one.imputed, one.dropped, one.avoided) == (other.imputed, other.dropped, other.avoided)


@pytest.mark.parametrize("action", ["keep", "drop"])
def test_policies_hold_over_spark(people: Pair, action: str) -> None:
    for db in people:
        db.policy("exam", "pulse", action)
    try:
        ((there, every),) = people.rows("SELECT count(pulse), count(*) FROM exam", imputer="mean")
        assert (there < 300, every <= 300) == (True, True)
        people.rows("SELECT id, pulse, height FROM exam ORDER BY pulse, id", imputer="mean")
    finally:
        for db in people:
            db.policy("exam", "pulse")


def test_plans_and_statistics_are_those_of_duckdb(people: Pair) -> None:
    text = "SELECT sex, avg(height) FROM person JOIN exam USING (id) WHERE age > 30 GROUP BY sex"
    one, other = (db.explain(text, imputer=["mean", "drop"]).text for db in people)
    assert one == other
    assert people.duck.profile("exam") == people.spark.profile("exam")
