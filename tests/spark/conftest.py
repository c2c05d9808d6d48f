"""A server of Spark Connect for tests, and databases over it beside DuckDB's that hold the same tables.

It is Sail, where the package pysail is; or what IMPUTEDB_SPARK names, such as sc://localhost:15002.
"""

import math
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.engines.spark.remote import client


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    for package in ("pyspark", "sqlglot", "pyarrow"):
        pytest.importorskip(package, reason=f"{package} is not here: pip install 'imputedb[spark]'")
    client()  # before Sail imports it
    given = os.environ.get("IMPUTEDB_SPARK")
    if given:
        yield given
        return
    os.environ.setdefault("RUST_LOG", "error")
    spark = pytest.importorskip("pysail.spark", reason="pysail is not here, and IMPUTEDB_SPARK names no server")
    server = spark.SparkConnectServer(port=0)
    server.start(background=True)
    yield f"sc://localhost:{server.listening_address[1]}"
    server.stop()


@pytest.fixture(scope="session")
def session(address: str) -> Iterator[Any]:
    found = client().builder.remote(address).create()
    yield found
    found.stop()


class Pair(NamedTuple):
    """The same tables on two engines."""

    duck: Database
    spark: Database

    def rows(self, text: str, **wishes: Any) -> list[tuple[Any, ...]]:
        """The rows of a query, once it is sure that both engines give the same, names and types included."""
        one, other = self.duck.sql(text, **wishes), self.spark.sql(text, **wishes)
        assert (one.columns, one.types) == (other.columns, other.types), text
        mine, theirs = one.fetchall(), other.fetchall()
        assert len(mine) == len(theirs), text
        for row, their in zip(mine, theirs, strict=True):
            assert all(map(_same, row, their)), f"{text}: {row} {their}"
        return mine


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one == other or math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == other)


def paired(session: Any, tables: dict[str, Any]) -> Pair:
    """Both engines with the same Arrow tables, in Spark as temporary views."""
    duck = imputedb.connect()
    for name, rows in tables.items():
        duck.register(name, rows, keep=True)
        session.createDataFrame(rows).createOrReplaceTempView(name)
    return Pair(duck, imputedb.connect(spark=session))


@pytest.fixture(scope="session")
def people(session: Any) -> Pair:
    """Tables of people and their exams, some of whose values are missing: NULL, NaN, and codes that are declared."""
    pa = pytest.importorskip("pyarrow")
    rng = np.random.default_rng(3)
    n = 300
    gone = rng.random((4, n)) < 0.15
    age = rng.integers(1, 80, n)
    height = np.round(60 + 1.3 * np.minimum(age, 60) + rng.normal(0, 5, n), 1)
    height[gone[2]] = np.nan
    pulse = rng.integers(50, 90, n)
    pulse[rng.random(n) < 0.1] = 999
    person = {
        "id": pa.array(np.arange(n)),
        "age": pa.array(age.astype("int32"), mask=gone[0]),
        "sex": pa.array(np.array(["f", "m"], object)[rng.integers(0, 2, n)], mask=gone[1]),
        "member": pa.array(rng.random(n) < 0.5),
        "born": pa.array(np.datetime64("2000-01-01", "D") + rng.integers(0, 4000, n)),
    }
    exam = {"id": pa.array(np.arange(n)), "height": pa.array(height), "pulse": pa.array(pulse, mask=gone[3])}
    found = paired(session, {"person": pa.table(person), "exam": pa.table(exam)})
    for db in found:
        db.missing("exam", "pulse", [999])
    return found
