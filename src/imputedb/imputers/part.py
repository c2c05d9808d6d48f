"""Parts of a request: targets that one imputer fills from the same columns."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column, Columns
from imputedb.errors import CannotImpute
from imputedb.imputers import checked
from imputedb.imputers.chained.two_level import CLUSTERS, uses_clusters
from imputedb.imputers.earlier import CLOCK, earlier
from imputedb.imputers.leverage import leverage
from imputedb.imputers.order import labels
from imputedb.imputers.permitted import Bounds, bounds
from imputedb.imputers.protocol import Imputer, Progress, averages_donors, follows_order
from imputedb.imputers.random import seed_of
from imputedb.imputers.rows import Array, Cells, Rows
from imputedb.imputers.series import lags
from imputedb.imputers.truncated import expected, within
from imputedb.imputers.weighing import WEIGHTS, weighed
from imputedb.notes import Note

if TYPE_CHECKING:
    from imputedb.imputers.request import Request


@dataclass(frozen=True, slots=True, eq=False)
class TargetGroup:
    """The targets of one request that one imputer fills from the same columns.

    Attributes:
        request: the request.
        imputer: imputer of the targets.
        targets: columns to fill.
        barred: columns that may not be used as predictors.
        known: draws of columns that were filled before.
    """

    request: "Request"
    imputer: Imputer
    targets: tuple[Column, ...]
    barred: Columns
    known: Mapping[Column, Array] = field(default_factory=dict)

    @property
    def times(self) -> Cells | None:
        """(n,) the times of the rows; None where all rows may be used."""
        return self.request.permit(self.targets[0]).times

    @property
    def seed(self) -> int:
        """The seed of this part, so that draws by two imputers for one row differ."""
        called = labels(self.request.rows.columns)
        hidden = sorted(called[column] for column in self.barred if column in called)
        own = "" if self.imputer is self.request.imputer else self.imputer.name
        return seed_of(self.request.seed, own, self._before or "", *hidden)

    @property
    def _before(self) -> str | None:
        return self.request.permit(self.targets[0]).policy.before

    def may_use(self, column: Column) -> bool:
        """Whether draws of another target may be used: it must not depend on anything that this part may not use."""
        other = self.request.permit(column)
        same = self._before is None or self._before == other.policy.before
        return column not in self.barred and self.barred <= other.barred | {column} and same

    def shares_rows(self, columns: Sequence[Column]) -> bool:
        """Whether a row misses both a target and one of some columns, so that the draws of these matter."""
        cells, missing = self.request.rows.columns, self._missing
        return any(bool((cells[column].missing & missing).any()) for column in columns)

    def with_draws(self, filled: Mapping[Column, Array]) -> "TargetGroup":
        """The same part, given draws of other targets."""
        return replace(self, known={c: values for c, values in filled.items() if self.may_use(c)})

    def _is_predictor(self, column: Column) -> bool:
        """Whether a column is a predictor; one that is filled later and missing wherever targets are is useless."""
        if column in self.targets or column in self.barred:
            return column in self.targets
        later = column in self.request.imputed and column not in self.known
        return not later or not bool(self.request.rows.columns[column].missing[self._missing].all())

    @property
    def _missing(self) -> NDArray[np.bool_]:
        """(n,) where a target is missing."""
        found: NDArray[np.bool_] = np.logical_or.reduce([self.request.rows.columns[c].missing for c in self.targets])
        return found

    @property
    def rows(self) -> Rows:
        """The rows with the columns that may be used."""
        rows = self.request.rows
        columns = {c: cells for c, cells in rows.columns.items() if self._is_predictor(c)}
        columns |= {c: patched(columns[c], values) for c, values in self.known.items() if c in columns}
        if self.times is not None:
            columns[CLOCK] = self.times
        columns |= self._series(rows)
        clusters, policy = self.request.permit(self.targets[0]).clusters, self.request.permit(self.targets[0]).policy
        if clusters is not None and uses_clusters(self.imputer):
            columns = {c: cells for c, cells in columns.items() if c.name != policy.cluster}  # no slope of its own
            columns[CLUSTERS] = clusters
        weights = self.request.permit(self.targets[0]).weights
        if weights is not None:
            columns[WEIGHTS] = weights
        return replace(rows, columns=columns)

    def _series(self, rows: Rows) -> dict[Column, Cells]:
        """The order of rows for imputers of series; for others, values of neighbouring rows as predictors."""
        found = self.request.permit(self.targets[0]).series
        if found is None:
            return {}
        if follows_order(self.imputer):
            return found.as_columns()
        return lags(rows, self.targets, found, both=self.times is None) if self.imputer.uses_predictors else {}

    @property
    def bounds(self) -> dict[Column, Bounds]:
        """The bounds of targets; targets without bounds are absent."""
        return self._bounds(self.request.rows, self.targets)

    def _bounds(self, rows: Rows, targets: Sequence[Column]) -> dict[Column, Bounds]:
        policies = {column: self.request.permit(column).policy for column in targets}
        return {c: bounds(str(c), policy, self._known(rows, c)) for c, policy in policies.items() if policy.bounds}

    def _known(self, rows: Rows, column: Column) -> Cells:
        """A column's cells; with a condition on time those of the rows to learn from."""
        cells = rows.columns[column]
        if self.times is None or rows.learn is None:
            return cells
        return cells.like(cells.values, cells.missing | ~rows.learn)

    def _permitted(self, rows: Rows, targets: Sequence[Column]) -> list[Column]:
        """The targets with an observed value within bounds; with a condition on time there may be others."""
        if self.times is None:
            return list(targets)
        found = []
        for column in targets:
            with suppress(CannotImpute):
                self._bounds(rows, [column])
                found.append(column)
        return found

    def values(
        self, seen: Mapping[Column, Array], progress: Progress | None, wanted: Sequence[Column]
    ) -> tuple[Mapping[Column, Array], list[Note]]:
        """Single values, or a draw for targets in `drawn`, given draws of other targets."""
        part, notes = self.with_draws(seen) if self.shares_rows(list(seen)) else self, list[Note]()

        def single(rows: Rows, targets: Sequence[Column]) -> Iterator[Mapping[Column, Array]]:
            mine = frozenset(wanted).intersection(targets)
            what = (self.request.seed, 0)
            yield weighed(rows, targets, what, lambda r, some: part._single(r, some, progress, mine, notes))

        rows = part.rows
        (filled,) = earlier(rows, part.targets, single, 1)
        return filled, [*notes, *leverage(part.imputer, rows, part.targets)]

    def _single(
        self, rows: Rows, targets: Sequence[Column], progress: Progress | None, drawn: Columns, notes: list[Note]
    ) -> Mapping[Column, Array]:
        """Single values of some rows, within bounds."""
        targets = self._permitted(rows, targets)
        if not targets:
            return {}
        given, sentences = checked.imputed(self.imputer, rows, targets, self.seed, progress, drawn=drawn)
        notes.extend(sentence for sentence in sentences if sentence not in notes)
        values, limits = dict(given), self._bounds(rows, targets)
        chosen = {c: limit for c, limit in limits.items() if c in drawn}
        predicted = {c: limit for c, limit in limits.items() if c not in drawn}
        if chosen:
            mine = [column for column in targets if column in drawn]
            (kept,) = within(rows, [0], [{c: values[c] for c in mine}], self._drawing(mine), chosen, notes, self.seed)
            values |= kept
        if predicted and averages_donors(self.imputer):
            values |= {c: self._by_donors(rows, c, values[c], limit, notes) for c, limit in predicted.items()}
        elif predicted:
            only = {column: values[column] for column in targets if column in predicted}
            always = self.times is not None  # whether a cell is near a bound must not depend on later cells
            values |= expected(rows, only, self._drawing(list(only)), predicted, notes, self.seed, always=always)
        return values

    def _by_donors(self, rows: Rows, column: Column, values: Array, limit: Bounds, notes: list[Note]) -> Array:
        """Single values within bounds, for a column of an imputer that averages donors."""
        cells = rows.columns[column]
        good = limit.permits(cells.values) | cells.missing
        some = cells.like(cells.values, cells.missing | ~good)
        hidden = replace(rows, columns={**rows.columns, column: some})
        if good.all() or not hidden.training(column).any():
            return limit.nearest(values)
        given, sentences = checked.imputed(self.imputer, hidden, [column], self.seed)
        notes.extend(sentence for sentence in sentences if sentence not in notes)
        return limit.nearest(given[column][cells.missing[some.missing]])

    def _drawing(self, targets: Sequence[Column]) -> "_Draw":
        return _Draw(self.imputer, tuple(targets), self.seed)

    def draws(
        self, numbers: Sequence[int], progress: Progress | None = None, heard: checked.OnMovement | None = None
    ) -> Iterator[Mapping[Column, Array]]:
        """The draws with these numbers, one after another."""

        def each(rows: Rows, targets: Sequence[Column]) -> Iterator[Mapping[Column, Array]]:
            if WEIGHTS not in rows.columns:
                yield from some(rows, targets, numbers, heard)
            for number in numbers if WEIGHTS in rows.columns else ():
                one = partial(some, numbers=[number])
                yield weighed(rows, targets, (self.request.seed, number), lambda r, c, one=one: next(iter(one(r, c))))  # type: ignore[misc]

        def some(
            rows: Rows, targets: Sequence[Column], numbers: Sequence[int], heard: checked.OnMovement | None = None
        ) -> Iterator[Mapping[Column, Array]]:
            targets = self._permitted(rows, targets)
            if not targets:
                return iter([{} for _ in numbers])
            draw, limits = self._drawing(targets), self._bounds(rows, targets)
            found = replace(draw, on_movement=heard)(rows, numbers, progress)
            return iter(within(rows, numbers, list(found), draw, limits, [], self.seed)) if limits else found

        return earlier(self.rows, self.targets, each, len(numbers))


@dataclass(frozen=True, slots=True)
class _Draw:
    """A function that draws some targets in any rows."""

    imputer: Imputer
    targets: tuple[Column, ...]
    seed: int
    on_movement: checked.OnMovement | None = None

    def __call__(
        self, rows: Rows, numbers: Sequence[int], progress: Progress | None = None
    ) -> Iterator[Mapping[Column, Array]]:
        return checked.draws(self.imputer, rows, self.targets, self.seed, numbers, progress, self.on_movement)


def patched(cells: Cells, values: Array) -> Cells:
    """The cells of a column with values for its missing ones, in row order; masked ones stay missing."""
    whole, left = cells.values.copy(), np.zeros(len(cells.missing), bool)
    whole[cells.missing] = np.ma.getdata(values)
    left[cells.missing] = np.ma.getmaskarray(values)
    return cells.like(whole, left)
