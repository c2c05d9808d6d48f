"""Middles of whole numbers against Python's own integers, and through SQL at the ends of types."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imputedb
from imputedb.neighbours import votes
from imputedb.neighbours.whole import middles

TYPES = (np.int64, np.uint64, np.int32, np.uint8)


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(TYPES))
def test_a_mean_is_the_nearest_whole_number_and_never_outside(data: st.DataObject, kind: type[np.integer]) -> None:
    limits = np.iinfo(kind)
    low = data.draw(st.one_of(st.just(limits.min), st.integers(limits.min, limits.max), st.just(limits.max - 40)))
    high = min(limits.max, low + data.draw(st.sampled_from([0, 1, 30, 2**50, limits.max])))
    row = data.draw(st.lists(st.integers(low, high), min_size=1, max_size=7))
    values = np.array([row], kind)
    found = int(middles(values, lambda numbers: votes.mean(numbers, np.ones(numbers.shape)))[0])
    assert min(row) <= found <= max(row)
    assert abs(Fraction(sum(row), len(row)) - found) <= Fraction(1, 2) + Fraction(max(row) - min(row), 2**50)


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    ("kind", "end"),
    [("UBIGINT", 2**64 - 1), ("BIGINT", 2**63 - 1), ("BIGINT", -(2**63)), ("HUGEINT", 2**127 - 1)],
)
@pytest.mark.parametrize("imputer", ["knn", "tree", "norm", "pmm"])
def test_nothing_wraps_at_the_ends_of_a_type(kind: str, end: int, imputer: str) -> None:
    rng = np.random.default_rng(0)
    step = 2**70 if kind == "HUGEINT" else 1
    apart = rng.integers(0, 40, 120)
    values = [end - int(o) * step if end > 0 else end + int(o) * step for o in apart]
    db = imputedb.connect()
    db.execute(f"CREATE TEMP TABLE t (id INT, x DOUBLE, v {kind})")
    for place, value in enumerate(values):
        gone = "NULL" if place % 4 == 0 else str(value)
        db.execute(f"INSERT INTO t VALUES ({place}, {apart[place] + rng.normal()}, {gone})")
    found = [row[0] for row in db.sql("SELECT v FROM t ORDER BY id", imputer=imputer).fetchall()]
    slack = 0 if imputer == "knn" and kind != "HUGEINT" else abs(end) // 2**51  # what doubles tell apart
    assert all(min(values) - slack <= value <= max(values) + slack for value in found)
