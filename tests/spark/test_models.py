"""Models fitted to what Spark holds, applied there as expressions: the same cell gets the same value as on DuckDB."""

from collections.abc import Iterator

import numpy as np
import pytest

from imputedb.errors import DataError, Unplanned
from tests.spark.conftest import Pair, paired

QUERIES = [
    "SELECT avg(height), sum(height), count(pulse), avg(pulse) FROM exam",
    "SELECT member, avg(height) AS h FROM person JOIN exam USING (id) WHERE id > 30 GROUP BY member ORDER BY h",
    "SELECT id, height, pulse FROM exam ORDER BY id",
    "SELECT avg(age) FROM person",
]


@pytest.fixture(params=["norm", "tree"])
def imputer(request: pytest.FixtureRequest, people: Pair) -> Iterator[str]:
    for table in ("person", "exam"):
        people.duck.create_model("kept_" + table, table, imputer=request.param, draws=1)
    yield request.param
    for table in ("person", "exam"):
        people.duck.drop_model("kept_" + table)


@pytest.mark.sampled(2)
def test_expected_values_are_those_of_duckdb(people: Pair, imputer: str) -> None:
    for text in QUERIES:
        people.rows(text, imputer=imputer, fit="table")
    report = people.spark.sql(QUERIES[0], imputer=imputer).report
    assert report.imputed == people.duck.sql(QUERIES[0], imputer=imputer, fit="table").report.imputed
    assert list(report.models) == [f"main:exam:{imputer}:0@1"]


def test_a_model_of_the_users_own_is_used(people: Pair) -> None:
    people.spark.create_model("own", "exam", imputer="norm", draws=1)
    try:
        assert list(people.spark.sql(QUERIES[0], imputer="norm").report.models) == ["own@1"]
        assert "own@1, an expression" in people.spark.explain(QUERIES[0], imputer="norm").text
    finally:
        people.spark.drop_model("own")


@pytest.mark.parametrize(
    ("imputer", "fit", "words"),
    [("knn", "auto", "'knn' is handed rows"), ("norm", "query", "fit='query'")],
)
def test_what_has_no_expression_is_named(people: Pair, imputer: str, fit: str, words: str) -> None:
    with pytest.raises(Unplanned, match=words):
        people.spark.sql("SELECT avg(height) FROM exam", imputer=imputer, fit=fit)  # type: ignore[arg-type]


def test_equal_rows_without_a_key_are_refused(session: object) -> None:
    pa = pytest.importorskip("pyarrow")
    x = pa.array(np.arange(400) % 7 * 1.0, mask=np.arange(400) % 5 == 0)
    pair = paired(session, {"alike": pa.table({"x": x, "y": pa.array(np.arange(400) % 3)})})
    with pytest.raises(DataError, match="alike has no column that tells its rows apart"):
        pair.spark.sql("SELECT avg(x) FROM alike", imputer="norm")


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("imputer", "rows"), [("tree", 400), ("norm", 400), ("norm", 25_000)])
def test_the_order_in_which_spark_gives_rows_decides_nothing(session: object, imputer: str, rows: int) -> None:
    pa = pytest.importorskip("pyarrow")
    rng, found = np.random.default_rng(0), []
    x = rng.normal(size=rows)
    values = pa.table({"x": pa.array(x + rng.normal(size=rows), mask=rng.random(rows) < 0.2), "z": pa.array(x)})
    for order in (np.arange(rows), rng.permutation(rows)):
        pair = paired(session, {"keyless": values.take(pa.array(order))})
        told = pair.spark.sql("SELECT avg(x), sum(x * z) FROM keyless", imputer=imputer).fetchall()
        found.append([pytest.approx(value, rel=1e-12) for value in told[0]])
    assert found[0] == [one.expected for one in found[1]]
