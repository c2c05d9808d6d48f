"""Simulation-based calibration: what is missing stands anywhere among its draws (Talts et al. 2018)."""

import os
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.checked import draws
from imputedb.imputers.registry import IMPUTERS
from imputedb.imputers.rows import Cells, Rows
from imputedb.statistics.table import Kind

N, DRAWS, BINS = 120, 19, 5
TIMES = int(os.environ.get("CALIBRATION_TIMES", "1"))
X, Y = Column("t", "x"), Column("t", "y")
WORST = 23.5
"""Of chi-square with four degrees of freedom 1 in 10,000 is larger."""

Floats = NDArray[np.float64]
Sums = Callable[[Rows, int], Floats]


def unevenness(sums: Sums, categories: int, tables: int) -> float:
    """Chi-square of where the true sum of the missing values stands among those of draws, in fifths.

    Three fifths of y are missing: draws that leave out what is unknown of parameters are too narrow by a third.
    """
    ranks = []
    for seed in range(tables):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=N)
        y = rng.normal() * x + rng.normal(size=N)
        gone = rng.random(N) < 1 / (1 + np.exp(-0.5 - 0.5 * x))
        truth = np.digitize(y, np.linspace(-1, 1, categories + 1)[1:-1]).astype(np.int32) if categories else y
        kind = Kind.CATEGORY if categories else Kind.NUMBER
        cells = {
            X: Cells(x, np.zeros(N, bool), Kind.NUMBER),
            Y: Cells(truth, gone, kind, tuple("abcde"[:categories])),
        }
        found, true = sums(Rows(cells, rng.permutation(N).astype(np.uint64)), seed), truth[gone].sum()
        ranks.append(np.count_nonzero(found < true) + rng.integers(0, np.count_nonzero(found == true) + 1))
    counts, expected = np.bincount(np.array(ranks) * BINS // (DRAWS + 1), minlength=BINS), tables / BINS
    return float(((counts - expected) ** 2 / expected).sum())


def of_draws(name: str) -> Sums:
    """The sums of an imputer's draws."""
    return lambda rows, seed: np.array(
        [one[Y].sum() for one in draws(IMPUTERS[name](), rows, [Y], seed, range(1, DRAWS + 1))], np.float64
    )


def of_a_sure_line(rows: Rows, seed: int) -> Floats:
    """Those of draws around a line that is taken for known."""
    x, cells, rng = rows.columns[X].values, rows.columns[Y], np.random.default_rng([seed, 1])
    there = ~cells.missing
    slope, start = np.polyfit(x[there], cells.values[there], 1)
    deviation = (cells.values - start - slope * x)[there].std(ddof=2)
    noise = rng.normal(0, deviation, (DRAWS, np.count_nonzero(cells.missing)))
    return np.asarray((start + slope * x[cells.missing] + noise).sum(axis=1))


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("name", "categories", "tables"),
    [
        *((name, 0, 120) for name in ("norm", "pmm", "pmmboot", "tree")),
        *(("tree", 2, 120), ("logistic", 2, 60), ("multinomial", 3, 60), ("ordered", 3, 60)),
    ],
)
def test_what_is_missing_stands_anywhere_among_its_draws(name: str, categories: int, tables: int) -> None:
    assert unevenness(of_draws(name), categories, tables * TIMES) < WORST


def test_draws_that_take_their_line_for_known_are_seen() -> None:
    assert unevenness(of_a_sure_line, 0, 120) > WORST


def test_a_gap_takes_other_donors_in_other_draws() -> None:
    """Of classes that x tells nothing of, gaps at the values of x that rows have agree with these little more than by
    chance: .55 of them, and .68 where each draw takes the nearest row that its bootstrap has."""
    alike = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=60), rng.integers(0, 2, 60).astype(np.int32)
        cells = {
            X: Cells(np.tile(x, 2), np.zeros(120, bool), Kind.NUMBER),
            Y: Cells(np.tile(y, 2), np.repeat([False, True], 60), Kind.CATEGORY, ("a", "b")),
        }
        rows = Rows(cells, np.arange(120, dtype=np.uint64))
        alike.append(np.mean([one[Y] == y for one in draws(IMPUTERS["tree"](), rows, [Y], seed, range(1, 21))]))
    assert np.mean(alike) < 0.61
