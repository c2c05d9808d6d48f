"""What a model of one column is: the smaller protocol, which `Chained` makes an imputer of."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imputedb.arguments import shown
from imputedb.errors import ExtensionError
from imputedb.imputers import random
from imputedb.statistics.table import Kind

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]
Keys = NDArray[np.uint64]

LEARN_ROWS = 50_000
"""Rows that iterative models learn from at most, the first by a hash of their keys."""


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """The observed values of the column that is modelled.

    Attributes:
        values: (n,) numbers, or codes of categories from 0.
        kind: what they are.
        classes: number of categories, 2 of booleans, 0 of numbers.
        keys: (n,) of their rows.
        ordered: whether categories are declared to stand in an order, that of their numbers.
        log_odds: (unknown or 1, classes) what is added to the log-odds of imputed categories; None adds nothing.
        clusters: (n,) and (unknown,) the clusters of the rows, numbered from 0; None where nobody says.
        alike: which of the rows to fill are of the same sample; None for all. Others tell nothing of it.
    """

    values: Vector
    kind: Kind
    classes: int
    keys: Keys
    ordered: bool = False
    log_odds: Matrix | None = None
    alike: NDArray[np.bool_] | None = None
    clusters: tuple[NDArray[np.intp], NDArray[np.intp]] | None = None

    def everyone(self, features: Matrix, unknown: Matrix) -> Matrix:
        """The features of the whole sample, rows to fill among them."""
        return np.vstack([features, unknown if self.alike is None else unknown[self.alike]])

    def sample(self, rows: int) -> NDArray[np.intp]:
        """Places of at most so many rows, picked by their keys."""
        if len(self.values) <= rows:
            return np.arange(len(self.values))
        return np.sort(np.argpartition(random.mixed(self.keys), rows)[:rows])


@dataclass(frozen=True, slots=True, eq=False)
class Randomness:
    """Random numbers of one fit: by row for values, one generator for parameters.

    Attributes:
        keys: (n,) of the rows to fill.
        what: seed, draw, cycle and column.
        fits: what models of the column were fitted to in the cycle before, where they start from.
    """

    keys: Keys
    what: tuple[int | str, ...]
    fits: dict[str, Vector] = field(default_factory=dict)

    def normal(self) -> Vector:
        """(n,) standard normal, a row each."""
        return random.normal(self.keys, *self.what, "value")

    def uniform(self) -> Vector:
        """(n,) uniform inside (0, 1), a row each."""
        return random.uniform(self.keys, *self.what, "value")

    def generator(self) -> np.random.Generator:
        """For what belongs to no row."""
        return random.generator(*self.what, "parameters")


def check(model: object) -> None:
    """Refuses what is no model of one column.

    Raises:
        ExtensionError: a member is not there, or is not what it must be.
    """
    if isinstance(model, type):
        raise ExtensionError(f"{model.__name__} is a class: hand in one of its models, {model.__name__}(...)")
    name = getattr(model, "name", None)
    if not isinstance(name, str) or not name.strip():
        raise ExtensionError(f"{shown(model)} is no model of a column: it has no name")
    for member in ("suits", "draw", "predict"):
        if not callable(getattr(model, member, None)):
            raise ExtensionError(f"the model {name} of a column has no method {member}")


class ColumnModel(Protocol):
    """A way to model one column by others. Features have a first column of ones and are standardised."""

    @property
    def name(self) -> str:
        """The name it is asked for by."""

    def suits(self, observed: Observed) -> bool:
        """Whether values of this kind can be modelled."""

    def draw(self, observed: Observed, features: Matrix, unknown: Matrix, rng: Randomness) -> Vector:
        """(n,) values for the rows of `unknown`, the model's own parameters drawn too."""

    def predict(self, observed: Observed, features: Matrix, unknown: Matrix) -> Vector:
        """(n,) the single best value for each: an expected number, a most probable category."""
