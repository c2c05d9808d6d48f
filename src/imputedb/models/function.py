"""Functions of one row: a closed union. What they give is in applying.py, what they are in SQL in expression.py."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.design import Part


@dataclass(frozen=True, slots=True)
class Constant:
    """One value, whatever the row.

    Attributes:
        value: a number, or the place of a category.
    """

    value: float


@dataclass(frozen=True, slots=True)
class Slope:
    """What a number adds: slope x (value - centre), or something else where it is missing.

    Attributes:
        feature: the place of the number among the features.
        centre: what is taken off it first.
        slope: what the rest is multiplied by.
        absent: what a missing value adds.
    """

    feature: int
    centre: float
    slope: float
    absent: float = 0.0


@dataclass(frozen=True, slots=True)
class Steps:
    """What a category adds.

    Attributes:
        feature: the place of the category among the features.
        values: what each level adds.
        absent: what a missing value adds.
    """

    feature: int
    values: tuple[float, ...]
    absent: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """A linear function of a row, with the spread of what is around it.

    Attributes:
        intercept: what all terms are added to, in their order.
        terms: one a feature.
        deviation: standard deviation of normal residuals.
    """

    intercept: float
    terms: tuple[Slope | Steps, ...]
    deviation: float = 0.0


@dataclass(frozen=True, slots=True)
class Scores:
    """A category by scores: the largest one's, of equal ones the first.

    Attributes:
        codes: the categories, by their places among the levels.
        lines: their scores.
        link: whether scores are probabilities or their logarithms, but for a constant, when categories are drawn.
    """

    codes: tuple[int, ...]
    lines: tuple[Line, ...]
    link: Literal["share", "log"]


@dataclass(frozen=True, slots=True)
class Cases:
    """A function for each pattern of present features: the first whose features a row has.

    Attributes:
        needs: the places of the features that each case needs; the last one needs none.
        functions: one a case.
    """

    needs: tuple[tuple[int, ...], ...]
    functions: "tuple[Function, ...]"


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """A linear function for every pattern of present features, worked out where it is met from a joint distribution.

    Attributes:
        target: the place of what it gives among the features.
        rows: that were learnt from.
        parts: where the features stand in the matrix of cross-products; None of those that are left out.
        products: (q, q) mean products of the columns of that matrix.
        made: functions that have been worked out, by the features that are present.
    """

    target: int
    rows: int
    parts: tuple[Part | None, ...]
    products: NDArray[np.float64]
    made: "dict[tuple[int, ...], Line | Scores]" = field(default_factory=dict, init=False)


Function = Constant | Line | Scores | Cases | Joint
