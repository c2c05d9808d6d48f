"""Random numbers of kept models: what other engines compute too, and as random as they have to be."""

import numpy as np

import imputedb
from imputedb.imputers.random import stream
from imputedb.models import chance, numbers
from imputedb.sql import ast as t

N = 1_000_000


def test_duckdb_computes_the_same_numbers() -> None:
    given, salt, what = np.array([0, 1, -1, 2**63 - 1, -(2**63), 12345678901, *range(90)]), stream(5), (1, 2, "y")
    key = numbers.RandomKey.of(t.reference("k"), salt)
    parts = [key.uniform(stream(*what, part)) for part in ("radius", "angle")]
    items = [t.named(parts[0], "u"), t.named(numbers.normal(*parts), "n")]
    with imputedb.connect() as db:
        db.execute("CREATE TABLE k AS SELECT unnest(CAST($1 AS BIGINT[])) AS k", params=[given.tolist()])
        uniform, normals = np.array(db.execute(db._engine.text(t.select(items, t.table(("k",), ""))))).T
    keys = chance.keys(given, salt)
    np.testing.assert_array_equal(uniform, chance.uniform(keys, *what, "radius"))
    np.testing.assert_allclose(normals, chance.normal(keys, *what), rtol=1e-12)


def test_numbers_of_neighbouring_keys_draws_and_columns_are_independent() -> None:
    keys = chance.keys(np.arange(N), 7)
    one, bound = chance.uniform(keys, 0, 1, "x"), 4 / np.sqrt(N)
    for lag in (1, 7, 64, 1000):
        assert abs(np.corrcoef(one[:-lag], one[lag:])[0, 1]) < bound
    others = [chance.uniform(keys, 0, 2, "x"), chance.uniform(keys, 1, 1, "x"), chance.uniform(keys, 0, 1, "y")]
    others.append(chance.uniform(chance.keys(np.arange(N), 8), 0, 1, "x"))
    assert all(abs(np.corrcoef(one, other)[0, 1]) < bound for other in others)
    means = one.reshape(1000, 1000).mean(axis=1)
    assert abs(means.var() * 12_000 - 1) < 0.15
    assert abs(chance.normal(keys, 0, 1, "x").std() - 1) < bound


def test_streams_differ_however_small_what_they_are_for() -> None:
    assert len({stream(seed, draw, "x") for seed in range(50) for draw in range(50)}) == 2500


def test_rows_that_are_handed_in_have_the_draws_of_their_table() -> None:
    with imputedb.connect() as db:
        made = "SELECT 7 * i AS id, i % 11 AS z, CASE WHEN i % 3 > 0 THEN i % 11 + random() END AS x"
        db.execute(f"CREATE TABLE t AS {made} FROM range(300) r(i)")
        model = db.create_model("m", "t", imputer="norm", draws=3)
        ids, z, x = map(list, zip(*db.execute("SELECT id, z, x FROM t ORDER BY id"), strict=True))
        told = db.sql("SELECT x FROM t WHERE x > -1e9 ORDER BY id", fit="table").fetchall()
        assert model.apply({"id": ids, "z": z, "x": x}, draw=0, keys=ids)["x"] == [value for (value,) in told]
