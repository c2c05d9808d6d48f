"""The kernel's search beside a loop over all pairs: any shape, any part, ranges and copies."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imputedb.kernel import _kernel

EXAMPLES = int(os.environ.get("KERNEL_EXAMPLES", "60"))
ABSOLUTE, CLIPPED, SQUARED, NOMINAL, ASYMMETRIC = range(5)


def searched(
    donors: np.ndarray,
    queries: np.ndarray,
    parts: np.ndarray,
    ranges: list[list[tuple[int, int]]],
    copies: np.ndarray,
    k: int,
    threads: int = 2,
    expected: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    native = _kernel.Donors(donors.shape[1], np.arange(len(donors), dtype=np.int32))
    for place, column in enumerate(donors.T):
        native.put(place, np.ascontiguousarray(column))
    count = len(queries)
    rows, means = np.empty(count * k, np.int32), np.empty(count * k)
    flat = [pair for one in ranges for pair in one]
    native.nearest(
        queries.ravel(),
        parts.astype(np.int32),
        np.linspace(1, 2, donors.shape[1]),
        np.zeros(0) if expected is None else expected,
        np.cumsum([0, *map(len, ranges)]).astype(np.int64),
        np.array([low for low, _ in flat], np.int64),
        np.array([high for _, high in flat], np.int64),
        np.arange(count + 1, dtype=np.int64),
        np.zeros(count, np.int32),
        [copies.astype(np.uint8)],
        k,
        threads,
        rows,
        means,
        None,
    )
    return rows.reshape(count, k), means.reshape(count, k)


def mean(a: np.ndarray, b: np.ndarray, parts: np.ndarray, expected: np.ndarray | None) -> float:
    num = den = 0.0
    shared = False
    for k, (x, y, part) in enumerate(zip(a, b, parts, strict=True)):
        w = np.linspace(1, 2, len(a))[k]
        if np.isnan(x) or (np.isnan(y) and expected is None):
            continue
        if np.isnan(y):
            assert expected is not None
            num, den = num + w * expected[k], den + w
            continue
        if part == ASYMMETRIC and x == 0 and y == 0:
            continue
        gap = abs(x - y)
        kinds = {CLIPPED: min(gap, 1.0), SQUARED: gap**2, NOMINAL: float(x != y), ASYMMETRIC: float(x != y)}
        num, den, shared = num + w * kinds.get(part, gap), den + w, True
    return num / den if shared else np.inf


@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 700),
    width=st.integers(1, 9),
    k=st.integers(1, 12),
    assumed=st.booleans(),
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_the_search_is_the_loop(seed: int, rows: int, width: int, k: int, assumed: bool) -> None:
    rng = np.random.default_rng(seed)
    parts = rng.integers(0, 4 if assumed else 5, width)

    def points(count: int) -> np.ndarray:
        whole = np.where(parts < NOMINAL, rng.normal(size=(count, width)), rng.integers(0, 2, (count, width)))
        return np.where(rng.random((count, width)) < rng.choice([0.0, 0.4]), np.nan, whole)

    donors, queries = points(rows), points(3)
    cuts = [np.sort(rng.choice(rows + 1, size=min(4, rows + 1) // 2 * 2, replace=False)) for _ in range(3)]
    ranges = [[(int(a), int(b)) for a, b in cut.reshape(-1, 2)] for cut in cuts]
    copies = rng.integers(0, 3, rows)
    expected = rng.uniform(0.3, 0.7, width) if assumed else None
    found, means = searched(donors, queries, parts, ranges, copies, k, expected=expected)
    for query, one, near, apart in zip(queries, ranges, found, means, strict=True):
        allowed = [row for low, high in one for row in range(low, high)]
        pairs = [(mean(query, donors[row], parts, expected), row) for row in allowed for _ in range(copies[row])]
        best = sorted(pair for pair in pairs if np.isfinite(pair[0]))[:k]
        assert (near >= 0).sum() == len(best)
        np.testing.assert_allclose(apart[: len(best)], [d for d, _ in best], rtol=1e-12, atol=1e-14)
        assert all(copies[row] > 0 and row in allowed for row in near[near >= 0])


def test_arrays_that_do_not_fit_are_refused() -> None:
    donors = _kernel.Donors(2, np.arange(3, dtype=np.int32))
    with pytest.raises(ValueError, match="no such column"):
        donors.put(2, np.zeros(3))
    with pytest.raises(ValueError, match="not as long"):
        donors.put(0, np.zeros(2))
    with pytest.raises(ValueError, match="do not fit"):
        searched(np.zeros((3, 2)), np.zeros((1, 3)), np.zeros(2), [[(0, 3)]], np.ones(3), 1)
