"""Settings of imputation by neighbours."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from imputedb import arguments
from imputedb.errors import QueryError
from imputedb.neighbours.metric import METRICS, SCALINGS, Floats, Lacking, MetricName, Scaling
from imputedb.neighbours.votes import Weighting

Aggregate = Literal["mean", "median", "mode"]
Way = Literal["auto", "exact", "approximate"]
Stage = Literal["group", "column", "mean"]

MOST_K = 1000

Uniforms = Callable[[str], Floats]
"""(n,) uniform numbers in [0, 1), keyed by the row and by what they are for."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of imputation by neighbours.

    Attributes:
        k: number of neighbours for each cell.
        metric: `gower`, `euclidean`, `manhattan` or `cosine`.
        scaling: divisor of numeric differences; by default that of the metric.
        lacking: whether a coordinate that a donor lacks is `ignored`, or counts with the `expected` difference.
        aggregate: for numbers, the `mean`, `median` or `mode` of the neighbours' values; categories always take the
            mode.
        weighting: `uniform`, or by the inverse of the `distance`.
        weights: weights of the coordinates: one for each, `learnt` from observed values for each target, or None for
            equal.
        fallback: values for cells without a neighbour, in this order: the median or mode of the `group` or of the
            `column`, or the column's `mean`. Where none applies the cell stays missing.
        search: `exact`, `approximate`, or `auto` for the one that is estimated to be faster.
        recall: the share of exact neighbours that an approximate search must find on a sample.
    """

    k: int = 10
    metric: MetricName = "gower"
    scaling: Scaling | None = None
    lacking: Lacking = "ignored"
    aggregate: Aggregate = "mean"
    weighting: Weighting = "distance"
    weights: tuple[float, ...] | Literal["learnt"] | None = None
    fallback: tuple[Stage, ...] = ("group", "column")
    search: Way = "auto"
    recall: float = 0.97

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", arguments.whole("k", self.k, 1, MOST_K, example=" neighbours"))
        arguments.one_of("metric", self.metric, METRICS)
        if self.scaling is not None:
            arguments.one_of("scaling", self.scaling, SCALINGS)
        arguments.one_of("lacking", self.lacking, get_args(Lacking))
        arguments.one_of("aggregate", self.aggregate, get_args(Aggregate))
        arguments.one_of("weighting", self.weighting, get_args(Weighting))
        arguments.one_of("search", self.search, get_args(Way))
        for stage in arguments.names("fallback", self.fallback):
            arguments.one_of("fallback", stage, get_args(Stage))
        if isinstance(self.weights, tuple):
            _check_weights(self.weights)
        elif self.weights is not None and self.weights != "learnt":
            raise QueryError(f"weights are {arguments.shown(self.weights)}; give a number a column, or 'learnt'")
        if arguments.real("recall", self.recall, example="above 0 and up to 1") > 1 or self.recall <= 0:
            raise QueryError(f"recall is {self.recall}; it is above 0, and up to 1")


def _check_weights(given: tuple[float, ...]) -> None:
    weights = [arguments.real("a weight", one, example="such as 2") for one in given]
    if min(weights) < 0 or max(weights) <= 0:
        raise QueryError(f"weights are {given}; none may be negative, one must be positive")
