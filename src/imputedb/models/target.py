"""Settings of a fit, and its functions for each target column."""

from dataclasses import dataclass
from typing import Literal

from imputedb.models.function import Function
from imputedb.models.quality import Quality

Method = Literal["mean", "norm", "logistic", "multinomial", "ordered", "pmm", "tree"]


@dataclass(frozen=True, slots=True)
class FitSettings:
    """The settings of a fit.

    Attributes:
        method: the family of functions.
        sample: the largest number of rows to learn from, picked by their keys.
        draws: the number of functions for random draws, m.
        seed: the seed of all random numbers.
        leaves: the largest number of leaves in a function's trees, which keeps its SQL short, that of draws included;
            None for as many as improve it.
    """

    method: Method = "tree"
    sample: int = 50_000
    draws: int = 5
    seed: int = 0
    leaves: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A column that is filled in.

    Attributes:
        feature: its place among the features.
        expected: its best value, given the observed values of a row.
        drawn: by draw, its value given the observed values of a row and the targets drawn before it.
        quality: the accuracy of its expected values on hidden cells; None where not measured.
    """

    feature: int
    expected: Function
    drawn: tuple[Function, ...]
    quality: Quality | None = None
