"""Augmentation against separation: weighted pseudo-observations keep estimates of categorical models finite."""

from typing import NamedTuple

import numpy as np

from imputedb.imputers.chained.column_model import Matrix, Vector


class Augmented(NamedTuple):
    """Observations with weights."""

    features: Matrix
    codes: Vector
    weights: Vector


def augmented(features: Matrix, codes: Vector, classes: int, all_rows: Matrix | None = None) -> Augmented:
    """The observations, and for each predictor and class two pseudo-observations at its mean +- half its deviation.

    All other predictors of a pseudo-observation are at their means; the added weights sum to p + 1 (White, Daniel &
    Royston 2010, section 3). Means and deviations are those of `all_rows`, which includes the rows to impute, and
    pseudo-observations stay within its range. The first column, of ones, is not counted among the p predictors.
    """
    whole = features if all_rows is None else all_rows
    p = features.shape[1] - 1
    if p == 0:
        return Augmented(features, codes, np.ones(len(codes)))
    mean, half = whole.mean(axis=0), 0.5 * whole.std(axis=0, ddof=1)
    many = 2 * classes
    added = np.tile(mean, (many * p, 1))
    signs = np.tile([1.0, -1.0], p * classes)
    places = np.repeat(np.arange(1, p + 1), many)
    added[np.arange(len(added)), places] += signs * half[places]
    labels = np.tile(np.repeat(np.arange(classes, dtype=np.float64), 2), p)
    added = np.clip(added, whole.min(axis=0), whole.max(axis=0))
    weights = np.concatenate([np.ones(len(codes)), np.full(len(added), (p + 1) / len(added))])
    return Augmented(np.vstack([features, added]), np.concatenate([codes, labels]), weights)
