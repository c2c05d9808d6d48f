"""How often intervals hold that are pooled from donors' values, as a regression foretells it, and donors too few.

Of a number that is linear in the gaps, sum g_i y_i (a mean, a slope), this is known before anything is drawn:

1. Its bias: what the regression expects of each gap, less what it expects of the donors near (surface.py). Donors'
   values cannot follow a relation to where no donor is.
2. What is not known of it, V = sum g_i^2 s_i^2 + sum u_j^2 e_j^2: the gaps' own residuals, and those of the donors, u_j
   what a donor stands for; the more gaps take the same few, the more.
3. How much of that draws show. Where each finds its donors anew (a bootstrap, trees), all of it. Where all find them in
   the same rows (`pmm`), what five donors differ by, and what the line's drawn coefficients move.
4. How sure that is: where few residuals make up V, draws take it for more or less than it is, and where these are
   skewed, for less just when they are off.

The interval then holds as often as the error of such a number, normal but for 4, lies within what draws show; about a
population the variance within draws is in both. The worst of the mean and of slopes on what predicts is told of, by the
cause that alone would cost most.

Of few donors: an interval of a skewed column needs many, and what is missing lies on those that are near.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Matrix, Vector
from imputedb.imputers.random import generator
from imputedb.imputers.straight import Line
from imputedb.imputers.surface import Ladder, Surface, ladder
from imputedb.notes import Note, NoteKind, Question
from imputedb.statistics.skewness import PER_INFLUENCES, PER_SKEWNESS, by_chance, weighted

DOUBTED = 0.875
"""The share of intervals of 95 % that is foretold to hold below which it is said (docs/decisions/inference.md)."""

TURNS = 40
"""Draws of the line's coefficients that tell how far these move what is matched."""

BENT = 0.6
"""The part of a bias that is counted where trees follow a bend: their donors are nearer than those by it."""

NORMAL = 1.959964
"""Standard errors that an interval of 95 % reaches to each side."""

MOST_UNSURE = 0.6


@dataclass(frozen=True, slots=True)
class Foretold:
    """What is known of one number before anything is drawn.

    Attributes:
        slope: whether it is a slope; else a mean.
        needed: variance of what is not known of the complete table's number.
        sampled: variance of that number itself, as a sample's of a population.
        bias: what draws are off by.
        shown: the part of `needed` that draws show.
        unsure: squared relative error of `needed`, as of 2 / unsure degrees of freedom.
        lean: by how much what is far out moves the error in its own units, one way.
    """

    slope: bool
    needed: float
    sampled: float
    bias: float
    shown: float
    unsure: float
    lean: float

    def covered(self, question: Question) -> float:
        """The share of intervals of 95 % that hold."""
        from scipy import special

        everything = self.needed + self._beside(question)
        part = self.needed / everything
        reach = NORMAL * np.sqrt((self.shown + self._beside(question)) / everything)
        off = self.bias / np.sqrt(everything) - self.lean * part**1.5
        wide = 1 / np.sqrt(1 - min(self.unsure * part**2, MOST_UNSURE))
        return float(special.ndtr((reach - off) / wide) - special.ndtr((-reach - off) / wide))

    def off(self, question: Question) -> float:
        """The bias in standard errors."""
        return float(abs(self.bias) / np.sqrt(self.needed + self._beside(question)))

    @property
    def ratio(self) -> float:
        """The standard deviation that draws show by the one that they should."""
        return float(np.sqrt(self.shown / self.needed))

    def causes(self) -> dict[NoteKind, "Foretold"]:
        """The number, had it but one cause to be covered rarely."""
        sure = replace(self, bias=0.0, shown=self.needed, unsure=0.0, lean=0.0)
        return {
            NoteKind.BEYOND: replace(sure, bias=self.bias),
            NoteKind.NARROW: replace(sure, shown=self.shown),
            NoteKind.SKEWED: replace(sure, unsure=self.unsure, lean=self.lean),
        }

    def _beside(self, question: Question) -> float:
        return self.sampled if question == "population" else 0.0


@dataclass(frozen=True, slots=True)
class Matching:
    """How donors are found.

    Attributes:
        imputer: the name of what draws.
        by_line: whether by a straight line's predictions alone; else as trees do, by what it bends with too.
        same: whether all draws find them in the same rows, and not each in a bootstrap of its own.
    """

    imputer: str
    by_line: bool
    same: bool


def short(found: Line, there: Surface, matching: Matching) -> Iterator[Note]:
    """What is said, about a population and about the table's answer, of intervals that will hold too rarely.

    Args:
        found: the line.
        there: what is expected by it.
        matching: how donors are found.
    """
    known = foretold(found, there, matching)
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


def _because(kind: NoteKind, worst: Foretold, question: Question, matching: Matching, *, bent: bool) -> str:
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
                f"how far {what} may be off rests on few values that are far out, as on {2 / worst.unsure:.0f} rows "
                "like others, among those that rows which miss it take theirs from"
            )
        case _ if bent and matching.by_line:
            return (
                f"{matching.imputer} finds donors by a straight line, and it bends with what predicts it; that puts "
                f"{what} by {worst.off(question):.1f} standard errors off"
            )
        case _:
            line = "a curve" if bent else "a straight line"
            return (
                f"rows that miss it lie beyond those that have it, so that no donor's value is as far out as {line} "
                f"expects; that puts {what} by {worst.off(question):.1f} standard errors off"
            )


def foretold(found: Line, there: Surface, matching: Matching) -> list[Foretold]:
    """What is known of the mean, and of slopes on the line and on each column that predicts.

    Args:
        found: the line.
        there: what is expected by it.
        matching: how donors are found.
    """
    known, wanted = there.expected(found)
    rungs = ladder(found.ends[0])
    near = rungs.nearest(found.ends[1]) if matching.by_line else there.near()
    values = found.own(found.y)
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
        out.append(Foretold(slope, needed, sampled, float(gaps @ off), shown, float(own @ own) / needed**2, lean))
    return out


def _by_donor(near: NDArray[np.intp], gaps: Vector, rows: int) -> Vector:
    """(rows,) what each donor is given of what gaps count for, of which their donors take equal parts."""
    return np.asarray(np.bincount(near.ravel(), np.repeat(gaps / near.shape[1], near.shape[1]), rows), np.float64)


def _numbers(found: Line) -> Iterator[tuple[bool, Vector, Vector]]:
    """Whether it is a slope, and (n,) and (g,) what rows count for in it: of the mean, and of slopes."""
    yield False, np.ones(len(found.y)), np.ones(len(found.gaps))
    for here, gaps in (found.ends, *zip(found.x.T[1:], found.gaps.T[1:], strict=True)):
        centre = np.concatenate([here, gaps]).mean()
        yield True, here - centre, gaps - centre


def _moved(found: Line, rungs: Ladder, values: Vector) -> Matrix:
    """(turns, g) the mean of each gap's donors by drawn coefficients."""
    turns = generator("line", "coefficients")
    drawn = np.stack([found.model.drawn(turns)[0] for _ in range(TURNS)])
    return np.asarray(rungs.means(values, (drawn @ found.gaps.T).ravel()).reshape(TURNS, -1))


def few_donors(found: Line, there: Surface) -> Iterator[Note]:
    """What is said of a skewed column of which few donors have the values that are missing.

    A row counts once, and once more for each gap that it is expected to give its value to.
    """
    near = there.near()
    weights = 1 + np.bincount(near.ravel(), minlength=len(found.y)) / near.shape[1]
    rows = found.times * float(weights.sum() ** 2 / (weights @ weights))
    values, along = found.own(found.y), found.ends[0]
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
