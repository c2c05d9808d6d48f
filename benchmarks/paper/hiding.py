"""Values hidden on purpose: by chance, by another column, or by what they are."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtri

Mechanism = Literal["MCAR", "MAR", "MNAR"]
MECHANISMS: tuple[Mechanism, ...] = ("MCAR", "MAR", "MNAR")
STRENGTH = 1.5
"""By how much the log odds of being hidden grow with a standard deviation of what decides it."""

Values = NDArray[Any]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def scores(values: Values) -> Floats:
    """Normal scores of the ranks, ties sharing theirs: unit-free, and no outlier decides everything."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts + 1) / 2
    return np.asarray(ndtri((middle[where] + 0.5) / len(values)), np.float64)


def chances(score: Floats, rate: float, strength: float = STRENGTH) -> Floats:
    """The chance of each value to be hidden: logistic in its score, `rate` on average."""
    from scipy.optimize import brentq

    def off(shift: float) -> float:
        return float(expit(shift + strength * score).mean()) - rate

    return np.asarray(expit(brentq(off, -40.0, 40.0) + strength * score), np.float64)


def hidden(values: Values, driver: Values, mechanism: Mechanism, rate: float, rng: np.random.Generator) -> Flags:
    """Which values are hidden.

    `MCAR`: each with the same chance. `MAR`: the chance grows with the driver, a column that stays complete. `MNAR`: it
    grows with the value itself.
    """
    deciding: dict[Mechanism, Callable[[], Floats]] = {
        "MCAR": lambda: np.full(len(values), rate),
        "MAR": lambda: chances(scores(driver), rate),
        "MNAR": lambda: chances(scores(values), rate),
    }
    return np.asarray(rng.random(len(values)) < deciding[mechanism](), np.bool_)


def best_driver(target: Values, candidates: dict[str, Values]) -> str | None:
    """The candidate whose ranks go most with the target's; None where none varies."""
    aim = scores(target)
    found = {name: abs(_correlation(aim, scores(values))) for name, values in candidates.items()}
    return max(found, key=lambda name: found[name], default=None)


def _correlation(one: Floats, other: Floats) -> float:
    spread = float(np.std(one) * np.std(other))
    return float(np.mean((one - one.mean()) * (other - other.mean()))) / spread if spread else 0.0
