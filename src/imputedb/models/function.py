"""Functions of one row: a closed union. What they give is in applying.py, what they are in SQL in expression.py."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.design import Part
from imputedb.kernel import _kernel


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


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Trees, one after another. A leaf has no feature, and its value for a threshold.

    Attributes:
        roots: (trees,) where each begins among the nodes.
        features: (nodes,) the feature that a node splits by; -1 of a leaf.
        thresholds: (nodes,) the largest number that goes left; of a leaf its value.
        left: (nodes,) the node that comes next for what goes left.
        right: (nodes,) and for what does not.
        missing: (nodes,) 1 where a missing value goes left.
        sets: (nodes,) where the words begin that say which levels go left; -1 where it is split by a number.
        words: of the sets; bit k says whether level k goes left.
    """

    roots: NDArray[np.int32]
    features: NDArray[np.int32]
    thresholds: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    missing: NDArray[np.uint8]
    sets: NDArray[np.int32]
    words: NDArray[np.uint64]

    @staticmethod
    def of(parts: Iterable[Sequence[float] | NDArray[Any]]) -> "Forest":
        """A forest of its arrays, in the order of its attributes, whatever their types."""
        kinds = (np.int32, np.int32, np.float64, np.int32, np.int32, np.uint8, np.int32, np.uint64)
        arrays: list[Any] = [np.asarray(part, kind) for part, kind in zip(parts, kinds, strict=True)]
        return Forest(*arrays)

    def with_thresholds(self, thresholds: NDArray[np.float64]) -> "Forest":
        """The same trees with other thresholds, and values of leaves."""
        return replace(self, thresholds=thresholds)


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """A number: an intercept, a term a feature and trees, added in this order.

    Attributes:
        intercept: what it begins with.
        terms: one a feature that it is linear in.
        deviation: standard deviation of normal residuals around it.
        forest: its trees; None for none.
        compiled: what the kernel makes of it, when it is first asked for.
    """

    intercept: float
    terms: tuple[Slope | Steps, ...] = ()
    deviation: float = 0.0
    forest: Forest | None = None
    compiled: "list[_kernel.Scorer]" = field(default_factory=list, init=False, repr=False)


@dataclass(frozen=True, slots=True)
class Scores:
    """A category by scores, logarithms of probabilities but for a constant: the largest one's, of equal ones the first.

    Attributes:
        codes: the categories, by their places among the levels.
        sums: their scores.
    """

    codes: tuple[int, ...]
    sums: tuple[Sum, ...]


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
    made: dict[tuple[int, ...], Sum] = field(default_factory=dict, init=False)


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """The observed value of a donor whose predicted number is near (Little 1988; Morris, White & Royston 2014).

    Donors are taken from rows of which the prediction is about as sure: a tree says so.

    Attributes:
        centre: what is predicted.
        sure: the tree; its value is the number of a leaf.
        starts: (leaves + 1,) where the donors of each leaf begin.
        predicted: (donors,) what was predicted of them, rising within a leaf.
        values: (donors,) what they have.
        nearest: how many of the nearest are drawn from.
    """

    centre: "Sum | Cases | Joint"
    sure: Sum
    starts: NDArray[np.int64]
    predicted: NDArray[np.float64]
    values: NDArray[np.float64]
    nearest: int


@dataclass(frozen=True, slots=True)
class Spread:
    """A number around which values are drawn by what predictions of others were wrong by, within what is observed.

    Attributes:
        centre: what is predicted.
        residuals: that are drawn from, rising.
        low: the smallest observed number.
        high: the largest.
    """

    centre: Sum
    residuals: tuple[float, ...]
    low: float
    high: float


Function = Constant | Sum | Scores | Cases | Joint | Matched | Spread
