"""Draws over Spark: each cell gets the value that the same draw of the same model gives it on DuckDB."""

import numpy as np
import pytest

from imputedb.errors import DataError, QueryError
from tests.spark.conftest import Pair, paired

SINGLE = [
    "SELECT id, k, x, c FROM one WHERE x > 0.3 AND z < 2 ORDER BY id",
    "SELECT count(*), sum(one.k) FROM one JOIN two ON one.c = two.c WHERE two.y > 1",
]
POOLED = [
    "SELECT c, avg(k) AS k, stddev(x) AS s, count(*) AS n FROM one WHERE x > -1 GROUP BY c ORDER BY c",
    "SELECT sum(one.x) AS x FROM one JOIN two ON one.c = two.c",
    "SELECT sum(a) AS s FROM (SELECT c, avg(x) AS a FROM one GROUP BY c) q",
]


@pytest.fixture(scope="module")
def tables(session: object) -> Pair:
    pa = pytest.importorskip("pyarrow")
    rng, n = np.random.default_rng(4), 120
    z = rng.normal(size=n)
    gone = rng.random((4, n)) < 0.2
    names = np.array(["a", "b", "d"], object)
    one = {
        "id": pa.array(np.arange(n)),
        "z": pa.array(z),
        "x": pa.array(z + rng.normal(size=n), mask=gone[0]),
        "k": pa.array((10 * z).astype("int32")),
        "c": pa.array(names[np.clip(z + 1, 0, 2).astype(int)], mask=gone[2]),
    }
    two = {
        "name": pa.array([f"n{i}" for i in range(60)]),
        "y": pa.array(rng.integers(0, 9, 60) * 1.0, mask=gone[3][:60]),
        "c": pa.array(names[rng.integers(0, 3, 60)]),
    }
    found = paired(session, {"one": pa.table(one), "two": pa.table(two)})
    for table in ("one", "two"):
        found.duck.create_model(f"kept_{table}", table, imputer="norm", draws=2)
    return found


@pytest.mark.parametrize("text", SINGLE)
def test_what_decides_is_drawn_as_on_duckdb(tables: Pair, text: str) -> None:
    assert tables.rows(text, imputer="norm", fit="table")


@pytest.mark.sampled(2)
@pytest.mark.parametrize("text", POOLED)
def test_pooled_answers_and_their_intervals_are_those_of_duckdb(tables: Pair, text: str) -> None:
    tables.rows(text, imputer="norm", fit="table", m=2)


def test_more_draws_than_a_model_has_are_refused(tables: Pair) -> None:
    tables.spark.create_model("few", "one", imputer="norm", draws=2)
    try:
        with pytest.raises(QueryError, match="few@1 has 2 draws"):
            tables.spark.sql("SELECT avg(x) FROM one", imputer="norm", m=3)
    finally:
        tables.spark.drop_model("few")


def test_rows_without_a_key_are_drawn_by_what_they_hold(session: object) -> None:
    pa = pytest.importorskip("pyarrow")
    rng = np.random.default_rng(1)
    x = rng.normal(size=90)
    values = pa.table({"x": pa.array(x + rng.normal(size=90), mask=rng.random(90) < 0.3), "z": pa.array(x)})
    spark = paired(session, {"drawn": values}).spark
    text = "SELECT x FROM drawn WHERE x > -99 ORDER BY x"
    told = spark.sql(text, imputer="norm").fetchall()
    session.createDataFrame(values.take(pa.array(rng.permutation(90)))).createOrReplaceTempView("drawn")  # type: ignore[attr-defined]
    assert len(set(told)) == 90
    assert [one for (one,) in spark.sql(text, imputer="norm").fetchall()] == pytest.approx([one for (one,) in told])
    doubled = pa.concat_tables([values, values])
    session.createDataFrame(doubled).createOrReplaceTempView("drawn")  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="drawn has no column that tells its rows apart"):
        spark.sql(text, imputer="norm")
