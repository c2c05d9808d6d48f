"""Drawn columns keep their joint distribution, with each other and with what is observed, whatever misses together."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.checked import draws
from imputedb.imputers.imputer import Cells, Rows
from imputedb.imputers.registry import IMPUTERS
from imputedb.statistics.statistics import Kind

N = 1200
DRAWS = 4
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def world(seed: int, patterns: Sequence[Sequence[bool]], at_random: bool) -> tuple[Floats, Flags]:
    """Four columns, the last complete, correlated by .5 to .95; rows lack one of the given sets of the first three."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(N, 1))
    loadings = rng.uniform(0.75, 0.97, 4)
    y = factor * loadings + rng.normal(size=(N, 4)) * np.sqrt(1 - loadings**2)
    chance = 1 / (1 + np.exp(0.6 - y[:, 3])) if at_random else np.full(N, 0.4)
    sets = np.array([[False] * 3, *patterns])
    which = np.where(rng.random(N) < chance, rng.integers(1, len(sets), N), 0)
    return y, np.column_stack([sets[which], np.zeros(N, bool)])


def completed(name: str, y: Floats, gone: Flags) -> list[Floats]:
    cells = {Column("t", f"c{j}"): Cells(y[:, j].copy(), gone[:, j].copy(), Kind.NUMBER) for j in range(y.shape[1])}
    rows = Rows(cells, np.random.default_rng(5).permutation(len(y)).astype(np.uint64))
    targets = [column for column, one in cells.items() if one.missing.any()]
    found = []
    for values in draws(IMPUTERS[name](), rows, targets, 1, range(DRAWS)):
        whole = y.copy()
        for column in targets:
            place = int(column.name[1:])
            whole[gone[:, place], place] = values[column]
        found.append(whole)
    return found


def z(r: Floats) -> Floats:
    return np.asarray(np.arctanh(r))


PATTERNS = st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=4)


@pytest.mark.parametrize("name", ["tree", "norm", "pmm"])
@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), PATTERNS, st.booleans())
def test_correlations_are_those_of_the_complete_table(
    name: str, seed: int, patterns: list[list[bool]], at_random: bool
) -> None:
    """Within four standard errors of a correlation of as many rows as observe it, and of the draws."""
    y, gone = world(seed, patterns, at_random)
    pairs = np.triu_indices(4, 1)
    found = np.mean([z(np.corrcoef(whole.T)[pairs]) for whole in completed(name, y, gone)], axis=0)
    seen = np.array([(~gone[:, i] & ~gone[:, j]).sum() for i, j in zip(*pairs, strict=True)])
    error = np.sqrt(1 / (seen - 3))
    assert (np.abs(found - z(np.corrcoef(y.T)[pairs])) < 4 * error).all()


@pytest.mark.parametrize("name", ["tree", "norm", "pmm"])
@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), PATTERNS, st.booleans())
def test_means_and_deviations_are_those_of_the_complete_table(
    name: str, seed: int, patterns: list[list[bool]], at_random: bool
) -> None:
    y, gone = world(seed, patterns, at_random)
    found = completed(name, y, gone)
    seen = (~gone).sum(axis=0)
    assert (np.abs(np.mean(found, axis=(0, 1)) - y.mean(axis=0)) < 4.5 / np.sqrt(seen)).all()
    assert (np.abs(np.log(np.std(found, axis=1).mean(axis=0) / y.std(axis=0))) < 4.5 / np.sqrt(2 * seen)).all()
