"""The mean of numbers, the mode of categories: a model of the column alone."""

import numpy as np

from imputedb.models.feature import Feature, Vector
from imputedb.models.function import Constant


def centre(feature: Feature, values: Vector) -> Constant:
    """The mean of the observed numbers, the most frequent of the observed categories, of equal ones the first."""
    if feature.classes:
        return Constant(float(np.bincount(values.astype(np.intp), minlength=feature.classes).argmax()))
    return Constant(float(np.mean(values)))
