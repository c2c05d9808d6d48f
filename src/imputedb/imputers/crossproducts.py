"""Linear chained equations without touching rows: cycles run on one cross-product matrix a pattern of missingness."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers import random
from imputedb.imputers.column_model import Keys, Matrix, Vector
from imputedb.imputers.regression import Regression, regression

KEPT_ROWS = 8_192
"""Rows of rare patterns that are learnt from one by one, at most."""

CYCLES = (10, 40)
"""Cycles of draws, at least and at most, where their number is left to the data."""

STILL = 1e-3
"""Coefficients of standardised columns that change less than this stand still."""

PATTERN_CELLS = 8_000_000
"""Numbers that the matrices of all patterns may hold together."""

Cube = NDArray[np.float64]
Watch = Callable[[int, int, float, float], object]
"""Told of a cycle, a column of the matrix, and the mean and standard deviation of its imputed values."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One regression of the chain: a column of the matrix becomes x b + sigma e."""

    cycle: int
    column: int
    b: Vector
    sigma: float


@dataclass(frozen=True, slots=True)
class Delta:
    """A departure from missing at random, in the units of the matrix: imputed values become scale y + shift."""

    scale: float = 1.0
    shift: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Patterns:
    """The rows, sorted by what is missing in them.

    Attributes:
        order: (n,) places of the rows, pattern after pattern.
        starts: (P + 1,) where each pattern begins in `order`.
        gone: (P, q) columns of the matrix that are missing.
        grams: (P, q, q) x'x of each pattern, missing values as 0.
    """

    order: NDArray[np.intp]
    starts: NDArray[np.intp]
    gone: NDArray[np.bool_]
    grams: Cube

    @property
    def sizes(self) -> NDArray[np.intp]:
        """(P,) rows of each."""
        return np.diff(self.starts)

    def rows(self, pattern: int) -> NDArray[np.intp]:
        """The places of the rows of a pattern."""
        return self.order[self.starts[pattern] : self.starts[pattern + 1]]


def patterns(x: Matrix, gone: NDArray[np.bool_], owners: NDArray[np.intp]) -> Patterns:
    """Groups (n, q) rows by their (n, c) flags; the most frequent pattern first, then by its flags."""
    code = np.zeros(len(x), np.int64)
    for start in range(0, gone.shape[1], 32):
        word = gone[:, start : start + 32] @ (1 << np.arange(min(32, gone.shape[1] - start), dtype=np.int64))
        code = np.unique(code * (1 << 32) + word, return_inverse=True)[1] if start else word
    first, inverse, counts = np.unique(code, return_index=True, return_inverse=True, return_counts=True)[1:]
    rank = np.empty(len(counts), np.intp)
    rank[np.lexsort((code[first], -counts))] = np.arange(len(counts))
    place = rank[inverse]
    order = np.argsort(place, kind="stable")
    sizes = np.bincount(place)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    flags = gone[order[starts[:-1]]][:, owners] & (owners >= 0)
    q = x.shape[1]
    learnt = max(1, PATTERN_CELLS // (q * q))
    grams = np.zeros((min(len(sizes), learnt), q, q))
    for pattern in range(len(grams)):
        part = x[order[starts[pattern] : starts[pattern + 1]]]
        grams[pattern] = part.T @ part
    return Patterns(order, starts, flags, grams)


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """What cycles of expectations have come to.

    Attributes:
        told: their steps.
        grams: (P, q, q) expected cross-products of the patterns.
        maps: (P, q, q) what turns an incomplete row into its expectation.
        spread: (P, q, q) the covariance of its noise.
        rate: by how much a cycle shrinks what is left to go.
    """

    told: Sequence[Step]
    grams: Cube
    maps: Cube
    spread: Cube
    rate: float = 0.5

    @property
    def cycles(self) -> int:
        """How many cycles of draws forget their common start: rate^(2 k) = 1 % of the variance, and 10 at least.

        Ten, because draws forget more slowly than expectations converge: with 4 cycles the variance between draws of
        nhanes came out 20 % short where the rate was 0.13.
        """
        return int(np.clip(np.ceil(np.log(0.01) / (2 * np.log(self.rate))), *CYCLES))


@dataclass(slots=True, eq=False)
class Chain:
    """Cycles over the incomplete columns of a matrix.

    With `generator` the chain draws: parameters from their posterior, and the noise of imputed values, so that their
    cross-products are those of one imputation. A pattern with more rows than columns is kept as its cross-products, and
    noise e enters as x'e, Normal(0, sigma^2 x'x), and e'e, chi-square. Rarer patterns are kept as rows. Without, values
    are expectations, and cross-products those expected of values with noise.
    """

    found: Patterns
    steps: Sequence[int]
    deltas: Mapping[int, Delta]
    generator: Callable[[int, int], np.random.Generator] | None
    noise: Callable[[NDArray[np.intp], int, int], Vector]
    watch: Watch | None = None
    notes: Callable[[int, str], object] | None = None

    def run(self, x: Matrix, cycles: int, start: "Start | None" = None) -> None:
        """Fills the missing cells of x (n, q), which hold 0, in place."""
        sizes, q, learnable = self.found.sizes, x.shape[1], len(self.found.grams)
        big = learnable if self.generator is None else int((sizes[:learnable] > q).sum())
        begun = start or _nothing_begun(self.found)
        rest = self.found.order[self.found.starts[big] :]
        flags = np.repeat(self.found.gone[big:], sizes[big:], axis=0)
        self._replay(x, rest, begun.told, flags)
        # every so many of them, so that each pattern is learnt from by its share
        kept = np.zeros(len(rest), bool)
        if self.generator is not None:
            kept[:: max(1, -(-len(rest) // KEPT_ROWS))] = True
        rows = x[rest[kept]]
        grams = begun.grams[:big].copy()
        if self.generator is not None:
            # a trace of spread, so that a column that is constant in a pattern has noise in proportion to it
            grams[:, np.arange(q), np.arange(q)] += 1e-7 * sizes[:big, None]
        told = self._cycles(cycles, grams, rows, rest[kept], flags[kept])
        x[rest[kept]] = rows
        self._replay(x, rest[~kept], told, flags[~kept])
        maps, spread = begun.maps[:big].copy(), begun.spread[:big].copy()
        self._compose(told, maps, spread)
        self._apply(x, maps, spread)

    def start(self, cycles: int) -> "Start":
        """Where all draws may start: after cycles of expectations, as many as coefficients take to stand still."""
        begun = _nothing_begun(self.found)
        grams = begun.grams.copy()
        nobody = np.empty(0, np.intp)
        q = grams.shape[1]
        told: list[Step] = []
        changes: list[float] = []
        for cycle in range(cycles):
            new = self._cycles(1, grams, np.empty((0, q)), nobody, np.empty((0, q), bool))
            before = [step.b for step in told[-len(new) :]] or [np.zeros(q)] * len(new)
            changes.append(max((float(np.abs(a.b - b).max()) for a, b in zip(new, before, strict=True)), default=0.0))
            told += [replace(step, cycle=cycle - cycles - 1) for step in new]
            if changes[-1] < STILL:
                break
        maps, spread = begun.maps.copy(), begun.spread.copy()
        self._compose(told, maps, spread, noisy=True)
        return Start(told, grams, maps, spread, _rate(changes))

    def _cycles(
        self, cycles: int, grams: Cube, rows: Matrix, places: NDArray[np.intp], flags: NDArray[np.bool_]
    ) -> list[Step]:
        """Steps learnt from cross-products and rows, which change with them."""
        sizes = self.found.sizes
        told: list[Step] = []
        total = grams.sum(axis=0)
        for cycle in range(cycles):
            for column in self.steps:
                here = np.flatnonzero(self.found.gone[: len(grams), column])
                part = grams[here]
                seen = rows[~flags[:, column]]
                step = self._step(cycle, column, total - part.sum(axis=0) + seen.T @ seen)
                told.append(step)
                line, square = self._imputed(step, part, sizes[here])
                total[:, column] += (line - part[:, :, column]).sum(axis=0)
                total[column] = total[:, column]
                total[column, column] += float((square - line[:, column]).sum())
                line[:, column] = square
                grams[here, :, column] = line
                grams[here, column, :] = line
                mine = np.flatnonzero(flags[:, column])
                if len(mine):
                    rows[mine, column] = rows[mine] @ step.b + step.sigma * self.noise(places[mine], cycle, column)
                self._tell(step, sizes[here].sum(), line, rows[mine, column])
        return told

    # -- learning -----------------------------------------------------------------------------------------------------

    def _step(self, cycle: int, column: int, gram: Matrix) -> Step:
        others = np.arange(len(gram)) != column
        model = regression(gram[np.ix_(others, others)], gram[others, column], float(gram[column, column]), gram[0, 0])
        if model.note and self.notes and cycle == 0:
            self.notes(column, model.note)
        beta, sigma = self._parameters(model, cycle, column)
        delta = self.deltas.get(column, Delta())
        b = np.zeros(len(gram))
        b[others] = delta.scale * beta
        b[0] += delta.shift
        return Step(cycle, column, b, delta.scale * sigma)

    def _parameters(self, model: Regression, cycle: int, column: int) -> tuple[Vector, float]:
        if self.generator is None:
            return model.beta, model.sigma
        return model.drawn(self.generator(cycle, column))

    def _imputed(self, step: Step, part: Cube, sizes: NDArray[np.intp]) -> tuple[Matrix, Vector]:
        """Cross-products of the new values y with all columns, and y'y, of the patterns where they are imputed."""
        line = part @ step.b
        square = line @ step.b
        if self.generator is None:
            return line, square + step.sigma**2 * sizes
        error, norm = _error(part, sizes, self.generator(step.cycle, step.column + len(step.b)))
        square = square + 2 * step.sigma * (error @ step.b) + step.sigma**2 * norm
        return line + step.sigma * error, square

    def _tell(self, step: Step, count: int, line: Matrix, values: Vector) -> None:
        n = float(count + len(values))
        if self.watch is None or n == 0:
            return
        mean = float(line[:, 0].sum() + values.sum()) / n
        square = float(line[:, step.column].sum() + (values**2).sum()) / n
        self.watch(step.cycle, step.column, mean, float(np.sqrt(max(square - mean**2, 0.0))))

    # -- applying -----------------------------------------------------------------------------------------------------

    def _replay(self, x: Matrix, places: NDArray[np.intp], told: Sequence[Step], flags: NDArray[np.bool_]) -> None:
        """The steps on rows that were not learnt from."""
        if not len(places):
            return
        rows = x[places]
        for step in told:
            mine = np.flatnonzero(flags[:, step.column])
            values = rows[mine] @ step.b
            if self.generator is not None:
                values = values + step.sigma * self.noise(places[mine], step.cycle, step.column)
            rows[mine, step.column] = values
        x[places] = rows

    def _compose(self, told: Sequence[Step], maps: Cube, spread: Cube, *, noisy: bool | None = None) -> None:
        """What steps do to the rows of a pattern at once: value = x T, noise of covariance S."""
        noisy = self.generator is not None if noisy is None else noisy
        for step in told:
            j = step.column
            places = np.flatnonzero(self.found.gone[: len(maps), j])
            maps[places, :, j] = maps[places] @ step.b
            if noisy:
                line = spread[places] @ step.b
                spread[places, :, j] = line
                spread[places, j, :] = line
                spread[places, j, j] = line @ step.b + step.sigma**2

    def _apply(self, x: Matrix, maps: Cube, spread: Cube) -> None:
        if self.generator is not None:
            self._scatter_noise(x, len(maps))
        for pattern in range(len(maps)):
            block = np.flatnonzero(self.found.gone[pattern])
            if len(block):
                rows = self.found.rows(pattern)
                weights = maps[pattern][:, block]
                # what is missing holds 0, or the noise of its value
                weights[block] = _root(spread[pattern][np.ix_(block, block)]).T
                x[np.ix_(rows, block)] = x[rows] @ weights

    def _scatter_noise(self, x: Matrix, big: int) -> None:
        """Puts standard normal noise where a value is missing in rows of the first patterns."""
        end = self.found.starts[big]
        places = self.found.order[:end]
        for column in self.steps:
            mine = places[np.repeat(self.found.gone[:big, column], self.found.sizes[:big])]
            x[mine, column] = self.noise(mine, -1, column)


def _rate(changes: Sequence[float]) -> float:
    """The shrinkage a cycle, over the last three of them; a half where too few were needed to tell."""
    last = [change for change in changes[-4:] if change > 0]
    if len(last) < 3:
        return 0.5
    return float(np.clip((last[-1] / last[0]) ** (1 / (len(last) - 1)), 0.05, 0.97))


def _nothing_begun(found: Patterns) -> "Start":
    count, q = len(found.grams), found.grams.shape[1]
    return Start([], found.grams, np.broadcast_to(np.eye(q), (count, q, q)), np.zeros((count, q, q)))


def _error(grams: Cube, sizes: NDArray[np.intp], generator: np.random.Generator) -> tuple[Matrix, Vector]:
    """x'e and e'e of standard normal noise e on the rows of each pattern."""
    z = generator.standard_normal(grams.shape[:2])
    rest = generator.chisquare(np.maximum(sizes - grams.shape[1], 1)) if len(grams) else np.zeros(0)
    return (_roots(grams) @ z[:, :, None])[:, :, 0], (z**2).sum(axis=1) + rest


def _roots(grams: Cube) -> Cube:
    try:
        return np.asarray(np.linalg.cholesky(grams))
    except np.linalg.LinAlgError:  # a column that others give exactly
        values, vectors = np.linalg.eigh(grams)
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :])


def _root(covariance: Matrix) -> Matrix:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def row_noise(keys: Keys, what: Sequence[int | str]) -> Callable[[NDArray[np.intp], int, int], Vector]:
    """Standard normal numbers by row, cycle and column, keyed by the rows' keys."""
    return lambda places, cycle, column: random.normal(keys[places], *what, cycle, column)
