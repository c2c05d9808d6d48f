"""Imputation by nearest neighbours.

1. Every column becomes a coordinate. Only observed values are used: imputed values never serve to find neighbours, so
   the order of the columns does not matter.
2. The donors of a cell are the rows in which its column is observed; with groups and times, only those of the same
   group and strictly earlier. Its neighbours are the k nearest donors; ties go to the lower row number.
3. Numbers take the weighted mean or median of their neighbours, rounded for integers; categories the weighted mode.
   With `draw`, donors are bootstrapped, and a cell takes the value of one neighbour, chosen by weight. A row with
   several missing targets takes all of them from one neighbour, where enough rows have all of them.
4. Cells without a neighbour take the first fallback that applies, or stay missing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from imputedb.errors import QueryError
from imputedb.neighbours import votes
from imputedb.neighbours.column import Attribute, space_of
from imputedb.neighbours.condition import condition
from imputedb.neighbours.fallback import fallback_values
from imputedb.neighbours.index import Index, built
from imputedb.neighbours.metric import Floats, Space
from imputedb.neighbours.search import Cells, Copies, Found, Ints, Progress, cells_of
from imputedb.neighbours.settings import Settings, Uniforms
from imputedb.neighbours.weights import WeightLearner
from imputedb.neighbours.whole import middles
from imputedb.notes import Note, NoteKind

Array = NDArray[np.generic]
BLOCK = 1 << 13
"""Rows whose neighbours are held at a time, at most."""
SMALL_BLOCK = 1 << 9
"""Rows that keep all threads busy."""
BLOCKS = 32
"""Blocks of a table between the two: what is held of neighbours is a small share of it."""
PATTERNS = 64
"""Sets of targets that rows miss together, at most, that are taken from one neighbour."""
FEW = 10
"""Donors for each neighbour wanted that have all of such a set, at least."""
LEARNING = 0.1
"""Share of the work that learning lists is told as."""


@dataclass(slots=True)
class Filled:
    """The result of an imputation.

    Attributes:
        values: by target, the values of its missing cells in row order, in the column's own type.
        left: by target, whether a cell had no fallback either; its value is arbitrary.
        fallbacks: number of cells that were filled without a neighbour, by target and fallback.
        recall: for an approximate search, the measured share of exact neighbours; None for an exact one.
    """

    values: dict[int, Array]
    left: dict[int, NDArray[np.bool_]]
    fallbacks: Counter[tuple[int, str]] = field(default_factory=Counter)
    recall: float | None = None


def fill(
    attributes: Sequence[Attribute],
    targets: Sequence[int],
    settings: Settings,
    uniforms: Uniforms,
    *,
    groups: Ints | None = None,
    times: Floats | None = None,
    draw: bool = False,
    index: Index | None = None,
    is_donor: NDArray[np.bool_] | None = None,
    progress: Progress | None = None,
) -> Filled:
    """Values for the missing cells of the targets.

    Args:
        attributes: columns of the table, each of length n.
        targets: positions of the columns to fill.
        settings: settings of the imputation.
        uniforms: gives numbers in [0, 1) by row, for draws and samples.
        groups: (n,) code of each row's group; only rows of the same group are donors. Negative where unknown.
        times: (n,) time of each row; only strictly earlier rows are donors. NaN where unknown.
        draw: whether values are drawn, for multiple imputation.
        index: an index of the same rows, if there is one.
        is_donor: (n,) whether a row may be a donor; by default all are.
        progress: called with the share that is done; an exception in it stops the work, as Ctrl-C does.
    """
    if isinstance(settings.weights, tuple) and len(settings.weights) != len(attributes):
        raise QueryError(f"{len(settings.weights)} weights for {len(attributes)} columns")
    work = _Work(attributes, targets, settings, uniforms, groups, draw, progress, is_donor)
    if not work.wanting:
        return Filled({}, {})
    index = index or built(
        attributes,
        work.wanting,
        settings,
        [work.weights(target) for target in work.wanting],
        work.order,
        condition=condition(len(work.order), groups, times),
        space=None if is_donor is None else _space(attributes, settings, is_donor),
        progress=work.partial_progress(0.0, LEARNING),
    )
    return work.run(index)


def _space(attributes: Sequence[Attribute], settings: Settings, is_donor: NDArray[np.bool_]) -> Space:
    return space_of(attributes, settings.metric, settings.scaling, settings.lacking, np.flatnonzero(is_donor))


class _Work:
    def __init__(
        self,
        attributes: Sequence[Attribute],
        targets: Sequence[int],
        settings: Settings,
        uniforms: Uniforms,
        groups: Ints | None,
        draw: bool,
        progress: Progress | None,
        is_donor: NDArray[np.bool_] | None,
    ) -> None:
        self.attributes, self.settings, self.uniforms = attributes, settings, uniforms
        self.groups, self.draw, self.progress = groups, draw, progress
        self.gaps = {target: np.flatnonzero(~attributes[target].observed) for target in targets}
        self.wanting = [target for target in targets if len(self.gaps[target])]
        self.order: Ints = np.argsort(uniforms("order"), kind="stable")
        self.is_donor = np.ones(len(self.order), bool) if is_donor is None else is_donor
        self._learner = WeightLearner(attributes, self.order[self.is_donor[self.order]])
        self._learnt: dict[int, Floats] = {}
        self._uniform: Floats | None = None

    def weights(self, target: int) -> Floats:
        """(d,) the weights of the coordinates for a target."""
        if self.settings.weights == "learnt":
            if target not in self._learnt:
                self._learnt[target] = self._learner.weights(target)
            return self._learnt[target]
        given = self.settings.weights
        return np.array(given, np.float64) if given is not None else np.ones(len(self.attributes))

    def run(self, index: Index) -> Filled:
        """Imputes all targets; those with equal weights share one search."""
        together = self.settings.weights != "learnt"
        jobs = [self.wanting] if together else [[target] for target in self.wanting]
        filled = Filled({}, {}, recall=index.partition.recall if index.partition else None)
        for target in self.wanting:
            count = len(self.gaps[target])
            filled.values[target] = np.zeros(count, self.attributes[target].values.dtype)
            filled.left[target] = np.zeros(count, bool)
        begun = LEARNING if index.partition else 0.0
        for number, job in enumerate(jobs):
            width = (1 - begun) / len(jobs)
            self._search(index, job, filled, begun + width * number, width)
        for target in self.wanting:
            self._fall_back(target, filled)
        return filled

    def _search(self, index: Index, job: Sequence[int], filled: Filled, start: float, width: float) -> None:
        gaps = [~self.attributes[target].observed for target in job]
        rows = np.flatnonzero(np.logical_or.reduce(gaps)).astype(np.int64)
        together = self._together(job, gaps, rows) if self.draw else []
        done = np.zeros(len(gaps[0]), bool)
        for some, targets in together:
            done[some] = True
            alike = [index.arranged(self._copies(targets))] * len(targets)
            here = np.zeros(len(done), bool)
            here[some] = True
            self._nearest(index, targets, [here] * len(targets), some, alike, filled, (start, 0.0))
        copies = [index.arranged(self._copies([target])) for target in job]
        self._nearest(index, job, gaps, rows[~done[rows]], copies, filled, (start, width))

    def _together(
        self, job: Sequence[int], gaps: Sequence[NDArray[np.bool_]], rows: Ints
    ) -> list[tuple[Ints, list[int]]]:
        """The rows grouped by the targets that they miss, if these are several and enough donors have all of them."""
        flags = np.stack([gap[rows] for gap in gaps], axis=1)
        sets, which, counts = np.unique(flags, axis=0, return_inverse=True, return_counts=True)
        found = []
        for place in np.argsort(-counts, kind="stable")[:PATTERNS]:
            targets = [target for target, misses in zip(job, sets[place], strict=True) if misses]
            if len(targets) > 1 and self._observed(targets).sum() >= FEW * self.settings.k:
                found.append((rows[which.ravel() == place], targets))
        return found

    def _nearest(
        self,
        index: Index,
        job: Sequence[int],
        gaps: Sequence[NDArray[np.bool_]],
        rows: Ints,
        copies: Sequence[Copies],
        filled: Filled,
        span: tuple[float, float],
    ) -> None:
        start, width = span
        if index.partition:  # queries of one list search the same lists
            rows = rows[np.argsort(index.partition.lists[rows], kind="stable")]
        size = min(BLOCK, max(SMALL_BLOCK, index.count // BLOCKS))
        for first in range(0, len(rows), size):
            some = rows[first : first + size]
            cells = cells_of(gaps, some)
            at, share = start + width * first / len(rows), width * len(some) / len(rows)
            found = index.nearest(
                cells, copies, self.settings.k, self.weights(job[0]), progress=self.partial_progress(at, share)
            )
            self._take(job, cells, found, filled)

    def partial_progress(self, start: float, width: float) -> Progress | None:
        """A progress function for a part of the work."""
        progress = self.progress
        return None if progress is None else lambda share: progress(start + width * share)

    def _observed(self, targets: Sequence[int]) -> NDArray[np.bool_]:
        """(n,) the rows that may be donors and have all of some targets."""
        found: NDArray[np.bool_] = np.logical_and.reduce([self.attributes[t].observed for t in targets]) & self.is_donor
        return found

    def _copies(self, targets: Sequence[int]) -> Copies:
        observed = self._observed(targets)
        if not self.draw:
            return observed.astype(np.uint8)
        return votes.bootstrap(observed, self.uniforms("donors"))

    def _take(self, job: Sequence[int], cells: Cells, found: Found, filled: Filled) -> None:
        rows = cells.row_of_cell
        weights = votes.shares(found.distances, self.settings.weighting)
        for place, target in enumerate(job):
            here = cells.targets == place
            spots = np.searchsorted(self.gaps[target], rows[here])
            filled.values[target][spots] = self._values(target, rows[here], found.rows[here], weights[here])
            filled.left[target][spots] = found.rows[here, 0] < 0

    def _values(self, target: int, rows: Ints, neighbours: NDArray[np.int32], weights: Floats) -> Array:
        attribute = self.attributes[target]
        if not self.draw:
            return answers(attribute, neighbours, weights, self.settings)
        if self._uniform is None:
            self._uniform = self.uniforms("pick")
        place = votes.drawn(weights, self._uniform[rows])
        return attribute.values[neighbours[np.arange(len(rows)), place]]

    def _fall_back(self, target: int, filled: Filled) -> None:
        lost = np.flatnonzero(filled.left[target])
        if not len(lost):
            return
        attribute = self.attributes[target]
        rows = self.gaps[target][lost]
        known = replace(attribute, missing=attribute.missing | ~self.is_donor)
        for stage, here, values in fallback_values(known, rows, self.settings, self.groups):
            filled.values[target][lost[here]] = values
            filled.left[target][lost[here]] = False
            filled.fallbacks[target, stage] += int(here.sum())
        if filled.left[target].any():
            filled.fallbacks[target, "left"] = int(filled.left[target].sum())


def answers(attribute: Attribute, neighbours: NDArray[np.int32], weights: Floats, settings: Settings) -> Array:
    """(c,) the estimates from neighbours: mean or median, for categories the mode; undefined without neighbours.

    Args:
        attribute: the column.
        neighbours: (c, k) row numbers, -1 where there are fewer.
        weights: (c, k) weights of the neighbours.
        settings: how they are aggregated.
    """
    neighbours = np.where(neighbours < 0, neighbours[:, :1], neighbours)  # a valid row number with weight 0
    donated = attribute.values[neighbours]
    if attribute.averages and settings.aggregate != "mode":
        centre = votes.mean if settings.aggregate == "mean" else votes.median
        return middles(donated, lambda numbers: centre(numbers, weights))
    return donated[np.arange(len(donated)), votes.mode(donated.astype(np.float64), weights)]


def notes(filled: Filled, names: Mapping[int, object], cells: int) -> list[Note]:
    """Notes on fallbacks, and on an approximate search."""
    found = [
        Note(
            NoteKind.FALLBACK,
            f"{count} {stage}",
            f"{count:,} cells of ",
            names[target],
            " have no neighbour and " + ("are left missing" if stage == "left" else f"take the {_STAGES[stage]}"),
        )
        for (target, stage), count in sorted(filled.fallbacks.items())
    ]
    if filled.recall is not None:
        found.append(
            Note(
                NoteKind.APPROXIMATE,
                "",
                f"neighbours of {cells:,} cells were searched approximately: {filled.recall:.1%} of the exact ones are "
                "found, as measured on a sample",
            )
        )
    return found


_STAGES = {
    "group": "median or mode of their group",
    "column": "median or mode of the column",
    "mean": "mean of the column",
}
