"""Counts and quantiles from a sort of fetched values are those that DuckDB's aggregates give."""

import numpy as np
import pytest

import imputedb

POINTS = [place / 64 for place in range(65)]
COLUMNS = {
    "DOUBLE": "CASE WHEN i % 7 = 0 THEN NULL WHEN i = 11 THEN 'nan'::DOUBLE ELSE sin(i) * exp(i % 9) END",
    "FLOAT": "(CASE WHEN i % 5 > 0 THEN cos(i % 50) END)::FLOAT",
    "BIGINT": "CASE WHEN i % 3 > 0 THEN (i * 7919) % 1009 - 500 END::BIGINT",
    "UTINYINT": "(i % 200)::UTINYINT",
    "DATE": "CASE WHEN i % 4 > 0 THEN DATE '1970-01-01' + (i * 31 % 700 - 350)::INTEGER END",
    "BOOLEAN": "CASE WHEN i % 4 > 0 THEN i % 3 = 0 END",
    "HUGEINT": "CASE WHEN i % 6 > 0 THEN (i * 7919) % 1009 - 500 END::HUGEINT",
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("rows", [1, 2, 63, 64, 65, 1000, 25_000])
@pytest.mark.parametrize("type_name", COLUMNS)
def test_they_are_those_of_duckdb(type_name: str, rows: int) -> None:
    value = COLUMNS[type_name]
    numbers = {"DATE": "date_diff('day', DATE '1970-01-01', x)", "BOOLEAN": "x::INTEGER"}.get(type_name, "x")
    missing = "x IS NULL OR isnan(x)" if type_name in ("DOUBLE", "FLOAT") else "x IS NULL"
    with imputedb.connect() as db:
        db.execute(f"CREATE TABLE t AS SELECT {value} AS x FROM range(1, {rows + 1}) r(i)")
        kept = f"SELECT {numbers} AS y FROM t WHERE NOT ({missing})"
        count, distinct, mean = db.execute(f"SELECT count(y), count(DISTINCT y), favg(y) FROM ({kept})")[0]
        (quantiles,) = db.execute(f"SELECT quantile_disc(y, {POINTS}) FROM ({kept})")[0]
        known = db._engine.statistics(next(iter(db._engine.shapes()))).columns["x"]
    assert known.missing == rows - count
    assert known.distinct == distinct or rows > 20_000  # where it is a sketch
    if not count:
        assert known.histogram is None
    elif rows <= 20_000:
        assert known.histogram.bounds == tuple(map(float, quantiles))
    else:
        assert abs(np.mean(known.histogram.bounds) - np.mean(quantiles)) < 0.1 * np.std(quantiles)
    if count and type_name == "DOUBLE":
        assert float(known.centre) == pytest.approx(mean, rel=1e-15)


def test_whole_numbers_that_doubles_do_not_tell_apart_are_counted_by_duckdb() -> None:
    with imputedb.connect() as db:
        db.execute("CREATE TABLE t AS SELECT (2::BIGINT ** 60)::BIGINT + i % 5 AS x FROM range(100) r(i)")
        known = db._engine.statistics(next(iter(db._engine.shapes()))).columns["x"]
        assert known.distinct == 5


def test_the_mean_of_numbers_whose_sum_is_beyond_a_double_is_finite() -> None:
    with imputedb.connect() as db:
        db.execute("CREATE TABLE t AS SELECT * FROM (VALUES (1.5e308), (1.5e308), (NULL), ('inf'::DOUBLE)) AS r(x)")
        assert db.sql("SELECT min(x) FROM t", imputer="mean").fetchall() == [(1.5e308,)]


def test_the_order_of_rows_decides_nothing() -> None:
    with imputedb.connect() as db:
        db.execute("CREATE TABLE t AS SELECT sin(i) * 10 ** (i % 30) AS x FROM range(5000) r(i)")
        db.execute("CREATE TABLE u AS FROM t ORDER BY hash(x)")
        one, other = (db._engine.statistics(table).columns["x"] for table in db._engine.shapes())
        assert one == other
