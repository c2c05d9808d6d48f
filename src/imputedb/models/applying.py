"""Evaluation of model functions over many rows at a time.

Rows are doubles, with NaN for a missing value. Sums run from left to right, so that any other evaluation in doubles
gives the same bits.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Matrix, Vector
from imputedb.kernel import _kernel
from imputedb.models.function import (
    Constant,
    Forest,
    Function,
    JointNormal,
    MeanMatching,
    NumberTerm,
    PatternCases,
    ResidualDraw,
    Scores,
    Sum,
)
from imputedb.models.linear import conditional

Places = NDArray[np.int64]

THREADS = os.cpu_count() or 1


def expected(function: Function, x: Matrix, at: Places) -> Vector:
    """(k,) best values of rows: expected numbers, or codes of the most probable categories.

    A function that matches donors gives the value of the nearest one.

    Args:
        function: the function to evaluate.
        x: (features, n) the rows.
        at: (k,) places of the rows to evaluate.
    """
    match function:
        case Constant(value):
            return np.full(len(at), value)
        case Sum():
            return summed(function, x, at)
        case Scores(codes, sums):
            scores = np.stack([summed(one, x, at) for one in sums])
            return np.asarray(np.array(codes, np.float64)[scores.argmax(axis=0)])
        case MeanMatching():
            return np.asarray(function.values[_donors(function, x, at, 1)[0][:, 0]])
        case ResidualDraw(centre=centre, low=low, high=high):
            return np.asarray(np.minimum(np.maximum(summed(centre, x, at), low), high))
        case PatternCases() | JointNormal():
            return _by_pattern(function, x, at, lambda one, some, _: expected(one, x, some))


def drawn(function: Function, x: Matrix, at: Places, normal: Vector, uniform: Vector) -> Vector:
    """(k,) random draws of the values of rows, from one standard normal and one uniform number for each."""
    match function:
        case Constant(value):
            return np.full(len(at), value)
        case Sum(deviation=deviation):
            return summed(function, x, at) + deviation * normal
        case Scores(codes, sums):
            scores = np.stack([summed(one, x, at) for one in sums])
            return np.asarray(
                np.array(codes, np.float64)[_category_draws(np.exp(scores - scores.max(axis=0)), uniform)]
            )
        case MeanMatching():
            return _donor_values(function, x, at, uniform)
        case ResidualDraw(centre=centre, residuals=residuals, low=low, high=high):
            added = np.array(residuals)[(uniform * len(residuals)).astype(np.intp)]
            return np.asarray(np.minimum(np.maximum(summed(centre, x, at) + added, low), high))
        case PatternCases() | JointNormal():
            return _by_pattern(function, x, at, lambda one, some, k: drawn(one, x, some, normal[k], uniform[k]))


def summed(function: Sum, x: Matrix, at: Places) -> Vector:
    """(k,) values of a sum at some rows."""
    if not function.compiled:
        function.compiled.append(_compiled(function))
    out = np.empty(len(at))
    function.compiled[0].score(x, at, out, THREADS, None)
    return out


def _compiled(function: Sum) -> "_kernel.Scorer":
    starts: list[int] = []
    centres: list[float] = []
    slopes: list[float] = []
    steps: list[float] = []
    for term in function.terms:
        number = isinstance(term, NumberTerm)
        starts.append(-1 if number else len(steps))
        centres.append(term.centre if isinstance(term, NumberTerm) else 0.0)
        slopes.append(term.slope if isinstance(term, NumberTerm) else 0.0)
        steps += [] if isinstance(term, NumberTerm) else term.values
    forest = function.forest or NO_TREES
    return _kernel.Scorer(
        function.intercept,
        [term.feature for term in function.terms],
        starts,
        centres,
        slopes,
        [term.absent for term in function.terms],
        steps,
        forest.roots.tolist(),
        _writable(forest.features),
        _writable(forest.thresholds),
        _writable(forest.left),
        _writable(forest.right),
        _writable(forest.missing),
        _writable(forest.sets),
        _writable(forest.words),
    )


NO_TREES = Forest.of([()] * 8)


def _writable(array: NDArray[Any]) -> NDArray[Any]:
    """The array as the bindings take it: writable, of this machine's byte order."""
    return np.require(array, array.dtype.newbyteorder("="), ("C_CONTIGUOUS", "WRITEABLE"))


def _by_pattern(
    function: PatternCases | JointNormal, x: Matrix, at: Places, evaluate: Callable[[Function, Places, Places], Vector]
) -> Vector:
    found = np.zeros(len(at))
    for one, some in _by_case(function, ~np.isnan(x[:, at])):
        found[some] = evaluate(one, at[some], some)
    return found


def coarser_count(function: PatternCases, x: Matrix, at: Places) -> int:
    """Number of rows that have a feature which some case uses, but not the case that applies to them."""
    has = ~np.isnan(x[:, at])
    usable = sorted({feature for needs in function.needs for feature in needs})
    left, count = np.arange(len(at)), 0
    for needs in function.needs:
        fits = has[list(needs)][:, left].all(axis=0)
        count += int((has[usable][:, left[fits]].sum(axis=0) > len(needs)).sum())
        left = left[~fits]
    return count


def _by_case(function: PatternCases | JointNormal, has: NDArray[np.bool_]) -> Iterator[tuple[Function, Places]]:
    """Pairs of a function and the rows that it applies to; `has`, (features, k), is True where a value is present."""
    if isinstance(function, PatternCases):
        left = np.arange(has.shape[1])
        for needs, one in zip(function.needs, function.functions, strict=True):
            fits = has[list(needs)][:, left].all(axis=0)
            if fits.any():
                yield one, left[fits]
            left = left[~fits]
        return
    usable = [f for f, part in enumerate(function.parts) if part is not None and f != function.target]
    patterns, which = np.unique(has[usable].T, axis=0, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(which.ravel(), minlength=len(patterns)))
    for pattern, some in zip(patterns, np.split(order, ends[:-1]), strict=True):
        needs = tuple(f for f, present in zip(usable, pattern.tolist(), strict=True) if present)
        if needs not in function.derived:
            function.derived[needs] = conditional(function, needs)[0]
        yield function.derived[needs], some


def _category_draws(shares: Matrix, uniform: Vector) -> NDArray[np.intp]:
    """(k,) places drawn with probabilities in proportion to (places, k) shares."""
    sums = np.cumsum(shares, axis=0)
    places = (sums < uniform * sums[-1]).sum(axis=0)
    return np.asarray(np.minimum(places, len(shares) - 1), np.intp)


def _donor_values(function: MeanMatching, x: Matrix, at: Places, uniform: Vector) -> Vector:
    """(k,) values of random donors: one of the nearest, or one of all exact ties where these outnumber the nearest."""
    near, first, ties = _donors(function, x, at, function.nearest)
    picked = (uniform * near.shape[1]).astype(np.intp)
    one = near[np.arange(len(at)), picked]
    many = ties > near.shape[1]
    one[many] = first[many] + (uniform[many] * ties[many]).astype(np.intp)
    return np.asarray(function.values[one])


def _donors(function: MeanMatching, x: Matrix, at: Places, most: int) -> tuple[Places, Places, Places]:
    """(k, most) the nearest donors; then the first donor with exactly the row's prediction, and the number of these."""
    wanted, leaf = expected(function.centre, x, at), summed(function.precision_group, x, at).astype(np.intp)
    near, first, ties = np.zeros((len(at), most), np.int64), np.zeros(len(at), np.int64), np.zeros(len(at), np.int64)
    for number in np.unique(leaf):
        some = np.flatnonzero(leaf == number)
        begin, end = int(function.starts[number]), int(function.starts[number + 1])
        line, sought = function.predicted[begin:end], wanted[some]
        right = np.searchsorted(line, sought, "right")
        left = np.searchsorted(line, sought, "left")
        first[some], ties[some] = begin + left, right - left
        below, above = right - 1, right
        for place in range(most):
            low = np.where(below >= 0, sought - line[np.maximum(below, 0)], np.inf)
            high = np.where(above < len(line), line[np.minimum(above, len(line) - 1)] - sought, np.inf)
            down = (low <= high) & (below >= 0)
            found = np.where(down, below, np.minimum(above, len(line) - 1))
            near[some, place] = begin + found
            below, above = below - down, above + ~down
    return near, first, ties
