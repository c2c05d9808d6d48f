"""Means and cross-products of columns with missing values, and posterior draws of them, for linear functions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers import random
from imputedb.imputers.chained.blas import one_thread
from imputedb.imputers.chained.column_model import Matrix
from imputedb.imputers.chained.crossproducts import chain, patterns
from imputedb.imputers.chained.design import Part, design
from imputedb.imputers.order import by_name
from imputedb.imputers.rows import Rows

DRAWS = 32
"""Number of chains whose cross-products are averaged to the expected ones."""

KEPT = 0.5
"""Share of a chain's cycles, the last ones, that is averaged."""


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Mean products of the columns of a matrix: ones, standardised numbers, indicators of categories.

    Attributes:
        parts: the columns of each feature in the matrix, in the order of the features; None for a feature without
            observed values.
        rows: the number of rows learnt from.
        expected: (q, q) the expected mean products.
        drawn: (m, q, q) draws of the population's mean products from their posterior.
    """

    parts: tuple[Part | None, ...]
    rows: int
    expected: Matrix
    drawn: NDArray[np.float64]


def moments(rows: Rows, draws: int, seed: int) -> Moments:
    """The mean products of some rows, under a normal model, by data augmentation (Schafer 1997, section 5.4).

    1. Chained equations on cross-products (crossproducts.py) draw the products of completed rows.
    2. The expected products are their mean over the last cycles of several chains.
    3. Given a draw of completed rows, means and covariances are drawn from their posterior under Jeffreys' prior.
    """
    order = by_name(rows.columns)
    usable = {column: rows.columns[column] for column in order if not rows.columns[column].missing.all()}
    with one_thread():
        found = patterns(np.stack([cells.missing for cells in usable.values()], axis=1), rows.keys)
        taken = Rows(usable, rows.keys).at(found.order)
        made = design(taken.columns)
        completed, expected = _completed(made.x, made.flags(found.starts[:-1]), taken.keys, found, draws, seed)
        drawn = [_posterior(one, len(rows.keys), random.generator(seed, d + 1)) for d, one in enumerate(completed)]
    parts = tuple(made.parts.get(column) for column in order)
    return Moments(parts, len(rows.keys), expected, np.stack(drawn) if drawn else np.zeros((0, *expected.shape)))


def _completed(x, missing, keys, found, draws: int, seed: int):  # type: ignore[no-untyped-def]
    """(m, q, q) mean products of completed rows, one for each draw; and (q, q) the expected ones."""
    steps = [j for j in np.argsort(missing.sum(axis=0), kind="stable").tolist() if missing[:, j].any()]
    if not steps:
        whole = x.T @ x / len(x)
        return np.repeat(whole[None], draws, axis=0), whole
    made = chain(x, missing, keys, found, steps, {})
    count = max(DRAWS, draws)
    names = np.array([random.stream(seed, number + 1, "moments") for number in range(count)], np.uint64)
    drawn = made.drawn(names, 1 + made.cycles, range(1, x.shape[1]))
    cycles = drawn.moments.shape[1]
    kept = drawn.moments[:DRAWS, int(np.floor(cycles * (1 - KEPT))) :]
    return drawn.moments[:draws, -1], kept.mean(axis=(0, 1))


def _posterior(products: Matrix, rows: int, generator: np.random.Generator) -> Matrix:
    """Mean products of a population given those of completed rows: inverse Wishart covariances, normal means."""
    mean, q = products[0, 1:], len(products) - 1
    if q == 0 or rows < q + 3:
        return products
    values, vectors = np.linalg.eigh(products[1:, 1:] - np.outer(mean, mean))
    root = vectors * np.sqrt(np.maximum(values, 0))
    bartlett = np.tril(generator.standard_normal((q, q)), -1)
    bartlett[np.diag_indices(q)] = np.sqrt(generator.chisquare(rows - 1 - np.arange(q)))
    spread = np.sqrt(rows) * root @ np.linalg.inv(bartlett).T
    centre = mean + spread @ generator.standard_normal(q) / np.sqrt(rows)
    found = np.empty_like(products)
    found[0, 0], found[0, 1:], found[1:, 0] = 1.0, centre, centre
    found[1:, 1:] = spread @ spread.T + np.outer(centre, centre)
    return found
