"""Baseline-category logits: the likelihood is at its top, the root is that of the inverse of the information."""

import numpy as np
import pytest
from numpy.typing import NDArray

from imputedb.kernel import _kernel

Matrix = NDArray[np.float64]


def chances(x: Matrix, beta: Matrix) -> Matrix:
    score = np.concatenate([np.zeros((len(x), 1)), x @ beta.T], axis=1)
    weight = np.exp(score - score.max(axis=1, keepdims=True))
    found: Matrix = weight / weight.sum(axis=1, keepdims=True)
    return found


def information(x: Matrix, weights: Matrix, chance: Matrix) -> Matrix:
    k, p = chance.shape[1] - 1, x.shape[1]
    found = np.zeros((k, p, k, p))
    for a in range(k):
        for b in range(k):
            curvature = weights * chance[:, a + 1] * ((a == b) - chance[:, b + 1])
            found[a, :, b, :] = x.T @ (x * curvature[:, None])
    return found.reshape(k * p, k * p)


@pytest.mark.parametrize(("n", "p", "classes"), [(60, 1, 2), (200, 3, 2), (300, 4, 3), (500, 6, 7)])
def test_the_slope_is_nothing_and_the_root_is_that_of_the_covariance(n: int, p: int, classes: int) -> None:
    rng = np.random.default_rng([n, p, classes])
    x = np.concatenate([np.ones((n, 1)), rng.normal(size=(n, p - 1))], axis=1)
    true = rng.normal(size=(classes - 1, p)) / 2
    codes = (chances(x, true).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).astype(float)
    weights = rng.integers(1, 4, n).astype(float)
    beta, size = np.zeros((classes - 1, p)), (classes - 1) * p
    root = np.empty((size, size))
    assert _kernel.fit_logits(x.ravel(), codes, weights, classes, beta.ravel(), root.ravel())
    chance = chances(x, beta)
    slope = ((np.eye(classes)[codes.astype(int)] - chance) * weights[:, None])[:, 1:].T @ x
    assert np.abs(slope).max() < 1e-6 * weights.sum()
    assert root @ root.T == pytest.approx(np.linalg.inv(information(x, weights, chance)), rel=1e-6, abs=1e-9)
    again, there = beta.copy(), np.empty((size, size))
    assert _kernel.fit_logits(x.ravel(), codes, weights, classes, again.ravel(), there.ravel())
    assert again == pytest.approx(beta, abs=1e-6)


def test_a_collinear_feature_stops_nothing() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(80, 2))
    x = np.concatenate([np.ones((80, 1)), x, x[:, :1]], axis=1)
    codes = (x[:, 1] + rng.normal(size=80) > 0).astype(float)
    beta, root = np.zeros(4), np.empty((4, 4))
    assert _kernel.fit_logits(x.ravel(), codes, np.ones(80), 2, beta, root.ravel())
    assert np.isfinite(beta).all()


def test_what_is_not_finite_has_no_root() -> None:
    x = np.array([[1.0, 0.5], [1.0, np.nan], [1.0, -0.5]])
    assert not _kernel.fit_logits(x.ravel(), np.array([0.0, 1.0, 1.0]), np.ones(3), 2, np.zeros(2), np.empty(4))


@pytest.mark.parametrize("wrong", ["codes", "classes", "beta", "root", "rows"])
def test_arrays_that_do_not_fit_are_refused(wrong: str) -> None:
    given = {
        "x": np.ones(6),
        "codes": np.array([0.0, 1.0, 1.0]),
        "weights": np.ones(3),
        "classes": 2,
        "beta": np.zeros(2),
        "root": np.empty(4),
    }
    bad = {"codes": np.array([0.0, 2.0, 1.0]), "classes": 1, "beta": np.zeros(3), "root": np.empty(5)}
    given |= {"weights": np.ones(2)} if wrong == "rows" else {wrong: bad[wrong]}
    with pytest.raises(ValueError, match="lengths"):
        _kernel.fit_logits(**given)  # type: ignore[arg-type]
