"""Means and medians of whole numbers, exact where doubles are not."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imputedb.neighbours.metric import Floats

Array = NDArray[np.generic]

_EXACT = 2.0**53
"""Up to here every whole number is a double."""


def middles(values: Array, middle: Callable[[Floats], Floats]) -> Array:
    """(c,) the mean or median of each row, in the numbers' own type; whole numbers are rounded.

    Whole numbers that doubles do not represent exactly are taken as differences from the least number of their row. So
    the result is never outside the row's range, and does not overflow.

    Args:
        values: (c, k) numbers.
        middle: gives the mean or the median of each row of doubles, (c,).
    """
    if values.dtype.kind not in "iu":
        return middle(values.astype(np.float64)).astype(values.dtype)
    if not values.size or float(np.abs(values.astype(np.float64)).max()) < _EXACT:
        return typed(middle(values.astype(np.float64)), values.dtype)
    least, modular = values.min(axis=1), values.astype(np.uint64)
    apart = modular - least.astype(np.uint64)[:, None]  # modulo 2^64, and therefore exact
    widest = apart.max(axis=1)
    near = np.clip(np.nan_to_num(np.rint(middle(apart.astype(np.float64)))), 0.0, np.nextafter(2.0**64, 0))
    return np.asarray((least.astype(np.uint64) + np.minimum(near.astype(np.uint64), widest)).astype(values.dtype))


def typed(values: Floats, dtype: np.dtype[Any]) -> Array:
    """Doubles in a column's own type; for whole numbers the nearest one in the type's range."""
    if dtype.kind not in "iu":
        return values.astype(dtype)
    limits = np.iinfo(dtype.str)
    whole = np.rint(np.nan_to_num(values))
    inside = np.clip(whole, float(limits.min), np.nextafter(float(limits.max), 0)).astype(dtype)
    return np.where(whole >= float(limits.max), np.array(limits.max, dtype), inside)
