"""How the chains of a run moved, and how many cycles are enough."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from imputedb.imputers.chained.convergence import Cube, Matrix, basic_rhat, ess_bulk, rhat

PILOT = 5
"""Draws whose chains say how many cycles all draws need."""

TRIED_CELLS = 4_000_000
"""Missing cells of one draw, beyond which as many cycles are run as come to mind: trying would take too long."""

BOUND = 1.1
"""R-hat above which chains are taken not to have forgotten their start."""

CHANCE = 0.01
"""How often all statistics of chains that have converged stay below the bound that is put on what chance does."""

SPLIT = 8
"""Iterations from which on chains are split into halves."""

MILD = 0.3
"""Correlation of successive iterations that good chains may have."""

HELPS = 0.75
"""Twice as many cycles help if they leave less than this of what R-hat is above 1; chains that forget leave a half."""

NEGLIGIBLE = 0.1
"""Draws that move a statistic by less than this share of its standard error of sampling do not matter."""

FIXED = 1e-9
"""What a correlation's distance from one is taken for at least: less is rounding."""


@dataclass(frozen=True, slots=True)
class Chains:
    """How the chains of a run moved: the statistic of the imputed columns that has forgotten its start least.

    Statistics are the means, variances and pairwise correlations of the columns as completed.

    Attributes:
        rhat: the largest, rank-normalised, split and folded (Vehtari et al. 2021); with fewer than eight iterations
            neither split nor folded. Infinite where chains stand still apart.
        statistic: of which, such as `mean of x`.
        ess: the smallest effective sample size of all statistics; NaN with fewer than eight iterations.
        cycles: of each chain, after its start.
        draws: chains.
        chance: what the largest R-hat of as many chains of independent numbers stays below in 99 of 100 runs.
        allowed: the same of chains whose successive numbers correlate by `MILD`, as those of good chains may.
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
        """Whether more cycles may tell whether chains forget their start."""
        return self.rhat > max(BOUND, self.chance)

    @property
    def doubtful(self) -> bool:
        """Whether chains have not forgotten their start, by more than chance and a mild memory do."""
        return self.rhat > max(BOUND, self.allowed)

    @property
    def warning(self) -> str:
        """What a reader of the answer must know."""
        return (
            f"the chains have not converged: R-hat of the {self.statistic} is {self.rhat:.2f} after {self.cycles} "
            f"cycles of {self.draws} draws (above {BOUND:g}): take more cycles, or leave out a column that it nearly "
            "follows from"
        )


def worst(chains: Sequence[Chains]) -> Chains | None:
    """Those that have forgotten their start least; None of none."""
    return max(chains, key=lambda one: one.rhat, default=None)


@dataclass(frozen=True, eq=False)
class Movement:
    """How some draws moved.

    Attributes:
        columns: w names of columns.
        moments: (m, cycles, w + 1, w + 1) of each draw after each cycle the mean products of ones and the columns.
        rows: that they are means over.
        stuck: how the first draws moved in the most cycles that were tried, where these were not enough.
    """

    columns: Sequence[str]
    moments: Cube
    rows: int
    stuck: Chains | None = None

    @cached_property
    def chains(self) -> Chains | None:
        """What they say; nothing of fewer than two draws or iterations, or where nothing varies."""
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
    """How draws moved, as they are made: each by the chains of its parts, in an order that all draws share.

    Attributes:
        movements: by draw and part, one a chain; None of one that had nothing to forget.
    """

    movements: dict[int, dict[int, list[Movement | None]]] = field(default_factory=dict)

    def add(self, part: int, draw: int, movement: Movement | None) -> None:
        """Notes down how one more chain of a part of a draw moved."""
        self.movements.setdefault(draw, {}).setdefault(part, []).append(movement)

    def of(self, draw: int) -> list[Movement | None]:
        """How the chains of one draw moved."""
        parts = self.movements.get(draw, {})
        return [one for part in sorted(parts) for one in parts[part]]

    @property
    def chains(self) -> list[Chains]:
        """What the chains of all draws say together."""
        return chains_of([self.of(draw) for draw in sorted(self.movements)])


def chains_of(draws: Sequence[Sequence[Movement | None]]) -> list[Chains]:
    """The convergence of each chain over some draws, which have as many chains each."""
    found = (_together(one for one in chain if one is not None) for chain in zip(*draws, strict=True))
    return [one.chains for one in found if one is not None and one.chains is not None]


def _together(movements: Iterable[Movement]) -> Movement | None:
    """Several draws of one chain; those that stopped since nothing changed stay as they were."""
    some = list(movements)
    if not some or some[0].stuck is not None:
        return some[0] if some else None
    moments = [one.moments[0] for one in some]
    most = max(map(len, moments))
    level = [np.concatenate([one, np.repeat(one[-1:], most - len(one), axis=0)]) for one in moments]
    return Movement(some[0].columns, np.stack(level), some[0].rows)


def _statistics(columns: Sequence[str], moments: Cube, rows: int) -> tuple[list[str], Cube]:
    """Names, and (cycles, m, S) values, of the statistics that draws move by more than next to nothing."""
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
    """(S,) R-hat of (cycles, m, S) values; classical (Gelman & Rubin 1992) where halves would have few iterations."""
    if len(values) < SPLIT:
        return np.array([basic_rhat(one) for one in np.moveaxis(values, 2, 0)])
    return np.array([rhat(one) for one in np.moveaxis(values, 2, 0)])


def _chance(m: int, cycles: int, statistics: int, memory: float) -> float:
    """A bound on the largest R-hat by chance.

    B / W is F-distributed where numbers are independent; where successive ones correlate by `memory`, means of n vary
    tau = (1 + memory) / (1 - memory) times as much, and variances within n are 1 - tau / n as large.
    """
    from scipy import special

    chains, n, tests = (2 * m, cycles // 2, 2 * statistics) if cycles >= SPLIT else (m, cycles, statistics)
    ratio = float(special.fdtri(chains - 1, chains * (n - 1), (1 - CHANCE) ** (1 / tests)))
    tau = min((1 + memory) / (1 - memory), 0.5 * n) if memory else 1.0
    ratio *= tau / (1 - tau / n) if memory else 1.0
    return float(np.sqrt((ratio + n - 1) / n))


@dataclass(frozen=True, slots=True)
class Settled:
    """How many cycles draws take.

    Attributes:
        cycles: so many.
        stuck: how the first draws moved in the most that were tried, where these were not enough.
    """

    cycles: int
    stuck: Chains | None = None


def settled(base: int, most: int, moved: Callable[[int], Chains | None], sure: int = 0) -> Settled:
    """How many cycles are enough: twice as many, time after time, while chains have not forgotten their start.

    Where that does not help, and doing so again does not either, as many as did.

    Args:
        base: cycles at first.
        most: at most.
        moved: how the first draws moved in so many cycles.
        sure: cycles up to which R-hat has to be small, and not only no larger than chance makes it.
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
