"""What functions give for many rows at a time.

A row is read as doubles, NaN where a value is missing. Sums go from left to right, so that whatever evaluates a
function in doubles gives the same bits.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from imputedb.models.feature import Vector
from imputedb.models.function import Cases, Constant, Function, Joint, Line, Scores, Slope, Steps
from imputedb.models.linear import given

Rows = Sequence[Vector]
"""The values of all features, (n,) each."""

Places = NDArray[np.intp]


def expected(function: Function, rows: Rows) -> Vector:
    """(n,) the single best values: expected numbers, places of the most probable categories."""
    match function:
        case Constant(value):
            return np.full(len(rows[0]), value)
        case Line():
            return _line(function, rows)
        case Scores(codes, lines):
            scores = np.stack([_line(line, rows) for line in lines])
            return np.asarray(np.array(codes, np.float64)[scores.argmax(axis=0)])
        case Cases() | Joint():
            return _by_pattern(function, rows, lambda one, some, _: expected(one, some))


def drawn(function: Function, rows: Rows, normal: Vector, uniform: Vector) -> Vector:
    """(n,) values that are drawn by random numbers, one of each kind a row."""
    match function:
        case Constant(value):
            return np.full(len(rows[0]), value)
        case Line(deviation=deviation):
            return _line(function, rows) + deviation * normal
        case Scores(codes, lines, link):
            scores = np.stack([_line(line, rows) for line in lines])
            return np.asarray(np.array(codes, np.float64)[_picked(_shares(scores, link), uniform)])
        case Cases() | Joint():
            return _by_pattern(function, rows, lambda one, some, at: drawn(one, some, normal[at], uniform[at]))


def _line(line: Line, rows: Rows) -> Vector:
    total = np.full(len(rows[0]), line.intercept)
    for term in line.terms:
        values = rows[term.feature]
        gone = np.isnan(values)
        match term:
            case Slope(_, centre, slope, absent):
                total += np.where(gone, absent, (values - centre) * slope)
            case Steps(_, steps, absent):
                total += np.array([*steps, absent])[np.where(gone, len(steps), values).astype(np.intp)]
    return total


def _by_pattern(function: Cases | Joint, rows: Rows, evaluate: Callable[["Function", Rows, Places], Vector]) -> Vector:
    found = np.zeros(len(rows[0]))
    for one, at in _met(function, rows):
        found[at] = evaluate(one, [values[at] for values in rows], at)
    return found


def _met(function: Cases | Joint, rows: Rows) -> Iterator[tuple["Function", Places]]:
    """The functions of the patterns that rows have, and the places of these rows."""
    has = ~np.isnan(np.stack(rows, axis=1))
    if isinstance(function, Cases):
        left = np.arange(len(has))
        for needs, one in zip(function.needs, function.functions, strict=True):
            fits = has[left][:, list(needs)].all(axis=1)
            if fits.any():
                yield one, left[fits]
            left = left[~fits]
        return
    usable = [f for f, part in enumerate(function.parts) if part is not None and f != function.target]
    patterns, which = np.unique(has[:, usable], axis=0, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(which.ravel(), minlength=len(patterns)))
    for pattern, at in zip(patterns, np.split(order, ends[:-1]), strict=True):
        needs = tuple(f for f, present in zip(usable, pattern.tolist(), strict=True) if present)
        if needs not in function.made:
            function.made[needs] = given(function, needs)[0]
        yield function.made[needs], at


def _shares(scores: NDArray[np.float64], link: str) -> NDArray[np.float64]:
    """(classes, n) what categories are as probable as."""
    if link == "share":
        return np.maximum(scores, 1e-9)
    return np.asarray(np.exp(scores - scores.max(axis=0)))


def _picked(shares: NDArray[np.float64], uniform: Vector) -> NDArray[np.intp]:
    """(n,) places drawn by their shares."""
    sums = np.cumsum(shares, axis=0)
    places = (sums < uniform * sums[-1]).sum(axis=0)
    return np.asarray(np.minimum(places, len(shares) - 1), np.intp)
