"""A model that is kept: what an imputer has learnt of some columns, applied to any rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.errors import CannotImpute, DataError, QueryError, StorageError
from imputedb.imputers import random
from imputedb.imputers.chained.design import Part
from imputedb.imputers.order import by_name, taught
from imputedb.imputers.protocol import Progress
from imputedb.imputers.rows import Array, Rows
from imputedb.models import applying, packing
from imputedb.models.feature import Feature, Vector, feature
from imputedb.models.function import Cases, Constant, Function, Joint, Line, Scores, Slope, Steps
from imputedb.models.linear import by_pattern
from imputedb.models.mean import centre
from imputedb.models.moments import moments
from imputedb.statistics.table import Kind

Method = Literal["mean", "norm"]

FORMAT = 1
"""Version of what `Fitted.dumped` writes."""


@dataclass(frozen=True, slots=True)
class How:
    """How a model is learnt.

    Attributes:
        method: the family of its functions.
        sample: rows that are learnt from at most, picked by their keys.
        draws: how many drawn functions there are, m.
        seed: of what is random.
    """

    method: Method = "norm"
    sample: int = 50_000
    draws: int = 5
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """A column that is filled in.

    Attributes:
        feature: its place among the features.
        expected: its best value, given what is stored of a row.
        drawn: by draw, its value given what is stored of a row and what has been drawn of it before.
    """

    feature: int
    expected: Function
    drawn: tuple[Function, ...]


@dataclass(frozen=True, slots=True)
class Fitted:
    """What an imputer has learnt: for each target pure functions of one row, and nothing else.

    Attributes:
        how: it was learnt.
        rows: that were learnt from.
        features: all columns that are read or filled in.
        targets: in the order in which they are drawn.
    """

    how: How
    rows: int
    features: tuple[Feature, ...]
    targets: tuple[Target, ...]

    def feature(self, column: Column) -> Feature:
        """What the model knows a column as.

        Raises:
            DataError: the model has no such column.
        """
        for one in self.features:
            if one.column == column:
                return one
        raise DataError(f"the model has no column {column}; it has {', '.join(str(f.column) for f in self.features)}")

    def aligned(self, rows: Rows) -> Rows:
        """The same rows, categories as places among the model's levels, so that each it may give has a place."""
        columns = dict(rows.columns)
        for one in self.features:
            if one.column in columns:
                columns[one.column] = one.aligned(columns[one.column])
        return Rows(columns, rows.keys, rows.learn, rows.draws)

    def unseen(self, rows: Rows) -> Mapping[Column, int]:
        """By column, how many cells hold a category that the model has never seen, and reads as missing."""
        counts = {one.column: one.unseen(rows.columns[one.column]) for one in self.features}
        return {column: count for column, count in counts.items() if count}

    def values(self, rows: Rows, draw: int | None = None) -> Mapping[Column, Array]:
        """The values of the targets' missing cells, in row order, as `Imputer.impute` gives them.

        Categories are places among the levels of the cells as they are given. What a row is given depends on its own
        cells, its key and the draw's number alone.

        Args:
            rows: any rows that have all columns of the model.
            draw: None for the best value given what is stored; from 1 to m for one of the draws, which are joint: a
                target is drawn given those before it.

        Raises:
            DataError: the rows lack a column of the model; a category that is imputed is no level of the cells
                (`aligned` gives rows of which that is never so).
            QueryError: the model has no draw of that number.
        """
        x = self._encoded(rows)
        if draw is None:
            return {self.features[t.feature].column: self._expected(t, rows, x) for t in self.targets}
        if not 1 <= draw <= self.how.draws:
            raise QueryError(f"the model has draws 1 to {self.how.draws}, no draw {draw}")
        return {self.features[t.feature].column: self._drawn(t, rows, x, draw) for t in self.targets}

    def dumped(self) -> bytes:
        """The model as bytes: JSON for its structure, arrays beside it."""
        return packing.packed(self, FORMAT)

    @staticmethod
    def loaded(data: bytes) -> "Fitted":
        """The model that bytes are.

        Raises:
            StorageError: they are no model, or one of a newer format.
        """
        found = packing.unpacked(data, FORMAT, KINDS)
        if not isinstance(found, Fitted):
            raise StorageError("these bytes are no model of imputedb")
        return found

    def _encoded(self, rows: Rows) -> list[Vector]:
        absent = [str(one.column) for one in self.features if one.column not in rows.columns]
        if absent:
            raise DataError(f"the model reads {', '.join(absent)}, which the rows do not have")
        return [one.encoded(rows.columns[one.column]) for one in self.features]

    def _expected(self, target: Target, rows: Rows, x: list[Vector]) -> Array:
        one = self.features[target.feature]
        cells = rows.columns[one.column]
        gone = np.flatnonzero(cells.missing)
        best = applying.expected(target.expected, [values[gone] for values in x])
        return one.typed(best if one.classes else np.clip(best, one.low, one.high), cells)

    def _drawn(self, target: Target, rows: Rows, x: list[Vector], draw: int) -> Array:
        """One draw of a target, which the targets after it are given."""
        one = self.features[target.feature]
        cells = rows.columns[one.column]
        gone = np.flatnonzero(cells.missing | np.isnan(x[target.feature]))
        keys, what = rows.keys[gone], (self.how.seed, draw, one.column.name)
        normal, uniform = random.normal(keys, *what), random.uniform(keys, *what)
        drawn = applying.drawn(target.drawn[draw - 1], [values[gone] for values in x], normal, uniform)
        if one.kind not in (one.kind.NUMBER, one.kind.CATEGORY):
            drawn = np.rint(drawn)
        x[target.feature] = x[target.feature].copy()
        x[target.feature][gone] = drawn
        return one.typed(drawn[cells.missing[gone]], cells)


KINDS = (Fitted, How, Target, Feature, Column, Kind, Constant, Line, Slope, Steps, Scores, Cases, Joint, Part, slice)
"""All that a model is made of."""


def fit(
    rows: Rows,
    targets: Sequence[Column],
    types: Mapping[Column, str],
    how: How | None = None,
    progress: Progress | None = None,
) -> Fitted:
    """Learns a model of some columns from rows.

    Args:
        rows: what is learnt from, but for rows of which `rows.learn` says otherwise.
        targets: the columns to fill in; all others predict, and so do targets.
        types: the SQL types of all columns.
        how: the family of functions, how many rows and draws, the seed.
        progress: told the share that is done.

    Raises:
        CannotImpute: no value of a target is observed.
    """
    how = how or How()
    order = by_name(rows.columns)
    rows = _sampled(taught(rows), how.sample)
    everyone = np.ones(len(rows.keys), bool)
    features = tuple(feature(c, types.get(c, ""), rows.columns[c], everyone) for c in order)
    x = [one.encoded(rows.columns[one.column]) for one in features]
    places = _order([order.index(column) for column in targets], x, features)
    learners = {"mean": _means, "norm": _norm}
    found = learners[how.method](rows, features, x, places, how)
    if progress:
        progress(1.0)
    return Fitted(how, len(rows.keys), features, found)


def _sampled(rows: Rows, most: int) -> Rows:
    if len(rows.keys) <= most:
        return rows
    return rows.at(np.sort(np.argpartition(random.mixed(rows.keys), most)[:most]))


def _order(places: Sequence[int], x: Sequence[Vector], features: Sequence[Feature]) -> list[int]:
    """The targets, that of the fewest missing values first."""
    for place in places:
        if np.isnan(x[place]).all():
            raise CannotImpute(f"no value of {features[place].column} is observed: there is nothing to learn from")
    return sorted(places, key=lambda place: (int(np.isnan(x[place]).sum()), place))


def _means(
    rows: Rows,  # noqa: ARG001
    features: Sequence[Feature],
    x: Sequence[Vector],
    places: Sequence[int],
    how: How,
) -> tuple[Target, ...]:
    centres = [centre(features[place], x[place][~np.isnan(x[place])]) for place in places]
    return tuple(Target(p, one, (one,) * how.draws) for p, one in zip(places, centres, strict=True))


def _norm(
    rows: Rows,
    features: Sequence[Feature],  # noqa: ARG001
    x: Sequence[Vector],
    places: Sequence[int],
    how: How,
) -> tuple[Target, ...]:
    known = moments(rows, how.draws, how.seed)
    products = list(known.drawn)
    has = ~np.isnan(np.stack(x, axis=1))
    before: list[int] = []
    found = []
    for place in places:
        met = _met(has, place, ())
        single = by_pattern(known, known.expected, place, met)
        given = _met(has, place, before)
        drawn = tuple(by_pattern(known, one, place, given) for one in products)
        found.append(Target(place, single, drawn))
        before.append(place)
    return tuple(found)


def _met(has: NDArray[np.bool_], place: int, given: Sequence[int]) -> NDArray[np.bool_]:
    """(n, features) what is present in rows that miss a target, some others having been drawn; of all if none does."""
    met = has[~has[:, place]] if not has[:, place].all() else has.copy()
    met[:, list(given)] = True
    return met
