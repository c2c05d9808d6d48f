"""Convergence of a run's chains, and the number of cycles that they need."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from imputedb.imputers.chained.convergence import Cube, Matrix, basic_rhat, ess_bulk, rhat

PILOT = 5
"""Number of draws by whose chains the number of cycles of all draws is chosen."""

TRIED_CELLS = 4_000_000
"""Missing cells of one draw above which the number of cycles is not tried out, since that would take too long."""

BOUND = 1.1
"""R-hat above which chains count as not converged."""

CHANCE = 0.01
"""Probability that R-hat of converged chains exceeds the bound on its chance variation."""

SPLIT = 8
"""Number of iterations from which on chains are split into halves."""

MILD = 0.3
"""Autocorrelation of successive iterations that converged chains may have."""

HELPS = 0.75
"""Doubling the cycles helps if the excess of R-hat over 1 falls below this share; converging chains halve it."""

NEGLIGIBLE = 0.1
"""Share of a statistic's standard error below which its variation between draws is negligible."""

FIXED = 1e-9
"""Lower bound of 1 - r^2 of a correlation; smaller values are rounding errors."""


@dataclass(frozen=True, slots=True)
class Chains:
    """Convergence of a run's chains, by the statistic of the imputed columns that has converged least.

    Statistics are the means, variances and pairwise correlations of the completed columns.

    Attributes:
        rhat: the largest R-hat, rank-normalised, split and folded (Vehtari et al. 2021); with fewer than eight
            iterations neither split nor folded. Infinite if chains are constant at different values.
        statistic: the statistic of the largest R-hat, such as `mean of x`.
        ess: the smallest effective sample size of all statistics; NaN with fewer than eight iterations.
        cycles: number of cycles of each chain, after its start.
        draws: number of chains.
        chance: the 99 % quantile of the largest R-hat of as many chains of independent values.
        allowed: the same quantile for chains with autocorrelation `MILD`, which converged chains may have.
    """

    rhat: float
    statistic: str
    ess: float
    cycles: int
    draws: int
    chance: float
    allowed: float

    @property
    def unsettled(self) -> bool:
        """Whether R-hat exceeds its chance variation, so that more cycles may help."""
        return self.rhat > max(BOUND, self.chance)

    @property
    def doubtful(self) -> bool:
        """Whether the chains have not converged, beyond chance and a mild autocorrelation."""
        return self.rhat > max(BOUND, self.allowed)

    @property
    def warning(self) -> str:
        """The warning for readers of the answer."""
        return (
            f"the chains have not converged: R-hat of the {self.statistic} is {self.rhat:.2f} after {self.cycles} "
            f"cycles of {self.draws} draws (above {BOUND:g}): take more cycles, or leave out a column that it nearly "
            "follows from"
        )


def worst(chains: Sequence[Chains]) -> Chains | None:
    """The chains with the largest R-hat; None if there are none."""
    return max(chains, key=lambda one: one.rhat, default=None)


@dataclass(frozen=True, eq=False)
class Movement:
    """The moments of some draws after each cycle.

    Attributes:
        columns: names of the w watched columns.
        moments: (m, cycles, w + 1, w + 1) mean products of ones and the columns, by draw and cycle.
        rows: number of rows that these are means over.
        stuck: convergence of the first draws with the largest number of cycles tried, if that was not enough.
    """

    columns: Sequence[str]
    moments: Cube
    rows: int
    stuck: Chains | None = None

    @cached_property
    def chains(self) -> Chains | None:
        """The convergence; None with fewer than two draws or iterations, or where nothing varies."""
        if self.stuck is not None:
            return self.stuck
        m, cycles = self.moments.shape[:2]
        if m < 2 or cycles < 2 or not self.columns:
            return None
        names, values = _statistics(self.columns, self.moments, self.rows)
        if not names:
            return None
        rhats = _rhats(values)
        worst = int(np.nanargmax(rhats))
        ess = [ess_bulk(one) for one in np.moveaxis(values, 2, 0)] if cycles >= SPLIT else [np.nan]
        least = float(np.nanmin(ess)) if not np.isnan(ess).all() else float("nan")
        return Chains(
            float(rhats[worst]),
            names[worst],
            least,
            cycles - 1,
            m,
            _chance(m, cycles, len(names), 0.0),
            _chance(m, cycles, len(names), MILD),
        )


@dataclass(frozen=True, slots=True)
class Movements:
    """The movements of draws, collected by draw and by part of the request; all draws have the same order of chains.

    Attributes:
        movements: by draw and part, one for each chain; None for a chain without cycles.
    """

    movements: dict[int, dict[int, list[Movement | None]]] = field(default_factory=dict)

    def add(self, part: int, draw: int, movement: Movement | None) -> None:
        """Records the movement of one more chain of a draw's part."""
        self.movements.setdefault(draw, {}).setdefault(part, []).append(movement)

    def of(self, draw: int) -> list[Movement | None]:
        """The movements of the chains of one draw."""
        parts = self.movements.get(draw, {})
        return [one for part in sorted(parts) for one in parts[part]]

    @property
    def chains(self) -> list[Chains]:
        """The convergence of each chain over all draws."""
        return chains_of([self.of(draw) for draw in sorted(self.movements)])


def chains_of(draws: Sequence[Sequence[Movement | None]]) -> list[Chains]:
    """The convergence of each chain over some draws, which have equally many chains."""
    found = (_together(one for one in chain if one is not None) for chain in zip(*draws, strict=True))
    return [one.chains for one in found if one is not None and one.chains is not None]


def _together(movements: Iterable[Movement]) -> Movement | None:
    """The movement of several draws of one chain; a draw that stopped early keeps its last moments."""
    some = list(movements)
    if not some or some[0].stuck is not None:
        return some[0] if some else None
    moments = [one.moments[0] for one in some]
    most = max(map(len, moments))
    level = [np.concatenate([one, np.repeat(one[-1:], most - len(one), axis=0)]) for one in moments]
    return Movement(some[0].columns, np.stack(level), some[0].rows)


def _statistics(columns: Sequence[str], moments: Cube, rows: int) -> tuple[list[str], Cube]:
    """The names, and (cycles, m, S) values, of the statistics whose variation between draws is not negligible."""
    means = moments[:, :, 0, 1:]
    second = moments[:, :, 1:, 1:] - means[..., :, None] * means[..., None, :]
    variances = np.diagonal(second, axis1=2, axis2=3)
    scale = np.sqrt(np.maximum(variances, 0))
    found: list[tuple[str, Matrix, float]] = []
    for j, name in enumerate(columns):
        size = float(scale[..., j].mean())
        found.append((f"mean of {name}", means[..., j], size))
        found.append((f"variance of {name}", variances[..., j], np.sqrt(2) * size**2))
        for k in range(j):
            with np.errstate(divide="ignore", invalid="ignore"):
                r = second[..., j, k] / (scale[..., j] * scale[..., k])
            found.append((f"correlation of {columns[k]} and {name}", r, max(1 - float(np.mean(r**2)), FIXED)))
    least = NEGLIGIBLE / np.sqrt(max(rows, 1))
    kept = [(name, one) for name, one, size in found if np.isfinite(one).all() and one.std() > least * size]
    if not kept:
        return [], np.zeros((0, 0, 0))
    return [name for name, _ in kept], np.stack([one.T for _, one in kept], axis=2)


def _rhats(values: Cube) -> Matrix:
    """(S,) R-hat of (cycles, m, S) values; the classical one (Gelman & Rubin 1992) with too few iterations to split."""
    if len(values) < SPLIT:
        return np.array([basic_rhat(one) for one in np.moveaxis(values, 2, 0)])
    return np.array([rhat(one) for one in np.moveaxis(values, 2, 0)])


def _chance(m: int, cycles: int, statistics: int, memory: float) -> float:
    """A bound on the largest R-hat by chance.

    B / W has an F distribution if values are independent. With autocorrelation `memory` the variance of means of n is
    tau = (1 + memory) / (1 - memory) times as large, and the variance within n is 1 - tau / n as large.
    """
    from scipy import special

    chains, n, tests = (2 * m, cycles // 2, 2 * statistics) if cycles >= SPLIT else (m, cycles, statistics)
    ratio = float(special.fdtri(chains - 1, chains * (n - 1), (1 - CHANCE) ** (1 / tests)))
    tau = min((1 + memory) / (1 - memory), 0.5 * n) if memory else 1.0
    ratio *= tau / (1 - tau / n) if memory else 1.0
    return float(np.sqrt((ratio + n - 1) / n))


@dataclass(frozen=True, slots=True)
class Settled:
    """The number of cycles of all draws.

    Attributes:
        cycles: the number.
        stuck: convergence of the first draws with the largest number of cycles tried, if that was not enough.
    """

    cycles: int
    stuck: Chains | None = None


def settled(base: int, most: int, moved: Callable[[int], Chains | None], sure: int = 0) -> Settled:
    """The number of cycles that is enough: it is doubled until the chains have converged.

    If doubling it twice in a row does not help, it is the last number that did.

    Args:
        base: number of cycles at first.
        most: largest number of cycles.
        moved: function that gives the convergence of the first draws after a number of cycles.
        sure: number of cycles up to which R-hat must be below `BOUND`, even if chance alone might make it larger.
    """

    def forgotten(chains: Chains | None, cycles: int) -> bool:
        return chains is None or chains.rhat <= BOUND or (2 * cycles > sure and not chains.unsettled)

    found, helped, tried, in_vain = moved(base), base, base, 0
    last = found
    while last is not None and not forgotten(last, tried) and in_vain < 2 and 2 * tried <= most:
        tried *= 2
        last = moved(tried)
        if forgotten(last, tried):
            return Settled(tried)
        assert last is not None
        if found is None or last.rhat - 1 < HELPS * (found.rhat - 1):
            found, helped, in_vain = last, tried, 0
        else:
            in_vain += 1
    return Settled(helped, last if last is not None and last.unsettled else None)
