"""Functions of a row as expressions of DuckDB, as syntax trees: what they give is the same to the last bit.

In every split it is asked first whether the value is missing. Sums are added from left to right. Numbers are doubles.
"""

from collections.abc import Callable, Sequence

from imputedb.models.feature import Feature
from imputedb.models.fitted import Fitted
from imputedb.models.function import Cases, Constant, Forest, Function, Joint, Matched, Scores, Slope, Steps, Sum
from imputedb.models.target import Target
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import cased
from imputedb.statistics.table import Kind

LEAVES = 4096
"""Leaves of an expression at most."""

PARTS = 400
"""What is added up in one sum at most: what DuckDB plans grows with the square of it."""

NAMED = 50_000
"""Names of categories in an expression at most; each split by one names those that it has."""

LARGEST = 1.7976931348623157e308

Reads = Callable[[Feature], Tree]
"""How the value of a column is read: numbers, days or microseconds since 1970, texts of categories; NULL if missing."""


def by_name(feature: Feature) -> Tree:
    """The column of that name."""
    return t.reference(feature.column.name)


def expression(model: Fitted, target: Target, reads: Reads = by_name) -> Tree | None:
    """The expected value of a target, as imputers give it: numbers as doubles, categories by their names.

    None where the function has none that DuckDB would like: donors, linear functions of countless patterns, forests.

    Args:
        model: whose target it is.
        target: one of the model's.
        reads: how the value of a column is read.
    """
    if leaves(target.expected) > LEAVES or _parts(target.expected) > PARTS:
        return None
    if _named_in(target.expected, model.features) > NAMED:
        return None
    return _Writing(model.features, reads).function(target.expected, model.features[target.feature])


def coarser(model: Fitted, target: Target, reads: Reads = by_name) -> Tree | None:
    """Whether a row is predicted from fewer columns than it has, as a condition; None where no row ever is."""
    function = target.expected
    if not isinstance(function, Cases):
        return None
    writing = _Writing(model.features, reads)
    usable = sorted({feature for needs in function.needs for feature in needs})
    here = [t.where(writing.present(feature), t.number(1), t.number(0)) for feature in usable]
    count = t.call("list_sum", t.call("list_value", *here)) if here else t.number(0)
    found = t.literal(False)
    for needs in reversed(function.needs):
        fits = t.all_of([writing.present(feature) for feature in needs]) or t.literal(True)
        found = t.where(fits, t.compared("COMPARE_GREATERTHAN", count, t.number(len(needs))), found)
    return found


def leaves(function: Function) -> float:
    """How many leaves an expression of a function has, a linear term being one; infinite where there is none."""
    match function:
        case Constant():
            return 1
        case Sum(terms=terms, forest=forest):
            return 1 + len(terms) + (0 if forest is None else int((forest.features < 0).sum()))
        case Scores(sums=sums):
            return sum(map(leaves, sums))
        case Cases(functions=functions):
            return sum(map(leaves, functions))
        case Joint() | Matched():
            return float("inf")


def _parts(function: Function) -> int:
    match function:
        case Sum(terms=terms, forest=forest):
            return 1 + len(terms) + (0 if forest is None else len(forest.roots))
        case Scores(sums=sums):
            return max(map(_parts, sums))
        case Cases(functions=functions):
            return max(map(_parts, functions))
        case _:
            return 1


def _named_in(function: Function, features: Sequence[Feature]) -> int:
    """How many names of categories its splits hold."""
    match function:
        case Sum(forest=Forest() as forest):
            places: list[int] = forest.features[forest.sets >= 0].tolist()
            return 2 * sum(features[place].classes for place in places)
        case Scores(sums=sums):
            return sum(_named_in(one, features) for one in sums)
        case _:
            return 0


class _Writing:
    """The writing of functions of some features."""

    def __init__(self, features: Sequence[Feature], reads: Reads) -> None:
        self.features, self.reads = features, reads

    def function(self, function: Function, goal: Feature) -> Tree | None:
        match function:
            case Constant(value):
                return _named(goal, value) if goal.classes else self._within(_number(value), goal)
            case Sum():
                return self._within(self._sum(function), goal)
            case Scores():
                return self._scores(function, goal)
            case Cases(needs, functions):
                found = self.function(functions[-1], goal)
                for need, one in zip(needs[-2::-1], functions[-2::-1], strict=True):
                    then = self.function(one, goal)
                    if found is None or then is None:
                        return None
                    found = t.where(t.all_of([self.present(f) for f in need]) or t.literal(True), then, found)
                return found
            case Joint() | Matched():
                return None

    def _within(self, value: Tree, goal: Feature) -> Tree:
        """A number within what is observed, whole where the column is."""
        value = t.call("least", t.call("greatest", value, _number(goal.low)), _number(goal.high))
        return t.call("floor", t.arithmetic("+", value, _number(0.5))) if goal.whole else value

    def _sum(self, one: Sum) -> Tree:
        found = _number(one.intercept)
        for term in one.terms:
            found = t.arithmetic("+", found, self._term(term))
        if one.forest is not None:
            for root in one.forest.roots.tolist():
                found = t.arithmetic("+", found, self._tree(one.forest, root))
        return found

    def _term(self, term: Slope | Steps) -> Tree:
        absent = _number(term.absent)
        if isinstance(term, Slope):
            from_centre = t.arithmetic("-", self._value(term.feature), _number(term.centre))
            return t.where(self._missing(term.feature), absent, t.arithmetic("*", from_centre, _number(term.slope)))
        feature = self.features[term.feature]
        checks = [(self._missing(term.feature), absent)]
        alike: dict[float, list[Tree]] = {}
        for code, value in enumerate(term.values):
            alike.setdefault(value, []).append(_named(feature, code))
        *some, (last, _) = alike.items()
        checks += [(self._among(term.feature, levels), _number(value)) for value, levels in some]
        return _case(checks, _number(last))

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
                "COMPARE_LESSTHANOREQUALTO", self._value(feature), _number(float(forest.thresholds[node]))
            )
        else:
            words = forest.words[int(forest.sets[node]) :].tolist()
            chosen = [code for code in range(known.classes) if words[code // 64] >> (code % 64) & 1]
            goes = self._among(feature, [_named(known, code) for code in chosen])
        missing = self._missing(feature)
        if forest.missing[node]:
            return t.any_of([missing, goes]) or missing
        return t.all_of([t.negated(missing), goes]) or goes

    def _among(self, feature: int, levels: Sequence[Tree]) -> Tree:
        return t.operator("COMPARE_IN", self.reads(self.features[feature]), *levels) if levels else t.literal(False)

    def _value(self, feature: int) -> Tree:
        """A number as a double."""
        known = self.features[feature]
        value = self.reads(known)
        if known.kind is Kind.BOOLEAN:
            value = t.cast(value, t.plain_type("INTEGER"))
        return t.cast(value, t.plain_type("DOUBLE"))

    def _missing(self, feature: int) -> Tree:
        """Whether a value is missing, or is none that the model knows."""
        known = self.features[feature]
        missing = t.is_missing(self.reads(known))
        if known.kind is Kind.CATEGORY:
            levels = [_named(known, code) for code in range(known.classes)]
            return t.any_of([missing, t.negated(self._among(feature, levels))]) or missing
        if known.kind is Kind.NUMBER:
            finite = t.compared("COMPARE_LESSTHANOREQUALTO", t.call("abs", self._value(feature)), _number(LARGEST))
            return t.any_of([missing, t.negated(finite)]) or missing
        return missing

    def present(self, feature: int) -> Tree:
        """Whether a row has a feature."""
        return t.negated(self._missing(feature))

    def _scores(self, scores: Scores, goal: Feature) -> Tree:
        """The name of the largest score, of equal ones the first."""
        names = [_named(goal, code) for code in scores.codes]
        if len(names) == 1:
            return names[0]
        sums = [self._sum(one) for one in scores.sums]
        if len(names) == 2:
            return t.where(t.compared("COMPARE_GREATERTHAN", sums[1], sums[0]), names[1], names[0])
        every = t.call("list_value", *sums)
        place = t.call("list_position", every, t.call("list_max", every))
        return t.call("list_extract", t.call("list_value", *names), place)


def _case(checks: Sequence[tuple[Tree, Tree]], otherwise: Tree) -> Tree:
    """The first whose condition holds."""
    return cased(checks, otherwise)


def _number(value: float) -> Tree:
    return t.literal(float(value))


def _named(feature: Feature, code: float) -> Tree:
    """A category by its name."""
    if feature.kind is Kind.BOOLEAN:
        return t.literal(bool(code))
    level = feature.levels[int(code)]
    if isinstance(level, (bool, int, float, str)):
        return t.literal(level)
    return t.literal(str(level))
