"""Lengths of expressions, computed before these are written."""

from collections.abc import Collection, Iterator, Sequence

from imputedb.models.feature import Feature
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

LEAVES = 4096
"""Largest number of leaves of an expression."""

PARTS = 400
"""Largest number of summands in one sum; DuckDB's planning time grows with its square."""

NAMED = 50_000
"""Largest number of category names in an expression; each split by a category lists those it selects."""


def is_short(function: Function, features: Sequence[Feature], complete: Collection[int] = ()) -> bool:
    """Whether a function has an expression that is short enough for DuckDB.

    Donors and joint functions have none. Large forests have one that is too long.
    """
    if leaves(function, complete) > LEAVES or _term_count(function) > PARTS:
        return False
    return _level_names(function, features) <= NAMED


def reachable_cases(cases: PatternCases, complete: Collection[int]) -> Iterator[tuple[tuple[int, ...], Function]]:
    """The cases that some row may reach, each with its features, where every row has the `complete` ones."""
    for needs, function in zip(cases.needs, cases.functions, strict=True):
        yield needs, function
        if set(needs) <= set(complete):
            return


def features_read(function: Function) -> frozenset[int]:
    """Places of the features that a function's expression reads; empty for a constant, or without an expression."""
    match function:
        case Sum(terms=terms, forest=forest):
            split: list[int] = [] if forest is None else forest.features.tolist()
            return frozenset(term.feature for term in terms) | frozenset(place for place in split if place >= 0)
        case Scores(sums=sums):
            return frozenset().union(*map(features_read, sums))
        case PatternCases(needs=needs, functions=functions):
            return frozenset().union(*needs, *map(features_read, functions))
        case ResidualDraw(centre=centre):
            return features_read(centre)
        case _:
            return frozenset()


def leaves(function: Function, complete: Collection[int] = ()) -> float:
    """Number of leaves of a function's expression, each linear term being one; infinite without an expression.

    Args:
        function: the function.
        complete: places of the features that every row has.
    """
    match function:
        case Constant():
            return 1
        case Sum(terms=terms, forest=forest):
            return 1 + len(terms) + (0 if forest is None else int((forest.features < 0).sum()))
        case Scores(sums=sums):
            return sum(map(leaves, sums))
        case PatternCases():
            return sum(leaves(one) for _, one in reachable_cases(function, complete))
        case ResidualDraw(centre=centre):
            return leaves(centre)
        case JointNormal() | MeanMatching():
            return float("inf")


def steps(function: Function, complete: Collection[int] = ()) -> tuple[int, int]:
    """Number of steps of a function's expression, and the largest number that one row takes.

    A step is an intercept, a number's term, a distinct value of a category's term, or a leaf.

    Args:
        function: one that has an expression.
        complete: places of the features that every row has.
    """
    match function:
        case Sum(terms=terms, forest=forest):
            ends = 0 if forest is None else int((forest.features < 0).sum())
            own = 1 + ends + sum(1 if isinstance(term, NumberTerm) else len(set(term.values)) for term in terms)
            return own, own
        case Scores(sums=sums):
            own = sum(steps(one)[0] for one in sums)
            return own, own
        case PatternCases():
            every = [steps(one, complete) for _, one in reachable_cases(function, complete)]
            return sum(written for written, _ in every), max(taken for _, taken in every)
        case ResidualDraw(centre=centre):
            return steps(centre)
        case _:
            return 1, 1


def _term_count(function: Function) -> int:
    match function:
        case Sum(terms=terms, forest=forest):
            return 1 + len(terms) + (0 if forest is None else len(forest.roots))
        case Scores(sums=sums):
            return max(map(_term_count, sums))
        case PatternCases(functions=functions):
            return max(map(_term_count, functions))
        case ResidualDraw(centre=centre):
            return _term_count(centre)
        case _:
            return 1


def _level_names(function: Function, features: Sequence[Feature]) -> int:
    """Upper bound on the number of category names in the splits of a function."""
    match function:
        case Sum(forest=Forest() as forest):
            places: list[int] = forest.features[forest.sets >= 0].tolist()
            return 2 * sum(features[place].classes for place in places)
        case Scores(sums=sums):
            return sum(_level_names(one, features) for one in sums)
        case ResidualDraw(centre=centre):
            return _level_names(centre, features)
        case _:
            return 0
