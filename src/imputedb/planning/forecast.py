"""How long a statement will take: what its plans are estimated to, corrected by the statements that have run before."""

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
class Ahead:
    """A statement that may be run.

    Attributes:
        estimate: milliseconds of its plans, by the constants of `planning.cost`.
        kind: what runs alike: what fills in, whether it is drawn, whether it is read for the first time.
        key: what tells it from all others, and from itself over other rows.
        leaves: what tells the values that are kept once it has run.
    """

    estimate: float
    kind: Hashable
    key: Hashable = None
    leaves: tuple[Hashable, ...] = ()


@dataclass(slots=True)
class _Average:
    """A fading average of the logarithms of actual over estimated times, and of their squared distances to it."""

    weight: float = 0.0
    total: float = 0.0
    told: float = 0.0
    squares: float = 0.0

    def add(self, value: float, expected: float) -> None:
        if self.weight:  # the first one tells where it is, not how far others are from it
            self.told = FADING * self.told + 1
            self.squares = FADING * self.squares + min(abs(value - expected), FARTHEST) ** 2
        self.weight = FADING * self.weight + 1
        self.total = FADING * self.total + value

    def mean(self, wider: float, prior: float = PRIOR) -> float:
        """The average, drawn back to that of a wider kind."""
        return (prior * wider + self.total) / (prior + self.weight)

    def spread(self, wider: float) -> float:
        """How far single runs were from what was expected of them."""
        return math.sqrt((PRIOR * wider**2 + self.squares) / (PRIOR + self.told))


@dataclass(slots=True)
class Forecast:
    """Milliseconds that statements take on this machine, learnt as they run.

    The logarithm of actual over estimated times is averaged over all statements, over those of a kind, and over the
    runs of one statement; each average is drawn back to the wider one, and fades. A statement of which
    nothing is known is forecast as its kind, and a kind as all.
    """

    _all: _Average = field(default_factory=_Average)
    _kinds: dict[Hashable, _Average] = field(default_factory=dict)
    _statements: dict[Hashable, _Average] = field(default_factory=dict)

    def milliseconds(self, ahead: Ahead) -> float:
        """The time that is likeliest."""
        return ahead.estimate * math.exp(self._ratio(ahead))

    def upper(self, ahead: Ahead) -> float:
        """The time that it is likely to stay below: one standard deviation above."""
        spread = self._all.spread(SPREAD)
        spread = self._kinds.get(ahead.kind, _Average()).spread(spread)
        known = self._statements.get(ahead.key)
        return self.milliseconds(ahead) * math.exp(spread if known is None else known.spread(spread))

    def ran(self, ahead: Ahead, milliseconds: float) -> None:
        """Learns from a statement that has run, or was ended."""
        seen, expected = math.log(max(milliseconds, 1e-3) / ahead.estimate), self._ratio(ahead)
        self._all.add(seen, expected)
        self._kinds.setdefault(ahead.kind, _Average()).add(seen, expected)
        known = self._statements.pop(ahead.key, None) or _Average()  # the last one is the newest
        known.add(seen, expected)
        self._statements[ahead.key] = known
        if len(self._statements) > _REMEMBERED:
            del self._statements[next(iter(self._statements))]

    def has_left(self, ahead: Ahead) -> None:
        """Takes note of the values that a statement has made, which are kept from now on."""
        for key in ahead.leaves:
            self._statements.setdefault(key, _Average())

    def has_run(self, key: Hashable) -> bool:
        """Whether a statement has run before, or values are kept."""
        return key in self._statements

    def _ratio(self, ahead: Ahead) -> float:
        found = self._kinds.get(ahead.kind, _Average()).mean(self._all.mean(0.0))
        known = self._statements.get(ahead.key)
        return found if known is None else known.mean(found, OWN_PRIOR)


_REMEMBERED = 1024


def of_draws(estimate: float, draws: int) -> float:
    """Milliseconds of a statement in several draws, given those of its single best values (benchmarks/budgets.py)."""
    return estimate if draws == 1 else estimate * (cost.SHARED + (1 - cost.SHARED) * draws)
