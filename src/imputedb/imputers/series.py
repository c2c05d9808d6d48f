"""Imputation from preceding and following rows, in an order within groups (PARTITION BY ... ORDER BY ...)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.errors import CannotImpute
from imputedb.imputers import random
from imputedb.imputers.order import labels
from imputedb.imputers.protocol import Progress, Work
from imputedb.imputers.rows import Array, Cells, Rows
from imputedb.statistics.table import Kind

GROUPS = Column("", "imputedb groups")
"""The column of rows that holds the numbers of their groups."""

TIMES = Column("", "imputedb order")
"""The column of rows that holds their times, or whatever orders the rows of a group."""

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """The order of rows within groups.

    Attributes:
        groups: (n,) the number of each row's group.
        times: (n,) values that order the rows of a group; rows without one have no position.
    """

    groups: NDArray[np.int64]
    times: Cells

    def at(self, places: Places) -> "Series":
        """The order of some rows."""
        return Series(self.groups[places], self.times.at(places))

    def as_columns(self) -> dict[Column, Cells]:
        """The order as columns of rows."""
        return {GROUPS: Cells(self.groups, np.zeros(len(self.groups), bool), Kind.INTEGER), TIMES: self.times}


def series(partition: Sequence[Cells], times: Cells) -> Series:
    """The order of rows by partitioning columns, in which NULL is one value, and by times."""
    codes = [np.where(one.missing, -1, np.unique(one.values, return_inverse=True)[1]) for one in partition]
    groups = np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)[1].ravel()
    return Series(groups.astype(np.int64), times)


def lags(rows: Rows, targets: Sequence[Column], found: Series, *, both: bool) -> dict[Column, Cells]:
    """Predictors for each target: its last observed value before each row and, with `both`, the next one after."""
    made: dict[Column, Cells] = {}
    order, starts = in_order(rows, found)
    for target in targets:
        cells = rows.columns[target]
        observed = rows.training(target)
        for name, step in (("before", 1), ("after", -1))[: 1 + both]:
            near = _nearest(order, starts, observed, step, itself=False)
            there = near >= 0
            values = cells.values[np.where(there, near, 0)]
            made[Column(target.relation, f"{target.name} {name}")] = cells.like(values, ~there)
    return made


def in_order(rows: Rows, found: Series) -> tuple[Places, NDArray[np.bool_]]:
    """The positions of rows with a time, sorted by group, time and key, and flags where a group begins."""
    there = np.flatnonzero(~found.times.missing)
    order = there[np.lexsort((rows.keys[there], found.times.values[there], found.groups[there]))]
    groups = found.groups[order]
    return order, np.concatenate([[True], groups[1:] != groups[:-1]]) if len(order) else np.zeros(0, bool)


def _nearest(
    order: Places, starts: NDArray[np.bool_], observed: NDArray[np.bool_], step: int, *, itself: bool
) -> Places:
    """(n,) the nearest observed row before (step 1) or after (step -1) each row in its group; -1 for none."""
    found = np.full(len(observed), -1)
    last = -1
    ends = np.concatenate([starts[1:], [True]]) if len(starts) else starts
    for at in range(len(order))[::step]:
        row = order[at]
        if (starts if step == 1 else ends)[at]:
            last = -1
        if itself and observed[row]:
            last = row
        found[row] = last
        if observed[row]:
            last = row
    return found


def series_of(rows: Rows, name: str, targets: Sequence[Column]) -> Series:
    """The order of rows that a policy defines.

    Raises:
        CannotImpute: no policy defines one.
    """
    if TIMES not in rows.columns:
        raise CannotImpute(
            f"{name} needs an order of rows: state PARTITION BY ... ORDER BY ... in a policy of "
            f"{', '.join(map(str, targets))}"
        )
    return Series(rows.columns[GROUPS].values.astype(np.int64), rows.columns[TIMES])


@dataclass(frozen=True, slots=True)
class Carried:
    """The last observed value before each row in its group (LOCF), or the next one after it.

    Warning: all draws are equal, so intervals ignore the uncertainty of imputed values; changes are biased towards
    zero. A cell without an observed value on that side of its group stays missing.
    """

    forward: bool = True

    uses_predictors = False
    proper = False
    draws = False
    follows_order = True
    reads_whole_tables = True

    @property
    def name(self) -> str:
        """`previous` or `next`."""
        return "previous" if self.forward else "next"

    def time(self, work: Work) -> float:
        """The time of one pass over the rows for each target."""
        return 0.3 + 5e-4 * work.rows * work.targets

    def penalty(self, work: Work) -> float:
        """x / (1 + x) for x = 2 |C| / |Attr|, as for a random value."""
        loss = 2 * work.targets / work.attributes
        return float(loss / (1 + loss))

    def impute(
        self,
        rows: Rows,
        targets: Sequence[Column],
        seed: int,  # noqa: ARG002
        progress: Progress | None = None,  # noqa: ARG002
        *,
        drawn: Collection[Column] = (),  # noqa: ARG002
        draw: int = 0,  # noqa: ARG002
    ) -> Mapping[Column, Array]:
        """Carried values; masked where there is none."""
        order, starts = in_order(rows, series_of(rows, self.name, targets))
        found: dict[Column, Array] = {}
        for target in targets:
            near = _nearest(order, starts, rows.training(target), 1 if self.forward else -1, itself=False)
            found[target] = _taken(rows.columns[target], near)
        return found


def _taken(cells: Cells, rows: Places) -> Array:
    """The values of the given rows for the missing cells; masked where there is no row."""
    near = rows[cells.missing]
    values = cells.values[np.maximum(near, 0)]
    return np.ma.masked_array(values, near < 0) if (near < 0).any() else values


@dataclass(frozen=True, slots=True)
class Linear:
    """Linear interpolation between the observed rows before and after; draws are Brownian bridges.

    1. Observed values of a group are points of a random walk in time; s^2 is the mean of (difference)^2 / (time
       between), over all groups. A draw takes s*^2 = S / chi-square(increments).
    2. The single value is interpolated between its neighbours; before the first and after the last, it is their value.
    3. A draw fills a gap row by row. Given the row before, drawn or observed, and the next observed one, the value is
       normal around the line between these, with variance s*^2 (a b) / (a + b) at times a and b from them.

    Warning: other columns are not used. Variation that is faster than the distance between rows is lost.
    """

    name = "linear"
    uses_predictors = False
    proper = True
    follows_order = True
    reads_whole_tables = True

    def time(self, work: Work) -> float:
        """The time of one pass over the rows for each target."""
        return 0.3 + 1e-3 * work.rows * work.targets

    def penalty(self, work: Work) -> float:
        """x / (1 + x) for x = |C| / |Attr|: a neighbour in time predicts at least as well as a mean of others."""
        loss = work.targets / work.attributes
        return float(loss / (1 + loss))

    def impute(
        self,
        rows: Rows,
        targets: Sequence[Column],
        seed: int,
        progress: Progress | None = None,  # noqa: ARG002
        *,
        drawn: Collection[Column] = (),
        draw: int = 0,
    ) -> Mapping[Column, Array]:
        """Interpolated values, or draws of bridges; masked in groups without an observed value.

        Raises:
            CannotImpute: a column is neither numeric nor a date or time.
        """
        own = series_of(rows, self.name, targets)
        order, _ = in_order(rows, own)
        called = labels(rows.columns)
        found: dict[Column, Array] = {}
        for target in targets:
            what = (seed, draw, called[target], "bridge") if target in drawn else None
            found[target] = _bridged(rows, target, own, order, what)
        return found


def _bridged(rows: Rows, target: Column, own: Series, order: Places, what: tuple[int | str, ...] | None) -> Array:
    cells, observed = rows.columns[target], rows.training(target)
    if cells.kind in (Kind.CATEGORY, Kind.BOOLEAN, Kind.OPAQUE):
        raise CannotImpute(
            f"{target} does not hold numbers, so its values cannot be interpolated: use previous or next"
        )
    times = measured(own.times)
    values = np.where(observed, cells.values.astype(np.float64), np.nan)
    noise = random.normal(rows.keys, *what) if what else np.zeros(len(values))
    spread = _spread(order, own.groups, times, values, what)
    for group in np.split(order, np.flatnonzero(np.diff(own.groups[order])) + 1):
        _fill(group, times, values, noise * spread)
    return in_own_type(values, cells)


def measured(times: Cells) -> Floats:
    """Times as numbers; codes by their numbers; NaN where missing."""
    values = np.array(times.levels)[times.values.astype(np.intp)] if times.levels else times.values
    return np.where(times.missing, np.nan, values.astype(np.float64))


def _spread(
    order: Places, groups: NDArray[np.int64], times: Floats, values: Floats, what: tuple[int | str, ...] | None
) -> float:
    """The standard deviation of the random walk in one unit of time, drawn from its posterior; 0 for single values."""
    if what is None:
        return 0.0
    known = order[~np.isnan(values[order])]
    apart = np.diff(times[known])
    mine = (np.diff(groups[known]) == 0) & (apart > 0)
    squares = np.diff(values[known])[mine] ** 2 / apart[mine]
    if not len(squares):
        return 0.0
    return float(np.sqrt(squares.sum() / random.generator(*what).chisquare(len(squares))))


def _fill(group: Places, times: Floats, values: Floats, noise: Floats) -> None:
    """Fills the missing values of one group in the order of rows; those before the first observed value backwards."""
    known = np.flatnonzero(~np.isnan(values[group]))
    if not len(known):
        return
    for at in range(known[0] - 1, -1, -1):
        _step(group[at], group[at + 1], None, times, values, noise)
    following = np.append(np.searchsorted(known, np.arange(len(group)), "right"), len(known))
    for at in range(known[0] + 1, len(group)):
        if np.isnan(values[group[at]]):
            ahead = following[at]
            after = group[known[ahead]] if ahead < len(known) else None
            _step(group[at], group[at - 1], after, times, values, noise)


def _step(row: np.intp, before: np.intp, after: np.intp | None, times: Floats, values: Floats, noise: Floats) -> None:
    a = abs(times[row] - times[before])
    if after is None:
        values[row] = values[before] + noise[row] * np.sqrt(a)
        return
    b = abs(times[after] - times[row])
    share = a / (a + b) if a + b > 0 else 0.0
    middle = values[before] + share * (values[after] - values[before])
    values[row] = middle + noise[row] * np.sqrt(a * b / (a + b) if a + b > 0 else 0.0)


def in_own_type(values: Floats, cells: Cells) -> Array:
    """The missing values in the column's own type; masked where there is no value."""
    found = values[cells.missing]
    missing = np.isnan(found)
    whole = np.where(missing, 0.0, found)
    kind = cells.values.dtype
    typed = (np.rint(whole) if kind.kind in "iu" else whole).astype(kind)
    return np.ma.masked_array(typed, missing) if missing.any() else typed
