"""Model functions as DuckDB expressions, in the form of syntax trees; values equal the model's to the last bit.

An expression tests for a missing value only where the test changes the result, and not for columns that no row lacks.
Sums run from left to right, in doubles.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial, reduce

from imputedb.models.extent import is_short, reachable_cases
from imputedb.models.feature import Feature
from imputedb.models.fitted import Fitted
from imputedb.models.function import (
    CategoryTerm,
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
from imputedb.models.target import Target
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import cased
from imputedb.statistics.table import Kind

LARGEST = 1.7976931348623157e308

Reads = Callable[[Feature], Tree]
"""A reader of a column's value: a number, days or microseconds since 1970, the name of a category; NULL if missing."""


def by_name(feature: Feature) -> Tree:
    """A reference to the column by its name."""
    return t.reference(feature.column.name)


def expression(model: Fitted, target: Target, reads: Reads = by_name, *, complete: Collection[int] = ()) -> Tree | None:
    """The expected value of a target: numbers as doubles, categories by their names.

    None where a function has no expression (donors, joint functions) or too long a one (large forests).

    Args:
        model: the fitted model.
        target: one of its targets.
        reads: the reader of a column's value.
        complete: places of the features that every row has: a finite number, or a category that the model knows.
    """
    if not is_short(target.expected, model.features, complete):
        return None
    here = frozenset(complete)
    return ExpressionBuilder(model.features, reads, here).function(target.expected, model.features[target.feature])


def coarser(model: Fitted, target: Target, reads: Reads = by_name, *, complete: Collection[int] = ()) -> Tree | None:
    """The condition under which a row is predicted from fewer columns than it has; None where that cannot happen."""
    function = target.expected
    if not isinstance(function, PatternCases):
        return None
    every = {feature for needs in function.needs for feature in needs}
    usable, always = sorted(every.difference(complete)), every.intersection(complete)
    writing = ExpressionBuilder(model.features, reads)
    here = [t.where(writing.present(feature), t.number(1), t.number(0)) for feature in usable]
    count = reduce(partial(t.arithmetic, "+"), here, t.number(0))
    cases = [needs for needs, _ in reachable_cases(function, complete)]
    if len(cases) == 1 and set(cases[0]) == every:
        return None
    found = t.literal(False)
    for needs in reversed(cases):
        more = t.compared("COMPARE_GREATERTHAN", count, t.number(len(needs) - len(always)))
        fits = t.all_of([writing.present(feature) for feature in needs if feature not in always])
        found = more if fits is None else t.where(fits, more, found)
    return found


class ExpressionBuilder:
    """A writer of functions as expressions; `here` are features that the row is known to have."""

    def __init__(self, features: Sequence[Feature], reads: Reads, here: frozenset[int] = frozenset()) -> None:
        self.features, self.reads, self.here = features, reads, here

    def function(self, function: Function, goal: Feature) -> Tree | None:
        """The value of a function; None where it has no expression."""
        match function:
            case Constant(value):
                return named_level(goal, value) if goal.classes else self.within(_number(value), goal)
            case Sum():
                return self.within(self.sum(function), goal)
            case Scores():
                return self._scores(function, goal)
            case ResidualDraw(centre=centre):
                return self.within(self.sum(centre), goal)
            case PatternCases():
                return self.cases(function, goal)
            case JointNormal() | MeanMatching():
                return None

    def cases(self, cases: PatternCases, goal: Feature) -> Tree | None:
        """The value of the first case whose features a row has; that case takes them as present."""
        checks: list[tuple[Tree, Tree]] = []
        for needs, function in reachable_cases(cases, self.here):
            written = self.with_complete(self.here.union(needs)).function(function, goal)
            fits = t.all_of([self.present(feature) for feature in needs if feature not in self.here])
            if written is None or fits is None:
                return written and _case(checks, written)
            checks.append((fits, written))
        return None

    def with_complete(self, here: frozenset[int]) -> "ExpressionBuilder":
        """The same writer, for rows that are known to have the features `here`."""
        return ExpressionBuilder(self.features, self.reads, here)

    def within(self, value: Tree, goal: Feature) -> Tree:
        """A number clipped to the observed range, and rounded where the column holds whole numbers."""
        value = t.call("least", t.call("greatest", value, _number(goal.low)), _number(goal.high))
        return _whole(value, goal)

    def sum(self, one: Sum) -> Tree:
        """The value of a sum, neither clipped nor rounded."""
        found = _number(one.intercept)
        for term in one.terms:
            found = t.arithmetic("+", found, self._term(term))
        if one.forest is not None:
            for root in one.forest.roots.tolist():
                found = t.arithmetic("+", found, self._tree(one.forest, root))
        return found

    def _term(self, term: NumberTerm | CategoryTerm) -> Tree:
        if isinstance(term, NumberTerm):
            from_centre = t.arithmetic("-", self.number(term.feature), _number(term.centre))
            added = t.arithmetic("*", from_centre, _number(term.slope))
            missing = self._missing(term.feature)
            return added if missing is None else t.where(missing, _number(term.absent), added)
        feature = self.features[term.feature]
        alike: dict[float, list[Tree]] = {}
        for code, value in enumerate(term.values):
            alike.setdefault(value, []).append(named_level(feature, code))
        certain = term.feature in self.here
        rest = max(alike, key=lambda value: len(alike[value])) if certain and alike else term.absent
        checks = [(self._in_levels(term.feature, levels), _number(value)) for value, levels in alike.items()]
        return _case([check for check, value in zip(checks, alike, strict=True) if value != rest], _number(rest))

    def _tree(self, forest: Forest, node: int) -> Tree:
        feature = int(forest.features[node])
        if feature < 0:
            return _number(float(forest.thresholds[node]))
        left, right = (self._tree(forest, int(side[node])) for side in (forest.left, forest.right))
        return t.where(self._goes_left(forest, node, feature), left, right)

    def _goes_left(self, forest: Forest, node: int, feature: int) -> Tree:
        known = self.features[feature]
        if forest.sets[node] < 0:
            goes = t.compared(
                "COMPARE_LESSTHANOREQUALTO", self.number(feature), _number(float(forest.thresholds[node]))
            )
        else:
            words = forest.words[int(forest.sets[node]) :].tolist()
            chosen = [code for code in range(known.classes) if words[code // 64] >> (code % 64) & 1]
            goes = self._in_levels(feature, [named_level(known, code) for code in chosen])
        missing = self._missing(feature)
        if missing is None or (forest.sets[node] >= 0 and not forest.missing[node]):
            return goes  # a missing or unknown category is not among the levels
        if forest.missing[node]:
            return t.any_of([missing, goes]) or missing
        return t.all_of([self.present(feature), goes]) or goes

    def _in_levels(self, feature: int, levels: Sequence[Tree]) -> Tree:
        """Whether a category is one of some levels; NULL or false where it is missing."""
        value = self.reads(self.features[feature])
        if len(levels) == 1:
            return t.compared("COMPARE_EQUAL", value, levels[0])
        return t.operator("COMPARE_IN", value, *levels) if levels else t.literal(False)

    def number(self, feature: int) -> Tree:
        """A number as a double."""
        known = self.features[feature]
        value = self.reads(known)
        if known.kind is Kind.BOOLEAN:
            value = t.cast(value, t.plain_type("INTEGER"))
        return t.cast(value, t.plain_type("DOUBLE"))

    def _missing(self, feature: int) -> Tree | None:
        """Whether a value is missing or unknown to the model; None where the row is known to have it."""
        if feature in self.here:
            return None
        known = self.features[feature]
        missing = t.is_missing(self.reads(known))
        if known.kind in (Kind.CATEGORY, Kind.NUMBER):
            return t.any_of([missing, t.negated(self.present(feature))])
        return missing

    def present(self, feature: int) -> Tree:
        """The condition under which a row has a feature; NULL or false where it does not."""
        known = self.features[feature]
        if known.kind is Kind.CATEGORY:
            return self._in_levels(feature, [named_level(known, code) for code in range(known.classes)])
        if known.kind is Kind.NUMBER:
            return t.compared("COMPARE_LESSTHANOREQUALTO", t.call("abs", self.number(feature)), _number(LARGEST))
        return t.negated(t.is_missing(self.reads(known)))

    def _scores(self, scores: Scores, goal: Feature) -> Tree:
        """The name of the category with the largest score; of equal scores, the first."""
        names = [named_level(goal, code) for code in scores.codes]
        if len(names) == 1:
            return names[0]
        sums = [self.sum(one) for one in scores.sums]
        if len(names) == 2:
            return t.where(t.compared("COMPARE_GREATERTHAN", sums[1], sums[0]), names[1], names[0])
        every = listed(sums)
        place = t.call("list_position", every, t.call("list_max", every))
        return t.call("list_extract", listed(names), place)


def _whole(value: Tree, goal: Feature) -> Tree:
    """A number, rounded half up where the column holds whole numbers."""
    return t.call("floor", t.arithmetic("+", value, _number(0.5))) if goal.whole else value


def listed(items: Iterable[Tree]) -> Tree:
    """A list value."""
    return t.call("list_value", *items)


def _case(checks: Sequence[tuple[Tree, Tree]], otherwise: Tree) -> Tree:
    """A CASE expression, or its ELSE alone where there are no conditions."""
    return cased(checks, otherwise) if checks else otherwise


def _number(value: float) -> Tree:
    return t.literal(float(value))


def named_level(feature: Feature, code: float) -> Tree:
    """A category as a literal, from its code."""
    if feature.kind is Kind.BOOLEAN:
        return t.literal(bool(code))
    level = feature.levels[int(code)]
    if isinstance(level, (bool, int, float, str)):
        return t.literal(level)
    return t.literal(str(level))
