"""The protocol of models of one column, from which `Chained` makes an imputer."""

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
"""Maximum number of rows that iterative models are fitted to, the first by a hash of their keys."""


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """The observed values of the modelled column.

    Attributes:
        values: (n,) numbers, or codes of categories from 0.
        kind: kind of the values.
        classes: number of categories, 2 for booleans, 0 for numbers.
        keys: (n,) keys of the rows.
        ordered: whether the categories have a declared order, that of their codes.
        log_odds: (unknown or 1, classes) terms to add to the log-odds of imputed categories; None for none.
        clusters: (n,) and (unknown,) the clusters of the rows, numbered from 0; None without clusters.
        alike: which rows to fill belong to the sample that the model is fitted to; None for all of them.
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
        """Positions of at most this number of rows, chosen by their keys."""
        if len(self.values) <= rows:
            return np.arange(len(self.values))
        return np.sort(np.argpartition(random.mixed(self.keys), rows)[:rows])


@dataclass(frozen=True, slots=True, eq=False)
class Randomness:
    """Random numbers of one fit: one stream for each row's value, one generator for the parameters.

    Attributes:
        keys: (n,) keys of the rows to fill.
        what: seed, draw, cycle and column.
        fits: the fits of the column's models in the cycle before, as starting values.
    """

    keys: Keys
    what: tuple[int | str, ...]
    fits: dict[str, Vector] = field(default_factory=dict)

    def normal(self) -> Vector:
        """(n,) standard normal numbers, one for each row."""
        return random.normal(self.keys, *self.what, "value")

    def uniform(self) -> Vector:
        """(n,) uniform numbers inside (0, 1), one for each row."""
        return random.uniform(self.keys, *self.what, "value")

    def generator(self) -> np.random.Generator:
        """A generator for numbers that belong to no row."""
        return random.generator(*self.what, "parameters")


def check(model: object) -> None:
    """Refuses an object that is not a model of one column.

    Raises:
        ExtensionError: a member is missing or is not valid.
    """
    if isinstance(model, type):
        raise ExtensionError(f"{model.__name__} is a class: pass an object of it, {model.__name__}(...)")
    name = getattr(model, "name", None)
    if not isinstance(name, str) or not name.strip():
        raise ExtensionError(f"{shown(model)} is not a column model: it has no name")
    for member in ("suits", "draw", "predict"):
        if not callable(getattr(model, member, None)):
            raise ExtensionError(f"the model {name} of a column has no method {member}")


class ColumnModel(Protocol):
    """A model of one column given the others. Features are standardised, after a first column of ones."""

    @property
    def name(self) -> str:
        """The name by which users choose it."""

    def suits(self, observed: Observed) -> bool:
        """Whether it can model values of this kind."""

    def draw(self, observed: Observed, features: Matrix, unknown: Matrix, rng: Randomness) -> Vector:
        """(n,) random values for the rows of `unknown`; the model's parameters are drawn too."""

    def predict(self, observed: Observed, features: Matrix, unknown: Matrix) -> Vector:
        """(n,) the single best value for each row: an expected number, or the most probable category."""
