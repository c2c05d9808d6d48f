"""The delta method: the variance of an expression over sums, counts, averages and other aggregates."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from imputedb.answers.multiple.calls import Call, double, minus, over, plus, sampled, times
from imputedb.answers.multiple.choices import as_case
from imputedb.answers.multiple.forms import literal_value
from imputedb.answers.multiple.influence import GROUP, ROW, Influence, of_group
from imputedb.answers.multiple.measures import Measures, influence_of
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree, without_place
from imputedb.sql.expression import (
    arguments_of,
    cased,
    cases_of,
    child_of,
    function_of,
    is_distinct,
    is_null,
    kind_of,
    names_of,
    results_of,
)
from imputedb.sql.functions import ALL_COUNTS, MEANS, SUMS

MOST = 6
"""Maximum number of sums in one expression, since there is a covariance for each pair."""

Slopes = Mapping[str, Tree]
OfCall = Callable[[Tree], Slopes]


class DeltaVariance(NamedTuple):
    """The variance of an expression, and its complete-data degrees of freedom."""

    variance: Tree
    freedom: Tree


class _Unknown(Exception):  # never leaves this file
    """A derivative that is unknown here."""


# -- in the pass of the aggregates ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Sums:
    """The sums in an expression, and the averages among them.

    Attributes:
        found: value of a row by text of the sum, 0 where the row does not count.
        counts: number of rows of each average.
        plain: whether a sum or count occurs outside an average.
    """

    found: dict[str, Tree] = field(default_factory=dict)
    counts: dict[str, Tree] = field(default_factory=dict)
    plain: bool = False

    def of_call(self, tree: Tree) -> Slopes:
        """The derivatives of a call by its sums."""
        name, call = function_of(tree), Call(tree, t.number(1))
        if is_distinct(tree) or name not in ALL_COUNTS | SUMS | MEANS:
            raise _Unknown
        counted = _where_held(call, t.number(1))
        if name in ALL_COUNTS:
            self.plain = True
            return {self._named(counted): double(t.number(1))}
        value = _where_held(call, call.argument(0))
        if name in SUMS:
            self.plain = True
            return {self._named(value): double(t.number(1))}
        n = double(t.call("sum", counted))
        self.counts[_key(n)] = n
        # the mean square about an average is biased by (n - 1) / n
        whole = over(t.call("sqrt", over(n, minus(n, t.number(1)))), n)
        by_count = minus(t.number(0), over(times(whole, t.call("sum", value)), n))
        return {self._named(value): whole, self._named(counted): by_count}

    def _named(self, value: Tree) -> str:
        key = _key(value)
        self.found.setdefault(key, value)
        return key

    @property
    def rows(self) -> Tree:
        """The number of rows that contribute to any of the sums."""
        adds = [t.compared("COMPARE_NOTEQUAL", value, t.literal(0.0)) for value in self.found.values()]
        return double(t.call("count_star", where=t.any_of(adds)))


def spread(tree: Tree, units: Tree) -> DeltaVariance | None:
    """The variance of a differentiable expression f of sums S over sampled rows with values z; None for any other.

    It is the sum over pairs of f_k f_l N / (N - 1) (sum z_k z_l - S_k S_l / N), where f_k is the derivative by S_k and
    N the number of sampled rows (Cochran 1977, section 6.3; Wolter 2007, chapter 6). For a ratio, a share or an
    average, for which the sum over f_k S_k is 0, N is the number of rows that count in it.
    """
    sums = _Sums()
    try:
        slopes = _slopes(tree, sums.of_call)
    except _Unknown:
        return None
    if not 0 < len(slopes) <= MOST:
        return None
    centred = degree(tree) == 0
    size = sums.rows if centred else sampled(units)
    pairs = [(k, j) for k in slopes for j in slopes]
    terms = [times(slopes[k], slopes[j], _covariance(sums.found[k], sums.found[j], size)) for k, j in pairs]
    total = terms[0]
    for term in terms[1:]:
        total = plus(total, term)
    if not centred or sums.plain:
        total = over(times(total, size), minus(size, t.number(1)))
    rows = t.call("least", *sums.counts.values()) if centred and sums.counts else size
    return DeltaVariance(t.call("greatest", total, t.literal(0.0)), minus(rows, t.number(1)))


def _covariance(left: Tree, right: Tree, units: Tree) -> Tree:
    product = t.call("sum", times(left, right))
    return minus(product, over(times(t.call("sum", left), t.call("sum", right)), units))


def _where_held(call: Call, value: Tree) -> Tree:
    """The contribution of a row to a sum."""
    return double(t.where(call.held, value, t.number(0))) if call.held else double(value)


# -- row by row -------------------------------------------------------------------------------------------------------


def influence(tree: Tree, measures: Measures) -> Influence | None:
    """The influence of a row on a differentiable expression of calls with known influences; None for any other."""
    found: dict[str, Influence] = {}

    def of_call(call: Tree) -> Slopes:
        measure = None if is_distinct(call) else measures.of(call)
        one = influence_of(measure, call) if measure else None
        if one is None:
            raise _Unknown
        found.setdefault(_key(call), one)
        return {_key(call): double(t.number(1))}

    try:
        slopes = _slopes(tree, of_call)
    except _Unknown:
        return None
    if not found:
        return None
    parts = [_renamed(found[key], f"{place}_", slopes[key]) for place, key in enumerate(found) if key in slopes]
    value = parts[0].value
    for part in parts[1:]:
        value = plus(value, part.value)
    held = [part.held for part in parts]
    return Influence(
        {name: number for part in parts for name, number in part.numbers.items()},
        {name: row for part in parts for name, row in part.rows.items()},
        value,
        t.any_of([one for one in held if one]) if all(held) else None,
        degree(tree) == 0,
        max(part.taken for part in parts),
    )


def _renamed(one: Influence, prefix: str, slope: Tree) -> Influence:
    """The influence times a slope, with prefixed names."""
    numbers = {prefix + name: number for name, number in one.numbers.items()}
    value = times(of_group(f"{prefix}slope"), referring(one.value, lambda at, name: t.reference(at, prefix + name)))
    rows = {prefix + name: row for name, row in one.rows.items()}
    return Influence(numbers | {f"{prefix}slope": slope}, rows, value, one.held, one.centred, one.taken)


def referring(tree: Tree, change: Callable[[str, str], Tree]) -> Tree:
    """An influence's value with its references to numbers of the group and of the row changed."""

    def changed(node: Tree) -> Tree | None:
        names = names_of(node)
        return change(*names) if names and names[0] in (GROUP, ROW) else None

    result: Tree = t.rewrite(tree, changed)
    return result


# -- derivatives ------------------------------------------------------------------------------------------------------


def degree(tree: Tree) -> float | None:
    """The power of the number of rows with which an expression grows: 1 for totals, 0 for ratios; None if unknown."""
    match kind_of(tree):
        case "CONSTANT":
            return 0.0
        case "CAST":
            return degree(child_of(tree))
        case "CASE" | "OPERATOR" | "FUNCTION" if case := as_case(tree):
            return _degree_of_case(case)
        case "FUNCTION":
            name = function_of(tree)
            if name in ALL_COUNTS | SUMS:
                return 1.0
            return _degree_of(name, list(map(degree, arguments_of(tree))))
        case _:
            return None


def _degree_of(name: str, given: Sequence[float | None]) -> float | None:
    match name, given:
        case (("+" | "-"), [one]):
            return one
        case (("+" | "-"), [left, right]):
            return left if left == right else None
        case ("*", [float(left), float(right)]):
            return left + right
        case (("/" | "fdiv"), [float(left), float(right)]):
            return left - right
        case ("sqrt", [float(one)]):
            return one / 2
        case (("+" | "-" | "*" | "/" | "fdiv" | "sqrt"), _):
            return None
        case _:
            return 0.0 if all(one == 0 for one in given) or name not in _SINGLE else None


def _degree_of_case(case: Tree) -> float | None:
    """The power for a CASE: that of all its results, apart from 0 and NULL."""
    found = {degree(one) for one in results_of(case) if not (is_null(one) or literal_value(one) == 0)}
    return found.pop() if len(found) == 1 else None


def _slopes(tree: Tree, of_call: OfCall) -> Slopes:
    """The derivatives of an expression by the parts of its calls."""
    match kind_of(tree):
        case "CONSTANT":
            return {}
        case "CAST":
            return _slopes(child_of(tree), of_call)
        case "CASE" | "OPERATOR" | "FUNCTION" if case := as_case(tree):
            return _of_case(case, of_call)
        case "FUNCTION":
            name = function_of(tree)
            given = arguments_of(tree)
            if name in _KNOWN and not is_distinct(tree):
                return _of_function(name, given, of_call)
            return of_call(tree)
        case _:
            raise _Unknown


def _of_case(case: Tree, of_call: OfCall) -> Slopes:
    """The derivatives of the chosen result; those of constants are 0."""
    conditions, otherwise = cases_of(case)
    results = [_slopes(one, of_call) for one in (*(then for _, then in conditions), otherwise)]
    none = double(t.number(0))

    def where_chosen(key: str) -> Tree:
        pairs = [(when, one.get(key, none)) for (when, _), one in zip(conditions, results, strict=False)]
        return cased(pairs, results[-1].get(key, none))

    return {key: where_chosen(key) for key in {key: None for one in results for key in one}}


def _of_function(name: str, given: Sequence[Tree], of_call: OfCall) -> Slopes:
    if len(given) == 1 and name in _SINGLE:
        return _scaled(_slopes(given[0], of_call), _SINGLE[name](given[0]))
    if len(given) != 2:
        raise _Unknown
    left, right = given
    by_left, by_right = _slopes(left, of_call), _slopes(right, of_call)
    match name:
        case "+":
            return _added(by_left, by_right)
        case "-":
            return _added(by_left, _scaled(by_right, t.literal(-1.0)))
        case "*":
            return _added(_scaled(by_left, double(right)), _scaled(by_right, double(left)))
        case "/" | "fdiv":
            rest = minus(t.number(0), over(double(left), times(double(right), double(right))))
            return _added(_scaled(by_left, over(t.number(1), right)), _scaled(by_right, rest))
        case _:
            raise _Unknown


_SINGLE: Mapping[str, Callable[[Tree], Tree]] = {
    "-": lambda _: t.literal(-1.0),
    "+": lambda _: t.literal(1.0),
    "sqrt": lambda at: over(t.literal(0.5), t.call("sqrt", at)),
    "ln": lambda at: over(t.number(1), at),
    "exp": lambda at: t.call("exp", at),
}

_KNOWN = frozenset({"+", "-", "*", "/", "fdiv", *_SINGLE})


def _key(tree: Tree) -> str:
    return repr(without_place(tree))


def _scaled(slopes: Slopes, factor: Tree) -> Slopes:
    return {key: times(slope, factor) for key, slope in slopes.items()}


def _added(left: Slopes, right: Slopes) -> Slopes:
    both = {key: plus(left[key], right[key]) for key in left if key in right}
    return {**left, **right, **both}
