"""The reader of DuckDB's tests: what it makes of a file; and a sample of the tests themselves, where they are."""

import os
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.duckdb_suite import Record, judged, ran, records, sampled

FILE = """# name: test/sql/some.test

require parquet

statement ok
CREATE TABLE t AS SELECT * FROM (VALUES (1, 2.5), (2, NULL), (3, 4.0)) v(i, x)

foreach name count sum

query I
SELECT ${name}(i) FROM t
----
3

endloop

loop n 0 2

statement ok
INSERT INTO t VALUES (1${n}, 1) RETURNING i

endloop

statement error
SELECT nothing FROM t
----
not found

query R
SELECT sum(x) FROM t
----
8.5

query I
EXPLAIN ANALYZE SELECT 42

statement ok con1
DROP TABLE t

query II
SELECT i, [x] FROM t ORDER BY i

statement ok
COPY (SELECT i FROM t) TO '__TEST_DIR__/x.parquet'

query I
FROM '__TEST_DIR__/x.parquet' ORDER BY i

require unheard_of

query I
SELECT 1
"""


def test_a_file_is_read_as_duckdb_reads_it() -> None:
    found = list(records(FILE.splitlines(), {}))
    assert Record("SELECT count(i) FROM t", answers=True) in found
    assert [one.text[-21:] for one in found if one.text.startswith("INSERT")] == [
        "LUES (10, 1) RETURNING i"[-21:],
        "LUES (11, 1) RETURNING i"[-21:],
    ]
    assert not any(one.text in ("SELECT 1", "DROP TABLE t", "SELECT nothing FROM t") for one in found)


def test_every_statement_gets_its_verdict(tmp_path: Path) -> None:
    path = tmp_path / "some.test"
    path.write_text(FILE)
    found = list(judged(path))
    assert [one["text"] for one in found if one["verdict"] == "imputed"] == [
        "SELECT sum(x) FROM t",
        "SELECT i, [x] FROM t ORDER BY i",
    ]
    others = [one for one in found if one["verdict"] not in ("equal", "imputed")]
    assert [one["text"] for one in others] in ([], ["EXPLAIN ANALYZE SELECT 42"])  # it holds times
    assert Counter(one["verdict"] for one in found)["equal"] >= 7


def test_a_sample_of_the_tests() -> None:
    folder = os.environ.get("DUCKDB_SUITE")
    if not folder:
        pytest.skip("DUCKDB_SUITE names no checkout of DuckDB")
    found = [one for path in sampled(Path(folder), 0.003, "test/sql") for one in ran(path, Path(folder))]
    assert found
    assert [one for one in found if one["verdict"] in ("wrong", "foreign")] == []
