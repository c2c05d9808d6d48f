"""How well a function gives cells that are known and were hidden from it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Vector


@dataclass(frozen=True, slots=True)
class Quality:
    """The error of a target's expected values on hidden cells, each by a function that was learnt without them.

    The cells are of rows as they are, and as they would be with the gaps of rows that miss the target; both count by
    how often rows that miss it lack as much.

    Attributes:
        cells: that were hidden.
        error: of numbers, root mean square error / standard deviation; of categories and truth values the share that is
            wrong.
        doubt: the standard error of that.
        plain: the error of the mean, or of the most frequent category.
        wrong: whether errors are shares that are wrong.
        by: what gives the values: a family of functions, or `mean` where none is nearer than it.
    """

    cells: int
    error: float
    doubt: float
    plain: float
    wrong: bool
    by: str


def of_numbers(y: Vector, found: Vector, weight: Vector, by: str) -> Quality:
    """The quality of predicted numbers, which count by weights."""
    share = weight / weight.sum()
    middle = float(share @ y)
    spread = float(np.sqrt(share @ (y - middle) ** 2)) or 1.0
    squares = ((found - y) / spread) ** 2
    error = float(np.sqrt(share @ squares))
    doubt = float(np.sqrt(share**2 @ (squares - error**2) ** 2)) / (2 * error) if error > 0 else 0.0
    return Quality(len(y), error, doubt, 1.0, False, by)


def of_categories(y: Vector, found: Vector, weight: Vector, most: float, by: str) -> Quality:
    """The quality of predicted categories, which count by weights; `most` is the most frequent one."""
    share = weight / weight.sum()
    missed: NDArray[np.bool_] = found != y
    error = float(share @ missed)
    doubt = float(np.sqrt(share**2 @ (missed - error) ** 2))
    return Quality(len(y), error, doubt, float(share @ (y != most)), True, by)
