"""How well a function gives cells that are known and were hidden from it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Vector


@dataclass(frozen=True, slots=True)
class Quality:
    """The error of a target's expected values on hidden cells, each by a function that was learnt without them.

    The cells were hidden in rows that were given the gaps of rows that miss the target.

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


def of_numbers(y: Vector, found: Vector, by: str) -> Quality:
    """The quality of predicted numbers."""
    spread = float(np.std(y)) or 1.0
    squares = ((found - y) / spread) ** 2
    error = float(np.sqrt(squares.mean()))
    doubt = float(squares.std() / np.sqrt(len(y)) / (2 * error)) if error > 0 else 0.0
    return Quality(len(y), error, doubt, 1.0, False, by)


def of_categories(y: Vector, found: Vector, most: float, by: str) -> Quality:
    """The quality of predicted categories, `most` the most frequent one."""
    missed: NDArray[np.bool_] = found != y
    share = float(missed.mean())
    doubt = float(np.sqrt(max(share * (1 - share), 0.0) / len(y)))
    return Quality(len(y), share, doubt, float(np.mean(y != most)), True, by)
