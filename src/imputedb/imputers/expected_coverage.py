"""The expected coverage of intervals that are pooled from donors' values, from a regression, and notes on few donors.

For an estimate that is linear in the missing values, sum g_i y_i (a mean, a slope), four things follow from the
regression before any draw is made:

1. The bias: the expected value of each missing cell, less the mean expected value of its nearest donors (surface.py).
   Donors' values cannot follow a relation beyond the range of the donors.
2. The variance V of the imputation error, sum g_i^2 s_i^2 + sum u_j^2 e_j^2: residuals of the missing cells, and
   residuals of the donors, u_j the total weight of donor j. It grows as more missing cells share the same few donors.
3. The part of V that appears as variance between draws. If each draw finds its donors in its own bootstrap sample, it
   is all of V. If all draws find them in the same rows (`pmm`), it is the variance among five donors, and the variance
   that drawn coefficients add.
4. The uncertainty of V. If few residuals make up V, its estimate varies; if these are skewed, it is too small exactly
   when the error is large.

The coverage is the probability that the error, normal but for 4, lies within the interval. For a population the
sampling variance is added on both sides. The note is about the worst of the mean and the slopes on predictors, and
names the cause that alone would lower the coverage most.

Notes on few donors concern skewed columns: their intervals need many donors near the missing values.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Matrix, Vector
from imputedb.imputers.random import generator
from imputedb.imputers.regression_line import RegressionLine
from imputedb.imputers.surface import SortedDonors, Surface, sorted_donors
from imputedb.notes import Note, NoteKind, Question
from imputedb.statistics.skewness import PER_INFLUENCES, PER_SKEWNESS, by_chance, weighted

DOUBTED = 0.875
"""Coverage of a 95 % interval below which a note warns (docs/decisions/inference.md)."""

TURNS = 40
"""Number of draws of the coefficients, for the variance that they add."""

BENT = 0.6
"""Factor of the bias where trees follow a curve: their donors are nearer than those found by predictions."""

NORMAL = 1.959964
"""Half-width of a 95 % interval in standard errors."""

MOST_UNSURE = 0.6


@dataclass(frozen=True, slots=True)
class ExpectedError:
    """The components of one estimate's error, before any draw is made.

    Attributes:
        slope: whether the estimate is a slope; otherwise it is a mean.
        needed: variance of the imputation error, about the value of the complete table.
        sampled: sampling variance of the estimate in the complete table, about the population.
        bias: expected error of the draws.
        shown: the part of `needed` that appears as variance between draws.
        dispersion: squared relative error of `needed`; it has 2 / unsure degrees of freedom.
        skew_shift: shift of the standardised error that skewed residuals cause.
    """

    slope: bool
    needed: float
    sampled: float
    bias: float
    shown: float
    dispersion: float
    skew_shift: float

    def covered(self, question: Question) -> float:
        """The expected coverage of intervals of 95 %."""
        from scipy import special

        everything = self.needed + self._beside(question)
        part = self.needed / everything
        reach = NORMAL * np.sqrt((self.shown + self._beside(question)) / everything)
        off = self.bias / np.sqrt(everything) - self.skew_shift * part**1.5
        wide = 1 / np.sqrt(1 - min(self.dispersion * part**2, MOST_UNSURE))
        return float(special.ndtr((reach - off) / wide) - special.ndtr((-reach - off) / wide))

    def standardised_bias(self, question: Question) -> float:
        """The bias in standard errors."""
        return float(abs(self.bias) / np.sqrt(self.needed + self._beside(question)))

    @property
    def ratio(self) -> float:
        """The ratio of the standard deviation that draws show to the one that they should show."""
        return float(np.sqrt(self.shown / self.needed))

    def causes(self) -> dict[NoteKind, "ExpectedError"]:
        """The same estimate with only one cause of low coverage, by cause."""
        sure = replace(self, bias=0.0, shown=self.needed, dispersion=0.0, skew_shift=0.0)
        return {
            NoteKind.BEYOND: replace(sure, bias=self.bias),
            NoteKind.NARROW: replace(sure, shown=self.shown),
            NoteKind.SKEWED: replace(sure, dispersion=self.dispersion, skew_shift=self.skew_shift),
        }

    def _beside(self, question: Question) -> float:
        return self.sampled if question == "population" else 0.0


@dataclass(frozen=True, slots=True)
class Matching:
    """The way in which an imputer finds donors.

    Attributes:
        imputer: name of the imputer.
        by_line: whether donors are matched by linear predictions only; trees also use the columns of a curved relation.
        same: whether all draws have the same potential donors, not a bootstrap sample each.
    """

    imputer: str
    by_line: bool
    same: bool


def coverage_notes(found: RegressionLine, there: Surface, matching: Matching) -> Iterator[Note]:
    """Notes on intervals with low expected coverage, about a population and about the complete table's answer.

    Args:
        found: the regression line.
        there: the expected values.
        matching: the way in which donors are found.
    """
    known = expected_errors(found, there, matching)
    questions: tuple[Question, ...] = ("population", "answer")
    for question in questions if known else ():
        worst = min(known, key=lambda one: one.covered(question))
        if worst.covered(question) < DOUBTED:
            causes = worst.causes()
            kind = min(causes, key=lambda one: causes[one].covered(question))
            about = "a population" if question == "population" else "the complete table's answer"
            holds = f"of intervals of 95 % about {about} some {worst.covered(question):.0%} will hold"
            words = f"{_because(kind, worst, question, matching, bent=bool(len(there.weights)))}; {holds}"
            way = "; take pmmboot or tree" if kind is NoteKind.NARROW else ""
            yield Note(kind, found.column, found.column, f": {words}{way}").of(question)


def _because(kind: NoteKind, worst: ExpectedError, question: Question, matching: Matching, *, bent: bool) -> str:
    what, they = ("slopes", "they") if worst.slope else ("its mean", "it")
    match kind:
        case NoteKind.NARROW:
            differ = "differ" if worst.slope else "differs"
            return (
                f"draws by {matching.imputer} vary too little: rows that miss it find the same few donors in each, so "
                f"that {what} {differ} from draw to draw by {worst.ratio:.2f} of what {they} should"
            )
        case NoteKind.SKEWED:
            return (
                f"how far {what} may be off rests on few values that are far out, as on "
                f"{2 / worst.dispersion:.0f} rows like others, among those that rows which miss it take theirs from"
            )
        case _ if bent and matching.by_line:
            return (
                f"{matching.imputer} finds donors by a straight line, and it bends with what predicts it; that puts "
                f"{what} by {worst.standardised_bias(question):.1f} standard errors off"
            )
        case _:
            line = "a curve" if bent else "a straight line"
            return (
                f"rows that miss it lie beyond those that have it, so that no donor's value is as far out as {line} "
                f"expects; that puts {what} by {worst.standardised_bias(question):.1f} standard errors off"
            )


def expected_errors(found: RegressionLine, there: Surface, matching: Matching) -> list[ExpectedError]:
    """The error components of the mean, of the slope on the line, and of the slopes on each predictor.

    Args:
        found: the regression line.
        there: the expected values.
        matching: the way in which donors are found.
    """
    known, wanted = there.expected(found)
    rungs = sorted_donors(found.fitted_values[0])
    near = rungs.nearest(found.fitted_values[1]) if matching.by_line else there.near()
    values = found.in_own_units(found.y)
    left = values - known
    noise = (left**2)[near].mean(axis=1)
    off = (known[near].mean(axis=1) - wanted) * (BENT if len(there.weights) and not matching.by_line else 1.0)
    moved = _moved(found, rungs, values) if matching.same else None
    apart = np.concatenate([values, wanted]) - np.concatenate([known, wanted]).mean()
    spread = float(apart @ apart) + float(noise.sum())
    out = []
    for slope, here, gaps in _numbers(found):
        uses, squares = (_by_donor(near, one, len(values)) for one in (gaps, gaps**2))
        own = (uses**2 + squares) * left**2
        needed = shown = float(own.sum())
        if needed <= 0:
            continue
        if moved is not None:
            shown = min(needed, float(gaps**2 @ values[near].var(axis=1) + np.var(moved @ gaps, ddof=1)))
        sampled = float(here**2 @ left**2 + gaps**2 @ noise) if slope else spread
        lean = float(uses * left @ own) / needed**1.5 / 2
        out.append(ExpectedError(slope, needed, sampled, float(gaps @ off), shown, float(own @ own) / needed**2, lean))
    return out


def _by_donor(near: NDArray[np.intp], gaps: Vector, rows: int) -> Vector:
    """(rows,) the total weight of each donor; the weight of a missing cell is split equally among its donors."""
    return np.asarray(np.bincount(near.ravel(), np.repeat(gaps / near.shape[1], near.shape[1]), rows), np.float64)


def _numbers(found: RegressionLine) -> Iterator[tuple[bool, Vector, Vector]]:
    """Whether it is a slope, and (n,) and (g,) weights of observed and missing cells: of the mean, then of slopes."""
    yield False, np.ones(len(found.y)), np.ones(len(found.gaps))
    for here, gaps in (found.fitted_values, *zip(found.x.T[1:], found.gaps.T[1:], strict=True)):
        centre = np.concatenate([here, gaps]).mean()
        yield True, here - centre, gaps - centre


def _moved(found: RegressionLine, rungs: SortedDonors, values: Vector) -> Matrix:
    """(turns, g) the mean of each missing cell's donors, by drawn coefficients."""
    turns = generator("line", "coefficients")
    drawn = np.stack([found.model.drawn(turns)[0] for _ in range(TURNS)])
    return np.asarray(rungs.means(values, (drawn @ found.gaps.T).ravel()).reshape(TURNS, -1))


def few_donors(found: RegressionLine, there: Surface) -> Iterator[Note]:
    """A note on a skewed column of which few donors are near the missing values.

    A row's weight is one, plus the number of missing cells that it is expected to give its value to.
    """
    near = there.near()
    weights = 1 + np.bincount(near.ravel(), minlength=len(found.y)) / near.shape[1]
    rows = found.times * float(weights.sum() ** 2 / (weights @ weights))
    values, along = found.in_own_units(found.y), found.fitted_values[0]
    share = weights / weights.sum()
    values, along = values - share @ values, along - share @ along
    spread = float(share @ along**2)
    slope = float(share @ (along * values)) / spread if spread > 0 else 0.0
    mean = weighted(values, weights)
    influence = weighted(along * (values - slope * along), weights)
    lacking = PER_SKEWNESS * (mean**2 - float(by_chance(np.array(rows)))), PER_INFLUENCES * influence**2
    if max(lacking) > rows:
        what = f"a skewness of {mean:.1f}" if lacking[0] >= lacking[1] else f"a skewness of {influence:.1f} in slopes"
        yield Note(
            NoteKind.SKEWED,
            found.column,
            found.column,
            f": with {what}, what {rows:,.0f} rows say of the missing ones is too little for intervals "
            "that cover as told",
        )
