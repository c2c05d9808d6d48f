"""Values within what a policy permits: draws of the distribution that is left when all others are ruled out."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.errors import CannotImpute
from imputedb.imputers.order import labels
from imputedb.imputers.protocol import EVERY, Array, Cells, Rows
from imputedb.imputers.random import mixed, uniform
from imputedb.statistics.measure import ends
from imputedb.statistics.policy import Bound, Policy
from imputedb.statistics.policy import number as as_number
from imputedb.statistics.table import Kind

COPIES = (4, 16, 64)
"""Further draws of a row that has one which is ruled out, time after time."""

MOST = 200_000
"""Rows drawn again at a time."""

Flags = NDArray[np.bool_]
Places = NDArray[np.intp]
Draw = Callable[[Rows, Sequence[int]], Iterator[Mapping[Column, Array]]]
"""The draws of some numbers of any rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """What may be filled in of one column.

    Attributes:
        name: of the column, for those who read of it.
        cells: all of it.
        low: the least number; -infinity for none.
        high: the largest.
        known: sorted, the only numbers; None for all.
        usable: by category whether it may; None of numbers.
    """

    name: str
    cells: Cells
    low: float
    high: float
    known: NDArray[np.float64] | None = None
    usable: Flags | None = None

    def permits(self, values: Array) -> Flags:
        """Which values may be filled in; of numbers that are rounded to known ones, those that are near enough."""
        if self.usable is not None:
            found: Flags = self.usable[values.astype(np.intp)]
            return found
        numbers = values.astype(np.float64)
        return np.asarray((numbers >= self.low) & (numbers <= self.high))

    def rounded(self, values: Array) -> Array:
        """The nearest of the known numbers."""
        if self.known is None:
            return values
        at = np.clip(np.searchsorted(self.known, values.astype(np.float64)), 1, max(1, len(self.known) - 1))
        if len(self.known) == 1:
            nearest = np.full(len(values), self.known[0])
        else:
            below, above = self.known[at - 1], self.known[at]
            numbers = values.astype(np.float64)
            nearest = np.where(numbers - below <= above - numbers, below, above)
        typed = nearest.astype(values.dtype)
        return np.ma.masked_array(typed, values.mask) if isinstance(values, np.ma.MaskedArray) else typed

    def nearest(self, values: Array) -> Array:
        """Values, those that are ruled out replaced by the nearest number or the most frequent category."""
        good = self.permits(values)
        if self.usable is None:
            return self.rounded(np.where(good, values, np.clip(values, self.low, self.high)).astype(values.dtype))
        levels, counts = np.unique(self.observed, return_counts=True)
        return np.where(good, values, levels[counts.argmax()]).astype(values.dtype)

    @property
    def observed(self) -> Array:
        """The observed values that may be filled in."""
        values = self.cells.values[~self.cells.missing]
        return values[self.permits(values)]


def bounds(name: str, policy: Policy, cells: Cells) -> Bounds:
    """What a policy permits of a column.

    Raises:
        CannotImpute: none of the categories that it permits is observed.
    """
    if cells.kind in (Kind.CATEGORY, Kind.BOOLEAN):
        levels = cells.levels if cells.kind is Kind.CATEGORY else ("false", "true")
        usable = np.array(_usable(levels, policy), bool)
        seen = cells.values[~cells.missing].astype(np.intp)
        if not usable[seen].any():
            wanted = f"of the values {', '.join(policy.values)}" if policy.values else "in its range"
            numeric = (
                ", or say AS NUMERIC to take the nearest"
                if cells.levels and not isinstance(cells.levels[0], str)
                else ""
            )
            raise CannotImpute(f"{name}: none {wanted} is observed: allow others{numeric}")
        return Bounds(name, cells, -np.inf, np.inf, usable=usable)
    low = -np.inf if policy.low is None else as_number(policy.low, cells.kind)
    high = np.inf if policy.high is None else as_number(policy.high, cells.kind)
    if np.issubdtype(cells.values.dtype, np.integer):
        low, high = np.ceil(low), np.floor(high)
    if not policy.values:
        return Bounds(name, cells, low, high)
    known = np.unique([as_number(value, cells.kind) for value in policy.values])
    known = known[(known >= low) & (known <= high)]
    if not len(known):
        raise CannotImpute(f"{name}: none of the values {', '.join(policy.values)} is in its range")
    gaps = np.diff(known) / 2 if len(known) > 1 else np.array([np.inf])
    return Bounds(name, cells, known[0] - gaps[0], known[-1] + gaps[-1], known=known)


def _usable(levels: Sequence[object], policy: Policy) -> list[bool]:
    """Which categories are among the values of a policy and in its range: of their numbers, or of their order."""
    if levels and not isinstance(levels[0], str):
        numbers = [float(str(level)) for level in levels]
        lows, highs = (_numbers(end) if end is not None else () for end in (policy.low, policy.high))
        listed = [one for value in policy.values for one in _numbers(value)]
        return [
            (not policy.values or any(_is_near(level, one) for one in listed))
            and (not lows or any(low <= number for low in lows))
            and (not highs or any(number <= high for high in highs))
            for level, number in zip(levels, numbers, strict=True)
        ]
    first, last = ends(tuple(levels), policy)
    return [
        (not policy.values or level in policy.values) and first <= place <= last for place, level in enumerate(levels)
    ]


def _numbers(bound: Bound) -> tuple[Decimal | float, ...]:
    """What a bound may be as a number: itself, or of the text of a moment its days or its microseconds since 1970."""
    try:
        return (Decimal(str(bound)),)
    except InvalidOperation:
        return as_number(bound, Kind.DATE), as_number(bound, Kind.TIMESTAMP)


def _is_near(level: object, value: Decimal | float) -> bool:
    """Whether a level is a value: whole numbers exactly, others but for what a FLOAT rounds."""
    if isinstance(level, int):
        return level == value
    return math.isclose(float(str(level)), value, rel_tol=1e-6)


def within(
    rows: Rows,
    numbers: Sequence[int],
    found: Sequence[Mapping[Column, Array]],
    draw: Draw,
    limits: Mapping[Column, Bounds],
    said: list[str],
) -> list[Mapping[Column, Array]]:
    """Draws of rows given that all they hold is permitted, by rejection.

    1. A row that has something in a draw which is ruled out is drawn again, several times over, by the models of that
       draw: keys of random numbers differ, parameters do not. It takes the first draw that is permitted, as a whole,
       so that its columns stay in step.
    2. Cells for which none was: of imputers that give observed values one of the nearest that are permitted; else a
       normal distribution with the mean and deviation of what was drawn, truncated.

    Args:
        rows: n of them.
        numbers: of the draws.
        found: the draws as they are.
        draw: draws again.
        limits: by column.
        said: sentences are added to it.
    """
    kept = [dict(one) for one in found]
    tried: list[dict[Column, tuple[Places, Array]]] = [{} for _ in numbers]
    for copies in COPIES:
        outside = [_outside(rows, number, one, limits) for number, one in zip(numbers, kept, strict=True)]
        total = sum(len(places) for places in outside)
        if not total:
            break
        again = max(1, min(copies, MOST // total))
        more, starts = _copied(rows, numbers, outside, again)
        for turn, one in enumerate(draw(more, numbers)):
            if len(outside[turn]):
                _taken(rows, more, starts[turn], outside[turn], again, one, kept[turn], tried[turn], limits)
    else:
        _forced(rows, numbers, kept, tried, limits, said)
    return [{c: limits[c].rounded(v) if c in limits else v for c, v in one.items()} for one in kept]


def _outside(rows: Rows, number: int, values: Mapping[Column, Array], limits: Mapping[Column, Bounds]) -> Places:
    """The rows of a draw that hold what is ruled out."""
    bad = np.zeros(len(rows.keys), bool)
    for column, limit in limits.items():
        gone = np.flatnonzero(rows.columns[column].missing)
        bad[gone] |= ~limit.permits(np.ma.getdata(values[column])) & ~np.ma.getmaskarray(values[column])
    if rows.draws is not None:
        bad &= (rows.draws == EVERY) | (rows.draws == number)
    return np.flatnonzero(bad)


def _copied(rows: Rows, numbers: Sequence[int], outside: Sequence[Places], copies: int) -> tuple[Rows, list[int]]:
    """The rows that are learnt from, and behind them copies of others, of one draw each; where those begin."""
    taught = np.arange(len(rows.keys)) if rows.learn is None else np.flatnonzero(rows.learn)
    repeated = [np.repeat(places, copies) for places in outside]
    places = np.concatenate([taught, *repeated])
    some = rows.at(places)
    turn = np.concatenate([np.zeros(len(taught), np.uint64), *(_turns(len(part), copies) for part in outside)])
    keys = np.where(turn > 0, mixed(mixed(some.keys) ^ turn), some.keys)
    draws = [np.full(len(part), number) for part, number in zip(repeated, numbers, strict=True)]
    learn = np.arange(len(places)) < len(taught)
    starts = (len(taught) + np.cumsum([0, *map(len, repeated[:-1])])).tolist()
    return Rows(some.columns, keys, learn, np.concatenate([np.full(len(taught), EVERY), *draws])), starts


def _turns(count: int, copies: int) -> NDArray[np.uint64]:
    return np.tile(np.arange(1, copies + 1, dtype=np.uint64), count)


def _taken(
    rows: Rows,
    more: Rows,
    start: int,
    places: Places,
    copies: int,
    drawn: Mapping[Column, Array],
    kept: dict[Column, Array],
    tried: dict[Column, tuple[Places, Array]],
    limits: Mapping[Column, Bounds],
) -> None:
    """Rows take the first of their copies that is permitted."""
    fine = np.ones((len(places), copies), bool)
    blocks: dict[Column, tuple[Places, Array]] = {}
    for column, values in drawn.items():
        here = np.flatnonzero(rows.columns[column].missing[places])
        first = int(np.count_nonzero(more.columns[column].missing[:start]))
        block = np.ma.getdata(values)[first : first + len(here) * copies].reshape(len(here), copies)
        blocks[column] = here, block
        if column in limits:
            fine[here] &= limits[column].permits(block.ravel()).reshape(block.shape)
            tried[column] = places[here], block
    chosen = np.where(fine.any(axis=1), fine.argmax(axis=1), -1)
    for column, (here, block) in blocks.items():
        some = chosen[here] >= 0
        at = (np.cumsum(rows.columns[column].missing) - 1)[places[here[some]]]
        kept[column] = kept[column].copy()
        kept[column][at] = block[some, chosen[here[some]]]


def _forced(
    rows: Rows,
    numbers: Sequence[int],
    kept: Sequence[dict[Column, Array]],
    tried: Sequence[Mapping[Column, tuple[Places, Array]]],
    limits: Mapping[Column, Bounds],
    said: list[str],
) -> None:
    """Cells that are still ruled out take the nearest there is to a draw."""
    at_bound: dict[str, int] = {}
    called = labels(rows.columns)
    for number, one, blocks in zip(numbers, kept, tried, strict=True):
        wrong = _outside(rows, number, one, limits)
        for column, limit in limits.items():
            if column not in blocks:
                continue
            gone = rows.columns[column].missing
            places, block = blocks[column]
            values = one[column].copy()
            index = (np.cumsum(gone) - 1)[places]
            still = np.isin(places, wrong) & ~limit.permits(np.ma.getdata(values)[index])
            if not still.any():
                continue
            uniforms = uniform(rows.keys[places[still]], number, called[column], "truncated")
            values[index[still]], stuck = _nearest(limit, block[still], uniforms)
            at_bound[limit.name] = at_bound.get(limit.name, 0) + stuck
            one[column] = values
    said += [
        f"{count // len(numbers) or 1} cells of {name} can only be given values outside what its policy permits, which "
        "take the nearest that it does"
        for name, count in at_bound.items()
        if count
    ]


def _nearest(limit: Bounds, block: Array, uniforms: NDArray[np.float64]) -> tuple[Array, int]:
    """(c,) a value for cells whose (c, copies) draws are all ruled out, and how many are at a bound."""
    if limit.usable is not None:
        donors = limit.observed
        found: Array = np.sort(donors)[(uniforms * len(donors)).astype(np.intp)]
        return found, 0
    centre, deviation = block.astype(np.float64).mean(axis=1), block.astype(np.float64).std(axis=1)
    given = limit.cells.values[~limit.cells.missing]
    donors = np.sort(limit.observed)
    if len(donors) and (deviation > 0).any() and np.isin(block, given).all():
        first = np.clip(np.searchsorted(donors, centre) - 2, 0, max(0, len(donors) - 5))
        chosen: Array = donors[np.minimum(first + (uniforms * 5).astype(np.intp), len(donors) - 1)]
        return chosen, 0
    values = _truncated_normal(centre, deviation, limit.low, limit.high, uniforms)
    if np.issubdtype(block.dtype, np.integer):
        values = np.clip(np.rint(values), limit.low, limit.high)
    return values.astype(block.dtype), int(np.count_nonzero(deviation == 0))


def _truncated_normal(
    centre: NDArray[np.float64], deviation: NDArray[np.float64], low: float, high: float, u: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Quantiles of normal distributions between two bounds, by logarithms so that tails do not vanish."""
    from scipy import special

    scale = np.where(deviation > 0, deviation, 1.0)
    a, b = (low - centre) / scale, (high - centre) / scale
    flip = a > 0
    a, b = np.where(flip, -b, a), np.where(flip, -a, b)
    u = np.where(flip, 1 - u, u)
    logs = np.logaddexp(special.log_ndtr(a) + np.log1p(-u), special.log_ndtr(b) + np.log(u))
    z = special.ndtri_exp(logs)
    values = centre + scale * np.where(flip, -z, z)
    return np.clip(np.where(deviation > 0, values, centre), low, high)


def expected(
    rows: Rows,
    values: Mapping[Column, Array],
    draw: Draw,
    limits: Mapping[Column, Bounds],
    said: list[str],
    *,
    always: bool = False,
) -> dict[Column, Array]:
    """Single values given that they are permitted.

    A predicted number is, where some draws are ruled out, the mean of those that are permitted. A category that is
    ruled out becomes the most frequent one among them. Where all values are far from what is ruled out nothing is
    drawn, unless it is `always` to be.
    """
    needed = {c: limit for c, limit in limits.items() if always or _near(limit, np.ma.compressed(values[c]))}
    found = {c: limits[c].rounded(v) for c, v in values.items()}
    if not needed:
        return found
    cells = max(len(values[c]) for c in needed)
    numbers = list(range(1, 1 + (20 if cells <= 2000 or always else 8)))
    plain = list(draw(rows, numbers))
    kept = within(rows, numbers, plain, draw, needed, said)
    for column, limit in needed.items():
        after = np.stack([np.ma.getdata(one[column]) for one in kept])
        if limit.usable is not None:
            good = limit.permits(np.ma.getdata(values[column]))
            moved = np.where(good, np.ma.getdata(values[column]), _modes(after, len(limit.usable)))
        else:
            before = np.stack([np.ma.getdata(one[column]) for one in plain])
            moved = _means(limit, np.ma.getdata(values[column]), before, after)
        typed = moved.astype(values[column].dtype)
        gone = np.ma.getmaskarray(values[column])
        found[column] = np.ma.masked_array(typed, gone) if gone.any() else typed
    return found


def _near(limit: Bounds, values: Array) -> bool:
    """Whether draws around some values may be ruled out: four standard deviations of the column are far enough."""
    if not len(values):
        return False
    if limit.usable is not None:
        return not bool(limit.permits(values).all())
    observed = limit.cells.values[~limit.cells.missing].astype(np.float64)
    far = 4 * float(np.std(observed)) if len(observed) else 0.0
    numbers = values.astype(np.float64)
    return bool(numbers.min() - far < limit.low or numbers.max() + far > limit.high)


def _means(limit: Bounds, values: Array, before: Array, after: Array) -> Array:
    """(n,) predicted values; where one of the (m, n) draws was ruled out, the mean of those that are permitted.

    Of imputers that give observed values the draw that is nearest to it.
    """
    means = after.astype(np.float64).mean(axis=0)
    if np.isin(values, limit.cells.values[~limit.cells.missing]).all():
        nearest = np.abs(after - means).argmin(axis=0)
        means = after[nearest, np.arange(len(values))].astype(np.float64)
    elif np.issubdtype(after.dtype, np.integer):
        means = np.rint(means)
    ruled_out = ~limit.permits(before.ravel()).reshape(before.shape).all(axis=0) | ~limit.permits(values)
    return limit.rounded(np.where(ruled_out, np.clip(means, limit.low, limit.high), values))


def _modes(codes: Array, count: int) -> NDArray[np.intp]:
    """(n,) the most frequent of (m, n) categories."""
    votes = np.stack([(codes == code).sum(axis=0) for code in range(count)])
    return np.asarray(votes.argmax(axis=0))
