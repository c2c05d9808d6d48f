"""Scaling and addition of sums."""

from collections.abc import Sequence

import numpy as np

from imputedb.models.function import CategoryTerm, Forest, NumberTerm, Sum


def mixed(sums: Sequence[Sum], weights: Sequence[float], rest: float) -> Sum:
    """The weighted sum of sums, plus the constant `rest` times 1 less the total of the weights."""
    intercept = sum(w * one.intercept for one, w in zip(sums, weights, strict=True)) + (1 - sum(weights)) * rest
    terms = [_scaled(term, w) for one, w in zip(sums, weights, strict=True) if w for term in one.terms]
    trees = [(one.forest, w) for one, w in zip(sums, weights, strict=True) if w and one.forest is not None]
    return Sum(float(intercept), tuple(terms), 0.0, _joined(trees) if trees else None)


def in_units(one: Sum, centre: float, scale: float) -> Sum:
    """A sum of a standardised target in the target's own units."""
    forest = None if one.forest is None else _joined([(one.forest, scale)])
    terms = tuple(_scaled(term, scale) for term in one.terms)
    return Sum(one.intercept * scale + centre, terms, one.deviation * scale, forest)


def _scaled(term: NumberTerm | CategoryTerm, by: float) -> NumberTerm | CategoryTerm:
    match term:
        case NumberTerm(feature, centre, slope, absent):
            return NumberTerm(feature, centre, slope * by, absent * by)
        case CategoryTerm(feature, values, absent):
            return CategoryTerm(feature, tuple(value * by for value in values), absent * by)


def _joined(trees: Sequence[tuple[Forest, float]]) -> Forest:
    """One forest made of several, the leaf values of each multiplied by its factor."""
    nodes = np.cumsum([0, *(len(one.features) for one, _ in trees)])
    words = np.cumsum([0, *(len(one.words) for one, _ in trees)])
    parts = []
    for (one, by), node, word in zip(trees, nodes.tolist(), words.tolist(), strict=False):
        values = one.thresholds.copy()
        values[one.features < 0] *= by
        sets = np.where(one.sets < 0, -1, one.sets + word)
        parts.append(
            (one.roots + node, one.features, values, one.left + node, one.right + node, one.missing, sets, one.words)
        )
    return Forest.of(np.concatenate(one) for one in zip(*parts, strict=True))
