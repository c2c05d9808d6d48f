"""Linear chained equations on cross-products: cycles use one matrix for each pattern of missingness, and no rows."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Keys, Matrix, Vector
from imputedb.imputers.protocol import Progress
from imputedb.kernel import _kernel

KEPT_ROWS = 8_192
"""Maximum number of rows of rare patterns that are used as rows."""

START_CYCLES = 30
"""Maximum number of cycles of expectations before the draws."""

CYCLES = (10, 40)
"""Minimum and maximum number of cycles of draws, if the data decide."""

STEPS = 600
"""Maximum number of regressions of a burn-in, if more than ten cycles are needed."""

STILL = 1e-3
"""Change of the coefficients, in standardised columns, below which they have converged."""

PATTERN_CELLS = 4_000_000
"""Maximum number of elements of all patterns' matrices together."""

Cube = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Delta:
    """A departure from missing at random, in the units of the matrix: imputed values become scale y + x shift.

    Attributes:
        scale: factor of imputed values.
        shift: (q,) coefficients of a linear form of a row of the matrix, ones first, which is added.
    """

    scale: float
    shift: Vector


@dataclass(frozen=True, slots=True, eq=False)
class Patterns:
    """Rows sorted by their pattern of missingness.

    Attributes:
        order: (n,) positions of the rows by pattern; within a pattern, rows to learn from come first, sorted by key.
        starts: (P + 1,) where each pattern begins in `order`.
        fitted_rows: (P,) number of rows to learn from in each pattern.
    """

    order: NDArray[np.intp]
    starts: NDArray[np.int64]
    fitted_rows: NDArray[np.int64]


def patterns(missing: NDArray[np.bool_], keys: Keys, learn: NDArray[np.bool_] | None = None) -> Patterns:
    """Groups rows by their (n, c) flags: by the last flag, then the most frequent pattern first, then by all flags."""
    bits = np.packbits(missing[:, missing.any(axis=0)], axis=1)
    padded = np.ascontiguousarray(np.pad(bits, ((0, 0), (0, -bits.shape[1] % 4))))
    words = padded.view(np.uint32).astype(np.uint64).T
    code = words[0] if len(words) else np.zeros(len(missing), np.uint64)
    for word in words[1:]:
        code = np.unique(code << np.uint64(32) | word, return_inverse=True)[1].astype(np.uint64)
    known, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    learners = np.ones(len(code), bool) if learn is None else learn
    fitted_rows = np.bincount(inverse, learners, len(known)).astype(np.int64)
    turn = np.lexsort((known, -fitted_rows, missing[first, -1]))
    rank = np.empty(len(known), np.int64)
    rank[turn] = np.arange(len(known))
    order = np.lexsort((keys, ~learners, rank[inverse]))
    sizes = np.bincount(rank[inverse], minlength=len(known))
    return Patterns(order, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), fitted_rows[turn])


@dataclass(frozen=True, slots=True, eq=False)
class Regressions:
    """The regressions of some draws, one for each incomplete column and cycle.

    Attributes:
        keys: (m,) keys of each draw's random numbers.
        cycles: number of cycles of each draw.
        b: (m, cycles x steps, q) coefficients.
        sigma: (m, cycles x steps) residual standard deviations.
        traced: (m, cycles x steps, 3) count, sum and sum of squares of the imputed values.
        moments: (m, cycles, w + 1, w + 1) mean products of ones and the watched columns after each cycle.
    """

    keys: Keys
    cycles: int
    b: Cube
    sigma: Matrix
    traced: Cube
    moments: Cube

    def only(self, begin: int, end: int) -> "Regressions":
        """The regressions of some of the draws."""
        some = slice(begin, end)
        parts = self.b[some], self.sigma[some], self.traced[some], self.moments[some]
        return Regressions(self.keys[some], self.cycles, *parts)


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """A matrix whose incomplete columns are regressed on all others in turn, ready for draws.

    A draw takes parameters from their posterior, and noise of imputed values, so that cross-products are those of one
    imputation: noise e enters a pattern as x'e, Normal(0, sigma^2 x'x), and e'e, chi-square. Patterns with no more rows
    than columns are used as rows. In their first cycle, columns are regressed only on complete columns and on those
    before them, from the cross-products at the end of the expectations. Columns that are missing together are therefore
    drawn jointly, and a column that another one determines does not stay at its starting value.

    Attributes:
        x: (n, q) the matrix, ones first; 0 where a value is missing; sorted by pattern.
        keys: (n,) keys of the rows.
        starts: (P + 1,) where each pattern begins.
        fitted_rows: (P,) number of rows to learn from in each pattern.
        missing: (P, q) missing columns of the matrix.
        steps: incomplete columns in the order of the regressions.
        leading: number of steps whose columns are missing in rows to learn from; these come first.
        equations: the kernel's equations.
        b: (cycles x steps, q) coefficients of the cycles of expectations.
        sigma: (cycles x steps,) their residual standard deviations.
        changes: largest change of a coefficient, by cycle of expectations.
        left_out: number of redundant predictors by step; -1 where there are too few rows for any predictor.
    """

    x: Matrix
    keys: Keys
    starts: NDArray[np.int64]
    fitted_rows: NDArray[np.int64]
    missing: NDArray[np.uint8]
    steps: Sequence[int]
    leading: int
    equations: _kernel.Equations
    b: Matrix
    sigma: Vector
    changes: Sequence[float]
    left_out: Sequence[int]

    @property
    def cycles(self) -> int:
        """The number of cycles in which draws forget their start: rate^(2 k) = 1 % of the variance, and at least 10.

        It is one for nested missingness, where the start is already a joint draw. Otherwise it is at least ten, because
        draws forget more slowly than expectations converge: with 4 cycles the variance between draws of nhanes was 20 %
        too small at a rate of 0.13.
        """
        missing = self.missing[self.fitted_rows > 0][:, list(self.steps[: self.leading])]
        if not (missing[:, :-1] > missing[:, 1:]).any():
            return 1
        wished = int(np.clip(np.ceil(np.log(0.01) / (2 * np.log(_rate(self.changes)))), *CYCLES))
        return min(wished, max(10, STEPS // max(self.leading, 1)))

    def drawn(
        self, keys: Keys, cycles: int, watched: Sequence[int] = (), progress: Progress | None = None
    ) -> Regressions:
        """Draws, which depend on their keys only, distributed over threads."""
        m, steps, q, places = len(keys), len(self.steps), self.x.shape[1], [0, *watched]
        count = cycles * steps
        b, sigma, traced = np.zeros((m, count, q)), np.zeros((m, count)), np.zeros((m, count, 3))
        regressions = Regressions(keys, cycles, b, sigma, traced, np.zeros((m, cycles, len(places), len(places))))
        flat = b.ravel(), sigma.ravel(), traced.ravel(), regressions.moments.ravel()
        self.equations.draw(np.asarray(keys, np.uint64), cycles, places, *flat, threads(), progress)
        return regressions

    def values(self, columns: Sequence[int], regressions: Regressions | None) -> Cube:
        """(m, n, c) values of some columns where they are missing, 0 elsewhere; without draws the expected values."""
        m = 1 if regressions is None else len(regressions.keys)
        out = np.zeros((m, len(self.x), len(columns)))
        self._fill(columns, range(len(columns)), regressions, out)
        return out

    def filled(self, regressions: Regressions | None, out: Matrix | None = None) -> Matrix:
        """(n, q) the matrix with all missing values of one draw, or the expected ones; `out` is an array to reuse."""
        out = self.x.copy() if out is None else out
        self._fill(self.steps, self.steps, regressions, out)
        return out

    def _fill(
        self, columns: Sequence[int], places: Sequence[int], regressions: Regressions | None, out: NDArray[np.float64]
    ) -> None:
        none = np.zeros(0)
        _kernel.fill_pattern_matrix(
            self.x.ravel(),
            self.starts,
            self.missing.ravel(),
            self.keys,
            list(self.steps),
            self.b.ravel(),
            self.sigma,
            regressions.b.ravel() if regressions else none,
            regressions.sigma.ravel() if regressions else none,
            regressions.keys if regressions else np.zeros(0, np.uint64),
            list(columns),
            list(places),
            out.ravel(),
            threads(),
        )


def chain(
    x: Matrix,
    missing: NDArray[np.bool_],
    keys: Keys,
    found: Patterns,
    steps: Sequence[int],
    deltas: Mapping[int, Delta],
) -> Chain:
    """The chain of a matrix (n, q) that is sorted by pattern, after its cycles of expectations.

    Args:
        x: the matrix, ones first; 0 where a value is missing.
        missing: (P, q) missing columns of each pattern.
        keys: (n,) keys of the rows.
        found: the patterns.
        steps: incomplete columns, in the order of the regressions. Columns that are complete in all rows to learn from
            come last, since they change nothing for the others.
        deltas: departures from missing at random, by column.
    """
    q, flags = x.shape[1], np.ascontiguousarray(missing, np.uint8)
    stated = [deltas.get(step, Delta(1.0, np.zeros(q))) for step in steps]
    leading = int(np.count_nonzero(missing[found.fitted_rows > 0][:, list(steps)].any(axis=0)))
    equations = _kernel.Equations(
        q, list(steps), leading, [d.scale for d in stated], [s for d in stated for s in d.shift]
    )
    # the kernel numbers the patterns of many rows first
    turn = np.argsort(-found.fitted_rows, kind="stable")[: max(1, PATTERN_CELLS // (q * q))]
    turn = turn[found.fitted_rows[turn] > 0]
    for pattern in turn:
        rows = x[found.starts[pattern] : found.starts[pattern] + found.fitted_rows[pattern]]
        equations.add(float(len(rows)), flags[pattern], (rows.T @ rows).ravel())
    many = int((found.fitted_rows[turn] > q).sum())
    _keep(equations, x, found, flags, np.setdiff1d(np.arange(len(flags)), turn[:many]))
    most = max(1, min(START_CYCLES, max(5, STEPS // max(leading, 1))))
    b, sigma = np.zeros((most * len(steps), q)), np.zeros(most * len(steps))
    changes, left_out = equations.expect(most, STILL, many, b.ravel(), sigma)
    count = len(changes) * len(steps)
    fits = b[:count], sigma[:count], changes, left_out
    return Chain(x, keys, found.starts, found.fitted_rows, flags, steps, leading, equations, *fits)


def _keep(
    equations: _kernel.Equations, x: Matrix, found: Patterns, flags: NDArray[np.uint8], rare: NDArray[np.intp]
) -> None:
    """Keeps the rows of rare patterns, a systematic sample of them, each pattern by its share."""
    stride = max(1, -(-int(found.fitted_rows[rare].sum()) // KEPT_ROWS))
    seen = 0
    for pattern in rare:
        begin, count = int(found.starts[pattern]), int(found.fitted_rows[pattern])
        rows = x[begin + (-seen) % stride : begin + count : stride]
        seen += count
        if len(rows):
            equations.keep(rows.ravel(), flags[pattern])


def threads() -> int:
    """The number of parallel threads."""
    return os.cpu_count() or 1


def _rate(changes: Sequence[float]) -> float:
    """The rate of convergence over the last three cycles; a half if there are too few cycles to tell."""
    last = [change for change in changes[-4:] if change > 0]
    if len(last) < 3:
        return 0.5
    return float(np.clip((last[-1] / last[0]) ** (1 / (len(last) - 1)), 0.05, 0.97))
