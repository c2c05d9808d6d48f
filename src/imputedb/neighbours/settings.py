"""What can be asked of an imputation by neighbours."""

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
    """How cells are filled by their neighbours.

    Attributes:
        k: neighbours a cell.
        metric: `gower`, `euclidean`, `manhattan` or `cosine`.
        scaling: what differences of numbers are divided by; the metric's own unless given.
        lacking: whether a coordinate that a donor lacks is `ignored`, or counts with the `expected` difference.
        aggregate: of numbers, the `mean` or the `median` of the neighbours' values, or the `mode`, which is what
            categories always take.
        weighting: `uniform`, or by the inverse of the `distance`.
        weights: of the coordinates: one each, `learnt` for each target from what is observed, or None for all equal.
        fallback: what stands in where a cell has no neighbour, in this order: the median or mode of the `group`, of the
            `column`, or the column's `mean`. Where none of them is there the cell is left.
        search: `exact`, `approximate`, or `auto` for what is estimated to be the cheaper.
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
