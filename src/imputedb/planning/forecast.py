"""Forecasts of a statement's time: plan estimates, corrected by statements that have run before."""

import math
from collections.abc import Hashable
from dataclasses import dataclass, field

from imputedb.planning import cost

PRIOR, OWN_PRIOR = 1.0, 0.1
"""Runs that an average of few is drawn back by, to that of a wider kind; and one of a statement's own runs."""
FADING = 0.8
"""What a run counts for once another has come."""
SPREAD = 0.35
"""Standard deviation of the logarithm of actual over predicted times, before anything has run."""
FARTHEST = 1.5
"""The largest distance that counts: a machine that was asleep must not make all plans look slow."""


@dataclass(frozen=True, slots=True)
class ForecastWork:
    """A statement whose time is to be forecast.

    Attributes:
        estimate: estimated milliseconds of its plans, by the constants of `planning.cost`.
        kind: class of statements with similar errors: imputer, draws or not, first run or not.
        key: cache key of the statement and the rows that it reads.
        leaves: cache keys of the values that it leaves behind.
    """

    estimate: float
    kind: Hashable
    key: Hashable = None
    leaves: tuple[Hashable, ...] = ()


@dataclass(slots=True)
class _Average:
    """An exponentially weighted mean of log ratios of actual to estimated time, and of their squared deviations."""

    weight: float = 0.0
    total: float = 0.0
    count: float = 0.0
    squares: float = 0.0

    def add(self, value: float, expected: float) -> None:
        if self.weight:  # the first value has no deviation
            self.count = FADING * self.count + 1
            self.squares = FADING * self.squares + min(abs(value - expected), FARTHEST) ** 2
        self.weight = FADING * self.weight + 1
        self.total = FADING * self.total + value

    def mean(self, wider: float, prior: float = PRIOR) -> float:
        """The mean, shrunk towards that of the wider class."""
        return (prior * wider + self.total) / (prior + self.weight)

    def spread(self, wider: float) -> float:
        """The standard deviation of single runs."""
        return math.sqrt((PRIOR * wider**2 + self.squares) / (PRIOR + self.count))


@dataclass(slots=True)
class Forecast:
    """Forecasts of statement times on this machine, learnt from runs.

    Log ratios of actual to estimated times are averaged over all statements, over those of a kind, and over the runs of
    one statement. Each average is shrunk towards the wider one, and old runs lose weight. An unknown statement is
    forecast as its kind, and an unknown kind as all statements.
    """

    _all: _Average = field(default_factory=_Average)
    _kinds: dict[Hashable, _Average] = field(default_factory=dict)
    _statements: dict[Hashable, _Average] = field(default_factory=dict)

    def milliseconds(self, ahead: ForecastWork) -> float:
        """The expected time."""
        return ahead.estimate * math.exp(self._ratio(ahead))

    def upper(self, ahead: ForecastWork) -> float:
        """An upper limit of the time: one standard deviation above the expected one."""
        spread = self._all.spread(SPREAD)
        spread = self._kinds.get(ahead.kind, _Average()).spread(spread)
        known = self._statements.get(ahead.key)
        return self.milliseconds(ahead) * math.exp(spread if known is None else known.spread(spread))

    def ran(self, ahead: ForecastWork, milliseconds: float) -> None:
        """Learns from a statement that has finished, or was cancelled."""
        seen, expected = math.log(max(milliseconds, 1e-3) / ahead.estimate), self._ratio(ahead)
        self._all.add(seen, expected)
        self._kinds.setdefault(ahead.kind, _Average()).add(seen, expected)
        known = self._statements.pop(ahead.key, None) or _Average()  # the most recent one is last
        known.add(seen, expected)
        self._statements[ahead.key] = known
        if len(self._statements) > _REMEMBERED:
            del self._statements[next(iter(self._statements))]

    def has_left(self, ahead: ForecastWork) -> None:
        """Records that a statement has left values in the cache."""
        for key in ahead.leaves:
            self._statements.setdefault(key, _Average())

    def has_run(self, key: Hashable) -> bool:
        """Whether a statement has run before, or its values are cached."""
        return key in self._statements

    def _ratio(self, ahead: ForecastWork) -> float:
        found = self._kinds.get(ahead.kind, _Average()).mean(self._all.mean(0.0))
        known = self._statements.get(ahead.key)
        return found if known is None else known.mean(found, OWN_PRIOR)


_REMEMBERED = 1024


def of_draws(estimate: float, draws: int) -> float:
    """Estimated milliseconds of a statement in several draws, from those with best values (benchmarks/budgets.py)."""
    return estimate if draws == 1 else estimate * (cost.SHARED + (1 - cost.SHARED) * draws)
