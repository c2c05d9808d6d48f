"""One seed whatever the threads: imputed values are the same bit for bit, sums of them but for rounding."""

import pytest

import imputedb

MADE = """
    CREATE TABLE t AS SELECT i, if(hash(i, 1) % 10 < 2, NULL, x) x, if(hash(i, 2) % 10 < 2, NULL, x * 0.3 + z) y, z
    FROM (SELECT i, (hash(i, 3) % 100003) / 37.0 x, (hash(i, 4) % 99991) / 41.0 z FROM range(250_000) r(i)) ORDER BY i
"""
CELLS = "SELECT i, x, y FROM t WHERE i % 7 = 0 ORDER BY i"
SUMS = "SELECT avg(x), stddev(y) FROM t WHERE z > 9"


def answers(threads: int, **asked: object) -> list[list[tuple[object, ...]]]:
    with imputedb.connect() as db:
        db.execute(f"SET threads = {threads}; {MADE}")
        return [db.sql(query, seed=1, **asked).fetchall() for query in (CELLS, SUMS)]  # type: ignore[arg-type]


@pytest.mark.parametrize("asked", [{"imputer": "norm"}, {"imputer": "hotdeck", "m": 2}])
def test_threads_change_no_imputed_value(asked: dict[str, object]) -> None:
    (cells, sums), (again, same), (others, rounded) = (answers(threads, **asked) for threads in (1, 1, 5))
    assert cells == again == others
    assert sums == same
    assert rounded[0] == pytest.approx(sums[0], rel=1e-9)
