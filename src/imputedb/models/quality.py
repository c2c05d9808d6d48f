"""Accuracy of a function on observed cells that were hidden from its fit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Vector


@dataclass(frozen=True, slots=True)
class Quality:
    """The error of a target's expected values on hidden cells, each given by a function fitted without it.

    Hidden cells stand in rows as they are, and in rows with the missing values of rows that miss the target. Both are
    weighted to lack as many values as the rows that miss the target.

    Attributes:
        cells: the number of hidden cells.
        error: for numbers, root mean square error / standard deviation; for categories and booleans, the share that is
            wrong.
        standard_error: the standard error of `error`.
        baseline_error: the error of the mean, or of the mode.
        is_error_rate: whether errors are shares of wrong values.
        method: the family of the function; `mean` where none is more accurate than the mean.
    """

    cells: int
    error: float
    standard_error: float
    baseline_error: float
    is_error_rate: bool
    method: str


def quality_of_numbers(y: Vector, found: Vector, weight: Vector, by: str) -> Quality:
    """The accuracy of predicted numbers, weighted."""
    share = weight / weight.sum()
    middle = float(share @ y)
    spread = float(np.sqrt(share @ (y - middle) ** 2)) or 1.0
    squares = ((found - y) / spread) ** 2
    error = float(np.sqrt(share @ squares))
    doubt = float(np.sqrt(share**2 @ (squares - error**2) ** 2)) / (2 * error) if error > 0 else 0.0
    return Quality(len(y), error, doubt, 1.0, False, by)


def quality_of_categories(y: Vector, found: Vector, weight: Vector, most: float, by: str) -> Quality:
    """The accuracy of predicted categories, weighted; `most` is the mode."""
    share = weight / weight.sum()
    missed: NDArray[np.bool_] = found != y
    error = float(share @ missed)
    doubt = float(np.sqrt(share**2 @ (missed - error) ** 2))
    return Quality(len(y), error, doubt, float(share @ (y != most)), True, by)
