"""Linear functions of the features that a row has, computed from mean products alone."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.chained.column_model import Matrix
from imputedb.imputers.chained.design import Part
from imputedb.imputers.chained.regression import Regression, regression
from imputedb.models.function import CategoryTerm, JointNormal, NumberTerm, PatternCases, Sum
from imputedb.models.moments import Moments

CASES = 32
"""Largest number of cases; a row with another pattern uses the best case whose features it has."""


def by_pattern(known: Moments, products: Matrix, target: int, met: NDArray[np.bool_]) -> PatternCases | JointNormal:
    """The linear functions of a target, given the features that are present.

    Where rows that miss the target have few patterns, there is a case for each of these, for all other features, for
    single ones and for none. Otherwise a function is derived for a row's pattern when it occurs.

    Args:
        known: the matrix columns of the features, and the number of rows.
        products: (q, q) mean products.
        target: the place of the target among the features.
        met: (n, features) whether a value is present, in the rows that miss the target.
    """
    joint = JointNormal(target, known.rows, known.parts, products)
    wanted = _sets_of_features(known.parts, target, met)
    if wanted is None:
        return joint
    found = []
    for needs in wanted:
        function, left = conditional(joint, needs)
        found.append((round(left, 9), -len(needs), needs, function))
    found.sort(key=lambda one: one[:3])
    found = found[: 1 + next(place for place, one in enumerate(found) if not one[2])]
    return PatternCases(tuple(one[2] for one in found), tuple(one[3] for one in found))


def _sets_of_features(
    parts: Sequence[Part | None], target: int, met: NDArray[np.bool_]
) -> list[tuple[int, ...]] | None:
    """The sets of features that have a case; None where rows have too many patterns.

    These are all features, none, those that rows have, and single ones up to `CASES` in total.
    """
    usable = [f for f, part in enumerate(parts) if part is not None and f != target]
    patterns = np.unique(met[:, usable], axis=0)
    if len(patterns) > CASES - 2:
        return None
    often = [tuple(f for f, has in zip(usable, one, strict=True) if has) for one in patterns]
    wanted = list(dict.fromkeys([tuple(usable), (), *often]))
    return wanted + [one for one in ((f,) for f in usable) if one not in wanted][: CASES - len(wanted)]


def _width(part: Part) -> int:
    return int(part.places.stop - part.places.start)


def conditional(joint: JointNormal, needs: tuple[int, ...]) -> tuple[Sum, float]:
    """The linear function of some features, and the share of the target's variance that it leaves unexplained."""
    part, products, rows = joint.parts[joint.target], joint.products, joint.rows
    assert part is not None
    used = [(f, one) for f in needs if (one := joint.parts[f]) is not None]
    columns = [0, *(place for _, one in used for place in range(one.places.start, one.places.stop))]
    goal = part.places.start
    fit = _fit(products, columns, goal, rows)
    spread = max(float(products[goal, goal] - products[0, goal] ** 2), 1e-300)
    return _line(fit, used, part.scale, part.centre), fit.rss / rows / spread


def _fit(products: Matrix, columns: list[int], goal: int, rows: int) -> Regression:
    gram = products[np.ix_(columns, columns)] * rows
    return regression(gram, products[columns, goal] * rows, float(products[goal, goal] * rows), rows)


def _line(fit: Regression, used: Sequence[tuple[int, Part]], scale: float, centre: float) -> Sum:
    """A regression on columns of the matrix as a function of features, in units of the target."""
    terms: list[NumberTerm | CategoryTerm] = []
    place = 1
    for feature, part in used:
        beta = fit.beta[place : place + _width(part)] * scale
        place += _width(part)
        if part.classes:
            values = np.zeros(part.classes)
            values[part.levels] = beta
            terms.append(CategoryTerm(feature, tuple(values.tolist())))
        else:
            terms.append(NumberTerm(feature, part.centre, float(beta[0] / part.scale)))
    return Sum(float(centre + scale * fit.beta[0]), tuple(terms), float(fit.sigma * scale))
