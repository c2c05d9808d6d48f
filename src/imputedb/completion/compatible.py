"""Draws compatible with a substantive model, whose terms may include interactions and squares.

Substantive model compatible fully conditional specification (Bartlett, Seaman, White & Carpenter 2015; R's smcfcs).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.completion.substantive import Drawn, drawn
from imputedb.completion.terms import Formula
from imputedb.errors import DataError
from imputedb.imputers import random
from imputedb.imputers.chained import multinomial, regression
from imputedb.imputers.chained.augmentation import augmented
from imputedb.imputers.chained.column_model import Matrix, Vector
from imputedb.imputers.chained.trace import Trace
from imputedb.notes import Note, NoteKind

PROPOSED = (1, 1, 1, 1, 2, 4, 8, 16, 32)
"""Number of proposals for a row at a time; a row that accepts none is drawn on a grid."""

GRID = np.linspace(-8, 8, 1601)
"""Half-width of the grid in standard deviations around the mean of the model without the outcome."""

AT_ONCE = 200_000
"""Number of grid points that are evaluated at a time."""

Flags = NDArray[np.bool_]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """A column of the formula.

    Attributes:
        column: the column.
        values: (n,) its numbers; for categories their codes.
        missing: (n,) whether the value is missing.
        levels: codes of the categories; empty for numbers.
        whole: whether the values are whole numbers.
    """

    column: Column
    values: Vector
    missing: Flags
    levels: tuple[float, ...] = ()
    whole: bool = False

    @property
    def name(self) -> str:
        """Name of the column."""
        return self.column.name


@dataclass(eq=False)
class Compatible:
    """A chain for the columns of a formula.

    In each cycle each incomplete column x of the right-hand side is drawn again:

    1. The parameters of the substantive model are drawn from their posterior, given all rows as currently completed.
    2. So are the parameters of a model of x given the other columns of the right-hand side: linear with normal errors
       for numbers, logistic or multinomial for categories.
    3. x is drawn with density proportional to p(x | others) p(y | x, others). Categories are drawn directly, numbers
       by rejection: a value proposed from the first factor is accepted with probability proportional to the
       second factor. A row that accepts none of some dozen proposals is drawn on a fine grid.

    A missing y is drawn from the substantive model. Random numbers depend on seed, draw, cycle, column and row.

    Attributes:
        formula: formula of the substantive model.
        model: `ols` or `logit`.
        outcome: y.
        variables: columns of the right-hand side, in the order in which they are drawn.
        keys: (n,) keys of the rows.
        seed: seed of all draws.
        cycles: number of cycles.
    """

    formula: Formula
    model: str
    outcome: Variable
    variables: Sequence[Variable]
    keys: NDArray[np.uint64]
    seed: int
    cycles: int
    _scale: tuple[Vector, Vector] = field(init=False)

    def __post_init__(self) -> None:
        raw = self.formula.matrix(self._started(0), len(self.keys))
        if not np.isfinite(raw).all():
            where = int((~np.isfinite(raw)).any(axis=1).sum())
            raise DataError(f"{self.formula.text!r} has no value in {where} rows: leave them out in a SELECT")
        centre, deviation = raw.mean(axis=0), raw.std(axis=0)
        steady = deviation <= 1e-12 * np.abs(raw).max(axis=0, initial=0.0)
        intercept = frozenset() in self.formula.terms
        self._scale = np.where(steady | (not intercept), 0.0, centre), np.where(steady, 1.0, deviation)

    def draw(self, number: int, trace: Trace) -> dict[str, Vector]:
        """One draw: the values of missing cells by incomplete column."""
        now, y = self._started(number), self._outcome(number)
        missing = [one for one in (*self.variables, self.outcome) if one.missing.any()]
        lost: dict[str, int] = {}
        self._record(now, y, missing, trace)
        for cycle in range(1, self.cycles + 1):
            for one in self.variables:
                if one.missing.any():
                    self._step(one, now, y, (number, cycle), lost)
            if self.outcome.missing.any():
                self._renew(now, y, (number, cycle))
            self._record(now, y, missing, trace)
        for one in self.variables:
            if one.name in lost:
                message = "of some cells no value goes with the outcome: they keep the one that they started with"
                trace.note(one.column, Note(NoteKind.FALLBACK, one.name, message))
        found = {one.name: now[one.name][one.missing] for one in self.variables if one.missing.any()}
        return found | ({self.outcome.name: y[self.outcome.missing]} if self.outcome.missing.any() else {})

    def _started(self, number: int) -> dict[str, Vector]:
        """The columns, with missing cells filled by random observed values."""
        return {one.name: self._filled(one, number) for one in self.variables}

    def _outcome(self, number: int) -> Vector:
        return self._filled(self.outcome, number)

    def _filled(self, one: Variable, number: int) -> Vector:
        values, donors = one.values.copy(), np.sort(one.values[~one.missing])
        chance = random.uniform(self.keys[one.missing], self.seed, number, "start", one.name)
        values[one.missing] = donors[(chance * len(donors)).astype(np.intp)]
        return values

    def _matrix(self, values: Mapping[str, Vector], count: int) -> Matrix:
        return np.asarray((self.formula.matrix(values, count) - self._scale[0]) / self._scale[1])

    def _fit(self, now: Mapping[str, Vector], y: Vector, what: tuple[int | str, ...]) -> Drawn:
        generator = random.generator(self.seed, *what, "substantive")
        return drawn(self.model, self._matrix(now, len(y)), y, generator)

    def _renew(self, now: Mapping[str, Vector], y: Vector, what: tuple[int, int]) -> None:
        """Draws the missing cells of the outcome."""
        keys, missing = self.keys[self.outcome.missing], self.outcome.missing
        fit = self._fit(now, y, (*what, self.outcome.name))
        some = {name: values[missing] for name, values in now.items()}
        about = (self.seed, *what, self.outcome.name)
        noise, chance = random.normal(keys, *about, "normal"), random.uniform(keys, *about, "uniform")
        y[missing] = fit.outcome(self._matrix(some, len(keys)), noise, chance)

    def _step(
        self, one: Variable, now: dict[str, Vector], y: Vector, what: tuple[int, int], lost: dict[str, int]
    ) -> None:
        """Draws the missing cells of a column of the right-hand side."""
        fit, places = self._fit(now, y, (*what, one.name)), np.flatnonzero(one.missing)
        features, generator = self._features(one, now), random.generator(self.seed, *what, one.name, "covariate")
        step = _Step(self, one, now, y, fit, (self.seed, *what, one.name))
        if one.levels:
            values = step.chosen(places, self._chances(one, features, now[one.name], generator)[places])
        else:
            beta, sigma = regression.of_rows(features, now[one.name]).drawn(generator)
            values, count = step.accepted(places, (features @ beta)[places], sigma)
            if count:
                lost[one.name] = lost.get(one.name, 0) + count
        now[one.name][places] = values

    def _chances(self, one: Variable, features: Matrix, values: Vector, generator: np.random.Generator) -> Matrix:
        """(n, levels) the probabilities of categories given the other columns without the outcome."""
        codes, count = np.searchsorted(np.array(one.levels), values).astype(np.float64), len(one.levels)
        beta, root = multinomial.fitted(*augmented(features, codes, count), count)
        noise = root @ generator.standard_normal(root.shape[1])
        return multinomial.chances(features, beta + noise.reshape(beta.shape))

    def _features(self, one: Variable, now: Mapping[str, Vector]) -> Matrix:
        """(n, p) an intercept and the other columns of the right-hand side, categories as indicators."""
        blocks = [np.ones((len(self.keys), 1))]
        for other in self.variables:
            if other is one:
                continue
            values = now[other.name]
            if other.levels:
                blocks.append((values[:, None] == np.array(other.levels[1:])).astype(np.float64))
            else:
                blocks.append(((values - values.mean()) / (values.std() or 1.0))[:, None])
        return np.concatenate(blocks, axis=1)

    def _record(self, now: Mapping[str, Vector], y: Vector, missing: Sequence[Variable], trace: Trace) -> None:
        """Records means of the completed columns in the trace."""
        values = {one.column: y if one is self.outcome else now[one.name] for one in missing}
        for one in missing:
            filled = values[one.column][one.missing]
            trace.add(one.column, float(filled.mean()), float(filled.std()))
            trace.methods[one.column] = f"{self.model}, {self.formula.text}"
        trace.watched = tuple(values)
        whole = np.column_stack([np.ones(len(self.keys)), *values.values()])
        trace.moments.append(whole.T @ whole / len(whole))


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """The draw of one column in a cycle."""

    chain: Compatible
    one: Variable
    now: Mapping[str, Vector]
    y: Vector
    fit: Drawn
    what: tuple[int | str, ...]

    def _log_chance(self, rows: Places, values: Vector) -> Vector:
        """Relative log-likelihood of the outcomes of some rows for given values of the column; -inf where undefined."""
        some = {name: column[rows] for name, column in self.now.items()} | {self.one.name: values}
        x = self.chain._matrix(some, len(rows))
        sound = np.isfinite(x).all(axis=1)
        found = np.full(len(rows), -np.inf)
        found[sound] = self.fit.log_chance(self.y[rows][sound], x[sound])
        return found

    def chosen(self, places: Places, prior: Matrix) -> Vector:
        """(k,) a category for each row, drawn with probability proportional to prior times likelihood."""
        logs = [self._log_chance(places, np.full(len(places), level)) for level in self.one.levels]
        weights = prior * np.exp(np.stack(logs, axis=1))
        weights = np.where(weights.sum(axis=1, keepdims=True) > 0, weights, prior)
        picked = multinomial.picked(weights, random.uniform(self.chain.keys[places], *self.what, "value"))
        return np.array(self.one.levels)[picked.astype(np.intp)]

    def accepted(self, places: Places, centre: Vector, sigma: float) -> tuple[Vector, int]:
        """(k,) a number for each row, and the number of rows without an accepted value, which keep their old one."""
        values, left, attempt = self.now[self.one.name][places].copy(), np.arange(len(places)), 0
        for size in PROPOSED:
            if not len(left):
                break
            proposed, fine = self._proposed(places[left], centre[left], sigma, attempt, size)
            some = fine.any(axis=1)
            values[left[some]] = proposed[some, fine[some].argmax(axis=1)]
            left, attempt = left[~some], attempt + size
        none = 0
        for start in range(0, len(left), AT_ONCE // len(GRID)):
            part = left[start : start + AT_ONCE // len(GRID)]
            found, sound = self._on_grid(places[part], centre[part], sigma)
            values[part] = np.where(sound, found, values[part])
            none += int(np.count_nonzero(~sound))
        return values, none

    def _proposed(
        self, rows: Places, centre: Vector, sigma: float, attempt: int, size: int
    ) -> tuple[Matrix, NDArray[np.bool_]]:
        """(k, size) proposed values, and whether each is accepted."""
        turn = np.tile(np.arange(attempt, attempt + size, dtype=np.uint64), len(rows))
        keys = random.mixed(random.mixed(np.repeat(self.chain.keys[rows], size)) ^ turn)
        noise = random.normal(keys, *self.what, "proposal").reshape(len(rows), size)
        proposed = self._rounded(centre[:, None] + sigma * noise)
        logs = self._log_chance(np.repeat(rows, size), proposed.ravel())
        return proposed, (np.log(random.uniform(keys, *self.what, "accept")) < logs).reshape(len(rows), size)

    def _on_grid(self, rows: Places, centre: Vector, sigma: float) -> tuple[Vector, NDArray[np.bool_]]:
        """(k,) a value for each row, drawn from the density on a grid, and whether the density is positive anywhere."""
        proposed = self._rounded(centre[:, None] + sigma * GRID)
        logs = self._log_chance(np.repeat(rows, len(GRID)), proposed.ravel()).reshape(proposed.shape) - GRID**2 / 2
        most = logs.max(axis=1, keepdims=True)
        sound = np.isfinite(most[:, 0])
        weights = np.exp(np.where(sound[:, None], logs - np.where(sound[:, None], most, 0.0), 0.0))
        keys = self.chain.keys[rows]
        picked = multinomial.picked(weights, random.uniform(keys, *self.what, "grid")).astype(np.intp)
        within = (random.uniform(keys, *self.what, "within") - 0.5) * (GRID[1] - GRID[0])
        return self._rounded(centre + sigma * (GRID[picked] + within)), sound

    def _rounded(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.rint(values) if self.one.whole else values
