"""Imputed values within a policy's bounds: draws from the conditional distribution given the bounds."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.order import labels
from imputedb.imputers.permitted import Bounds
from imputedb.imputers.random import mixed, uniform
from imputedb.imputers.rows import EVERY, Array, Rows
from imputedb.notes import Note, NoteKind

COPIES = (4, 16, 64)
"""Numbers of further draws of a row that violates a bound, in successive attempts."""

MOST = 200_000
"""Maximum number of copies of rows that are drawn at a time."""

Places = NDArray[np.intp]
Tried = dict[Column, list[tuple[Places, Array]]]
"""Rejected values by column: positions of rows, and (r, copies) their values, one entry for each batch."""

Draw = Callable[[Rows, Sequence[int]], Iterator[Mapping[Column, Array]]]
"""A function that gives the draws with some numbers for any rows."""


def within(
    rows: Rows,
    numbers: Sequence[int],
    found: Sequence[Mapping[Column, Array]],
    draw: Draw,
    limits: Mapping[Column, Bounds],
    notes: list[Note],
    seed: int,
) -> list[Mapping[Column, Array]]:
    """Draws of rows, given that all their values are within bounds, by rejection sampling.

    1. A row that violates a bound in a draw is drawn again several times, with the parameters of the same draw and
       other random numbers. Its first permitted copy replaces the whole row, so that its columns stay consistent.
    2. A cell without a permitted copy takes one of the nearest permitted observed values, if its imputer gives observed
       values; otherwise it is drawn from a truncated normal distribution with the mean and deviation of its copies.

    The value of a cell depends on the seed, the draw's number, its column and its row's key; not on other rows, other
    draws, or their order.

    Args:
        rows: the n rows.
        numbers: numbers of the draws.
        found: the unrestricted draws.
        draw: function that draws again.
        limits: bounds by column.
        notes: list to which notes are added.
        seed: seed of the draws.
    """
    kept = [dict(one) for one in found]
    for copies in COPIES:
        outside = [_outside(rows, number, one, limits) for number, one in zip(numbers, kept, strict=True)]
        if not sum(map(len, outside)):
            break
        tried: list[Tried] = [{} for _ in numbers]
        for batch in _batches(outside, max(1, MOST // copies)):
            turns = [turn for turn, places in enumerate(batch) if len(places)]
            some, these = [batch[turn] for turn in turns], [numbers[turn] for turn in turns]
            more, starts = _copied(rows, these, some, copies)
            for turn, start, places, one in zip(turns, starts, some, draw(more, these), strict=True):
                _taken(rows, more, start, places, copies, one, kept[turn], tried[turn], limits)
    else:
        _forced(rows, numbers, kept, tried, limits, notes, seed)
    return [{c: limits[c].rounded(v) if c in limits else v for c, v in one.items()} for one in kept]


def _batches(outside: Sequence[Places], most: int) -> Iterator[list[Places]]:
    """Batches of the rows of all draws, each with at most so many rows in total."""
    ends = np.cumsum([0, *map(len, outside)])
    for start in range(0, int(ends[-1]), most):
        cuts = np.clip(np.array([start, start + most]) - ends[:-1, None], 0, None)
        yield [places[first:last] for places, (first, last) in zip(outside, cuts.tolist(), strict=True)]


def _outside(rows: Rows, number: int, values: Mapping[Column, Array], limits: Mapping[Column, Bounds]) -> Places:
    """The rows of a draw that violate a bound."""
    bad = np.zeros(len(rows.keys), bool)
    for column, limit in limits.items():
        missing = np.flatnonzero(rows.columns[column].missing)
        bad[missing] |= ~limit.permits(np.ma.getdata(values[column])) & ~np.ma.getmaskarray(values[column])
    if rows.draws is not None:
        bad &= (rows.draws == EVERY) | (rows.draws == number)
    return np.flatnonzero(bad)


def _copied(rows: Rows, numbers: Sequence[int], outside: Sequence[Places], copies: int) -> tuple[Rows, list[int]]:
    """The rows to learn from, then copies of other rows, each for one draw; and where each draw's copies begin."""
    training = np.arange(len(rows.keys)) if rows.learn is None else np.flatnonzero(rows.learn)
    repeated = [np.repeat(places, copies) for places in outside]
    places = np.concatenate([training, *repeated])
    some = rows.at(places)
    turn = np.concatenate([np.zeros(len(training), np.uint64), *(_turns(len(part), copies) for part in outside)])
    keys = np.where(turn > 0, mixed(mixed(some.keys) ^ turn), some.keys)
    draws = [np.full(len(part), number) for part, number in zip(repeated, numbers, strict=True)]
    learn = np.arange(len(places)) < len(training)
    starts = (len(training) + np.cumsum([0, *map(len, repeated[:-1])])).tolist()
    return Rows(some.columns, keys, learn, np.concatenate([np.full(len(training), EVERY), *draws])), starts


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
    tried: Tried,
    limits: Mapping[Column, Bounds],
) -> None:
    """Replaces rows by the first of their copies that is within bounds."""
    fine = np.ones((len(places), copies), bool)
    blocks: dict[Column, tuple[Places, Array]] = {}
    for column, values in drawn.items():
        here = np.flatnonzero(rows.columns[column].missing[places])
        first = int(np.count_nonzero(more.columns[column].missing[:start]))
        block = np.ma.getdata(values)[first : first + len(here) * copies].reshape(len(here), copies)
        blocks[column] = here, block
        if column in limits:
            fine[here] &= limits[column].permits(block.ravel()).reshape(block.shape)
            tried.setdefault(column, []).append((places[here], block))
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
    tried: Sequence[Tried],
    limits: Mapping[Column, Bounds],
    notes: list[Note],
    seed: int,
) -> None:
    """Replaces cells that still violate a bound by the nearest permitted values."""
    at_bound: dict[Column, int] = {}
    called = labels(rows.columns)
    for number, one, blocks in zip(numbers, kept, tried, strict=True):
        wrong = _outside(rows, number, one, limits)
        for column, limit in limits.items():
            if column not in blocks:
                continue
            missing = rows.columns[column].missing
            places, block = map(np.concatenate, zip(*blocks[column], strict=True))
            values = one[column].copy()
            index = (np.cumsum(missing) - 1)[places]
            still = np.isin(places, wrong) & ~limit.permits(np.ma.getdata(values)[index])
            if not still.any():
                continue
            uniforms = uniform(rows.keys[places[still]], seed, number, called[column], "truncated")
            values[index[still]], stuck = _nearest(limit, block[still], uniforms)
            at_bound[column] = at_bound.get(column, 0) + stuck
            one[column] = values
    words = " can only be given values outside what its policy permits, which take the nearest that it does"
    notes += [
        Note(NoteKind.OUT_OF_BOUNDS, column, f"{count // len(numbers) or 1} cells of ", column, words)
        for column, count in at_bound.items()
        if count
    ]


def _nearest(limit: Bounds, block: Array, uniforms: NDArray[np.float64]) -> tuple[Array, int]:
    """(c,) values for cells whose (c, copies) draws all violate a bound, and the number of cells set to a bound."""
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
    """Quantiles of truncated normal distributions, computed on logarithms to be exact in the tails."""
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
    notes: list[Note],
    seed: int,
    *,
    always: bool = False,
) -> dict[Column, Array]:
    """Single values, given that they are within bounds.

    If some draws of a cell violate a bound, its predicted number is the mean of the permitted draws. A category that is
    not permitted becomes the most frequent permitted one. If all values are far from the bounds, nothing is drawn,
    unless `always` is set.
    """
    needed = {c: limit for c, limit in limits.items() if always or _near(limit, np.ma.compressed(values[c]))}
    found = {c: limits[c].rounded(v) for c, v in values.items()}
    if not needed:
        return found
    cells = max(len(values[c]) for c in needed)
    numbers = list(range(1, 1 + (20 if cells <= 2000 or always else 8)))
    plain = list(draw(rows, numbers))
    kept = within(rows, numbers, plain, draw, needed, notes, seed)
    for column, limit in needed.items():
        after = np.stack([np.ma.getdata(one[column]) for one in kept])
        if limit.usable is not None:
            good = limit.permits(np.ma.getdata(values[column]))
            moved = np.where(good, np.ma.getdata(values[column]), _modes(after, len(limit.usable)))
        else:
            before = np.stack([np.ma.getdata(one[column]) for one in plain])
            moved = _means(limit, np.ma.getdata(values[column]), before, after)
        typed = moved.astype(values[column].dtype)
        missing = np.ma.getmaskarray(values[column])
        found[column] = np.ma.masked_array(typed, missing) if missing.any() else typed
    return found


def _near(limit: Bounds, values: Array) -> bool:
    """Whether draws may violate a bound: values within four standard deviations of the column are near it."""
    if not len(values):
        return False
    if limit.usable is not None:
        return not bool(limit.permits(values).all())
    observed = limit.cells.values[~limit.cells.missing].astype(np.float64)
    far = 4 * float(np.std(observed)) if len(observed) else 0.0
    numbers = values.astype(np.float64)
    return bool(numbers.min() - far < limit.low or numbers.max() + far > limit.high)


def _means(limit: Bounds, values: Array, before: Array, after: Array) -> Array:
    """(n,) predicted values; where one of the (m, n) draws violates a bound, the mean of the permitted draws.

    For imputers that give observed values it is the permitted draw nearest to that mean.
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
