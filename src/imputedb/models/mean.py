"""Models without predictors: the mean of numbers, the mode of categories."""

import numpy as np

from imputedb.models.feature import Feature, Vector
from imputedb.models.function import Constant


def centre(feature: Feature, values: Vector) -> Constant:
    """The mean of observed numbers, or the most frequent category; of equally frequent ones, the first."""
    if feature.classes:
        return Constant(float(np.bincount(values.astype(np.intp), minlength=feature.classes).argmax()))
    return Constant(float(np.mean(values)))
