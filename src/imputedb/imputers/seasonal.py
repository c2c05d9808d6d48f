"""Imputation of time series with seasons: a trend, and a level for each part of a season."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from imputedb.algebra.column import Column
from imputedb.errors import CannotImpute, QueryError
from imputedb.imputers import random
from imputedb.imputers.chained.regression import of_rows
from imputedb.imputers.order import labels
from imputedb.imputers.protocol import Progress, Work
from imputedb.imputers.rows import Array, Cells, Rows
from imputedb.imputers.series import Floats, Places, in_order, in_own_type, measured, series_of
from imputedb.statistics.table import Kind

_PERIODS = ((0.9 / 24, 1.1 / 24, 24), (0.9, 1.1, 7), (6.9, 7.1, 52), (27.9, 31.1, 12), (88.9, 92.1, 4))
"""Minimum and maximum days between rows, and the rows in a season: for hours, days, weeks, months, quarters."""


@dataclass(frozen=True, slots=True)
class Seasonal:
    """A straight trend and a level for each part of a season, by group; draws are those of Bayesian regression.

    1. The part of a season is the row's number in its group, counted in the usual step between rows, modulo the period.
    2. Each group's observed values are regressed on time and on indicators of the parts (Rubin 1987, page 167 for
       draws); with too few of them, their mean is used.

    Warning: deviations from trend and season are assumed to be independent between rows.

    Attributes:
        period: number of rows in a season; None for a day of hours, a week of days, a year of weeks, months or
            quarters.
    """

    period: int | None = None

    name = "seasonal"
    uses_predictors = False
    proper = True
    follows_order = True
    reads_whole_tables = True

    def __post_init__(self) -> None:
        if self.period is not None and (isinstance(self.period, bool) or not 2 <= self.period <= 366):
            raise QueryError(f"the period is {self.period!r}; a season has from 2 to 366 rows")

    def time(self, work: Work) -> float:
        """The time of one regression for each group and target."""
        return 0.5 + 1e-3 * work.rows * work.targets

    def penalty(self, work: Work) -> float:
        """x / (1 + x) for x = |C| / |Attr|, as for `linear`."""
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
        """Expected values, or draws; masked in groups without an observed value.

        Raises:
            CannotImpute: a column is not numeric, or the length of a season is unknown.
        """
        own = series_of(rows, self.name, targets)
        order, _ = in_order(rows, own)
        called = labels(rows.columns)
        found: dict[Column, Array] = {}
        for target in targets:
            cells = rows.columns[target]
            if cells.kind in (Kind.CATEGORY, Kind.BOOLEAN, Kind.OPAQUE):
                raise CannotImpute(f"{target} does not hold numbers, and has no season: use previous or next")
            values = np.where(rows.training(target), cells.values.astype(np.float64), np.nan)
            what = (seed, draw, called[target], "season") if target in drawn else None
            for number, group in enumerate(np.split(order, np.flatnonzero(np.diff(own.groups[order])) + 1)):
                self._fill(group, own.times, values, rows, what and (*what, number))
            found[target] = in_own_type(values, cells)
        return found

    def _fill(
        self, group: Places, times: Cells, values: Floats, rows: Rows, what: tuple[int | str, ...] | None
    ) -> None:
        known = ~np.isnan(values[group])
        if not known.any() or known.all():
            return
        x = self._design(measured(times)[group], times.kind)
        fit = of_rows(x[known], values[group][known])
        beta, sigma = (fit.beta, 0.0) if what is None else fit.drawn(random.generator(*what))
        noise = random.normal(rows.keys[group], *what) if what else 0.0
        values[group[~known]] = (x @ beta + sigma * noise)[~known]

    def _design(self, when: Floats, kind: Kind) -> Floats:
        step = float(np.median(np.diff(when))) if len(when) > 1 else 1.0
        period = self.period or _period(step, kind)
        part = np.rint((when - when[0]) / (step or 1.0)).astype(np.int64) % period
        trend = (when - when.mean()) / (when.std() or 1.0)
        return np.column_stack([np.ones(len(when)), trend, *(part == one for one in np.unique(part)[1:])]).astype(float)


def _period(step: float, kind: Kind) -> int:
    days = {Kind.DATE: step, Kind.TIMESTAMP: step / 86_400e6}.get(kind)
    for low, high, rows in _PERIODS:
        if days is not None and low <= days <= high:
            return rows
    raise CannotImpute(
        "nothing says how many rows make a season: order by dates or timestamps an hour, a day, a week, a month or a "
        "quarter apart, or hand in Seasonal(period=...)"
    )
