"""Notes on intervals that may be wrong, by output and cause."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from imputedb.answers.multiple.aggregation import Aggregation
from imputedb.inference.estimate import Estimate
from imputedb.inference.score_interval import Score
from imputedb.notes import Note, NoteKind, Question
from imputedb.statistics.skewness import PER_INFLUENCES, PER_SKEWNESS, by_chance

FEW_DF, MUCH_MISSING, FEW_EVENTS = 5.0, 0.9, 5.0
"""Limits of degrees of freedom, fraction of missing information, and events."""

HIDDEN = 0.1
"""Share of a standard error that rounding may change without a note."""

ALMOST = 1e-12  # relative rounding error of arithmetic

Vector = NDArray[np.float64]

Row = Mapping[int, Estimate]


def suspects(
    numbers: Mapping[str, NDArray[np.float64]], about: Aggregation, found: Sequence[Row], question: Question
) -> Iterator[Note]:
    """A note for each output and cause, about the worst of its groups.

    Args:
        numbers: numbers of all draws by name.
        about: the aggregation.
        found: estimates of each group by position of the output.
        question: what the intervals are about.
    """
    for place, out in enumerate(about.outputs[: about.shown]):
        known = [row[place] for row in found if place in row]
        if not out.empty and any(one.share < 1 for one in known):
            words = f"{out.name}: some groups are in some draws only, and it is of the draws that have them"
            yield Note(NoteKind.SOME_DRAWS, out.name, words)
        mine = [one for one in known if not math.isnan(one.se)]
        if not mine:
            continue
        of = " of its groups" if about.groups else ""
        yield from (Note(kind, out.name, f"{out.name}: {cause}") for kind, cause in _causes(mine, question, of))
        if question == "population" and out.skewness and not isinstance(mine[0].scale, Score):
            there = ((group, row[place]) for group, row in enumerate(found, 1) if place in row)
            missing = {group: one.pooled.lambda_ for group, one in there if one.within}
            yield from skewed(out.name, numbers["group"], numbers[f"k{place}"], numbers[f"f{place}"], missing)
        elif question == "population" and f"j{place}" in numbers and not isinstance(mine[0].scale, Score):
            yield from _uneven(out.name, numbers["group"], numbers[f"j{place}"], numbers[f"u{place}"])


def rounded(name: str, pairs: Sequence[tuple[float, Estimate]]) -> Iterator[Note]:
    """A note on numbers that rounding changes by more than their standard error hides.

    Args:
        name: name of the output.
        pairs: rounded numbers, and their estimates before rounding.
    """
    moved = [(abs(at - one.estimate) - HIDDEN * one.se, at, one) for at, one in pairs if not math.isnan(one.se)]
    most, at, one = max(moved, key=lambda pair: pair[0], default=(0.0, 0.0, None))
    if one is not None and most > ALMOST * abs(one.estimate):
        low, high = one.interval()
        words = f"its interval, {low:.6g} to {high:.6g}, is that of {one.estimate:.6g} before it is rounded to {at:.6g}"
        yield Note(NoteKind.ROUNDED, name, f"{name}: {words}")


def scattered(name: str) -> Note:
    """A note on an output that differs in all draws."""
    words = "draws agree on no value, so the middle one of their values in order is shown, which is as likely as others"
    return Note(NoteKind.SCATTERED, name, f"{name}: {words}")


def _causes(mine: Sequence[Estimate], question: Question, of: str) -> Iterator[tuple[NoteKind, str]]:
    df = min(one.df for one in mine)
    if question == "population" and df < FEW_DF:
        yield NoteKind.FEW_DEGREES, f"{df:.1f} degrees of freedom in the worst{of}, so its interval is rough"
    fmi = max((one.fmi for one in mine if not math.isnan(one.fmi)), default=0.0)
    if fmi > MUCH_MISSING:
        words = (
            f"the fraction of missing information is {fmi:.2f} in the worst{of}, so it stands on the imputer's model"
        )
        yield NoteKind.MISSING_INFORMATION, words
    events = min((_events(one) for one in mine if one.pooled.between > 0), default=math.inf)
    if events < FEW_EVENTS:
        words = f"{events:.1f} events, or others, in the fewest{of}, some of them imputed: draws tell little of so few"
        yield NoteKind.FEW_EVENTS, words


def _events(one: Estimate) -> float:
    """The number of rows that were counted, or of the others, whichever is smaller."""
    if not isinstance(one.scale, Score):
        return math.inf
    if math.isinf(one.scale.top):
        return one.estimate / one.scale.dispersion
    rows = one.scale.top / one.scale.dispersion
    return min(one.estimate, one.scale.top - one.estimate) / one.scale.top * rows


def skewed(name: str, groups: Vector, skewness: Vector, df: Vector, missing: Mapping[int, float]) -> Iterator[Note]:
    """Note on means of few rows that are skewed.

    The skewness is the mean over the draws of a group, less what chance makes of it. Rows count less the share of the
    variance that is due to missing values: imputed values repeat what the observed ones tell of the tails.

    Args:
        name: of the output.
        groups: (k,) which group each number is of, a number a draw and group.
        skewness: (k,) of its rows.
        df: (k,) its rows less 1.
        missing: by group, the share of the variance that is due to missing values; 0 where it is not known.
    """
    there, skew, rows = _means(groups, skewness, df + 1)
    shares = np.array([missing.get(int(group), 0.0) for group in there])
    observed = rows * (1 - shares)
    lacking = PER_SKEWNESS * (skew**2 - by_chance(observed)) - observed
    if len(lacking) and lacking.max() > 0:
        worst = int(np.argmax(lacking))
        worth = f" (worth {observed[worst]:,.0f}, for what is missing)" if shares[worst] > 0 else ""
        words = (
            f"{name}: with a skewness of {skew[worst]:.1f}, {rows[worst]:,.0f} rows{worth} are too few for an interval "
            "that covers as told"
        )
        yield Note(NoteKind.SKEWED, name, words)


def _uneven(name: str, groups: Vector, skewness: Vector, rows: Vector) -> Iterator[Note]:
    """A note on numbers that few rows decide, by the skewness of influences."""
    _, skew, count = _means(groups, skewness, rows)
    lacking = PER_INFLUENCES * skew**2 - count
    if len(lacking) and lacking.max() > 0:
        worst = int(np.argmax(lacking))
        words = (
            f"{name}: few of its {count[worst]:,.0f} rows decide it (what they add to its error has a skewness of "
            f"{skew[worst]:.1f}), too few for an interval that covers as told"
        )
        yield Note(NoteKind.SKEWED, name, words)


def _means(groups: Vector, skewness: Vector, rows: Vector) -> tuple[NDArray[np.intp], Vector, Vector]:
    """Mean skewness and rows by group, averaged over draws, since a single draw may be skewed by chance."""
    known = np.isfinite(skewness) & np.isfinite(rows)
    place = groups[known].astype(np.intp)
    counts = np.bincount(place)
    there = np.flatnonzero(counts)
    skew, count = (np.bincount(place, values[known])[there] / counts[there] for values in (skewness, rows))
    return there, np.asarray(skew), np.asarray(count)
