"""Numbers that choose between results, where another sample or draw might choose otherwise.

The numbers that decide lie in intervals of their own. Where the same branch is chosen all over these, by a margin, an
output has the error of that branch. Otherwise its interval is made of all values that it has there.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from imputedb.answers.multiple.aggregation import Aggregation
from imputedb.answers.multiple.draws import Draws
from imputedb.answers.multiple.outputs import Choice
from imputedb.answers.multiple.steps import stepped
from imputedb.answers.run import Run
from imputedb.engines.engine import Engine
from imputedb.inference.distribution import two_sided
from imputedb.inference.estimate import Estimate
from imputedb.inference.image import Image
from imputedb.inference.rubin import Interval
from imputedb.inference.scale import IDENTITY
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree

KEYS = "imputedb_pooled_keys"

_MARGIN = 0.9999
_LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99, 0.999, _MARGIN)
_LOOKED_AT = {1: 97, 2: 33, 3: 9, 4: 5}
"""Values of each number that are looked at, by how many numbers vary; 3 of more. A narrower branch is not seen."""
_STEPS = np.linspace(-4.0, 4.0, 97)
"""Standard errors from a single number, at which a choice is looked at for its own."""
_NEAR = 1e-4
"""Standard errors over which a derivative is taken."""

_ALMOST = 1e-12  # what arithmetic loses of a number

UNSURE = "it chooses by a number whose error is not known"
NULL = "another sample may leave it NULL"

Numbers = NDArray[np.float64]

Row = Mapping[int, Estimate]


@dataclass(frozen=True, slots=True)
class _Points:
    """Values of the numbers of a choice.

    Attributes:
        values: (n, k) a point a row; the first one has the pooled numbers.
        levels: (n,) the level of the smallest region that a point is in.
        weights: (n,) densities at the points, 0 where the error does not go by them.
    """

    values: Numbers
    levels: Numbers
    weights: Numbers


@dataclass(frozen=True, slots=True)
class Images:
    """The numbers of an answer that choose.

    Attributes:
        engine: engine that computes what they are at other numbers.
        run: the run.
        draws: the draws.
        about: the outputs.
        level: level of the answer's intervals.
    """

    engine: Engine
    run: Run
    draws: Draws
    about: Aggregation
    level: float

    def over(self, rows: Sequence[Row]) -> list[Row]:
        """The rows of the answer, with the errors of what is not chosen beyond doubt."""
        found = [dict(row) for row in rows]
        for place, out in enumerate(self.about.outputs):
            if out.choice:
                for group, one in self._of_output(place, out.choice, found).items():
                    found[group][place] = one
        return list(found)

    def _of_output(self, place: int, choice: Choice, rows: Sequence[Row]) -> dict[int, Estimate]:
        """The estimates that change, by group."""
        numbers = {n: [row.get(part) for part in choice.parts] for n, row in enumerate(rows) if place in row}
        if choice.branch is None:
            return self._on_scale(place, choice, rows, numbers)
        unsure = {n for n, given in numbers.items() if not all(map(self._is_sure, choice.parts, given))}
        found = {n: replace(rows[n][place], within=False, reason=UNSURE) for n in unsure}
        near = {n: self._region_points(given) for n, given in numbers.items() if n not in unsure}
        chosen = self._computed(choice, near)
        doubtful = [n for n, (_, branches) in chosen.items() if not (branches == branches[0]).all()]
        points = {n: self._points(numbers[n]) for n in doubtful}
        for n, (values, branches) in self._computed(choice, points).items():
            found[n] = self._image(rows[n][place], numbers[n], points[n], values, branches)
        return found

    def _on_scale(
        self, place: int, choice: Choice, rows: Sequence[Row], numbers: Mapping[int, Sequence[Estimate | None]]
    ) -> dict[int, Estimate]:
        """Estimates that are a monotone function of a number on a scale of its own, by group: they go by its interval.

        So equal numbers have equal intervals, whether they are written as that number or as such a function.
        """
        points = {}
        for n, given in numbers.items():
            varying = [one for one in given if one and one.se > 0]
            if all(map(self._is_sure, choice.parts, given)) and len(varying) == 1 and varying[0].scale is not IDENTITY:
                points[n] = self._points(given)
        found = {}
        for n, (values, _) in self._computed(choice, points).items():
            (at,) = _varying(numbers[n])
            steps = np.diff(values[np.argsort(points[n].values[:, at], kind="stable")])
            if (steps >= 0).all() or (steps <= 0).all():
                one = self._image(rows[n][place], numbers[n], points[n], values, np.zeros(len(values)))
                assert isinstance(one.scale, Image)
                slope = abs(values[-1] - values[-2]) / (2 * _NEAR)  # by standard errors: the delta method
                found[n] = replace(one, scale=replace(one.scale, error=float(slope)))
        return found

    def _is_sure(self, place: int, one: Estimate | None) -> bool:
        """Whether a number has an interval in each group of its own, or is NULL in all draws."""
        if one is None:
            return True
        return not math.isnan(one.interval().low) and (one.share == 1 or self.about.outputs[place].empty)

    def _region_points(self, numbers: Sequence[Estimate | None]) -> _Points:
        """Points of the region within which all that decides lies almost surely."""
        level = max(_MARGIN, self.level)
        ends = [_ends(one, level) for one in numbers]
        return _together([_grid(ends, _middle(numbers), level)])

    def _points(self, numbers: Sequence[Estimate | None]) -> _Points:
        """Points of regions of several levels."""
        centre, found = _middle(numbers), list[_Points]()
        varying = _varying(numbers)
        for level in sorted({*_LEVELS, self.level}):
            each = 1 - (1 - level) / max(len(varying), 1)  # of all together at least the level (Bonferroni)
            found.append(_grid([_ends(one, each) for one in numbers], centre, level))
        if len(varying) == 1:
            regions = [(float(one.levels[0]), one.values[:, varying[0]]) for one in found]
            return _nested(_together([*found, _line(numbers, varying[0])]), varying[0], regions)
        return _together(found)

    def _computed(self, choice: Choice, points: Mapping[int, _Points]) -> dict[int, tuple[Numbers, Numbers]]:
        """By group, what an output is at some points, and which branches it chooses there."""
        if not points:
            return {}
        sizes = [len(one.values) for one in points.values()]
        values = np.concatenate([one.values for one in points.values()])
        columns: dict[str, NDArray[np.generic]] = {"row": np.arange(len(values))}
        columns["group"] = np.repeat(np.array(list(points), np.int64) + 1, sizes)
        for n, part in enumerate(choice.parts):
            columns[f"e{part}"] = np.ma.masked_array(values[:, n], np.isnan(values[:, n]))
        same = t.compared("COMPARE_EQUAL", t.reference("k", "place"), t.reference("r", "group"))
        source = t.inner(t.table((KEYS,), "k"), t.table((self.run.keep(columns),), "r"), same)
        shown = [stepped(tree, self._shown) for tree in (choice.value, choice.branch or t.literal(0.0))]
        text = self.engine.text(t.select([t.reference("r", "row"), *shown], source))
        rows, *found = self.engine.numbers(f"WITH {KEYS} AS ({self.draws.keys()}) {text}")
        order = np.argsort(rows)
        cuts = np.cumsum(sizes)[:-1]
        at_points, branches = (np.split(column[order], cuts) for column in found)
        return dict(zip(points, zip(at_points, branches, strict=True), strict=True))

    def _shown(self, place: int) -> Tree:
        return t.reference("r", f"e{place}") if self.about.outputs[place].is_number else t.reference("k", f"k{place}")

    def _image(
        self,
        own: Estimate,
        numbers: Sequence[Estimate | None],
        points: _Points,
        values: Numbers,
        branches: Numbers,
    ) -> Estimate:
        """An output in doubt, pooled as that of its numbers which has the fewest degrees of freedom."""
        varying, known = _varying(numbers), ~np.isnan(values)
        if not known[points.levels <= self.level].all():
            return replace(own, within=False, reason=NULL)
        fewest = min((one for one in numbers if one and one.se > 0), key=lambda one: one.df)
        kinks = _kinks(points, values, branches, varying[0]) if len(varying) == 1 else []
        rings = []
        for level in sorted({*_LEVELS, self.level}):
            inside = values[known & (points.levels <= level)]
            ends = [float(inside.min()), float(inside.max()), *(at for ring, at in kinks if ring <= level)]
            rings.append((level, Interval(min(ends), max(ends))))
        weights = np.where(known, points.weights, 0.0)
        if weights.any():
            spread = np.where(known, values, 0.0)
            error = float(np.sqrt(np.average((spread - np.average(spread, weights=weights)) ** 2, weights=weights)))
        else:
            low, high = dict(rings)[self.level]
            error = (high - low) / 2 / two_sided(self.level, fewest.df)
        return replace(fewest, scale=Image(float(values[0]), error, rings), share=own.share)


def _kinks(points: _Points, values: Numbers, branches: Numbers, at: int) -> list[tuple[float, float]]:
    """Where two branches meet between points: the levels, and the values, a little beyond them for what sums lose."""
    every = points.values[:, at]
    _, order = np.unique(np.round((every - every.min()) / np.ptp(every), 9), return_index=True)
    x, y, chosen, levels = every[order], values[order], branches[order], points.levels[order]
    found: list[tuple[float, float]] = []
    nothing = _ALMOST * float(np.nanmax(values) - np.nanmin(values))
    for n in np.flatnonzero(chosen[1:] != chosen[:-1]):
        if not 1 <= n < len(x) - 2:
            continue
        left, right = (y[n] - y[n - 1]) / (x[n] - x[n - 1]), (y[n + 2] - y[n + 1]) / (x[n + 2] - x[n + 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            where = (y[n + 1] - y[n] + left * x[n] - right * x[n + 1]) / (left - right)
        if x[n] < where < x[n + 1] and left * right < 0:  # a kink of one direction lies between its ends
            value = y[n] + left * (where - x[n])
            found.append((max(float(levels[n]), float(levels[n + 1])), float(value - np.copysign(nothing, right))))
    return found


def _middle(numbers: Sequence[Estimate | None]) -> list[float]:
    return [np.nan if one is None else one.estimate for one in numbers]


def _varying(numbers: Sequence[Estimate | None]) -> list[int]:
    return [n for n, one in enumerate(numbers) if one is not None and one.se > 0]


def _ends(one: Estimate | None, level: float) -> tuple[float, float]:
    return (np.nan, np.nan) if one is None else one.interval(level)


def _grid(ends: Sequence[tuple[float, float]], centre: Sequence[float], level: float) -> _Points:
    """A grid over a region, its middle first."""
    varies = [low < high for low, high in ends]
    count = _LOOKED_AT.get(sum(varies), 3)
    axes = [
        np.linspace(low, high, count) if wide else np.array([middle])
        for (low, high), middle, wide in zip(ends, centre, varies, strict=True)
    ]
    values = np.array([centre, *product(*axes)], np.float64)
    return _Points(values, np.full(len(values), level), np.zeros(len(values)))


def _line(numbers: Sequence[Estimate | None], at: int) -> _Points:
    """Points about the one number that varies, each as probable as a normal distribution has it."""
    one = numbers[at]
    assert one
    steps = np.array([*_STEPS, -_NEAR, _NEAR])
    values = np.tile(np.array(_middle(numbers), np.float64), (len(steps), 1))
    values[:, at] = [one.away(step) for step in steps]
    return _Points(values, np.full(len(steps), np.inf), np.append(np.exp(-(_STEPS**2) / 2), [0.0, 0.0]))


def _nested(points: _Points, at: int, regions: Sequence[tuple[float, Numbers]]) -> _Points:
    """The points, each with the level of the smallest region of one number that it lies in."""
    values, levels = points.values[:, at], np.full(len(points.levels), np.inf)
    for level, region in reversed(regions):
        levels[(values >= region.min()) & (values <= region.max())] = level
    return replace(points, levels=levels)


def _together(parts: Sequence[_Points]) -> _Points:
    return _Points(
        np.concatenate([one.values for one in parts]),
        np.concatenate([one.levels for one in parts]),
        np.concatenate([one.weights for one in parts]),
    )
