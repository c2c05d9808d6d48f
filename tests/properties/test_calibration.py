"""Simulation-based calibration: what is missing stands anywhere among its draws (Talts et al. 2018)."""

import os

import numpy as np
import pytest
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.checked import draws
from imputedb.imputers.registry import IMPUTERS
from imputedb.imputers.rows import Cells, Rows
from imputedb.statistics.table import Kind

N, DRAWS, BINS = 150, 19, 5
TABLES = int(os.environ.get("CALIBRATION_TABLES", "60"))
X, Y = Column("t", "x"), Column("t", "y")


def ranks(name: str, categories: int) -> NDArray[np.int64]:
    """Of each table how many of the draws have a smaller sum of the missing values than there is in truth."""
    found = []
    for seed in range(TABLES):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=N)
        y = rng.normal() * x + rng.normal(size=N)
        gone = rng.random(N) < 1 / (1 + np.exp(0.8 - x))
        truth = np.digitize(y, np.linspace(-1, 1, categories + 1)[1:-1]).astype(np.int32) if categories else y
        kind = Kind.CATEGORY if categories else Kind.NUMBER
        cells = {
            X: Cells(x, np.zeros(N, bool), Kind.NUMBER),
            Y: Cells(truth, gone, kind, tuple("abcde"[:categories])),
        }
        rows = Rows(cells, rng.permutation(N).astype(np.uint64))
        sums = np.array([one[Y].sum() for one in draws(IMPUTERS[name](), rows, [Y], seed, range(1, DRAWS + 1))], float)
        ties = rng.integers(0, int((sums == truth[gone].sum()).sum()) + 1)
        found.append(int((sums < truth[gone].sum()).sum()) + int(ties))
    return np.array(found)


@pytest.mark.parametrize(
    ("name", "categories"),
    [("norm", 0), ("pmm", 0), ("pmmboot", 0), ("tree", 0), ("logistic", 2), ("multinomial", 3), ("ordered", 3)],
)
def test_what_is_missing_stands_anywhere_among_its_draws(name: str, categories: int) -> None:
    """Chi-square of the ranks in five bins, at 1 in 10,000."""
    counts = np.bincount(ranks(name, categories) * BINS // (DRAWS + 1), minlength=BINS)
    expected = TABLES / BINS
    assert ((counts - expected) ** 2 / expected).sum() < 23.5, counts
