"""Functions of one row, a closed union: `applying` evaluates them over arrays, `expression` writes them as SQL."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.design import Part
from imputedb.kernel import _kernel


@dataclass(frozen=True, slots=True)
class Constant:
    """The same value for every row.

    Attributes:
        value: a number, or the place of a category among the levels.
    """

    value: float


@dataclass(frozen=True, slots=True)
class NumberTerm:
    """The term of a number: slope x (value - centre), or a constant where it is missing.

    Attributes:
        feature: the place of the number among the features.
        centre: subtracted from the value.
        slope: the coefficient.
        absent: the term of a missing value.
    """

    feature: int
    centre: float
    slope: float
    absent: float = 0.0


@dataclass(frozen=True, slots=True)
class CategoryTerm:
    """The term of a category.

    Attributes:
        feature: the place of the category among the features.
        values: the term of each level.
        absent: the term of a missing value.
    """

    feature: int
    values: tuple[float, ...]
    absent: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Binary trees, one after another in shared arrays.

    A leaf has feature -1, and its value as threshold.

    Attributes:
        roots: (trees,) the first node of each tree.
        features: (nodes,) the feature that a node splits by; -1 at a leaf.
        thresholds: (nodes,) the largest number that goes left; at a leaf, its value.
        left: (nodes,) the child for rows that go left.
        right: (nodes,) the child for all other rows.
        missing: (nodes,) 1 where a missing value goes left.
        sets: (nodes,) the first word of the set of levels that go left; -1 without a set.
        words: 64-bit words of the sets; bit k of a set is 1 where level k goes left.
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
        """A forest from its arrays, in the order of its attributes, whatever their types."""
        kinds = (np.int32, np.int32, np.float64, np.int32, np.int32, np.uint8, np.int32, np.uint64)
        arrays: list[Any] = [np.asarray(part, kind) for part, kind in zip(parts, kinds, strict=True)]
        return Forest(*arrays)

    def with_thresholds(self, thresholds: NDArray[np.float64]) -> "Forest":
        """The same trees with other thresholds and leaf values."""
        return replace(self, thresholds=thresholds)


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """A number: an intercept, terms and trees, added in this order.

    Attributes:
        intercept: the constant.
        terms: the linear terms.
        deviation: the standard deviation of normal residuals.
        forest: the trees; None without any.
        compiled: the kernel's form of the sum, a list of one after its first use, empty before.
    """

    intercept: float
    terms: tuple[NumberTerm | CategoryTerm, ...] = ()
    deviation: float = 0.0
    forest: Forest | None = None
    compiled: "list[_kernel.Scorer]" = field(default_factory=list, init=False, repr=False)


@dataclass(frozen=True, slots=True)
class Scores:
    """A category by scores, which are logarithms of probabilities up to a constant.

    The best category has the largest score; of equal scores, the first.

    Attributes:
        codes: the places of the categories among the levels.
        sums: the score of each category.
    """

    codes: tuple[int, ...]
    sums: tuple[Sum, ...]


@dataclass(frozen=True, slots=True)
class PatternCases:
    """A function for each set of features: a row uses the first one whose features it has.

    Attributes:
        needs: the places of the features that each case needs; the last case needs none.
        functions: the function of each case.
    """

    needs: tuple[tuple[int, ...], ...]
    functions: "tuple[Function, ...]"


@dataclass(frozen=True, slots=True, eq=False)
class JointNormal:
    """Linear functions for every pattern of present features, derived from a joint distribution when a pattern occurs.

    Attributes:
        target: the place of the target among the features.
        rows: the number of rows learnt from.
        parts: the columns of each feature in the matrix of cross-products; None for a feature that is left out.
        products: (q, q) mean products of the columns of that matrix.
        derived: the functions derived so far, by the features that are present.
    """

    target: int
    rows: int
    parts: tuple[Part | None, ...]
    products: NDArray[np.float64]
    derived: dict[tuple[int, ...], Sum] = field(default_factory=dict, init=False)


@dataclass(frozen=True, slots=True, eq=False)
class MeanMatching:
    """The observed value of a donor with a similar prediction (Little 1988; Morris, White & Royston 2014).

    A tree groups rows by the precision of their predictions. A row takes donors of its own group.

    Attributes:
        centre: the prediction.
        precision_group: the tree of groups; its value is the number of a leaf.
        starts: (leaves + 1,) the first donor of each leaf.
        predicted: (donors,) the predictions of donors, rising within a leaf.
        values: (donors,) the observed values of donors.
        nearest: how many of the nearest donors to draw from.
    """

    centre: "Sum | PatternCases | JointNormal"
    precision_group: Sum
    starts: NDArray[np.int64]
    predicted: NDArray[np.float64]
    values: NDArray[np.float64]
    nearest: int


@dataclass(frozen=True, slots=True)
class ResidualDraw:
    """A prediction plus a random residual, clipped to the observed range.

    Attributes:
        centre: the prediction.
        residuals: the residuals to draw from, rising.
        low: the smallest observed number.
        high: the largest observed number.
    """

    centre: Sum
    residuals: tuple[float, ...]
    low: float
    high: float


Function = Constant | Sum | Scores | PatternCases | JointNormal | MeanMatching | ResidualDraw
